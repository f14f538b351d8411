//! The health of a cluster as `paasta_metastatus` tells it (monitoring.md §3.3).

mod report;
mod table;

use std::collections::BTreeMap;

use paasta_config::SystemConfig;
use paasta_core::{CheckStatus, HomeId, Reading};
use paasta_mesos::{Masters, MesosMaster, Metrics, State, is_configured};
use paasta_monitoring::metastatus::{self, Health};
use paasta_monitoring::utilisation::{Amounts, Group, groups};
use paasta_monitoring::{HasApps, Resource};
use serde::Serialize;

use super::agents::{ask, master};
use super::marathon::engine;
use super::{Deadline, sum};

pub use report::{json, metrics, text};
pub use table::table;

/// What is wanted of a run.
#[derive(Clone, Debug)]
pub struct Question {
    /// The attributes that agents are grouped by.
    pub groupings: Vec<String>,
    /// Percent in use that a group may have of each resource.
    pub threshold: f64,
    /// How much is told: from 2 on the table of groups, which counts for the whole, from 3 on that of agents.
    pub verbosity: u8,
    /// What one more copy of an instance would need.
    pub need: Option<Amounts>,
}

/// What a run found.
#[derive(Clone, Debug)]
pub struct Report {
    /// The host of the master that leads.
    pub leader: Reading<String>,
    /// Mesos and Marathon.
    pub sections: Vec<Section>,
    /// The groups of agents, where they are wanted.
    pub groups: Option<Reading<Vec<Group>>>,
    /// Each agent by itself, where they are wanted.
    pub agents: Option<Reading<Vec<Group>>>,
    /// The verdict over all of it.
    pub status: CheckStatus,
}

/// A part of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Section {
    /// What it is called.
    pub name: &'static str,
    /// Its lines.
    pub lines: Vec<Line>,
}

/// A line of health.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// What there is to say.
    pub message: String,
    /// Whether that is well, is not, or could not be told.
    pub status: CheckStatus,
}

impl Line {
    fn new(health: Health, is_known: bool) -> Self {
        let status = match (is_known, health.healthy) {
            (false, _) => CheckStatus::Unknown,
            (true, true) => CheckStatus::Ok,
            (true, false) => CheckStatus::Critical,
        };
        Self { message: health.message, status }
    }

    fn known(health: Health) -> Self {
        Self::new(health, true)
    }

    fn of<T>(reading: &Reading<T>, health: impl FnOnce(&Reading<T>) -> Health) -> Self {
        Self::new(health(reading), reading.known().is_some())
    }
}

impl Section {
    /// Critical if any line is, else unknown if any is, else well.
    pub fn status(&self) -> CheckStatus {
        paasta_monitoring::Verdict::worst(self.lines.iter().map(|line| line.status))
    }
}

/// What the Mesos master told.
struct Told {
    masters: Reading<Masters>,
    state: Reading<State>,
    metrics: Reading<Metrics>,
}

/// Asks and judges.
///
/// # Errors
/// The system configuration cannot be used.
pub async fn run(system: &SystemConfig, deadline: &Deadline, question: &Question) -> anyhow::Result<Report> {
    let has_mesos = is_configured(system)?;
    let mesos = async {
        match has_mesos {
            true => Some(told(system, deadline).await),
            false => None,
        }
    };
    let (mesos, marathon) = futures_util::join!(mesos, marathon(system, deadline));
    let none = |name: &str| Reading::Unknown(format!("{name} is not configured here"));
    let state = mesos.as_ref().map(|told| &told.state);
    let leader = state.map_or_else(
        || none("Mesos"),
        |state| match state {
            Reading::Known(state) => match state.leader() {
                Some(leader) => Reading::Known(leader.to_owned()),
                None => Reading::Unknown("the master does not tell who leads".to_owned()),
            },
            Reading::Unknown(reason) => Reading::Unknown(reason.clone()),
        },
    );
    let table = |wanted: bool, groupings: &[String]| {
        let state = state.filter(|_| wanted)?;
        let utilisation = match state {
            Reading::Known(state) => state.utilisation(),
            Reading::Unknown(reason) => Reading::Unknown(reason.clone()),
        };
        Some(utilisation.map(|(agents, tasks)| groups(&agents, &tasks, groupings)))
    };
    let by_agent: Vec<String> = question.groupings.iter().cloned().chain(["hostname".to_owned()]).collect();
    let groups = table(question.verbosity >= 2, &question.groupings);
    let agents = table(question.verbosity >= 3, &by_agent);
    let mesos = match &mesos {
        Some(told) => mesos_lines(told),
        None => vec![Line::known(Health::good("Mesos is not configured here"))],
    };
    let sections =
        vec![Section { name: "Mesos", lines: mesos }, Section { name: "Marathon", lines: marathon }];
    let of_groups = groups.as_ref().map(|groups| match groups {
        Reading::Known(groups) if groups.iter().all(|group| group.is_healthy(question.threshold)) => {
            CheckStatus::Ok
        }
        Reading::Known(_) => CheckStatus::Critical,
        Reading::Unknown(_) => CheckStatus::Unknown,
    });
    let status = paasta_monitoring::Verdict::worst(sections.iter().map(Section::status).chain(of_groups));
    Ok(Report { leader, sections, groups, agents, status })
}

