//! What deployd did and does, counted, as text that Prometheus reads (marathon-and-bounce.md §9.8).
//!
//! The registry is by hand: names and labels are a closed list, histograms have fixed buckets and so a fixed size, and
//! gauges are taken from a [`Snapshot`] when somebody asks. No label is made of a service or an instance: their number has no
//! bound.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use paasta_core::{Change, InstanceId, Standing, Timestamp};
use paasta_marathon::RequestTallies;
use tokio::time::Instant;

use crate::looks::Looks;
use crate::ports::{PassAlerts, PassResult, RegenerateResult};
use crate::state::{Action, Event, Scope, Snapshot};
use crate::{FileTallies, Observer};

/// Upper ends of buckets, in seconds.
const BUCKETS: [f64; 16] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0];

/// Counts what the loop hears and decides. Clones are the same one.
#[derive(Clone)]
pub struct Metrics {
    cluster: String,
    files: Option<Arc<FileTallies>>,
    requests: Option<RequestTallies>,
    /// Held by nobody but the daemon, which waits for the last of them at its end.
    alerts: Option<Weak<dyn PassAlerts>>,
    tally: Arc<Mutex<Tally>>,
}

#[derive(Default)]
struct Tally {
    beat: Option<Instant>,
    looks: Looks,
    listed: bool,
    standing: Option<Standing>,
    elections: u64,
    passes: [u64; 7],
    regenerations: [u64; 4],
    engine_changes: [u64; 2],
    nudges: u64,
    reloads: u64,
    listings_failed: u64,
    files_changed: u64,
    /// Since when, and why, each pass under way.
    running: BTreeMap<InstanceId, Running>,
    /// Since when each bounce goes on.
    bouncing: BTreeMap<InstanceId, Timestamp>,
    processed: Histogram,
    setup: Histogram,
    bounce: Histogram,
}

struct Running {
    since: Timestamp,
    woken: Timestamp,
}

const PASSES: [&str; 7] =
    ["steady", "not_deployed", "look_again", "lock_held", "unseen", "failed", "stopped"];
const REGENERATIONS: [&str; 4] = ["changed", "unchanged", "failed", "stopped"];
const ENGINE_CHANGES: [&str; 2] = ["app", "lost"];
const LOOKS: [(&str, &str); 2] =
    [("file_sweep", "sweep over configuration files"), ("listing", "listing of instances")];
const STANDINGS: [&str; 4] = ["leading", "waiting", "doubtful", "lost"];

#[derive(Default)]
struct Histogram {
    counts: [u64; BUCKETS.len()],
    count: u64,
    sum: f64,
}

impl Histogram {
    fn add(&mut self, seconds: f64) {
        let bucket = BUCKETS.iter().zip(&mut self.counts).find(|(end, _)| seconds <= **end);
        if let Some((_, count)) = bucket {
            *count += 1;
        }
        self.count += 1;
        self.sum += seconds;
    }
}

impl Metrics {
    /// Nothing has happened yet. The cluster's name is on every figure.
    pub fn new(cluster: impl Into<String>, files: Option<Arc<FileTallies>>) -> Self {
        Self { cluster: cluster.into(), files, requests: None, alerts: None, tally: Arc::default() }
    }

    /// Tells of the requests to the engine as well.
    #[must_use]
    pub fn with_engine_requests(self, requests: RequestTallies) -> Self {
        Self { requests: Some(requests), ..self }
    }

    /// Tells of alerts as well, where any are sent.
    #[must_use]
    pub fn with_alerts(self, alerts: Option<Weak<dyn PassAlerts>>) -> Self {
        Self { alerts, ..self }
    }

    /// How long ago the loop turned last; none before its first turn.
    pub fn beat_age(&self) -> Option<Duration> {
        self.tally().beat.map(|beat| beat.elapsed())
    }

    /// Whether instances were listed, and where this process stands, as far as it is known.
    pub fn readiness(&self) -> (bool, Option<Standing>) {
        let tally = self.tally();
        (tally.listed, tally.standing.clone())
    }

    /// Why no edit of a configuration file is seen, where a look at the files does not come back.
    pub fn stuck(&self) -> Option<String> {
        self.tally().looks.stuck(Instant::now())
    }

