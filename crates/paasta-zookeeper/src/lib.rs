//! What the programs of a cluster coordinate with: the ports [`Locks`](paasta_core::Locks),
//! [`Counts`](paasta_core::Counts), [`Election`](paasta_core::Election) and [`Fence`](paasta_core::Fence), on ZooKeeper or
//! on the files of one machine (marathon-and-bounce.md §3.4). [`Coordination`] puts them together.
//!
//! * [`ZooKeeper`], [`ZkLocks`], [`ZkElection`], [`ZkCounts`] and [`ZkQueue`]: on ZooKeeper, byte for byte as kazoo clients have it,
//!   so that programs of the original take part. One session below them all; a new one is made where it is over.
//! * [`ZkReader`] reads what others keep in any ZooKeeper, such as Mesos masters.
//! * [`FileLocks`], [`FileElection`] and [`FileCounts`]: one machine, on local files.
//! * [`MapCounts`]: counts written down in one JSON file, for dry runs.
//! * [`Unavailable`]: a coordinator that cannot be reached; whatever needs it waits, and says for what.
//!
//! A lock in ZooKeeper ends with its session, and the servers may end a session of which they hear nothing while a
//! program believes to hold it. Its fence shuts before they can: at the latest (session timeout − margin) after the last
//! question that they answered was sent, on a clock that also runs while the machine sleeps. A session that is over never
//! opens again, and a newer one opens nothing over locks of an older.
//!
//! ```
//! use std::time::Duration;
//! use paasta_core::Locks;
//! use paasta_zookeeper::FileLocks;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! let locks = FileLocks::new(directory.path());
//! let guard = locks.acquire("/bounce/web.main", Duration::ZERO).await?;
//! assert!(locks.acquire("/bounce/web.main", Duration::ZERO).await.is_err());
//! drop(guard);
//! assert!(locks.acquire("/bounce/web.main", Duration::ZERO).await.is_ok());
//! # Ok(())
//! # }
//! ```

mod coordination;
mod count_changes;
mod file_counts;
mod file_election;
mod file_locks;
mod map_counts;
mod queue;
mod unavailable;
mod zk;

pub use coordination::Coordination;
pub use count_changes::{CountChange, CountChanges};
pub use file_counts::FileCounts;
pub use file_election::FileElection;
pub use file_locks::FileLocks;
pub use map_counts::{MapCounts, MapCountsError};
pub use queue::{EntryName, Idle, QueueError, QueueRecord, Take, TakenEntry, ZkQueue};
pub use unavailable::Unavailable;
pub use zk::counts::{CountError, ZkCounts};
pub use zk::election::{LeaderFence, ZkElection};
pub use zk::handle::{ConnectError, Link, Options, SessionFence, ZooKeeper};
pub use zk::locks::ZkLocks;
pub use zk::nodes::ZkReader;
pub use zk::pulse::Pulse;

use paasta_core::InstanceId;

/// `/autoscaling/<service>/<instance>/instances`: where an instance's autoscaled count stands. Names are as they
/// are written in soa-configs.
pub fn count_path(instance: &InstanceId) -> String {
    format!("/autoscaling/{}/{}/instances", instance.service(), instance.instance())
}

/// `/bounce/<short id>`: the lock that whoever changes an instance takes first.
pub fn bounce_lock(instance: &InstanceId) -> String {
    format!("/bounce/{}", instance.short_id())
}
