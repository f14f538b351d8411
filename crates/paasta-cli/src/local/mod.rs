//! The cluster on this machine: how every command finds it, how it starts and how it ends.
//!
//! [`up`] starts engine, hacheck, API and deployd in this process; [`down`] drains and stops whatever a state
//! directory holds, whether or not somebody runs it. One process at a time holds the directory's lock.

mod base;
mod checkout;
mod down;
mod down_plan;
mod error;
mod images;
mod layout;
mod proxy;
mod status;
mod system;
mod up;

use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

pub use checkout::{CheckoutError, Checkouts, RemoteOf};
pub use down::{DownOptions, Downed, down};
pub use down_plan::{DownPlan, plan_down};
pub use error::LocalError;
pub use layout::Layout;
pub use proxy::ProxyOptions;
pub use status::{LocalStatus, Tasks, soa_dir_before, state_dir_before, status};
pub use system::{Addresses, Credentials, reachable};
pub use up::{Options, Running, up};

/// The name of every local cluster: its instances are in `marathon-local.yaml`.
pub const CLUSTER: &str = "local";

/// The ports of a local cluster's parts; 0 takes any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ports {
    /// The HTTP API.
    pub api: u16,
    /// The embedded engine.
    pub engine: u16,
    /// hacheck.
    pub hacheck: u16,
    /// deployd's ear for pushed tags.
    pub nudge: u16,
}

/// Where HAProxy's stats page usually is.
pub const DEFAULT_STATS_PORT: u16 = 3212;

/// The ports where PaaSTA's own parts usually listen.
pub const DEFAULT_PORTS: Ports =
    Ports { api: 5054, engine: 5052, hacheck: 6666, nudge: paasta_deployd::NUDGE_PORT };

/// A local cluster, as its pointer file `~/.paasta/local.json` describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalCluster {
    /// Where the cluster keeps everything it knows.
    pub state_dir: PathBuf,
    /// Where its system configuration is.
    pub system_config_dir: PathBuf,
    /// Where its soa-configs are.
    pub soa_dir: PathBuf,
}

impl LocalCluster {
    /// Held exclusively by the cluster for as long as it runs.
    pub fn lock_file(&self) -> PathBuf {
        self.state_dir.join("lock")
    }

    /// Whether somebody holds its lock.
    pub fn is_alive(&self) -> bool {
        let Ok(file) = std::fs::File::open(self.lock_file()) else { return false };
        matches!(flock(&file, FlockOperation::NonBlockingLockShared), Err(Errno::WOULDBLOCK))
    }
}

/// Where the pointer file of a user is.
pub fn pointer_file(home: &Path) -> PathBuf {
    home.join(".paasta").join("local.json")
}

/// The local cluster of the user with that home, if one is running. A pointer that is missing, unreadable or left
/// behind by a cluster that ended counts as none.
pub fn find(home: &Path) -> Option<LocalCluster> {
    read_pointer(&pointer_file(home)).filter(LocalCluster::is_alive)
}

/// What a pointer file says, whether or not that cluster runs.
fn read_pointer(path: &Path) -> Option<LocalCluster> {
    serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_counts_only_while_its_lock_is_held() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(find(home.path()), None);
        let cluster = LocalCluster {
            state_dir: home.path().join("state"),
            system_config_dir: home.path().join("etc"),
            soa_dir: home.path().join("soa"),
        };
        std::fs::create_dir_all(&cluster.state_dir).unwrap();
        std::fs::create_dir_all(home.path().join(".paasta")).unwrap();
        std::fs::write(pointer_file(home.path()), serde_json::to_string(&cluster).unwrap()).unwrap();
        assert_eq!(find(home.path()), None);
        let lock = std::fs::File::create(cluster.lock_file()).unwrap();
        assert_eq!(find(home.path()), None);
        flock(&lock, FlockOperation::LockExclusive).unwrap();
        assert_eq!(find(home.path()), Some(cluster));
        drop(lock);
        assert_eq!(find(home.path()), None);
    }
}