    /// One line for people.
    pub fn status(&self) -> String {
        let tally = self.tally();
        let standing = match &tally.standing {
            None => "waiting for the election",
            Some(standing) => word(standing),
        };
        let [steady, absent, again, held, unseen, failed, _] = tally.passes;
        format!(
            "{standing}; {} passes under way, {} ended ({failed} failed)",
            tally.running.len(),
            steady + absent + again + held + unseen + failed
        )
    }

    /// Everything, in the text format of Prometheus.
    pub fn render(&self, snapshot: &Snapshot) -> String {
        let mut out = Text { out: String::new(), cluster: escaped(&self.cluster) };
        self.tally().render(&mut out);
        gauges(snapshot, &mut out);
        if let Some(files) = &self.files {
            let of = |tally: &std::sync::atomic::AtomicU64| tally.load(Ordering::Relaxed) as f64;
            out.gauge(
                "folders_watched",
                "Folders of configuration that are watched; 0 where all are swept",
                of(&files.folders_watched),
            );
            out.counter("file_sweeps_full", "Sweeps over all configuration files", of(&files.full_sweeps));
            out.counter(
                "file_sweeps_stirred",
                "Sweeps over services whose folders were stirred",
                of(&files.sweeps_of_stirred),
            );
            out.counter("files_unheard", "Services found changed by a sweep alone", of(&files.unheard));
        }
        if let Some(requests) = &self.requests {
            const NAME: &str = "engine_requests_total";
            out.head(NAME, "Requests to the engine that ended, by method and outcome", "counter");
            for (method, outcome, count) in requests.each() {
                let labels = format!(",method=\"{method}\",outcome=\"{outcome}\"");
                out.line(NAME, &labels, count as f64);
            }
        }
        let alerts = self.alerts.as_ref().and_then(Weak::upgrade);
        if let Some(counts) = alerts.and_then(|alerts| alerts.counts()) {
            let what = "Alerts about passes, for each receiver, by what became of them";
            out.labelled("alerts", what, "result", &["sent", "lost"], &[counts.sent, counts.lost]);
        }
        out.out
    }

