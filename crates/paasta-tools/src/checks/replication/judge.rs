//! One instance after the other: what was seen of it, and the verdict.

use std::collections::{BTreeMap, HashMap};

use paasta_core::{CheckStatus, HomeId, Reading, Timestamp};
use paasta_marathon::ListedTask;
use paasta_monitoring::{
    Check, Copies, CountedTask, HealthyTasks, Locations, Replication, Verdict, available_tasks,
    is_under_replicated,
};
use paasta_smartstack::{Run, replication};
use serde::Serialize;

use super::load::{Path, Subject};
use crate::checks::places::Places;

/// An instance and what was found.
#[derive(Clone, Debug)]
pub struct Judged {
    /// What it should be like.
    pub subject: Subject,
    /// What was seen.
    pub seen: Seen,
    /// What that comes to.
    pub verdict: Verdict,
}

/// What was seen of an instance.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// By kind of load balancer and location.
    Providers(BTreeMap<String, Reading<Locations>>),
    /// How many of its tasks are healthy, and have been for a minute.
    HealthyTasks(Reading<u64>),
}

/// Load balancers: where, and of which kinds.
pub(super) struct Balancers {
    pub(super) places: Reading<Places>,
    pub(super) runs: Result<Vec<Run>, String>,
}

/// The tasks that Marathons list.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    by_short_id: HashMap<String, Vec<CountedTask>>,
    /// Why some Marathons' tasks are not among them.
    silent: Option<String>,
}

impl Tasks {
    pub(super) fn unknown(reason: String) -> Self {
        Self { silent: Some(reason), ..Self::default() }
    }

    pub(super) fn of(homes: BTreeMap<HomeId, Reading<Vec<ListedTask>>>) -> Self {
        let (mut by_short_id, mut reasons) = (HashMap::<String, Vec<CountedTask>>::new(), Vec::new());
        for listing in homes.into_values() {
            let tasks = match listing {
                Reading::Known(tasks) => tasks,
                Reading::Unknown(reason) => {
                    reasons.push(reason);
                    continue;
                }
            };
            for ListedTask { app, started_at, results } in tasks {
                let own = by_short_id.entry(app.short_id().to_owned()).or_default();
                own.push(CountedTask { app, started_at, results });
            }
        }
        Self { by_short_id, silent: (!reasons.is_empty()).then(|| reasons.join("; ")) }
    }

    /// How many are available; unknown where those of a Marathon that is silent might make enough.
    fn available(&self, copies: &Copies, now: Timestamp) -> Reading<u64> {
        let own = self.by_short_id.get(&copies.instance.short_id()).map(Vec::as_slice).unwrap_or_default();
        let count = available_tasks(&copies.instance, own, now);
        match &self.silent {
            Some(reason) if is_under_replicated(count, copies.expected, copies.threshold) => {
                Reading::Unknown(reason.clone())
            }
            _ => Reading::Known(count),
        }
    }
}

/// What an instance should have; the verdict where that is not known.
fn copies(subject: &Subject) -> Result<Copies, Verdict> {
    let instance = subject.instance.clone();
    match &subject.expected {
        Reading::Known(expected) => {
            Ok(Copies { instance, expected: *expected, threshold: subject.threshold })
        }
        Reading::Unknown(reason) => Err(Verdict::unknown(format!(
            "- {instance}: how many copies it should have could not be told: {reason}\n"
        ))),
    }
}

/// The verdict over one instance that load balancers know.
pub(super) async fn by_balancers(subject: Subject, balancers: &Balancers) -> Judged {
    let (seen, verdict) = match copies(&subject) {
        Ok(copies) => ask_balancers(&copies, &subject, balancers).await,
        Err(verdict) => (BTreeMap::new(), verdict),
    };
    Judged { subject, seen: Seen::Providers(seen), verdict }
}

type Providers = BTreeMap<String, Reading<Locations>>;

