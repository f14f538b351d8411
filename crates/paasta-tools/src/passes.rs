//! Passes over many instances in one process, for `setup_marathon_job` and `deploy_marathon_services`.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use futures_util::stream::{self, StreamExt};
use paasta_config::{CoordinationDriver, LoadError, Soa, SystemConfig, Wanted};
use paasta_core::{ClusterName, Counts, Fleet, InstanceId, Locks, LogRecord, LogSink, Reading, SystemClock};
use paasta_drain::DrainTools;
use paasta_logs::{FileHistory, LogWriter};
use paasta_marathon::{MarathonEngine, MarathonRenderer};
use paasta_setup::{Limits, Pass, PassReport, look, target};
use paasta_zookeeper::{FileCounts, FileLocks, MapCounts, Unavailable};
use tokio::task::spawn_blocking;

use crate::dry_run::Line;
use crate::plans::InstancePlan;
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
            history: system.history_directory()?.map(|directory| Arc::new(FileHistory::new(directory)) as _),
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

    /// What one pass over each instance would do, over one listing of the engine; changes nothing and takes no lock.
    /// Tells `done` of each, in the order in which they end.
    pub async fn plan(
        &self,
        ids: &[InstanceId],
        mut done: impl FnMut(&InstanceId, anyhow::Result<InstancePlan>),
    ) {
        let fleet = self.pass.engine.observe_all().await;
        let fleet = &fleet;
        let one = |id| async move { (id, self.plan_one(id, fleet).await) };
        let mut results = stream::iter(ids).map(one).buffer_unordered(INSTANCES_AT_ONCE);
        while let Some((id, result)) = results.next().await {
            done(id, result);
        }
    }

    async fn plan_one(&self, id: &InstanceId, fleet: &Fleet) -> anyhow::Result<InstancePlan> {
        let wanted = self.wanted(id).await?;
        let target = target(&wanted, self.pass.renderer.as_ref(), self.pass.drains.as_ref())?;
        let sighting = fleet.of(id, target.rendered.homes.all());
        if let Some(what) = sighting.unknown() {
            anyhow::bail!("instance `{id}`: could not see what runs: {what}");
        }
        let pass = &self.pass;
        let look = look(sighting, &target, pass.discovery.as_deref(), &pass.limits, pass.clock.now()).await;
        Ok(InstancePlan {
            instance: id.clone(),
            app: target.desired.app,
            actions: look.actions,
            why: look.why,
        })
    }

    async fn one(&self, id: &InstanceId, fleet: &Fleet) -> anyhow::Result<PassReport> {
        Ok(self.pass.run(&self.wanted(id).await?, Some(fleet)).await?)
    }

    async fn wanted(&self, id: &InstanceId) -> anyhow::Result<Wanted> {
        let (files, instance) = (Arc::clone(&self.files), id.clone());
        let unread = Reading::Unknown("it was not asked for".to_owned());
        let read = move || {
            let wanted = files.soa.wanted(&instance, &files.system, unread)?;
            tell_missing_signatures(&files.soa, &wanted);
            Ok::<_, LoadError>(wanted)
        };
        let wanted = spawn_blocking(read).await?;
        let mut wanted = wanted.with_context(|| format!("could not load instance `{id}`"))?;
        if wanted.instance().is_autoscaled() {
            wanted.autoscaled_count = self.counts.count(id).await;
        }
        Ok(wanted)
    }
}

/// Warns of secrets that reach the hash as null (config.md §6.4).
pub(crate) fn tell_missing_signatures(soa: &Soa, wanted: &Wanted) {
    for missing in soa.missing_signatures(wanted) {
        tracing::warn!(instance = %wanted.id, "{missing}");
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

/// Prints what one pass over each instance would do; whether that could be said of all. Those that are not deployed are
/// left out.
pub async fn plan_and_tell(passes: &Passes, ids: &[InstanceId], json: bool) -> bool {
    let mut good = true;
    passes
        .plan(ids, |id, result| match result {
            Ok(plan) if json => {
                let line = serde_json::to_string(&plan).unwrap_or_else(|error| error.to_string());
                program::tell(&format!("{line}\n"));
            }
            Ok(plan) => program::tell(&format!("{plan}\n")),
            Err(error) if is_not_deployed(&error) => tracing::info!(instance = %id, "not deployed yet"),
            Err(error) => {
                good = false;
                eprintln!("{}\n", program::advice(id.service(), &error));
            }
        })
        .await;
    good
}

/// Says on stderr how far a pass over all instances reaches, before anything is changed.
pub fn tell_radius(ids: &[InstanceId], cluster: &ClusterName) {
    let services: BTreeSet<_> = ids.iter().map(InstanceId::service).collect();
    let of = |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
    eprintln!(
        "one pass over {} of {} in {cluster}",
        of(ids.len(), "instance"),
        of(services.len(), "service")
    );
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
    program::tell(&format!("{line}\n"));
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
