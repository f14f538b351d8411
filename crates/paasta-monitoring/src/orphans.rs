//! Containers whose task is over (monitoring.md §3.5).

use std::collections::BTreeSet;

use serde::Serialize;

use crate::{Check, Verdict};

/// A Docker container of this host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Container {
    /// Its id, to kill it by.
    pub id: String,
    /// Its first name.
    pub name: String,
    /// The task it runs, by `MESOS_TASK_ID` (or `mesos_task_id`) of its environment.
    pub task: Option<String>,
}

impl Container {
    /// Whether Mesos started it.
    pub fn is_of_mesos(&self) -> bool {
        self.name.contains("mesos-")
    }
}

/// What runs in the whole cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Running {
    /// The ids of tasks that run, of all frameworks.
    pub tasks: BTreeSet<String>,
    /// The containers of this host.
    pub containers: Vec<Container>,
}

/// The check that no container is left of a task that is over. Nothing is expected.
#[derive(Clone, Copy, Debug)]
pub struct OrphanedContainers;

impl OrphanedContainers {
    /// The containers whose task is known to be over: those to kill. None where the master lists no running task at all,
    /// which is more likely of a master that knows nothing than of a cluster that runs nothing.
    pub fn orphans(running: &Running) -> Vec<&Container> {
        if running.tasks.is_empty() {
            return Vec::new();
        }
        let is_over = |task: &String| !running.tasks.contains(task);
        Self::of_mesos(running).filter(|container| container.task.as_ref().is_some_and(is_over)).collect()
    }

    fn of_mesos(running: &Running) -> impl Iterator<Item = &Container> {
        running.containers.iter().filter(|container| container.is_of_mesos())
    }
}

impl Check for OrphanedContainers {
    type Expected = ();
    type Observed = Running;
    const NAME: &str = "kill_orphaned_docker_containers";
    const ASKS: &str = "whether no container is left of a task that is over";

    fn decide((): &(), observed: &Running) -> Verdict {
        let ours = Self::of_mesos(observed).count();
        if observed.tasks.is_empty() && ours > 0 {
            return Verdict::unknown(format!(
                "UNKNOWN: the master lists no running task, although {ours} containers run here: it cannot be told whose they \
                 are"
            ));
        }
        let orphans = Self::orphans(observed);
        let nameless = Self::of_mesos(observed).filter(|container| container.task.is_none()).count();
        let note = match nameless {
            0 => String::new(),
            _ => format!("; {nameless} containers name no task and are left alone"),
        };
        if orphans.is_empty() {
            return Verdict::ok(format!("OK: no orphaned containers{note}"));
        }
        let show = |container: &&Container| {
            format!("{} ({})", container.name, container.task.as_deref().unwrap_or_default())
        };
        let list: Vec<String> = orphans.iter().map(show).collect();
        Verdict::critical(format!("CRITICAL: orphaned containers: {}{note}", list.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use paasta_core::CheckStatus::{Critical, Ok, Unknown};

    use super::*;

    fn container(name: &str, task: Option<&str>) -> Container {
        Container { id: "1".to_owned(), name: name.to_owned(), task: task.map(str::to_owned) }
    }

    fn running(tasks: &[&str], containers: &[Container]) -> Running {
        let tasks = tasks.iter().map(|task| (*task).to_owned()).collect();
        Running { tasks, containers: containers.to_vec() }
    }

    /// Two rows of docs/differences.md (monitoring.md §3.5 and §10, 12).
    #[test]
    fn mended_containers_whose_task_nobody_knows_are_no_orphans() {
        let (old, new) = (container("/mesos-1", Some("a.1")), container("/mesos-2", Some("a.2")));
        let nameless = container("/mesos-3", None);
        let all = running(&["a.2"], &[old.clone(), new.clone(), container("/db", None), nameless]);
        let verdict = OrphanedContainers::decide(&(), &all);
        assert_eq!(verdict.status, Critical);
        assert!(
            verdict.output.contains("/mesos-1 (a.1)") && !verdict.output.contains("a.2"),
            "{}",
            verdict.output
        );
        assert!(verdict.output.contains("1 containers name no task"), "{}", verdict.output);
        assert_eq!(OrphanedContainers::orphans(&all), [&old]);
        assert_eq!(
            OrphanedContainers::decide(&(), &running(&["a.2"], std::slice::from_ref(&new))).status,
            Ok
        );
        let silent = running(&[], &[new]);
        assert_eq!(OrphanedContainers::decide(&(), &silent).status, Unknown);
        assert!(OrphanedContainers::orphans(&silent).is_empty());
        assert_eq!(OrphanedContainers::decide(&(), &running(&[], &[container("/db", None)])).status, Ok);
    }
}
