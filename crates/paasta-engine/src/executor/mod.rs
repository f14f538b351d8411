//! Where tasks run.

mod abandoned;
mod environment;
mod idle;
mod inspect;
mod logs;
mod process;
mod sandbox;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use async_trait::async_trait;
use paasta_core::{LogStream, LogTail, TaskId, TaskLog};

use crate::artifacts::Artifact;
use crate::state::{Exit, LaunchOrder, RunRef};

pub(crate) use abandoned::end_all;
pub use idle::IdleExecutor;
pub use process::{ProcessExecutor, ProcessSettings};

/// Runs tasks. The engine has told its state file of a task before it calls [`Executor::spawn`], so that
/// [`Executor::survey`] can find every run again after a crash.
#[async_trait]
pub trait Executor: Send + Sync {
    /// Starts a task and says how to find the run again.
    async fn spawn(&self, launch: &Launch) -> Result<RunRef, LaunchError>;

    /// Completes when the run and all it started are gone. For a run that was not started by this very
    /// executor it may not know how it ended.
    async fn gone(&self, task: &TaskId, run: &RunRef) -> Exit;

    /// Asks the run to end, and ends it after `grace`. Returns at once; [`Executor::gone`] tells the end.
    async fn kill(&self, task: &TaskId, run: &RunRef, grace: std::time::Duration);

    /// After a start: the runs of `known` tasks (with what was recorded of them) that are alive. Runs of this
    /// engine that belong to no known task are ended.
    async fn survey(&self, known: &BTreeMap<TaskId, Option<RunRef>>) -> BTreeMap<TaskId, RunRef>;

    /// Runs a health check's command where the task runs, with the task's environment. `Err` says why it
    /// failed. Dropping the call ends the command.
    async fn probe_command(&self, task: &TaskId, run: &RunRef, command: &str) -> Result<(), String>;

    /// Whether every check counts as passed without being made, for tasks that nobody could check.
    fn passes_checks(&self) -> bool {
        false
    }

    /// A part of a task's output; `None` if nothing is kept of that task.
    async fn log(&self, task: &TaskId, stream: LogStream, tail: LogTail) -> std::io::Result<Option<TaskLog>>;

    /// The folder with a task's own files, `stdout` and `stderr` among them, where it has one.
    fn sandbox(&self, _task: &TaskId) -> Option<PathBuf> {
        None
    }

    /// What tasks use at this moment, of those of which that is known.
    async fn usage(&self) -> BTreeMap<TaskId, TaskUsage> {
        BTreeMap::new()
    }

    /// The task is gone: what only it needed may go; its logs stay readable for a while.
    async fn ended(&self, task: &TaskId);

    /// Called now and then: rotates logs and forgets what is old. `live` are the tasks there are.
    async fn housekeeping(&self, live: &BTreeSet<TaskId>);
}

/// What the living processes of a task use.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TaskUsage {
    /// Seconds of processors used by their own code, and by those of their children that are gone.
    pub user_seconds: f64,
    /// Seconds of processors used by the system for them, and for those of their children that are gone.
    pub system_seconds: f64,
    /// Bytes of memory they hold.
    pub rss_bytes: f64,
}

/// A task with all it takes to start it.
#[derive(Clone, Debug)]
pub struct Launch {
    /// What was ordered.
    pub order: LaunchOrder,
    /// What its image stands for; `None` where the app names no image.
    pub artifact: Option<Artifact>,
    /// The app's environment, references to secrets resolved.
    pub env: ResolvedEnv,
}

/// An environment that may hold secrets and so does not print.
#[derive(Clone, Default)]
pub struct ResolvedEnv(pub BTreeMap<String, String>);

impl std::fmt::Debug for ResolvedEnv {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Why a task could not be started. The text becomes the task's message.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// There is nothing to run.
    #[error("the app has no `cmd`, and processes have no entry point of an image to fall back on")]
    NoCommand,
    /// Its directory could not be made ready.
    #[error("could not prepare the working directory `{path}`: {reason}")]
    Sandbox {
        /// Which directory.
        path: PathBuf,
        /// What happened.
        reason: String,
    },
    /// The system did not start it.
    #[error("could not start the command: {0}")]
    Spawn(std::io::Error),
}
