//! What the loop needs from the rest of the house.

use async_trait::async_trait;
use paasta_bounce::Why;
use paasta_core::{InstanceId, ServiceName};
use serde::Serialize;

use crate::state::{Listing, Scope, Wake};

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
    /// All is as wanted, or nothing is wanted.
    Steady,
    /// Something is under way; look again after that long, or when the engine says something. It is a length of time
    /// because a pass and the queue go by different clocks.
    LookAgain {
        /// How long from now.
        seconds: f64,
    },
    /// Somebody else holds the instance's bounce lock; nothing was done.
    LockHeld,
    /// It could not be done.
    Failed(String),
}

/// What soa-configs and git hold. Called on threads that may block.
pub trait Configs: Send + Sync + 'static {
    /// Lists instances of this cluster. A service that cannot be read is named in the listing; an error means
    /// that nothing could be read.
    fn list(&self, scope: &Scope) -> Result<Listing, String>;

    /// Brings the service's deployments.json up to date with its git tags.
    fn regenerate(&self, service: &ServiceName) -> RegenerateResult;
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
}
