//! Tasks of versions that a newer one should have replaced long ago (monitoring.md §3.1).

use std::collections::BTreeMap;

use paasta_core::Timestamp;
use serde::Serialize;

use crate::{Check, Verdict};

/// A running task of a Marathon, as the Mesos master lists it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunningTask {
    /// `service.instance.git<sha>.config<hash>`.
    pub name: String,
    /// When it was first heard of; `None` where its statuses say nothing.
    pub since: Option<Timestamp>,
    /// The host.
    pub host: String,
    /// Its container, `mesos-<agent id>.<container id>`; `None` where its statuses do not say.
    pub container: Option<String>,
}

impl RunningTask {
    /// Whose it is (the first two parts of its name), and which version (the third).
    fn parts(&self) -> Option<((&str, &str), &str)> {
        let mut parts = self.name.split('.');
        Some(((parts.next()?, parts.next()?), parts.next()?))
    }

    /// Service and instance, with their `_`.
    pub fn instance(&self) -> Option<String> {
        self.parts().map(|((service, instance), _)| format!("{service}.{instance}").replace("--", "_"))
    }

    /// The start of the commit.
    pub fn commit(&self) -> Option<&str> {
        self.parts().map(|(_, version)| version.strip_prefix("git").unwrap_or(version))
    }
}

/// The tasks of versions that are older than another one which itself has run for more than `bounce_hours`. Tasks whose age
/// is not known are left out.
pub fn outdated(tasks: &[RunningTask], bounce_hours: f64, now: Timestamp) -> Vec<&RunningTask> {
    let mut versions: BTreeMap<_, BTreeMap<&str, Vec<&RunningTask>>> = BTreeMap::new();
    for task in tasks.iter().filter(|task| task.since.is_some()) {
        if let Some((instance, version)) = task.parts() {
            versions.entry(instance).or_default().entry(version).or_default().push(task);
        }
    }
    let settled_before = now.plus_seconds(-bounce_hours * 3600.0).seconds();
    let mut found = Vec::new();
    for versions in versions.into_values().filter(|versions| versions.len() > 1) {
        let ages: Vec<(f64, Vec<&RunningTask>)> =
            versions.into_values().map(|tasks| (mean_start(&tasks), tasks)).collect();
        let settled = ages.iter().map(|(start, _)| *start).filter(|start| *start < settled_before);
        if let Some(latest) = settled.reduce(f64::max) {
            found.extend(ages.iter().filter(|(start, _)| *start < latest).flat_map(|(_, tasks)| tasks));
        }
    }
    found
}

fn mean_start(tasks: &[&RunningTask]) -> f64 {
    let starts = tasks.iter().filter_map(|task| task.since).map(Timestamp::seconds);
    starts.sum::<f64>() / tasks.len() as f64
}

/// The check that no outdated tasks run. Expected are the hours a bounce may take, and now.
#[derive(Clone, Copy, Debug)]
pub struct OutdatedTasks;

impl Check for OutdatedTasks {
    type Expected = (f64, Timestamp);
    type Observed = Vec<RunningTask>;
    const NAME: &str = "check_mesos_outdated_tasks";
    const ASKS: &str = "whether no task of an old version is left";

    fn decide((hours, now): &(f64, Timestamp), observed: &Vec<RunningTask>) -> Verdict {
        let found = outdated(observed, *hours, *now);
        if found.is_empty() {
            return Verdict::ok(format!(
                "OK: no task is older than a version that has run for {hours} hours"
            ));
        }
        let mut lines = vec![format!(
            "CRITICAL: {} tasks are older than a version that has run for {hours} hours",
            found.len()
        )];
        lines.push(row("SERVICE.INSTANCE", "COMMIT", "SINCE (UTC)", "HOST", "CONTAINER"));
        for task in found {
            let since = task.since.map(|at| at.to_string().replace('T', " ")).unwrap_or_default();
            let instance: String = task.instance().unwrap_or_default().chars().take(30).collect();
            let host = task.host.split('.').next().unwrap_or_default();
            let container = task.container.as_deref().unwrap_or("unknown");
            let since: String = since.chars().take(19).collect();
            lines.push(row(&instance, task.commit().unwrap_or_default(), &since, host, container));
        }
        Verdict::critical(lines.join("\n"))
    }
}

fn row(instance: &str, commit: &str, since: &str, host: &str, container: &str) -> String {
    format!("{instance:<30} {commit:<8} {since:<20} {host:<27} {container}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use paasta_core::CheckStatus::{Critical, Ok};
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_617_278_400_000);

    fn task(version: &str, seconds_ago: f64) -> RunningTask {
        RunningTask {
            name: format!("my--web.main.git{version}.configx"),
            since: Some(NOW.plus_seconds(-seconds_ago)),
            host: "host1.example.com".to_owned(),
            container: Some("mesos-s.c".to_owned()),
        }
    }

    /// The worked example of monitoring.md §3.1.
    #[test]
    fn young_versions_outdate_nothing() {
        let tasks = [task("a", 86_400.0), task("a", 86_400.0), task("b", 20_000.0), task("c", 100.0)];
        assert_eq!(outdated(&tasks, 4.0, NOW), [&tasks[0], &tasks[1]]);
        assert!(outdated(&tasks, 24.0, NOW).is_empty());
        assert!(outdated(&tasks[..2], 4.0, NOW).is_empty());
    }

    /// A row of docs/differences.md (monitoring.md §10, 12).
    #[test]
    fn mended_outdated_tasks_are_critical_in_the_exit_code_too() {
        let tasks = vec![task("a", 86_400.0), task("b", 20_000.0)];
        let verdict = OutdatedTasks::decide(&(4.0, NOW), &tasks);
        assert_eq!((verdict.status, verdict.status.code()), (Critical, 2));
        let row = verdict.output.lines().last().unwrap();
        let words: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(words, ["my_web.main", "a", "2021-03-31", "12:00:00", "host1", "mesos-s.c"]);
        assert_eq!(OutdatedTasks::decide(&(4.0, NOW), &vec![]).status, Ok);
    }

    #[test]
    fn what_nobody_knows_the_age_of_ends_nothing() {
        let nameless = RunningTask { since: None, container: None, ..task("a", 0.0) };
        assert!(outdated(&[nameless, task("b", 20_000.0)], 4.0, NOW).is_empty());
    }

    proptest! {
        #[test]
        fn the_newest_settled_version_is_never_outdated(ages in proptest::collection::vec((0_u8..4, 0.0_f64..200_000.0), 1..12)) {
            let tasks: Vec<RunningTask> = ages.iter().map(|(version, age)| task(&version.to_string(), *age)).collect();
            let found = outdated(&tasks, 4.0, NOW);
            prop_assert!(found.len() < tasks.len());
            let youngest = tasks.iter().filter_map(|task| task.since).max();
            let versions_of = |task: &RunningTask| task.commit().map(str::to_owned);
            // All tasks of one version share its fate.
            for task in &tasks {
                let is_found = found.iter().any(|other| versions_of(other) == versions_of(task));
                prop_assert_eq!(is_found, found.contains(&task), "{:?} {:?}", task, youngest);
            }
        }
    }
}
