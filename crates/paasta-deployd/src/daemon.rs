//! deployd as a whole, put together from the system config.

use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use paasta_config::{CoordinationDriver, HostMaintenance, Soa, SystemConfig, SystemError};
use paasta_core::{Clock, Discovery, Engine, LogSink, SteadyClock};
use paasta_deployments::Limits;
use paasta_drain::{ClientError, DrainTools};
use paasta_logs::{FileHistory, host_name};
use paasta_marathon::{MarathonEngine, MarathonRenderer, RequestTallies, ServersError, SetUpError};
use paasta_mesos::leaving_hosts;
use paasta_setup::{Leave, OnceAMinute, Pass};
use paasta_smartstack::{Asker, discovery, random_seeds};
use paasta_zookeeper::{ConnectError, Coordination, Options, ZkQueue, ZkReader};
use tokio::time::Instant;

use crate::maintenance::EngineHosts;
use crate::pass_alerts;
use crate::zk_inbox::ZkInbox;
use crate::{
    ConfigFiles, CountChange, FileTallies, Handle, NudgeListener, OnceError, OnceLimits, PassAlerts, Ports,
    RunError, Settings, SettingsError, SetupPasses, SoaConfigs, SweepRoots, run, run_once,
};

/// After it was asked to end, passes and the session with ZooKeeper are over by then; alerts, the runtime and logs follow.
const END_PATIENCE: Duration = Duration::from_millis(4300);
/// ZooKeeper is waited for at the end at most, and at least, for so long: one that is well answers in milliseconds.
const CLOSE_PATIENCE_MAX: Duration = Duration::from_secs(1);
const CLOSE_PATIENCE_MIN: Duration = Duration::from_millis(400);

/// deployd, ready to run.
pub struct Daemon {
    handle: Handle,
    ports: Ports,
    passes: SetupPasses,
    coordination: Coordination,
    file_tallies: Arc<FileTallies>,
    engine_requests: RequestTallies,
    /// Held to the very end: what was not sent yet is waited for when nobody waits for this process any more.
    alerts: Option<Arc<dyn PassAlerts>>,
}

/// What the system config does not say.
pub struct Surroundings {
    /// Where the system config was read from.
    pub system_config_dir: PathBuf,
    /// Overrides the system config's `soa_dir`.
    pub soa_dir: Option<PathBuf>,
    /// Where lines for services' people go.
    pub log: Arc<dyn LogSink>,
    /// The wall clock. Waits are not measured by it.
    pub clock: Arc<dyn Clock>,
}

