//! `list_marathon_service_instances [-c CLUSTER] [-d ROOT] [-m] [--json]`: the Marathon instances of a cluster, or with `-m`
//! those of this host's cluster that need a bounce (marathon-and-bounce.md §8.3).

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use paasta_config::{LoadError, Soa, SystemConfig};
use paasta_core::{ClusterName, InstanceId};
use paasta_tools::configured::Configured;
use paasta_tools::listing::{Listed, needing_a_bounce};
use paasta_tools::passes::Passes;
use paasta_tools::{cleanup, dry_run, passes, program};

const EXIT_USAGE: u8 = 2;

/// Lists the Marathon instances of a cluster, one per line
#[derive(Parser, Debug)]
#[command(version)]
struct Args {
    /// The cluster, if not this host's
    #[arg(short, long, value_name = "CLUSTER")]
    cluster: Option<ClusterName>,
    /// Directory to read soa-configs from
    #[arg(short = 'd', long = "soa-dir", value_name = "SOA_DIR")]
    soa_dir: Option<PathBuf>,
    /// Only those that need a bounce: what runs, or its size, is not as wanted, or a task is on a host that is about to
    /// leave. Reads from the Marathons of this host's cluster
    #[arg(short, long)]
    minimal: bool,
    /// Print one line of JSON per instance, with -m with the reasons
    #[arg(long)]
    json: bool,
    /// Say more
    #[arg(short, long)]
    verbose: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    program::start_logging(args.verbose);
    match run(&args).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{}", program::paragraph(&error));
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let system = program::system_config()?;
    let root = program::soa_root(args.soa_dir.as_deref(), &system)?;
    let soa = Soa::open(&root).cached();
    let cluster = match &args.cluster {
        Some(cluster) => cluster.clone(),
        None => system.cluster()?,
    };
    if args.minimal && cluster != system.cluster()? {
        eprintln!(
            "error: what cluster `{cluster}` runs cannot be seen from here: this host is of cluster `{}`\n\n\
             hint: Leave out -c, or run it on a host of `{cluster}`.",
            system.cluster()?
        );
        return Ok(ExitCode::from(EXIT_USAGE));
    }
    let (ids, failures) = dry_run::instances(&soa, &cluster)?;
    let mut good = passes::tell_unlisted(&failures);
    if args.minimal {
        good &= tell_needing_a_bounce(soa, system, &cluster, &ids, args.json).await?;
    } else {
        let lines: String = ids.iter().map(|id| line(&Listed::new(id), args.json)).collect();
        program::tell(&lines);
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints each that needs a bounce; whether that could be told of all.
async fn tell_needing_a_bounce(
    soa: Soa,
    system: SystemConfig,
    cluster: &ClusterName,
    ids: &[InstanceId],
    json: bool,
) -> anyhow::Result<bool> {
    let coordination = passes::coordination("list_marathon_service_instances", &system)?;
    let counts = coordination.counts.clone();
    let passes =
        Passes::from_system("list_marathon_service_instances", soa.clone(), system, counts, &coordination)?;
    let fleet = passes.listing().await?;
    let mut good = true;
    needing_a_bounce(&passes, ids, &fleet, |id, answer| match answer {
        Ok(Some(listed)) => program::tell(&line(&listed, json)),
        Ok(None) => {}
        Err(error)
            if error.chain().any(|cause| cause.downcast_ref().is_some_and(LoadError::is_no_deployments)) => {}
        Err(error) => {
            good = false;
            eprintln!("{}\n", program::advice(id.service(), &error));
        }
    })
    .await;
    coordination.close().await;
    let configured = Configured::read(&soa, cluster)?;
    let guard = cleanup::Guard { kill_threshold: 1.0, force: false };
    match cleanup::judge(&fleet.homes, &configured, guard).doomed.len() {
        0 => {}
        count => {
            let s = if count == 1 { "" } else { "s" };
            eprintln!(
                "note: {count} app{s} of instances that are configured no more: see `cleanup_marathon_jobs --dry-run`"
            );
        }
    }
    Ok(good)
}

fn line(listed: &Listed, json: bool) -> String {
    match json {
        true => serde_json::to_string(listed).unwrap_or_else(|error| error.to_string()) + "\n",
        false => format!("{listed}\n"),
    }
}
