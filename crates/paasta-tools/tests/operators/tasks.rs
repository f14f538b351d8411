//! Tasks that are no processes: they run from the moment they are asked for, and end when they are told to.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use paasta_core::{LogStream, LogTail, TaskId, TaskLog};
use paasta_engine::state::{Exit, RunRef};
use paasta_engine::{Artifact, ArtifactError, Artifacts, Executor, Launch, LaunchError};
use tokio::sync::Notify;

/// Every image is an empty folder.
pub(crate) struct NoCode;

#[async_trait]
impl Artifacts for NoCode {
    async fn resolve(&self, _image: &str) -> Result<Artifact, ArtifactError> {
        Ok(Artifact::Shared("/".into()))
    }
}

/// Runs them.
#[derive(Default)]
pub(crate) struct Tasks(Mutex<HashMap<RunRef, Arc<Notify>>>);

impl Tasks {
    fn told(&self, run: &RunRef) -> Arc<Notify> {
        self.0.lock().unwrap().entry(run.clone()).or_default().clone()
    }
}

#[async_trait]
impl Executor for Tasks {
    async fn spawn(&self, launch: &Launch) -> Result<RunRef, LaunchError> {
        Ok(RunRef(launch.order.task.to_string()))
    }

    async fn gone(&self, _task: &TaskId, run: &RunRef) -> Exit {
        self.told(run).notified().await;
        Exit::Signal(15)
    }

    async fn kill(&self, _task: &TaskId, run: &RunRef, _grace: Duration) {
        self.told(run).notify_one();
    }

    async fn survey(&self, _known: &BTreeMap<TaskId, Option<RunRef>>) -> BTreeMap<TaskId, RunRef> {
        BTreeMap::new()
    }

    async fn probe_command(&self, _task: &TaskId, _run: &RunRef, _command: &str) -> Result<(), String> {
        Ok(())
    }

    async fn log(&self, _: &TaskId, _: LogStream, _: LogTail) -> io::Result<Option<TaskLog>> {
        Ok(None)
    }

    async fn ended(&self, _task: &TaskId) {}

    async fn housekeeping(&self, _live: &BTreeSet<TaskId>) {}
}
