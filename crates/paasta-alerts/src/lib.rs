//! Sends alerts (monitoring.md §1): to Sensu, to Alertmanager, as lines of JSON.
//!
//! * [`Sinks`] are those that the system configuration names, behind the port [`paasta_core::AlertSink`]. Each has a thread and
//!   a bounded queue of its own: who alerts never waits, and one that is down holds up no other.
//! * [`Reporter`] makes alerts of what happened to an instance: it reads who is to be told from soa-configs, in a thread of
//!   its own.
//! * [`Transport`] is what a sink of another kind implements; [`Outbox`] gives it its thread.
//!
//! What an alert says is decided in `paasta-monitoring`.
//!
//! ```
//! use paasta_alerts::Sinks;
//! use paasta_config::SystemConfig;
//!
//! let nobody = SystemConfig::from_json(r#"{"sensu_host": null}"#)?;
//! assert!(Sinks::from_system(&nobody)?.is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod alertmanager;
mod json_lines;
mod outbox;
mod queue;
mod reporter;
mod sensu;
mod sinks;
mod wire;

pub use alertmanager::Alertmanager;
pub use json_lines::JsonLines;
pub use outbox::{Counts, Outbox, Transport};
pub use reporter::{News, Reporter, Sources, layers};
pub use sensu::Sensu;
pub use sinks::{SinkError, Sinks};
pub use wire::line;
