//! A whole cluster in this process: engine, hacheck, API and deployd.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use paasta_api::ApiState;
use paasta_config::{Soa, SystemConfig};
use paasta_deployd::{Handle, NudgeListener, SetupPasses};
use paasta_engine::PortRange;
use paasta_logs::Actor;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::base::{Base, EarAddresses, Hold, bind, part, port, stopped};
use super::down::purge;
use super::layout::{Layout, write_pointer};
use super::proxy::{self, Following, ProxyOptions, stats_address};
use super::system::Addresses;
use super::{LocalCluster, LocalError, Ports};

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
    /// Ports that services get.
    pub task_ports: PortRange,
    /// Whose commands are to find it: the pointer file goes below this home.
    pub home: Option<PathBuf>,
    /// Environment that every task starts from.
    pub task_environment: Vec<(String, String)>,
    /// A HAProxy before the services that have a `proxy_port`.
    pub proxy: Option<ProxyOptions>,
    /// Who answers for what it changes.
    pub actor: Actor,
}

/// A running local cluster. Dropping it ends it, and leaves its services running.
pub struct Running {
    base: Base,
    passes: SetupPasses,
    deployd: Handle,
    deployd_stop: watch::Sender<bool>,
    deployd_task: AbortOnDrop,
}

/// Starts a local cluster and gives it back when every part answers.
///
/// # Errors
/// [`LocalError`] names the part, port or path that could not be had; nothing is left running then.
///
/// ```no_run
/// use paasta_cli::local::{DEFAULT_PORTS, Options, up};
///
/// # async fn start() -> Result<(), paasta_cli::local::LocalError> {
/// let running = up(Options {
///     soa_dir: "soa-configs".into(),
///     state_dir: "state".into(),
///     listen: [127, 0, 0, 1].into(),
///     ports: DEFAULT_PORTS,
///     task_ports: paasta_engine::PortRange::default(),
///     home: None,
///     task_environment: Vec::new(),
///     proxy: None,
///     actor: paasta_logs::Actor::of_this_process(|_| None),
/// })
/// .await?;
/// println!("the API answers at {}", running.addresses().api);
/// running.stop().await;
/// # Ok(())
/// # }
/// ```
pub async fn up(options: Options) -> Result<Running, LocalError> {
    let soa_dir = std::fs::canonicalize(&options.soa_dir)
        .and_then(|path| std::fs::read_dir(&path).map(|_| path))
        .map_err(|source| LocalError::SoaDir { path: options.soa_dir.clone(), source })?;
    let options = Options { soa_dir, ..options };
    let is_new = !options.state_dir.exists();
    let hold = Hold::take(&options.state_dir)?;
    let started = start(hold, &options).await;
    if is_new && started.is_err() {
        // What cannot be removed is taken up by the next start.
        let _ = purge(&options.state_dir);
    }
    started
}

async fn start(hold: Hold, options: &Options) -> Result<Running, LocalError> {
    let ears = Ears::bind(options).await?;
    let base = Base::start(hold, options, ears.addresses()?).await?;
    converge(base, ears, options).await
}

/// Adds the proxy, the API and deployd, and lets commands find the cluster.
async fn converge(mut base: Base, ears: Ears, options: &Options) -> Result<Running, LocalError> {
    let Ears { api, nudge, proxy } = ears;
    let daemon = base.daemon()?.with_nudges(nudge);
    let (passes, deployd) = (daemon.passes(), daemon.handle());
    if let Some((proxy, stats)) = proxy {
        let cluster = proxy::Cluster {
            soa: Soa::open(&options.soa_dir),
            system: base.system().clone(),
            engine: passes.pass.engine.clone(),
            hacheck: base.addresses().hacheck,
            listen: options.listen,
            folder: base.layout().haproxy(),
        };
        let following = Following::start(&proxy.program, stats, cluster).await?;
        base.add(following.run(base.stopped()));
    }
    let router = paasta_api::router(api_state(base.system(), &passes, &options.soa_dir)?);
    let router = router.merge(paasta_deployd::queue_router(deployd.clone()));
    let stopped_api = base.stopped();
    base.add(async move {
        paasta_api::serve(api, router, stopped_api).await.map_err(|error| part("the API", error))
    });
    let (deployd_stop, _) = watch::channel(false);
    let stopped_deployd = stopped(&deployd_stop);
    let running = async move { daemon.run(stopped_deployd).await.map_err(|error| part("deployd", error)) };
    let deployd_task = AbortOnDrop(tokio::spawn(running));
    if let Some(home) = &options.home {
        let cluster = LocalCluster {
            state_dir: base.layout().root().to_owned(),
            system_config_dir: base.layout().system_config_dir(),
            soa_dir: options.soa_dir.clone(),
        };
        write_pointer(home, &cluster)?;
    }
    Ok(Running { base, passes, deployd, deployd_stop, deployd_task })
}

impl Running {
    /// Where its parts listen.
    pub fn addresses(&self) -> &Addresses {
        self.base.addresses()
    }

    /// Where it keeps what it knows.
    pub fn layout(&self) -> &Layout {
        self.base.layout()
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
        tokio::select! {
            error = self.base.broken() => error,
            ended = &mut self.deployd_task.0 => match ended {
                Ok(Err(error)) => error,
                Ok(Ok(())) => part("deployd", std::io::Error::other("it ended without being told to")),
                Err(error) => part("deployd", error),
            },
        }
    }

    /// Ends it within seconds; services go on running, and the next start takes them up.
    pub async fn stop(mut self) {
        // deployd first: a pass under way that can no longer reach hacheck would take its drains for failed.
        self.deployd_stop.send_replace(true);
        if !self.deployd_task.0.is_finished() {
            // It ends by itself within its own time limit; how, its log says.
            let _ = (&mut self.deployd_task.0).await;
        }
        self.base.end().await;
    }
}

/// Ends deployd together with the cluster.
struct AbortOnDrop(JoinHandle<Result<(), LocalError>>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Where commands are listened to: bound before anything begins, so that a busy port leaves all as it was.
struct Ears {
    api: TcpListener,
    nudge: NudgeListener,
    proxy: Option<(ProxyOptions, SocketAddr)>,
}

impl Ears {
    async fn bind(options: &Options) -> Result<Self, LocalError> {
        let at = |port| SocketAddr::new(options.listen, port);
        let api = bind("the API", "--api-port", at(options.ports.api)).await?;
        let address = at(options.ports.nudge);
        let nudge = NudgeListener::bind(address);
        let nudge = nudge.map_err(|source| port("deployd", "--nudge-port", address, source))?;
        let stats = |proxy: &ProxyOptions| {
            let stats = stats_address(options.listen, proxy.stats_port);
            let stats =
                stats.map_err(|source| port("HAProxy", "--stats-port", at(proxy.stats_port), source))?;
            Ok::<_, LocalError>((proxy.clone(), stats))
        };
        let proxy = options.proxy.as_ref().map(stats).transpose()?;
        Ok(Self { api, nudge, proxy })
    }

    fn addresses(&self) -> Result<EarAddresses, LocalError> {
        Ok(EarAddresses {
            api: self.api.local_addr().map_err(|error| part("the API", error))?,
            nudge: self.nudge.local_addr(),
            proxy_stats: self.proxy.as_ref().map(|(_, stats)| *stats),
        })
    }
}

fn api_state(system: &SystemConfig, passes: &SetupPasses, soa_dir: &Path) -> Result<ApiState, LocalError> {
    let cluster = system.cluster().map_err(|error| part("the API", error))?;
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
