//! The loop around the state machine: waits for an event, lets the machine decide, carries the actions out.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use paasta_core::{Change, Clock, InstanceId, ServiceName, Timestamp};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::ports::{Configs, PassReport, PassResult, RegenerateResult, RunPass};
use crate::state::{Action, Deployd, Event, Scope, Snapshot, Wake};
use crate::told::Told;
use crate::{FileSweep, NudgeListener, Settings};

/// Events that wait for the machine; whoever has more to say waits too.
const EVENTS_MAX: usize = 1024;
/// Nudges that wait for the machine.
const NUDGES_MAX: usize = 256;

/// What the loop needs.
pub struct Ports {
    /// What waits are measured by; one that jumps, as the wall clock may, would stretch or cut them.
    pub clock: Arc<dyn Clock>,
    /// Lists instances, regenerates deployments.
    pub configs: Arc<dyn Configs>,
    /// Runs passes.
    pub passes: Arc<dyn RunPass>,
    /// What the engine says.
    pub changes: BoxStream<'static, Change>,
    /// Looks for changed files.
    pub sweep: FileSweep,
    /// Hears nudges, if anybody is to be listened to.
    pub nudges: Option<NudgeListener>,
}

/// What others see of a running deployd. Clones are the same one.
#[derive(Clone)]
pub struct Handle {
    machine: Arc<Mutex<Deployd>>,
    clock: Arc<dyn Clock>,
}

impl Handle {
    /// A handle on a machine that [`run`] will drive by the same clock.
    pub fn new(settings: Settings, clock: Arc<dyn Clock>) -> Self {
        Self { machine: Arc::new(Mutex::new(Deployd::new(settings))), clock }
    }

