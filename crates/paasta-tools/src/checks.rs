//! What the programs that check something share (monitoring.md §§2, 3): each ends with 0 OK, 1 WARNING, 2 CRITICAL or
//! 3 UNKNOWN, and with 3 for wrong usage, too. What could not be asked is unknown, never 0. docs/checks.md is their manual.

use std::fmt::Display;
use std::future::Future;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser};
use paasta_config::SystemConfig;
use paasta_core::{AlertEvent, CheckStatus, Clock as _, Reading, SystemClock};
use paasta_monitoring::Verdict;
use serde::Serialize;
use tokio::time::Instant;

use crate::program;

pub mod agents;
pub mod capacity;
pub mod docker;
pub mod marathon;
pub mod mesos;
pub mod metastatus;
pub mod metrics;
pub mod oom;
pub mod orphans;
pub mod places;
pub mod replication;

use metrics::Metrics;
use replication::Failed;

/// How long the end of a check waits for alerts that were not sent yet.
pub const SEND_PATIENCE: Duration = Duration::from_secs(10);

/// How a check tells what it found.
#[derive(Args, Clone, Debug)]
pub struct Output {
    /// Print JSON; docs/checks.md has its shape
    #[arg(long)]
    pub json: bool,
    /// Write metrics for Prometheus's textfile collector to this file, which is replaced as a whole
    #[arg(long, value_name = "FILE")]
    pub textfile: Option<PathBuf>,
}

/// How long a check may take.
#[derive(Args, Clone, Copy, Debug)]
pub struct TimeLimit {
    /// Whoever has not answered after so many seconds in all is not waited for any longer
    #[arg(long, value_name = "SECONDS", default_value = "55", value_parser = seconds)]
    pub time_limit: f64,
}

impl TimeLimit {
    /// From now on.
    pub fn begin(self) -> Deadline {
        Deadline::after(Duration::from_secs_f64(self.time_limit))
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "expected a number of seconds".to_owned())?;
    let fits = (0.1..=86_400.0).contains(&number);
    fits.then_some(number).ok_or_else(|| "expected seconds from 0.1 to 86400".to_owned())
}

/// The options of a check with one verdict.
#[derive(Args, Clone, Debug)]
pub struct Common {
    /// How it tells what it found.
    #[command(flatten)]
    pub output: Output,
    /// How long it may take.
    #[command(flatten)]
    pub time_limit: TimeLimit,
    /// Say more
    #[arg(short, long)]
    pub verbose: bool,
}

/// Runs a check with one verdict, over this host's system configuration; its exit code.
pub async fn run(
    check: &str,
    options: &Common,
    judge: impl AsyncFnOnce(&SystemConfig, &Deadline) -> anyhow::Result<Verdict>,
) -> ExitCode {
    program::start_logging(options.verbose);
    let deadline = options.time_limit.begin();
    let judged = match program::system_config() {
        Ok(system) => judge(&system, &deadline).await,
        Err(error) => Err(error),
    };
    finish(check, &options.output, judged)
}

/// Until when anybody is asked.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    at: Instant,
    limit: Duration,
}

impl Deadline {
    /// So long from now.
    pub fn after(limit: Duration) -> Self {
        Self { at: Instant::now() + limit, limit }
    }

    /// What is left.
    pub fn left(&self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    /// The answer, unless none has come by then.
    pub async fn reading<T>(&self, who: &str, asked: impl Future<Output = Reading<T>>) -> Reading<T> {
        match tokio::time::timeout_at(self.at, asked).await {
            Ok(reading) => reading,
            Err(_) => Reading::Unknown(format!("{who} gave no answer within {} s", self.limit.as_secs_f64())),
        }
    }
}

/// The arguments; help and version, and wrong usage, are told here and come back as the exit code.
pub fn arguments<A: Parser>() -> Result<A, ExitCode> {
    A::try_parse().map_err(|error| {
        // Nobody may be there to read it.
        let _ = error.print();
        if error.use_stderr() { exit(CheckStatus::Unknown) } else { ExitCode::SUCCESS }
    })
}

/// The exit code of what was found.
pub fn exit(status: CheckStatus) -> ExitCode {
    ExitCode::from(status.code())
}

/// A verdict as JSON.
#[derive(Serialize)]
struct Told<'a> {
    kind: &'static str,
    check: &'a str,
    status: CheckStatus,
    word: &'static str,
    output: &'a str,
}

