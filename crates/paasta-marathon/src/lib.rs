//! The engine over Marathon: rendering, identity, client, shards and events.
//!
//! Four things, usable apart:
//!
//! * [`render_app`] turns a wanted instance into its app id, the exact text that id is hashed from, and the body that
//!   creates the app; pure, and byte for byte what PaaSTA 0.99 makes (marathon-and-bounce.md §1).
//! * [`MarathonRenderer`] adds where the instance lives among several Marathon servers (§2.2).
//! * [`compare_hash_inputs`] and [`compare_with_live`] say field by field what differs between two versions, and between
//!   what runs and what would run.
//! * [`MarathonEngine`] is [`paasta_core::Engine`] over Marathon's REST interface and event stream (§3.1); [`DeploymentGate`] bounds how much it
//!   is asked to do at one time.

mod apply;
mod client;
mod difference;
mod engine;
mod events;
mod gate;
mod listings;
mod rendering;
mod requests;
mod servers;
mod shards;
mod transport;
mod wire;

pub use apply::apply_over;
pub use difference::{LiveApp, LiveDifference, compare_hash_inputs, compare_with_live};
pub use engine::{MarathonEngine, SetUpError};
pub use gate::DeploymentGate;
pub use listings::ListedTask;
pub use rendering::{AppRendering, app_id, config_hash, render_app};
pub use requests::{RequestCounts, RequestTallies};
pub use servers::{MarathonServers, Password, Server, ServersError};
pub use shards::{MarathonRenderer, rendezvous};
pub use transport::{Answer, NoAnswer, Transport, Verb};
