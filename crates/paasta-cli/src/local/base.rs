//! Engine and hacheck in this process: enough to stop services, or to build the rest of a cluster on.

use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use paasta_config::SystemConfig;
use paasta_core::SystemClock;
use paasta_deployd::{Daemon, SetupPasses, Surroundings};
use paasta_engine::{EngineServer, SecretText, StartError};
use paasta_hacheck::Hacheck;
use paasta_logs::Actor;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::LocalError;
use super::checkout::Checkouts;
use super::images::{Images, remotes};
use super::layout::Layout;
use super::system::{self, Addresses, Credentials};
use super::up::Options;

/// Seconds that requests under way get to end; what takes longer is cut off.
const STOP_SECONDS_MAX: u64 = 2;

/// The addresses of the API, of deployd's ear and of HAProxy.
#[derive(Clone, Copy, Debug)]
pub(super) struct EarAddresses {
    pub(super) api: SocketAddr,
    pub(super) nudge: SocketAddr,
    pub(super) proxy_stats: Option<SocketAddr>,
}

/// The state directory, and the lock that makes it ours.
pub(super) struct Hold {
    layout: Layout,
    lock: File,
}

impl Hold {
    pub(super) fn take(state_dir: &Path) -> Result<Self, LocalError> {
        let layout = Layout::of(state_dir)?;
        layout.make()?;
        let lock = layout.lock()?;
        Ok(Self { layout, lock })
    }
}

/// Engine and hacheck alone: enough to stop services, or to build the rest on.
pub(super) struct Base {
    layout: Layout,
    pub(super) engine: EngineServer,
    addresses: Addresses,
    system: SystemConfig,
    stop: watch::Sender<bool>,
    parts: JoinSet<Result<(), LocalError>>,
    actor: Actor,
    _lock: File,
}

impl Base {
    pub(super) async fn start(hold: Hold, options: &Options, ears: EarAddresses) -> Result<Self, LocalError> {
        let Hold { layout, lock } = hold;
        let at = |port| SocketAddr::new(options.listen, port);
        let listener = bind("hacheck", "--hacheck-port", at(options.ports.hacheck)).await?;
        let credentials = Credentials::generate().map_err(|error| part("the engine's lock", error))?;
        let engine = start_engine(options, &layout, &credentials, at(options.ports.engine)).await?;
        let addresses = Addresses {
            api: ears.api,
            engine: engine.address(),
            hacheck: listener.local_addr().map_err(|error| part("hacheck", error))?,
            nudge: ears.nudge,
            proxy_stats: ears.proxy_stats,
        };
        let config = system::system_config(&layout, &options.soa_dir, &addresses, &credentials);
        system::write(&layout, &config)?;
        let loaded = SystemConfig::load(layout.system_config_dir());
        let system = loaded.map_err(|error| part("the cluster", error))?;
        let (stop, _) = watch::channel(false);
        let mut parts = JoinSet::new();
        let hacheck = Hacheck::builder(layout.hacheck_spool())
            .allow_remote_spool_changes(true)
            .build()
            .map_err(|error| part("hacheck", error))?;
        let stopped = stopped(&stop);
        parts.spawn(async move {
            hacheck.serve_until(listener, stopped).await.map_err(|error| part("hacheck", error))
        });
        let actor = options.actor.clone();
        Ok(Self { layout, engine, addresses, system, stop, parts, actor, _lock: lock })
    }

    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(super) fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    pub(super) fn system(&self) -> &SystemConfig {
        &self.system
    }

    /// A deployd for this cluster, which does not run yet.
    pub(super) fn daemon(&self) -> Result<Daemon, LocalError> {
        let writer = paasta_logs::writer(self.system.map(), self.actor.clone())
            .map_err(|error| part("the log", error))?;
        let log: Arc<dyn paasta_logs::LogWriter> = Arc::from(writer);
        let surroundings = Surroundings {
            system_config_dir: self.layout.system_config_dir(),
            soa_dir: None,
            log,
            clock: Arc::new(SystemClock),
        };
        Daemon::new(&self.system, surroundings).map_err(|error| part("deployd", error))
    }

