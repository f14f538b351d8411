//! A whole cluster in this process: engine, hacheck, API and deployd.

use std::fs::File;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use paasta_api::ApiState;
use paasta_config::{Soa, SystemConfig};
use paasta_core::{ServiceName, SystemClock};
use paasta_deployd::{Daemon, Handle, NudgeListener, SetupPasses, Surroundings};
use paasta_engine::{Artifact, ArtifactError, Artifacts, EngineServer, SecretText, StartError};
use paasta_hacheck::Hacheck;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::checkout::{CheckoutError, Checkouts};
use super::layout::{Layout, write_pointer};
use super::system::{self, Addresses, Credentials};
use super::{LocalCluster, LocalError, Ports};

/// Seconds that parts get to end; what runs longer is abandoned.
const STOP_SECONDS_MAX: u64 = 6;

/// How a local cluster is to be.
#[derive(Clone, Debug)]
pub struct Options {
    /// soa-configs: one folder per service.
    pub soa_dir: PathBuf,
    /// Where it keeps what it knows.
    pub state_dir: PathBuf,
    /// Where all parts listen.
    pub listen: IpAddr,
    /// On which ports; 0 takes any.
    pub ports: Ports,
    /// Whose commands are to find it: the pointer file goes below this home.
    pub home: Option<PathBuf>,
    /// Environment that every task starts from.
    pub task_environment: Vec<(String, String)>,
}

/// A running local cluster. Dropping it ends it, and leaves its services running.
pub struct Running {
    layout: Layout,
    addresses: Addresses,
    engine: EngineServer,
    passes: SetupPasses,
    deployd: Handle,
    stop: watch::Sender<bool>,
    parts: JoinSet<Result<(), LocalError>>,
    _lock: File,
}

