//! The engine as a pure state machine: a command and the time go in, an answer and effects come out.
//!
//! Nothing here does IO, tells the time or draws a random number: ids and free ports come from a [`Supply`].

mod app;
mod changes;
mod command;
mod constraints;
mod definition;
mod deployment;
mod fields;
mod fleet;
mod maintenance;
mod mesos_view;
mod outcome;
mod path_id;
mod placement;
mod reconcile;
mod task;
#[cfg(test)]
mod tests;
mod view;
mod world;

use std::collections::{BTreeMap, BTreeSet};

use paasta_core::{TaskId, Timestamp};
use serde::{Deserialize, Serialize};

pub use app::{App, LaunchDelay, STABLE_SECONDS, TaskFailure, VERSIONS_MAX};
pub use command::{Command, Effect, Exit, LaunchOrder, Note, Refusal, Reply, Supply, Victims};
pub use definition::{
    Backoff, CheckPort, Definition, DefinitionError, HealthCheck, PortWish, Probe, Problem, Resources,
};
pub use deployment::{Deployment, DeploymentKind};
pub use fleet::{Agent, Fleet, attributes_of};
pub use maintenance::{Machine, Maintenance, Nanoseconds, Unavailability, Window};
pub use mesos_view::MesosPlace;
pub use path_id::{PathId, PathIdError};
pub use task::{CheckState, KillReason, Phase, RunRef, Task};
pub use view::Embed;

use outcome::Outcome;

/// The most apps one engine keeps.
pub const APPS_MAX: usize = 10_000;
/// The most tasks one engine runs at a time.
pub const TASKS_MAX: usize = 10_000;

/// What stays the same while an engine runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The agents that tasks are on, by what tasks show: most often one, which is this machine.
    pub fleet: Fleet,
    /// First and last port that may be handed out.
    pub ports: (u16, u16),
    /// Seconds between SIGTERM and SIGKILL where an app names none.
    pub kill_grace_seconds: f64,
}

/// The part of the engine that must survive it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// Apps by id.
    pub apps: BTreeMap<PathId, App>,
    /// Tasks by id.
    pub tasks: BTreeMap<TaskId, Task>,
    /// Deployments under way, oldest first; at most one per app.
    pub deployments: Vec<Deployment>,
    /// The newest version given to any app.
    pub last_version: Timestamp,
    /// Where the search for a free port goes on.
    pub port_cursor: u16,
    /// Agents that are to be away, or are.
    #[serde(default, skip_serializing_if = "Maintenance::is_empty")]
    pub maintenance: Maintenance,
}

/// The engine. See the module's text.
///
/// ```
/// use paasta_core::Timestamp;
/// use paasta_engine::state::{Agent, Command, Effect, Engine, Fleet, Memory, Reply, Settings, Supply};
///
/// struct Counter(u32);
/// impl Supply for Counter {
///     fn unique(&mut self) -> String {
///         self.0 += 1;
///         self.0.to_string()
///     }
///     fn port_is_free(&mut self, _port: u16) -> bool {
///         true
///     }
/// }
///
/// let agent = Agent { id: "S0".into(), host: "here".into(), ..Agent::default() };
/// let settings = Settings { fleet: Fleet::single(agent), ports: (31000, 31999), kill_grace_seconds: 5.0 };
/// let mut engine = Engine::new(settings, Memory::default()).expect("nothing to read");
/// let serde_json::Value::Object(raw) = serde_json::json!({"id": "svc", "cmd": "true"}) else { unreachable!() };
/// let step = engine.handle(Timestamp::from_millis(0), &mut Counter(0), Command::CreateApp { raw });
/// assert!(matches!(step.reply, Ok(Reply::Created(_))));
/// assert!(step.effects.iter().any(|effect| matches!(effect, Effect::Launch(_))));
/// ```
#[derive(Clone, Debug)]
pub struct Engine {
    settings: Settings,
    memory: Memory,
    /// Apps that reconcile must look at before the command is done.
    touched: BTreeSet<PathId>,
}

