//! What is known of each selected instance, before it is rendered; `--json` prints it as it is.

use paasta_api_client::{InstanceStatus, TaskStatus};
use paasta_core::{ClusterName, InstanceName, LogStream, ServiceName};
use serde::Serialize;

/// One instance in one cluster.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Report {
    pub(super) service: ServiceName,
    pub(super) cluster: ClusterName,
    pub(super) instance: InstanceName,
    /// Its type, as in the name of its file.
    pub(super) kind: String,
    /// What the API answered with, if it was reached.
    pub(super) http_status: Option<u16>,
    /// What it said.
    pub(super) status: Option<InstanceStatus>,
    /// Why there is no status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<Failure>,
    /// Ends of the outputs of its tasks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) outputs: Vec<TaskOutput>,
}

/// An error and its causes, as texts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Failure {
    pub(super) message: String,
    pub(super) causes: Vec<String>,
}

/// The end of one output of one task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct TaskOutput {
    /// The short id of the task.
    pub(super) task: String,
    pub(super) stream: LogStream,
    /// The lines, or why they could not be had.
    pub(super) lines: Result<Vec<String>, String>,
}

impl Report {
    /// Whether the instance's state is known and no error hinders it.
    pub(super) fn is_fine(&self) -> bool {
        let hindered = self.status.as_ref().and_then(|status| status.marathon.as_ref());
        self.error.is_none() && hindered.is_none_or(|marathon| marathon.error_message.is_none())
    }

    pub(super) fn output_of(&self, task: &TaskStatus) -> impl Iterator<Item = &TaskOutput> {
        self.outputs.iter().filter(|output| output.task == task.id)
    }
}

impl Failure {
    pub(super) fn of(error: &dyn std::error::Error) -> Self {
        let causes = std::iter::successors(error.source(), |cause| cause.source());
        Self { message: error.to_string(), causes: causes.map(ToString::to_string).collect() }
    }
}
