//! How many tasks an autoscaled instance should have (marathon-and-bounce.md §10.1 to §10.3). Decisions only: samples,
//! history and the time come in by arguments, and what is to be written goes out.
//!
//! Utilization is a part of what a task can do: 1.0 is all of it. Load is utilization summed over tasks. Times are
//! seconds since 1970.
//!
//! ```
//! use paasta_bounce::autoscaling::{History, Policy, Proportional, Situation, decide};
//!
//! let situation = Situation {
//!     current: 10,
//!     healthy: 10,
//!     min: 2,
//!     max: 20,
//!     setpoint: 0.8,
//!     utilization: 0.96,
//!     now_seconds: 1_600_000_000.0,
//! };
//! let policy = Policy::Proportional(Proportional::default());
//! let decision = decide(&policy, &situation, &History::default())?;
//! assert_eq!(decision.write(), Some(12));
//! assert_eq!(decision.strain.to_string(), "16% overutilized");
//! # Ok::<(), paasta_bounce::autoscaling::NoDecision>(())
//! ```

mod decision;
mod forecast;
mod history;
mod utilization;

pub use decision::{Decision, NoDecision, Policy, Proportional, Situation, Strain, decide, is_paused};
pub use forecast::{Forecast, MOVING_AVERAGE_SECONDS};
pub use history::{BadHistory, History, POINTS_MAX, Point};
pub use utilization::{
    Answer, BadCpuData, CpuSample, cpu_utilization, mean_utilization, task_cpu_seconds, uwsgi_utilization,
};
