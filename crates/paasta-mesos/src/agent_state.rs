//! What an agent knows of what runs on it. Pure.

use serde::Deserialize;

use crate::{Resources, Task};

/// All that an agent knows: `GET /state`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct AgentState {
    /// The host, as the agent calls itself.
    #[serde(default)]
    pub hostname: String,
    /// The frameworks that have something here.
    pub frameworks: Vec<AgentFramework>,
    /// Some of those that had.
    #[serde(default)]
    pub completed_frameworks: Vec<AgentFramework>,
}

/// What one framework has on an agent.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct AgentFramework {
    /// Its id.
    #[serde(default)]
    pub id: String,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// What runs its tasks.
    #[serde(default)]
    pub executors: Vec<Executor>,
    /// What ran some of its tasks.
    #[serde(default)]
    pub completed_executors: Vec<Executor>,
}

/// What runs tasks on an agent; usually one.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Executor {
    /// Its id: where a task needs nobody else to run it, the task's.
    pub id: String,
    /// What it and its tasks use.
    #[serde(default)]
    pub resources: Resources,
    /// Where its files are on the agent.
    #[serde(default)]
    pub directory: String,
    /// Tasks that are under way.
    #[serde(default)]
    pub tasks: Vec<Task>,
    /// Tasks that are to come.
    #[serde(default)]
    pub queued_tasks: Vec<Task>,
    /// Some of the tasks that are over.
    #[serde(default)]
    pub completed_tasks: Vec<Task>,
}

impl Executor {
    fn has(&self, task: &str) -> bool {
        let mut tasks = self.tasks.iter().chain(&self.queued_tasks).chain(&self.completed_tasks);
        tasks.any(|one| one.id == task)
    }
}

/// A copy of an instance that runs on an agent (monitoring.md §5.6).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunningHere {
    /// The service.
    pub service: String,
    /// The instance; of Tron, `job.action`.
    pub instance: String,
    /// Its first port, where it has one.
    pub port: Option<u16>,
}

impl AgentState {
    /// The copies of Marathon's instances that run here (monitoring.md §5.6). What has no name of ours is left out.
    pub fn running_of_marathons(&self) -> Vec<RunningHere> {
        self.running("marathon", |id| {
            let mut parts = id.split('.');
            let mut part = || Some(parts.next().filter(|part| !part.is_empty())?.replace("--", "_"));
            Some((part()?, part()?))
        })
    }

    /// The actions of Tron that run here: what has no name of Tron's is `unknown_service` and
    /// `unknown_job.unknown_action`.
    pub fn running_of_tron(&self) -> Vec<RunningHere> {
        self.running("tron", |id| {
            let named = match id.split('.').collect::<Vec<_>>().as_slice() {
                [service, job, _, action, _] => ((*service).to_owned(), format!("{job}.{action}")),
                _ => ("unknown_service".to_owned(), "unknown_job.unknown_action".to_owned()),
            };
            Some(named)
        })
    }

    fn running(&self, framework: &str, name: impl Fn(&str) -> Option<(String, String)>) -> Vec<RunningHere> {
        let frameworks = self.frameworks.iter().filter(|one| one.name.starts_with(framework));
        let executors = frameworks.flat_map(|one| &one.executors);
        let running = executors.filter(|executor| executor.tasks.iter().any(Task::is_running));
        let copy = |executor: &Executor| {
            let (service, instance) = name(&executor.id)?;
            Some(RunningHere { service, instance, port: executor.resources.first_port() })
        };
        running.filter_map(copy).collect()
    }

    /// What runs or ran a task here.
    pub fn executor_of(&self, task: &str) -> Option<&Executor> {
        let frameworks = self.frameworks.iter().chain(&self.completed_frameworks);
        let mut executors = frameworks.flat_map(|one| one.executors.iter().chain(&one.completed_executors));
        executors.find(|executor| executor.has(task))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATE: &str = r#"{"hostname": "a1.example.com", "frameworks": [
        {"id": "F1", "name": "marathon-1", "executors": [
            {"id": "my--svc.can--ary.gita.configb.1", "directory": "/d/1", "resources": {"ports": "[31000-31001]"},
             "tasks": [{"id": "my--svc.can--ary.gita.configb.1", "state": "TASK_RUNNING"}]},
            {"id": "web.main.gita.configb.2", "directory": "/d/2", "resources": {},
             "tasks": [{"id": "web.main.gita.configb.2", "state": "TASK_RUNNING"}]},
            {"id": "web.main.gita.configb.3", "tasks": [{"id": "web.main.gita.configb.3", "state": "TASK_STAGING"}]},
            {"id": "foreign", "tasks": [{"id": "foreign", "state": "TASK_RUNNING"}]}],
         "completed_executors": [{"id": "x", "directory": "/d/4", "completed_tasks": [{"id": "x.4", "state": "TASK_KILLED"}]}]},
        {"id": "F2", "name": "tron", "executors": [
            {"id": "batch.nightly.12.extract.uuid", "tasks": [{"id": "t", "state": "TASK_RUNNING"}]},
            {"id": "odd", "tasks": [{"id": "u", "state": "TASK_RUNNING"}]}]},
        {"id": "F3", "name": "spark", "executors": [{"id": "s.t.u", "tasks": [{"id": "v", "state": "TASK_RUNNING"}]}]}]}"#;

    #[test]
    fn what_runs_here() {
        let state: AgentState = serde_json::from_str(STATE).unwrap();
        let told = |found: Vec<RunningHere>| -> Vec<String> {
            found.iter().map(|one| format!("{} {} {:?}", one.service, one.instance, one.port)).collect()
        };
        assert_eq!(told(state.running_of_marathons()), ["my_svc can_ary Some(31000)", "web main None"]);
        assert_eq!(
            told(state.running_of_tron()),
            ["batch nightly.extract None", "unknown_service unknown_job.unknown_action None"]
        );
        let directory = |task| state.executor_of(task).map(|executor| executor.directory.as_str());
        assert_eq!(directory("web.main.gita.configb.2"), Some("/d/2"));
        assert_eq!((directory("x.4"), directory("nobody")), (Some("/d/4"), None));
        assert!(serde_json::from_str::<AgentState>("{}").is_err(), "an answer without frameworks is none");
    }
}
