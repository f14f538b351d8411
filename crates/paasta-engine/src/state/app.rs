//! One app as the engine keeps it.

use std::collections::BTreeMap;

use paasta_core::{TaskId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::definition::{Backoff, Definition};
use super::path_id::PathId;

/// How many old versions of an app are kept.
pub const VERSIONS_MAX: usize = 10;

/// A task that ran this long before it failed was stable: the app's delay starts over.
pub const STABLE_SECONDS: f64 = 60.0;

/// One app.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct App {
    /// Its id.
    pub id: PathId,
    /// Its JSON as sent, `instances` kept up to date.
    pub raw: Map<String, Value>,
    /// What the engine reads in `raw`.
    #[serde(skip)]
    pub definition: Definition,
    /// The version: when it last changed in any way.
    pub version: Timestamp,
    /// When anything but the number of instances last changed. Tasks older than this are replaced.
    pub config_version: Timestamp,
    /// When the number of instances last changed.
    pub scaled_at: Timestamp,
    /// Former definitions by version, at most [`VERSIONS_MAX`].
    pub versions: BTreeMap<Timestamp, Map<String, Value>>,
    /// Why launches wait.
    pub delay: LaunchDelay,
    /// Since when tasks are missing.
    pub queued_since: Option<Timestamp>,
    /// When the missing tasks are to be tried again.
    pub retry_at: Option<Timestamp>,
    /// Whether the last launch found no port, or no agent.
    pub lacks_port: bool,
    /// The last task that ended by itself.
    pub last_failure: Option<TaskFailure>,
    /// Whether it goes as soon as its last task is gone.
    pub deleting: bool,
}

/// The wait before the next launch after failures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LaunchDelay {
    /// Failures in a row.
    pub failures: u32,
    /// When the next launch may be.
    pub until: Option<Timestamp>,
}

impl LaunchDelay {
    /// One more failure: waits `seconds × factor^(failures before)`, at most `max_seconds`.
    pub fn failed(&mut self, now: Timestamp, backoff: &Backoff) {
        self.until = Some(now.plus_seconds(self.next_seconds(backoff)));
        self.failures = self.failures.saturating_add(1);
    }

    /// What the next failure will wait.
    pub fn next_seconds(&self, backoff: &Backoff) -> f64 {
        let exponent = i32::try_from(self.failures).unwrap_or(i32::MAX);
        let grown = backoff.seconds * backoff.factor.powi(exponent);
        // A grown delay may be infinite, or not a number where the first delay is zero.
        if grown.is_finite() { grown.min(backoff.max_seconds) } else { backoff.max_seconds }
    }

    /// Seconds until a launch may be; zero if it may be now.
    pub fn left_seconds(&self, now: Timestamp) -> f64 {
        self.until.map_or(0.0, |until| until.since(now).as_secs_f64())
    }
}

/// The last failure of an app's tasks, as `lastTaskFailure` shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskFailure {
    /// Which task.
    pub task: TaskId,
    /// The number of its agent.
    #[serde(default)]
    pub agent: u16,
    /// `TASK_FAILED`, `TASK_FINISHED` or `TASK_KILLED`.
    pub state: String,
    /// What happened.
    pub message: String,
    /// When.
    pub at: Timestamp,
    /// The version the task ran.
    pub version: Timestamp,
}

impl App {
    /// A new app at `version`.
    pub(crate) fn new(
        id: PathId,
        raw: Map<String, Value>,
        definition: Definition,
        version: Timestamp,
    ) -> Self {
        Self {
            id,
            raw,
            definition,
            version,
            config_version: version,
            scaled_at: version,
            versions: BTreeMap::new(),
            delay: LaunchDelay::default(),
            queued_since: None,
            retry_at: None,
            lacks_port: false,
            last_failure: None,
            deleting: false,
        }
    }

    /// Sets the number of instances.
    pub(crate) fn scale(&mut self, instances: u64, version: Timestamp) {
        self.keep_former();
        self.definition.instances = instances;
        self.raw.insert("instances".to_owned(), Value::from(instances));
        self.scaled_at = version;
        self.version = version;
    }

    /// Takes another definition: every task is to be replaced.
    pub(crate) fn redefine(&mut self, raw: Map<String, Value>, definition: Definition, version: Timestamp) {
        self.keep_former();
        self.raw = raw;
        self.definition = definition;
        self.config_version = version;
        self.version = version;
    }

    /// The definition as of `version`, if it is still known.
    pub(crate) fn at(&self, version: Timestamp) -> Option<&Map<String, Value>> {
        if version == self.version { Some(&self.raw) } else { self.versions.get(&version) }
    }

    fn keep_former(&mut self) {
        self.versions.insert(self.version, self.raw.clone());
        while self.versions.len() > VERSIONS_MAX {
            self.versions.pop_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_their_bound() {
        let backoff = Backoff { seconds: 2.0, factor: 3.0, max_seconds: 20.0 };
        let mut delay = LaunchDelay::default();
        let now = Timestamp::from_millis(0);
        let mut seen = Vec::new();
        for _ in 0..4 {
            delay.failed(now, &backoff);
            seen.push(delay.left_seconds(now));
        }
        assert_eq!(seen, [2.0, 6.0, 18.0, 20.0]);
        delay.failures = u32::MAX;
        assert_eq!(delay.next_seconds(&backoff), 20.0);
        let zero = Backoff { seconds: 0.0, factor: 2.0, max_seconds: 20.0 };
        assert_eq!(LaunchDelay { failures: 3, until: None }.next_seconds(&zero), 0.0);
    }
}
