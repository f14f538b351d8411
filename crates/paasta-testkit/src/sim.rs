//! What both engines share: the world their tasks live in.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use paasta_core::{
    Action, App, AppId, Applied, Engine, EngineError, Fleet, Health, HomeId, Homes, InstanceId, Reading,
    Sighting, Task, TaskId, TaskPhase, Timestamp,
};

use crate::faults::{Fault, Faults, ListFault};
use crate::lock;

/// An engine that a test drives.
pub trait SimEngine: Engine {
    /// Lets the engine and its tasks take one step: kills end, tasks start, checks report.
    fn tick(&self, now: Timestamp);

    /// All apps as they really are.
    fn truth(&self) -> Vec<App>;

    /// Puts an app there as if it had been there for long.
    fn seed(&self, app: App);

    /// What both kinds of engine share.
    fn world(&self) -> &World;
}

/// Sees every change that is carried out, and the truth before it.
pub type Audit = Box<dyn FnMut(&Action, &[App]) + Send>;

/// How often an engine was asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallCounts {
    /// Listings, one per home.
    pub reads: usize,
    /// Changes.
    pub writes: usize,
}

/// Where tasks live and what becomes of them.
pub struct World {
    /// What goes wrong.
    pub faults: Faults,
    never_happy: Mutex<BTreeSet<AppId>>,
    leaving: Mutex<BTreeSet<String>>,
    audit: Mutex<Option<Audit>>,
    reads: AtomicUsize,
    writes: AtomicUsize,
    started: AtomicUsize,
}

impl Default for World {
    fn default() -> Self {
        Self {
            faults: Faults::default(),
            never_happy: Mutex::default(),
            leaving: Mutex::default(),
            audit: Mutex::default(),
            reads: AtomicUsize::new(0),
            writes: AtomicUsize::new(0),
            started: AtomicUsize::new(0),
        }
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("faults", &self.faults).finish_non_exhaustive()
    }
}

impl World {
    /// Tasks of this version fail their checks from their next step on.
    pub fn never_happy(&self, app: AppId) {
        lock(&self.never_happy).insert(app);
    }

    /// Which hosts are about to leave from now on. There are `h0` to `h3`.
    pub fn set_leaving(&self, hosts: impl IntoIterator<Item = &'static str>) {
        *lock(&self.leaving) = hosts.into_iter().map(str::to_owned).collect();
    }

    /// Lets `audit` see every change from now on.
    pub fn audit(&self, audit: Audit) {
        *lock(&self.audit) = Some(audit);
    }

    /// How often the engine was asked since it was made.
    pub fn calls(&self) -> CallCounts {
        CallCounts { reads: self.reads.load(Ordering::SeqCst), writes: self.writes.load(Ordering::SeqCst) }
    }

    /// A new task of `app`, just handed to a host that stays.
    pub(crate) fn new_task(&self, app: &AppId, now: Timestamp) -> Task {
        let number = self.started.fetch_add(1, Ordering::SeqCst);
        let leaving = lock(&self.leaving);
        let hosts: Vec<_> =
            ["h0", "h1", "h2", "h3"].into_iter().filter(|host| !leaving.contains(*host)).collect();
        Task {
            id: TaskId::new(format!("{app}.{number}")),
            app: app.clone(),
            host: hosts.get(number % hosts.len().max(1)).copied().unwrap_or("h0").to_owned(),
            ports: vec![u16::try_from(31_000 + number % 1000).unwrap_or(31_000)],
            phase: TaskPhase::Staging,
            staged_at: Some(now),
            started_at: None,
            health: Health::NoResults,
        }
    }

    /// One step in the life of a task that is not being killed.
    pub(crate) fn age(&self, task: &mut Task, now: Timestamp) {
        match (&task.phase, task.started_at) {
            (TaskPhase::Staging, _) => {
                task.phase = TaskPhase::Running;
                task.started_at = Some(now);
            }
            (TaskPhase::Running, Some(_)) => {
                let never = lock(&self.never_happy).contains(&task.app);
                task.health = if never { Health::Dead } else { Health::Alive };
            }
            _ => {}
        }
    }

    pub(crate) fn saw(&self, action: &Action, truth: &[App]) {
        if let Some(audit) = lock(&self.audit).as_mut() {
            audit(action, truth);
        }
    }

    /// Makes of the apps of each home what a listing of one instance tells.
    pub(crate) async fn sighting(
        &self,
        instance: &InstanceId,
        homes: &Homes,
        list: impl Fn(&HomeId) -> Vec<App>,
    ) -> Sighting {
        let fault = self.faults.next_listing();
        if fault == Some(ListFault::Hang) {
            std::future::pending::<()>().await;
        }
        self.reads.fetch_add(homes.all().count(), Ordering::SeqCst);
        let reading = |home: &HomeId| match &fault {
            Some(ListFault::Home(silent)) if silent == home => {
                Reading::Unknown("it does not answer".to_owned())
            }
            _ => Reading::Known(list(home).into_iter().filter(|app| app.id.belongs_to(instance)).collect()),
        };
        Sighting {
            homes: homes.all().map(|home| (home.clone(), reading(home))).collect(),
            leaving_hosts: match fault {
                Some(ListFault::LeavingHosts) => Reading::Unknown("the masters do not answer".to_owned()),
                _ => Reading::Known(lock(&self.leaving).clone()),
            },
        }
    }

    pub(crate) fn fleet<'a>(
        &self,
        homes: impl Iterator<Item = &'a HomeId>,
        list: impl Fn(&HomeId) -> Vec<App>,
    ) -> Fleet {
        let homes: std::collections::BTreeMap<_, _> =
            homes.map(|home| (home.clone(), Reading::Known(list(home)))).collect();
        self.reads.fetch_add(homes.len(), Ordering::SeqCst);
        Fleet { homes, leaving_hosts: Reading::Known(lock(&self.leaving).clone()) }
    }

    /// Carries out a change, or what its fault makes of it.
    pub(crate) async fn change(
        &self,
        change: impl FnOnce() -> Result<Applied, EngineError>,
    ) -> Result<Applied, EngineError> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        let endpoint = || "the simulated engine".to_owned();
        match self.faults.next_change() {
            None => change(),
            Some(Fault::Refused) => {
                Err(EngineError::Refused { endpoint: endpoint(), status: 500, message: "no".to_owned() })
            }
            Some(Fault::Unreachable) => Err(EngineError::Unreachable {
                endpoint: endpoint(),
                reason: "connection refused".to_owned(),
            }),
            Some(Fault::Busy) => Ok(Applied::Busy("other work first".to_owned())),
            Some(Fault::Conflict) => Ok(Applied::Conflict("somebody was quicker".to_owned())),
            Some(Fault::LostReply { done }) => {
                if done {
                    change()?;
                }
                Ok(Applied::Unknown("the answer was lost".to_owned()))
            }
            Some(Fault::Hang { done }) => {
                if done {
                    change()?;
                }
                std::future::pending().await
            }
        }
    }
}

/// The tasks that serve: running, alive, and not told by `drained` to take no traffic.
pub fn serving(apps: &[App], drained: &BTreeSet<TaskId>) -> BTreeSet<TaskId> {
    let tasks = apps.iter().flat_map(|app| &app.tasks);
    let serves = |task: &&Task| {
        task.phase == TaskPhase::Running && task.health == Health::Alive && !drained.contains(&task.id)
    };
    tasks.filter(serves).map(|task| task.id.clone()).collect()
}
