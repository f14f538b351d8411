//! The `paasta-deployd` program: keeps every instance of this host's cluster converged until it is told to end.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use paasta_config::{DEFAULT_SYSTEM_CONFIG_DIR, SYSTEM_CONFIG_DIR_VARIABLE, SystemConfig};
use paasta_core::SystemClock;
use paasta_deployd::{Daemon, NudgeListener, Surroundings};
use paasta_logs::LogWriter;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// At the end, log lines that still wait are waited for this long.
const LAST_LINES_PATIENCE: Duration = Duration::from_secs(2);

/// Keep every instance of this host's cluster converged
///
/// The system configuration is read anew by each pass, but for `marathon_servers`, `previous_marathon_servers`,
/// `host_maintenance`, `hacheck_port`, `coordination`, `history_directory`, `log_writer`, `soa_dir` and the keys that begin
/// with `deployd_`: those count from the start on, and a warning says so when one of them changes.
#[derive(Parser, Debug)]
#[command(name = "paasta-deployd", version)]
struct Args {
    /// Directory of the system configuration
    #[arg(long, value_name = "DIR", env = SYSTEM_CONFIG_DIR_VARIABLE, default_value = DEFAULT_SYSTEM_CONFIG_DIR)]
    system_config_dir: PathBuf,
    /// Directory of soa-configs, before what the system configuration says
    #[arg(short = 'd', long, value_name = "DIR")]
    soa_dir: Option<PathBuf>,
    /// Address on which to hear of pushed tags; none listens nowhere
    #[arg(long, value_name = "ADDRESS:PORT")]
    nudge_listen: Option<SocketAddr>,
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
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(false).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.context("could not start the async runtime")?;
    let log: Arc<dyn LogWriter> = Arc::from(paasta_logs::writer(system.map())?);
    let outcome = runtime.block_on(serve(args, &system, Arc::clone(&log)));
    // A listing of git refs that hangs must not keep the process.
    runtime.shutdown_timeout(Duration::from_millis(200));
    if !log.flush(LAST_LINES_PATIENCE) {
        tracing::warn!("the last lines of the service logs are not written");
    }
    outcome
}

async fn serve(args: Args, system: &SystemConfig, log: Arc<dyn LogWriter>) -> anyhow::Result<()> {
    let surroundings = Surroundings {
        system_config_dir: args.system_config_dir,
        soa_dir: args.soa_dir,
        log,
        clock: Arc::new(SystemClock),
    };
    let mut daemon = Daemon::new(system, surroundings)?;
    if let Some(address) = args.nudge_listen {
        let listener = NudgeListener::bind(address).await;
        daemon = daemon
            .with_nudges(listener.with_context(|| format!("could not listen for nudges on {address}"))?);
    }
    let mut terminate = signal(SignalKind::terminate()).context("could not wait for SIGTERM")?;
    tracing::info!("started");
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("ending on SIGTERM"),
            _ = tokio::signal::ctrl_c() => tracing::info!("ending on SIGINT"),
        }
    };
    daemon.run(shutdown).await?;
    tracing::info!("ended");
    Ok(())
}