    /// What deployd is doing now.
    pub fn snapshot(&self) -> Snapshot {
        let at = self.clock.now();
        self.with(|machine| machine.snapshot(at))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Deployd) -> T) -> T {
        act(&mut self.machine.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Why the loop ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// One of the loop's own tasks broke off, so that an answer may be lost.
    #[error("a task of deployd's loop broke off")]
    TaskLost(#[source] tokio::task::JoinError),
}

/// Runs deployd until `shutdown` resolves and passes under way have ended or their time is up
/// ([`Settings::shutdown_seconds_max`]).
pub async fn run(
    handle: Handle,
    ports: Ports,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), RunError> {
    let (events, mut inbox) = mpsc::channel(EVENTS_MAX);
    let (nudges_in, mut nudges) = mpsc::channel(NUDGES_MAX);
    let settings = handle.with(|machine| machine.settings().clone());
    let mut changes = ports.changes;
    let mut shell = Shell {
        events,
        settings,
        configs: ports.configs,
        passes: ports.passes,
        sweep: Arc::new(Mutex::new(ports.sweep)),
        regenerating: Arc::default(),
        told: Arc::default(),
        tasks: JoinSet::new(),
        wake_at: None,
        stop: false,
    };
    if let Some(listener) = ports.nudges {
        shell.tasks.spawn(listener.listen(nudges_in));
    }
    let clock = ports.clock;
    let mut shutdown = std::pin::pin!(shutdown);
    let (mut shutting_down, mut engine_talks) = (false, true);
    let mut event = Event::Started;
    loop {
        for action in handle.with(|machine| machine.handle(clock.now(), event)) {
            shell.carry_out(action);
        }
        if shell.stop {
            shell.tasks.shutdown().await;
            return Ok(());
        }
        event = tokio::select! {
            () = &mut shutdown, if !shutting_down => {
                shutting_down = true;
                Event::Shutdown
            }
            Some(event) = inbox.recv() => event,
            Some(service) = nudges.recv() => Event::Nudged(service),
            change = changes.next(), if engine_talks => {
                engine_talks = change.is_some();
                Event::EngineChanged(change.unwrap_or(Change::Lost))
            }
            Some(ended) = shell.tasks.join_next() => match ended {
                Err(error) if error.is_panic() => return Err(RunError::TaskLost(error)),
                _ => Event::Tick,
            },
            () = until(clock.as_ref(), shell.wake_at) => Event::Tick,
        };
    }
}

/// Waits until that time by that clock, or for ever.
async fn until(clock: &dyn Clock, at: Option<Timestamp>) {
    match at {
        Some(at) => tokio::time::sleep(at.since(clock.now())).await,
        None => std::future::pending().await,
    }
}

/// What carries actions out. Every task that it starts answers with one event.
struct Shell {
    events: mpsc::Sender<Event>,
    settings: Settings,
    configs: Arc<dyn Configs>,
    passes: Arc<dyn RunPass>,
    sweep: Arc<Mutex<FileSweep>>,
    regenerating: Arc<Mutex<BTreeSet<ServiceName>>>,
    told: Arc<Told>,
    tasks: JoinSet<()>,
    wake_at: Option<Timestamp>,
    stop: bool,
}

impl Shell {
    fn carry_out(&mut self, action: Action) {
        match action {
            Action::StartPass { instance, wake } => self.start_pass(instance, wake),
            Action::ListInstances(scope) => self.list(scope),
            Action::SweepFiles => self.sweep(),
            Action::Regenerate(service) => self.regenerate(service),
            Action::TellGone(gone) => self.tell_gone(gone),
            Action::WakeAt(at) => self.wake_at = Some(at),
            Action::Stop => self.stop = true,
        }
    }

    /// The pass has a task of its own, so that its panic is its own too.
    fn start_pass(&mut self, instance: InstanceId, wake: Wake) {
        let (passes, events, told) = (self.passes.clone(), self.events.clone(), self.told.clone());
        let patience = seconds(self.settings.pass_seconds_max);
        self.tasks.spawn(async move {
            let report = guarded_pass(passes, instance.clone(), wake, patience).await;
            match &report.result {
                PassResult::Failed(reason) if told.is_due("pass", &instance, reason, Instant::now()) => {
                    tracing::warn!(%instance, %reason, "pass failed");
                }
                PassResult::Failed(_) => {}
                _ => told.is_well("pass", &instance),
            }
            let _ = events.send(Event::PassFinished { instance, report }).await;
        });
    }

    fn tell_gone(&mut self, gone: Vec<InstanceId>) {
        let passes = self.passes.clone();
        self.tasks.spawn(async move {
            for (instance, reason) in passes.going_on(&gone).await {
                tracing::warn!(%instance, %reason, "an instance is configured no more");
            }
        });
    }

    fn list(&mut self, scope: Scope) {
        let (configs, events, told) = (self.configs.clone(), self.events.clone(), self.told.clone());
        self.tasks.spawn(async move {
            let asked = scope.clone();
            let listed = tokio::task::spawn_blocking(move || configs.list(&asked)).await;
            let event = match listed {
                Ok(Ok(listing)) => {
                    for service in &listing.services {
                        match listing.unreadable.get(service) {
                            Some(reason) if told.is_due("files", service, reason, Instant::now()) => {
                                tracing::warn!(%service, %reason, "could not read the instances of a service");
                            }
                            Some(_) => {}
                            None => told.is_well("files", service),
                        }
                    }
                    Event::InstancesListed(listing)
                }
                Ok(Err(reason)) => {
                    if told.is_due("listing", &"all", &reason, Instant::now()) {
                        tracing::warn!(%reason, "could not list instances");
                    }
                    Event::ListingFailed(scope)
                }
                Err(error) => {
                    tracing::error!(%error, "listing instances broke off");
                    Event::ListingFailed(scope)
                }
            };
            let _ = events.send(event).await;
        });
    }

    fn sweep(&mut self) {
        let (sweep, events) = (self.sweep.clone(), self.events.clone());
        self.tasks.spawn(async move {
            let look = move || sweep.lock().unwrap_or_else(PoisonError::into_inner).sweep();
            let swept = match tokio::task::spawn_blocking(look).await {
                Ok(swept) => swept,
                Err(error) => {
                    tracing::error!(%error, "looking for changed files broke off");
                    crate::Swept::default()
                }
            };
            let (services, everything) = (swept.services, swept.everything);
            let _ = events.send(Event::FilesSwept { services, everything }).await;
        });
    }

    fn regenerate(&mut self, service: ServiceName) {
        let (configs, events, told) = (self.configs.clone(), self.events.clone(), self.told.clone());
        let (busy, patience) = (self.regenerating.clone(), seconds(self.settings.regeneration_seconds_max));
        self.tasks.spawn(async move {
            let result = guarded_regeneration(configs, &service, busy, patience).await;
            match &result {
                RegenerateResult::Failed(reason)
                    if told.is_due("regeneration", &service, reason, Instant::now()) =>
                {
                    tracing::warn!(%service, %reason, "could not regenerate deployments.json");
                }
                RegenerateResult::Failed(_) => {}
                _ => told.is_well("regeneration", &service),
            }
            let _ = events.send(Event::Regenerated { service, result }).await;
        });
    }
}

async fn guarded_pass(
    passes: Arc<dyn RunPass>,
    instance: InstanceId,
    wake: Wake,
    patience: Duration,
) -> PassReport {
    let mut pass = tokio::spawn({
        let instance = instance.clone();
        async move { passes.run_pass(&instance, wake).await }
    });
    let _abort = AbortOnDrop(pass.abort_handle());
    match tokio::time::timeout(patience, &mut pass).await {
        Ok(Ok(report)) => report,
        Ok(Err(error)) => PassReport::failed(panic_text(error)),
        Err(_) => {
            pass.abort();
            // It ends at its next await; until then its instance must not get another pass.
            let _ = pass.await;
            PassReport::failed(format!("the pass took longer than {} s", patience.as_secs_f64()))
        }
    }
}

/// Ends a pass together with the task that waits for it.
struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn guarded_regeneration(
    configs: Arc<dyn Configs>,
    service: &ServiceName,
    busy: Arc<Mutex<BTreeSet<ServiceName>>>,
    patience: Duration,
) -> RegenerateResult {
    if !busy.lock().unwrap_or_else(PoisonError::into_inner).insert(service.clone()) {
        return RegenerateResult::Failed("an earlier attempt has not come back yet".to_owned());
    }
    let name = service.clone();
    let work = tokio::task::spawn_blocking(move || {
        let _busy = NoLongerBusy { name: &name, busy: &busy };
        configs.regenerate(&name)
    });
    match tokio::time::timeout(patience, work).await {
        Ok(Ok(result)) => result,
        Ok(Err(error)) => RegenerateResult::Failed(panic_text(error)),
        Err(_) => RegenerateResult::Failed(format!("it took longer than {} s", patience.as_secs_f64())),
    }
}

/// Takes a service off the list of busy ones, also when the work on it panics.
struct NoLongerBusy<'a> {
    name: &'a ServiceName,
    busy: &'a Mutex<BTreeSet<ServiceName>>,
}

impl Drop for NoLongerBusy<'_> {
    fn drop(&mut self) {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner).remove(self.name);
    }
}

fn panic_text(error: tokio::task::JoinError) -> String {
    match error.try_into_panic() {
        Ok(panic) => {
            let text = panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned());
            format!("it panicked: {}", text.unwrap_or_else(|| "no message".to_owned()))
        }
        Err(_) => "it was abandoned".to_owned(),
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}
