//! A coordinator that cannot be reached.

use std::time::Duration;

use async_trait::async_trait;
use paasta_core::{Counts, InstanceId, LockError, LockGuard, Locks, Reading};

/// Gives no lock and knows no count, and says why. Stands where a coordinator is configured that this program
/// cannot speak to: unknown is never absent, so whatever needs it does not happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unavailable {
    reason: String,
}

impl Unavailable {
    /// Unavailable for this reason, a phrase for people.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }

    /// For a cluster whose system configuration names ZooKeeper.
    pub fn zookeeper(hosts: &str) -> Self {
        Self::new(format!("ZooKeeper at `{hosts}` cannot be spoken to by this version yet"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_says_why() {
        let nobody = Unavailable::zookeeper("zk1:2181");
        let error = nobody.acquire("/bounce/a.b", Duration::MAX).await.unwrap_err();
        assert!(error.to_string().contains("zk1:2181"), "{error}");
        assert!(nobody.count(&"a.b".parse().unwrap()).await.unknown().is_some());
    }
}
