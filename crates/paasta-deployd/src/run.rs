//! The loop around the state machine: waits for an event, lets the machine decide, carries the actions out.

use std::future::Future;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures_util::stream::BoxStream;
use futures_util::{StreamExt, stream};
use paasta_core::{Change, Clock, ServiceName, Standing, Timestamp};
use tokio::sync::{mpsc, watch};

use crate::ports::{Configs, CountChange, Files, Inbox, InboxEntry, Maintenance, PassAlerts, RunPass};
use crate::shell::Shell;
use crate::state::{Action, Deployd, Event, Snapshot, Unsettled};
use crate::{NudgeListener, Settings};

/// Events that wait for the machine; whoever has more to say waits too.
const EVENTS_MAX: usize = 1024;
/// See [`Ports::turn_every`].
const TURN_EVERY: Duration = Duration::from_secs(5);
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
    /// Notices changed files.
    pub files: Arc<dyn Files>,
    /// Where this process stands among others like it; an endless stream.
    pub standing: BoxStream<'static, Standing>,
    /// What happens to autoscaled counts; an endless stream.
    pub counts: BoxStream<'static, CountChange>,
    /// Tells which hosts are about to leave, where anybody can.
    pub maintenance: Option<Arc<dyn Maintenance>>,
    /// The queue that programs share, where there is one.
    pub inbox: Option<Arc<dyn Inbox>>,
    /// Tells people how passes ended, where anybody is to be told.
    pub alerts: Option<Arc<dyn PassAlerts>>,
    /// Hears nudges, if anybody is to be listened to.
    pub nudges: Option<NudgeListener>,
    /// The loop turns so often at least: whoever watches it tells rest from a standstill by that.
    pub turn_every: Duration,
}

impl Ports {
    /// The least that it takes: it leads alone, and hears of nothing but files.
    pub fn new(
        clock: Arc<dyn Clock>,
        configs: Arc<dyn Configs>,
        passes: Arc<dyn RunPass>,
        files: Arc<dyn Files>,
    ) -> Self {
        Self {
            clock,
            configs,
            passes,
            changes: stream::pending().boxed(),
            files,
            standing: alone(),
            counts: stream::pending().boxed(),
            maintenance: None,
            inbox: None,
            alerts: None,
            nudges: None,
            turn_every: TURN_EVERY,
        }
    }
}

/// The standing of a deployd that has no others beside it: it leads from the start.
pub fn alone() -> BoxStream<'static, Standing> {
    stream::iter([Standing::Leading]).chain(stream::pending()).boxed()
}

/// What others see of a running deployd, and may tell it. Clones are the same one.
#[derive(Clone)]
pub struct Handle {
    machine: Arc<Mutex<Deployd>>,
    clock: Arc<dyn Clock>,
    says: mpsc::Sender<Event>,
    heard: Arc<Mutex<Option<mpsc::Receiver<Event>>>>,
    observer: Arc<OnceLock<Arc<dyn Observer>>>,
}

/// Looks on while the loop turns. Must not block.
pub trait Observer: Send + Sync {
    /// What the machine is about to take in.
    fn heard(&self, event: &Event, now: Timestamp);
    /// What it asked for.
    fn decided(&self, actions: &[Action], now: Timestamp);
}

impl Handle {
    /// A handle on a machine that [`run`] will drive by the same clock.
    pub fn new(settings: Settings, clock: Arc<dyn Clock>) -> Self {
        let (says, heard) = mpsc::channel(NUDGES_MAX);
        let machine = Arc::new(Mutex::new(Deployd::new(settings)));
        Self { machine, clock, says, heard: Arc::new(Mutex::new(Some(heard))), observer: Arc::default() }
    }

    /// Lets somebody look on from now on; the first one stays.
    pub fn observe(&self, observer: Arc<dyn Observer>) {
        let _ = self.observer.set(observer);
    }

    /// What deployd is doing now.
    pub fn snapshot(&self) -> Snapshot {
        let at = self.clock.now();
        self.with(|machine| machine.snapshot(at))
    }

