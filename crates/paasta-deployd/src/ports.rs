//! What the loop needs from the rest of the house.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use paasta_alerts::Counts as AlertCounts;
use paasta_bounce::Why;
use paasta_core::{AppId, InstanceId, ServiceName, Timestamp};
use serde::Serialize;

use crate::state::{Listing, Scope, Wake};
use crate::{Settings, Swept};

/// One pass over one instance. Must be safe to drop at any await: what was sent is found by the next pass.
#[async_trait]
pub trait RunPass: Send + Sync + 'static {
    /// Observes, plans, acts and settles once. What it sees must be younger than the wake.
    async fn run_pass(&self, instance: &InstanceId, wake: Wake) -> PassReport;

    /// What to say of those of these instances, which are in no file any more, of which anything runs.
    async fn going_on(&self, _gone: &[InstanceId]) -> Vec<(InstanceId, String)> {
        Vec::new()
    }
}

/// Tells people how a pass over their instance ended. Never fails and never waits.
pub trait PassAlerts: Send + Sync + 'static {
    /// It ended so.
    fn pass_ended(&self, instance: &InstanceId, report: &PassReport);

    /// What became of alerts so far, where anybody counts them.
    fn counts(&self) -> Option<AlertCounts> {
        None
    }
}

/// How a pass ended, and what it waits for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PassReport {
    /// How it ended.
    pub result: PassResult,
    /// What the instance waits for, where the pass came as far as that.
    pub why: Option<Why>,
}

impl PassReport {
    /// A pass with nothing to say besides its result.
    pub fn new(result: PassResult) -> Self {
        Self { result, why: None }
    }

    /// A pass that failed for that reason.
    pub fn failed(reason: impl Into<String>) -> Self {
        Self::new(PassResult::Failed(reason.into()))
    }
}

/// How a pass ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PassResult {
    /// All is as wanted.
    Steady,
    /// Nothing is wanted yet: what deployments.json lacks for it. What runs is left alone.
    NotDeployed(String),
    /// Something is under way; look again after that long, or when the engine says something. It is a length of time
    /// because a pass and the queue go by different clocks.
    LookAgain {
        /// How long from now.
        seconds: f64,
    },
    /// Somebody else holds the instance's bounce lock; nothing was done.
    LockHeld,
    /// What the decision needs could not be seen, so that nothing was decided. That is no failure of the instance: it is
    /// looked at again soon.
    Unseen {
        /// What, and why.
        reason: String,
    },
    /// It could not be done.
    Failed(String),
    /// It was stopped before its next change, since this process may no longer act. Says nothing of the instance.
    Stopped(String),
}

/// What soa-configs and git hold.
#[async_trait]
pub trait Configs: Send + Sync + 'static {
    /// Lists instances of this cluster. A service that cannot be read is named in the listing; an error means
    /// that nothing could be read.
    async fn list(&self, scope: &Scope) -> Result<Listing, String>;

    /// Brings the service's deployments.json up to date with its git tags.
    async fn regenerate(&self, service: &ServiceName) -> RegenerateResult;

    /// The settings as they are written now; nothing where they never change.
    async fn settings(&self) -> Result<Option<Settings>, String> {
        Ok(None)
    }
}

/// What happened to autoscaled counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CountChange {
    /// The count of this instance was written.
    Of(InstanceId),
    /// Some may have been written unseen.
    Lost,
}

/// Tells which hosts are about to leave.
#[async_trait]
pub trait Maintenance: Send + Sync + 'static {
    /// Which are, and what runs on those that are not among `known`. An error leaves everything as it was known.
    async fn look(&self, known: &BTreeSet<String>) -> Result<HostsLooked, String>;
}

/// An answer of [`Maintenance::look`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostsLooked {
    /// Hosts that are about to leave.
    pub leaving: BTreeSet<String>,
    /// Apps that have a task on one of them that was not known to leave.
    pub apps: BTreeSet<AppId>,
}

/// A queue that programs share: what others put there is taken over by whoever leads.
#[async_trait]
pub trait Inbox: Send + Sync + 'static {
    /// Takes entries, each locked against others until it is consumed or the stream is dropped.
    fn take(&self) -> BoxStream<'static, InboxEntry>;

    /// Takes a locked entry and its lock out together. An error leaves it there, for another time.
    async fn consume(&self, key: &str) -> Result<(), String>;
}

/// An entry of an [`Inbox`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxEntry {
    /// Its name in the queue.
    pub key: String,
    /// Which instance is to be looked at.
    pub instance: InstanceId,
    /// Not before.
    pub wait_until: Timestamp,
    /// The earliest of those available goes first.
    pub bounce_by: Timestamp,
}

/// Notices changed configuration files.
#[async_trait]
pub trait Files: Send + Sync + 'static {
    /// What changed since it was asked last; the first time, nothing.
    async fn sweep(&self) -> Swept;

    /// After the last sweep: how long the next one has nothing to find unless [`Files::stirred`] resolves. None where
    /// that is not known, so that everything has to be swept time and again.
    fn rest(&self) -> Option<Duration> {
        None
    }

    /// Resolves when something may have changed that the next sweep would tell. One that hears nothing never does; the
    /// sweeps that are made anyway find it.
    async fn stirred(&self);
}

/// How the regeneration of one deployments.json ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RegenerateResult {
    /// The file was written anew.
    Changed,
    /// It was up to date.
    Unchanged,
    /// It could not be done; the old file stays.
    Failed(String),
    /// It was stopped before it wrote, since this process may no longer act. Says nothing of the service.
    Stopped(String),
}
