//! A coordinator that cannot be reached.

use std::time::Duration;

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, stream};
use paasta_core::{
    Counts, Election, Fence, Fenced, InstanceId, LockError, LockGuard, Locks, Reading, Standing,
};

use crate::{CountChange, CountChanges};

/// Gives no lock, knows no count, leads nobody and lets nothing through, and says why. Stands where no coordinator can be
/// asked: unknown is never absent, so whatever needs it does not happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unavailable {
    reason: String,
}

impl Unavailable {
    /// Unavailable for this reason, a phrase for people.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }

    /// For a program that does not ask the ZooKeeper of its cluster.
    pub fn zookeeper(hosts: &str) -> Self {
        Self::new(format!("ZooKeeper at `{hosts}` is not asked here"))
    }
}

#[async_trait]
impl Locks for Unavailable {
    async fn acquire(&self, name: &str, _wait: Duration) -> Result<LockGuard, LockError> {
        Err(LockError::Unavailable { name: name.to_owned(), reason: self.reason.clone() })
    }
}

#[async_trait]
impl Counts for Unavailable {
    async fn count(&self, _instance: &InstanceId) -> Reading<Option<i64>> {
        Reading::Unknown(self.reason.clone())
    }
}

impl Fence for Unavailable {
    fn check(&self) -> Result<(), Fenced> {
        Err(Fenced(self.reason.clone()))
    }
}

impl Election for Unavailable {
    /// Waits for ever.
    fn stand(&self) -> BoxStream<'static, Standing> {
        Box::pin(stream::iter([Standing::Waiting { leader: None }]).chain(stream::pending()))
    }
}

impl CountChanges for Unavailable {
    /// Tells nothing after the start.
    fn changes(&self) -> BoxStream<'static, CountChange> {
        Box::pin(stream::iter([CountChange::Missed(self.reason.clone())]).chain(stream::pending()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_says_why() {
        let nobody = Unavailable::zookeeper("zk1:2181");
        let error = nobody.acquire("/bounce/a.b", Duration::MAX).await.unwrap_err();
        assert!(error.to_string().contains("zk1:2181"), "{error}");
        assert!(nobody.count(&"a.b".parse().unwrap()).await.unknown().is_some());
        assert!(nobody.check().unwrap_err().0.contains("zk1:2181"));
        assert_eq!(nobody.stand().next().await, Some(Standing::Waiting { leader: None }));
    }
}
