//! The health of a cluster as `paasta_metastatus` tells it (monitoring.md §3.3). Each part is a [`Health`]; what could not be
//! asked says so and is not well.

use paasta_core::{CheckStatus, Reading};
use serde::Serialize;

use crate::capacity::Used;
use crate::{Check, DuplicateFrameworks, Resource, Verdict};

/// Percent that have to be free of processors, memory and disk; exactly so much is too little.
pub const FREE_PERCENT_MIN: f64 = 10.0;

/// One line of health.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Health {
    /// What there is to say.
    pub message: String,
    /// Whether that is well.
    pub healthy: bool,
}

impl Health {
    /// That, being well.
    pub fn good(message: impl Into<String>) -> Self {
        Self { message: message.into(), healthy: true }
    }

    /// That, not being well.
    pub fn bad(message: impl Into<String>) -> Self {
        Self { message: message.into(), healthy: false }
    }

    fn new(healthy: bool, message: String) -> Self {
        Self { message, healthy }
    }

    /// That could not be told.
    pub fn unknown(what: &str, reason: &str) -> Self {
        Self::bad(format!("could not tell {what}: {reason}"))
    }
}

impl From<Verdict> for Health {
    fn from(verdict: Verdict) -> Self {
        Self { healthy: verdict.status == CheckStatus::Ok, message: verdict.output }
    }
}

/// Whether everything is well: every part of it, not the last one alone.
pub fn all_healthy<'a>(parts: impl IntoIterator<Item = &'a Health>) -> bool {
    parts.into_iter().all(|part| part.healthy)
}

/// Whether enough masters are registered.
pub fn quorum(masters: &Reading<u64>, quorum: &Reading<u64>) -> Health {
    match (masters, quorum) {
        (Reading::Known(masters), Reading::Known(quorum)) => {
            Health::new(masters >= quorum, format!("Quorum: masters: {masters} configured quorum: {quorum}"))
        }
        (Reading::Unknown(reason), _) => Health::unknown("how many masters are registered", reason),
        (_, Reading::Unknown(reason)) => Health::unknown("what the quorum of the masters is", reason),
    }
}

/// Whether no Marathon is connected twice.
pub fn frameworks(names: &Reading<Vec<String>>) -> Health {
    DuplicateFrameworks::judge(&vec!["marathon".to_owned()], names).into()
}

/// Whether enough of a resource is free. What is reserved for maintenance has to be among what is used.
pub fn resource(resource: Resource, used: &Reading<Used>) -> Health {
    let used = match used {
        Reading::Known(used) => *used,
        Reading::Unknown(reason) => {
            return Health::unknown(&format!("how much of its {resource} the cluster uses"), reason);
        }
    };
    if resource == Resource::Gpus && used.total.abs() < 1e-9 {
        return Health::good("GPUs: none found");
    }
    if used.total <= 0.0 {
        return Health::bad(format!("{}: the master lists none at all", label(resource)));
    }
    let percent = (used.used / used.total * 10_000.0).round() / 100.0;
    let free_min = if resource == Resource::Gpus { 0.0 } else { FREE_PERCENT_MIN };
    let amount = |value: f64| match resource {
        Resource::Mem | Resource::Disk => format!("{:.2}GB", value / 1024.0),
        Resource::Cpus => format!("{value:.2}"),
        Resource::Gpus => format!("{}", value.trunc()),
    };
    let total = match resource {
        Resource::Cpus => format!("{}", used.total.trunc()),
        _ => amount(used.total),
    };
    let in_use = amount(used.used);
    let healthy = 100.0 - percent > free_min;
    let complaint = if healthy { "" } else { ", too little is free" };
    Health::new(healthy, format!("{}: {in_use} / {total} in use ({percent:.2}%){complaint}", label(resource)))
}

const fn label(resource: Resource) -> &'static str {
    match resource {
        Resource::Cpus => "CPUs",
        Resource::Mem => "Memory",
        Resource::Disk => "Disk",
        Resource::Gpus => "GPUs",
    }
}

/// How many tasks there are, by how far they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TaskCounts {
    /// Those that run.
    pub running: u64,
    /// Those handed to an agent.
    pub staging: u64,
    /// Those that start.
    pub starting: u64,
}

/// The tasks; that they are is all there is to say.
pub fn tasks(counts: &Reading<TaskCounts>) -> Health {
    match counts {
        Reading::Known(counts) => {
            let TaskCounts { running, staging, starting } = counts;
            Health::good(format!("Tasks: running: {running} staging: {staging} starting: {starting}"))
        }
        Reading::Unknown(reason) => Health::unknown("how many tasks there are", reason),
    }
}

