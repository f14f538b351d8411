//! `check_marathon_has_apps [--json]`: whether the Marathons of this cluster have any app (monitoring.md §3).

use std::process::ExitCode;

use clap::Parser;
use paasta_tools::checks::{self, Common, marathon};

/// Checks whether the Marathons of this cluster have any app: one without any has forgotten them
///
/// Apps in folders do not count. Exit codes: 0 there are apps; 2 CRITICAL, there is none; 3 UNKNOWN, where no Marathon is
/// configured or one without an answer leaves it open, and wrong usage.
#[derive(Parser, Debug)]
#[command(version)]
struct Args {
    #[command(flatten)]
    common: Common,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args: Args = match checks::arguments() {
        Ok(args) => args,
        Err(code) => return code,
    };
    let judge = async |system: &_, deadline: &_| Ok(marathon::has_apps(system, deadline).await);
    checks::run("check_marathon_has_apps", &args.common, judge).await
}
