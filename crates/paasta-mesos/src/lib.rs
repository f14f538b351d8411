//! The Mesos master, asked over HTTP: where it is, who leads, and which hosts are about to leave.
//!
//! * [`MesosCli`] is the file that says where the master is, [`Master`] finds it (monitoring.md §5.1).
//! * [`MesosMaintenance`] is [`paasta_core::LeavingHosts`] over the maintenance status of the master (marathon-and-bounce.md
//!   §3.2); [`leaving_hosts`] is what programs hand to their engine.
//! * [`leader`] says which host leads.
//!
//! What could not be read is never empty: the reason is given instead, and whoever needs the answer waits.
//!
//! ```
//! use std::sync::Arc;
//! use paasta_config::SystemConfig;
//! use paasta_zookeeper::ZkReader;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let system = SystemConfig::from_json(r#"{"host_maintenance": "none"}"#)?;
//! let leaving = paasta_mesos::leaving_hosts(&system, Arc::new(ZkReader::default()));
//! assert_eq!(leaving.leaving_hosts().await.known().map(|hosts| hosts.len()), Some(0));
//! # Ok(())
//! # }
//! ```

mod cli_file;
mod credentials;
mod error;
mod http;
mod leader;
mod maintenance;
mod master;
mod status;
mod zookeeper;

pub use cli_file::MesosCli;
pub use credentials::{Credentials, DEFAULT_SECRET_FILE};
pub use error::MesosError;
pub use http::Patience;
pub use leader::{Leader, leader};
pub use maintenance::{MesosMaintenance, leaving_hosts};
pub use master::{Authority, Master, MasterForm};
pub use status::draining_hosts;
pub use zookeeper::{ZkAddress, leading_node, master_of};
