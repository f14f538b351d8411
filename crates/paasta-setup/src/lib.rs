//! One pass over one instance: observe, plan, act, settle, act (marathon-and-bounce.md §5).
//!
//! [`Pass::run`] is the one entry point; `setup_marathon_job`, `paasta-deployd` and `paasta local` all call it. What to
//! do is decided in `paasta-bounce`; here is the order of remote calls, what each failure means, and what is told to
//! whom. A pass may be dropped at any await and run again: what was done stands at the engine and in the drains.
//!
//! [`look`] says what the next pass would see, do and wait for, and changes nothing: status pages and dry runs are made
//! from it.
//!
//! [`bounce_need`] says which instances a listing shows to be other than wanted, [`Pass::drain_app`] takes one app out of
//! service.
//!
//! Nothing here chooses an engine, a lock service or a clock: they come in through the fields of [`Pass`].

mod act;
mod bounce_need;
mod created;
mod decide;
mod desired;
mod drain_app;
mod drains;
mod error;
mod events;
mod foresee;
mod look;
mod observe;
mod once_a_minute;
mod pass;
mod report;

pub use bounce_need::{BounceNeed, BounceReason, bounce_need};
pub use decide::{Decide, Planner};
pub use desired::{Target, target};
pub use drain_app::{AppDrain, BegunDrain};
pub use drains::Drains;
pub use error::{Need, PassError};
pub use look::{Look, look};
pub use once_a_minute::OnceAMinute;
pub use paasta_core::{Discovery, DiscoveryQuestion};
pub use pass::{Leave, Limits, Pass};
pub use report::{PassAction, PassReport, PassState, Taken};
