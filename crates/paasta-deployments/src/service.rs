//! One service, or all of them, end to end: soa-configs and refs in, `deployments.json` written (config.md §4.3).

use std::path::Path;
use std::sync::Arc;

use paasta_config::{InstanceType, LoadError, Soa, SystemConfig};
use paasta_core::{ClusterName, InstanceId, ServiceName};

use crate::{
    ControlBranch, Deployments, Difference, FileChange, MayWrite, Refs, RefsError, WriteError,
    differences_to_file, generate, write::write_if_changed_and,
};

/// Where code is when neither the service nor the system configuration says so.
const DEFAULT_GIT_URL: &str = "git@github.yelpcorp.com:services/{service}";

/// What came of one service.
#[derive(Debug)]
pub struct Generated {
    /// Whether the file changed.
    pub change: FileChange,
    /// What it says now.
    pub deployments: Deployments,
    /// Instances that are left out because they cannot be read: nothing could load them either.
    pub left_out: Vec<LoadError>,
}

/// What would come of one service.
#[derive(Debug)]
pub struct Preview {
    /// Whether the file would change.
    pub change: FileChange,
    /// What it would say otherwise than now.
    pub differences: Vec<Difference>,
    /// Instances that would be left out because they cannot be read.
    pub left_out: Vec<LoadError>,
}

/// Why a service's file is as it was.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// Its configuration cannot be read.
    #[error("could not read the configuration of service `{service}`")]
    Config {
        /// The service.
        service: ServiceName,
        /// Why.
        source: Box<LoadError>,
    },
    /// Its git repository cannot be read.
    #[error("could not list the tags of service `{service}`")]
    Refs {
        /// The service.
        service: ServiceName,
        /// Why.
        source: RefsError,
    },
    /// Its file cannot be written.
    #[error("could not update the deployments of service `{service}`")]
    Write {
        /// The service.
        service: ServiceName,
        /// Why.
        source: WriteError,
    },
}

/// Finds the way to a remote; usually [`crate::refs_for_url`].
pub type Connect<'a> = &'a (dyn Fn(&str) -> Result<Arc<dyn Refs>, RefsError> + Sync);

/// The instances of a service as the generator sees them.
#[derive(Debug, Default)]
pub struct Branches {
    /// Clusters by name, types in their order, instances in file order.
    pub branches: Vec<ControlBranch>,
    /// Instances that cannot be read.
    pub left_out: Vec<LoadError>,
}

/// Every instance of every loadable type in every known cluster (config.md §4.3, steps 2 and 3). A file that cannot be
/// parsed is an error of the whole; an instance that cannot be read is only left out.
pub fn control_branches(
    soa: &Soa,
    system: &SystemConfig,
    service: &ServiceName,
) -> Result<Branches, LoadError> {
    let mut found = Branches::default();
    for cluster in soa.clusters(service, system)? {
        for kind in InstanceType::LOADABLE {
            add_branches(&mut found, soa, system, service, (&cluster, kind))?;
        }
    }
    Ok(found)
}

fn add_branches(
    found: &mut Branches,
    soa: &Soa,
    system: &SystemConfig,
    service: &ServiceName,
    (cluster, kind): (&ClusterName, InstanceType),
) -> Result<(), LoadError> {
    for instance in soa.instances(service, cluster, kind)? {
        let branch = format!("{cluster}.{instance}");
        let id = InstanceId::new(service.clone(), instance);
        match soa.deploy_group(&id, kind, cluster, system) {
            Ok(group) => found.branches.push(ControlBranch { branch, deploy_group: group }),
            Err(error) if is_of_one_instance(&error) => found.left_out.push(error),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn is_of_one_instance(error: &LoadError) -> bool {
    matches!(error, LoadError::Setting(_) | LoadError::NoSuchInstance { .. } | LoadError::InvalidName { .. })
}

/// Where a service's code is: `git_url` of service.yaml, else `git_config.default_git_url` of the system configuration
/// (our own key; `{service}` in it is replaced), else the original's default (config.md §5.1).
pub fn git_url(soa: &Soa, system: &SystemConfig, service: &ServiceName) -> Result<String, LoadError> {
    if let Some(url) = soa.git_url(service)?.filter(|url| !url.is_empty()) {
        return Ok(url);
    }
    let configured = system.git_config()?.and_then(|git| git.get("default_git_url")?.as_str());
    Ok(configured.unwrap_or(DEFAULT_GIT_URL).replace("{service}", service.as_str()))
}

/// Brings one service's `deployments.json` below `soa_root` up to date. `soa` is the tree at `soa_root`. Without
/// instances the remote is not asked. Whatever goes wrong, the old file stays.
///
/// ```no_run
/// use std::path::Path;
/// use paasta_config::{Soa, SystemConfig};
/// use paasta_deployments::{Limits, generate_for_service, refs_for_url};
///
/// let root = Path::new("/nail/etc/services");
/// let system = SystemConfig::load("/etc/paasta")?;
/// let connect = |url: &str| refs_for_url(url, Limits::default());
/// let done = generate_for_service(root, &Soa::open(root), &system, &"web".parse()?, &connect)?;
/// println!("{:?}", done.change);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn generate_for_service(
    soa_root: &Path,
    soa: &Soa,
    system: &SystemConfig,
    service: &ServiceName,
    connect: Connect<'_>,
) -> Result<Generated, GenerateError> {
    generate_for_service_if(soa_root, soa, system, service, connect, &|| Ok(()))
}

/// As [`generate_for_service`], for a process that may lose the right to write while it works: `may_write` is asked right
/// before the file takes its place, and what it answers is the source of the error.
pub fn generate_for_service_if(
    soa_root: &Path,
    soa: &Soa,
    system: &SystemConfig,
    service: &ServiceName,
    connect: Connect<'_>,
    may_write: MayWrite<'_>,
) -> Result<Generated, GenerateError> {
    let (deployments, left_out) = wanted_document(soa, system, service, connect)?;
    let change = write_if_changed_and(soa_root, &deployments, may_write)
        .map_err(|source| GenerateError::Write { service: service.clone(), source })?;
    Ok(Generated { change, deployments, left_out })
}

/// What [`generate_for_service`] would do; writes nothing.
pub fn preview_for_service(
    soa_root: &Path,
    soa: &Soa,
    system: &SystemConfig,
    service: &ServiceName,
    connect: Connect<'_>,
) -> Result<Preview, GenerateError> {
    let (deployments, left_out) = wanted_document(soa, system, service, connect)?;
    let (change, differences) = differences_to_file(soa_root, &deployments)
        .map_err(|source| GenerateError::Write { service: service.clone(), source })?;
    Ok(Preview { change, differences, left_out })
}

/// What the file is to say, and the instances that are left out of it.
fn wanted_document(
    soa: &Soa,
    system: &SystemConfig,
    service: &ServiceName,
    connect: Connect<'_>,
) -> Result<(Deployments, Vec<LoadError>), GenerateError> {
    let config = |error| GenerateError::Config { service: service.clone(), source: Box::new(error) };
    let Branches { branches, left_out } = control_branches(soa, system, service).map_err(config)?;
    let refs = if branches.is_empty() {
        Vec::new()
    } else {
        let url = git_url(soa, system, service).map_err(config)?;
        let listed = connect(&url).and_then(|refs| refs.list());
        listed.map_err(|source| GenerateError::Refs { service: service.clone(), source })?
    };
    Ok((generate(service.as_str(), &branches, &refs), left_out))
}
