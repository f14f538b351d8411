//! `check_mesos_duplicate_frameworks -C PREFIX,…`: whether no framework is connected twice (monitoring.md §3).

use std::process::ExitCode;

use clap::Parser;
use paasta_tools::checks::{self, Common, mesos};

/// Checks whether no framework is connected to the Mesos master twice under one name
///
/// Exit codes: 0 none is; 2 CRITICAL, some are; 3 UNKNOWN, where the master does not tell, and wrong usage.
#[derive(Parser, Debug)]
#[command(version)]
struct Args {
    /// Look only at those whose names begin so, with commas between the beginnings
    #[arg(short = 'C', long, value_name = "PREFIX,…", value_delimiter = ',')]
    check: Vec<String>,
    #[command(flatten)]
    common: Common,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args: Args = match checks::arguments() {
        Ok(args) => args,
        Err(code) => return code,
    };
    let judge =
        async |system: &_, deadline: &_| Ok(mesos::duplicate_frameworks(system, deadline, &args.check).await);
    checks::run("check_mesos_duplicate_frameworks", &args.common, judge).await
}
