//! What checks decide, and what alerts say (monitoring.md §§1–3), as pure functions: no files, no network, no clock.
//!
//! * [`Check`] turns what is expected and what was observed into a [`Verdict`]; [`CHECKS`] lists them all. What could not be
//!   observed is a verdict of its own ([`CheckStatus::Unknown`]) and never passes for absent.
//! * [`compose()`] makes an event from a finding, what is configured ([`Layers`]) and what its [`Sender`] says by itself;
//!   [`senders`] has those that there are.
//! * [`overall`] judges a whole cluster, [`metastatus`] has the parts of `paasta_metastatus`, [`oom`] the decision about
//!   tasks killed for their memory.
//!
//! Who asks, and who sends, is elsewhere: `paasta-tools` and `paasta-alerts`.
//!
//! ```
//! use paasta_core::CheckStatus;
//! use paasta_monitoring::{Check, Copies, HealthyTasks};
//!
//! let copies = Copies { instance: "web.main".parse()?, expected: 10, threshold: 50.0 };
//! let verdict = HealthyTasks::decide(&copies, &4);
//! assert_eq!(verdict.status, CheckStatus::Critical);
//! assert!(verdict.output.contains("4/10"));
//! # Ok::<(), paasta_core::NameError>(())
//! ```

mod capacity;
mod check;
mod compose;
mod frameworks;
mod interval;
mod layers;
mod masters;
pub mod metastatus;
pub mod oom;
mod orphans;
mod outdated;
mod replication;
pub mod senders;
pub mod utilisation;
mod whole;

pub use capacity::{
    Capacity, CapacityLimits, GroupLimits, Grouping, Override, Percents, Resource, Used, ambiguous,
};
pub use check::{CHECKS, Check, CheckInfo, Verdict};
pub use compose::{
    ALERT_AFTER, CHECK_EVERY, Composed, Finding, NotSent, REALERT_BACKOFF, RUNBOOK, Said, Sender, compose,
};
pub use frameworks::{ActiveFrameworks, DuplicateFrameworks};
pub use interval::{Interval, IntervalError};
pub use layers::Layers;
pub use masters::{HasApps, Quorum};
pub use orphans::{Container, OrphanedContainers, Running};
pub use outdated::{OutdatedTasks, RunningTask, outdated};
pub use paasta_core::CheckStatus;
pub use replication::{
    Copies, CountedTask, HealthyTasks, Limits, Locations, Replication, TASK_AGE_SECONDS_MIN, Totals,
    available_tasks, description, is_under_replicated, overall, percent,
};
pub use whole::whole;
