//! Tasks that are only written down.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use paasta_core::{LogStream, LogTail, TaskId, TaskLog};
use tokio::sync::watch;

use super::{Executor, Launch, LaunchError};
use crate::state::{Exit, RunRef};

/// Keeps tasks as running and healthy without any process, for load tests: every launch succeeds at once, every check
/// is passed without being made, and a task ends when it is killed.
///
/// ```
/// use std::sync::Arc;
///
/// use paasta_engine::{Config, DirectoryArtifacts, IdleExecutor};
///
/// let mut config = Config::new("/tmp/engine", Arc::new(DirectoryArtifacts::new("/tmp")));
/// config.executor = Some(Arc::new(IdleExecutor::default()));
/// ```
#[derive(Debug, Default)]
pub struct IdleExecutor {
    /// Per task, whether it was killed.
    killed: Mutex<BTreeMap<TaskId, watch::Sender<bool>>>,
}

impl IdleExecutor {
    fn killed(&self) -> MutexGuard<'_, BTreeMap<TaskId, watch::Sender<bool>>> {
        self.killed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Executor for IdleExecutor {
    async fn spawn(&self, launch: &Launch) -> Result<RunRef, LaunchError> {
        Ok(RunRef(launch.order.task.to_string()))
    }

    async fn gone(&self, task: &TaskId, _run: &RunRef) -> Exit {
        let mut killed = self.killed().entry(task.clone()).or_default().subscribe();
        // The sender goes only after the end was told.
        let _ = killed.wait_for(|killed| *killed).await;
        Exit::Unknown
    }

    async fn kill(&self, task: &TaskId, _run: &RunRef, _grace: Duration) {
        self.killed().entry(task.clone()).or_default().send_replace(true);
    }

    /// Everything that was ever started still runs.
    async fn survey(&self, known: &BTreeMap<TaskId, Option<RunRef>>) -> BTreeMap<TaskId, RunRef> {
        known.iter().filter_map(|(task, run)| Some((task.clone(), run.clone()?))).collect()
    }

    async fn probe_command(&self, _task: &TaskId, _run: &RunRef, _command: &str) -> Result<(), String> {
        Ok(())
    }

    fn passes_checks(&self) -> bool {
        true
    }

    async fn log(&self, _: &TaskId, _: LogStream, _: LogTail) -> std::io::Result<Option<TaskLog>> {
        Ok(None)
    }

    async fn ended(&self, task: &TaskId) {
        self.killed().remove(task);
    }

    async fn housekeeping(&self, _live: &BTreeSet<TaskId>) {}
}
