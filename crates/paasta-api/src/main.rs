//! `paasta-api`: the HTTP API of one cluster, over Marathon.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Parser;
use paasta_api::{ApiState, router, serve};
use paasta_config::{CoordinationDriver, DEFAULT_SYSTEM_CONFIG_DIR, Soa, SystemConfig};
use paasta_core::{ClusterName, Counts, SystemClock};
use paasta_drain::DrainTools;
use paasta_marathon::{MarathonEngine, MarathonRenderer};
use paasta_mesos::leaving_hosts;
use paasta_setup::Limits;
use paasta_smartstack::{Asker, discovery, random_seeds};
use paasta_zookeeper::{FileCounts, Options, Unavailable, ZkCounts, ZkReader, ZooKeeper};
use tokio::net::TcpListener;

/// The port unless somebody says otherwise (cli.md §4.1).
const DEFAULT_PORT: u16 = 5054;

/// Serve the HTTP API of one cluster
///
/// Answers what the cluster's instances are to run, what they run, and what they wait for. Changes nothing. Whoever
/// can connect may ask: listen on more than loopback only behind something that checks who asks.
#[derive(Parser, Debug)]
#[command(name = "paasta-api", version, max_term_width = 110)]
struct Args {
    /// Port on 127.0.0.1 to listen on; --listen names another address
    #[arg(value_name = "PORT", default_value_t = DEFAULT_PORT)]
    port: u16,
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS:PORT", conflicts_with = "port")]
    listen: Option<SocketAddr>,
    /// Directory to read soa-configs from; else as the system configuration says
    #[arg(short = 'd', long, value_name = "SOA_DIR", env = "PAASTA_API_SOA_DIR")]
    soa_dir: Option<PathBuf>,
    /// The cluster to answer for; else as the system configuration says
    #[arg(short = 'c', long, value_name = "CLUSTER", env = "PAASTA_API_CLUSTER")]
    cluster: Option<ClusterName>,
    /// Directory to read the system configuration from
    #[arg(long, value_name = "DIR", env = "PAASTA_SYSTEM_CONFIG_DIR", default_value = DEFAULT_SYSTEM_CONFIG_DIR)]
    system_config_dir: PathBuf,
    /// Log every request
    #[arg(short = 'D', long, env = "PAASTA_API_DEBUG", value_parser = clap::builder::FalseyValueParser::new())]
    debug: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let filter = if args.debug { "info" } else { "warn" };
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
    match run(&args) {
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

fn run(args: &Args) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new().context("could not start the async runtime")?;
    // Counts may come over a connection that lives in the background.
    let entered = runtime.enter();
    let state = state(args)?;
    drop(entered);
    let address = args.listen.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, args.port)));
    runtime.block_on(async {
        let listener =
            TcpListener::bind(address).await.with_context(|| format!("could not listen on {address}"))?;
        let bound = listener.local_addr().context("could not learn the address listened on")?;
        eprintln!("the API of cluster `{}` answers at http://{bound}/v1/", state.cluster);
        let stop = async {
            let _ = tokio::signal::ctrl_c().await;
        };
        serve(listener, router(state), stop).await.context("could not serve")
    })
}

fn state(args: &Args) -> anyhow::Result<ApiState> {
    let system = SystemConfig::load(&args.system_config_dir)?;
    let cluster = match &args.cluster {
        Some(cluster) => cluster.clone(),
        None => system.cluster()?,
    };
    let soa_dir = match &args.soa_dir {
        Some(dir) => dir.clone(),
        None => system.soa_dir()?,
    };
    Ok(ApiState {
        cluster,
        soa: Soa::open(soa_dir),
        renderer: Arc::new(MarathonRenderer::from_system(system.map())?),
        engine: Arc::new(MarathonEngine::from_system(
            system.map(),
            leaving_hosts(&system, Arc::new(ZkReader::default())),
        )?),
        drains: Arc::new(DrainTools::new("paasta-api", env!("CARGO_PKG_VERSION"))?),
        discovery: discovery(
            &system,
            Asker { program: "paasta-api", version: env!("CARGO_PKG_VERSION") },
            random_seeds(),
        ),
        limits: Limits::default(),
        counts: counts(&system)?,
        clock: Arc::new(SystemClock),
        system,
    })
}

fn counts(system: &SystemConfig) -> anyhow::Result<Arc<dyn Counts>> {
    let coordination = system.coordination()?;
    Ok(match (coordination.driver, coordination.directory) {
        (CoordinationDriver::File, Some(directory)) => Arc::new(FileCounts::new(directory)),
        (CoordinationDriver::File, None) => {
            Arc::new(Unavailable::new("system config key `coordination`: driver `file` needs a `directory`"))
        }
        (CoordinationDriver::Zookeeper, _) => match system.zookeeper() {
            Ok(hosts) => Arc::new(ZkCounts::new(&ZooKeeper::connect(&hosts, Options::default())?)),
            Err(error) => Arc::new(Unavailable::new(error.to_string())),
        },
    })
}
