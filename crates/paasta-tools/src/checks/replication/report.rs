//! A run as text, as JSON and as metrics.

use std::fmt::Write as _;

use paasta_core::{AlertEvent, CheckStatus, Reading, Timestamp};
use paasta_monitoring::Totals;
use serde::Serialize;

use super::alerts::ToSend;
use super::judge::{Judged, Seen};
use super::load::{Failed, Path};
use super::{PROGRAM, Report};
use crate::checks::metrics::Metrics;
use crate::checks::places::Taken;
use crate::checks::{json_line, would_send};

/// One line of JSON.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Line<'a> {
    Instance(Instance<'a>),
    Failed(&'a Failed),
    Summary(Summary<'a>),
}

#[derive(Serialize)]
struct Instance<'a> {
    instance: String,
    path: &'static str,
    status: CheckStatus,
    word: &'static str,
    expected: &'a Reading<u64>,
    threshold: f64,
    seen: &'a Seen,
    output: &'a str,
    event: Option<&'a AlertEvent>,
    not_sent: Option<String>,
}

#[derive(Serialize)]
struct Summary<'a> {
    cluster: &'a str,
    status: CheckStatus,
    word: &'static str,
    output: &'a str,
    load_balancers: Totals,
    percent_bad: f64,
    tasks: Totals,
    failed: usize,
    places: &'a Taken,
}

/// The run as it is printed: as JSON a line per instance and a last one with the whole, as text the whole first and then
/// whatever is not well. Of a dry run the events, too.
pub fn tell(report: &Report, events: &[ToSend], json: bool, dry_run: bool) -> String {
    if json {
        return as_json(report, events);
    }
    let mut text = as_text(report);
    if dry_run {
        let alerts = events.iter().flatten().flatten();
        alerts.for_each(|alert| text.push_str(&would_send(&alert.event)));
    }
    text
}

fn as_json(report: &Report, events: &[ToSend]) -> String {
    let mut text = String::new();
    for (judged, event) in report.judged.iter().zip(events) {
        text.push_str(&json_line(&Line::Instance(instance(judged, event))));
    }
    for failed in &report.failed {
        text.push_str(&json_line(&Line::Failed(failed)));
    }
    text.push_str(&json_line(&Line::Summary(Summary {
        cluster: report.cluster.as_str(),
        status: report.verdict.status,
        word: report.verdict.status.word(),
        output: &report.verdict.output,
        load_balancers: report.by_balancers,
        percent_bad: report.by_balancers.percent_bad(),
        tasks: report.by_tasks,
        failed: report.failed.len(),
        places: &report.places,
    })));
    text
}

fn instance<'a>(judged: &'a Judged, event: &'a ToSend) -> Instance<'a> {
    let Judged { subject, seen, verdict } = judged;
    Instance {
        instance: subject.instance.to_string(),
        path: match subject.path {
            Path::LoadBalancers { .. } => "load_balancers",
            Path::Tasks => "tasks",
        },
        status: verdict.status,
        word: verdict.status.word(),
        expected: &subject.expected,
        threshold: subject.threshold,
        seen,
        output: &verdict.output,
        event: event.as_ref().and_then(|event| event.as_ref().ok()).map(|alert| &alert.event),
        not_sent: event.as_ref().and_then(|event| event.as_ref().err()).map(ToString::to_string),
    }
}

fn as_text(report: &Report) -> String {
    let mut text = format!("{}\n", report.verdict.output);
    let Totals { good, bad, unknown } = report.by_tasks;
    if good + bad + unknown > 0 {
        // Writing to a String cannot fail.
        let _ = write!(text, "by their tasks alone, not counted above: {bad} of {} have too few", good + bad);
        text.push_str(&match unknown {
            0 => "\n".to_owned(),
            _ => format!("; {unknown} could not be told of\n"),
        });
    }
    for judged in report.judged.iter().filter(|judged| judged.verdict.status != CheckStatus::Ok) {
        text.push_str(judged.verdict.output.trim_end());
        text.push('\n');
    }
    text
}

/// The metrics of a run (monitoring.md §§2.2, 2.4). What could not be told has no sample.
pub fn metrics(report: &Report, now: Timestamp) -> Metrics {
    let mut metrics = Metrics::default();
    let cluster = report.cluster.as_str();
    if report.by_balancers.told() > 0 || report.by_balancers.unknown == 0 {
        let labels = [("paasta_cluster", cluster), ("scheduler", "mesos")];
        let help = "Percent of the instances that load balancers know with too few copies.";
        metrics.add("paasta_pct_services_under_replicated", help, &labels, report.by_balancers.percent_bad());
    }
    for (path, totals) in [("load_balancers", report.by_balancers), ("tasks", report.by_tasks)] {
        for (word, count) in [("ok", totals.good), ("critical", totals.bad), ("unknown", totals.unknown)] {
            let labels = [("paasta_cluster", cluster), ("path", path), ("status", word)];
            let help = "Instances by what the check of their copies found.";
            metrics.add("paasta_replication_instances", help, &labels, count as f64);
        }
    }
    report.judged.iter().for_each(|judged| add_backends(&mut metrics, judged, cluster));
    metrics.status(PROGRAM, report.verdict.status, now);
    metrics
}

fn add_backends(metrics: &mut Metrics, judged: &Judged, cluster: &str) {
    let (Seen::Providers(providers), Reading::Known(expected)) = (&judged.seen, &judged.subject.expected)
    else {
        return;
    };
    let (service, name) = (judged.subject.instance.service(), judged.subject.instance.instance());
    let expected = *expected as f64;
    for (provider, answer) in providers {
        let labels = [
            ("paasta_service", service.as_str()),
            ("paasta_cluster", cluster),
            ("paasta_instance", name.as_str()),
            ("paasta_pool", judged.subject.pool.as_str()),
            ("service_discovery_provider", provider.as_str()),
        ];
        let counts = answer.known().map(|locations| locations.values().map(|count| count.known().copied()));
        if let Some(up) = counts.and_then(|mut counts| counts.try_fold(0, |sum, count| Some(sum + count?))) {
            let help = "Copies that load balancers have up, of all locations.";
            metrics.add("paasta_service_available_backends", help, &labels, up as f64);
        }
        let help = "Copies below which it is an alert.";
        let critical = judged.subject.threshold * expected / 100.0;
        metrics.add("paasta_service_critical_backends", help, &labels, critical);
        let help = "Copies that are expected.";
        metrics.add("paasta_service_expected_backends", help, &labels, expected);
    }
}
