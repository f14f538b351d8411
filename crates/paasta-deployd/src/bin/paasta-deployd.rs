//! The `paasta-deployd` program: keeps every instance of this host's cluster converged until it is told to end.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Parser;
use paasta_config::{DEFAULT_SYSTEM_CONFIG_DIR, SYSTEM_CONFIG_DIR_VARIABLE, SystemConfig};
use paasta_core::SystemClock;
use paasta_deployd::{
    Daemon, Handle, Hook, HttpFace, Metrics, NudgeListener, OnceLimits, Supervisor, Surroundings, serve_http,
};
use paasta_logs::{Actor, LogWriter};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// At the end, log lines that still wait are waited for this long, but no longer than `END_PATIENCE` after a signal, or the
/// least.
const LAST_LINES_PATIENCE: Duration = Duration::from_secs(2);
const LAST_LINES_PATIENCE_MIN: Duration = Duration::from_millis(200);
/// After a signal the process ends within five seconds.
const END_PATIENCE: Duration = Duration::from_millis(4900);
/// The service manager is told so often at least.
const STATUS_EVERY: Duration = Duration::from_secs(5);
/// Until it is ready, it is looked at so often.
const READY_EVERY: Duration = Duration::from_millis(100);
/// A loop that has not turned for so long stands still: the service manager hears nothing more.
const BEAT_MAX: Duration = Duration::from_secs(15);

/// Keep every instance of this host's cluster converged
///
/// The system configuration is read anew by each pass, but for `marathon_servers`, `previous_marathon_servers`,
/// `marathon_deployments_max`, `host_maintenance`, `hacheck_port`, `coordination`, `history_directory`, `log_writer`, `soa_dir`,
/// `service_discovery_providers`, the addresses of load balancers (`synapse_…`, `envoy_admin_…`), where alerts go
/// (`sensu_host`, `sensu_port`, `alertmanager_url`, `alerts_to_stdout`) and the keys that begin with `deployd_`: those count
/// from the start on, and a warning says so when one of them changes. SIGHUP has the pacing among them read anew, and every
/// instance looked at. SIGTERM ends it within five seconds.
#[derive(Parser, Debug)]
#[command(name = "paasta-deployd", version)]
struct Args {
    /// Directory of the system configuration
    #[arg(long, value_name = "DIR", env = SYSTEM_CONFIG_DIR_VARIABLE, default_value = DEFAULT_SYSTEM_CONFIG_DIR)]
    system_config_dir: PathBuf,
    /// Directory of soa-configs, before what the system configuration says
    #[arg(short = 'd', long, value_name = "DIR")]
    soa_dir: Option<PathBuf>,
    /// Address on which to hear of pushed tags while this deployd leads; else `deployd_nudge_listen` of the system
    /// configuration, else none
    #[arg(long, value_name = "ADDRESS:PORT")]
    nudge_listen: Option<SocketAddr>,
    /// Address for health, metrics, the queue and the hook for pushed tags, best on loopback; else `deployd_http_listen` of
    /// the system configuration, else none
    #[arg(long, value_name = "ADDRESS:PORT")]
    http_listen: Option<SocketAddr>,
    /// File whose first line is the bearer token that the hook for pushed tags wants; else `deployd_http_token_file`
    #[arg(long, value_name = "FILE")]
    http_token_file: Option<PathBuf>,
    /// How to log on stderr
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = LogFormat::Text)]
    log_format: LogFormat,
    /// Converge every instance once and end; exit code 1 names what is not as wanted, and why
    ///
    /// An instance that fails is tried again while the others go on, and given up after --once-tries failed passes in a row;
    /// so is a deployments.json that cannot be regenerated. What only has to wait (for an engine that does not answer, a
    /// lock, a leader) waits until --once-seconds-max is over. An instance that is not deployed is as wanted.
    #[arg(long)]
    once: bool,
    /// With --once: tries in a row after which what fails is given up; before each further one it waits 2, 4, 8 … seconds
    #[arg(long, value_name = "COUNT", default_value_t = OnceLimits::default().tries, requires = "once",
          value_parser = clap::value_parser!(u32).range(1..))]
    once_tries: u32,
    /// With --once: seconds after which what has not converged is given up
    #[arg(long, value_name = "SECONDS", default_value_t = OnceLimits::default().patience.as_secs(), requires = "once")]
    once_seconds_max: u64,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum LogFormat {
    /// Lines for people
    Text,
    /// One JSON object per line
    Json,
}