    /// Somebody pushed a tag of this service: its deployments.json is regenerated at once.
    ///
    /// # Errors
    /// This deployd does not lead, so that nothing would come of it, or too much waits.
    pub fn nudge(&self, service: ServiceName) -> Result<(), NudgeRefused> {
        self.with(|machine| machine.takes_nudges())?;
        self.says.try_send(Event::Nudged(service)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => NudgeRefused::Busy,
            mpsc::error::TrySendError::Closed(_) => NudgeRefused::Ending,
        })
    }

    /// Reads the settings anew, lists everything and looks at it, as after SIGHUP. False if too much waits, or deployd
    /// has ended.
    pub fn reload(&self) -> bool {
        self.says.try_send(Event::Reload).is_ok()
    }

    fn with<T>(&self, act: impl FnOnce(&mut Deployd) -> T) -> T {
        act(&mut self.machine.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Why a nudge was not taken. Its tag is found by the leader's regular looks all the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NudgeRefused {
    /// It is for the deployd that leads.
    #[error("{}", not_leading(.0))]
    NotLeading(Standing),
    /// Too much waits already.
    #[error("too much waits already")]
    Busy,
    /// It takes nothing on any more.
    #[error("this deployd is ending")]
    Ending,
}

fn not_leading(standing: &Standing) -> String {
    match standing {
        Standing::Waiting { leader: Some(leader) } => format!("this deployd stands by: `{leader}` leads"),
        Standing::Waiting { leader: None } => "this deployd stands by: it does not know who leads".to_owned(),
        Standing::Doubtful(why) => format!("this deployd cannot tell whether it still leads: {why}"),
        Standing::Lost(why) => format!("this deployd leads no longer: {why}"),
        Standing::Leading => "this deployd only begins to lead".to_owned(),
    }
}

/// Why the loop ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// One of the loop's own tasks broke off, so that an answer may be lost.
    #[error("a task of deployd's loop broke off")]
    TaskLost(#[source] tokio::task::JoinError),
}

/// Why not everything converged.
#[derive(Debug, thiserror::Error)]
pub enum OnceError {
    /// These did not, or may not have.
    #[error("{} not as wanted:{}", counted(.0.len()), listed(.0))]
    Unsettled(Vec<Unsettled>),
    /// The loop broke off.
    #[error(transparent)]
    Run(#[from] RunError),
}

fn counted(count: usize) -> String {
    if count == 1 { "1 is".to_owned() } else { format!("{count} are") }
}

fn listed(all: &[Unsettled]) -> String {
    all.iter().map(|one| format!("\n  {}: {}", one.what, one.reason)).collect()
}

/// Runs deployd until `shutdown` resolves and passes under way have ended or their time is up
/// ([`Settings::shutdown_seconds_max`]).
pub async fn run(
    handle: Handle,
    ports: Ports,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), RunError> {
    drive(handle, ports, None, shutdown).await.map(|_| ())
}

/// When somebody who converges everything once gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnceLimits {
    /// How often in a row a pass, or a regeneration of deployments.json, may fail. Before each further try it waits: two
    /// seconds, doubled with each.
    pub tries: u32,
    /// How long all of it may take.
    pub patience: Duration,
}

impl Default for OnceLimits {
    /// Six tries, which is a minute of waiting, and an hour.
    fn default() -> Self {
        Self { tries: 6, patience: Duration::from_secs(3600) }
    }
}

/// Runs deployd until every instance has been looked at and is as wanted, or has been given up, and ends. What fails
/// keeps no other from its end.
///
/// # Errors
/// What is not as wanted: what failed too often in a row, and what had not ended when its time was up or `shutdown`
/// resolved.
pub async fn run_once(
    handle: Handle,
    ports: Ports,
    limits: OnceLimits,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), OnceError> {
    handle.with(|machine| machine.converge_once(limits.tries));
    match drive(handle, ports, Some(limits.patience), shutdown).await?.as_slice() {
        [] => Ok(()),
        unsettled => Err(OnceError::Unsettled(unsettled.to_vec())),
    }
}

/// With patience, it ends when everything has converged, or that is over; it answers what has not converged.
async fn drive(
    handle: Handle,
    ports: Ports,
    patience: Option<Duration>,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<Vec<Unsettled>, RunError> {
    let (events, mut inbox) = mpsc::channel(EVENTS_MAX);
    let (nudges_in, mut nudges) = mpsc::channel(NUDGES_MAX);
    let mut said = handle.heard.lock().unwrap_or_else(PoisonError::into_inner).take();
    let settings = handle.with(|machine| machine.settings().clone());
    let Ports { clock, configs, passes, mut changes, files, mut standing, mut counts, maintenance, .. } =
        ports;
    let mut shell = Shell::new(events, settings, configs, passes, files.clone(), maintenance, ports.inbox);
    let (takes_nudges, nudges_taken) = watch::channel(false);
    shell.alerts = ports.alerts;
    if let Some(listener) = ports.nudges {
        shell.tasks.spawn(listener.listen(nudges_in, nudges_taken));
    }
    let give_up_at = patience.map(|patience| clock.now().plus(patience));
    let mut shutdown = std::pin::pin!(shutdown);
    let (mut shutting_down, mut engine_talks, mut stands, mut counting) = (false, true, true, true);
    let mut event = Event::Started;
    loop {
        shell.hears(&event);
        // Each answer says anew when to come back; a wish that has come true must not come true for ever.
        shell.wake_at = None;
        let now = clock.now();
        if let Some(observer) = handle.observer.get() {
            observer.heard(&event, now);
        }
        let (actions, taken) = handle.with(|machine| {
            let actions = machine.handle(now, event);
            (actions, machine.takes_nudges().is_ok())
        });
        takes_nudges.send_if_modified(|old| std::mem::replace(old, taken) != taken);
        if let Some(observer) = handle.observer.get() {
            observer.decided(&actions, now);
        }
        for action in actions {
            shell.carry_out(action);
        }
        if shell.stop {
            // What is under way ends before the stream of standings is dropped, which lets another lead.
            shell.tasks.shutdown().await;
            return Ok(handle.with(|machine| machine.unsettled()));
        }
        if let Some(give_up_at) = give_up_at
            && !shutting_down
        {
            let settled = handle.with(|machine| match now >= give_up_at {
                true => Some(machine.unsettled()),
                false => machine.settled(),
            });
            if let Some(unsettled) = settled {
                shell.tasks.shutdown().await;
                return Ok(unsettled);
            }
        }
        let turn_at = Some(now.plus(ports.turn_every));
        let wake_at = [shell.wake_at, give_up_at, turn_at].into_iter().flatten().min();
        let (tasks, entries) = (&mut shell.tasks, &mut shell.entries);
        event = tokio::select! {
            // In this order, always: a simulator runs this loop and has to see the same run twice.
            biased;
            () = &mut shutdown, if !shutting_down => {
                shutting_down = true;
                Event::Shutdown
            }
            told = standing.next(), if stands => {
                stands = told.is_some();
                Event::Stands(told.unwrap_or(Standing::Lost("the election ended".to_owned())))
            }
            Some(event) = inbox.recv() => event,
            Some(event) = heard(&mut said) => event,
            Some(service) = nudges.recv() => Event::Nudged(service),
            change = changes.next(), if engine_talks => {
                engine_talks = change.is_some();
                Event::EngineChanged(change.unwrap_or(Change::Lost))
            }
            change = counts.next(), if counting => {
                counting = change.is_some();
                Event::CountChanged(change.unwrap_or(CountChange::Lost))
            }
            entry = next_entry(entries) => Event::EntryTaken(entry),
            Some(ended) = tasks.join_next() => match ended {
                Err(error) if error.is_panic() => return Err(RunError::TaskLost(error)),
                _ => Event::Tick,
            },
            () = files.stirred() => Event::FilesStirred,
            () = until(clock.as_ref(), wake_at) => Event::Tick,
        };
    }
}

/// What a handle says next; never where another loop listens to it.
async fn heard(said: &mut Option<mpsc::Receiver<Event>>) -> Option<Event> {
    match said {
        Some(said) => said.recv().await,
        None => std::future::pending().await,
    }
}

/// The next entry of the shared queue; never while none are taken.
async fn next_entry(entries: &mut Option<BoxStream<'static, InboxEntry>>) -> InboxEntry {
    if let Some(taken) = entries
        && let Some(entry) = taken.next().await
    {
        return entry;
    }
    *entries = None;
    std::future::pending().await
}

/// Waits until that time by that clock, or for ever.
async fn until(clock: &dyn Clock, at: Option<Timestamp>) {
    match at {
        Some(at) => tokio::time::sleep(at.since(clock.now())).await,
        None => std::future::pending().await,
    }
}
