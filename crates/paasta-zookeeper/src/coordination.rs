//! Everything that coordinates the programs of a cluster, put together.

use std::path::PathBuf;
use std::sync::Arc;

use paasta_core::{Counts, Election, Fence, Locks, NoFence};

use crate::{
    ConnectError, CountChanges, FileCounts, FileElection, FileLocks, Options, Unavailable, ZkCounts,
    ZkElection, ZkLocks, ZooKeeper,
};

/// What a program takes part in a cluster with: on local files, or on ZooKeeper.
///
/// A program that only takes locks (`setup_marathon_job`) asks [`fence`](Self::fence) before each change; one that leads
/// (deployd) asks [`leadership`](Self::leadership).
#[derive(Clone)]
pub struct Coordination {
    /// Locks on instances.
    pub locks: Arc<dyn Locks>,
    /// Autoscaled counts.
    pub counts: Arc<dyn Counts>,
    /// Changes of those.
    pub count_changes: Arc<dyn CountChanges>,
    /// The election of deployd's leader.
    pub election: Arc<dyn Election>,
    /// Shut while locks that were taken may no longer be held.
    pub fence: Arc<dyn Fence>,
    /// Shut while this process does not lead for sure; on files it is the election alone that tells.
    pub leadership: Arc<dyn Fence>,
    /// The handle below it all, where it is ZooKeeper.
    pub zookeeper: Option<ZooKeeper>,
}

impl std::fmt::Debug for Coordination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Coordination").field("zookeeper", &self.zookeeper).finish_non_exhaustive()
    }
}

impl Coordination {
    /// On files below one directory, for the programs of one machine. This process is called `name` in elections.
    pub fn files(directory: impl Into<PathBuf>, name: impl Into<String>) -> Self {
        let directory = directory.into();
        let counts = Arc::new(FileCounts::new(&directory));
        Self {
            locks: Arc::new(FileLocks::new(&directory)),
            counts: counts.clone(),
            count_changes: counts,
            election: Arc::new(FileElection::new(directory, ZkElection::DEPLOYD, name)),
            fence: Arc::new(NoFence),
            leadership: Arc::new(NoFence),
            zookeeper: None,
        }
    }

    /// On ZooKeeper, in one session; `hosts` as in [`ZooKeeper::connect`]. This process is called `name` in elections:
    /// its fully qualified host name. Has to be called within a Tokio runtime.
    pub fn zookeeper(hosts: &str, name: impl Into<String>, options: Options) -> Result<Self, ConnectError> {
        let zookeeper = ZooKeeper::connect(hosts, options)?;
        let counts = Arc::new(ZkCounts::new(&zookeeper));
        let election = ZkElection::new(&zookeeper, ZkElection::DEPLOYD, name);
        Ok(Self {
            locks: Arc::new(ZkLocks::new(&zookeeper)),
            counts: counts.clone(),
            count_changes: counts,
            fence: Arc::new(zookeeper.fence()),
            leadership: Arc::new(election.fence()),
            election: Arc::new(election),
            zookeeper: Some(zookeeper),
        })
    }

    /// Nothing of it, for this reason, a phrase for people: whatever needs it waits, and says so.
    pub fn unavailable(reason: impl Into<String>) -> Self {
        let nobody = Arc::new(Unavailable::new(reason));
        Self {
            locks: nobody.clone(),
            counts: nobody.clone(),
            count_changes: nobody.clone(),
            election: nobody.clone(),
            fence: nobody.clone(),
            leadership: nobody,
            zookeeper: None,
        }
    }

    /// Ends the part this process takes: what it holds in ZooKeeper is free for others at once, and not only once the
    /// session has timed out. Waits for the servers no longer than for any answer.
    pub async fn close(&self) {
        if let Some(zookeeper) = &self.zookeeper {
            zookeeper.close().await;
        }
    }
}
