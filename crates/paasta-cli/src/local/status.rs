//! What is known of a local cluster from outside.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use paasta_config::{Soa, SystemConfig};
use paasta_core::{ClusterName, Engine as _, Health, InstanceId, NoMaintenance, Reading, Task, TaskPhase};
use paasta_marathon::{MarathonEngine, MarathonServers};
use serde::Serialize;

use super::{CLUSTER, Layout, LocalCluster, read_pointer};

/// The engine answers within this, or is said not to.
const ENGINE_SECONDS_MAX: u64 = 5;

/// How a local cluster stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LocalStatus {
    /// Whether somebody runs it.
    pub running: bool,
    /// Their process.
    pub process: Option<String>,
    /// Where it keeps what it knows.
    pub state_dir: PathBuf,
    /// Where its soa-configs are.
    pub soa_dir: Option<PathBuf>,
    /// Its HTTP API.
    pub api: Option<String>,
    /// Its engine.
    pub engine: Option<String>,
    /// The port of its hacheck.
    pub hacheck_port: Option<u16>,
    /// What runs on it, by instance.
    pub instances: BTreeMap<InstanceId, Tasks>,
    /// Why it could not be asked what runs.
    pub unknown: Option<String>,
}

/// The tasks of one instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tasks {
    /// All of them.
    pub tasks: usize,
    /// Those that pass their health checks, or run and have none.
    pub healthy: usize,
    /// Whether soa-configs has no such instance any more: nobody but `paasta local down` ends its tasks then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub left_behind: bool,
}

/// Looks at the cluster in `state_dir`.
pub async fn status(state_dir: &Path) -> LocalStatus {
    let Ok(layout) = Layout::of(state_dir) else {
        return LocalStatus { state_dir: state_dir.to_owned(), ..LocalStatus::default() };
    };
    let mut status = LocalStatus { state_dir: layout.root().to_owned(), ..LocalStatus::default() };
    let Ok(system) = SystemConfig::load(layout.system_config_dir()) else { return status };
    // One that was never up has written no configuration.
    status.soa_dir = system.soa_dir().ok().filter(|_| !system.map().is_empty());
    let cluster = LocalCluster {
        state_dir: layout.root().to_owned(),
        system_config_dir: layout.system_config_dir(),
        soa_dir: status.soa_dir.clone().unwrap_or_default(),
    };
    status.running = cluster.is_alive();
    if !status.running {
        return status;
    }
    let process = std::fs::read_to_string(cluster.lock_file()).ok();
    status.process = process.map(|text| text.trim().to_owned());
    status.api = system.cluster().and_then(|name| system.api_endpoint(&name)).ok();
    status.hacheck_port = system.hacheck_port().ok();
    let servers = MarathonServers::from_system(system.map()).unwrap_or_default();
    status.engine = servers.homes().first().and_then(|(_, server)| server.urls.first().cloned());
    match tokio::time::timeout(Duration::from_secs(ENGINE_SECONDS_MAX), instances(&system)).await {
        Ok(Ok(instances)) => {
            status.instances = instances;
            mark_left_behind(&mut status.instances, status.soa_dir.as_deref());
        }
        Ok(Err(reason)) => status.unknown = Some(reason),
        Err(_) => status.unknown = Some(format!("the engine did not answer within {ENGINE_SECONDS_MAX} s")),
    }
    status
}

async fn instances(system: &SystemConfig) -> Result<BTreeMap<InstanceId, Tasks>, String> {
    let engine = MarathonEngine::from_system(system.map(), Box::new(NoMaintenance));
    let engine = engine.map_err(|error| error.to_string())?;
    let mut instances: BTreeMap<InstanceId, Tasks> = BTreeMap::new();
    for apps in engine.observe_all().await.homes.into_values() {
        let apps = match apps {
            Reading::Known(apps) => apps,
            Reading::Unknown(reason) => return Err(reason),
        };
        for app in apps {
            let Ok(instance) = app.id.short_id().replace("--", "_").parse() else { continue };
            let tasks = instances.entry(instance).or_default();
            tasks.tasks += app.tasks.len();
            tasks.healthy += app.tasks.iter().filter(|task| is_well(task, app.checks.is_some())).count();
        }
    }
    Ok(instances)
}

fn is_well(task: &Task, checked: bool) -> bool {
    match task.health {
        Health::Alive => true,
        Health::NoResults => !checked && task.phase == TaskPhase::Running,
        Health::Dead => false,
    }
}

/// An instance that could not be looked for is not said to be gone.
fn mark_left_behind(instances: &mut BTreeMap<InstanceId, Tasks>, soa_dir: Option<&Path>) {
    let Some(soa) = soa_dir.filter(|dir| dir.is_dir()).map(Soa::open) else { return };
    let Ok(cluster) = ClusterName::new(CLUSTER) else { return };
    for (id, tasks) in instances {
        let there = soa.all_instances(id.service(), &cluster);
        tasks.left_behind = there.is_ok_and(|there| there.iter().all(|(name, _)| name != id.instance()));
    }
}

/// The soa-configs of the cluster that last ran in `state_dir`.
pub fn soa_dir_before(state_dir: &Path) -> Option<PathBuf> {
    SystemConfig::load(Layout::of(state_dir).ok()?.system_config_dir()).ok()?.soa_dir().ok()
}

/// The state directory that the pointer file of a user names, whether or not that cluster runs.
pub fn state_dir_before(home: &Path) -> Option<PathBuf> {
    Some(read_pointer(&super::pointer_file(home))?.state_dir)
}

impl fmt::Display for LocalStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.process, self.running) {
            (Some(process), true) => writeln!(f, "local cluster: running (process {process})")?,
            (None, true) => writeln!(f, "local cluster: running")?,
            (_, false) => writeln!(f, "local cluster: not running")?,
        }
        writeln!(f, "  state        {}", self.state_dir.display())?;
        if let Some(soa_dir) = &self.soa_dir {
            writeln!(f, "  soa-configs  {}", soa_dir.display())?;
        }
        if let Some(api) = &self.api {
            writeln!(f, "  API          {api}")?;
        }
        if let Some(engine) = &self.engine {
            writeln!(f, "  engine       {engine}")?;
        }
        if let Some(port) = &self.hacheck_port {
            writeln!(f, "  hacheck      port {port}")?;
        }
        for (instance, Tasks { tasks, healthy, left_behind }) in &self.instances {
            let word = if *tasks == 1 { "task" } else { "tasks" };
            let end = match left_behind {
                true => " (no longer in soa-configs; goes on until `paasta local down`)",
                false => "",
            };
            writeln!(f, "  {instance}: {tasks} {word}, {healthy} healthy{end}")?;
        }
        match (&self.unknown, self.running) {
            (Some(reason), _) => writeln!(f, "  what runs is not known: {reason}"),
            (None, true) if self.instances.is_empty() => writeln!(f, "  nothing runs on it"),
            (None, false) if self.soa_dir.is_some() => {
                let up = "`paasta local up` takes up services that were left running";
                writeln!(f, "{up}, `paasta local down` stops them")
            }
            _ => Ok(()),
        }
    }
}
