//! Tasks as processes of this machine, each in a process group of its own.
//!
//! A task is its whole tree: every process of it carries a mark in its environment, by which it is found again
//! after a crash of the engine and by which stragglers are ended. (One that takes its mark off and leaves the
//! group is out of reach.) Limits on processor and memory are not
//! enforced for processes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use paasta_core::{LogStream, LogTail, TaskId, TaskLog};
use rustix::process::Signal;
use tokio::io::unix::AsyncFd;
use tokio::process::{Child, Command};

use super::environment::{CHECK_MARK, TASK_MARK, task_env};
use super::inspect::{self, Identity, OwnGroup};
use super::{Executor, Launch, LaunchError, TaskUsage, logs, sandbox};
use crate::state::{Exit, RunRef};

/// Between two looks at processes that are on their way out.
const LOOK_EVERY: Duration = Duration::from_millis(40);
/// Between two looks at a process that cannot be waited for.
const POLL_EVERY: Duration = Duration::from_millis(200);

/// What a [`ProcessExecutor`] needs.
#[derive(Clone, Debug)]
pub struct ProcessSettings {
    /// Where tasks have their directories.
    pub sandboxes: PathBuf,
    /// The engine's own id, with which its processes are marked.
    pub engine: String,
    /// What every task's environment begins with.
    pub base_env: Vec<(String, String)>,
    /// The size in bytes at which a log is rotated.
    pub log_bytes_max: u64,
    /// Rotated logs kept per stream.
    pub logs_kept: usize,
}

/// Runs tasks as processes.
#[derive(Debug)]
pub struct ProcessExecutor {
    settings: ProcessSettings,
    /// Runs started by this very executor, whose exit codes can be had.
    children: Mutex<HashMap<TaskId, Child>>,
    /// Until when a task that was told to go may still be tidying up.
    deadlines: Mutex<HashMap<TaskId, Instant>>,
}

impl ProcessExecutor {
    /// Makes the directory for sandboxes.
    pub fn new(settings: ProcessSettings) -> std::io::Result<Self> {
        std::fs::create_dir_all(&settings.sandboxes)?;
        Ok(Self { settings, children: Mutex::default(), deadlines: Mutex::default() })
    }

    async fn members(&self, task: &TaskId, own: Option<OwnGroup>) -> Vec<Identity> {
        let (engine, task) = (self.settings.engine.clone(), task.clone());
        let looked = tokio::task::spawn_blocking(move || inspect::members_of(&engine, &task, own)).await;
        looked.unwrap_or_default()
    }

    /// Signals every living process of a task once, whatever group it is in.
    async fn signal_all(&self, task: &TaskId, leader: &Identity, signal: Signal) {
        let own = leader.is_alive().then(|| OwnGroup::of(leader)).flatten();
        for process in self.members(task, own).await {
            inspect::signal(&process, signal);
        }
    }

    fn deadline(&self, task: &TaskId) -> Option<Instant> {
        locked(&self.deadlines).get(task).copied()
    }

    async fn leader_gone(&self, task: &TaskId, run: &RunRef) -> Exit {
        let child = locked(&self.children).remove(task);
        if let Some(mut child) = child {
            return child.wait().await.map_or(Exit::Unknown, exit_of);
        }
        if let Some(identity) = Identity::parse(run) {
            wait_for_stranger(&identity).await;
        }
        Exit::Unknown
    }

