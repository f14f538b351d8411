//! Hosts that are about to leave the cluster.

use std::collections::BTreeSet;

use async_trait::async_trait;

use crate::Reading;

/// Tells which hosts are about to leave; tasks there are at risk. Engines ask it, and what knows the machines of a cluster
/// answers.
#[async_trait]
pub trait LeavingHosts: Send + Sync {
    /// The hosts, named as the engine names them, or why they are not known.
    async fn leaving_hosts(&self) -> Reading<BTreeSet<String>>;
}

/// A cluster whose hosts never leave, such as a single machine: system key `host_maintenance: none`.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMaintenance;

#[async_trait]
impl LeavingHosts for NoMaintenance {
    async fn leaving_hosts(&self) -> Reading<BTreeSet<String>> {
        Reading::Known(BTreeSet::new())
    }
}

/// A cluster whose maintenance nobody here can read; whatever needs to know it waits.
#[derive(Clone, Debug)]
pub struct UnknownMaintenance {
    reason: String,
}

impl UnknownMaintenance {
    /// With the reason that is given to whoever waits.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

#[async_trait]
impl LeavingHosts for UnknownMaintenance {
    async fn leaving_hosts(&self) -> Reading<BTreeSet<String>> {
        Reading::Unknown(self.reason.clone())
    }
}
