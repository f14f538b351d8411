//! `paasta-engine`: the embedded engine as a program of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::{Parser, ValueEnum};
use paasta_engine::state::{Resources, attributes_of};
use paasta_engine::{
    Agents, Artifacts, Config, DirectoryArtifacts, EmptyArtifacts, EngineServer, IdleExecutor, PortRange,
    SecretText,
};
use tokio::signal::unix::{SignalKind, signal};

/// Runs Marathon apps as processes of this machine
///
/// Tasks outlive the engine: it can be stopped and started again at any time.
#[derive(Debug, Parser)]
#[command(name = "paasta-engine", version)]
struct Args {
    /// Directory for state, journal and the tasks' sandboxes
    #[arg(long, value_name = "DIR")]
    state_dir: PathBuf,
    /// Where to serve; other than loopback only with a token
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Ports that tasks may get
    #[arg(long, value_name = "FIRST-LAST", default_value = "31000-31999")]
    ports: PortRange,
    /// Directory with one directory per image tag, in a copy of which tasks run
    #[arg(long, value_name = "DIR", required_unless_present("executor"))]
    artifacts_dir: Option<PathBuf>,
    /// How tasks run
    #[arg(long, value_enum, default_value_t)]
    executor: Runs,
    /// The name under which this machine is reached
    #[arg(long, value_name = "NAME", default_value = "localhost")]
    host: String,
    /// Play so many agents, on 127.0.0.1, 127.0.0.2 and so on, to try locations and maintenance on one machine
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=254))]
    agents: Option<u8>,
    /// Play an agent for each of these host names, which all have to lead to this machine
    #[arg(long, value_name = "HOST", value_delimiter = ',', conflicts_with("agents"))]
    agent_hosts: Vec<String>,
    /// Attributes of the agents, their values dealt out in turn, as `region:west,east;rack:1,2,3`
    #[arg(long, value_name = "ATTRIBUTES", default_value = "", value_parser = attributes_of)]
    attributes: ::std::vec::Vec<(String, Vec<String>)>,
    /// What each agent has, as `cpus:4;mem:8192;disk:10240`; no more is started there [default: as much as is asked for]
    #[arg(long, value_name = "RESOURCES", value_parser = resources_of)]
    agent_resources: Option<Resources>,
    /// File whose first line is the token that callers must show
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// How tasks run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Runs {
    /// As processes of this machine
    #[default]
    Process,
    /// Not at all: tasks are kept as running and healthy without any process, for load tests
    None,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()),
        )
        .with_writer(std::io::stderr)
        .init();
    match run(args).await {
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

async fn run(args: Args) -> anyhow::Result<()> {
    let artifacts: Arc<dyn Artifacts> = match (args.executor, args.artifacts_dir) {
        (Runs::None, _) => Arc::new(EmptyArtifacts),
        (Runs::Process, Some(directory)) => Arc::new(DirectoryArtifacts::new(directory)),
        (Runs::Process, None) => {
            anyhow::bail!("processes are run from copies of images: give --artifacts-dir")
        }
    };
    let mut config = Config::new(args.state_dir, artifacts);
    if args.executor == Runs::None {
        config.executor = Some(Arc::new(IdleExecutor::default()));
    }
    config.listen = args.listen;
    config.ports = args.ports;
    config.agents = match (args.agents, args.agent_hosts.is_empty()) {
        (Some(count), _) => Some(Agents::on_loopback(count).map_err(anyhow::Error::msg)?),
        (None, false) => Some(Agents { hosts: args.agent_hosts, ..Agents::default() }),
        (None, true) if args.attributes.is_empty() && args.agent_resources.is_none() => None,
        (None, true) => Some(Agents { hosts: vec![args.host.clone()], ..Agents::default() }),
    };
    if let Some(agents) = &mut config.agents {
        agents.attributes = args.attributes;
        agents.resources = args.agent_resources;
    }
    config.host = args.host;
    config.token = args.token_file.as_deref().map(read_token).transpose()?;
    config.base_env = inherited();
    let server = EngineServer::start(config).await.context("could not start the engine")?;
    println!("listening on http://{}", server.address());
    let (mut terminated, mut interrupted) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
    }
    server.shutdown().await;
    eprintln!("engine stopped; its tasks go on running");
    Ok(())
}

fn read_token(path: &std::path::Path) -> anyhow::Result<SecretText> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("could not read the token file `{}`", path.display()))?;
    let token = text.lines().next().unwrap_or_default().trim();
    anyhow::ensure!(!token.is_empty(), "token file `{}` holds no token", path.display());
    Ok(SecretText::new(token))
}

fn resources_of(text: &str) -> Result<Resources, String> {
    let wrong = |part: &str| {
        format!("`{part}` is no resource such as `cpus:4`, `mem:8192`, `disk:10240` or `gpus:1`")
    };
    let mut resources = Resources::default();
    let mut named = std::collections::BTreeSet::new();
    for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
        let (name, amount) = part.split_once(':').ok_or_else(|| wrong(part))?;
        let amount: f64 = amount.trim().parse().map_err(|_| wrong(part))?;
        if !(amount.is_finite() && amount >= 0.0) {
            return Err(wrong(part));
        }
        named.insert(name.trim());
        match name.trim() {
            "cpus" => resources.cpus = amount,
            "mem" => resources.mem = amount,
            "disk" => resources.disk = amount,
            "gpus" => resources.gpus = amount,
            _ => return Err(wrong(part)),
        }
    }
    // Every app asks for some of each: where one is missing, nothing would ever be started.
    match ["cpus", "mem", "disk"].into_iter().find(|name| !named.contains(name)) {
        Some(missing) => Err(format!("it says nothing of `{missing}`, of which every app needs some")),
        None => Ok(resources),
    }
}

/// What tasks need of the engine's own environment to find programs and write temporary files.
#[expect(clippy::disallowed_methods, reason = "this is the program that reads it")]
fn inherited() -> Vec<(String, String)> {
    let names = ["PATH", "HOME", "USER", "LANG", "LC_ALL", "TMPDIR", "TZ"];
    names.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?))).collect()
}
