//! An engine whose tasks run at once and do nothing, so that only the passes cost.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use paasta_core::{LogStream, TaskId};
use paasta_engine::state::{Exit, RunRef};
use paasta_engine::{
    Artifact, ArtifactError, Artifacts, Config, EngineServer, Executor, Launch, LaunchError, PortRange,
};

/// Starts an engine of idle tasks, with its state in `dir`.
pub(super) async fn start(dir: &Path) -> anyhow::Result<(EngineServer, SocketAddr)> {
    let mut config = Config::new(dir, Arc::new(Nothing));
    config.executor = Some(Arc::new(Idle));
    config.ports = PortRange::new(20_000, 60_000)?;
    let engine = EngineServer::start(config).await.context("could not start the engine")?;
    let address = engine.address();
    Ok((engine, address))
}

struct Nothing;

#[async_trait]
impl Artifacts for Nothing {
    async fn resolve(&self, _image: &str) -> Result<Artifact, ArtifactError> {
        Ok(Artifact::Directory(std::env::temp_dir()))
    }
}

struct Idle;

#[async_trait]
impl Executor for Idle {
    async fn spawn(&self, launch: &Launch) -> Result<RunRef, LaunchError> {
        Ok(RunRef(format!("{:?}", launch.order.task)))
    }

    async fn gone(&self, _task: &TaskId, _run: &RunRef) -> Exit {
        std::future::pending().await
    }

    async fn kill(&self, _task: &TaskId, _run: &RunRef, _grace: Duration) {}

    async fn survey(&self, _known: &BTreeMap<TaskId, Option<RunRef>>) -> BTreeMap<TaskId, RunRef> {
        BTreeMap::new()
    }

    async fn probe_command(&self, _task: &TaskId, _run: &RunRef, _command: &str) -> Result<(), String> {
        Ok(())
    }

    async fn log(&self, _: &TaskId, _: LogStream, _lines: usize) -> std::io::Result<Option<Vec<String>>> {
        Ok(None)
    }

    async fn ended(&self, _task: &TaskId) {}

    async fn housekeeping(&self, _live: &BTreeSet<TaskId>) {}
}
