//! deployd as a whole, put together from the system config.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use paasta_config::{Coordination, CoordinationDriver, SystemConfig, SystemError};
use paasta_core::{Clock, Counts, Engine, Locks, LogSink, SteadyClock};
use paasta_deployments::Limits;
use paasta_drain::{ClientError, DrainTools};
use paasta_logs::FileHistory;
use paasta_marathon::{MarathonEngine, MarathonRenderer, ServersError, SetUpError};
use paasta_setup::{OnceAMinute, Pass};
use paasta_zookeeper::{FileCounts, FileLocks};

use crate::{
    FileSweep, Handle, NudgeListener, Ports, RunError, Settings, SettingsError, SetupPasses, SoaConfigs,
    SweepRoots, run,
};

/// deployd, ready to run.
pub struct Daemon {
    handle: Handle,
    ports: Ports,
    passes: SetupPasses,
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
    /// Locks and leadership are ZooKeeper's here, which cannot be had yet.
    #[error(
        "could not take part in this cluster: it is coordinated by ZooKeeper, which deployd cannot speak with yet \
         (system config key `coordination`: only driver `file` is known)"
    )]
    ZooKeeper,
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
    /// Puts it together. What cannot be had yet is an error here rather than in each pass.
    pub fn new(system: &SystemConfig, surroundings: Surroundings) -> Result<Self, DaemonError> {
        let soa_dir = match surroundings.soa_dir {
            Some(dir) => dir,
            None => system.soa_dir()?,
        };
        let system_config_dir = surroundings.system_config_dir;
        let directory = directory(system.coordination()?)?;
        let settings = Settings::from_system(system.map())?;
        let engine: Arc<dyn Engine> = Arc::new(MarathonEngine::from_system(system.map())?);
        let drains = DrainTools::new("paasta-deployd", env!("CARGO_PKG_VERSION"))?
            .with_hacheck_port(system.hacheck_port()?);
        let steady: Arc<dyn Clock> = Arc::new(SteadyClock::from(surroundings.clock.now()));
        let pass = Pass {
            engine: engine.clone(),
            renderer: Arc::new(MarathonRenderer::from_system(system.map())?),
            locks: locks(&directory),
            drains: Arc::new(drains),
            log: Arc::new(OnceAMinute::new(surroundings.log)),
            clock: surroundings.clock,
            history: system.history_directory()?.map(|directory| Arc::new(FileHistory::new(directory)) as _),
            discovery: None,
            limits: Default::default(),
        };
        let passes = SetupPasses::new(
            soa_dir.clone(),
            system_config_dir.clone(),
            counts(&directory),
            pass,
            steady.clone(),
        );
        let limits = limits(&settings);
        let configs = SoaConfigs::new(soa_dir.clone(), system_config_dir.clone(), limits, system);
        let handle = Handle::new(settings, steady.clone());
        let ports = Ports {
            clock: steady,
            configs: Arc::new(configs),
            passes: Arc::new(passes.clone()),
            changes: engine.changes(),
            sweep: FileSweep::new(SweepRoots { soa_dir, system_config_dir }),
            nudges: None,
        };
        Ok(Self { handle, ports, passes })
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

    /// The passes that it runs, for whoever has to run one by hand.
    pub fn passes(&self) -> SetupPasses {
        self.passes.clone()
    }

    /// Runs it; see [`run`].
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), RunError> {
        run(self.handle, self.ports, shutdown).await
    }
}

fn directory(coordination: Coordination) -> Result<PathBuf, DaemonError> {
    match coordination.driver {
        CoordinationDriver::Zookeeper => Err(DaemonError::ZooKeeper),
        CoordinationDriver::File => coordination.directory.ok_or(DaemonError::NoDirectory),
    }
}

fn locks(directory: &Path) -> Arc<dyn Locks> {
    Arc::new(FileLocks::new(directory))
}

fn counts(directory: &Path) -> Arc<dyn Counts> {
    Arc::new(FileCounts::new(directory))
}