    /// As if the looks under way had been so since then.
    #[cfg(test)]
    pub(crate) fn hangs_since(&self, since: Instant) {
        self.tally().looks.hang_since(since);
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Metrics {
    fn heard(&self, event: &Event, now: Timestamp) {
        self.tally().heard(event, now);
    }

    fn decided(&self, actions: &[Action], now: Timestamp) {
        let mut tally = self.tally();
        for action in actions {
            tally.looks.decided(action, Instant::now());
            if let Action::StartPass { instance, wake } = action {
                tally.running.insert(instance.clone(), Running { since: now, woken: wake.at });
            }
        }
    }
}

impl Tally {
    fn heard(&mut self, event: &Event, now: Timestamp) {
        let turned = Instant::now();
        self.beat = Some(turned);
        self.looks.heard(event, turned);
        match event {
            Event::Stands(standing) => {
                let led = matches!(self.standing, Some(Standing::Leading | Standing::Doubtful(_)));
                self.elections += u64::from(*standing == Standing::Leading && !led);
                self.standing = Some(standing.clone());
            }
            Event::InstancesListed(listing) => self.listed |= listing.scope == Scope::All,
            Event::ListingFailed(_) => self.listings_failed += 1,
            Event::FilesSwept { services, everything, .. } => {
                self.files_changed += services.len() as u64 + u64::from(*everything);
            }
            Event::EngineChanged(Change::App(_)) => self.engine_changes[0] += 1,
            Event::EngineChanged(Change::Lost) => self.engine_changes[1] += 1,
            Event::Nudged(_) => self.nudges += 1,
            Event::Reload => self.reloads += 1,
            Event::Regenerated { result, .. } => {
                let [changed, unchanged, failed, stopped] = &mut self.regenerations;
                *match result {
                    RegenerateResult::Changed => changed,
                    RegenerateResult::Unchanged => unchanged,
                    RegenerateResult::Failed(_) => failed,
                    RegenerateResult::Stopped(_) => stopped,
                } += 1;
            }
            Event::PassFinished { instance, report } => self.finished(instance, &report.result, now),
            _ => {}
        }
    }

    fn finished(&mut self, instance: &InstanceId, result: &PassResult, now: Timestamp) {
        let [steady, absent, again, held, unseen, failed, stopped] = &mut self.passes;
        *match result {
            PassResult::Steady => steady,
            PassResult::NotDeployed(_) => absent,
            PassResult::LookAgain { .. } => again,
            PassResult::LockHeld => held,
            PassResult::Unseen { .. } => unseen,
            PassResult::Failed(_) => failed,
            PassResult::Stopped(_) => stopped,
        } += 1;
        let Some(running) = self.running.remove(instance) else { return };
        self.processed.add(now.since(running.woken).as_secs_f64());
        self.setup.add(now.since(running.since).as_secs_f64());
        match result {
            PassResult::LookAgain { .. } => {
                self.bouncing.entry(instance.clone()).or_insert(running.since);
            }
            PassResult::Steady => {
                if let Some(begun) = self.bouncing.remove(instance) {
                    self.bounce.add(now.since(begun).as_secs_f64());
                }
            }
            _ => {}
        }
    }

    fn render(&self, out: &mut Text) {
        out.counter("process_started", "paasta.deployd.process_started: starts of this process", 1.0);
        out.counter(
            "leader_elections",
            "paasta.deployd.leader_elections: elections that this process won",
            self.elections as f64,
        );
        out.histogram(
            "processed_by_worker",
            "paasta.deployd.processed_by_worker: from being queued to the end of the pass",
            &self.processed,
        );
        out.histogram("setup_marathon_timer", "paasta.deployd.setup_marathon_timer: passes", &self.setup);
        out.histogram(
            "bounce_length_timer",
            "paasta.deployd.bounce_length_timer: from the first pass of a bounce to its end",
            &self.bounce,
        );
        out.labelled("passes", "Passes that ended, by result", "result", &PASSES, &self.passes);
        out.labelled(
            "regenerations",
            "Regenerations of deployments.json, by result",
            "result",
            &REGENERATIONS,
            &self.regenerations,
        );
        out.labelled(
            "engine_changes",
            "What the engine said: changed apps, and streams that were lost",
            "kind",
            &ENGINE_CHANGES,
            &self.engine_changes,
        );
        out.counter("nudges", "Pushed tags that were told of", self.nudges as f64);
        out.counter("reloads", "Settings read anew", self.reloads as f64);
        out.counter("listings_failed", "Listings of instances that failed", self.listings_failed as f64);
        out.counter("files_changed", "Changes of configuration files, by service", self.files_changed as f64);
        let at = Instant::now();
        for ((name, what), (age, under_way)) in
            LOOKS.iter().zip(self.looks.ages(at).into_iter().zip(self.looks.under_way(at)))
        {
            // Before the first there is no age.
            if let Some(age) = age {
                let help = format!("Seconds since the last {what} ended");
                out.gauge(&format!("{name}_age_seconds"), &help, age.as_secs_f64());
            }
            let help = format!("Seconds that the {what} under way has taken; 0 where none is");
            out.gauge(&format!("{name}_under_way_seconds"), &help, under_way.as_secs_f64());
        }
    }
}

fn word(standing: &Standing) -> &'static str {
    match standing {
        Standing::Leading => "leading",
        Standing::Waiting { .. } => "waiting",
        Standing::Doubtful(_) => "doubtful",
        Standing::Lost(_) => "lost",
    }
}

/// Deadlines are told of those that are available now and of the others apart.
fn gauges(snapshot: &Snapshot, out: &mut Text) {
    let at = snapshot.at;
    let available = || snapshot.queue.iter().filter(|entry| entry.available);
    let others = || snapshot.queue.iter().filter(|entry| !entry.available);
    let past = || available().map(|entry| at.since(entry.bounce_by).as_secs_f64()).filter(|past| *past > 0.0);
    let count = |number: usize| number as f64;
    let gauge = |out: &mut Text, name: &str, what: &str, value: f64| {
        out.gauge(name, &format!("paasta.deployd.{name}: {what}"), value);
    };
    gauge(out, "instances_to_bounce_now", "instances whose turn may come now", count(available().count()));
    gauge(out, "instances_to_bounce_later", "instances that wait for their time", count(others().count()));
    gauge(
        out,
        "instances_with_past_deadline",
        "available instances whose deadline is over",
        count(past().count()),
    );
    gauge(
        out,
        "max_time_past_deadline",
        "the longest time past a deadline, in seconds",
        past().fold(0.0, f64::max),
    );
    gauge(out, "sum_time_past_deadline", "all times past deadlines, in seconds", past().sum());
    for seconds in [60u32, 300, 3600] {
        let soon = |entry: &&crate::QueueEntry| {
            at < entry.bounce_by && entry.bounce_by < at.plus_seconds(f64::from(seconds))
        };
        for (name, number) in
            [("available", available().filter(soon).count()), ("unavailable", others().filter(soon).count())]
        {
            let name = format!("{name}_instances_with_deadline_in_next_{seconds}s");
            gauge(out, &name, "instances with a deadline so near", count(number));
        }
    }
    let (busy, workers) = (snapshot.running.len(), snapshot.workers + snapshot.urgent_workers);
    gauge(out, "workers_busy", "passes under way", count(busy));
    gauge(out, "workers_idle", "passes that could be under way besides", count(workers.saturating_sub(busy)));
    gauge(out, "workers_dead", "always 0: a pass that breaks off ends alone", 0.0);
    let failing = snapshot.queue.iter().filter(|entry| entry.failures > 0).count();
    out.gauge("instances", "Instances that are looked after", count(snapshot.instances));
    out.gauge("services", "Services that are known", count(snapshot.services));
    out.gauge("instances_failing", "Instances whose last pass failed", count(failing));
    let last_said = |says: fn(&PassResult) -> bool| {
        let last = snapshot.queue.iter().filter_map(|entry| entry.last.as_ref());
        count(last.filter(|last| says(&last.result)).count())
    };
    out.gauge(
        "instances_unseen",
        "Instances whose last pass could not see what it needs",
        last_said(|result| matches!(result, PassResult::Unseen { .. })),
    );
    out.gauge(
        "instances_not_deployed",
        "Instances of which deployments.json holds nothing: no tag of their deploy group",
        last_said(|result| matches!(result, PassResult::NotDeployed(_))),
    );
    out.gauge(
        "services_unreadable",
        "Services whose instances cannot be read",
        count(snapshot.unreadable.len()),
    );
    out.gauge(
        "regenerations_failing",
        "Services whose deployments.json cannot be regenerated",
        count(snapshot.regenerations_failing.len()),
    );
    out.gauge("regenerations_running", "Regenerations under way", count(snapshot.regenerations_running));
    out.gauge("hosts_leaving", "Hosts that are about to leave", count(snapshot.leaving_hosts.len()));
    out.head("standing", "Where this process stands among others like it", "gauge");
    for standing in STANDINGS {
        let value = f64::from(u8::from(standing == snapshot.standing));
        out.line("standing", &format!(",standing=\"{standing}\""), value);
    }
}

struct Text {
    out: String,
    cluster: String,
}

impl Text {
    fn head(&mut self, name: &str, help: &str, kind: &str) {
        let _ =
            write!(self.out, "# HELP paasta_deployd_{name} {help}\n# TYPE paasta_deployd_{name} {kind}\n");
    }

