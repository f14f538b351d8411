//! Locks that kazoo clients and we exclude each other with.

use std::time::Duration;

use async_trait::async_trait;
use paasta_core::{LockError, LockGuard, Locks};
use tokio::time::Instant;

use super::claim::{Claim, Place};
use super::handle::ZooKeeper;
use super::session::{Hold, Problem};

/// Locks by kazoo's recipe, at the path that is their name. A guard stands for nothing once the session it was taken in
/// is over: ask [`ZooKeeper::fence`] before each change.
#[derive(Clone, Debug)]
pub struct ZkLocks {
    zookeeper: ZooKeeper,
}

impl ZkLocks {
    /// Locks of this ZooKeeper.
    pub fn new(zookeeper: &ZooKeeper) -> Self {
        Self { zookeeper: zookeeper.clone() }
    }

    async fn take(&self, name: &str, wait: Duration) -> Result<Option<(Claim, Hold)>, String> {
        let session = self.zookeeper.session().await?;
        let problem = |problem: Problem| self.zookeeper.unreachable(problem);
        let claim = Claim::stake(&session, name, b"").await.map_err(problem)?;
        // A wait too long for the clock has no end.
        let deadline = Instant::now().checked_add(wait);
        loop {
            match claim.place().await.map_err(problem)? {
                Place::First => {
                    let hold = Hold::new(&session).map_err(problem)?;
                    return Ok(Some((claim, hold)));
                }
                Place::Behind { .. } if deadline.is_some_and(|deadline| Instant::now() >= deadline) => {
                    return Ok(None);
                }
                Place::Behind { predecessor, .. } => {
                    claim.watch(&predecessor, deadline).await.map_err(problem)?;
                }
                Place::Gone => {
                    return Err(self.zookeeper.unreachable("somebody deleted our node while it waited"));
                }
            }
        }
    }
}

#[async_trait]
impl Locks for ZkLocks {
    async fn acquire(&self, name: &str, wait: Duration) -> Result<LockGuard, LockError> {
        let unavailable = |reason: String| LockError::Unavailable { name: name.to_owned(), reason };
        if !name.starts_with('/') || name.ends_with('/') || name.contains("//") {
            return Err(unavailable(
                "a lock in ZooKeeper is named by a path, such as `/bounce/web.main`".to_owned(),
            ));
        }
        match self.take(name, wait).await.map_err(unavailable)? {
            Some(held) => Ok(LockGuard::new(held)),
            None => Err(LockError::Held { name: name.to_owned() }),
        }
    }
}