async fn told(system: &SystemConfig, deadline: &Deadline) -> Told {
    let master: MesosMaster = match master(system) {
        Reading::Known(master) => master,
        Reading::Unknown(reason) => {
            let (masters, state) = (Reading::Unknown(reason.clone()), Reading::Unknown(reason.clone()));
            return Told { masters, state, metrics: Reading::Unknown(reason) };
        }
    };
    let (masters, state, metrics) = futures_util::join!(
        ask(deadline, master.masters()),
        ask(deadline, master.state()),
        ask(deadline, master.metrics())
    );
    Told { masters, state, metrics }
}

fn mesos_lines(told: &Told) -> Vec<Line> {
    let Told { masters, state, metrics } = told;
    let registered = masters.as_ref().map(|masters| masters.registered);
    let wanted = masters.as_ref().map(|masters| masters.quorum);
    let names = state.as_ref().map(State::framework_names);
    let mut lines = vec![
        Line::of(&registered, |registered| metastatus::quorum(registered, &wanted)),
        Line::of(&names, metastatus::frameworks),
    ];
    for resource in [Resource::Cpus, Resource::Mem, Resource::Disk, Resource::Gpus] {
        let used = match (metrics, state) {
            (Reading::Known(metrics), Reading::Known(state)) => {
                metrics.used(resource, state.maintenance().of(resource))
            }
            (Reading::Unknown(reason), _) | (_, Reading::Unknown(reason)) => Reading::Unknown(reason.clone()),
        };
        lines.push(Line::of(&used, |used| metastatus::resource(resource, used)));
    }
    let tasks = flat(metrics, Metrics::task_counts);
    let agents = flat(metrics, Metrics::agents);
    lines.push(Line::of(&tasks, metastatus::tasks));
    lines.push(Line::of(&agents, metastatus::agents));
    lines
}

fn flat<A, B>(reading: &Reading<A>, next: impl FnOnce(&A) -> Reading<B>) -> Reading<B> {
    match reading {
        Reading::Known(value) => next(value),
        Reading::Unknown(reason) => Reading::Unknown(reason.clone()),
    }
}

async fn marathon(system: &SystemConfig, deadline: &Deadline) -> Vec<Line> {
    let has_none = matches!(system.marathon_servers(), Ok(servers) if servers.is_empty());
    if has_none && matches!(system.previous_marathon_servers(), Ok(servers) if servers.is_empty()) {
        return vec![Line::known(Health::good("Marathon is not configured here"))];
    }
    let engine = match engine(system, deadline) {
        Reading::Known(engine) => engine,
        Reading::Unknown(reason) => {
            let unknown = || Reading::Unknown(reason.clone());
            return marathon_lines(&unknown(), &unknown(), &unknown());
        }
    };
    let (apps, tasks, deployments) = futures_util::join!(
        deadline.reading("Marathon", async { Reading::Known(engine.app_ids().await) }),
        deadline.reading("Marathon", async { Reading::Known(engine.tasks().await) }),
        deadline.reading("Marathon", async { Reading::Known(engine.deployments().await) }),
    );
    let apps = total(apps, |ids| ids.iter().filter(|id| HasApps::counts(id)).count());
    marathon_lines(&apps, &total(tasks, |tasks| tasks.len()), &total(deployments, |count| *count))
}

fn total<T>(homes: Reading<BTreeMap<HomeId, Reading<T>>>, count: impl Fn(&T) -> usize) -> Reading<u64> {
    match homes {
        Reading::Known(homes) => {
            sum(homes.into_iter().map(|(home, part)| (home, part.map(|part| count(&part) as u64))))
        }
        Reading::Unknown(reason) => Reading::Unknown(reason),
    }
}

fn marathon_lines(apps: &Reading<u64>, tasks: &Reading<u64>, deployments: &Reading<u64>) -> Vec<Line> {
    let known = [apps, tasks, deployments].map(|reading| reading.known().is_some());
    let lines = metastatus::marathon(apps, tasks, deployments).into_iter().zip(known);
    lines.map(|(health, is_known)| Line::new(health, is_known)).collect()
}
