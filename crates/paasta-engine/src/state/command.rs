//! What the state machine is told, what it answers and what it wants done.

use std::collections::BTreeMap;

use paasta_core::{TaskId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::definition::{Definition, DefinitionError, HealthCheck, Resources};
use super::maintenance::{Machine, Window};
use super::path_id::PathId;
use super::task::RunRef;

/// What the world tells the engine.
#[derive(Clone, Debug)]
pub enum Command {
    /// A new app (`POST /v2/apps`).
    CreateApp {
        /// Its JSON.
        raw: Map<String, Value>,
    },
    /// Changes members of an app (`PUT /v2/apps/{id}`); one that does not exist is created.
    UpdateApp {
        /// Which app.
        id: PathId,
        /// The members to change; a `version` alone goes back to that version.
        patch: Map<String, Value>,
        /// Even while a deployment of it runs.
        force: bool,
    },
    /// Replaces every task of an app.
    RestartApp {
        /// Which app.
        id: PathId,
        /// Even while a deployment of it runs.
        force: bool,
    },
    /// Kills all tasks of an app, then forgets it.
    DeleteApp {
        /// Which app.
        id: PathId,
        /// Even while a deployment of it runs.
        force: bool,
    },
    /// Kills tasks; unknown ids are passed over.
    KillTasks {
        /// Which tasks.
        which: Victims,
        /// Lowers the apps' instances by the number killed.
        scale: bool,
        /// Even while a deployment runs (matters with `scale` only).
        force: bool,
    },
    /// Ends a deployment before it is done.
    CancelDeployment {
        /// Which.
        id: String,
        /// Leaves the app as it is instead of going back to what was before.
        force: bool,
    },
    /// Lets an app's next launch be at once.
    ResetDelay {
        /// Which app.
        id: PathId,
    },
    /// A task runs.
    Started {
        /// Which.
        task: TaskId,
        /// The executor's name for it.
        run: RunRef,
    },
    /// A task could not be started.
    LaunchFailed {
        /// Which.
        task: TaskId,
        /// Why.
        message: String,
    },
    /// A task is gone.
    Exited {
        /// Which.
        task: TaskId,
        /// How.
        exit: Exit,
    },
    /// A health check of a task came to an end.
    Checked {
        /// Which task.
        task: TaskId,
        /// Which of its app's checks.
        check: usize,
        /// Well, or why not.
        result: Result<(), String>,
    },
    /// Says anew which machines are to be away when.
    Schedule {
        /// All of it.
        windows: Vec<Window>,
    },
    /// Machines are away from now on.
    StartMaintenance {
        /// Which.
        machines: Vec<Machine>,
    },
    /// Machines are back.
    StopMaintenance {
        /// Which.
        machines: Vec<Machine>,
    },
    /// Keeps resources of an agent from tasks, or gives them back.
    Reserve {
        /// The agent's id.
        agent: String,
        /// For whom.
        role: String,
        /// How much.
        resources: Resources,
        /// Whether they are given back.
        is_given_back: bool,
    },
    /// The engine is back; these runs were found alive. Given once, before anything else.
    Recover {
        /// Runs by task.
        alive: BTreeMap<TaskId, RunRef>,
    },
    /// A time told by [`super::Engine::next_wakeup`] has come.
    Tick,
}

/// Whom a kill means.
#[derive(Clone, Debug)]
pub enum Victims {
    /// Tasks by id, of any app.
    Ids(Vec<TaskId>),
    /// One task of one app, which must exist.
    One(PathId, TaskId),
    /// All tasks of one app, on one host if named.
    AllOf(PathId, Option<String>),
}

/// How a task ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// With an exit code.
    Code(i32),
    /// By a signal.
    Signal(i32),
    /// Nobody saw how, as when the engine was away.
    Unknown,
}

impl Exit {
    /// In words, as a task's message.
    pub fn message(&self) -> String {
        match self {
            Exit::Code(code) => format!("Command exited with status {code}"),
            Exit::Signal(signal) => format!("Command terminated with signal {signal}"),
            Exit::Unknown => "Command ended; its exit status was not seen".to_owned(),
        }
    }
}

