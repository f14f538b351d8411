//! Passes over many instances in one process, for `setup_marathon_job` and `deploy_marathon_services`.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use futures_util::stream::{self, StreamExt};
use paasta_config::{CoordinationDriver, Soa, SystemConfig};
use paasta_core::{Counts, InstanceId, Locks, LogRecord, LogSink, SystemClock};
use paasta_drain::DrainTools;
use paasta_logs::LogWriter;
use paasta_marathon::{MarathonEngine, MarathonRenderer};
use paasta_setup::{Limits, Pass, PassReport};
use paasta_zookeeper::{FileCounts, FileLocks, MapCounts, Unavailable};

use crate::program;

/// Instances worked on at one time.
pub const INSTANCES_AT_ONCE: usize = 16;

/// What all instances of one run share.
pub struct Passes {
    soa: Soa,
    system: SystemConfig,
    counts: Arc<dyn Counts>,
    pass: Pass,
}

impl std::fmt::Debug for Passes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Passes").field("soa", &self.soa).finish_non_exhaustive()
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
        Ok(Self { soa, system, counts, pass })
    }

    /// One pass over each instance, over one listing of the engine. Tells `done` how each went, in the order in which
    /// they end; one that fails hinders no other. An instance that is not deployed yet is left out.
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
            match result {
                Ok(Some(report)) => done(id, Ok(report)),
                Ok(None) => tracing::info!(instance = %id, "not deployed yet"),
                Err(error) => done(id, Err(error)),
            }
        }
    }

    async fn one(&self, id: &InstanceId, fleet: &paasta_core::Fleet) -> anyhow::Result<Option<PassReport>> {
        let wanted = match self.soa.wanted(id, &self.system, self.counts.count(id).await) {
            Ok(wanted) => wanted,
            Err(error) if error.is_no_deployments() => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("could not load instance `{id}`")),
        };
        Ok(Some(self.pass.run(&wanted, Some(fleet)).await?))
    }
}

/// Runs one pass over each instance and prints how each went; whether all went well.
pub async fn run_and_tell(passes: &Passes, ids: &[InstanceId], json: bool) -> bool {
    let mut good = true;
    passes
        .run(ids, |_, result| match result {
            Ok(report) => {
                good &= report.problems.is_empty();
                tell(&report, json);
            }
            Err(error) => {
                good = false;
                eprintln!("{}\n", program::paragraph(&error));
            }
        })
        .await;
    good
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
