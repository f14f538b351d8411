//! What deployd of one cluster is at.

use serde::{Deserialize, Serialize};

/// deployd's queue and what it works on (cli.md §4.5, DeployQueue; the other fields are ours). Times are seconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DeployQueue {
    /// When it was told.
    #[serde(default)]
    pub at: f64,
    /// Ours: `leading`, `waiting`, `doubtful` or `lost`.
    #[serde(default)]
    pub standing: String,
    /// Ours: who leads, or what is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing_detail: Option<String>,
    /// Ours: how many passes may run at once.
    #[serde(default)]
    pub workers: usize,
    /// Ours: how many more, for what is due.
    #[serde(default)]
    pub urgent_workers: usize,
    /// Ours: passes under way.
    #[serde(default)]
    pub running_service_instances: Vec<DeployQueueEntry>,
    /// Those whose turn may come now, in the order of their turns.
    pub available_service_instances: Vec<DeployQueueEntry>,
    /// Those that wait for their time, the next one first.
    pub unavailable_service_instances: Vec<DeployQueueEntry>,
    /// Ours: services that could not be read, and deployments.json that could not be regenerated, each with its reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// One instance in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DeployQueueEntry {
    /// Which service.
    pub service: String,
    /// Which instance of it.
    pub instance: String,
    /// Until then it may stand back.
    pub bounce_by: f64,
    /// Its turn comes not before.
    pub wait_until: f64,
    /// Since when it waits.
    pub enqueue_time: f64,
    /// When its pass began, or its last one ended; else since when it waits.
    pub bounce_start_time: f64,
    /// Who put it there, as the original names it.
    pub watcher: String,
    /// Passes that failed in a row.
    pub failures: u64,
    /// Passes so far.
    pub processed_count: u64,
    /// Ours: why it is there, in words.
    #[serde(default)]
    pub because: String,
    /// Ours: what its last pass came to, and what the instance waits for; empty before the first.
    #[serde(default)]
    pub last: String,
    /// Ours: all is as wanted; it is only looked at from time to time.
    #[serde(default)]
    pub at_rest: bool,
}
