//! The status of a long-running instance, under the original's name `marathon` whatever engine runs it.

use std::collections::BTreeMap;

use paasta_core::{AppId, TaskId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::WantedState;

/// How a long-running instance does (cli.md §4.5, InstanceStatusMarathon).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MarathonStatus {
    /// By the last start or stop.
    pub desired_state: WantedState,
    /// How many versions exist on the engine; more than one while bouncing.
    pub app_count: i64,
    /// The version that is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired_app_id: Option<AppId>,
    /// How a new version replaces an old one, by its name in soa-configs.
    pub bounce_method: String,
    /// What the engine does with the wanted version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deploy_status: Option<DeployStatus>,
    /// How long the engine still waits before it starts the next task of the wanted version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff_seconds: Option<f64>,
    /// Running tasks of all versions together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running_instance_count: Option<usize>,
    /// How many tasks are wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_instance_count: Option<usize>,
    /// Limits and load, where the instance is autoscaled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaling_info: Option<AutoscalingInfo>,
    /// Each version, the wanted one first.
    #[serde(default)]
    pub app_statuses: Vec<AppStatus>,
    /// Why nothing more can be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// Commit (eight digits) and config hash (eight digits) of each version that exists.
    #[serde(default)]
    pub active_shas: Vec<(Option<String>, Option<String>)>,
    /// Ours: where the bounce stands, and what it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bounce: Option<Bounce>,
}

/// What an engine does with one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeployStatus {
    /// Nothing is to be done.
    Running,
    /// Tasks are being started or stopped.
    Deploying,
    /// No tasks are wanted, and there are none.
    Stopped,
    /// Tasks failed; the next start is put off.
    Delayed,
    /// No host has room.
    Waiting,
    /// It does not exist yet.
    #[serde(rename = "Waiting for bounce")]
    WaitingForBounce,
    /// It does not exist, and nothing will create it.
    NotRunning,
}

impl DeployStatus {
    /// As it is written in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            DeployStatus::Running => "Running",
            DeployStatus::Deploying => "Deploying",
            DeployStatus::Stopped => "Stopped",
            DeployStatus::Delayed => "Delayed",
            DeployStatus::Waiting => "Waiting",
            DeployStatus::WaitingForBounce => "Waiting for bounce",
            DeployStatus::NotRunning => "NotRunning",
        }
    }
}

/// Limits and load of an autoscaled instance (cli.md §3.4).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AutoscalingInfo {
    /// Tasks wanted now.
    pub current_instances: usize,
    /// Upper limit.
    pub max_instances: usize,
    /// Lower limit.
    pub min_instances: usize,
    /// Load, 1.0 being all that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_utilization: Option<f64>,
    /// Tasks that the load asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_instances: Option<usize>,
}

/// One version on the engine (cli.md §4.5, MarathonAppStatus).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AppStatus {
    /// Ours: its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<AppId>,
    /// Ours: its commit, eight digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_sha: Option<String>,
    /// Ours: its config hash, eight digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_sha: Option<String>,
    /// Ours: how many tasks the engine means it to have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instances: Option<usize>,
    /// Tasks that run.
    pub tasks_running: usize,
    /// Tasks whose health checks pass.
    pub tasks_healthy: usize,
    /// Tasks that do not run yet.
    pub tasks_staged: usize,
    /// All of them.
    pub tasks_total: usize,
    /// When the version was created, in seconds since 1970, if the engine tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub create_timestamp: Option<f64>,
    /// What the engine does with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deploy_status: Option<DeployStatus>,
    /// Where it can be looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dashboard_url: Option<String>,
    /// How long the engine still waits before it starts the next task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff_seconds: Option<f64>,
    /// Why hosts were refused, and how often.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unused_offer_reason_counts: BTreeMap<String, u64>,
    /// Ours: the last of its tasks that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<FailureStatus>,
    /// Its tasks; empty unless asked for.
    #[serde(default)]
    pub tasks: Vec<TaskStatus>,
}

/// How a task failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FailureStatus {
    /// The whole id of the task.
    pub task_id: TaskId,
    /// Why, as the engine words it.
    pub message: String,
    /// When, in seconds since 1970, if the engine tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<f64>,
}

/// One task (cli.md §4.5, MarathonTask).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskStatus {
    /// The short id: what follows the last dot of the whole one.
    pub id: String,
    /// Ours: the whole id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
    /// Where it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Its first port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// When it was handed to its host, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployed_timestamp: Option<f64>,
    /// What its health checks say; absent until they have said something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_healthy: Option<bool>,
    /// Ours: how far it is in its life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<TaskPhase>,
    /// Ours: what its health comes to, with what we know besides its checks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<TaskHealth>,
}

/// How far a task is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskPhase {
    /// Asked for, not running yet.
    Staging,
    /// Running.
    Running,
    /// Its host cannot be reached.
    Unreachable,
    /// On its way out.
    Killing,
    /// Something else.
    Other,
}

/// What a task is worth to the bounce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskHealth {
    /// It serves.
    Healthy,
    /// Its checks fail.
    Unhealthy,
    /// No check has answered yet.
    Unchecked,
    /// It is being drained: it finishes what it has and gets nothing new.
    Draining,
}

/// Where the bounce of an instance stands. Ours.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bounce {
    /// Whether anything but the wanted version in the wanted count exists, or is waited for.
    pub in_progress: bool,
    /// How many tasks of the wanted version there are to be.
    pub wanted: usize,
    /// How many of the wanted version serve.
    pub happy_new: usize,
    /// How many other tasks serve: of old versions, and those of the wanted one that are too many.
    pub old_happy: usize,
    /// How many of them do not serve.
    pub old_unhappy: usize,
    /// How many of them are on their way out.
    pub old_draining: usize,
    /// How many of them serve on hosts that are about to leave.
    pub old_at_risk: usize,
    /// How many old versions exist.
    pub old_apps: usize,
    /// What keeps it from going on, the most telling first; empty when nothing does.
    pub why: Vec<Why>,
    /// When it is worth looking again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look_again_at: Option<Timestamp>,
}

/// One thing a bounce waits for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Why {
    /// What kind of thing, in snake case, for programs.
    pub kind: String,
    /// The same as a phrase for people.
    pub message: String,
    /// The facts behind it, as the decision gave them.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub detail: serde_json::Value,
}
