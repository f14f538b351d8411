//! The engine as a whole: opens the state, takes up running tasks, serves.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use axum::serve::ListenerExt;
use paasta_core::{TaskId, chain};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, broadcast, mpsc};
use tokio::task::{JoinHandle, JoinSet};

use crate::actor::Actor;
use crate::config::Config;
use crate::core_loop::{Caller, CoreLoop, QUEUE_MAX};
use crate::executor::{self, Executor, ProcessExecutor, ProcessSettings};
use crate::health::Prober;
use crate::journal::Journal;
use crate::rest::{self, Face};
use crate::state::{Agent, Command, Engine, Fleet, Memory, Phase, Resources, RunRef, Settings};
use crate::store::{self, Store, StoreError};

/// Events kept for listeners that are behind.
const EVENTS_MAX: usize = 4096;
/// Between two rounds of rotating logs and removing old directories.
const HOUSEKEEPING_EVERY: Duration = Duration::from_secs(5);
/// Launches under way at a time: each copies a checkout.
const LAUNCHES_MAX: usize = 16;
/// Between two looks whether all tasks are gone.
const LOOK_EVERY: Duration = Duration::from_millis(30);
/// At the end, the last save is waited for this long.
const LAST_SAVE_PATIENCE: Duration = Duration::from_secs(10);

/// Why an engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its state directory cannot be used.
    #[error("could not open the state of the engine")]
    State(#[from] StoreError),
    /// An app in its state no longer reads.
    #[error("could not read app `{app}` in the state file: {reason}")]
    App {
        /// Which app.
        app: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Anybody on the network could run commands here.
    #[error("will not listen on `{address}`, which is not loopback, without a token")]
    OpenToAll {
        /// Where it was to listen.
        address: SocketAddr,
    },
    /// The address is taken or is not of this machine.
    #[error("could not listen on `{address}`")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// A file or directory below the state directory cannot be used.
    #[error("could not open the {what}")]
    Io {
        /// Which.
        what: &'static str,
        /// Why not.
        source: std::io::Error,
    },
    /// TLS for health checks could not be set up.
    #[error("could not set up TLS for health checks: {0}")]
    Tls(String),
}

impl StartError {
    /// Whether the state file is there but says nothing that this engine understands. [`end_abandoned`] ends its tasks
    /// all the same.
    pub fn is_unreadable_state(&self) -> bool {
        matches!(
            self,
            StartError::State(StoreError::Version { .. } | StoreError::Parse { .. }) | StartError::App { .. }
        )
    }
}

/// What [`end_abandoned`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Abandoned {
    /// The processes there were.
    pub processes: usize,
    /// Those that are still there.
    pub left: usize,
    /// Where the state file is now.
    pub aside: PathBuf,
}

/// Ends the tasks of an engine whose state file cannot be read: every process that carries an engine's mark and has
/// its directory below `state_dir` is asked to end, and killed after `grace`. Nothing is drained. The state file is
/// moved aside, so that the next engine begins anew.
///
/// # Errors
/// [`StoreError`] if an engine holds the directory, or the file cannot be moved.
pub async fn end_abandoned(state_dir: &Path, grace: Duration) -> Result<Abandoned, StoreError> {
    let ending = async |dir: &Path| executor::end_all(&dir.join("tasks"), grace).await;
    let ((processes, left), aside) = store::set_aside(state_dir, ending).await?;
    Ok(Abandoned { processes, left, aside })
}

/// Why not all tasks were stopped.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// Some are still there.
    #[error("{left} tasks were still there after {seconds} s")]
    StillThere {
        /// How many.
        left: usize,
        /// How long was waited.
        seconds: u64,
    },
    /// The engine could not carry it out.
    #[error("could not stop the tasks: {0}")]
    Failed(String),
}

/// A running engine. Dropping it, as [`EngineServer::shutdown`], leaves the tasks running; the next engine on the
/// same state directory takes them up again.
pub struct EngineServer {
    address: SocketAddr,
    engine: String,
    caller: Caller,
    work: Vec<JoinHandle<()>>,
    store: Weak<Store>,
}

