//! What goes into a decision and what comes out.

use std::collections::BTreeMap;

use paasta_core::{AppId, Applied, HomeId, Homes, Kill, Reading, Sighting, TaskId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{BounceMethod, HealthParams, MarginFactor, Why};

/// What is wanted of one instance.
#[derive(Clone, Debug)]
pub struct Desired {
    /// The id of the version wanted now.
    pub app: AppId,
    /// Where it belongs and where it may have been.
    pub homes: Homes,
    /// How many tasks are wanted; zero when stopped.
    pub instances: usize,
    /// How old tasks are replaced.
    pub method: &'static dyn BounceMethod,
    /// The part of `instances` that must be up, for methods that look at it.
    pub margin: MarginFactor,
    /// What makes a task happy.
    pub health: HealthParams,
}

/// What was seen of one instance. Parts that could not be read say so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observed {
    /// Its apps and tasks, per home.
    pub sighting: Sighting,
    /// Per task, whether traffic is being taken off it. A task that is not here was not asked, and is unknown.
    pub drains: BTreeMap<TaskId, DrainState>,
    /// Per task, whether load balancers see it; needed only where the health parameters ask for it.
    pub discovery: BTreeMap<TaskId, Reading<bool>>,
}

/// Whether traffic is being taken off a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DrainState {
    /// It takes traffic.
    Serving,
    /// It was told to stop, by us.
    Draining,
    /// It was told to stop, by somebody else; that is theirs to undo.
    DrainedByOthers,
    /// Why it could not be asked.
    Unknown(String),
}

impl DrainState {
    /// Whether it is known to be on its way out.
    pub fn is_draining(&self) -> bool {
        matches!(self, DrainState::Draining | DrainState::DrainedByOthers)
    }
}

/// One app in one home.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// Where.
    pub home: HomeId,
    /// Which app.
    pub app: AppId,
}

/// What to do first. Everything in it may be done at once and in any order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The new app, if it is to be created now.
    pub create: Option<Place>,
    /// Apps whose count of tasks is to change.
    pub scale: Vec<Scale>,
    /// Tasks to take traffic off, and drains to renew.
    pub drain: Vec<Drain>,
    /// Tasks of the wanted version to give traffic again.
    pub undrain: Vec<TaskId>,
    /// Tasks on their way out that run: whether they may be killed is to be asked.
    pub ask_safe: Vec<TaskId>,
    /// Tasks on their way out that do not run: nobody need be asked.
    pub not_running: Vec<TaskId>,
    /// The apps as they stand, for [`crate::settle`].
    pub apps: Vec<AppBook>,
    /// What this plan waits for.
    pub why: Why,
}

impl Plan {
    /// Whether carrying it out changes nothing anywhere and asks nobody.
    pub fn is_empty(&self) -> bool {
        self.create.is_none()
            && self.scale.is_empty()
            && self.drain.is_empty()
            && self.undrain.is_empty()
            && self.ask_safe.is_empty()
            && self.not_running.is_empty()
            && !self.apps.iter().any(|app| app.old && app.tasks.is_empty())
    }
}

/// Let an app have this many tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scale {
    /// Which app.
    pub place: Place,
    /// How many tasks.
    pub instances: usize,
}

/// Take traffic off a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drain {
    /// Which task.
    pub task: TaskId,
    /// It is draining already and still wanted out: repeat the call before the drain expires.
    pub renewal: bool,
}

/// One app as it will stand once the plan's scaling is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppBook {
    /// Which app.
    pub place: Place,
    /// Whether it is anything but the wanted version in its home.
    pub old: bool,
    /// How many tasks it is to have.
    pub instances: usize,
    /// Its tasks that are not being killed already.
    pub tasks: Vec<TaskId>,
}

/// How one action went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The engine answered.
    Applied(Applied),
    /// The engine refused, or was not reached; nothing changed.
    Failed(String),
}

impl Outcome {
    /// Whether it is done.
    pub fn is_done(&self) -> bool {
        matches!(self, Outcome::Applied(Applied::Done))
    }

    /// Whether what was seen before it can no longer be trusted.
    pub fn contradicts(&self) -> bool {
        matches!(self, Outcome::Applied(Applied::Conflict(_) | Applied::Unknown(_)))
    }
}

/// How carrying out a [`Plan`] went. What is not in here was not tried.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcomes {
    /// How creating went.
    pub create: Option<Outcome>,
    /// How each scaling went, in the order of the plan.
    pub scale: Vec<Outcome>,
    /// Per task, whether it took the drain call, else why not.
    pub drain: BTreeMap<TaskId, Result<(), String>>,
    /// Per task, whether it may be killed.
    pub safety: BTreeMap<TaskId, Safety>,
}

/// Whether a task on its way out may be killed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Safety {
    /// It may.
    Safe,
    /// Not yet.
    NotYet {
        /// When time alone changes that, or the drain has to be renewed; unknown if only asking tells.
        until: Option<Timestamp>,
    },
    /// It could not be asked.
    Failed(String),
}

/// What to do second: the kills first, then the deletes of homes in which the kills went well.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Settled {
    /// Per home, the tasks that go.
    pub kill: Vec<HomeKill>,
    /// Old apps of which nothing will remain.
    pub delete: Vec<Place>,
    /// What is waited for now.
    pub why: Why,
    /// Seconds until looking again may change anything; none when steady.
    pub look_again_seconds: Option<f64>,
}

/// The tasks of one home that go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HomeKill {
    /// Which home.
    pub home: HomeId,
    /// Per app, what goes and what remains.
    pub kills: Vec<Kill>,
}
