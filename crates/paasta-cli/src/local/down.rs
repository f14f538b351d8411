//! Stopping a local cluster for good: whoever runs it is asked to end, its services are drained and stopped.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::join_all;
use paasta_config::{DesiredState, SystemConfig};
use paasta_core::{Fleet, InstanceId, Reading};
use paasta_deployd::SetupPasses;
use paasta_engine::PortRange;
use paasta_logs::Actor;
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::Instant;

use super::base::{Base, EarAddresses, Hold};
use super::layout::Layout;
use super::up::Options;
use super::{LocalError, Ports, pointer_file};

/// A process that was asked to end gets this long.
const HAND_OVER_SECONDS_MAX: u64 = 15;
/// Services get this long to drain; what is left then is stopped all the same.
const DRAIN_SECONDS_MAX: u64 = 900;
/// Processes get this long to end once they are told to.
const KILL_SECONDS_MAX: u64 = 60;
/// Processes of apps that nobody can read get this long to end by themselves.
const UNKNOWN_GRACE_SECONDS: u64 = 10;
/// Between two looks at what still drains.
const LOOK_MILLISECONDS: u64 = 200;

/// How a local cluster is to be stopped.
#[derive(Clone, Debug)]
pub struct DownOptions {
    /// Where it keeps what it knows.
    pub state_dir: PathBuf,
    /// Whose pointer file is removed, if it points here.
    pub home: Option<PathBuf>,
    /// Whether services lose their traffic before they end.
    pub drain: bool,
    /// Whether everything it knows is removed.
    pub purge: bool,
    /// Who answers for it.
    pub actor: Actor,
}

/// What there was to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Downed {
    /// Everything is stopped now.
    Stopped,
    /// There is no such cluster.
    NothingThere,
}

/// Drains and stops every service of the cluster in `options.state_dir`, and the cluster itself. Whether it runs
/// or not, no process of it is left. `tell` hears of the progress.
pub async fn down(
    options: &DownOptions,
    tell: &mut (dyn FnMut(String) + Send),
) -> Result<Downed, LocalError> {
    let layout = Layout::of(&options.state_dir)?;
    let Some(before) = Before::read(&layout) else { return Ok(Downed::NothingThere) };
    if ask_to_end(&layout).await? {
        tell("the running process has ended; its services go on until they are drained".to_owned());
    }
    // The load balancer of a process that was killed goes on without it.
    paasta_smartstack::proxy::end_leftover(&layout.haproxy()).await;
    let started = match before.start(&layout, before.hacheck_port, options.actor.clone()).await {
        Err(error @ LocalError::Port { .. }) => {
            tell(format!("{error}: load balancers cannot see what drains"));
            before.start(&layout, 0, options.actor.clone()).await
        }
        started => started,
    };
    match started {
        Err(LocalError::EngineState { source }) => {
            let why = std::error::Error::source(&source).map_or(source.to_string(), ToString::to_string);
            tell(format!("{why}: services cannot be drained and are stopped all the same"));
            end_without_engine(&layout, tell).await?;
        }
        started => end_all(started?, options.drain, tell).await?,
    }
    if options.purge {
        purge(layout.root())?;
    }
    forget(options.home.as_deref(), &layout);
    Ok(Downed::Stopped)
}

/// Drains and stops what the engine knows, then the engine.
async fn end_all(base: Base, drains: bool, tell: &mut (dyn FnMut(String) + Send)) -> Result<(), LocalError> {
    if drains {
        drain(&base, tell).await?;
    }
    let killed = base.engine.kill_all(Duration::from_secs(KILL_SECONDS_MAX)).await;
    killed.map_err(|error| LocalError::Ending { source: error.into() })?;
    base.end().await;
    Ok(())
}

/// Stops the processes that carry an engine's mark; what the engine knew is moved aside.
async fn end_without_engine(
    layout: &Layout,
    tell: &mut (dyn FnMut(String) + Send),
) -> Result<(), LocalError> {
    let _lock = layout.lock()?;
    let grace = Duration::from_secs(UNKNOWN_GRACE_SECONDS);
    let ended = paasta_engine::end_abandoned(&layout.engine(), grace).await;
    let ended = ended.map_err(|error| LocalError::Ending { source: error.into() })?;
    tell(format!(
        "{} {} found by their marks; the engine's state is now in `{}`",
        ended.processes,
        if ended.processes == 1 { "process" } else { "processes" },
        ended.aside.display()
    ));
    match ended.left {
        0 => Ok(()),
        processes => Err(LocalError::StillThere { processes }),
    }
}

/// What the cluster's own configuration says.
struct Before {
    soa_dir: PathBuf,
    hacheck_port: u16,
    ears: EarAddresses,
}

impl Before {
    /// Nothing if no cluster was ever there. What its configuration does not say any more is left open: even
    /// then no process of it may be left.
    fn read(layout: &Layout) -> Option<Self> {
        if !layout.lock_file().is_file() {
            return None;
        }
        let system = SystemConfig::load_optional(layout.system_config_dir());
        let system = system.unwrap_or_else(|_| SystemConfig::from_map(Default::default()));
        // Nobody listens there while it stops, so that commands are told so at once.
        let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        Some(Self {
            soa_dir: system.soa_dir().unwrap_or_default(),
            hacheck_port: if system.map().is_empty() { 0 } else { system.hacheck_port().unwrap_or_default() },
            ears: EarAddresses { api: nowhere, nudge: nowhere, proxy_stats: None },
        })
    }

