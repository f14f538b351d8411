//! Hosts that are about to leave the cluster.

use std::collections::BTreeSet;

use async_trait::async_trait;
use paasta_config::Map;
use paasta_core::Reading;

/// Tells which hosts are about to leave; tasks there are at risk.
#[async_trait]
pub trait LeavingHosts: Send + Sync {
    /// The hosts, named as Marathon names them, or why they are not known.
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

/// What the system configuration says about maintenance.
pub(crate) fn from_system(system: &Map) -> Box<dyn LeavingHosts> {
    match system.get_set("host_maintenance").and_then(|node| node.as_str()) {
        Some("none") => Box::new(NoMaintenance),
        _ => Box::new(UnknownMaintenance::new(
            "host maintenance is not readable yet: set `host_maintenance` to `none` where no host is ever drained",
        )),
    }
}
