//! Whether enough copies of an instance serve (monitoring.md §2).

use std::collections::BTreeMap;

use paasta_core::{AppId, CheckStatus, Health, InstanceId, Reading, Task, Timestamp};
use serde::Serialize;

use crate::{Check, Verdict};

/// A task counts as available this long after it started, in seconds.
pub const TASK_AGE_SECONDS_MIN: f64 = 60.0;

/// How many of what is expected are there, in percent; all of nothing is 100.
pub fn percent(available: u64, expected: u64) -> f64 {
    if expected == 0 { 100.0 } else { available as f64 / expected as f64 * 100.0 }
}

/// Whether fewer than `threshold` percent of what is expected are there. Of the threshold only the whole percents count.
///
/// ```
/// use paasta_monitoring::is_under_replicated;
///
/// assert!(is_under_replicated(4, 10, 50.0));
/// assert!(!is_under_replicated(5, 10, 50.0));
/// assert!(!is_under_replicated(0, 0, 50.0), "nothing is expected");
/// ```
pub fn is_under_replicated(available: u64, expected: u64, threshold: f64) -> bool {
    percent(available, expected) < threshold.trunc()
}

/// How many copies an instance should have, and how many percent of them are enough.
#[derive(Clone, Debug, PartialEq)]
pub struct Copies {
    /// Which instance.
    pub instance: InstanceId,
    /// How many; 0 while it is stopped.
    pub expected: u64,
    /// The percentage below which it is an alert: `replication_threshold`.
    pub threshold: f64,
}

/// What one kind of load balancer tells: per location, how many copies are up. A location that could not be asked is
/// unknown, which is not 0.
pub type Locations = BTreeMap<String, Reading<u64>>;

/// The check of copies as load balancers see them, by kind of load balancer (`Smartstack`, `Envoy`).
#[derive(Clone, Copy, Debug)]
pub struct Replication;

impl Check for Replication {
    type Expected = Copies;
    type Observed = BTreeMap<String, Reading<Locations>>;
    const NAME: &str = "check_paasta_services_replication";
    const ASKS: &str = "whether enough copies serve, by what load balancers say";

    /// Critical if any kind says so; else unknown if any could not be asked; else well. Every kind has its say in the text.
    fn decide(expected: &Copies, observed: &Self::Observed) -> Verdict {
        if expected.expected == 0 {
            return Verdict::ok(format!("- {}: 0 copies are expected\n", expected.instance));
        }
        if observed.is_empty() {
            let text = format!(
                "- {}: no kind of load balancer is configured that could be asked\n",
                expected.instance
            );
            return Verdict::unknown(text);
        }
        let verdicts: Vec<Verdict> = observed
            .iter()
            .map(|(provider, answer)| match answer {
                Reading::Known(locations) => provider_says(expected, provider, locations),
                Reading::Unknown(reason) => Verdict::unknown(format!(
                    "- {}: {provider} could not be asked: {reason}\n",
                    expected.instance
                )),
            })
            .collect();
        let output = verdicts.iter().map(|verdict| verdict.output.as_str()).collect();
        Verdict { status: Verdict::worst(verdicts.iter().map(|verdict| verdict.status)), output }
    }
}

fn provider_says(copies: &Copies, provider: &str, locations: &Locations) -> Verdict {
    let Copies { instance, expected, threshold } = copies;
    if locations.is_empty() {
        let text = format!(
            "- {instance}: {provider} has no data about it: no agent has the attribute that `discover` names in its \
             smartstack.yaml\n"
        );
        return Verdict::critical(text);
    }
    let each = expected / locations.len() as u64;
    if each == 0 {
        return all_together(copies, provider, locations);
    }
    let (mut bad, mut unknown, mut good) = (Vec::new(), Vec::new(), Vec::new());
    for (location, count) in locations {
        match count {
            Reading::Known(count) => {
                let under = is_under_replicated(*count, each, *threshold);
                let text = phrase(instance, *count, each, location, provider, under);
                if under { bad.push(text) } else { good.push(text) }
            }
            Reading::Unknown(reason) => {
                unknown
                    .push(format!("- {instance}: {location} could not be asked by {provider}: {reason}\n"));
            }
        }
    }
    let status = match (bad.is_empty(), unknown.is_empty()) {
        (false, _) => CheckStatus::Critical,
        (true, false) => CheckStatus::Unknown,
        (true, true) => CheckStatus::Ok,
    };
    let mut output = bad.concat() + &unknown.concat();
    if !output.is_empty() && !good.is_empty() {
        output.push_str("the rest is fine:\n");
    }
    Verdict { status, output: output + &good.concat() }
}

