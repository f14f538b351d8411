//! `am_i_mesos_leader [--json]`: whether the Mesos master of this host leads, for cron jobs that only one host is to run
//! (monitoring.md §5.1). Exit code 0 if it does, 1 if it does not or that cannot be told.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use paasta_mesos::{Leader, Patience, leader};
use paasta_tools::program;

/// Tells whether the Mesos master of this host leads
///
/// Prints True and exits 0 if it does, prints False and exits 1 if it does not. If that cannot be told it prints nothing on
/// standard output and exits 1, too: `am_i_mesos_leader && …` then does nothing. The masters are asked at the name that
/// `cluster_fqdn_format` of the system configuration gives this host's cluster, port 5050 unless a port stands there.
#[derive(Parser, Debug)]
#[command(version)]
struct Args {
    /// Print one line of JSON, with the host that leads
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
    match ask().await {
        Ok(leader) => {
            tell(&leader, args.json);
            if leader.is_here { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("{}", program::paragraph(&error));
            ExitCode::FAILURE
        }
    }
}

async fn ask() -> anyhow::Result<Leader> {
    let system = program::system_config()?;
    let (cluster, format) = (system.cluster()?, system.cluster_fqdn_format()?);
    let asked = leader(&format, cluster.as_str(), &program::host(), Patience::LEADER).await;
    asked.context("could not tell which Mesos master leads").context(program::Hint(format!(
        "Check that the masters of `{cluster}` answer at the name that `cluster_fqdn_format` gives (`{format}`)."
    )))
}

fn tell(leader: &Leader, json: bool) {
    let line = match (json, leader.is_here) {
        (true, is_leader) => serde_json::json!({ "is_leader": is_leader, "leader": leader.host }).to_string(),
        (false, true) => "True".to_owned(),
        (false, false) => "False".to_owned(),
    };
    program::tell(&format!("{line}\n"));
}