/// Tells what a check with one verdict found, as text or JSON and in the file of metrics; the exit code. An error is told on
/// stderr and is unknown.
pub fn finish(check: &str, output: &Output, judged: anyhow::Result<Verdict>) -> ExitCode {
    let verdict = judged.unwrap_or_else(|error| {
        eprintln!("{}", program::paragraph(&error));
        Verdict::unknown(format!("UNKNOWN: {}", one_line(&error)))
    });
    let (status, word) = (verdict.status, verdict.status.word());
    let text = match output.json {
        true => json_line(&Told { kind: "summary", check, status, word, output: &verdict.output }),
        false => format!("{}\n", verdict.output.trim_end()),
    };
    program::tell(&text);
    let mut metrics = Metrics::default();
    metrics.status(check, status, SystemClock.now());
    exit(write(&metrics, output, status))
}

/// Writes the file of metrics, if one is wanted; the status, which cannot be well if the file could not be written.
pub fn write(metrics: &Metrics, output: &Output, status: CheckStatus) -> CheckStatus {
    let Some(path) = &output.textfile else { return status };
    match paasta_deployments::replace_file(path, metrics.to_string().as_bytes()) {
        Ok(()) => status,
        Err(error) => {
            eprintln!("{}", program::paragraph(&error.into()));
            Verdict::worst([status, CheckStatus::Unknown])
        }
    }
}

/// What a dry run says of an event: all of it, unless it only says that all is well.
pub fn would_send(event: &AlertEvent) -> String {
    if event.status == CheckStatus::Ok {
        return format!("would send that {} is well\n", event.name);
    }
    let text = serde_json::to_string_pretty(event).unwrap_or_else(|error| error.to_string());
    format!("would send {}:\n{text}\n", event.name)
}

/// Says on stderr what could not be read.
pub fn tell_failed(failed: &[Failed]) {
    for Failed { service, instance, error } in failed {
        let name = match instance {
            Some(instance) => format!("could not load instance `{service}.{instance}`"),
            None => format!("could not list the instances of `{service}`"),
        };
        eprintln!(
            "error: {name}\n  caused by: {error}\n\n\
             hint: Run `paasta validate -s {service}` in the soa-configs to check every file of the service.\n"
        );
    }
}

/// One line of JSON.
pub fn json_line(value: &impl Serialize) -> String {
    // What is written has text for keys alone.
    serde_json::to_string(value).unwrap_or_else(|error| error.to_string()) + "\n"
}

/// An error and its causes on one line.
pub fn one_line(error: &anyhow::Error) -> String {
    let mut said: Vec<String> = error.chain().map(ToString::to_string).collect();
    if let Some(hint) = error.downcast_ref::<program::Hint>() {
        said.retain(|one| *one != hint.0);
    }
    said.dedup();
    said.join(": ")
}

/// What several were asked for, as one: the sum if all answered, else why not.
pub fn sum<K: Display, N: Copy + std::iter::Sum>(
    parts: impl IntoIterator<Item = (K, Reading<N>)>,
) -> Reading<N> {
    let (mut numbers, mut reasons) = (Vec::new(), Vec::new());
    for (who, part) in parts {
        match part {
            Reading::Known(number) => numbers.push(number),
            Reading::Unknown(reason) if reason.contains(&who.to_string()) => reasons.push(reason),
            Reading::Unknown(reason) => reasons.push(format!("{who}: {reason}")),
        }
    }
    match reasons.is_empty() {
        true => Reading::Known(numbers.into_iter().sum()),
        false => Reading::Unknown(reasons.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_silent_leaves_the_sum_open() {
        let known = |number: u64| Reading::Known(number);
        assert_eq!(sum([("a", known(1)), ("b", known(2))]), Reading::Known(3));
        let silent = Reading::Unknown("no answer".to_owned());
        assert_eq!(sum([("a", known(1)), ("b", silent)]), Reading::Unknown("b: no answer".to_owned()));
        assert_eq!(sum(Vec::<(&str, Reading<u64>)>::new()), Reading::Known(0));
    }

    #[test]
    fn limits_of_time_are_numbers_of_seconds() {
        assert!(seconds("1.5").is_ok() && seconds("55").is_ok());
        for bad in ["", "0", "-1", "nan", "inf", "1m"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn nobody_is_waited_for_longer_than_the_limit() {
        let deadline = Deadline::after(Duration::from_millis(20));
        let silent = deadline.reading("the master", std::future::pending::<Reading<u64>>()).await;
        assert_eq!(silent, Reading::Unknown("the master gave no answer within 0.02 s".to_owned()));
        assert_eq!(deadline.left(), Duration::ZERO);
    }
}
