//! Passes over many instances in one process, for `setup_marathon_job` and `deploy_marathon_services`.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::stream::{self, StreamExt};
use paasta_config::{CoordinationDriver, LoadError, Soa, SystemConfig, Wanted};
use paasta_core::{ClusterName, Counts, Fleet, Haste, InstanceId, Reading, SystemClock};
use paasta_drain::DrainTools;
use paasta_logs::FileHistory;
use paasta_marathon::{MarathonEngine, MarathonRenderer};
use paasta_mesos::leaving_hosts;
use paasta_setup::{Leave, Limits, Pass, PassReport, look, target};
use paasta_smartstack::{Asker, discovery, random_seeds};
use paasta_zookeeper::{Coordination, MapCounts, Options, ZkReader};
use tokio::task::spawn_blocking;

use crate::alerts::Alerts;
use crate::dry_run::Line;
use crate::plans::InstancePlan;
use crate::program;
use crate::service_log;

/// Instances worked on at one time.
pub const INSTANCES_AT_ONCE: usize = 16;

/// How long a change waits for room at its engine: nobody comes back to it before the next run.
const ROOM_PATIENCE: Duration = Duration::from_secs(60);

/// What all instances of one run share.
pub struct Passes {
    files: Arc<Files>,
    counts: Arc<dyn Counts>,
    pass: Pass,
    alerts: Alerts,
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
        coordination: &Coordination,
    ) -> anyhow::Result<Self> {
        let engine =
            MarathonEngine::from_system(system.map(), leaving_hosts(&system, Arc::new(ZkReader::default())))?
                .with_fence(&coordination.fence);
        let gate = engine.gate(system.marathon_deployments_max()?).with_patience(ROOM_PATIENCE);
        let drains = DrainTools::new(program, env!("CARGO_PKG_VERSION"))?;
        let drains = drains.with_hacheck_port(system.hacheck_port()?);
        let pass = Pass {
            engine: Arc::new(engine),
            renderer: Arc::new(MarathonRenderer::from_system(system.map())?),
            locks: coordination.locks.clone(),
            drains: Arc::new(drains),
            log: service_log::open(&system),
            clock: Arc::new(SystemClock),
            history: system.history_directory()?.map(|directory| Arc::new(FileHistory::new(directory)) as _),
            discovery: discovery(
                &system,
                Asker { program, version: env!("CARGO_PKG_VERSION") },
                random_seeds(),
            ),
            leave: Leave { fence: coordination.fence.clone(), gate: Arc::new(gate), ..Leave::default() },
            limits: Limits::default(),
        };
        Ok(Self { files: Arc::new(Files { soa, system }), counts, pass, alerts: Alerts::default() })
    }

    /// The same, and people are told how their instances fare.
    #[must_use]
    pub fn alerting(mut self) -> Self {
        // Read anew, as what is kept for the passes is kept for too long.
        let soa = Soa::new(self.files.soa.source().clone());
        self.alerts = Alerts::from_system(&soa, &self.files.system);
        self
    }

    /// Who tells people how their instances fare.
    pub fn alerts(&self) -> &Alerts {
        &self.alerts
    }

    /// One pass over each instance, over one listing of the engine. Tells `done` how each went, in the order in which
    /// they end; one that fails hinders no other.
    pub async fn run(
        &self,
        ids: &[InstanceId],
        haste: Haste,
        mut done: impl FnMut(&InstanceId, anyhow::Result<PassReport>),
    ) {
        let fleet = self.pass.engine.observe_all().await;
        let fleet = &fleet;
        let one = |id| async move { (id, self.one(id, fleet, haste).await) };
        let mut results = stream::iter(ids).map(one).buffer_unordered(INSTANCES_AT_ONCE);
        while let Some((id, result)) = results.next().await {
            self.alerts.pass_ended(id, &result);
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

    async fn one(&self, id: &InstanceId, fleet: &Fleet, haste: Haste) -> anyhow::Result<PassReport> {
        let mut pass = self.pass.clone();
        pass.leave.haste = haste;
        Ok(pass.run(&self.wanted(id).await?, Some(fleet)).await?)
    }

    /// What the passes work with.
    pub fn pass(&self) -> &Pass {
        &self.pass
    }

    /// What all Marathons list.
    ///
    /// # Errors
    /// There is none to ask.
    pub async fn listing(&self) -> anyhow::Result<Fleet> {
        let fleet = self.pass.engine.observe_all().await;
        if fleet.homes.is_empty() {
            return Err(anyhow::anyhow!("the system configuration names no Marathon server")
                .context(program::Hint("Set `marathon_servers` in the system configuration.".to_owned())));
        }
        Ok(fleet)
    }

    /// All that decides what runs for an instance.
    pub(crate) async fn wanted(&self, id: &InstanceId) -> anyhow::Result<Wanted> {
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
    // Somebody who names an instance waits for it.
    let haste = if asked == Asked::ByName { Haste::Urgent } else { Haste::Usual };
    passes
        .run(ids, haste, |id, result| match result {
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
    passes.alerts.flush();
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

/// Locks, counts and their fence, as the system configuration names them. Where it names nothing, that is told where
/// something is needed: most instances can be looked at without.
pub fn coordination(program: &str, system: &SystemConfig) -> anyhow::Result<Coordination> {
    let wanted = system.coordination()?;
    Ok(match (wanted.driver, wanted.directory) {
        (CoordinationDriver::File, Some(directory)) => Coordination::files(directory, program),
        (CoordinationDriver::File, None) => {
            Coordination::unavailable("system config key `coordination`: driver `file` needs a `directory`")
        }
        (CoordinationDriver::Zookeeper, _) => match system.zookeeper() {
            Ok(hosts) => Coordination::zookeeper(&hosts, program, Options::default())?,
            Err(error) => Coordination::unavailable(error.to_string()),
        },
    })
}

/// Autoscaled counts for dry runs from a file, else those of the cluster.
pub fn counts(file: Option<&Path>, coordination: &Coordination) -> anyhow::Result<Arc<dyn Counts>> {
    Ok(match file {
        Some(file) => Arc::new(MapCounts::read(file)?),
        None => coordination.counts.clone(),
    })
}
