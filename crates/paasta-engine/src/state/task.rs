//! One task as the engine keeps it.

use paasta_core::{TaskId, Timestamp};
use serde::{Deserialize, Serialize};

use super::definition::HealthCheck;
use super::path_id::PathId;

/// What an executor calls a run of its own: opaque to the engine, enough to find it again after a restart.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunRef(pub String);

/// One task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Its id: `<app id without slash>.<unique part>`.
    pub id: TaskId,
    /// Its app.
    pub app: PathId,
    /// The app's version when it was launched.
    pub version: Timestamp,
    /// Ports of this machine that are its own.
    pub ports: Vec<u16>,
    /// The number of its agent.
    #[serde(default, skip_serializing_if = "is_first")]
    pub agent: u16,
    /// When it was asked for.
    pub staged_at: Timestamp,
    /// How far it is.
    pub phase: Phase,
    /// What each health check found; empty until the first result.
    pub health: Vec<Option<CheckState>>,
}

fn is_first(agent: &u16) -> bool {
    *agent == 0
}

/// How far a task is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Asked for; the executor has not said that it runs.
    Staging,
    /// Running.
    Running {
        /// Since when.
        started_at: Timestamp,
        /// The executor's name for it.
        run: RunRef,
    },
    /// Told to go, not gone.
    Killing {
        /// Since when.
        since: Timestamp,
        /// Why.
        reason: KillReason,
        /// When it started, if it ever did.
        started_at: Option<Timestamp>,
        /// The executor's name for it, if it ever ran.
        run: Option<RunRef>,
    },
}

/// Why a task was told to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KillReason {
    /// Somebody asked for this task to be killed.
    Asked,
    /// The app has more tasks than it wants.
    OverCapacity,
    /// A task of a newer version took its place.
    Replaced,
    /// Its health checks failed too often.
    Unhealthy,
    /// Its app is going.
    AppDeleted,
    /// The machine of its agent is taken down.
    AgentDown,
}

impl KillReason {
    /// The word used in the journal and in events.
    pub fn as_str(self) -> &'static str {
        match self {
            KillReason::Asked => "asked",
            KillReason::OverCapacity => "over_capacity",
            KillReason::Replaced => "replaced",
            KillReason::Unhealthy => "unhealthy",
            KillReason::AppDeleted => "app_deleted",
            KillReason::AgentDown => "agent_down",
        }
    }
}

/// What one health check found on one task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CheckState {
    /// When it first succeeded.
    pub first_success: Option<Timestamp>,
    /// When it last succeeded.
    pub last_success: Option<Timestamp>,
    /// When it last failed.
    pub last_failure: Option<Timestamp>,
    /// How the last failure came about.
    pub last_failure_cause: Option<String>,
    /// Failures since the last success.
    pub consecutive_failures: u32,
}

impl CheckState {
    /// Whether the latest result was a success.
    pub fn alive(&self) -> bool {
        self.first_success.is_some() && self.consecutive_failures == 0
    }
}

impl Task {
    /// Whether it counts towards the app's instances.
    pub fn is_live(&self) -> bool {
        !matches!(self.phase, Phase::Killing { .. })
    }

    /// When it started to run, if it did.
    pub fn started_at(&self) -> Option<Timestamp> {
        match &self.phase {
            Phase::Staging => None,
            Phase::Running { started_at, .. } => Some(*started_at),
            Phase::Killing { started_at, .. } => *started_at,
        }
    }

    /// Whether every one of `checks` says alive.
    pub fn is_healthy(&self, checks: &[HealthCheck]) -> bool {
        checks.iter().enumerate().all(|(index, _)| self.check(index).is_some_and(CheckState::alive))
    }

    /// Whether some check has a result and none of the results so far may be called healthy.
    pub fn is_unhealthy(&self) -> bool {
        self.health.iter().flatten().any(|state| !state.alive())
    }

    /// Whether it runs and is healthy.
    pub fn is_ready(&self, checks: &[HealthCheck]) -> bool {
        matches!(self.phase, Phase::Running { .. }) && self.is_healthy(checks)
    }

    fn check(&self, index: usize) -> Option<&CheckState> {
        self.health.get(index).and_then(Option::as_ref)
    }
}
