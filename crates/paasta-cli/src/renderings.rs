//! What would run for instances by one state of the configuration: loaded, deployed and rendered, in any soa-configs.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use paasta_config::{
    CoordinationDriver, DeploymentRecord, Deployments, DesiredState, InstanceType, LoadError, RenderError,
    Renderer, Soa, SystemConfig, Wanted,
};
use paasta_core::{ClusterName, Counts, InstanceId, InstanceName, Reading, Rendered, ServiceName, chain};
use paasta_deploy::{Side, Tasks, Version};
use paasta_zookeeper::{FileCounts, MapCounts, Unavailable};

/// One state of the configuration.
pub(crate) struct State<'a> {
    /// The services' files.
    pub(crate) soa: &'a Soa,
    /// The system configuration, of the cluster that is looked at.
    pub(crate) system: &'a SystemConfig,
    /// What turns settings into versions.
    pub(crate) renderer: &'a dyn Renderer,
    /// Where deployments.json is looked for, in this order: a revision of soa-configs may well have none.
    pub(crate) deployed: Vec<&'a Soa>,
    /// A commit that is deployed to a group in thought.
    pub(crate) mark: Option<Mark>,
    /// Whether a group that is deployed counts for instances that deployments.json does not name yet.
    foresees: bool,
    documents: RefCell<BTreeMap<ServiceName, Document>>,
    warnings: RefCell<BTreeSet<String>>,
}

/// A deployments.json, if there is one, or why it cannot be read.
type Document = Result<Option<Arc<Deployments>>, String>;

/// A commit that a deploy group is to run.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    pub(crate) deploy_group: String,
    pub(crate) git_sha: String,
}

/// One instance by one state of the configuration.
pub(crate) struct Loaded {
    /// What would run.
    pub(crate) side: Side,
    /// What it comes from, where it could be loaded.
    pub(crate) wanted: Option<Wanted>,
    /// Its rendering, where it has one.
    pub(crate) rendered: Option<Rendered>,
}

impl Loaded {
    pub(crate) fn of(side: Side) -> Self {
        Self { side, wanted: None, rendered: None }
    }
}

impl<'a> State<'a> {
    pub(crate) fn new(soa: &'a Soa, system: &'a SystemConfig, renderer: &'a dyn Renderer) -> Self {
        Self {
            soa,
            system,
            renderer,
            deployed: vec![soa],
            mark: None,
            foresees: true,
            documents: RefCell::default(),
            warnings: RefCell::default(),
        }
    }

    /// As deployments.json has it now, not as it will be when it is next generated.
    pub(crate) fn as_deployed(soa: &'a Soa, system: &'a SystemConfig, renderer: &'a dyn Renderer) -> Self {
        Self { foresees: false, ..Self::new(soa, system, renderer) }
    }

    /// The service's instances in the cluster; a file that cannot be read is told.
    pub(crate) fn names(
        &self,
        service: &ServiceName,
        cluster: &ClusterName,
    ) -> Result<Vec<InstanceName>, String> {
        self.soa.instances(service, cluster, InstanceType::Marathon).map_err(|error| chain(&error))
    }

    /// One instance. Its count is asked for only where it is autoscaled.
    pub(crate) async fn load(&self, id: &InstanceId, counts: &dyn Counts) -> Loaded {
        let unread = Reading::Unknown("it was not asked for".to_owned());
        let deployed = |group: Option<&str>| self.deployment(id, group);
        let mut wanted = match self.soa.wanted_as(id, self.system, unread, deployed) {
            Ok(wanted) => wanted,
            Err(LoadError::NoDeployments { .. } | LoadError::NoSuchInstance { .. }) => {
                return Loaded::of(Side::Absent);
            }
            Err(error) => return Loaded::of(Side::Refused(chain(&error))),
        };
        for missing in self.soa.missing_signatures(&wanted) {
            self.warnings.borrow_mut().insert(format!("{id}: {missing}"));
        }
        if wanted.instance().is_autoscaled() {
            wanted.autoscaled_count = counts.count(id).await;
        }
        match version(self.renderer, &wanted) {
            Ok((rendered, tasks)) => {
                let (app, home) = (rendered.app.clone(), rendered.homes.current.clone());
                let side = Side::Version(Version { app, home, tasks });
                Loaded { side, wanted: Some(wanted), rendered: Some(rendered) }
            }
            Err(error) => {
                Loaded { side: Side::Refused(error.to_string()), wanted: Some(wanted), rendered: None }
            }
        }
    }