/// Fewer copies than locations: in no location one can be expected, in all of them together they can.
fn all_together(copies: &Copies, provider: &str, locations: &Locations) -> Verdict {
    let Copies { instance, expected, threshold } = copies;
    let up: u64 = locations.values().filter_map(Reading::known).sum();
    let silent: Vec<&str> = locations
        .iter()
        .filter(|(_, count)| count.unknown().is_some())
        .map(|(name, _)| name.as_str())
        .collect();
    let under = is_under_replicated(up, *expected, *threshold);
    let everywhere =
        format!("all of {} together", locations.keys().map(String::as_str).collect::<Vec<_>>().join(", "));
    if under && !silent.is_empty() {
        let silent = silent.join(", ");
        let text = format!(
            "- {instance}: {up}/{expected} up by {provider}, and these could not be asked: {silent}\n"
        );
        return Verdict::unknown(text);
    }
    let status = if under { CheckStatus::Critical } else { CheckStatus::Ok };
    Verdict::new(status, phrase(instance, up, *expected, &everywhere, provider, under))
}

fn phrase(
    instance: &InstanceId,
    count: u64,
    each: u64,
    location: &str,
    provider: &str,
    under: bool,
) -> String {
    let word = if under { CheckStatus::Critical } else { CheckStatus::Ok };
    format!(
        "- {instance}: {count}/{each} in {location} by {provider}: {word} ({:.1}%)\n",
        percent(count, each)
    )
}

/// A task, as far as it is counted.
#[derive(Clone, Debug, PartialEq)]
pub struct CountedTask {
    /// Of which app.
    pub app: AppId,
    /// When it started to run.
    pub started_at: Option<Timestamp>,
    /// What each of its health checks says; empty where none has come.
    pub results: Vec<bool>,
}

impl From<&Task> for CountedTask {
    fn from(task: &Task) -> Self {
        let results = match task.health {
            Health::NoResults => vec![],
            Health::Alive => vec![true],
            Health::Dead => vec![false],
        };
        Self { app: task.app.clone(), started_at: task.started_at, results }
    }
}

impl CountedTask {
    /// Whether it serves: all its checks are alive, and it has run for more than a minute.
    pub fn is_available(&self, now: Timestamp) -> bool {
        let ran_long = |at: Timestamp| now > at.plus_seconds(TASK_AGE_SECONDS_MIN);
        self.results.iter().all(|alive| *alive) && self.started_at.is_some_and(ran_long)
    }
}

/// How many of these tasks are available copies of the instance.
pub fn available_tasks<'a>(
    instance: &InstanceId,
    tasks: impl IntoIterator<Item = &'a CountedTask>,
    now: Timestamp,
) -> u64 {
    tasks.into_iter().filter(|task| task.app.belongs_to(instance) && task.is_available(now)).count() as u64
}

/// The check of copies by their health alone, for what no load balancer knows under its own name. What is observed is
/// [`available_tasks`].
#[derive(Clone, Copy, Debug)]
pub struct HealthyTasks;

impl Check for HealthyTasks {
    type Expected = Copies;
    type Observed = u64;
    const NAME: &str = "check_healthy_marathon_tasks";
    const ASKS: &str = "whether enough copies serve, by what the engine says";

    fn decide(expected: &Copies, observed: &u64) -> Verdict {
        let Copies { instance, expected, threshold } = expected;
        let under = is_under_replicated(*observed, *expected, *threshold);
        let status = if under { CheckStatus::Critical } else { CheckStatus::Ok };
        let bound = threshold.trunc();
        Verdict::new(
            status,
            format!("{instance}: {observed}/{expected} healthy tasks: {status} (limit {bound}%)"),
        )
    }
}

