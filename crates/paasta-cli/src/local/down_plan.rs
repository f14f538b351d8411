//! What stopping a local cluster for good would do. Reads only: nobody is asked to end, no lock is taken.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use paasta_core::{AppId, InstanceId, TaskId};
use paasta_engine::{StoreError, read_memory};

use super::down::DownOptions;
use super::layout::{Layout, OWN_NAMES};
use super::{LocalCluster, LocalError};

/// What [`super::down`] would do.
#[derive(Debug)]
pub struct DownPlan {
    /// The process that would be asked to end; none if the cluster does not run.
    pub process: Option<String>,
    /// Tasks that would lose their traffic first, by instance.
    pub drain: BTreeMap<InstanceId, Vec<TaskId>>,
    /// Tasks that would be stopped at once.
    pub stop: Vec<TaskId>,
    /// Why it cannot be told which tasks there are; all of them would be stopped without being drained.
    pub unreadable: Option<StoreError>,
    /// What would be removed.
    pub remove: Vec<PathBuf>,
}

/// What [`super::down`] would do with these options, by what the engine last wrote of its tasks. None if there is no
/// such cluster.
pub fn plan_down(options: &DownOptions) -> Result<Option<DownPlan>, LocalError> {
    let layout = Layout::of(&options.state_dir)?;
    if !layout.lock_file().is_file() {
        return Ok(None);
    }
    let (memory, unreadable) = match read_memory(&layout.engine()) {
        Ok(memory) => (memory, None),
        Err(source @ StoreError::Io { .. }) => return Err(LocalError::Kept { source }),
        Err(error) => (None, Some(error)),
    };
    let process = process(&layout);
    let mut plan = DownPlan { process, drain: BTreeMap::new(), stop: vec![], unreadable, remove: vec![] };
    for task in memory.unwrap_or_default().tasks.into_values() {
        match instance(task.app.as_str()).filter(|_| options.drain) {
            Some(instance) => plan.drain.entry(instance).or_default().push(task.id),
            None => plan.stop.push(task.id),
        }
    }
    if options.purge {
        let all = OWN_NAMES.iter().map(|name| layout.root().join(name));
        plan.remove = all.filter(|path| path.exists()).collect();
    }
    Ok(Some(plan))
}

impl DownPlan {
    /// In one line how far it reaches.
    pub fn radius(&self) -> String {
        let drained: usize = self.drain.values().map(Vec::len).sum();
        let mut text = match &self.unreadable {
            Some(_) => "stops every process of its services without draining".to_owned(),
            None => {
                let plural = |count: usize| if count == 1 { "" } else { "s" };
                let (tasks, instances) = (drained + self.stop.len(), self.drain.len());
                let of = match instances {
                    0 => String::new(),
                    _ => format!(
                        ", {drained} of them drained first, of {instances} instance{}",
                        plural(instances)
                    ),
                };
                format!("stops {tasks} task{}{of}", plural(tasks))
            }
        };
        if !self.remove.is_empty() {
            text.push_str("; removes all state");
        }
        text
    }
}

fn process(layout: &Layout) -> Option<String> {
    let cluster = LocalCluster {
        state_dir: layout.root().to_owned(),
        system_config_dir: layout.system_config_dir(),
        soa_dir: PathBuf::new(),
    };
    let holder = std::fs::read_to_string(layout.lock_file()).ok().filter(|_| cluster.is_alive())?;
    Some(holder.trim().to_owned())
}

/// An app that nobody can name is nobody's to drain.
fn instance(app: &str) -> Option<InstanceId> {
    AppId::new(app).short_id().replace("--", "_").parse().ok()
}

impl fmt::Display for DownPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.process {
            Some(process) => writeln!(f, "would end the running cluster (process {process})")?,
            None => writeln!(f, "the cluster is not running; its services may be")?,
        }
        for (instance, tasks) in &self.drain {
            writeln!(f, "{instance}: would drain and stop {}", counted(tasks))?;
        }
        if !self.stop.is_empty() {
            writeln!(f, "would stop without draining {}", counted(&self.stop))?;
        }
        if let Some(error) = &self.unreadable {
            writeln!(f, "{error}: would stop every process of its services without draining")?;
        } else if self.drain.is_empty() && self.stop.is_empty() {
            writeln!(f, "no task runs")?;
        }
        self.remove.iter().try_for_each(|path| writeln!(f, "would remove `{}`", path.display()))
    }
}

fn counted(tasks: &[TaskId]) -> String {
    let names: Vec<&str> = tasks.iter().map(TaskId::as_str).collect();
    format!("{} {}: {}", names.len(), if names.len() == 1 { "task" } else { "tasks" }, names.join(", "))
}
