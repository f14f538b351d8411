//! Locks and autoscaled counts: the ports [`Locks`](paasta_core::Locks) and [`Counts`](paasta_core::Counts) on
//! whatever coordinates a cluster (marathon-and-bounce.md §3.4).
//!
//! * [`FileLocks`] and [`FileCounts`]: one machine, on local files.
//! * [`MapCounts`]: counts written down in one JSON file, for dry runs.
//! * [`Unavailable`]: a coordinator that cannot be reached; whatever needs it waits, and says for what.
//!
//! ZooKeeper itself, with the lock recipe and election that kazoo clients understand, is still to come (issue 4);
//! until then a cluster whose system configuration names one gets [`Unavailable`].
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

mod file_counts;
mod file_locks;
mod map_counts;
mod unavailable;

pub use file_counts::FileCounts;
pub use file_locks::FileLocks;
pub use map_counts::{MapCounts, MapCountsError};
pub use unavailable::Unavailable;

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