/// Starts a local cluster and gives it back when every part answers.
///
/// # Errors
/// [`LocalError`] names the part, port or path that could not be had; nothing is left running then.
pub async fn up(options: Options) -> Result<Running, LocalError> {
    let soa_dir = std::fs::canonicalize(&options.soa_dir)
        .and_then(|path| std::fs::read_dir(&path).map(|_| path))
        .map_err(|source| LocalError::SoaDir { path: options.soa_dir.clone(), source })?;
    let options = Options { soa_dir, ..options };
    let hold = Hold::take(&options.state_dir)?;
    let ears = Ears::bind(&options).await?;
    let base = Base::start(hold, options, ears.addresses()?).await?;
    base.converge(ears).await
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

/// Where commands are listened to: bound before anything begins, so that a busy port leaves all as it was.
struct Ears {
    api: TcpListener,
    nudge: NudgeListener,
}

/// The addresses of [`Ears`].
#[derive(Clone, Copy, Debug)]
pub(super) struct EarAddresses {
    pub(super) api: SocketAddr,
    pub(super) nudge: SocketAddr,
}

impl Ears {
    async fn bind(options: &Options) -> Result<Self, LocalError> {
        let at = |port| SocketAddr::new(options.listen, port);
        let api = bind("the API", "--api-port", at(options.ports.api)).await?;
        let address = at(options.ports.nudge);
        let nudge = NudgeListener::bind(address).await;
        let nudge = nudge.map_err(|source| port("deployd", "--nudge-port", address, source))?;
        Ok(Self { api, nudge })
    }

    fn addresses(&self) -> Result<EarAddresses, LocalError> {
        Ok(EarAddresses {
            api: self.api.local_addr().map_err(|error| part("the API", error))?,
            nudge: self.nudge.local_addr().map_err(|error| part("deployd", error))?,
        })
    }
}

/// Engine and hacheck alone: enough to stop services, or to build the rest on.
pub(super) struct Base {
    options: Options,
    layout: Layout,
    pub(super) engine: EngineServer,
    addresses: Addresses,
    daemon: Daemon,
    system: SystemConfig,
    stop: watch::Sender<bool>,
    parts: JoinSet<Result<(), LocalError>>,
    lock: File,
}

impl Base {
    pub(super) async fn start(hold: Hold, options: Options, ears: EarAddresses) -> Result<Self, LocalError> {
        let Hold { layout, lock } = hold;
        let at = |port| SocketAddr::new(options.listen, port);
        let listener = bind("hacheck", "--hacheck-port", at(options.ports.hacheck)).await?;
        let credentials = Credentials::generate().map_err(|error| part("the engine's lock", error))?;
        let engine = start_engine(&options, &layout, &credentials, at(options.ports.engine)).await?;
        let addresses = Addresses {
            api: ears.api,
            engine: engine.address(),
            hacheck: listener.local_addr().map_err(|error| part("hacheck", error))?,
            nudge: ears.nudge,
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
        let daemon = daemon(&layout, &system)?;
        Ok(Self { options, layout, engine, addresses, daemon, system, stop, parts, lock })
    }

    /// The passes that deployd would run.
    pub(super) fn passes(&self) -> SetupPasses {
        self.daemon.passes()
    }

    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Adds the API and deployd, and lets commands find the cluster.
    async fn converge(mut self, ears: Ears) -> Result<Running, LocalError> {
        let passes = self.daemon.passes();
        let state = api_state(&self.system, &passes, &self.options.soa_dir)?;
        let (stopped_api, stopped_deployd) = (stopped(&self.stop), stopped(&self.stop));
        let Ears { api, nudge } = ears;
        self.parts.spawn(async move {
            let router = paasta_api::router(state);
            paasta_api::serve(api, router, stopped_api).await.map_err(|error| part("the API", error))
        });
        let deployd = self.daemon.handle();
        let daemon = self.daemon.with_nudges(nudge);
        self.parts
            .spawn(async move { daemon.run(stopped_deployd).await.map_err(|error| part("deployd", error)) });
        if let Some(home) = &self.options.home {
            let cluster = LocalCluster {
                state_dir: self.layout.root().to_owned(),
                system_config_dir: self.layout.system_config_dir(),
                soa_dir: self.options.soa_dir.clone(),
            };
            write_pointer(home, &cluster)?;
        }
        Ok(Running {
            layout: self.layout,
            addresses: self.addresses,
            engine: self.engine,
            passes,
            deployd,
            stop: self.stop,
            parts: self.parts,
            _lock: self.lock,
        })
    }

    /// Ends it; services go on running.
    pub(super) async fn end(self) {
        self.stop.send_replace(true);
        end_parts(self.parts).await;
        self.engine.shutdown().await;
    }
}

impl Running {
    /// Where its parts listen.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Where it keeps what it knows.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// What its deployd is doing.
    pub fn deployd(&self) -> &Handle {
        &self.deployd
    }

    /// The passes that its deployd runs, for whoever wants to run one by hand.
    pub fn passes(&self) -> &SetupPasses {
        &self.passes
    }

    /// Waits until a part ends by itself, which none should, and says which.
    pub async fn broken(&mut self) -> LocalError {
        match self.parts.join_next().await {
            Some(Ok(Err(error))) => error,
            Some(Err(error)) => part("a part of the cluster", error),
            Some(Ok(Ok(()))) | None => {
                part("a part of the cluster", std::io::Error::other("it ended without being told to"))
            }
        }
    }

    /// Ends it within seconds; services go on running, and the next start takes them up.
    pub async fn stop(self) {
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
fn stopped(stop: &watch::Sender<bool>) -> impl Future<Output = ()> + Send + 'static {
    let mut stop = stop.subscribe();
    async move {
        // A sender that is gone wants no more work either.
        let _ = stop.wait_for(|stop| *stop).await;
    }
}

async fn bind(
    what: &'static str,
    option: &'static str,
    address: SocketAddr,
) -> Result<TcpListener, LocalError> {
    TcpListener::bind(address).await.map_err(|source| port(what, option, address, source))
}

fn port(what: &'static str, option: &'static str, address: SocketAddr, source: std::io::Error) -> LocalError {
    LocalError::Port { what, option, address, source }
}

fn part(what: &'static str, source: impl Into<anyhow::Error>) -> LocalError {
    LocalError::Part { what, source: source.into() }
}

async fn start_engine(
    options: &Options,
    layout: &Layout,
    credentials: &Credentials,
    listen: SocketAddr,
) -> Result<EngineServer, LocalError> {
    let checkouts = Arc::new(Checkouts::new(layout.checkouts(), remotes(options, layout)));
    let to_tidy = Arc::clone(&checkouts);
    // What cannot be tidied up is tidied up at the next start.
    let _ = tokio::task::spawn_blocking(move || to_tidy.tidy()).await;
    let mut config = paasta_engine::Config::new(layout.engine(), Arc::new(Images(checkouts)));
    config.listen = listen;
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
        Err(error) => Err(part("the engine", error)),
    }
}

/// Finds a service's git remote in soa-configs as they are then.
fn remotes(options: &Options, layout: &Layout) -> Box<super::checkout::RemoteOf> {
    let (soa_dir, system_config_dir) = (options.soa_dir.clone(), layout.system_config_dir());
    Box::new(move |service: &ServiceName| {
        let system = SystemConfig::load(&system_config_dir)
            .map_err(|error| format!("{:#}", anyhow::Error::new(error)))?;
        paasta_deployments::git_url(&Soa::open(&soa_dir), &system, service)
            .map_err(|error| format!("{:#}", anyhow::Error::new(error)))
    })
}

/// What the engine asks for images.
struct Images(Arc<Checkouts>);

#[async_trait]
impl Artifacts for Images {
    async fn resolve(&self, image: &str) -> Result<Artifact, ArtifactError> {
        let image = image.to_owned();
        match self.0.resolve(&image).await {
            Ok(path) => Ok(Artifact::Directory(path)),
            Err(error @ (CheckoutError::NotOurs { .. } | CheckoutError::NoRemote { .. })) => {
                Err(ArtifactError::NotFound { image, reason: error.to_string() })
            }
            Err(error) => Err(ArtifactError::Unavailable { image, reason: error.to_string() }),
        }
    }
}

fn daemon(layout: &Layout, system: &SystemConfig) -> Result<Daemon, LocalError> {
    let writer = paasta_logs::writer(system.map()).map_err(|error| part("the log", error))?;
    let log: Arc<dyn paasta_logs::LogWriter> = Arc::from(writer);
    let surroundings = Surroundings {
        system_config_dir: layout.system_config_dir(),
        soa_dir: None,
        log,
        clock: Arc::new(SystemClock),
    };
    Daemon::new(system, surroundings).map_err(|error| part("deployd", error))
}

fn api_state(system: &SystemConfig, passes: &SetupPasses, soa_dir: &Path) -> Result<ApiState, LocalError> {
    let cluster = system.cluster().context("system config").map_err(|error| part("the API", error))?;
    let pass = &passes.pass;
    Ok(ApiState {
        cluster,
        soa: Soa::open(soa_dir),
        system: system.clone(),
        renderer: pass.renderer.clone(),
        engine: pass.engine.clone(),
        drains: pass.drains.clone(),
        discovery: pass.discovery.clone(),
        limits: pass.limits,
        counts: passes.counts.clone(),
        clock: pass.clock.clone(),
    })
}
