//! `deploy_marathon_services [-d ROOT] [--all] [--dry-run]`: one pass over every Marathon instance of this cluster, many
//! at once in one process over one listing (marathon-and-bounce.md §8.4), or what that pass would do.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use paasta_config::Soa;
use paasta_tools::passes::{Asked, Passes};
use paasta_tools::{dry_run, passes, program};

const EXIT_USAGE: u8 = 2;

/// Brings every Marathon instance of this cluster to what is wanted, one step
///
/// Takes no names: it is for cron jobs, which need no option. Somebody at a terminal says --all, or --dry-run first.
#[derive(Parser, Debug)]
#[command(version)]
struct Args {
    /// Directory to read soa-configs from
    #[arg(short = 'd', long = "soa-dir", value_name = "SOA_DIR")]
    soa_dir: Option<PathBuf>,
    /// Say more
    #[arg(short, long)]
    verbose: bool,
    /// Every instance of this cluster; needed only at a terminal
    #[arg(long)]
    all: bool,
    /// Only print what the pass would do; reads from Marathon and from tasks, changes nothing and takes no lock
    #[arg(long)]
    dry_run: bool,
    /// Print one line of JSON per instance
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    program::start_logging(args.verbose);
    if program::needs_all(std::io::stdin().is_terminal(), args.all, args.dry_run) {
        eprintln!(
            "error: this brings every instance of the cluster to what is wanted\n\n\
             hint: Say --all to do so, or --dry-run to see what it would do."
        );
        return ExitCode::from(EXIT_USAGE);
    }
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
    let coordination = passes::coordination("deploy_marathon_services", &system)?;
    let counts = passes::counts(None, &coordination)?;
    let cluster = system.cluster()?;
    let (ids, failures) = dry_run::instances(&soa, &cluster)?;
    let all_are_listed = passes::tell_unlisted(&failures);
    let passes = Passes::from_system("deploy_marathon_services", soa, system, counts, &coordination)?;
    let good = if args.dry_run {
        passes::plan_and_tell(&passes, &ids, args.json).await
    } else {
        passes::tell_radius(&ids, &cluster);
        passes::run_and_tell(&passes.alerting(), &ids, Asked::ForAll, args.json).await
    };
    coordination.close().await;
    Ok(good && all_are_listed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_somebody_at_a_terminal_has_to_say_all() {
        let needs = |arguments: &[&str], terminal| {
            let arguments = ["deploy_marathon_services"].iter().chain(arguments);
            let args = Args::parse_from(arguments);
            program::needs_all(terminal, args.all, args.dry_run)
        };
        assert!(needs(&[], true) && needs(&["--json"], true));
        assert!(!needs(&["--all"], true) && !needs(&["--dry-run"], true) && !needs(&[], false));
    }
}
