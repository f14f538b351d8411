//! `check_marathon_has_apps [--json]`: whether the Marathons of this cluster have any app (monitoring.md §3).

use std::process::ExitCode;

use clap::Parser;
use paasta_tools::checks::{self, Output, TimeLimit, marathon};
use paasta_tools::program;

/// Checks whether the Marathons of this cluster have any app: one without any has forgotten them
///
/// Apps in folders do not count. Exit codes: 0 there are apps; 2 CRITICAL, there is none; 3 UNKNOWN, where no Marathon is
/// configured or one without an answer leaves it open, and wrong usage.
#[derive(Parser, Debug)]
#[command(version)]
struct Args {
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    time_limit: TimeLimit,
    /// Say more
    #[arg(short, long)]
    verbose: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args: Args = match checks::arguments() {
        Ok(args) => args,
        Err(code) => return code,
    };
    program::start_logging(args.verbose);
    let deadline = args.time_limit.begin();
    let judged = match program::system_config() {
        Ok(system) => Ok(marathon::has_apps(&system, &deadline).await),
        Err(error) => Err(error),
    };
    checks::finish("check_marathon_has_apps", &args.output, judged)
}
