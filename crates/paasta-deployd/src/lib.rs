//! Keeps every instance of a cluster converged: a state machine with a thin loop around it.
//!
//! [`Deployd`] decides and does nothing: an [`Event`] and the time go in, [`Action`]s come out. It holds one
//! record per instance, says which passes start when, which services have their deployments.json regenerated,
//! and what is looked at again. [`run`] owns what touches the world: clock, files, sockets, tasks.
//!
//! Several may stand side by side: one leads, the others follow what is configured and do nothing else.
//!
//! ```
//! use std::collections::BTreeSet;
//!
//! use paasta_core::{Standing, Timestamp};
//! use paasta_deployd::{Action, Deployd, Event, Listing, Scope, Settings};
//!
//! let now = Timestamp::from_millis(0);
//! let mut deployd = Deployd::new(Settings::default());
//! deployd.handle(now, Event::Started);
//! deployd.handle(now, Event::Stands(Standing::Leading));
//! let instance = "example.main".parse().expect("an instance");
//! let listing = Listing::of(Scope::All, [instance]);
//! let actions = deployd.handle(now, Event::InstancesListed(listing));
//! assert!(actions.iter().any(|action| matches!(action, Action::StartPass { instance, .. } if instance.to_string() == "example.main")));
//! ```

mod config_files;
mod daemon;
mod http;
mod keys;
mod looks;
mod maintenance;
mod metrics;
mod nudge;
mod pass_alerts;
mod ports;
mod run;
mod settings;
mod setup_passes;
mod shared_fleet;
mod shared_soa;
mod shared_system;
mod shell;
mod soa_configs;
mod start_keys;
mod state;
mod supervisor;
mod sweep;
mod told;
mod watch;
mod zk_inbox;

pub use config_files::{ConfigFiles, FileTallies};
pub use daemon::{Daemon, DaemonError, Surroundings};
pub use http::{Hook, HttpFace, http_router, queue_router, serve_http};
pub use metrics::Metrics;
pub use nudge::{NUDGE_PORT, Nudge, NudgeListener};
pub use ports::{
    Configs, CountChange, Files, HostsLooked, Inbox, InboxEntry, Maintenance, PassAlerts, PassReport,
    PassResult, RegenerateResult, RunPass,
};
pub use run::{Handle, NudgeRefused, Observer, OnceError, OnceLimits, Ports, RunError, alone, run, run_once};
pub use settings::{Settings, SettingsError};
pub use setup_passes::{Passes, SetupPasses};
pub use soa_configs::SoaConfigs;
pub use state::{
    Action, Because, Deployd, Event, Lane, Listed, Listing, QueueEntry, RegenerationEntry, RunningEntry,
    Scope, Snapshot, Tags, Unsettled, Wake,
};
pub use supervisor::Supervisor;
pub use sweep::{FileSweep, SweepRoots, Swept};