    fn line(&mut self, name: &str, labels: &str, value: f64) {
        let cluster = &self.cluster;
        let _ = writeln!(self.out, "paasta_deployd_{name}{{paasta_cluster=\"{cluster}\"{labels}}} {value}");
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.head(name, help, "gauge");
        self.line(name, "", value);
    }

    fn counter(&mut self, name: &str, help: &str, value: f64) {
        let name = format!("{name}_total");
        self.head(&name, help, "counter");
        self.line(&name, "", value);
    }

    fn labelled(&mut self, name: &str, help: &str, label: &str, values: &[&str], counts: &[u64]) {
        let name = format!("{name}_total");
        self.head(&name, help, "counter");
        for (value, count) in values.iter().zip(counts) {
            self.line(&name, &format!(",{label}=\"{value}\""), *count as f64);
        }
    }

    fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        let name = format!("{name}_seconds");
        self.head(&name, help, "histogram");
        let mut below = 0;
        for (end, count) in BUCKETS.iter().zip(histogram.counts) {
            below += count;
            self.line(&format!("{name}_bucket"), &format!(",le=\"{end}\""), below as f64);
        }
        self.line(&format!("{name}_bucket"), ",le=\"+Inf\"", histogram.count as f64);
        self.line(&format!("{name}_sum"), "", histogram.sum);
        self.line(&format!("{name}_count"), "", histogram.count as f64);
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use paasta_core::Haste;

    use super::*;
    use crate::{Because, Deployd, Listing, PassReport, Settings, Wake};

