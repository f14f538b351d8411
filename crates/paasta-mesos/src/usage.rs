//! What a task uses of what it was given, by its agent's statistics (monitoring.md §5.3). Pure.

use paasta_core::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Task;

/// What Mesos gives an executor beside its task, in processors.
const EXECUTOR_CPUS: f64 = 0.1;

/// One entry of `GET /monitor/statistics`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ExecutorStatistics {
    /// The executor: where a task needs nobody else to run it, the task.
    pub executor_id: String,
    /// Its figures.
    #[serde(default)]
    pub statistics: Statistics,
}

/// The figures of an executor; those that the agent does not tell are not known.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Statistics {
    /// Seconds of processors used by its own code.
    pub cpus_user_time_secs: Option<f64>,
    /// Seconds of processors used by the system for it.
    pub cpus_system_time_secs: Option<f64>,
    /// Processors it was given.
    pub cpus_limit: Option<f64>,
    /// Bytes of memory it was given.
    pub mem_limit_bytes: Option<f64>,
    /// Bytes of memory it uses.
    pub mem_rss_bytes: Option<f64>,
}

/// What a task uses. What its agent does not tell is not known, and is not 0.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Usage {
    /// Bytes of memory it may use.
    pub mem_limit_bytes: Option<f64>,
    /// Bytes of memory it uses.
    pub mem_rss_bytes: Option<f64>,
    /// Processors it may use, without what Mesos gives its executor.
    pub cpu_shares: Option<f64>,
    /// Seconds of processors it has used.
    pub cpu_used_seconds: Option<f64>,
}

impl Usage {
    /// That of a task, out of the statistics of its agent; nothing is known where they do not have it.
    pub fn of(task: &Task, statistics: &[ExecutorStatistics]) -> Self {
        let id = if task.executor_id.is_empty() { &task.id } else { &task.executor_id };
        let own = statistics.iter().find(|entry| entry.executor_id == *id || entry.executor_id == task.id);
        let Some(ExecutorStatistics { statistics: own, .. }) = own else { return Self::default() };
        let used = own.cpus_user_time_secs.zip(own.cpus_system_time_secs);
        Self {
            mem_limit_bytes: own.mem_limit_bytes,
            mem_rss_bytes: own.mem_rss_bytes,
            cpu_shares: own.cpus_limit.map(|limit| limit - EXECUTOR_CPUS),
            cpu_used_seconds: used.map(|(user, system)| user + system),
        }
    }

    /// How much of its memory it uses, in percent; `None` where that is not known or it was given none.
    pub fn mem_percent(&self) -> Option<f64> {
        let limit = self.mem_limit_bytes.filter(|limit| *limit > 0.0)?;
        Some(100.0 * self.mem_rss_bytes? / limit)
    }

    /// How much of its processors it has used since it was first heard of, in percent, to a tenth; `None` where that is not
    /// known or it had none to use.
    pub fn cpu_percent(&self, since: Timestamp, now: Timestamp) -> Option<f64> {
        let allocated = (now.seconds() - since.seconds().round()) * self.cpu_shares?;
        let percent =
            100.0 * self.cpu_used_seconds? / Some(allocated).filter(|allocated| *allocated > 0.0)?;
        Some((percent * 10.0).round() / 10.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(task: &str, statistics: &str) -> Usage {
        let task = serde_json::from_str(task).unwrap();
        Usage::of(&task, &serde_json::from_str::<Vec<ExecutorStatistics>>(statistics).unwrap())
    }

    #[test]
    fn what_is_used_of_what_was_given() {
        let statistics = r#"[{"executor_id": "other", "statistics": {"mem_rss_bytes": 9}},
            {"executor_id": "t", "framework_id": "f", "statistics": {"cpus_limit": 1.1, "cpus_user_time_secs": 30.5,
             "cpus_system_time_secs": 20, "mem_limit_bytes": 1000, "mem_rss_bytes": 905, "timestamp": 1.5}}]"#;
        let used = usage(r#"{"id": "t", "state": "TASK_RUNNING"}"#, statistics);
        let (since, now) = (Timestamp::from_millis(100_400), Timestamp::from_millis(200_000));
        assert_eq!((used.mem_percent(), used.cpu_percent(since, now)), (Some(90.5), Some(50.5)));
        assert_eq!(used.cpu_percent(now, now), None, "it had nothing to use yet");
        let by_executor = usage(r#"{"id": "x", "executor_id": "t", "state": "TASK_RUNNING"}"#, statistics);
        assert_eq!(by_executor, used);
        for statistics in [
            "[]",
            r#"[{"executor_id": "t"}]"#,
            r#"[{"executor_id": "t", "statistics": {"mem_limit_bytes": 0}}]"#,
        ] {
            let unknown = usage(r#"{"id": "t", "state": "TASK_RUNNING"}"#, statistics);
            assert_eq!(
                (unknown.mem_percent(), unknown.cpu_percent(since, now)),
                (None, None),
                "{statistics}"
            );
        }
    }
}
