//! `paasta local`: a whole cluster on this machine.

use std::io::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use paasta_engine::PortRange;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::local::{self, DownOptions, Downed, Layout, LocalError, Options, Ports, ProxyOptions};
use crate::options::{Format, SoaDir};
use crate::report::{HintExt as _, UsageError};
use crate::{Context, EXIT_FAILED, Interrupted};

/// Run a whole cluster on this machine: engine, hacheck, API and deployd in one process
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Subcommand,
}

#[derive(clap::Subcommand, Debug)]
enum Subcommand {
    /// Start the cluster, and keep it running until Ctrl-C, which leaves its services running
    Up(UpArgs),
    /// Drain and stop every service of the cluster, then the cluster itself
    Down(DownArgs),
    /// Say whether the cluster runs, where, and what it runs
    Status(StatusArgs),
}

#[derive(clap::Args, Debug)]
struct UpArgs {
    #[command(flatten)]
    soa_dir: SoaDir,
    #[command(flatten)]
    state: StateDir,
    /// Address to listen on; any other than loopback lets other machines in
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    listen: IpAddr,
    #[command(flatten)]
    ports: PortArgs,
    /// First and last port that services get [default: 31000-31999]
    #[arg(long, value_name = "FIRST-LAST")]
    task_ports: Option<PortRange>,
    /// Put a load balancer before the services that have a `proxy_port`, which listens there
    #[arg(long, value_name = "PROGRAM")]
    proxy: Option<Proxy>,
    /// Port of the load balancer's stats page [default: 3212, or any free one with --ports-any]
    #[arg(long, value_name = "PORT", requires = "proxy")]
    stats_port: Option<u16>,
    /// What to log on stderr: error, warn, info, debug, or a filter such as paasta_deployd=debug
    #[arg(long, value_name = "LEVEL", default_value = "warn")]
    log_level: String,
    /// Stay in the foreground; this is the default, and the only way so far
    #[arg(long, hide = true)]
    foreground: bool,
}

/// A load balancer.
#[derive(clap::ValueEnum, Clone, Copy, Debug)]
enum Proxy {
    /// HAProxy, version 2.5 or later
    Haproxy,
}

#[derive(clap::Args, Debug)]
struct DownArgs {
    #[command(flatten)]
    state: StateDir,
    /// Remove everything the cluster knows, logs and checkouts included
    #[arg(long)]
    purge: bool,
    /// Stop services without draining them first
    #[arg(long)]
    no_drain: bool,
    /// Only print which tasks would be drained and stopped, and what would be removed
    #[arg(long)]
    dry_run: bool,
}

#[derive(clap::Args, Debug)]
struct StatusArgs {
    #[command(flatten)]
    state: StateDir,
    #[command(flatten)]
    output: crate::options::Output,
}