fn main() -> ExitCode {
    let args = Args::parse();
    match start(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            for cause in error.chain().skip(1) {
                eprintln!("  caused by: {cause}");
            }
            ExitCode::FAILURE
        }
    }
}

fn start(args: Args) -> anyhow::Result<()> {
    let system = SystemConfig::load(&args.system_config_dir)?;
    let level = system.deployd_log_level()?;
    let filter = EnvFilter::try_new(level.to_lowercase())
        .with_context(|| format!("system config key `deployd_log_level`: `{level}` is no level"))?;
    let logging = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(false);
    match args.log_format {
        LogFormat::Text => logging.init(),
        LogFormat::Json => logging.json().init(),
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.context("could not start the async runtime")?;
    let log: Arc<dyn LogWriter> = Arc::from(paasta_logs::writer(system.map(), actor())?);
    let asked = Arc::new(OnceLock::new());
    let outcome = runtime.block_on(serve(args, &system, Arc::clone(&log), Arc::clone(&asked)));
    // A listing of git refs that hangs must not keep the process.
    runtime.shutdown_timeout(Duration::from_millis(100));
    let left = asked
        .get()
        .map_or(LAST_LINES_PATIENCE, |asked: &Instant| END_PATIENCE.saturating_sub(asked.elapsed()));
    if !log.flush(left.clamp(LAST_LINES_PATIENCE_MIN, LAST_LINES_PATIENCE)) {
        tracing::warn!("the last lines of the service logs are not written");
    }
    outcome
}

/// Who answers for what it changes.
#[expect(clippy::disallowed_methods, reason = "read here, once")]
fn actor() -> Actor {
    Actor::of_this_process(|name| std::env::var_os(name))
}

async fn serve(
    args: Args,
    system: &SystemConfig,
    log: Arc<dyn LogWriter>,
    asked: Arc<OnceLock<Instant>>,
) -> anyhow::Result<()> {
    let http = http(&args, system).await?;
    let nudges = nudges(&args, system)?;
    let surroundings = Surroundings {
        system_config_dir: args.system_config_dir,
        soa_dir: args.soa_dir,
        log,
        clock: Arc::new(SystemClock),
    };
    let mut daemon = Daemon::new(system, surroundings)?;
    if let Some(nudges) = nudges {
        daemon = daemon.with_nudges(nudges);
    }
    let (handle, supervisor) = (daemon.handle(), Arc::new(supervisor()?));
    let metrics = Metrics::new(system.cluster()?.to_string(), Some(daemon.file_tallies()))
        .with_engine_requests(daemon.engine_requests())
        .with_alerts(daemon.alerts());
    handle.observe(Arc::new(metrics.clone()));
    if let Some((listener, hook)) = http {
        let face = HttpFace { handle: handle.clone(), metrics: metrics.clone(), hook };
        tokio::spawn(async move {
            if let Err(error) = serve_http(listener, face).await {
                tracing::error!(%error, "the HTTP server ended");
            }
        });
    }
    tokio::spawn(supervise(supervisor.clone(), metrics));
    tokio::spawn(reload_on_sighup(handle)?);
    let ending = ending(supervisor, asked)?;
    let patience = Duration::from_secs(args.once_seconds_max);
    let limits = OnceLimits { tries: args.once_tries, patience };
    tracing::info!("started");
    match args.once {
        true => daemon.run_once(limits, ending).await?,
        false => daemon.run(ending).await?,
    }
    tracing::info!("ended");
    Ok(())
}

/// Bound before anything begins.
fn nudges(args: &Args, system: &SystemConfig) -> anyhow::Result<Option<NudgeListener>> {
    let Some(address) = listen(args.nudge_listen, system, "deployd_nudge_listen")? else { return Ok(None) };
    let listener = NudgeListener::bind(address);
    let listener = listener.with_context(|| format!("could not listen for nudges on {address}"))?;
    tracing::info!(address = %listener.local_addr(), "taking nudges while it leads");
    Ok(Some(listener))
}

/// The address that an option names, or else a key.
fn listen(
    option: Option<SocketAddr>,
    system: &SystemConfig,
    key: &str,
) -> anyhow::Result<Option<SocketAddr>> {
    let Some(text) = text(system, key)?.filter(|_| option.is_none()) else { return Ok(option) };
    let wrong = || format!("system config key `{key}` is `{text}`, expected ADDRESS:PORT");
    Ok(Some(text.parse().with_context(wrong)?))
}

/// Bound before anything begins.
async fn http(args: &Args, system: &SystemConfig) -> anyhow::Result<Option<(TcpListener, Hook)>> {
    let Some(address) = listen(args.http_listen, system, "deployd_http_listen")? else { return Ok(None) };
    let file = match &args.http_token_file {
        Some(file) => Some(file.clone()),
        None => text(system, "deployd_http_token_file")?.map(PathBuf::from),
    };
    let hook = match file {
        Some(file) => Hook::Token(token(&file)?),
        None if address.ip().is_loopback() => Hook::Open,
        None => Hook::Closed,
    };
    let listener = TcpListener::bind(address).await;
    let listener = listener.with_context(|| format!("could not listen for HTTP on {address}"))?;
    tracing::info!(address = %listener.local_addr()?, "serving HTTP");
    Ok(Some((listener, hook)))
}

fn token(file: &PathBuf) -> anyhow::Result<Arc<str>> {
    let text = std::fs::read_to_string(file);
    let text = text.with_context(|| format!("could not read the token in `{}`", file.display()))?;
    match text.lines().next().map(str::trim).filter(|token| !token.is_empty()) {
        Some(token) => Ok(Arc::from(token)),
        None => anyhow::bail!("the first line of `{}` is to be the token, and is empty", file.display()),
    }
}

fn text(system: &SystemConfig, key: &str) -> anyhow::Result<Option<String>> {
    match system.map().get_set(key) {
        None => Ok(None),
        Some(node) => match node.as_str() {
            Some(text) => Ok(Some(text.to_owned())),
            None => anyhow::bail!("system config key `{key}` is `{node:?}`, expected a text"),
        },
    }
}

#[expect(clippy::disallowed_methods, reason = "read here, once, at the start of the program")]
fn supervisor() -> anyhow::Result<Supervisor> {
    let (usec, pid) = (std::env::var("WATCHDOG_USEC").ok(), std::env::var("WATCHDOG_PID").ok());
    let socket = std::env::var_os("NOTIFY_SOCKET");
    Supervisor::new(socket.as_deref(), usec.as_deref(), pid.as_deref(), std::process::id())
        .context("could not speak with the service manager at `NOTIFY_SOCKET`")
}

/// Tells the service manager when it is ready, and that the loop turns for as long as it does.
async fn supervise(supervisor: Arc<Supervisor>, metrics: Metrics) {
    let every = supervisor.watchdog_every().map_or(STATUS_EVERY, |every| every.min(STATUS_EVERY));
    let mut ready = false;
    loop {
        if metrics.beat_age().is_some_and(|age| age <= BEAT_MAX) {
            let (listed, standing) = metrics.readiness();
            let begins = !ready && listed && standing.is_some();
            ready |= begins;
            let first = if begins { "READY=1\n" } else { "" };
            supervisor.say(&format!("{first}WATCHDOG=1\nSTATUS={}\n", metrics.status()));
        }
        tokio::time::sleep(if ready { every } else { READY_EVERY.min(every) }).await;
    }
}

fn reload_on_sighup(handle: Handle) -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    let mut hangup = signal(SignalKind::hangup()).context("could not wait for SIGHUP")?;
    Ok(async move {
        while hangup.recv().await.is_some() {
            match handle.reload() {
                true => tracing::info!("reading settings anew on SIGHUP"),
                false => tracing::warn!("too much waits already to take a SIGHUP in"),
            }
        }
    })
}

fn ending(
    supervisor: Arc<Supervisor>,
    asked: Arc<OnceLock<Instant>>,
) -> anyhow::Result<impl Future<Output = ()> + Send> {
    let mut terminate = signal(SignalKind::terminate()).context("could not wait for SIGTERM")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("ending on SIGTERM"),
            _ = tokio::signal::ctrl_c() => tracing::info!("ending on SIGINT"),
        }
        let _ = asked.set(Instant::now());
        supervisor.say("STOPPING=1\n");
    })
}