    /// hacheck answers where load balancers ask; everything else is nobody's business while it stops.
    async fn start(&self, layout: &Layout, hacheck_port: u16, actor: Actor) -> Result<Base, LocalError> {
        let options = Options {
            soa_dir: self.soa_dir.clone(),
            state_dir: layout.root().to_owned(),
            listen: IpAddr::V4(Ipv4Addr::LOCALHOST),
            ports: Ports { hacheck: hacheck_port, ..Ports::default() },
            home: None,
            task_ports: PortRange::default(),
            task_environment: Vec::new(),
            proxy: None,
            actor,
        };
        Base::start(Hold::take(layout.root())?, &options, self.ears).await
    }
}

/// Sends SIGTERM to whoever holds the lock, and waits until it is free. False if nobody does.
async fn ask_to_end(layout: &Layout) -> Result<bool, LocalError> {
    let deadline = Instant::now() + Duration::from_secs(HAND_OVER_SECONDS_MAX);
    let mut asked = false;
    loop {
        // The lock is let go of again at once: whoever goes on takes it anew.
        let holder = match layout.lock() {
            Ok(_) => return Ok(asked),
            Err(LocalError::Running { holder, .. }) => holder,
            Err(error) => return Err(error),
        };
        if !asked && let Some(process) = holder.parse().ok().and_then(Pid::from_raw) {
            // One that is gone meanwhile has let go of the lock as well.
            let _ = kill_process(process, Signal::TERM);
            asked = true;
        }
        if Instant::now() >= deadline {
            return Err(LocalError::Running { state_dir: layout.root().to_owned(), holder });
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Runs passes as if every instance had been stopped, until no task is left or none can be drained any more.
async fn drain(base: &Base, tell: &mut (dyn FnMut(String) + Send)) -> Result<(), LocalError> {
    let passes = base.passes()?;
    let deadline = Instant::now() + Duration::from_secs(DRAIN_SECONDS_MAX);
    let mut given_up = BTreeSet::new();
    let mut said = BTreeMap::new();
    while Instant::now() < deadline {
        let fleet = passes.pass.engine.observe_all().await;
        let mut left = tasks(&fleet);
        left.retain(|instance, _| !given_up.contains(instance));
        if left.is_empty() {
            return Ok(());
        }
        for (instance, count) in &left {
            if said.insert(instance.clone(), *count) != Some(*count) {
                tell(format!("{instance}: {count} {} to drain", if *count == 1 { "task" } else { "tasks" }));
            }
        }
        let stops = left.keys().map(|instance| stop(&passes, instance, &fleet));
        for (instance, stopped) in left.keys().zip(join_all(stops).await) {
            if let Err(reason) = stopped {
                tell(format!("{instance}: cannot be drained and is stopped all the same: {reason}"));
                given_up.insert(instance.clone());
            }
        }
        tokio::time::sleep(Duration::from_millis(LOOK_MILLISECONDS)).await;
    }
    tell(format!("stopping what is not drained after {DRAIN_SECONDS_MAX} s"));
    Ok(())
}

/// One pass that wants no task of the instance.
async fn stop(passes: &SetupPasses, instance: &InstanceId, fleet: &Fleet) -> Result<(), String> {
    let wanted = passes.wanted(instance).await?;
    let mut wanted = wanted.ok_or("nothing of it is deployed any more")?;
    wanted.deployment.desired_state = DesiredState::Stop;
    let report = passes
        .pass
        .run(&wanted, Some(fleet))
        .await
        .map_err(|error| format!("{:#}", anyhow::Error::new(error)))?;
    for problem in report.problems {
        tracing::warn!(%instance, %problem, "while draining");
    }
    Ok(())
}

/// Per instance that has tasks, how many.
fn tasks(fleet: &Fleet) -> BTreeMap<InstanceId, usize> {
    let mut tasks = BTreeMap::new();
    for app in fleet.homes.values().filter_map(Reading::known).flatten().filter(|app| !app.tasks.is_empty()) {
        // An app that nobody can name is nobody's to drain; it ends with the engine's other apps.
        if let Ok(instance) = app.id.short_id().replace("--", "_").parse::<InstanceId>() {
            *tasks.entry(instance).or_default() += app.tasks.len();
        }
    }
    tasks
}

/// Removes the whole state directory; only what a local cluster made is ever removed.
pub(super) fn purge(root: &Path) -> Result<(), LocalError> {
    let error = |source| LocalError::StateDir { path: root.to_owned(), source };
    for entry in std::fs::read_dir(root).map_err(error)? {
        let entry = entry.map_err(error)?;
        let name = entry.file_name();
        if !super::layout::OWN_NAMES.iter().any(|own| name == *own) {
            tracing::warn!(path = %entry.path().display(), "left what is not ours");
            continue;
        }
        let is_dir = entry.file_type().map_err(error)?.is_dir();
        let removed =
            if is_dir { std::fs::remove_dir_all(entry.path()) } else { std::fs::remove_file(entry.path()) };
        removed.map_err(error)?;
    }
    // It stays if something else is in it.
    let _ = std::fs::remove_dir(root);
    Ok(())
}

/// Removes the pointer file if it points to this cluster.
fn forget(home: Option<&Path>, layout: &Layout) {
    let Some(pointer) = home.map(pointer_file) else { return };
    if super::read_pointer(&pointer).is_some_and(|cluster| cluster.state_dir == layout.root()) {
        // A pointer that stays counts for nothing without its lock.
        let _ = std::fs::remove_file(pointer);
    }
}