#[derive(clap::Args, Debug)]
struct StateDir {
    /// Where the cluster keeps what it knows [default: $XDG_STATE_HOME/paasta/local]
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

#[derive(clap::Args, Debug)]
struct PortArgs {
    /// Port of the HTTP API; 0 takes any free one
    #[arg(long, value_name = "PORT", default_value_t = local::DEFAULT_PORTS.api)]
    api_port: u16,
    /// Port of the embedded engine
    #[arg(long, value_name = "PORT", default_value_t = local::DEFAULT_PORTS.engine)]
    engine_port: u16,
    /// Port of hacheck
    #[arg(long, value_name = "PORT", default_value_t = local::DEFAULT_PORTS.hacheck)]
    hacheck_port: u16,
    /// Port on which deployd hears of pushed tags
    #[arg(long, value_name = "PORT", default_value_t = local::DEFAULT_PORTS.nudge)]
    nudge_port: u16,
    /// Take any free ports for all of these; the ports of services are those of --task-ports all the same
    #[arg(long, conflicts_with_all = ["api_port", "engine_port", "hacheck_port", "nudge_port"])]
    ports_any: bool,
}

impl PortArgs {
    fn ports(&self) -> Ports {
        if self.ports_any {
            return Ports::default();
        }
        Ports {
            api: self.api_port,
            engine: self.engine_port,
            hacheck: self.hacheck_port,
            nudge: self.nudge_port,
        }
    }
}

pub(crate) fn run(args: &Args, cx: &mut Context) -> anyhow::Result<ExitCode> {
    match &args.command {
        Subcommand::Up(args) => up(args, cx),
        Subcommand::Down(args) => down(args, cx),
        Subcommand::Status(args) => status(args, cx),
    }
}

fn up(args: &UpArgs, cx: &mut Context) -> anyhow::Result<ExitCode> {
    let options = Options {
        soa_dir: soa_dir(args, cx)?,
        state_dir: state_dir(&args.state, cx)?,
        listen: args.listen,
        ports: args.ports.ports(),
        task_ports: args.task_ports.unwrap_or_default(),
        home: cx.environment.home.clone(),
        task_environment: task_environment(cx),
        proxy: proxy(args, cx)?,
        actor: cx.environment.actor(),
    };
    log_to_stderr(&args.log_level)?;
    if !options.listen.is_loopback() {
        writeln!(cx.stderr, "warning: whoever reaches {} can read this cluster's API", options.listen)?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(stay_up(options, cx));
    // Git listings that hang must not keep the process.
    runtime.shutdown_timeout(Duration::from_millis(200));
    outcome
}

async fn stay_up(options: Options, cx: &mut Context) -> anyhow::Result<ExitCode> {
    let mut terminate = signal(SignalKind::terminate()).context("could not wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("could not wait for Ctrl-C")?;
    let soa_dir = options.soa_dir.clone();
    let mut running = tokio::select! {
        running = local::up(options) => running.map_err(told)?,
        _ = terminate.recv() => return Ok(ExitCode::SUCCESS),
        _ = interrupt.recv() => return Ok(ExitCode::SUCCESS),
    };
    write_ready(cx, &running, &soa_dir)?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        error = running.broken() => {
            running.stop().await;
            return Err(told(error));
        }
    }
    running.stop().await;
    writeln!(cx.stdout, "The cluster has ended; its services go on running.")?;
    writeln!(cx.stdout, "Take them up again with `paasta local up`, or stop them with `paasta local down`.")?;
    Ok(ExitCode::SUCCESS)
}

fn write_ready(cx: &mut Context, running: &local::Running, soa_dir: &Path) -> anyhow::Result<()> {
    let addresses = running.addresses();
    let out = &mut cx.stdout;
    writeln!(
        out,
        "local cluster is up: API http://{}, engine http://{}, hacheck {}, nudges {}",
        local::reachable(addresses.api),
        local::reachable(addresses.engine),
        local::reachable(addresses.hacheck),
        local::reachable(addresses.nudge),
    )?;
    if let Some(stats) = addresses.proxy_stats {
        writeln!(
            out,
            "  HAProxy      services listen on their proxy_port; stats at http://{}",
            local::reachable(stats)
        )?;
    }
    writeln!(out, "  soa-configs  {}", soa_dir.display())?;
    writeln!(out, "  state        {}", running.layout().root().display())?;
    writeln!(out, "Try next, in another terminal:")?;
    writeln!(out, "  paasta list")?;
    writeln!(out, "  paasta mark-for-deployment -s SERVICE -l DEPLOY_GROUP -c COMMIT")?;
    writeln!(out, "  paasta status -s SERVICE")?;
    writeln!(
        out,
        "Ctrl-C ends the cluster and leaves its services running; `paasta local down` stops them."
    )?;
    out.flush()?;
    Ok(())
}

fn down(args: &DownArgs, cx: &mut Context) -> anyhow::Result<ExitCode> {
    let options = DownOptions {
        state_dir: state_dir(&args.state, cx)?,
        home: cx.environment.home.clone(),
        drain: !args.no_drain,
        purge: args.purge,
        actor: cx.environment.actor(),
    };
    let root = options.state_dir.clone();
    if args.dry_run {
        match local::plan_down(&options).map_err(told)? {
            Some(plan) => write!(cx.stdout, "{plan}")?,
            None => writeln!(cx.stdout, "there is no local cluster in `{}`", root.display())?,
        }
        return Ok(ExitCode::SUCCESS);
    }
    // What cannot be told beforehand is told as it goes.
    if let Ok(Some(plan)) = local::plan_down(&options) {
        writeln!(cx.stderr, "local down: {}", plan.radius())?;
    }
    log_to_stderr("warn")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut written = Ok(());
    let mut tell = |line: String| written = writeln!(cx.stdout, "{line}");
    let downed = runtime.block_on(async {
        tokio::select! {
            downed = local::down(&options, &mut tell) => downed.map_err(told),
            Ok(()) = tokio::signal::ctrl_c() => Err(Interrupted.into()),
        }
    });
    runtime.shutdown_timeout(Duration::from_millis(200));
    let downed = downed?;
    written?;
    match downed {
        Downed::Stopped if args.purge => {
            writeln!(cx.stdout, "everything is stopped, and `{}` is removed", root.display())?;
        }
        Downed::Stopped => writeln!(cx.stdout, "everything is stopped")?,
        Downed::NothingThere => writeln!(cx.stdout, "there is no local cluster in `{}`", root.display())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn status(args: &StatusArgs, cx: &mut Context) -> anyhow::Result<ExitCode> {
    let state_dir = state_dir(&args.state, cx)?;
    let status = cx.block_on(async move { Ok(local::status(&state_dir).await) })?;
    match args.output.format() {
        Format::Json => writeln!(cx.stdout, "{}", serde_json::to_string(&status)?)?,
        Format::Text => write!(cx.stdout, "{status}")?,
    }
    Ok(if status.running { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FAILED) })
}

/// The load balancer that was asked for. Without its program the cluster goes on without it.
fn proxy(args: &UpArgs, cx: &mut Context) -> anyhow::Result<Option<ProxyOptions>> {
    let Some(Proxy::Haproxy) = args.proxy else { return Ok(None) };
    let usual = if args.ports.ports_any { 0 } else { local::DEFAULT_STATS_PORT };
    let stats_port = args.stats_port.unwrap_or(usual);
    let program = paasta_smartstack::proxy::find_haproxy(Some(&cx.environment.path));
    if program.is_none() {
        writeln!(
            cx.stderr,
            "warning: `haproxy` is not installed, so nothing listens on any proxy_port; install it (Debian: haproxy) and \
             start again"
        )?;
    }
    Ok(program.map(|program| ProxyOptions { program, stats_port }))
}

/// What was said, else what the cluster had before, else the usual place.
fn soa_dir(args: &UpArgs, cx: &Context) -> anyhow::Result<PathBuf> {
    if let Some(dir) = args.soa_dir.get() {
        return Ok(cx.environment.cwd.join(dir));
    }
    let before = local::soa_dir_before(&state_dir(&args.state, cx)?);
    Ok(before.unwrap_or_else(|| PathBuf::from(paasta_config::DEFAULT_SOA_DIR)))
}

/// What was said, else that of the cluster which commands find, else the usual place.
fn state_dir(args: &StateDir, cx: &Context) -> anyhow::Result<PathBuf> {
    if let Some(dir) = &args.state_dir {
        return Ok(cx.environment.cwd.join(dir));
    }
    let environment = &cx.environment;
    let pointed = environment.home.as_deref().and_then(local::state_dir_before);
    let usual = || Layout::default_root(environment.xdg_state_home.as_deref(), environment.home.as_deref());
    pointed.or_else(usual).ok_or(LocalError::NoStateDir).map_err(told)
}

/// Services find programs where this user finds them.
fn task_environment(cx: &Context) -> Vec<(String, String)> {
    let path = Some(cx.environment.path.to_string_lossy().into_owned()).filter(|path| !path.is_empty());
    let home = cx.environment.home.as_ref().map(|home| home.to_string_lossy().into_owned());
    let set = [("PATH", path), ("HOME", home)];
    set.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

fn log_to_stderr(level: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(level).map_err(|error| {
        UsageError(format!(
            "`{level}` is no log level, expected error, warn, info, debug or a filter: {error}"
        ))
    })?;
    // Somebody who embeds the command may have set it up already.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .try_init();
    Ok(())
}

/// Adds the advice that goes with the error.
fn told(error: LocalError) -> anyhow::Error {
    match error.hint() {
        Some(hint) => Err::<(), _>(error).hint(hint).err().unwrap_or_else(|| anyhow::anyhow!("no error")),
        None => error.into(),
    }
}
