//! `check_mesos_active_frameworks -e NAME,…`: whether these frameworks are connected to the Mesos master (monitoring.md §3).

use std::process::ExitCode;

use clap::Parser;
use paasta_tools::checks::{self, Common, mesos};

/// Checks whether frameworks are connected to the Mesos master
///
/// Exit codes: 0 all that are expected are connected; 2 CRITICAL, some are not; 3 UNKNOWN, where the master does not tell,
/// and wrong usage.
#[derive(Parser, Debug)]
#[command(version)]
struct Args {
    /// Their names, as a whole, with commas between them
    #[arg(short, long, value_name = "NAME,…", value_delimiter = ',')]
    expected: Vec<String>,
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
        async |system: &_, deadline: &_| Ok(mesos::active_frameworks(system, deadline, &args.expected).await);
    checks::run("check_mesos_active_frameworks", &args.common, judge).await
}