/// Why deployd cannot run here.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The system config lacks something, or is wrong.
    #[error("could not read the system config")]
    System(#[from] SystemError),
    /// A setting of deployd's own is wrong.
    #[error("could not read deployd's settings")]
    Settings(#[from] SettingsError),
    /// The Marathon servers are wrong.
    #[error("could not set up the engine")]
    Servers(#[from] ServersError),
    /// The engine's client cannot be had.
    #[error("could not set up the engine")]
    Engine(#[from] SetUpError),
    /// The client for draining cannot be had.
    #[error("could not set up the client for draining")]
    Drains(#[from] ClientError),
    /// There is no ZooKeeper to take part with.
    #[error("could not take part in this cluster (system config keys `zookeeper`, `coordination`)")]
    ZooKeeper(#[from] ConnectError),
    /// No place for locks.
    #[error("system config key `coordination`: driver `file` needs a `directory`")]
    NoDirectory,
}

/// A listing that hangs ends by its own limit, a little before the whole regeneration is given up: its error names
/// the remote.
fn limits(settings: &Settings) -> Limits {
    let seconds = settings.regeneration_seconds_max * 0.9;
    let listing = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    let usual = Limits::default();
    Limits { listing: listing.min(usual.listing), ..usual }
}

impl Daemon {
    /// Puts it together. What cannot be had yet is an error here rather than in each pass. Has to be called within a
    /// Tokio runtime where ZooKeeper coordinates the cluster.
    pub fn new(system: &SystemConfig, surroundings: Surroundings) -> Result<Self, DaemonError> {
        let soa_dir = match surroundings.soa_dir {
            Some(dir) => dir,
            None => system.soa_dir()?,
        };
        let system_config_dir = surroundings.system_config_dir;
        let settings = Settings::from_system(system.map())?;
        let coordination = coordination(system, &settings)?;
        let engine =
            MarathonEngine::from_system(system.map(), leaving_hosts(system, Arc::new(ZkReader::default())))?
                .with_fence(&coordination.leadership);
        let engine_requests = engine.request_tallies();
        let gate = Arc::new(engine.gate(system.marathon_deployments_max()?));
        let engine: Arc<dyn Engine> = Arc::new(engine);
        let drains = DrainTools::new("paasta-deployd", env!("CARGO_PKG_VERSION"))?
            .with_hacheck_port(system.hacheck_port()?);
        let wall = surroundings.clock;
        let steady: Arc<dyn Clock> = Arc::new(SteadyClock::from(wall.now()));
        let pass = Pass {
            engine: engine.clone(),
            renderer: Arc::new(MarathonRenderer::from_system(system.map())?),
            locks: coordination.locks.clone(),
            drains: Arc::new(drains),
            log: Arc::new(OnceAMinute::new(surroundings.log.clone())),
            clock: wall.clone(),
            history: system.history_directory()?.map(|directory| Arc::new(FileHistory::new(directory)) as _),
            discovery: load_balancers(system),
            leave: Leave { fence: coordination.leadership.clone(), gate, ..Leave::default() },
            limits: Default::default(),
        };
        let passes = SetupPasses::new(
            soa_dir.clone(),
            system_config_dir.clone(),
            coordination.counts.clone(),
            pass,
            steady.clone(),
        );
        let longest_wait =
            Duration::try_from_secs_f64(settings.failure_backoff_seconds_max).unwrap_or(Duration::MAX);
        let alerts = pass_alerts::from_system(Soa::open(&soa_dir), system, longest_wait, wall.clone());
        let full_sweep =
            Duration::try_from_secs_f64(settings.file_full_sweep_seconds).unwrap_or(Duration::MAX);
        let roots = SweepRoots { soa_dir: soa_dir.clone(), system_config_dir: system_config_dir.clone() };
        let files = Arc::new(ConfigFiles::new(roots).with_full_sweep_every(full_sweep));
        let file_tallies = files.tallies();
        let limits = limits(&settings);
        let configs = SoaConfigs::new(soa_dir, system_config_dir, limits, system)
            .with_fence(coordination.leadership.clone())
            .with_log(surroundings.log);
        let inbox = coordination.zookeeper.as_ref().filter(|_| settings.use_zk_queue).map(|zookeeper| {
            let queue = ZkQueue::new(zookeeper, ZkQueue::DEPLOYD);
            Arc::new(ZkInbox::new(queue, wall, steady.clone())) as _
        });
        let handle = Handle::new(settings, steady.clone());
        let maintenance = match system.host_maintenance()? {
            HostMaintenance::Mesos => {
                let leaving = leaving_hosts(system, Arc::new(ZkReader::default()));
                Some(Arc::new(EngineHosts { leaving, engine: engine.clone() }) as _)
            }
            HostMaintenance::None => None,
        };
        let ports = Ports {
            changes: engine.changes(),
            standing: coordination.election.stand(),
            counts: counts(&coordination),
            maintenance,
            inbox,
            alerts: alerts.clone(),
            ..Ports::new(steady, Arc::new(configs), Arc::new(passes.clone()), files)
        };
        Ok(Self { handle, ports, passes, coordination, file_tallies, engine_requests, alerts })
    }

    /// Lets it hear nudges.
    pub fn with_nudges(mut self, nudges: NudgeListener) -> Self {
        self.ports.nudges = Some(nudges);
        self
    }

    /// What others see of it while it runs.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// How its configuration files are being looked at.
    pub fn file_tallies(&self) -> Arc<FileTallies> {
        self.file_tallies.clone()
    }

    /// How its requests to the engine ended.
    pub fn engine_requests(&self) -> RequestTallies {
        self.engine_requests.clone()
    }

    /// Who tells people how passes ended, if anybody does; no longer than this daemon is there.
    pub fn alerts(&self) -> Option<Weak<dyn PassAlerts>> {
        self.alerts.as_ref().map(Arc::downgrade)
    }

    /// The passes that it runs, for whoever has to run one by hand.
    pub fn passes(&self) -> SetupPasses {
        self.passes.clone()
    }

    /// Runs it; see [`run`]. After `shutdown` it ends within 4.6 s, or 0.7 s after
    /// [`Settings::shutdown_seconds_max`] where that is more than 3.9 s, whoever is silent: the last 0.3 s are for alerts.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), RunError> {
        let asked = Asked::default();
        let ended = run(self.handle, self.ports, asked.note(shutdown)).await;
        close(&self.coordination, &asked).await;
        drop(self.alerts);
        ended
    }

    /// Runs it until everything has converged; see [`run_once`].
    ///
    /// # Errors
    /// Those of [`run_once`].
    pub async fn run_once(
        self,
        limits: OnceLimits,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), OnceError> {
        let asked = Asked::default();
        let ended = run_once(self.handle, self.ports, limits, asked.note(shutdown)).await;
        close(&self.coordination, &asked).await;
        drop(self.alerts);
        ended
    }
}

/// Who says which tasks get traffic.
fn load_balancers(system: &SystemConfig) -> Option<Arc<dyn Discovery>> {
    let asker = Asker { program: "paasta-deployd", version: env!("CARGO_PKG_VERSION") };
    discovery(system, asker, random_seeds())
}

/// When the end was asked for, if it was.
#[derive(Default)]
struct Asked(OnceLock<Instant>);

impl Asked {
    async fn note(&self, shutdown: impl Future<Output = ()> + Send) {
        shutdown.await;
        let _ = self.0.set(Instant::now());
    }
}

/// Gives up what is held in ZooKeeper, so that another one leads at once. A ZooKeeper that is silent finds out by itself
/// when the session times out.
async fn close(coordination: &Coordination, asked: &Asked) {
    let ago = asked.0.get().map_or(Duration::ZERO, Instant::elapsed);
    let patience = END_PATIENCE.saturating_sub(ago).clamp(CLOSE_PATIENCE_MIN, CLOSE_PATIENCE_MAX);
    if tokio::time::timeout(patience, coordination.close()).await.is_err() {
        tracing::warn!(
            ?patience,
            "ZooKeeper did not confirm the end of the session in time: another deployd leads once it has timed out"
        );
    }
}

/// What this process takes part in the cluster with.
fn coordination(system: &SystemConfig, settings: &Settings) -> Result<Coordination, DaemonError> {
    let written = system.coordination()?;
    match written.driver {
        CoordinationDriver::File => {
            let directory = written.directory.ok_or(DaemonError::NoDirectory)?;
            Ok(Coordination::files(directory, host_name()))
        }
        CoordinationDriver::Zookeeper => {
            let seconds = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
            let mut options = Options::with_session_timeout(seconds(settings.session_timeout_seconds));
            if let Some(margin) = settings.session_margin_seconds {
                options.margin = seconds(margin);
            }
            Ok(Coordination::zookeeper(&system.zookeeper()?, host_name(), options)?)
        }
    }
}

fn counts(coordination: &Coordination) -> BoxStream<'static, CountChange> {
    let changes = coordination.count_changes.changes().map(|change| match change {
        paasta_zookeeper::CountChange::Of(instance) => CountChange::Of(instance),
        paasta_zookeeper::CountChange::Missed(reason) => {
            tracing::debug!(%reason, "autoscaled counts are read again");
            CountChange::Lost
        }
    });
    changes.boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_hangs_at_the_end_the_process_ends_within_five_seconds() {
        let passes = Duration::from_secs_f64(Settings::default().shutdown_seconds_max);
        assert!(passes + CLOSE_PATIENCE_MIN <= END_PATIENCE);
        // What the program waits for besides: the runtime, and the last lines of logs.
        let program = Duration::from_millis(100 + 200);
        assert!(END_PATIENCE + pass_alerts::END_PATIENCE + program <= Duration::from_millis(4900));
    }
}