/// The long text that goes with a verdict about copies; `providers` are the kinds of load balancers asked, none on the
/// path of healthy tasks.
pub fn description(verdict: &Verdict, copies: &Copies, cluster: &str, providers: &[&str]) -> String {
    let Copies { instance, threshold, .. } = copies;
    let (service, name) = (instance.service(), instance.instance());
    match verdict.status {
        CheckStatus::Ok | CheckStatus::Warning => {
            format!("{instance} has at least {}% of its copies in service", threshold.trunc())
        }
        CheckStatus::Unknown => format!("whether {instance} has enough copies in service could not be told"),
        CheckStatus::Critical => {
            let (what, more) = match providers {
                [] => {
                    ("the engine cannot keep as many healthy copies as are wanted".to_owned(), String::new())
                }
                names => (
                    format!(
                        "{} see too few copies in service; whoever calls it may get status 503 or no connection",
                        names.join(" and ")
                    ),
                    "  - let it be found further away, with a wider `discover` in smartstack.yaml\n"
                        .to_owned(),
                ),
            };
            format!(
                "{what}.\n\nReasons may be: too few copies for the load, copies that are not healthy, or no room for more of \
                 them.\n\nWhat helps:\n  - see what it says: paasta logs -s {service} -i {name} -c {cluster}\n  - see how it \
                 stands: paasta status -s {service} -i {name} -c {cluster} -vv\n{more}  - let it have more copies, with \
                 `instances`\n"
            )
        }
    }
}

/// How the whole cluster stands, over the instances that load balancers know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Instances with enough copies.
    pub good: u64,
    /// Instances with too few.
    pub bad: u64,
    /// Instances of which it could not be told.
    pub unknown: u64,
}

impl Totals {
    /// Counts one more verdict.
    pub fn add(&mut self, status: CheckStatus) {
        match status {
            CheckStatus::Ok | CheckStatus::Warning => self.good += 1,
            CheckStatus::Critical => self.bad += 1,
            CheckStatus::Unknown => self.unknown += 1,
        }
    }

    /// Instances of which it could be told.
    pub fn told(&self) -> u64 {
        self.good + self.bad
    }

    /// How many percent have too few, of those of which it could be told.
    pub fn percent_bad(&self) -> f64 {
        let told = self.told();
        if told == 0 { 0.0 } else { 100.0 * self.bad as f64 / told as f64 }
    }
}

/// From where on the whole is critical: both have to be reached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Percent of instances with too few copies.
    pub percent: f64,
    /// Instances with too few copies.
    pub count: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { percent: 10.0, count: 5 }
    }
}

/// The verdict over all instances (monitoring.md §2.2). Unknown where those of which it could not be told might make the
/// difference.
pub fn overall(totals: Totals, limits: Limits) -> Verdict {
    let reached = |bad: u64, all: u64| {
        let percent = if all == 0 { 0.0 } else { 100.0 * bad as f64 / all as f64 };
        percent >= limits.percent && bad >= limits.count
    };
    let Totals { good, bad, unknown } = totals;
    let (percent, told) = (totals.percent_bad(), good + bad);
    let text = format!("{bad} of {told} instances ({percent:.1}%) have too few copies in service");
    let limit = format!("limit {}% and {}", limits.percent, limits.count);
    if reached(bad, told) {
        return Verdict::critical(format!("CRITICAL: {text} ({limit})"));
    }
    let nothing_is_told = told == 0 && unknown > 0;
    if nothing_is_told || (unknown > 0 && reached(bad + unknown, told + unknown)) {
        return Verdict::unknown(format!("UNKNOWN: {text}, and {unknown} could not be told of ({limit})"));
    }
    match unknown {
        0 => Verdict::ok(format!("OK: {text}")),
        _ => Verdict::ok(format!("OK: {text}; {unknown} could not be told of")),
    }
}

#[cfg(test)]
#[path = "replication_tests.rs"]
mod tests;
