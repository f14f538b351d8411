//! One pass over one instance: observe, plan, act, settle, act (marathon-and-bounce.md §5).
//!
//! [`Pass::run`] is the one entry point; `setup_marathon_job`, `paasta-deployd` and `paasta local` all call it. What to
//! do is decided in `paasta-bounce`; here is the order of remote calls, what each failure means, and what is told to
//! whom. A pass may be dropped at any await and run again: what was done stands at the engine and in the drains.
//!
//! [`look`] says what the next pass would see, do and wait for, and changes nothing: status pages and dry runs are made
//! from it.
//!
//! Nothing here chooses an engine, a lock service or a clock: they come in through the fields of [`Pass`].

mod act;
mod created;
mod desired;
mod drains;
mod error;
mod events;
mod foresee;
mod look;
mod observe;
mod once_a_minute;
mod pass;
mod report;

pub use desired::{Target, target};
pub use drains::{Discovery, DiscoveryQuestion, Drains};
pub use error::{Need, PassError};
pub use look::{Look, look};
pub use once_a_minute::OnceAMinute;
pub use pass::{Limits, Pass};
pub use report::{PassAction, PassReport, PassState, Taken};