/// Whether any agent is active; `(active, inactive)`.
pub fn agents(counts: &Reading<(u64, u64)>) -> Health {
    match counts {
        Reading::Known((active, inactive)) => {
            Health::new(*active > 0, format!("Slaves: active: {active} inactive: {inactive}"))
        }
        Reading::Unknown(reason) => Health::unknown("how many agents there are", reason),
    }
}

/// What the Marathons hold: whether there is an app, and how many tasks and deployments.
pub fn marathon(apps: &Reading<u64>, tasks: &Reading<u64>, deployments: &Reading<u64>) -> [Health; 3] {
    let apps = match apps {
        Reading::Known(count) => Health::new(*count >= 1, format!("marathon apps: {count:>10}")),
        Reading::Unknown(reason) => Health::unknown("how many apps there are", reason),
    };
    let tasks = match tasks {
        Reading::Known(count) => Health::good(format!("marathon tasks: {count:>9}")),
        Reading::Unknown(reason) => Health::unknown("how many tasks the Marathons have", reason),
    };
    let deployments = match deployments {
        Reading::Known(count) => Health::good(format!("marathon deployments: {count:>3}")),
        Reading::Unknown(reason) => Health::unknown("how many deployments run", reason),
    };
    [apps, tasks, deployments]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn used(used: f64, total: f64) -> Reading<Used> {
        Reading::Known(Used { total, used })
    }

    /// The examples of monitoring.md §3.3.
    #[test]
    fn resources() {
        let check = |kind, amount: Reading<Used>, healthy: bool, says: &str| {
            let health = resource(kind, &amount);
            assert_eq!(health.healthy, healthy, "{}", health.message);
            assert!(health.message.contains(says), "{}", health.message);
        };
        check(Resource::Cpus, used(89.9, 100.0), true, "89.90 / 100 in use (89.90%)");
        // Exactly a tenth free is too little, as ever.
        check(Resource::Cpus, used(90.0, 100.0), false, "90.00%");
        check(Resource::Cpus, used(15.5, 30.0), true, "15.50 / 30");
        check(Resource::Mem, used(9728.0, 10240.0), false, "9.50GB / 10.00GB in use (95.00%)");
        check(Resource::Gpus, used(4.0, 4.0), false, "4 / 4");
        check(Resource::Gpus, used(3.0, 4.0), true, "75.00%");
        check(Resource::Gpus, used(0.0, 0.0), true, "none found");
        check(Resource::Disk, used(0.0, 0.0), false, "none at all");
        check(Resource::Disk, Reading::Unknown("status 503".to_owned()), false, "status 503");
    }

    #[test]
    fn counts() {
        assert!(quorum(&Reading::Known(3), &Reading::Known(2)).healthy);
        assert!(!quorum(&Reading::Known(1), &Reading::Known(2)).healthy);
        assert!(!quorum(&Reading::Unknown("x".to_owned()), &Reading::Known(2)).healthy);
        assert!(!agents(&Reading::Known((0, 3))).healthy && agents(&Reading::Known((1, 0))).healthy);
        let counts = TaskCounts { running: 3, staging: 2, starting: 1 };
        assert!(tasks(&Reading::Known(counts)).message.ends_with("running: 3 staging: 2 starting: 1"));
        let all = marathon(&Reading::Known(7), &Reading::Known(9), &Reading::Known(0));
        assert!(all_healthy(&all));
        assert_eq!(all[0].message, "marathon apps:          7");
        let [apps, ..] = marathon(&Reading::Known(0), &Reading::Known(9), &Reading::Known(0));
        assert!(!apps.healthy);
        let names = Reading::Known(vec!["marathon".to_owned(), "marathon".to_owned()]);
        assert!(!frameworks(&names).healthy);
        assert!(!frameworks(&Reading::Unknown("x".to_owned())).healthy);
    }

    proptest! {
        /// A row of docs/differences.md (monitoring.md §10, 10): whichever part is not well, the whole is not.
        #[test]
        fn mended_one_bad_part_is_enough(healthy in proptest::collection::vec(any::<bool>(), 0..8)) {
            let parts: Vec<Health> = healthy.iter().map(|healthy| Health::new(*healthy, String::new())).collect();
            prop_assert_eq!(all_healthy(&parts), !healthy.contains(&false));
        }
    }
}
