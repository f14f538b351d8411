//! `check_oom_events --kills FILE [-d ROOT] [-r N] [--check-interval MINUTES] [--alert-threshold N] [--dry-run]`: alerts about
//! tasks that were killed for their memory (monitoring.md §3.6).

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use paasta_alerts::Sinks;
use paasta_config::Soa;
use paasta_core::{AlertSink as _, CheckStatus, Clock as _, Reading, SystemClock};
use paasta_monitoring::Verdict;
use paasta_tools::checks::oom::{Judged, KillFile, KillSource, Question, judge};
use paasta_tools::checks::{self, Output, SEND_PATIENCE};
use paasta_tools::{checks::tell_failed, program};
use serde_json::json;

const NAME: &str = "check_oom_events";

/// Alerts about tasks that were killed for their memory
///
/// An event goes out for every instance of this cluster: whether enough of its containers were killed lately, or none. Of
/// fewer than the threshold nothing is sent, which keeps an alert open that is open; nor is anything sent while the log of
/// kills cannot be read.
///
/// Exit codes: 0 everybody was told; 3 UNKNOWN, where the log of kills cannot be read, and wrong usage.
#[derive(Parser, Debug)]
#[command(version)]
struct Args {
    /// The log of kills, a line of JSON each; `-` is standard input
    #[arg(long, value_name = "FILE")]
    kills: PathBuf,
    /// Taken as the original takes it; which kills there are is up to the log
    #[arg(short, long, value_name = "SUPERREGION")]
    superregion: Option<String>,
    /// Directory to read soa-configs from
    #[arg(short = 'd', long = "soa-dir", value_name = "SOA_DIR")]
    soa_dir: Option<PathBuf>,
    /// Every how manyth event alerts again; -1 after 1, 2, 4, 8, …
    #[arg(short, long, value_name = "N", default_value = "1", allow_negative_numbers = true)]
    realert_every: i64,
    /// Minutes that are looked back
    #[arg(long, value_name = "MINUTES", default_value = "1")]
    check_interval: u32,
    /// From how many killed containers of an instance on it alerts
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..))]
    alert_threshold: u32,
    /// Print the events instead of sending them
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    output: Output,
    /// Say more
    #[arg(short, long)]
    verbose: bool,
}

fn main() -> ExitCode {
    let args: Args = match checks::arguments() {
        Ok(args) => args,
        Err(code) => return code,
    };
    program::start_logging(args.verbose);
    checks::finish(NAME, &args.output, run(&args))
}

fn run(args: &Args) -> anyhow::Result<Verdict> {
    let system = program::system_config()?;
    let soa = Soa::open(program::soa_root(args.soa_dir.as_deref(), &system)?).cached();
    let kills = match KillFile(args.kills.clone()).kills() {
        Reading::Known(kills) => kills,
        Reading::Unknown(reason) => {
            return Ok(Verdict::unknown(format!(
                "UNKNOWN: could not tell which tasks were killed: {reason}"
            )));
        }
    };
    if kills.unreadable > 0 {
        tracing::warn!(lines = kills.unreadable, "lines of the log of kills cannot be read");
    }
    let now = SystemClock.now();
    let question = Question {
        soa: &soa,
        system: &system,
        since: now.plus_seconds(-60.0 * f64::from(args.check_interval)),
        threshold: args.alert_threshold as usize,
        realert_every: args.realert_every,
        now,
    };
    let (judged, failed) = judge(&question, &kills.kills)?;
    tell_failed(&failed);
    if args.output.json {
        judged.iter().for_each(|one| program::tell(&line(one)));
    }
    let alerts = judged.iter().filter_map(|one| one.event.as_ref()?.as_ref().ok());
    if args.dry_run {
        let alerts = alerts.filter(|_| !args.output.json);
        alerts.for_each(|alert| program::tell(&checks::would_send(&alert.event)));
    } else {
        let sinks = Sinks::from_system(&system)?;
        alerts.for_each(|alert| sinks.alert(alert));
        if !sinks.flush(SEND_PATIENCE) {
            tracing::warn!("not all alerts were sent within {} s", SEND_PATIENCE.as_secs());
        }
    }
    let critical = |one: &&Judged| one.verdict.as_ref().is_some_and(|v| v.status == CheckStatus::Critical);
    let (bad, all) = (judged.iter().filter(critical).count(), judged.len());
    // The alerts tell of these; that they could be sent is what this program is about.
    Ok(Verdict::ok(format!("OK: tasks of {bad} of {all} instances were killed for their memory")))
}

fn line(judged: &Judged) -> String {
    let event = judged.event.as_ref();
    checks::json_line(&json!({
        "kind": "instance",
        "instance": judged.instance,
        "killed": judged.killed,
        "status": judged.verdict.as_ref().map(|verdict| verdict.status),
        "output": judged.verdict.as_ref().map(|verdict| &verdict.output),
        "event": event.and_then(|event| event.as_ref().ok()).map(|alert| &alert.event),
        "not_sent": event.and_then(|event| event.as_ref().err()).map(ToString::to_string),
    }))
}