    /// Notes down what somebody should be told, once.
    pub(crate) fn warn(&self, warning: String) {
        self.warnings.borrow_mut().insert(warning);
    }

    /// What somebody should be told of the instances that were loaded: secrets that reach the hash as null
    /// (config.md §6.4).
    pub(crate) fn warnings(&self) -> BTreeSet<String> {
        self.warnings.borrow().clone()
    }

    /// What deployments.json says, or will say when it is next generated: a group that is deployed runs in each of its
    /// instances. On top of that comes the mark.
    fn deployment(&self, id: &InstanceId, group: Option<&str>) -> Result<DeploymentRecord, LoadError> {
        let none = |missing: &str| LoadError::NoDeployments {
            service: id.service().to_string(),
            instance: id.instance().to_string(),
            missing: missing.to_owned(),
        };
        let group = group.ok_or_else(|| none("it has no deploy group"))?;
        let written = match self.document(id.service()) {
            Err(reason) => return Err(LoadError::InvalidName { message: reason, position: None }),
            Ok(None) => None,
            Ok(Some(document)) => {
                let cluster = self.system.cluster()?;
                let record = document.record(id.service(), &cluster, id.instance(), Some(group))?;
                record.or_else(|| to_come(&document, group).filter(|_| self.foresees))
            }
        };
        match self.mark.as_ref().filter(|mark| mark.deploy_group == group) {
            // The same commit again resets nothing (config.md §4.5).
            Some(mark) if written.as_ref().is_none_or(|record| record.git_sha != mark.git_sha) => {
                Ok(mark.record(id.service()))
            }
            _ => written.ok_or_else(|| none("its deploy group is not deployed")),
        }
    }

    fn document(&self, service: &ServiceName) -> Document {
        if let Some(known) = self.documents.borrow().get(service) {
            return known.clone();
        }
        let found = || {
            for soa in &self.deployed {
                if let Some(document) = soa.deployments(service).map_err(|error| chain(&error))? {
                    return Ok(Some(Arc::new(document)));
                }
            }
            Ok(None)
        };
        let found = found();
        self.documents.borrow_mut().insert(service.clone(), found.clone());
        found
    }
}

impl Mark {
    /// As generated for a commit that no state tag belongs to.
    fn record(&self, service: &ServiceName) -> DeploymentRecord {
        DeploymentRecord {
            docker_image: format!("services-{service}:paasta-{}", self.git_sha),
            git_sha: self.git_sha.clone(),
            desired_state: DesiredState::Start,
            force_bounce: None,
        }
    }
}

/// The record of an instance that is new to a deploy group.
fn to_come(document: &Deployments, group: &str) -> Option<DeploymentRecord> {
    Some(DeploymentRecord {
        docker_image: document.docker_image(group)?.to_owned(),
        git_sha: document.git_sha(group)?.to_owned(),
        desired_state: DesiredState::Start,
        force_bounce: None,
    })
}

/// The rendering, and how many tasks it comes to. The count of an autoscaled instance decides nothing else, so that one
/// that cannot be read leaves the version known.
fn version(renderer: &dyn Renderer, wanted: &Wanted) -> Result<(Rendered, Tasks), RenderError> {
    let unknown =
        wanted.autoscaled_count.unknown().filter(|_| wanted.deployment.desired_state == DesiredState::Start);
    let Some(why) = unknown.filter(|_| wanted.instance().is_autoscaled()) else {
        let rendered = renderer.render(wanted)?;
        let tasks = Tasks::Known(rendered.instances);
        return Ok((rendered, tasks));
    };
    let with = |count| Wanted { autoscaled_count: Reading::Known(count), ..wanted.clone() };
    let (most, least) = (renderer.render(&with(None))?, renderer.render(&with(Some(0)))?);
    let why = format!("the autoscaled count is not known: {why}");
    let tasks = Tasks::Between { least: least.instances, most: most.instances, why };
    Ok((most, tasks))
}

/// Autoscaled counts: from a file, else from what the system configuration names.
pub(crate) fn counts(file: Option<&Path>, system: &SystemConfig) -> anyhow::Result<Arc<dyn Counts>> {
    if let Some(file) = file {
        return Ok(Arc::new(MapCounts::read(file)?));
    }
    let coordination = system.coordination()?;
    Ok(match (coordination.driver, coordination.directory) {
        (CoordinationDriver::File, Some(directory)) => Arc::new(FileCounts::new(directory)),
        _ => Arc::new(Unavailable::zookeeper(
            &system.zookeeper().unwrap_or_else(|_| "(not configured)".to_owned()),
        )),
    })
}
