//! `check_mesos_quorum [--json]`: whether enough Mesos masters are registered (monitoring.md §3).

use std::process::ExitCode;

use clap::Parser;
use paasta_tools::checks::{self, Common, mesos};

/// Checks whether as many Mesos masters are registered in ZooKeeper as their flag `quorum` says
///
/// Exit codes: 0 there are enough; 2 CRITICAL, there are too few; 3 UNKNOWN, where the master or ZooKeeper does not tell,
/// and wrong usage.
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
    let judge = async |system: &_, deadline: &_| Ok(mesos::quorum(system, deadline).await);
    checks::run("check_mesos_quorum", &args.common, judge).await
}
