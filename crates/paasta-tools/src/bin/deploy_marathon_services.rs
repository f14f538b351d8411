//! `deploy_marathon_services [-d ROOT]`: one pass over every Marathon instance of this cluster, many at once in one
//! process over one listing (marathon-and-bounce.md §8.4).

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use paasta_config::Soa;
use paasta_tools::passes::{Asked, Passes};
use paasta_tools::{dry_run, passes, program};

/// Brings every Marathon instance of this cluster to what is wanted, one step
#[derive(Parser, Debug)]
#[command(version)]
struct Args {
    /// Directory to read soa-configs from
    #[arg(short = 'd', long = "soa-dir", value_name = "SOA_DIR")]
    soa_dir: Option<PathBuf>,
    /// Say more
    #[arg(short, long)]
    verbose: bool,
    /// Print one line of JSON per instance
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    program::start_logging(args.verbose);
    match run(&args).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{}", program::paragraph(&error));
            ExitCode::FAILURE
        }
    }
}

/// Whether all went well.
async fn run(args: &Args) -> anyhow::Result<bool> {
    let system = program::system_config()?;
    let soa = Soa::open(program::soa_root(args.soa_dir.as_deref(), &system)?).cached();
    let counts = passes::counts(None, &system)?;
    let (ids, failures) = dry_run::instances(&soa, &system.cluster()?)?;
    let all_are_listed = passes::tell_unlisted(&failures);
    let passes = Passes::from_system("deploy_marathon_services", soa, system, counts)?;
    Ok(passes::run_and_tell(&passes, &ids, Asked::ForAll, args.json).await && all_are_listed)
}
