//! An engine whose tasks run at once and do nothing, so that only the passes cost.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use paasta_engine::{Config, EmptyArtifacts, EngineServer, IdleExecutor, PortRange};

/// Starts an engine of idle tasks, with its state in `dir`.
pub(crate) async fn start(dir: &Path) -> anyhow::Result<(EngineServer, SocketAddr)> {
    let mut config = Config::new(dir, Arc::new(EmptyArtifacts));
    config.executor = Some(Arc::new(IdleExecutor::default()));
    config.ports = PortRange::new(20_000, 60_000)?;
    let engine = EngineServer::start(config).await.context("could not start the engine")?;
    let address = engine.address();
    Ok((engine, address))
}
