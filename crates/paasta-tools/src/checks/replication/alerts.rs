//! The events of a run: what whoever owns an instance is told (monitoring.md §1.5).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use paasta_alerts::{Sinks, layers};
use paasta_config::{Soa, SystemConfig};
use paasta_core::{
    Alert, AlertSink as _, CheckStatus, ClusterName, LogLevel, LogRecord, LogSink, Timestamp, chain,
};
use paasta_monitoring::{Check, Copies, Finding, NotSent, Replication, compose, description, senders};

use super::judge::{Judged, Seen};

/// What there is to send about one instance: nothing where it could not be told how it stands.
pub type ToSend = Option<Result<Alert, NotSent>>;

/// The events of all instances, in their order. Settings that cannot be used are warned of.
pub fn to_send(judged: &[Judged], soa: &Soa, cluster: &ClusterName, at: Timestamp) -> Vec<ToSend> {
    let mut told = BTreeSet::new();
    judged.iter().map(|one| event(one, soa, cluster, at, &mut told)).collect()
}

fn event(
    judged: &Judged,
    soa: &Soa,
    cluster: &ClusterName,
    at: Timestamp,
    told: &mut BTreeSet<String>,
) -> ToSend {
    let Judged { subject, seen, verdict } = judged;
    let expected = *subject.expected.known()?;
    if verdict.status == CheckStatus::Unknown {
        return None;
    }
    let instance = &subject.instance;
    let mut warn = |problem: String| {
        if told.insert(problem.clone()) {
            tracing::warn!(%instance, %problem, "a setting of alerts cannot be used; its default is");
        }
    };
    let (layers, problems) = layers(soa, instance.service(), subject.monitoring.as_ref());
    problems.iter().for_each(|problem| warn(chain(problem)));
    let copies = Copies { instance: instance.clone(), expected, threshold: subject.threshold };
    let text = description(verdict, &copies, cluster.as_str(), &failing(seen, &copies));
    let sender = senders::replication(instance, cluster.as_str(), text);
    let finding =
        Finding::about(instance, &sender, Some(cluster.as_str()), verdict.status, verdict.output.as_str());
    Some(compose(&sender, &layers, finding).map(|composed| {
        composed.problems.iter().for_each(|problem| warn(problem.to_string()));
        Alert {
            at,
            cluster: Some(cluster.to_string()),
            instance: instance.clone(),
            check: sender.check.to_owned(),
            event: composed.event,
        }
    }))
}

/// The kinds of load balancers that see too few copies.
fn failing<'a>(seen: &'a Seen, copies: &Copies) -> Vec<&'a str> {
    let Seen::Providers(providers) = seen else { return Vec::new() };
    let fails = |(name, answer): &(&'a String, _)| {
        let alone = BTreeMap::from([((*name).clone(), Clone::clone(*answer))]);
        Replication::decide(copies, &alone).status == CheckStatus::Critical
    };
    providers.iter().filter(fails).map(|(name, _)| name.as_str()).collect()
}

/// Sends the events and logs each; waits for them at most so long. A receiver that is down loses events, says so, and fails
/// nothing.
pub fn send(events: &[ToSend], system: &SystemConfig, log: &dyn LogSink, patience: Duration) {
    let sinks = Sinks::from_system(system).unwrap_or_else(|error| {
        tracing::warn!(error = %chain(&error), "nobody is alerted");
        Sinks::default()
    });
    for alert in events.iter().flatten().flatten() {
        sinks.alert(alert);
        log.log(&LogRecord {
            at: alert.at,
            service: alert.instance.service().to_string(),
            instance: Some(alert.instance.instance().to_string()),
            cluster: alert.cluster.clone(),
            component: "monitoring".to_owned(),
            level: LogLevel::Debug,
            message: format!("Replication: {}", alert.event.output.trim_end()),
        });
    }
    if !sinks.flush(patience) {
        tracing::warn!("not all alerts were sent within {} s", patience.as_secs());
    }
}
