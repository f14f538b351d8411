//! The engine over Marathon: rendering, identity, client, shards and events.

mod rendering;
mod servers;
mod shards;

pub use rendering::{AppRendering, app_id, config_hash, render_app};
pub use servers::{MarathonServers, Password, Server, ServersError};
pub use shards::{MarathonRenderer, rendezvous};