/// What came of one command.
#[derive(Debug)]
pub struct Step {
    /// The answer.
    pub reply: Result<Reply, Refusal>,
    /// What to do once the state is safe, in this order.
    pub effects: Vec<Effect>,
    /// Whether the state changed in a way that must be safe before the answer goes out.
    pub must_save: bool,
}

impl Engine {
    /// An engine that goes on from `memory`. Fails with the app whose definition no longer reads.
    pub fn new(settings: Settings, mut memory: Memory) -> Result<Self, (PathId, DefinitionError)> {
        for app in memory.apps.values_mut() {
            app.definition = Definition::read(&app.raw).map_err(|error| (app.id.clone(), error))?;
        }
        Ok(Self { settings, memory, touched: BTreeSet::new() })
    }

    /// What to keep.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// What was set at the start.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Takes one command.
    pub fn handle(&mut self, now: Timestamp, supply: &mut dyn Supply, command: Command) -> Step {
        let mut out = Outcome::default();
        let reply = self.carry_out(now, supply, command, &mut out);
        for id in std::mem::take(&mut self.touched) {
            self.reconcile(now, supply, &id, &mut out);
        }
        Step { reply, effects: out.effects, must_save: out.must_save }
    }

    /// When [`Command::Tick`] is due.
    pub fn next_wakeup(&self) -> Option<Timestamp> {
        self.memory.apps.values().filter_map(|app| app.retry_at).min()
    }

    fn carry_out(
        &mut self,
        now: Timestamp,
        supply: &mut dyn Supply,
        command: Command,
        out: &mut Outcome,
    ) -> Result<Reply, Refusal> {
        match command {
            Command::CreateApp { raw } => self.create_app(now, supply, raw, out),
            Command::UpdateApp { id, patch, force } => self.update_app(now, supply, &id, patch, force, out),
            Command::RestartApp { id, force } => self.restart_app(now, supply, &id, force, out),
            Command::DeleteApp { id, force } => self.delete_app(now, supply, &id, force, out),
            Command::KillTasks { which, scale, force } => {
                self.kill_tasks(now, supply, &which, scale, force, out)
            }
            Command::CancelDeployment { id, force } => self.cancel_deployment(now, supply, &id, force, out),
            Command::ResetDelay { id } => self.reset_delay(&id, out),
            Command::Started { task, run } => self.started(now, &task, run, out),
            Command::LaunchFailed { task, message } => self.launch_failed(now, &task, &message, out),
            Command::Exited { task, exit } => self.exited(now, &task, &exit, out),
            Command::Checked { task, check, result } => self.checked(now, &task, check, result, out),
            Command::Schedule { windows } => self.schedule(windows, out),
            Command::StartMaintenance { machines } => self.start_maintenance(now, machines, out),
            Command::StopMaintenance { machines } => self.stop_maintenance(&machines, out),
            Command::Reserve { agent, role, resources, is_given_back } => {
                self.reserve(&agent, &role, &resources, is_given_back, out)
            }
            Command::Recover { alive } => self.recover(now, &alive, out),
            Command::Tick => self.tick(),
        }
    }

    /// Looks again at every app that lacks tasks.
    fn tick(&mut self) -> Result<Reply, Refusal> {
        let waiting = self.memory.apps.values().filter(|app| app.queued_since.is_some());
        self.touched.extend(waiting.map(|app| app.id.clone()));
        Ok(Reply::Done)
    }

    /// A version later than any before.
    fn next_version(&mut self, now: Timestamp) -> Timestamp {
        let version = now.max(Timestamp::from_millis(self.memory.last_version.millis().saturating_add(1)));
        self.memory.last_version = version;
        version
    }

    /// The tasks of one app, found by how their ids begin.
    fn tasks_of<'a>(&'a self, id: &'a PathId) -> impl Iterator<Item = &'a Task> {
        let prefix = format!("{}.", id.task_prefix());
        let from = self.memory.tasks.range(TaskId::new(prefix.clone())..);
        from.take_while(move |(task, _)| task.as_str().starts_with(&prefix))
            .map(|(_, task)| task)
            .filter(move |task| &task.app == id)
    }
}
