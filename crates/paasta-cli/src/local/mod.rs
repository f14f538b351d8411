//! The cluster on this machine, if one is running: how every command finds it.

use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

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
    let text = std::fs::read_to_string(pointer_file(home)).ok()?;
    let cluster: LocalCluster = serde_json::from_str(&text).ok()?;
    cluster.is_alive().then_some(cluster)
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
