//! What an engine tells about an instance.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{AppId, HomeId, InstanceId, Reading, TaskId, Timestamp};

/// Everything an engine knows of one instance at one moment, in all the homes that were asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sighting {
    /// Per home, its apps of this instance. A home that did not answer is unknown, which is not empty.
    pub homes: BTreeMap<HomeId, Reading<Vec<App>>>,
    /// Hosts that are about to leave; their tasks are at risk.
    pub leaving_hosts: Reading<BTreeSet<String>>,
}

impl Sighting {
    /// All apps of the homes that answered.
    pub fn apps(&self) -> impl Iterator<Item = &App> {
        self.homes.values().filter_map(Reading::known).flatten()
    }

    /// The first part that could not be read, with its reason.
    pub fn unknown(&self) -> Option<String> {
        let told = |home: &HomeId, why: &str| match why.contains(home.as_str()) {
            true => why.to_owned(),
            false => format!("{home}: {why}"),
        };
        let home = self.homes.iter().find_map(|(home, apps)| apps.unknown().map(|why| told(home, why)));
        home.or_else(|| self.leaving_hosts.unknown().map(|why| format!("leaving hosts: {why}")))
    }
}

/// Everything an engine knows of every instance, from one listing per home.
#[derive(Clone, Debug, PartialEq)]
pub struct Fleet {
    /// Per home, all its apps.
    pub homes: BTreeMap<HomeId, Reading<Vec<App>>>,
    /// Hosts that are about to leave.
    pub leaving_hosts: Reading<BTreeSet<String>>,
}

impl Fleet {
    /// The part that concerns one instance. A home that was not listed is unknown.
    pub fn of<'a>(&self, instance: &InstanceId, homes: impl IntoIterator<Item = &'a HomeId>) -> Sighting {
        let own = |apps: &Vec<App>| apps.iter().filter(|app| app.id.belongs_to(instance)).cloned().collect();
        let part = |home: &HomeId| match self.homes.get(home) {
            Some(apps) => apps.as_ref().map(own),
            None => Reading::Unknown("this home was not listed".to_owned()),
        };
        Sighting {
            homes: homes.into_iter().map(|home| (home.clone(), part(home))).collect(),
            leaving_hosts: self.leaving_hosts.clone(),
        }
    }
}

/// One version of an instance as it stands in one home.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct App {
    /// Its id.
    pub id: AppId,
    /// Where it lives.
    pub home: HomeId,
    /// How many tasks the engine means to run.
    pub instances: usize,
    /// The tasks it has, in no particular order.
    pub tasks: Vec<Task>,
    /// The timing of its first health check; none if it has no checks.
    pub checks: Option<CheckTiming>,
    /// Whether the engine is changing it right now.
    pub deploying: bool,
    /// What launching waits for, if the engine says so.
    pub launch: Option<LaunchWait>,
    /// The last of its tasks that failed, if the engine was asked and has one.
    #[serde(default)]
    pub last_failure: Option<TaskFailure>,
}

/// How a task failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskFailure {
    /// The task.
    pub task: TaskId,
    /// Why, as the engine words it.
    pub message: String,
    /// When.
    pub at: Option<Timestamp>,
}

/// The timing of a health check that decisions need.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckTiming {
    /// Seconds after its start in which a failing task is forgiven.
    pub grace_seconds: f64,
    /// Seconds between two checks.
    pub interval_seconds: f64,
}

/// Why an app's next task does not start yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LaunchWait {
    /// Tasks failed too often; the next start is this many seconds away.
    BackOff {
        /// Seconds left.
        seconds_left: f64,
    },
    /// No offer of resources fits, or none has come.
    Resources {
        /// What lacks, as the engine words it.
        reason: String,
    },
}

/// One copy of a service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// The app it belongs to.
    pub app: AppId,
    /// Where it runs, as the engine names the host; empty while it has none.
    pub host: String,
    /// Its host ports, the first being the service's.
    pub ports: Vec<u16>,
    /// How far it is.
    pub phase: TaskPhase,
    /// When it was handed to a host.
    pub staged_at: Option<Timestamp>,
    /// When it started to run.
    pub started_at: Option<Timestamp>,
    /// What its health checks say.
    pub health: Health,
}

/// How far a task is in its life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Any other, in the engine's words.
    Other(String),
}

/// What the health checks of one task say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// No result has come, or there is no check.
    NoResults,
    /// Results have come and at least one of them is alive.
    Alive,
    /// Results have come and none is alive.
    Dead,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(id: &str, home: &HomeId) -> App {
        App {
            id: AppId::new(id),
            home: home.clone(),
            instances: 1,
            tasks: vec![],
            checks: None,
            deploying: false,
            launch: None,
            last_failure: None,
        }
    }

    #[test]
    fn an_unlisted_home_is_unknown_not_empty() {
        let (a, b) = (HomeId::new("a"), HomeId::new("b"));
        let fleet = Fleet {
            homes: [(a.clone(), Reading::Known(vec![app("s.i.g.c", &a), app("s.i2.g.c", &a)]))].into(),
            leaving_hosts: Reading::Known(BTreeSet::new()),
        };
        let id: InstanceId = "s.i".parse().expect("an id");
        let sighting = fleet.of(&id, [&a, &b]);
        assert_eq!(sighting.apps().count(), 1);
        assert!(sighting.unknown().expect("b is unknown").contains("not listed"));
    }
}
