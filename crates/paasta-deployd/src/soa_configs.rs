//! [`Configs`] over real files and real git remotes.

use std::path::PathBuf;

use paasta_config::{InstanceType, LoadError, Soa, SystemConfig};
use paasta_core::{ClusterName, InstanceId, ServiceName, chain};
use paasta_deployments::{FileChange, Limits, generate_for_service, unattended_refs_for_url};

use crate::ports::{Configs, RegenerateResult};
use crate::start_keys::StartKeys;
use crate::state::{Listed, Listing, Scope};

/// soa-configs below one directory, for the cluster of one system config. Both are read anew on each call.
#[derive(Clone, Debug)]
pub struct SoaConfigs {
    /// One folder per service.
    pub soa_dir: PathBuf,
    /// Where `*.json` of the system config are.
    pub system_config_dir: PathBuf,
    /// What listing a remote's refs may take.
    pub limits: Limits,
    start_keys: StartKeys,
}

impl SoaConfigs {
    /// The services below `soa_dir`, for a deployd that was set up by `system`.
    pub fn new(soa_dir: PathBuf, system_config_dir: PathBuf, limits: Limits, system: &SystemConfig) -> Self {
        Self { soa_dir, system_config_dir, limits, start_keys: StartKeys::of(system.map()) }
    }

    fn system(&self) -> Result<SystemConfig, String> {
        SystemConfig::load(&self.system_config_dir).map_err(|error| chain(&error))
    }

    fn services(&self, soa: &Soa, scope: &Scope) -> Result<Vec<ServiceName>, LoadError> {
        let mut services = soa.services()?;
        services.retain(|service| {
            scope.holds(service) && is_service(service) && self.soa_dir.join(service.as_str()).is_dir()
        });
        Ok(services)
    }
}

/// Hidden folders and those of many services' things are none.
fn is_service(name: &ServiceName) -> bool {
    !name.as_str().starts_with(['.', '_'])
}

impl Configs for SoaConfigs {
    fn list(&self, scope: &Scope) -> Result<Listing, String> {
        let system = self.system()?;
        self.start_keys.warn(system.map());
        let cluster = system.cluster().map_err(|error| chain(&error))?;
        // Documents are parsed once per listing: every instance of a service reads the same ones.
        let soa = Soa::open(&self.soa_dir).cached();
        let services = self.services(&soa, scope).map_err(|error| chain(&error))?;
        let mut listing = Listing::of(scope.clone(), []);
        for service in services {
            match instances(&soa, &system, &cluster, &service) {
                Ok(instances) => listing.instances.extend(instances),
                Err(error) => {
                    listing.unreadable.insert(service.clone(), chain(&error));
                }
            }
            listing.services.insert(service);
        }
        Ok(listing)
    }

    fn regenerate(&self, service: &ServiceName) -> RegenerateResult {
        let system = match self.system() {
            Ok(system) => system,
            Err(reason) => return RegenerateResult::Failed(reason),
        };
        let soa = Soa::open(&self.soa_dir);
        let connect = |url: &str| unattended_refs_for_url(url, self.limits);
        match generate_for_service(&self.soa_dir, &soa, &system, service, &connect) {
            Ok(done) => match done.change {
                FileChange::Written => RegenerateResult::Changed,
                FileChange::Unchanged => RegenerateResult::Unchanged,
            },
            Err(error) => RegenerateResult::Failed(chain(&error)),
        }
    }
}

fn instances(
    soa: &Soa,
    system: &SystemConfig,
    cluster: &ClusterName,
    service: &ServiceName,
) -> Result<Vec<(InstanceId, Listed)>, LoadError> {
    let names = soa.instances(service, cluster, InstanceType::Marathon)?;
    let ids = names.into_iter().map(|name| InstanceId::new(service.clone(), name));
    Ok(ids.map(|id| (id.clone(), listed(soa, system, cluster, &id))).collect())
}

/// An instance whose settings are wrong is still one: its pass says what is wrong with it.
fn listed(soa: &Soa, system: &SystemConfig, cluster: &ClusterName, id: &InstanceId) -> Listed {
    let instance = soa.instance(id, InstanceType::Marathon, cluster, system);
    let deadline = instance.ok().and_then(|instance| instance.config().bounce_start_deadline().ok());
    let deadline = deadline.filter(|seconds| seconds.is_finite() && *seconds >= 0.0);
    Listed { bounce_start_deadline_seconds: deadline.unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_broken_service_is_named_and_the_others_are_listed() {
        let root = tempfile::tempdir().expect("a folder");
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().expect("below the root")).expect("made");
            std::fs::write(path, text).expect("written");
        };
        write("etc/a.json", r#"{"cluster": "here", "clusters": ["here"]}"#);
        write("soa/good/marathon-here.yaml", "main: {bounce_start_deadline: 5}\n_template: {}\nside: {}\n");
        write("soa/bad/marathon-here.yaml", "main: {a: [\n");
        write("soa/elsewhere/marathon-there.yaml", "main: {}\n");
        write("soa/_shared/marathon-here.yaml", "main: {}\n");
        write("soa/README", "not a service");
        let (soa_dir, etc) = (root.path().join("soa"), root.path().join("etc"));
        let system = SystemConfig::load(&etc).expect("readable");
        let configs = SoaConfigs::new(soa_dir, etc, Limits::default(), &system);
        let listing = configs.list(&Scope::All).expect("listed");
        let found: Vec<(String, f64)> = listing
            .instances
            .iter()
            .map(|(id, listed)| (id.to_string(), listed.bounce_start_deadline_seconds))
            .collect();
        assert_eq!(found, [("good.main".to_owned(), 5.0), ("good.side".to_owned(), 0.0)]);
        assert_eq!(listing.services.len(), 3, "{:?}", listing.services);
        let reason = listing.unreadable.values().next().expect("one is broken");
        assert!(reason.contains("bad/marathon-here.yaml"), "{reason}");
    }
}
