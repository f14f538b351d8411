//! Tasks, as masters and agents list them. Pure.

use paasta_core::Timestamp;
use paasta_monitoring::utilisation::{AgentTask, is_terminal};
use serde::Deserialize;

use crate::Resources;

/// The state of a task that runs.
pub const TASK_RUNNING: &str = "TASK_RUNNING";

/// A task.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Task {
    /// Its id.
    pub id: String,
    /// Its name: of Marathon's tasks the parts of the app id, the last first.
    #[serde(default)]
    pub name: String,
    /// The id of its framework.
    #[serde(default)]
    pub framework_id: String,
    /// What runs it; empty where it needs nobody.
    #[serde(default)]
    pub executor_id: String,
    /// The id of its agent.
    #[serde(default, rename = "slave_id")]
    pub agent_id: String,
    /// `TASK_RUNNING` and the like.
    pub state: String,
    /// What it uses.
    #[serde(default)]
    pub resources: Resources,
    /// What was heard of it, usually the oldest first.
    #[serde(default)]
    pub statuses: Vec<TaskStatus>,
}

/// Something that was heard of a task.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct TaskStatus {
    /// `TASK_RUNNING` and the like.
    pub state: String,
    /// When, in seconds since 1970.
    pub timestamp: Option<f64>,
    /// What Mesos's own health check says, where there is one.
    pub healthy: Option<bool>,
    /// What it runs in.
    pub container_status: Option<ContainerStatus>,
}

/// What a task runs in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ContainerStatus {
    /// Its container.
    pub container_id: Option<ContainerId>,
}

/// The id of a container.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ContainerId {
    /// The id.
    pub value: String,
}

impl Task {
    /// Whether it runs.
    pub fn is_running(&self) -> bool {
        self.state == TASK_RUNNING
    }

    /// Whether it is over (monitoring.md §5.3). One that is lost or cannot be reached may still run.
    pub fn is_terminal(&self) -> bool {
        is_terminal(&self.state)
    }

    /// When it was first heard of.
    pub fn since(&self) -> Option<Timestamp> {
        let at = self.statuses.first()?.timestamp?;
        at.is_finite().then(|| Timestamp::from_seconds(at))
    }

    /// What was heard of it last.
    pub fn latest(&self) -> Option<&TaskStatus> {
        let at = |status: &TaskStatus| status.timestamp.unwrap_or(f64::NEG_INFINITY);
        self.statuses.iter().max_by(|a, b| at(a).total_cmp(&at(b)))
    }

    /// What Mesos's own health check said last, where there is one.
    pub fn healthy(&self) -> Option<bool> {
        self.latest()?.healthy
    }

    /// The id of its container, by the first status that tells it.
    pub fn container(&self) -> Option<&str> {
        let containers = self.statuses.iter().filter_map(|status| status.container_status.as_ref());
        containers.filter_map(|status| status.container_id.as_ref()).map(|id| id.value.as_str()).next()
    }

    /// What stands after the last dot of its id: what tells a task of Marathon from its siblings.
    pub fn short_id(&self) -> &str {
        self.id.rsplit_once('.').map_or(self.id.as_str(), |(_, unique)| unique)
    }

    /// Whether it is of the app or instance with this short id, as status pages select: up to a dot
    /// (monitoring.md §5.3).
    pub fn is_of(&self, short_id: &str) -> bool {
        self.id.strip_prefix(short_id).is_some_and(|rest| rest.starts_with('.'))
    }

    /// As the checks of what is used take it.
    pub fn usage(&self) -> AgentTask {
        AgentTask {
            agent: self.agent_id.clone(),
            state: self.state.clone(),
            resources: self.resources.amounts(),
        }
    }
}

/// The tasks that do not run, as status pages show them: the last `count` by when they were first heard of, newest first
/// (monitoring.md §5.3). Tasks of unknown age are the oldest.
pub fn not_running<'a>(tasks: impl IntoIterator<Item = &'a Task>, count: usize) -> Vec<&'a Task> {
    let mut found: Vec<&Task> = tasks.into_iter().filter(|task| !task.is_running()).collect();
    found.sort_by_key(|task| std::cmp::Reverse(task.since()));
    found.truncate(count);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(text: &str) -> Task {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn what_a_task_went_through() {
        let one = task(
            r#"{"id": "web.main.gita.configb.1f2e", "name": "x", "slave_id": "S1", "state": "TASK_RUNNING", "statuses": [
                {"state": "TASK_STARTING", "timestamp": 100.5},
                {"state": "TASK_RUNNING", "timestamp": 300, "healthy": false},
                {"state": "TASK_RUNNING", "timestamp": 200, "healthy": true,
                 "container_status": {"container_id": {"value": "c-1"}}}]}"#,
        );
        assert_eq!(one.since(), Some(Timestamp::from_millis(100_500)));
        assert_eq!((one.healthy(), one.container(), one.short_id()), (Some(false), Some("c-1"), "1f2e"));
        assert!(one.is_running() && !one.is_terminal());
        assert!(one.is_of("web.main") && !one.is_of("web.mai") && !one.is_of("web.main.gita.configb.1f2e"));
        let bare = task(r#"{"id": "x", "state": "TASK_LOST"}"#);
        assert_eq!(
            (bare.since(), bare.healthy(), bare.container(), bare.short_id()),
            (None, None, None, "x")
        );
        assert!(!bare.is_running() && !bare.is_terminal());
        assert!(task(r#"{"id": "x", "state": "TASK_GONE_BY_OPERATOR"}"#).is_terminal());
        for wrong in [r#"{"state": "TASK_LOST"}"#, r#"{"id": "x"}"#, "[]", "null"] {
            assert!(serde_json::from_str::<Task>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_last_that_do_not_run_come_newest_first() {
        let of = |id: &str, state: &str, at: f64| {
            task(&format!(
                r#"{{"id": "{id}", "state": "TASK_{state}", "statuses": [{{"timestamp": {at}}}]}}"#
            ))
        };
        let tasks = [
            of("a", "FAILED", 3.0),
            of("b", "RUNNING", 9.0),
            of("c", "STAGING", 5.0),
            of("d", "KILLED", 1.0),
            task(r#"{"id": "e", "state": "TASK_LOST"}"#),
        ];
        let ids = |count| not_running(&tasks, count).iter().map(|task| task.id.as_str()).collect::<String>();
        assert_eq!((ids(10).as_str(), ids(2).as_str()), ("cade", "ca"));
    }
}
