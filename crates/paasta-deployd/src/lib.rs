//! Keeps every instance of a cluster converged: a state machine with a thin loop around it.
//!
//! [`Deployd`] decides and does nothing: an [`Event`] and the time go in, [`Action`]s come out. It holds one
//! record per instance, says which passes start when, which services have their deployments.json regenerated,
//! and what is looked at again. [`run`] owns what touches the world: clock, files, sockets, tasks.
//!
//! What is left out here: leader election and watchers (files are swept), which come with ZooKeeper.
//!
//! ```
//! use std::collections::BTreeSet;
//!
//! use paasta_core::Timestamp;
//! use paasta_deployd::{Action, Deployd, Event, Listing, Scope, Settings};
//!
//! let now = Timestamp::from_millis(0);
//! let mut deployd = Deployd::new(Settings::default());
//! deployd.handle(now, Event::Started);
//! let instance = "example.main".parse().expect("an instance");
//! let listing = Listing::of(Scope::All, [instance]);
//! let actions = deployd.handle(now, Event::InstancesListed(listing));
//! assert!(actions.iter().any(|action| matches!(action, Action::StartPass { instance, .. } if instance.to_string() == "example.main")));
//! ```

mod daemon;
mod nudge;
mod ports;
mod run;
mod settings;
mod setup_passes;
mod shared_fleet;
mod soa_configs;
mod start_keys;
mod state;
mod sweep;
mod told;

pub use daemon::{Daemon, DaemonError, Surroundings};
pub use nudge::{NUDGE_PORT, Nudge, NudgeListener};
pub use ports::{Configs, PassReport, PassResult, RegenerateResult, RunPass};
pub use run::{Handle, Ports, RunError, run};
pub use settings::{Settings, SettingsError};
pub use setup_passes::SetupPasses;
pub use soa_configs::SoaConfigs;
pub use state::{
    Action, Because, Deployd, Event, Listed, Listing, QueueEntry, RegenerationEntry, RunningEntry, Scope,
    Snapshot, Wake,
};
pub use sweep::{FileSweep, SweepRoots, Swept};
