//! How busy tasks are, from samples of them (marathon-and-bounce.md §10.2).

use std::collections::BTreeMap;
use std::fmt;

/// CPUs that a task's limit holds for its executor.
const EXECUTOR_CPUS: f64 = 0.1;

/// What asking one task for its utilization gave, with the providers `http` and `uwsgi`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answer {
    /// Its utilization.
    Utilization(f64),
    /// No answer in time: it is as busy as can be.
    TimedOut,
    /// Anything else went wrong: it tells nothing.
    Failed,
}

/// The mean over the tasks that told anything; none if no task did.
pub fn mean_utilization(answers: &[Answer]) -> Option<f64> {
    let told = |answer: &Answer| match answer {
        Answer::Utilization(utilization) => Some(*utilization),
        Answer::TimedOut => Some(1.0),
        Answer::Failed => None,
    };
    mean(&answers.iter().filter_map(told).collect::<Vec<_>>())
}

/// The part of a task's uWSGI workers that do anything, by their `status`; none without workers.
pub fn uwsgi_utilization<'a>(statuses: impl IntoIterator<Item = &'a str>) -> Option<f64> {
    let busy: Vec<f64> =
        statuses.into_iter().map(|status| if status == "idle" { 0.0 } else { 1.0 }).collect();
    mean(&busy)
}

/// Seconds of all of its CPUs that a task has used since it started, of its CPU seconds in user and system mode and its
/// limit. None if nothing is left of the limit without the executor's part.
pub fn task_cpu_seconds(user_seconds: f64, system_seconds: f64, cpus_limit: f64) -> Option<f64> {
    let cpus = cpus_limit - EXECUTOR_CPUS;
    (cpus > 0.0).then(|| (user_seconds + system_seconds) / cpus)
}

/// What all tasks had used at one time: the provider `mesos_cpu` compares two of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CpuSample {
    /// `cpu_last_time`: whole seconds since 1970.
    pub at_seconds: i64,
    /// Per task id, [`task_cpu_seconds`].
    pub used_seconds: BTreeMap<String, f64>,
}

/// A part of `cpu_data` that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadCpuData(pub String);

impl fmt::Display for BadCpuData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cpu_data has `{}`, expected seconds, a colon and a task id", self.0)
    }
}

impl std::error::Error for BadCpuData {}

impl CpuSample {
    /// Reads what [`CpuSample::data`] wrote.
    ///
    /// # Errors
    /// A part that is not a number, a colon and an id.
    pub fn parse(data: &str, at_seconds: i64) -> Result<Self, BadCpuData> {
        let part = |part: &str| {
            let bad = || BadCpuData(part.to_owned());
            let (seconds, task) = part.split_once(':').ok_or_else(bad)?;
            Ok((task.to_owned(), seconds.trim().parse().map_err(|_| bad())?))
        };
        let parts = data.split(',').filter(|part| !part.is_empty());
        Ok(Self { at_seconds, used_seconds: parts.map(part).collect::<Result<_, _>>()? })
    }

    /// The text of `cpu_data`: `seconds:task`, separated by commas.
    pub fn data(&self) -> String {
        let parts: Vec<_> =
            self.used_seconds.iter().map(|(task, seconds)| format!("{seconds:?}:{task}")).collect();
        parts.join(",")
    }
}

/// The mean utilization between two samples over the tasks that are in both; none if there is no such task, or no time
/// went by.
pub fn cpu_utilization(before: &CpuSample, now: &CpuSample) -> Option<f64> {
    let seconds = now.at_seconds.saturating_sub(before.at_seconds) as f64;
    let used = now.used_seconds.iter().filter_map(|(task, used)| {
        let before = before.used_seconds.get(task)?;
        Some((used - before) / seconds)
    });
    mean(&used.collect::<Vec<_>>()).filter(|_| seconds > 0.0)
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_full_load_and_failures_are_left_out() {
        let answers = [Answer::Utilization(0.5), Answer::TimedOut, Answer::Failed];
        assert_eq!(mean_utilization(&answers), Some(0.75));
        assert_eq!(mean_utilization(&[Answer::Failed]), None);
        assert_eq!(uwsgi_utilization(["idle", "busy", "idle", "cheap"]), Some(0.5));
        assert_eq!(uwsgi_utilization([]), None);
    }

    #[test]
    fn cpu_counts_tasks_that_are_in_both_samples() {
        assert_eq!(task_cpu_seconds(30.0, 15.0, 1.6), Some(30.0));
        assert_eq!(task_cpu_seconds(30.0, 15.0, 0.1), None);
        let before = CpuSample::parse("10.0:a,20.0:b,5:gone", 100).expect("good data");
        let now = CpuSample::parse("40.0:a,80.0:b,7:new", 160).expect("good data");
        assert_eq!(cpu_utilization(&before, &now), Some(0.75));
        assert_eq!(cpu_utilization(&before, &before), None);
        assert_eq!(cpu_utilization(&CpuSample::default(), &now), None);
        assert_eq!(before.data(), "10.0:a,20.0:b,5.0:gone");
        assert_eq!(CpuSample::parse("", 1), Ok(CpuSample { at_seconds: 1, ..CpuSample::default() }));
        for bad in ["a", "x:a", "1.0:a,2.0"] {
            assert!(CpuSample::parse(bad, 1).is_err(), "{bad}");
        }
    }
}
