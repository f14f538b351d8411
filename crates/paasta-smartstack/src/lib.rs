//! What load balancers say: which copies of a service get traffic, by the load balancers themselves.
//!
//! * [`Provider`] is one kind of load balancer with one on each host: [`Haproxy`] as synapse configures it, [`Envoy`], or
//!   yours. [`DiscoveryProviders`] are those of a cluster, by its system configuration.
//! * [`read_table`] reads HAProxy's statistics, whether they came over HTTP or from its socket; [`read_clusters`] what Envoy
//!   tells. Both make [`Backends`].
//! * [`match_tasks`] pairs servers with tasks, [`LoadBalancers`] answers for bounces whether tasks are seen
//!   ([`paasta_core::Discovery`]); [`discovery`] is what programs hand to their passes.
//! * [`Run`] asks each load balancer once and counts a registration's copies per location.
//! * [`proxy`] keeps a HAProxy of one machine at what is registered there.
//!
//! Who could not be asked is never counted as seeing nothing: the reason is given instead.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//! use async_trait::async_trait;
//! use paasta_core::{Reading, Registration};
//! use paasta_smartstack::{Agent, Backends, Provider, ProviderError, ReplicationQuestion, Run, read_table};
//!
//! /// One table, the same on every host but one.
//! struct Recorded;
//!
//! #[async_trait]
//! impl Provider for Recorded {
//!     fn name(&self) -> &str {
//!         "Recorded"
//!     }
//!
//!     async fn backends(&self, host: &str, _: Option<&Registration>) -> Result<Backends, ProviderError> {
//!         let table = b"# pxname,svname,status,\nweb.main,h1_10.0.0.1:31000,UP,\n";
//!         match host {
//!             "silent" => Err(ProviderError::Other("`silent` says nothing".to_owned())),
//!             _ => read_table(table).map_err(|error| ProviderError::Other(error.to_string())),
//!         }
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let agent = |host: &str, region: &str| Agent {
//!     host: host.to_owned(),
//!     attributes: [("region".to_owned(), region.to_owned())].into(),
//! };
//! let agents = [agent("h1", "east"), agent("silent", "west")];
//! let question = ReplicationQuestion { registration: "web.main", discover: "region", pool: "default" };
//! let run = Run::new(Arc::new(Recorded), Duration::from_secs(60));
//! let counts = run.replication(&agents, &question).await;
//! assert_eq!(counts["east"], Reading::Known(1));
//! assert_eq!(counts["west"], Reading::Unknown("`silent` says nothing".to_owned()));
//! # }
//! ```

mod backend;
mod envoy;
mod haproxy;
mod http;
mod load_balancers;
mod locations;
mod matching;
mod provider;
mod providers;
pub mod proxy;
mod resolve;
mod run;
mod server_name;
mod table;
mod url_format;
mod verdict;

pub use backend::{Backend, BackendState, Backends};
pub use envoy::{ClustersError, Envoy, read_clusters};
pub use haproxy::{Haproxy, SetupError, proxy_name};
pub use http::{Asker, Patience};
pub use load_balancers::{LoadBalancers, Seeds, discovery, random_seeds};
pub use locations::{Agent, Location, locations, replication};
pub use matching::{Match, PlacedTask, match_tasks, tasks_up};
pub use provider::{Provider, ProviderError};
pub use providers::{DiscoveryProviders, ProvidersError, SERVICES_FILE};
pub use resolve::{ResolveError, Resolver, SystemResolver};
pub use run::{Answer, ReplicationQuestion, Run};
pub use server_name::ServerName;
pub use table::{TableError, read_table};
pub use url_format::{Field, FormatError, UrlFormat, UrlValues};
pub use verdict::{Answers, choose, verdicts};
