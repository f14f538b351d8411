//! Mesos, asked over HTTP: where the master is, who leads, what it knows, and which hosts are about to leave.
//!
//! * [`MesosCli`] is the file that says where the master is, [`Master`] finds it (monitoring.md §5.1).
//! * [`MesosMaintenance`] is [`paasta_core::LeavingHosts`] over the maintenance status of the master (marathon-and-bounce.md
//!   §3.2); [`leaving_hosts`] is what programs hand to their engine.
//! * [`leader`] says which host leads.
//! * [`MesosMaster`] reads what the master knows (monitoring.md §5.2): [`State`] with agents, frameworks and tasks,
//!   [`Metrics`], [`Flags`]. They are made for `paasta-monitoring`: what its checks take, they give.
//! * [`MesosAgent`] reads what one agent knows of what runs on it (monitoring.md §5.6), what it uses ([`Usage`]), and what it
//!   wrote ([`Tails`]); [`statistics_of`] asks many agents at one time.
//! * [`Operator`] tells the master which machines are to be away (monitoring.md §8.1), [`Schedule`] is when.
//! * [`Placement`] and [`by_attribute`] choose among [`Agent`]s.
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

mod agent;
mod agent_client;
mod agent_state;
mod asking;
mod cli_file;
mod client;
mod credentials;
mod error;
mod http;
mod leader;
mod maintenance;
mod master;
mod metrics;
mod operator;
mod reservation;
mod sandbox;
mod schedule;
mod state;
mod status;
mod task;
mod usage;
mod zookeeper;

pub use agent::{Agent, MAINTENANCE_ROLE, Placement, Resources, by_attribute};
pub use agent_client::{AGENT_PORT, MesosAgent, statistics_of};
pub use agent_state::{AgentFramework, AgentState, Executor, RunningHere};
pub use cli_file::{CACHE_PORT, MesosCli};
pub use client::{Masters, MesosMaster, is_configured};
pub use credentials::{Credentials, DEFAULT_SECRET_FILE};
pub use error::{MesosError, Peer};
pub use http::Patience;
pub use leader::{Leader, is_this_host, leader};
pub use maintenance::{MesosMaintenance, leaving_hosts};
pub use master::{Authority, Master, MasterForm};
pub use metrics::Metrics;
pub use operator::{Operator, down_call, schedule_update, up_call};
pub use reservation::{Verb, call as reservation_call, reservable};
pub use sandbox::{FilePiece, SandboxFile, TailError, Tails, tail_lines};
pub use schedule::{Machine, Nanoseconds, Schedule, Unavailability, Window, nanoseconds};
pub use state::{Agents, Awaited, Flags, Framework, Frameworks, LeaderInfo, State};
pub use status::{MaintenanceStatus, draining_hosts};
pub use task::{ContainerId, ContainerStatus, TASK_RUNNING, Task, TaskStatus, not_running};
pub use usage::{ExecutorStatistics, Statistics, Usage};
pub use zookeeper::{ZkAddress, leading_node, master_of, masters_among};