async fn ask_balancers(copies: &Copies, subject: &Subject, balancers: &Balancers) -> (Providers, Verdict) {
    let mut observed = BTreeMap::new();
    if copies.expected == 0 {
        // Nobody has to be asked.
        let verdict = Replication::decide(copies, &observed);
        return (observed, verdict);
    }
    let runs = match &balancers.runs {
        Ok(runs) => runs,
        Err(reason) => {
            let verdict = Replication::judge(copies, &Reading::Unknown(reason.clone()));
            return (observed, verdict);
        }
    };
    let registration = subject.instance.to_string();
    let discover = match &subject.path {
        Path::LoadBalancers { discover } => discover.as_str(),
        Path::Tasks => "",
    };
    for run in runs {
        let answer = match &balancers.places {
            Reading::Known(places) => {
                let answers = run.ask_locations(&places.locations(discover, &subject.pool)).await;
                let counts = replication(&answers, &registration).into_iter();
                Reading::Known(counts.map(|(name, count)| (name, count.map(|count| count as u64))).collect())
            }
            Reading::Unknown(reason) => Reading::Unknown(reason.clone()),
        };
        observed.insert(run.provider().name().to_owned(), answer);
    }
    let mut verdict = Replication::decide(copies, &observed);
    let awaited = balancers.places.known().map_or(0, Places::awaited);
    if verdict.status == CheckStatus::Critical && awaited > 0 {
        // What is missing in other locations may be there, in those of whom the master has not heard yet.
        let output = verdict.output;
        verdict = Verdict::unknown(format!(
            "{output}- {registration}: that may be wrong: {awaited} agents have not come back to the Mesos master since it was \
             elected\n"
        ));
    }
    (observed, verdict)
}

/// The verdict over one instance that is judged by its tasks.
pub(super) fn by_tasks(subject: Subject, tasks: &Tasks, now: Timestamp) -> Judged {
    let (count, verdict) = match copies(&subject) {
        Err(verdict) => (Reading::Unknown("nobody was asked".to_owned()), verdict),
        Ok(copies) => {
            let count = tasks.available(&copies, now);
            let verdict = match &count {
                Reading::Known(count) => HealthyTasks::decide(&copies, count),
                Reading::Unknown(reason) => Verdict::unknown(format!(
                    "{}: how many of its tasks are healthy could not be told: {reason}",
                    copies.instance
                )),
            };
            (count, verdict)
        }
    };
    Judged { subject, seen: Seen::HealthyTasks(count), verdict }
}

#[cfg(test)]
mod tests {
    use paasta_core::AppId;

    use super::*;

    fn subject(expected: u64) -> Subject {
        Subject {
            instance: "my_web.main".parse().unwrap(),
            expected: Reading::Known(expected),
            threshold: 50.0,
            path: Path::Tasks,
            pool: "default".to_owned(),
            monitoring: None,
        }
    }

    fn listing(apps: &[&str]) -> Reading<Vec<ListedTask>> {
        let task = |app: &&str| ListedTask {
            app: AppId::new(format!("/{app}.git0.config0")),
            started_at: Some(Timestamp::from_millis(0)),
            results: vec![true],
        };
        Reading::Known(apps.iter().map(task).collect())
    }

    #[test]
    fn a_silent_marathon_leaves_open_only_what_it_could_change() {
        let homes = [
            (HomeId::new("a"), listing(&["my--web.main", "my--web.main2"])),
            (HomeId::new("b"), Reading::Unknown("no answer".to_owned())),
        ];
        let verdict = |expected, homes: &[_]| {
            let tasks = Tasks::of(homes.iter().cloned().collect());
            by_tasks(subject(expected), &tasks, Timestamp::from_millis(120_000)).verdict
        };
        assert_eq!(verdict(2, &homes).status, CheckStatus::Ok);
        let open = verdict(3, &homes);
        assert_eq!(open.status, CheckStatus::Unknown);
        assert!(open.output.contains("no answer") && !open.output.contains("1/3"), "{}", open.output);
        assert_eq!(verdict(3, &homes[..1]).status, CheckStatus::Critical);
        assert_eq!(verdict(0, &homes[1..]).status, CheckStatus::Ok);
    }
}