impl EngineServer {
    /// Opens the state directory, takes up what runs, and serves until shut down.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        if config.token.is_none() && !config.listen.ip().is_loopback() {
            return Err(StartError::OpenToAll { address: config.listen });
        }
        let (store, memory) = Store::open(&config.state_dir, &uuid::Uuid::new_v4().to_string())?;
        let journal =
            Journal::open(store.dir()).map_err(|source| StartError::Io { what: "journal", source })?;
        let executor = executor_of(&config, &store)?;
        // The port is taken before any task is touched: an engine that cannot serve does nothing.
        let failed = |source| StartError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let engine = open_engine(&config, &store, memory)?;
        let alive = executor.survey(&recorded(engine.memory())).await;
        let (sender, inputs) = mpsc::channel(QUEUE_MAX);
        let (events, _) = broadcast::channel(EVENTS_MAX);
        let caller = Caller::new(sender);
        let journal = Arc::new(Mutex::new(journal));
        let face = Face {
            caller: caller.clone(),
            events: events.clone(),
            journal: journal.clone(),
            executor: executor.clone(),
            clock: config.clock.clone(),
            token: config.token.clone(),
            engine: store.engine.clone(),
            host: config.host.clone(),
            address: address.to_string(),
            started_at: config.clock.now(),
        };
        let engine_id = store.engine.clone();
        let store = Arc::new(store);
        let held = Arc::downgrade(&store);
        let mut core = CoreLoop {
            engine,
            store,
            journal,
            clock: config.clock.clone(),
            events,
            actor: actor(&config, &caller, &executor)?,
            inputs,
            pending: Vec::new(),
            unsaved: false,
        };
        core.first(Command::Recover { alive }).await;
        let work = vec![
            tokio::spawn(core.run()),
            tokio::spawn(serve(listener, face)),
            tokio::spawn(keep_house(caller.clone(), executor)),
        ];
        Ok(Self { address, engine: engine_id, caller, work, store: held })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its own id, the same after every restart.
    pub fn id(&self) -> &str {
        &self.engine
    }

    /// Stops serving and lets go of the state directory. Tasks go on running. A save that hangs on the disk is waited
    /// for up to ten seconds; it then still holds the directory, and a warning says so.
    pub async fn shutdown(mut self) {
        for work in self.work.drain(..) {
            work.abort();
            // An aborted task ends with an error that says so.
            let _ = work.await;
        }
        // The last save may still be under way and holds the directory.
        let deadline = tokio::time::Instant::now() + LAST_SAVE_PATIENCE;
        while self.store.upgrade().is_some() {
            if tokio::time::Instant::now() >= deadline {
                let seconds = LAST_SAVE_PATIENCE.as_secs();
                tracing::warn!(seconds, "the last save did not end; the state directory is still held");
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Deletes every app and waits, at most `patience`, until the last task is gone.
    pub async fn kill_all(&self, patience: Duration) -> Result<(), StopError> {
        let failed = |error: crate::core_loop::CallError| StopError::Failed(chain(&error));
        let apps = self.caller.read(|engine, _| engine.memory().apps.keys().cloned().collect::<Vec<_>>());
        for id in apps.await.map_err(failed)? {
            self.caller.call(Command::DeleteApp { id, force: true }).await.map_err(failed)?;
        }
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            let left = self.caller.read(|engine, _| engine.memory().tasks.len()).await.map_err(failed)?;
            if left == 0 {
                return Ok(());
            }
            if tokio::time::Instant::now() >= deadline {
                return Err(StopError::StillThere { left, seconds: patience.as_secs() });
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

impl Drop for EngineServer {
    fn drop(&mut self) {
        for work in &self.work {
            work.abort();
        }
    }
}

impl std::fmt::Debug for EngineServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EngineServer").field("address", &self.address).field("id", &self.engine).finish()
    }
}

fn executor_of(config: &Config, store: &Store) -> Result<Arc<dyn Executor>, StartError> {
    if let Some(executor) = &config.executor {
        return Ok(executor.clone());
    }
    let settings = ProcessSettings {
        sandboxes: store.dir().join("tasks"),
        engine: store.engine.clone(),
        base_env: config.base_env.clone(),
        log_bytes_max: config.log_bytes_max,
        logs_kept: config.logs_kept,
    };
    let executor = ProcessExecutor::new(settings);
    Ok(Arc::new(executor.map_err(|source| StartError::Io { what: "directory for tasks", source })?))
}

fn open_engine(config: &Config, store: &Store, memory: Memory) -> Result<Engine, StartError> {
    let settings = Settings {
        fleet: fleet(config, &store.engine, store.dir()),
        ports: config.ports.bounds(),
        kill_grace_seconds: config.kill_grace_seconds,
    };
    Engine::new(settings, memory)
        .map_err(|(app, error)| StartError::App { app: app.to_string(), reason: format!("{error:?}") })
}

/// The agents that are played; one that is this machine, where none are named.
fn fleet(config: &Config, engine: &str, disk: &Path) -> Fleet {
    let prefix = format!("{engine}-S");
    let agents = config.agents.clone().unwrap_or_default();
    let part = 1.0 / agents.hosts.len().max(1) as f64;
    let like = match agents.resources {
        Some(resources) => Agent { resources, is_limited: true, ..Agent::default() },
        None => Agent { resources: this_machine(disk, part), ..Agent::default() },
    };
    let alone = || Agent { id: format!("{prefix}0"), host: config.host.clone(), ..like.clone() };
    let dealt = Fleet::dealt(&prefix, &agents.hosts, &agents.attributes, &like);
    dealt.unwrap_or_else(|| Fleet::single(alone()))
}

/// A part of what this machine has. What it does not tell is nothing.
fn this_machine(disk: &Path, part: f64) -> Resources {
    const MIB: f64 = 1024.0 * 1024.0;
    let system = rustix::system::sysinfo();
    let bytes = rustix::fs::statvfs(disk).map(|disk| disk.f_blocks as f64 * disk.f_frsize as f64);
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Resources {
        cpus: cpus as f64 * part,
        mem: (system.totalram as f64 * f64::from(system.mem_unit) / MIB * part).floor(),
        disk: (bytes.unwrap_or_default() / MIB * part).floor(),
        gpus: 0.0,
    }
}

fn actor(config: &Config, caller: &Caller, executor: &Arc<dyn Executor>) -> Result<Actor, StartError> {
    Ok(Actor {
        caller: caller.clone(),
        executor: executor.clone(),
        artifacts: config.artifacts.clone(),
        secrets: config.secrets.clone(),
        artifact_wait: Duration::from_secs(config.artifact_seconds_max),
        prober: Arc::new(Prober::new(executor.clone()).map_err(StartError::Tls)?),
        work: JoinSet::new(),
        checks: HashMap::new(),
        launches: HashMap::new(),
        runs: HashMap::new(),
        launching: Arc::new(Semaphore::new(LAUNCHES_MAX)),
    })
}

/// Every task with what was recorded of its run.
fn recorded(memory: &Memory) -> BTreeMap<TaskId, Option<RunRef>> {
    let run = |phase: &Phase| match phase {
        Phase::Staging => None,
        Phase::Running { run, .. } => Some(run.clone()),
        Phase::Killing { run, .. } => run.clone(),
    };
    memory.tasks.values().map(|task| (task.id.clone(), run(&task.phase))).collect()
}

async fn serve(listener: TcpListener, face: Face) {
    let listener = listener.tap_io(|stream| {
        // Small events are sent at once; if that cannot be had they only come a little later.
        let _ = stream.set_nodelay(true);
    });
    if let Err(error) = axum::serve(listener, rest::router(face)).await {
        tracing::error!(%error, "the REST face ended");
    }
}

async fn keep_house(caller: Caller, executor: Arc<dyn Executor>) {
    loop {
        tokio::time::sleep(HOUSEKEEPING_EVERY).await;
        let live = caller.read(|engine, _| engine.memory().tasks.keys().cloned().collect::<BTreeSet<_>>());
        let Ok(live) = live.await else { return };
        executor.housekeeping(&live).await;
    }
}
