//! Answers that do not depend on what runs an instance.

use paasta_core::{InstanceName, LogStream, ServiceName, TaskId};
use serde::{Deserialize, Serialize};

use crate::MarathonStatus;

/// `GET /v1/services/{service}/{instance}/status` (cli.md §4.5, InstanceStatus).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceStatus {
    /// The service.
    pub service: ServiceName,
    /// The instance.
    pub instance: InstanceName,
    /// The first eight digits of the commit that is wanted; empty where nothing is deployed.
    #[serde(default)]
    pub git_sha: String,
    /// How a long-running instance does; absent for other types.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marathon: Option<MarathonStatus>,
}

/// Whether tasks are wanted at all, by the last start or stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WantedState {
    /// As many as configured.
    Start,
    /// None.
    Stop,
}

/// `GET /v1/services`: every instance of this cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceList {
    /// Service and instance, sorted.
    pub services: Vec<(ServiceName, InstanceName)>,
}

/// `GET /v1/services/{service}`: its instances in this cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceList {
    /// Sorted.
    pub instances: Vec<InstanceName>,
}

/// What to put into an instance's status (cli.md §4.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusQuery {
    /// From 1 on, tasks are listed one by one.
    #[serde(default)]
    pub verbose: u8,
}

/// `GET /v1/services/{service}/{instance}/tasks/{task}/log`: a part of one output of a task. Ours; the original
/// has its logs elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskLogAnswer {
    /// The task.
    pub task: TaskId,
    /// Which output.
    pub stream: LogStream,
    /// The lines, oldest first, without their line ends.
    pub lines: Vec<String>,
    /// Whether the last of them has no end yet.
    #[serde(default)]
    pub unfinished: bool,
    /// Where the next line begins, to ask for what follows; none where the engine cannot tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}
