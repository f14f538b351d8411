//! Takes traffic off tasks before they are killed (marathon-and-bounce.md §6).
//!
//! A [`DrainMethod`] is built from an instance's settings by [`from_settings`] or [`build`], which look it up in
//! [`METHODS`]. It is told to [`drain`](DrainMethod::drain) a task, or to [stop](DrainMethod::stop_draining), and
//! answers with one [`DrainStatus`] from which everything else follows by plain functions: whether the task is
//! draining, when it is safe to kill, when the drain has to be renewed, when to look again.
//!
//! When to drain what is not decided here (`paasta-bounce`), nor is anything retried: every call is one bounded
//! attempt, and the caller says what a failure means (§6.4).
//!
//! ```
//! use paasta_config::{Map, Node};
//! use paasta_drain::{DrainPlace, DrainTools, build};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let place = DrainPlace {
//!     service: "web".parse()?,
//!     instance: "main".parse()?,
//!     registrations: vec![paasta_core::Registration::new("web.main")?],
//! };
//! let tools = DrainTools::new("paasta-deployd", "0.1.0")?;
//! let method = build(&Node::text("hacheck"), &Map::new(), &place, &tools)?;
//! assert_eq!(method.timing().delay_seconds, Some(240.0));
//! assert_eq!(method.timing().expiration_seconds, Some(2400.0));
//! # Ok(())
//! # }
//! ```

mod client;
mod error;
mod format;
mod method;
mod methods;
mod params;
mod spool;
mod status;
mod success_codes;

pub use client::{ClientError, HttpClients, http_clients};
pub use error::{DrainConfigError, DrainError};
#[cfg(feature = "test-support")]
pub use method::MockDrainMethod;
pub use method::{DrainMethod, DrainPlace, DrainTools, HACHECK_PORT};
pub use methods::test::TestDrains;
pub use methods::{METHODS, Method, build, from_settings};
pub use spool::{REASON, SpoolAnswer, SpoolEntry, parse_spool_answer, summarize};
pub use status::{DrainState, DrainStatus, DrainTiming, SafeToKill};
