//! Passes over many instances in one process, for `setup_marathon_job` and `deploy_marathon_services`.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use futures_util::stream::{self, StreamExt};
use paasta_config::{CoordinationDriver, LoadError, Soa, SystemConfig};
use paasta_core::{Counts, InstanceId, Locks, LogRecord, LogSink, SystemClock};
use paasta_drain::DrainTools;
use paasta_logs::LogWriter;
use paasta_marathon::{MarathonEngine, MarathonRenderer};
use paasta_setup::{Limits, Pass, PassReport};
use paasta_zookeeper::{FileCounts, FileLocks, MapCounts, Unavailable};
use tokio::task::spawn_blocking;

use crate::dry_run::Line;
use crate::program;

/// Instances worked on at one time.
pub const INSTANCES_AT_ONCE: usize = 16;

/// What all instances of one run share.
pub struct Passes {
    files: Arc<Files>,
    counts: Arc<dyn Counts>,
    pass: Pass,
}

/// What instances are loaded from.
struct Files {
    soa: Soa,
    system: SystemConfig,
}

impl std::fmt::Debug for Passes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Passes").field("soa", &self.files.soa).finish_non_exhaustive()
    }
}

impl Passes {
    /// Over the Marathon servers, locks and counts of the system configuration.
    pub fn from_system(
        program: &str,
        soa: Soa,
        system: SystemConfig,
        counts: Arc<dyn Counts>,
    ) -> anyhow::Result<Self> {
        let engine = MarathonEngine::from_system(system.map())?;
        let drains = DrainTools::new(program, env!("CARGO_PKG_VERSION"))?;
        let drains = drains.with_hacheck_port(system.hacheck_port()?);
        let pass = Pass {
            engine: Arc::new(engine),
            renderer: Arc::new(MarathonRenderer::from_system(system.map())?),
            locks: locks(&system)?,
            drains: Arc::new(drains),
            log: log(&system),
            clock: Arc::new(SystemClock),
            discovery: None,
            limits: Limits::default(),
        };
        Ok(Self { files: Arc::new(Files { soa, system }), counts, pass })
    }

    /// One pass over each instance, over one listing of the engine. Tells `done` how each went, in the order in which
    /// they end; one that fails hinders no other.
    pub async fn run(
        &self,
        ids: &[InstanceId],
        mut done: impl FnMut(&InstanceId, anyhow::Result<PassReport>),
    ) {
        let fleet = self.pass.engine.observe_all().await;
        let fleet = &fleet;
        let one = |id| async move { (id, self.one(id, fleet).await) };
        let mut results = stream::iter(ids).map(one).buffer_unordered(INSTANCES_AT_ONCE);
        while let Some((id, result)) = results.next().await {
            done(id, result);
        }
    }

    async fn one(&self, id: &InstanceId, fleet: &paasta_core::Fleet) -> anyhow::Result<PassReport> {
        let count = self.counts.count(id).await;
        let (files, instance) = (Arc::clone(&self.files), id.clone());
        let wanted = spawn_blocking(move || files.soa.wanted(&instance, &files.system, count)).await?;
        let wanted = wanted.with_context(|| format!("could not load instance `{id}`"))?;
        Ok(self.pass.run(&wanted, Some(fleet)).await?)
    }
}

/// Whether instances were asked for one by one: then one that is not deployed is an error, else it is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// By name.
    ByName,
    /// All there are.
    ForAll,
}

/// Runs one pass over each instance and prints how each went; whether all went well.
pub async fn run_and_tell(passes: &Passes, ids: &[InstanceId], asked: Asked, json: bool) -> bool {
    let mut good = true;
    passes
        .run(ids, |id, result| match result {
            Ok(report) => {
                good &= report.problems.is_empty();
                tell(&report, json);
            }
            Err(error) if asked == Asked::ForAll && is_not_deployed(&error) => {
                tracing::info!(instance = %id, "not deployed yet");
            }
            Err(error) => {
                good = false;
                eprintln!("{}\n", program::advice(id.service(), &error));
            }
        })
        .await;
    good
}

fn is_not_deployed(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.downcast_ref().is_some_and(LoadError::is_no_deployments))
}

/// Says which services could not be listed; whether there are none.
pub fn tell_unlisted(lines: &[Line]) -> bool {
    for line in lines {
        let reason = line.error.as_ref().map(|error| error.message.as_str()).unwrap_or_default();
        let service = &line.service;
        eprintln!(
            "error: could not list the instances of `{service}`\n  caused by: {reason}\n\n\
             hint: Run `paasta validate -s {service}` in the soa-configs to check every file of the service.\n"
        );
    }
    lines.is_empty()
}

/// One line on stdout; a closed pipe is nobody's failure.
fn tell(report: &PassReport, json: bool) {
    let line = match json {
        true => serde_json::to_string(report).unwrap_or_else(|error| error.to_string()),
        false => format!("{}: {}", report.instance, report.why),
    };
    let _ = writeln!(std::io::stdout(), "{line}");
    for problem in &report.problems {
        eprintln!("error: instance `{}`: {problem}", report.instance);
    }
}

/// Autoscaled counts: from a file for dry runs, else from what the system configuration names.
pub fn counts(file: Option<&Path>, system: &SystemConfig) -> anyhow::Result<Arc<dyn Counts>> {
    if let Some(file) = file {
        return Ok(Arc::new(MapCounts::read(file)?));
    }
    let coordination = system.coordination()?;
    Ok(match (coordination.driver, coordination.directory) {
        (CoordinationDriver::File, Some(directory)) => Arc::new(FileCounts::new(directory)),
        _ => Arc::new(Unavailable::zookeeper(&zookeeper(system))),
    })
}

fn locks(system: &SystemConfig) -> anyhow::Result<Arc<dyn Locks>> {
    let coordination = system.coordination()?;
    Ok(match (coordination.driver, coordination.directory) {
        (CoordinationDriver::File, Some(directory)) => Arc::new(FileLocks::new(directory)),
        _ => Arc::new(Unavailable::zookeeper(&zookeeper(system))),
    })
}

fn zookeeper(system: &SystemConfig) -> String {
    system.zookeeper().unwrap_or_else(|_| "(not configured)".to_owned())
}

/// What the system configuration asks for. A log that cannot be written stops nobody: its lines go to stderr.
fn log(system: &SystemConfig) -> Arc<dyn LogSink> {
    match paasta_logs::writer(system.map()) {
        Ok(writer) => Arc::<dyn LogWriter>::from(writer),
        Err(error) => {
            tracing::warn!(%error, "service logs go to stderr");
            Arc::new(StderrLog)
        }
    }
}

/// Service log lines as log lines of this program.
struct StderrLog;

impl LogSink for StderrLog {
    fn log(&self, record: &LogRecord) {
        let instance = record.instance.as_deref().unwrap_or("N/A");
        tracing::info!(service = %record.service, instance, "{}", record.message);
    }
}
