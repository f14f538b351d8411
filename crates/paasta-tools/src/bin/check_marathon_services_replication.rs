//! `check_marathon_services_replication [-d ROOT] [--crit PERCENT] [--min-count-critical N] [--dry-run] [SERVICE.INSTANCE …]`:
//! whether every instance of this cluster has enough copies, and alerts about each (monitoring.md §2).

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use paasta_config::Soa;
use paasta_core::{CheckStatus, Clock as _, InstanceId, SystemClock};
use paasta_monitoring::Limits;
use paasta_tools::checks::places::Taken;
use paasta_tools::checks::replication::{self, PROGRAM, Question};
use paasta_tools::checks::{self, Output, SEND_PATIENCE, TimeLimit};
use paasta_tools::{passes, program, service_log};

/// Checks whether every Marathon instance of this cluster has enough copies, and alerts about each
///
/// Instances whose own name has a `proxy_port` are counted by load balancers in each location, the others by their healthy
/// tasks. An event goes out for each, also if it is well; what could not be asked is unknown, and neither alerts nor
/// resolves.
///
/// Exit codes: 0 fewer instances than both limits say have too few copies; 2 CRITICAL, both limits are reached; 3 UNKNOWN,
/// where what could not be asked leaves that open, and wrong usage. Only instances that load balancers know count, but where
/// no other could be judged that is unknown, too.
#[derive(Parser, Debug)]
#[command(version)]
struct Args {
    /// Directory to read soa-configs from
    #[arg(short = 'd', long = "soa-dir", value_name = "SOA_DIR")]
    soa_dir: Option<PathBuf>,
    /// Percent of instances with too few copies from which the whole is critical
    #[arg(long, value_name = "PERCENT", default_value = "10", value_parser = percent)]
    crit: f64,
    /// Instances with too few copies from which the whole is critical
    #[arg(long, value_name = "N", default_value = "5")]
    min_count_critical: u64,
    /// Print events and metrics instead of sending them; writes no file and no log
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    time_limit: TimeLimit,
    /// Say more
    #[arg(short, long)]
    verbose: bool,
    /// Check only these instances
    #[arg(value_name = "SERVICE.INSTANCE")]
    instances: Vec<InstanceId>,
}

fn percent(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    let fits = (0.0..=100.0).contains(&number);
    fits.then_some(number).ok_or_else(|| "expected a number from 0 to 100".to_owned())
}

#[tokio::main]
async fn main() -> ExitCode {
    let args: Args = match checks::arguments() {
        Ok(args) => args,
        Err(code) => return code,
    };
    program::start_logging(args.verbose);
    match run(&args).await {
        Ok(status) => checks::exit(status),
        Err(error) => checks::finish(PROGRAM, &args.output, Err(error)),
    }
}

async fn run(args: &Args) -> anyhow::Result<CheckStatus> {
    let deadline = args.time_limit.begin();
    let system = program::system_config()?;
    let soa = Soa::open(program::soa_root(args.soa_dir.as_deref(), &system)?).cached();
    let coordination = passes::coordination(PROGRAM, &system)?;
    let question = Question {
        soa: &soa,
        system: &system,
        counts: coordination.counts.clone(),
        named: args.instances.clone(),
        limits: Limits { percent: args.crit, count: args.min_count_critical },
        deadline,
        now: SystemClock.now(),
    };
    let report = replication::run(&question).await;
    coordination.close().await;
    let report = report?;
    checks::tell_failed(&report.failed);
    if let Taken::ThisHost { host } = &report.places {
        eprintln!("note: no Mesos is configured here, so the load balancer of `{host}` alone was asked");
    }
    let now = SystemClock.now();
    let events = replication::to_send(&report.judged, &soa, &report.cluster, now);
    let metrics = replication::metrics(&report, now);
    let status = report.verdict.status;
    program::tell(&replication::tell(&report, &events, args.output.json, args.dry_run));
    if args.dry_run {
        if !args.output.json {
            program::tell(&metrics.to_string());
        }
        return Ok(status);
    }
    let status = checks::write(&metrics, &args.output, status);
    let log = service_log::open(&system);
    replication::send(&events, &system, log.as_ref(), SEND_PATIENCE);
    Ok(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_percents_and_counts() {
        assert!(percent("0").is_ok() && percent("12.5").is_ok());
        for bad in ["", "-1", "101", "nan", "10%"] {
            assert!(percent(bad).is_err(), "{bad}");
        }
        let args = Args::parse_from(["check"]);
        assert_eq!((args.crit, args.min_count_critical), (10.0, 5));
        assert!(Args::try_parse_from(["check", "web"]).is_err());
    }
}
