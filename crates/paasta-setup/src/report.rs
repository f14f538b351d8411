//! What a pass tells.

use paasta_bounce::{Outcome, Why};
use paasta_core::{AppId, Applied, HomeId, InstanceId, TaskId};
use serde::Serialize;

/// How a pass went.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PassReport {
    /// Of which instance.
    pub instance: InstanceId,
    /// The version wanted.
    pub app: AppId,
    /// How it stands.
    pub state: PassState,
    /// What it waits for, and the counts behind it.
    pub why: Why,
    /// What was done, in order, and how each went.
    pub actions: Vec<Taken>,
    /// Seconds until looking again may change anything; none when steady.
    pub look_again_seconds: Option<f64>,
    /// What went wrong without ending the pass, as phrases for people. That the engine takes no change now, or that
    /// somebody else was quicker there, is nothing wrong: it is waited for, as `why` says.
    pub problems: Vec<String>,
}

impl PassReport {
    /// Whether all is as wanted and nothing remains to be done.
    pub fn is_steady(&self) -> bool {
        self.state == PassState::Steady
    }

    /// Whether the pass counts as failed: a create, scale, kill or delete did, whatever else was done; or a drain or undrain
    /// did, and nothing was done. The engine took changes then. Problems without it are of what could not be seen.
    pub fn is_failure(&self) -> bool {
        let did_something = self.actions.iter().any(|taken| taken.outcome.is_done());
        let counts = |taken: &&Taken| taken.action.is_change_of_engine() || !did_something;
        self.actions.iter().filter(counts).any(Taken::has_failed)
    }
}

/// How an instance stands after a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PassState {
    /// Exactly the version wanted is there, in the size wanted. Its tasks may still become happy.
    Steady,
    /// Something is under way, waits for the engine, or could not be done; look again.
    Working,
    /// Somebody else is at work on the instance; nothing was looked at or done.
    LockHeld,
}

/// One thing done, and how it went.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Taken {
    /// What.
    pub action: PassAction,
    /// How it went.
    pub outcome: Outcome,
}

impl Taken {
    /// Whether it was not done, although the engine takes changes and nobody else was quicker.
    pub fn has_failed(&self) -> bool {
        !matches!(self.outcome, Outcome::Applied(Applied::Done | Applied::Busy(_) | Applied::Conflict(_)))
    }
}

impl PassAction {
    /// Whether an engine carries it out, and not a load balancer or the task itself.
    fn is_change_of_engine(&self) -> bool {
        !matches!(self, PassAction::Drain { .. } | PassAction::Undrain { .. })
    }
}

/// One thing a pass can do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PassAction {
    /// Create the wanted version.
    Create {
        /// Where.
        home: HomeId,
    },
    /// Let an app have this many tasks.
    Scale {
        /// Where.
        home: HomeId,
        /// Which app.
        app: AppId,
        /// How many.
        instances: usize,
    },
    /// Take traffic off a task.
    Drain {
        /// Which task.
        task: TaskId,
        /// Whether it was draining already.
        renewal: bool,
    },
    /// Give a task traffic again.
    Undrain {
        /// Which task.
        task: TaskId,
    },
    /// Kill tasks for good.
    Kill {
        /// Where.
        home: HomeId,
        /// Which tasks.
        tasks: Vec<TaskId>,
    },
    /// Remove an app.
    Delete {
        /// Where.
        home: HomeId,
        /// Which app.
        app: AppId,
    },
}