    #[test]
    fn the_queue_and_the_passes_are_counted_under_the_names_of_the_original() {
        let metrics = Metrics::new("pnw", None);
        let mut machine = Deployd::new(Settings { workers: 1, ..Settings::default() });
        let mut at = |seconds: f64, event: Event| {
            let now = Timestamp::from_seconds(seconds);
            metrics.heard(&event, now);
            let actions = machine.handle(now, event);
            metrics.decided(&actions, now);
            machine.snapshot(now)
        };
        at(1000.0, Event::Started);
        at(1000.0, Event::Stands(Standing::Leading));
        let ids = ["a.main", "b.main", "c.main"].map(|id| id.parse::<InstanceId>().expect("an instance"));
        at(1000.0, Event::InstancesListed(Listing::of(Scope::All, ids.clone())));
        let report = PassReport::new(PassResult::LookAgain { seconds: 50.0 });
        at(1002.0, Event::PassFinished { instance: ids[0].clone(), report });
        let snapshot = at(1003.0, Event::Tick);
        let text = metrics.render(&snapshot);
        for line in [
            "paasta_deployd_leader_elections_total{paasta_cluster=\"pnw\"} 1",
            "paasta_deployd_instances_to_bounce_now{paasta_cluster=\"pnw\"} 1",
            "paasta_deployd_instances_to_bounce_later{paasta_cluster=\"pnw\"} 1",
            "paasta_deployd_workers_busy{paasta_cluster=\"pnw\"} 1",
            "paasta_deployd_passes_total{paasta_cluster=\"pnw\",result=\"look_again\"} 1",
            "paasta_deployd_setup_marathon_timer_seconds_bucket{paasta_cluster=\"pnw\",le=\"2.5\"} 1",
            "paasta_deployd_setup_marathon_timer_seconds_sum{paasta_cluster=\"pnw\"} 2",
            "paasta_deployd_standing{paasta_cluster=\"pnw\",standing=\"leading\"} 1",
            "# HELP paasta_deployd_workers_dead paasta.deployd.workers_dead: always 0: a pass that breaks off ends alone",
        ] {
            assert!(text.contains(line), "`{line}` is not in:\n{text}");
        }
        assert_eq!(metrics.readiness(), (true, Some(Standing::Leading)));
    }

    #[test]
    fn alerts_are_counted_by_what_became_of_them() {
        struct Counted;
        impl PassAlerts for Counted {
            fn pass_ended(&self, _: &InstanceId, _: &crate::PassReport) {}
            fn counts(&self) -> Option<paasta_alerts::Counts> {
                Some(paasta_alerts::Counts { sent: 3, lost: 2 })
            }
        }
        let alerts: Arc<dyn PassAlerts> = Arc::new(Counted);
        let metrics = Metrics::new("pnw", None).with_alerts(Some(Arc::downgrade(&alerts)));
        let snapshot = Deployd::new(Settings::default()).snapshot(Timestamp::from_seconds(0.0));
        let text = metrics.render(&snapshot);
        for line in ["result=\"sent\"} 3", "result=\"lost\"} 2"] {
            let line = format!("paasta_deployd_alerts_total{{paasta_cluster=\"pnw\",{line}");
            assert!(text.contains(&line), "`{line}` is not in:\n{text}");
        }
        drop(alerts);
        assert!(!metrics.render(&snapshot).contains("alerts_total"), "nobody counts any more");
    }

    #[test]
    fn a_bounce_is_as_long_as_from_its_first_pass_to_its_end() {
        let metrics = Metrics::new("pnw", None);
        let instance: InstanceId = "a.main".parse().expect("an instance");
        let pass = |begun: f64, ended: f64, result: PassResult| {
            let (begun, ended) = (Timestamp::from_seconds(begun), Timestamp::from_seconds(ended));
            let wake = Wake { haste: Haste::Urgent, ..Wake::new(begun, Because::FilesChanged) };
            metrics.decided(&[Action::StartPass { instance: instance.clone(), wake }], begun);
            let report = PassReport::new(result);
            metrics.heard(&Event::PassFinished { instance: instance.clone(), report }, ended);
        };
        pass(10.0, 11.0, PassResult::Steady);
        pass(20.0, 21.0, PassResult::LookAgain { seconds: 1.0 });
        pass(30.0, 31.0, PassResult::Failed("x".to_owned()));
        pass(40.0, 41.0, PassResult::Steady);
        let tally = metrics.tally();
        assert_eq!((tally.bounce.count, tally.bounce.sum, tally.setup.count), (1, 21.0, 4));
        assert!(tally.running.is_empty() && tally.bouncing.is_empty());
    }
}
