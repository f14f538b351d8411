//! What the Mesos master is asked by checks with one verdict (monitoring.md §3).

use std::collections::BTreeSet;

use paasta_config::SystemConfig;
use paasta_core::{Reading, Timestamp};
use paasta_mesos::State;
use paasta_monitoring::{
    ActiveFrameworks, Check as _, DuplicateFrameworks, OutdatedTasks, Quorum, RunningTask, Verdict,
};

use super::Deadline;
use super::agents::{ask, master};

/// All that the master knows.
pub async fn state(system: &SystemConfig, deadline: &Deadline) -> Reading<State> {
    match master(system) {
        Reading::Known(master) => ask(deadline, master.state()).await,
        Reading::Unknown(reason) => Reading::Unknown(reason),
    }
}

/// Whether enough masters are registered.
pub async fn quorum(system: &SystemConfig, deadline: &Deadline) -> Verdict {
    let masters = match master(system) {
        Reading::Known(master) => ask(deadline, master.masters()).await,
        Reading::Unknown(reason) => Reading::Unknown(reason),
    };
    match masters {
        Reading::Known(masters) => Quorum::decide(&masters.quorum, &masters.registered),
        // Nobody looks at how many there should be.
        Reading::Unknown(reason) => Quorum::judge(&0, &Reading::Unknown(reason)),
    }
}

/// Whether these frameworks are connected.
pub async fn active_frameworks(system: &SystemConfig, deadline: &Deadline, expected: &[String]) -> Verdict {
    let names = state(system, deadline).await.map(|state| state.framework_names());
    ActiveFrameworks::judge(&expected.to_vec(), &names)
}

/// Whether no framework is connected twice, of those whose names begin so.
pub async fn duplicate_frameworks(
    system: &SystemConfig,
    deadline: &Deadline,
    prefixes: &[String],
) -> Verdict {
    let names = state(system, deadline).await.map(|state| state.framework_names());
    DuplicateFrameworks::judge(&prefixes.to_vec(), &names)
}

/// Whether no task of an old version is left, of those that Marathons run.
pub async fn outdated_tasks(
    system: &SystemConfig,
    deadline: &Deadline,
    bounce_hours: f64,
    now: Timestamp,
) -> Verdict {
    let tasks: Reading<Vec<RunningTask>> =
        state(system, deadline).await.map(|state| state.running_of_marathons());
    OutdatedTasks::judge(&(bounce_hours, now), &tasks)
}

/// The ids of tasks that may still run: all that are not over, wherever the master keeps them. Unknown while agents have not
/// come back to it, since the tasks there are not listed.
pub fn alive(state: &State) -> Reading<BTreeSet<String>> {
    match state.awaited.len() {
        0 => {
            let tasks = state.tasks().chain(&state.orphan_tasks).filter(|task| !task.is_terminal());
            Reading::Known(tasks.map(|task| task.id.clone()).collect())
        }
        count => Reading::Unknown(format!(
            "{count} agents have not come back to the Mesos master since it was elected, and their tasks are not listed"
        )),
    }
}