    /// Waits for the rest of the tree: until the deadline if the task was told to go, not at all otherwise.
    async fn rest_gone(&self, task: &TaskId, run: &RunRef) {
        let leader = Identity::parse(run);
        let mut own = leader.as_ref().and_then(OwnGroup::of);
        loop {
            let members = self.members(task, own).await;
            if members.is_empty() {
                return;
            }
            let may_linger = self.deadline(task).is_some_and(|deadline| Instant::now() < deadline);
            if !may_linger {
                members.iter().for_each(|process| inspect::signal(process, Signal::KILL));
            }
            // As long as one of them is still there, the group is theirs.
            let later = leader.as_ref().and_then(OwnGroup::of);
            let in_group = |process: &Identity| own.is_some_and(|own| process.group() == Some(own.id));
            if members.iter().any(|process| in_group(process) && process.is_alive()) {
                own = later;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

#[async_trait]
impl Executor for ProcessExecutor {
    async fn spawn(&self, launch: &Launch) -> Result<RunRef, LaunchError> {
        let order = &launch.order;
        let command = order.definition.cmd.as_ref().ok_or(LaunchError::NoCommand)?;
        let no_place = || LaunchError::Sandbox {
            path: self.settings.sandboxes.clone(),
            reason: format!("task id `{}` is not the name of a directory", order.task),
        };
        let sandbox = sandbox::path(&self.settings.sandboxes, &order.task).ok_or_else(no_place)?;
        let directory = sandbox::prepare(&sandbox, launch.artifact.as_ref()).await?;
        let log = |stream: LogStream| logs::open(&sandbox.join(stream.as_str())).map_err(LaunchError::Spawn);
        let env = task_env(&self.settings.base_env, launch, &sandbox, &self.settings.engine);
        let mut child = Command::new("/bin/sh")
            .arg("-c")
            .arg(command)
            .env_clear()
            .envs(env)
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(log(LogStream::Stdout)?)
            .stderr(log(LogStream::Stderr)?)
            .process_group(0)
            .kill_on_drop(false)
            .spawn()
            .map_err(LaunchError::Spawn)?;
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
        match pid.and_then(Identity::of) {
            Some(identity) => {
                locked(&self.children).insert(order.task.clone(), child);
                Ok(identity.run_ref())
            }
            None => {
                // Without its identity it could not be found again.
                let _ = child.start_kill();
                Err(LaunchError::Spawn(std::io::Error::other("the new process could not be identified")))
            }
        }
    }

    async fn gone(&self, task: &TaskId, run: &RunRef) -> Exit {
        let exit = self.leader_gone(task, run).await;
        self.rest_gone(task, run).await;
        locked(&self.deadlines).remove(task);
        exit
    }

    async fn kill(&self, task: &TaskId, run: &RunRef, grace: Duration) {
        locked(&self.deadlines).insert(task.clone(), Instant::now() + grace);
        let deadline = Instant::now() + grace;
        let Some(identity) = Identity::parse(run) else { return };
        self.signal_all(task, &identity, Signal::TERM).await;
        while identity.is_alive() && Instant::now() < deadline {
            tokio::time::sleep(LOOK_EVERY.min(grace)).await;
        }
        if identity.is_alive() {
            self.signal_all(task, &identity, Signal::KILL).await;
        }
    }

    async fn survey(&self, known: &BTreeMap<TaskId, Option<RunRef>>) -> BTreeMap<TaskId, RunRef> {
        let engine = self.settings.engine.clone();
        let found = tokio::task::spawn_blocking(move || inspect::marked(&engine)).await.unwrap_or_default();
        let mut alive = BTreeMap::new();
        for (task, run) in known {
            let recorded = run.as_ref().and_then(Identity::parse);
            let identity = match recorded {
                Some(identity) => identity.is_alive().then_some(identity),
                // Started, but not written down before the engine died: the oldest leader of a group.
                None => found
                    .iter()
                    .find(|process| {
                        &process.task == task && process.group == process.identity.pid && !process.is_check
                    })
                    .map(|process| process.identity.clone()),
            };
            if let Some(identity) = identity {
                alive.insert(task.clone(), identity.run_ref());
            }
        }
        for process in found {
            if process.is_check || !alive.contains_key(&process.task) {
                tracing::warn!(task = %process.task, pid = process.identity.pid, "ending a left-over process");
                inspect::signal(&process.identity, Signal::KILL);
            }
        }
        alive
    }

    async fn probe_command(&self, task: &TaskId, run: &RunRef, command: &str) -> Result<(), String> {
        let identity = Identity::parse(run).ok_or("the task's process is not known")?;
        let mut env = inspect::environment_of(identity.pid).ok_or("the task's process is gone")?;
        env.retain(|(name, _)| name != TASK_MARK);
        env.push((CHECK_MARK.to_owned(), format!("{}/{task}", self.settings.engine)));
        let status = Command::new("/bin/sh")
            .arg("-c")
            .arg(command)
            .env_clear()
            .envs(env)
            .current_dir(format!("/proc/{}/cwd", identity.pid))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .status()
            .await;
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(exit_of(status).message()),
            Err(error) => Err(format!("could not run the check's command: {error}")),
        }
    }

    async fn log(&self, task: &TaskId, stream: LogStream, tail: LogTail) -> std::io::Result<Option<TaskLog>> {
        let Some(sandbox) = sandbox::path(&self.settings.sandboxes, task) else { return Ok(None) };
        let path = sandbox.join(stream.as_str());
        tokio::task::spawn_blocking(move || logs::read(&path, tail)).await.map_err(std::io::Error::other)?
    }

    fn sandbox(&self, task: &TaskId) -> Option<PathBuf> {
        sandbox::path(&self.settings.sandboxes, task)
    }

    async fn usage(&self) -> BTreeMap<TaskId, TaskUsage> {
        let engine = self.settings.engine.clone();
        tokio::task::spawn_blocking(move || inspect::usage(&engine)).await.unwrap_or_default()
    }

    async fn ended(&self, task: &TaskId) {
        let Some(sandbox) = sandbox::path(&self.settings.sandboxes, task) else { return };
        let dropped = tokio::task::spawn_blocking(move || sandbox::drop_checkout(&sandbox)).await;
        if let Ok(Err(error)) = dropped {
            tracing::warn!(%task, %error, "could not remove the directory of a task that is gone");
        }
    }

    async fn housekeeping(&self, live: &BTreeSet<TaskId>) {
        let (settings, live) = (self.settings.clone(), live.clone());
        let kept = tokio::task::spawn_blocking(move || keep_house(&settings, &live)).await;
        if let Ok(Err(error)) = kept {
            tracing::warn!(%error, "could not tidy up the tasks' directories");
        }
    }
}

fn keep_house(settings: &ProcessSettings, live: &BTreeSet<TaskId>) -> std::io::Result<()> {
    for task in live {
        let Some(sandbox) = sandbox::path(&settings.sandboxes, task) else { continue };
        for stream in [LogStream::Stdout, LogStream::Stderr] {
            logs::rotate(&sandbox.join(stream.as_str()), settings.log_bytes_max, settings.logs_kept)?;
        }
    }
    sandbox::sweep(&settings.sandboxes, live)
}

/// Waits for a process that is not a child of this executor.
async fn wait_for_stranger(identity: &Identity) {
    #[expect(
        deprecated,
        reason = "an owned descriptor stays open as long as it is registered; `register` is unsafe"
    )]
    let handle = identity.open().and_then(|fd| AsyncFd::new(fd).ok());
    if let Some(handle) = handle {
        // Readable means ended; an error means that it cannot be told so and must be looked at.
        let _ = handle.readable().await;
    }
    while identity.is_alive() {
        tokio::time::sleep(POLL_EVERY).await;
    }
}

fn exit_of(status: std::process::ExitStatus) -> Exit {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, Some(signal)) => Exit::Signal(signal),
        (None, None) => Exit::Unknown,
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