/// What a command answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// The app as created.
    Created(Value),
    /// A deployment was begun.
    Deployed {
        /// The app's new version.
        version: Timestamp,
        /// The deployment.
        deployment: String,
    },
    /// The tasks killed, as they were.
    Killed(Vec<Value>),
    /// Done, nothing to tell.
    Done,
}

/// Why a command was not carried out; nothing changed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// No such app.
    #[error("App '{0}' does not exist")]
    NoApp(PathId),
    /// No such version of the app.
    #[error("App '{0}' does not have the version '{1}'")]
    NoVersion(PathId, String),
    /// No such task.
    #[error("Task '{0}' does not exist")]
    NoTask(TaskId),
    /// No such deployment.
    #[error("DeploymentPlan {0} does not exist")]
    NoDeployment(String),
    /// No delay to reset.
    #[error("Application {0} not found in tasks queue.")]
    NotQueued(PathId),
    /// The id is taken.
    #[error("An app with id [{0}] already exists.")]
    AppExists(PathId),
    /// A deployment holds the app.
    #[error("App is locked by one or more deployments. Override with the option '?force=true'.")]
    Locked {
        /// The deployments that do.
        deployments: Vec<String>,
    },
    /// The JSON is not an app's.
    #[error("{}", match .0 { DefinitionError::Type(_) => "Invalid JSON", DefinitionError::Value(_) => "Object is not valid" })]
    Invalid(DefinitionError),
    /// Machines cannot be taken away or brought back so.
    #[error("{0}")]
    Maintenance(String),
    /// More than this engine takes.
    #[error("This engine keeps at most {0}")]
    Full(&'static str),
}

/// What the engine wants done, after the new state is safe.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Start this task; ends in `Started` or `LaunchFailed`.
    Launch(Box<LaunchOrder>),
    /// Watch a run until it is gone; ends in `Exited`.
    Watch {
        /// Which task.
        task: TaskId,
        /// The run.
        run: RunRef,
    },
    /// End a task: SIGTERM, then SIGKILL after the grace. Without a run, the launch is to be called off.
    Kill {
        /// Which task.
        task: TaskId,
        /// The run.
        run: Option<RunRef>,
        /// Seconds between the two.
        grace_seconds: f64,
    },
    /// Check this task's health from now on.
    StartChecks {
        /// Which task.
        task: TaskId,
        /// Its ports.
        ports: Vec<u16>,
        /// Its app's checks.
        checks: Vec<HealthCheck>,
    },
    /// The task is gone or going: stop its checks.
    StopChecks {
        /// Which task.
        task: TaskId,
    },
    /// The task is gone: its working directory may go, its logs stay a while.
    Ended {
        /// Which task.
        task: TaskId,
    },
    /// Tell whoever listens to `/v2/events`.
    Publish {
        /// Marathon's event type.
        kind: &'static str,
        /// The event's JSON.
        data: Value,
    },
    /// Write into the journal.
    Note(Note),
}

/// Everything it takes to start a task.
#[derive(Clone, Debug)]
pub struct LaunchOrder {
    /// The task.
    pub task: TaskId,
    /// Its app.
    pub app: PathId,
    /// The app's version.
    pub version: Timestamp,
    /// The task's ports.
    pub ports: Vec<u16>,
    /// What to run.
    pub definition: Definition,
    /// The host name tasks are told.
    pub host: String,
}

/// One line of the journal, without its number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// When.
    pub at: Timestamp,
    /// What: `app_created`, `task_started`, ….
    pub kind: String,
    /// Which app.
    pub app: PathId,
    /// Which task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// The app's number of instances, where that is the news.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instances: Option<u64>,
    /// More, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Where new names and ports come from: the world's part in a decision, given as an argument.
pub trait Supply {
    /// A text that no call has returned before.
    fn unique(&mut self) -> String;
    /// Whether nobody outside the engine holds this port.
    fn port_is_free(&mut self, port: u16) -> bool;
}
