//! Containers of this host whose task is over (monitoring.md §3.5).

use paasta_config::SystemConfig;
use paasta_core::Reading;
use paasta_monitoring::{Check as _, Container, OrphanedContainers, Running, Verdict};

use super::{Deadline, docker, mesos};

/// What was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// Whether there are any.
    pub verdict: Verdict,
    /// Those to kill.
    pub orphans: Vec<Container>,
}

/// Looks for orphans. Containers are listed before tasks: one that starts meanwhile is none.
pub async fn find(system: &SystemConfig, deadline: &Deadline) -> Found {
    let containers = match deadline.reading("docker", docker::containers()).await {
        Reading::Known(containers) => containers,
        Reading::Unknown(reason) => return unknown(reason),
    };
    if !containers.iter().any(Container::is_of_mesos) {
        // Nobody has to be asked.
        let running = Running { containers, ..Running::default() };
        return Found { verdict: OrphanedContainers::decide(&(), &running), orphans: Vec::new() };
    }
    let tasks = match mesos::state(system, deadline).await {
        Reading::Known(state) => mesos::alive(&state),
        Reading::Unknown(reason) => Reading::Unknown(reason),
    };
    match tasks {
        Reading::Known(tasks) => {
            let running = Running { tasks, containers };
            let orphans = OrphanedContainers::orphans(&running).into_iter().cloned().collect();
            Found { verdict: OrphanedContainers::decide(&(), &running), orphans }
        }
        Reading::Unknown(reason) => unknown(reason),
    }
}

fn unknown(reason: String) -> Found {
    let verdict = OrphanedContainers::judge(&(), &Reading::Unknown(reason));
    Found { verdict, orphans: Vec::new() }
}