    /// The passes that deployd would run.
    pub(super) fn passes(&self) -> Result<SetupPasses, LocalError> {
        Ok(self.daemon()?.passes())
    }

    /// Resolves when the cluster ends.
    pub(super) fn stopped(&self) -> impl Future<Output = ()> + Send + use<> {
        stopped(&self.stop)
    }

    /// Adds a part that ends when [`Base::stopped`] resolves.
    pub(super) fn add(&mut self, running: impl Future<Output = Result<(), LocalError>> + Send + 'static) {
        self.parts.spawn(running);
    }

    /// Waits until a part ends by itself, which none should, and says which.
    pub(super) async fn broken(&mut self) -> LocalError {
        match self.parts.join_next().await {
            Some(Ok(Err(error))) => error,
            Some(Err(error)) => part("a part of the cluster", error),
            Some(Ok(Ok(()))) | None => {
                part("a part of the cluster", std::io::Error::other("it ended without being told to"))
            }
        }
    }

    /// Ends it; services go on running.
    pub(super) async fn end(self) {
        self.stop.send_replace(true);
        end_parts(self.parts).await;
        self.engine.shutdown().await;
    }
}

async fn end_parts(mut parts: JoinSet<Result<(), LocalError>>) {
    let all = async { while parts.join_next().await.is_some() {} };
    if tokio::time::timeout(Duration::from_secs(STOP_SECONDS_MAX), all).await.is_err() {
        tracing::warn!("some requests were cut off");
        parts.shutdown().await;
    }
}

/// Resolves when the cluster is told to stop.
pub(super) fn stopped(stop: &watch::Sender<bool>) -> impl Future<Output = ()> + Send + use<> {
    let mut stop = stop.subscribe();
    async move {
        // A sender that is gone wants no more work either.
        let _ = stop.wait_for(|stop| *stop).await;
    }
}

pub(super) async fn bind(
    what: &'static str,
    option: &'static str,
    address: SocketAddr,
) -> Result<TcpListener, LocalError> {
    TcpListener::bind(address).await.map_err(|source| port(what, option, address, source))
}

pub(super) fn port(
    what: &'static str,
    option: &'static str,
    address: SocketAddr,
    source: std::io::Error,
) -> LocalError {
    LocalError::Port { what, option, address, source }
}

pub(super) fn part(what: &'static str, source: impl Into<anyhow::Error>) -> LocalError {
    LocalError::Part { what, source: source.into() }
}

async fn start_engine(
    options: &Options,
    layout: &Layout,
    credentials: &Credentials,
    listen: SocketAddr,
) -> Result<EngineServer, LocalError> {
    let remotes = remotes(options.soa_dir.clone(), layout.system_config_dir());
    let checkouts = Arc::new(Checkouts::new(layout.checkouts(), remotes));
    let to_tidy = Arc::clone(&checkouts);
    // What cannot be tidied up is tidied up at the next start.
    let _ = tokio::task::spawn_blocking(move || to_tidy.tidy()).await;
    let mut config = paasta_engine::Config::new(layout.engine(), Arc::new(Images(checkouts)));
    config.listen = listen;
    config.ports = options.task_ports;
    config.token = Some(SecretText::new(credentials.password.clone()));
    config.host = system::reachable(listen).ip().to_string();
    if !options.task_environment.is_empty() {
        config.base_env = options.task_environment.clone();
    }
    match EngineServer::start(config).await {
        Ok(engine) => Ok(engine),
        Err(StartError::Listen { address, source }) => {
            Err(port("the engine", "--engine-port", address, source))
        }
        Err(source) if source.is_unreadable_state() => Err(LocalError::EngineState { source }),
        Err(error) => Err(part("the engine", error)),
    }
}
