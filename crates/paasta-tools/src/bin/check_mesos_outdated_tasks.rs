//! `check_mesos_outdated_tasks [--bounce-time HOURS]`: whether no task of an old version is left (monitoring.md §3.1).

use std::process::ExitCode;

use clap::Parser;
use paasta_core::{Clock as _, SystemClock};
use paasta_tools::checks::{self, Common, mesos};

/// Checks whether no task of a Marathon is older than another version of its instance that has run for hours
///
/// Exit codes: 0 there is none; 2 CRITICAL, there are some, which are listed; 3 UNKNOWN, where the master does not tell, and
/// wrong usage.
#[derive(Parser, Debug)]
#[command(version)]
struct Args {
    /// How long a bounce may take
    #[arg(long, value_name = "HOURS", default_value = "4")]
    bounce_time: u32,
    #[command(flatten)]
    common: Common,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args: Args = match checks::arguments() {
        Ok(args) => args,
        Err(code) => return code,
    };
    let hours = f64::from(args.bounce_time);
    let judge = async |system: &_, deadline: &_| {
        Ok(mesos::outdated_tasks(system, deadline, hours, SystemClock.now()).await)
    };
    checks::run("check_mesos_outdated_tasks", &args.common, judge).await
}
