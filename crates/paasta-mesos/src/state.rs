//! What a master knows of its cluster. Pure.

use std::collections::{BTreeMap, BTreeSet};

use paasta_core::Reading;
use paasta_monitoring::RunningTask;
use paasta_monitoring::utilisation::{self, AgentTask, Amounts};
use serde::Deserialize;
use serde_json::Value;

use crate::{Agent, Task, ZkAddress};

/// A framework, such as a Marathon.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Framework {
    /// Its id.
    #[serde(default)]
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether it talks to the master. One that does not is kept for some time, with its tasks.
    #[serde(default = "yes")]
    pub connected: bool,
    /// Its tasks that may still run.
    #[serde(default)]
    pub tasks: Vec<Task>,
    /// Some of its tasks that are over.
    #[serde(default)]
    pub completed_tasks: Vec<Task>,
    /// Its tasks on agents that the master hears nothing of.
    #[serde(default)]
    pub unreachable_tasks: Vec<Task>,
}

impl Framework {
    /// Whether it is a Marathon, by its name.
    pub fn is_marathon(&self) -> bool {
        self.name.to_lowercase().starts_with("marathon")
    }

    fn all_tasks(&self) -> impl Iterator<Item = &Task> {
        self.tasks.iter().chain(&self.unreachable_tasks).chain(&self.completed_tasks)
    }
}

fn yes() -> bool {
    true
}

/// The frameworks of a master: `GET /master/frameworks`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Frameworks {
    /// Those that are there, or may come back.
    pub frameworks: Vec<Framework>,
    /// Some of those that are over.
    #[serde(default)]
    pub completed_frameworks: Vec<Framework>,
}

impl Frameworks {
    /// All tasks: of frameworks that are there and of those that are over, tasks that are over included
    /// (monitoring.md §5.3).
    pub fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.frameworks.iter().chain(&self.completed_frameworks).flat_map(Framework::all_tasks)
    }
}

/// The agents of a master: `GET /master/slaves`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Agents {
    /// Those that are registered.
    #[serde(rename = "slaves")]
    pub agents: Vec<Agent>,
    /// Those that have not come back since the master was elected.
    #[serde(default, rename = "recovered_slaves")]
    pub awaited: Vec<Awaited>,
}

/// An agent of which a new master knows little.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Awaited {
    /// Its id.
    pub id: String,
    /// The host.
    pub hostname: String,
}

impl Agents {
    /// The agents, unless the master has none to tell of: that is more likely of one that has just been elected than of a
    /// cluster without machines.
    pub fn known(&self) -> Reading<&[Agent]> {
        known(&self.agents, &self.awaited)
    }
}

fn known<'a>(agents: &'a [Agent], awaited: &[Awaited]) -> Reading<&'a [Agent]> {
    match (agents, awaited.len()) {
        ([_, ..], _) => Reading::Known(agents),
        ([], 0) => Reading::Unknown("the Mesos master lists no agent at all".to_owned()),
        ([], count) => Reading::Unknown(format!(
            "the Mesos master lists no agent: it was elected lately, and {count} have not come back yet"
        )),
    }
}

/// All that a master knows: `GET /master/state.json`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct State {
    /// The agents that are registered.
    #[serde(rename = "slaves")]
    pub agents: Vec<Agent>,
    /// Those that have not come back since the master was elected.
    #[serde(default, rename = "recovered_slaves")]
    pub awaited: Vec<Awaited>,
    /// Those that are there, or may come back.
    pub frameworks: Vec<Framework>,
    /// Some of those that are over.
    #[serde(default)]
    pub completed_frameworks: Vec<Framework>,
    /// Tasks of no framework that is there.
    #[serde(default)]
    pub orphan_tasks: Vec<Task>,
    /// The version of Mesos.
    pub version: Option<String>,
    /// The host of this master, as it calls itself.
    pub hostname: Option<String>,
    /// Who leads, as this master knows.
    pub leader_info: Option<LeaderInfo>,
}

/// Who leads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct LeaderInfo {
    /// Its host.
    pub hostname: Option<String>,
    /// Its port.
    pub port: Option<u16>,
}

impl State {
    /// The host that leads, as the master that was asked tells.
    pub fn leader(&self) -> Option<&str> {
        let told = self.leader_info.as_ref().and_then(|leader| leader.hostname.as_deref());
        told.or(self.hostname.as_deref())
    }

    /// The agents, unless the master has none to tell of; see [`Agents::known`].
    pub fn known_agents(&self) -> Reading<&[Agent]> {
        known(&self.agents, &self.awaited)
    }

    /// The names of the frameworks that are connected; a name stands once for each.
    pub fn framework_names(&self) -> Vec<String> {
        self.frameworks.iter().filter(|one| one.connected).map(|one| one.name.clone()).collect()
    }

    /// All tasks of frameworks, those that are over included (monitoring.md §5.3). Orphans are left out.
    pub fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.frameworks.iter().chain(&self.completed_frameworks).flat_map(Framework::all_tasks)
    }

    /// The ids of all tasks that run, as [`paasta_monitoring::Running`] takes them.
    pub fn running_ids(&self) -> BTreeSet<String> {
        let tasks = self.tasks().chain(&self.orphan_tasks);
        tasks.filter(|task| task.is_running()).map(|task| task.id.clone()).collect()
    }

    /// The running tasks of Marathons, as [`paasta_monitoring::OutdatedTasks`] takes them (monitoring.md §3.1).
    pub fn running_of_marathons(&self) -> Vec<RunningTask> {
        let hosts: BTreeMap<&str, &str> =
            self.agents.iter().map(|agent| (agent.id.as_str(), agent.hostname.as_str())).collect();
        let marathons = self.frameworks.iter().filter(|framework| framework.is_marathon());
        let running = marathons.flat_map(|framework| &framework.tasks).filter(|task| task.is_running());
        let row = |task: &Task| RunningTask {
            name: task.name.clone(),
            since: task.since(),
            host: hosts.get(task.agent_id.as_str()).copied().unwrap_or("unknown").to_owned(),
            container: task.container().map(|id| format!("mesos-{}.{id}", task.agent_id)),
        };
        running.map(row).collect()
    }

    /// What agents have and tasks use, as [`utilisation::groups`] takes it: tasks of frameworks that are there, and orphans.
    /// Unknown where the master has no agent to tell of.
    pub fn utilisation(&self) -> Reading<(Vec<utilisation::Agent>, Vec<AgentTask>)> {
        self.known_agents().map(|agents| {
            let tasks = self.frameworks.iter().flat_map(|one| one.tasks.iter().chain(&one.unreachable_tasks));
            let tasks = tasks.chain(&self.orphan_tasks).map(Task::usage).collect();
            (agents.iter().map(Agent::capacity).collect(), tasks)
        })
    }

    /// What is reserved for maintenance on all agents together: it counts as used (monitoring.md §3.3).
    pub fn maintenance(&self) -> Amounts {
        self.agents.iter().map(Agent::maintenance).fold(Amounts::default(), |all, one| Amounts {
            cpus: all.cpus + one.cpus,
            mem: all.mem + one.mem,
            disk: all.disk + one.disk,
            gpus: all.gpus + one.gpus,
        })
    }

    /// How many tasks run on a host, orphans included; unknown of a host whose agent is not registered: what runs there goes
    /// on unseen.
    pub fn running_on(&self, host: &str) -> Reading<usize> {
        let counts = self.running_by_agent();
        let ours: Vec<&str> = self
            .agents
            .iter()
            .filter(|agent| agent.hostname == host)
            .map(|agent| agent.id.as_str())
            .collect();
        match ours.as_slice() {
            [] => Reading::Unknown(format!(
                "no agent of host `{host}` is registered at the Mesos master, which so cannot tell what runs there"
            )),
            ids => Reading::Known(ids.iter().filter_map(|id| counts.get(id)).sum()),
        }
    }

    /// How many tasks run on each agent, orphans included (monitoring.md §5.5), by the agent's id; agents without any have 0.
    pub fn running_by_agent(&self) -> BTreeMap<&str, usize> {
        let mut counts: BTreeMap<&str, usize> =
            self.agents.iter().map(|agent| (agent.id.as_str(), 0)).collect();
        let tasks = self.tasks().chain(&self.orphan_tasks);
        for task in tasks.filter(|task| task.is_running()) {
            *counts.entry(&task.agent_id).or_default() += 1;
        }
        counts
    }
}

/// How a master was started: `GET /master/flags`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Flags {
    /// Each flag with its value.
    pub flags: BTreeMap<String, Value>,
}

impl Flags {
    /// One flag, as a text.
    pub fn get(&self, name: &str) -> Option<String> {
        match self.flags.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Null => None,
            other => Some(other.to_string()),
        }
    }

    /// How many masters there have to be. A master that was started without ZooKeeper is one by itself.
    pub fn quorum(&self) -> Result<u64, String> {
        match self.get("quorum") {
            Some(text) => {
                text.trim().parse().map_err(|_| format!("its flag `quorum` is `{text}`, expected a number"))
            }
            None if self.get("zk").is_none() => Ok(1),
            None => Err("it has the flag `zk`, and no `quorum`".to_owned()),
        }
    }

    /// Where the masters are registered; `None` where the master was started without ZooKeeper.
    pub fn zookeeper(&self) -> Result<Option<ZkAddress>, String> {
        let Some(text) = self.get("zk") else { return Ok(None) };
        let address = text.trim().strip_prefix("zk://").and_then(ZkAddress::parse);
        let told = || "its flag `zk` is not of the form `zk://host:port,…/path`".to_owned();
        address.map(Some).ok_or_else(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(text: &str) -> State {
        serde_json::from_str(text).unwrap()
    }

    const CLUSTER: &str = r#"{
        "version": "1.7.2", "hostname": "m2", "leader_info": {"hostname": "m1", "port": 5050},
        "slaves": [
            {"id": "S1", "hostname": "h1", "resources": {"cpus": 10}, "reserved_resources": {"maintenance": {"cpus": 4, "mem": 1}}},
            {"id": "S2", "hostname": "h2", "resources": {"cpus": 10}}],
        "frameworks": [
            {"id": "F1", "name": "marathon", "connected": true,
             "tasks": [
                {"id": "a.1", "name": "web.main.gita.configb", "slave_id": "S1", "state": "TASK_RUNNING", "resources": {"cpus": 2},
                 "statuses": [{"timestamp": 10, "container_status": {"container_id": {"value": "c1"}}}]},
                {"id": "a.2", "name": "web.main.gita.configb", "slave_id": "S9", "state": "TASK_RUNNING"},
                {"id": "a.3", "name": "x", "slave_id": "S2", "state": "TASK_STAGING"}],
             "unreachable_tasks": [{"id": "a.5", "slave_id": "S8", "state": "TASK_UNREACHABLE"}],
             "completed_tasks": [{"id": "a.4", "slave_id": "S2", "state": "TASK_FAILED"}]},
            {"id": "F2", "name": "MarathonOld", "connected": false,
             "tasks": [{"id": "o.1", "name": "x.y.gitz", "slave_id": "S2", "state": "TASK_RUNNING"}]},
            {"id": "F3", "name": "tron"}],
        "completed_frameworks": [{"id": "F0", "name": "spark", "tasks": [{"id": "s.1", "slave_id": "S2", "state": "TASK_RUNNING"}]}],
        "orphan_tasks": [{"id": "p.1", "slave_id": "S2", "state": "TASK_RUNNING", "resources": {"cpus": 1}}]}"#;

    #[test]
    fn what_checks_take() {
        let state = state(CLUSTER);
        assert_eq!((state.leader(), state.version.as_deref()), (Some("m1"), Some("1.7.2")));
        assert_eq!(state.framework_names(), ["marathon", "tron"]);
        assert_eq!(state.tasks().count(), 7);
        let ids = state.running_ids();
        assert_eq!(ids.iter().map(String::as_str).collect::<Vec<_>>(), ["a.1", "a.2", "o.1", "p.1", "s.1"]);
        let running = state.running_of_marathons();
        let told: Vec<_> = running
            .iter()
            .map(|task| (task.name.as_str(), task.host.as_str(), task.container.as_deref()))
            .collect();
        assert_eq!(
            told,
            [
                ("web.main.gita.configb", "h1", Some("mesos-S1.c1")),
                ("web.main.gita.configb", "unknown", None),
                ("x.y.gitz", "h2", None)
            ]
        );
        assert_eq!((state.maintenance().cpus, state.maintenance().mem), (4.0, 1.0));
        assert_eq!(state.running_by_agent(), [("S1", 1), ("S2", 3), ("S9", 1)].into());
        assert_eq!((state.running_on("h1"), state.running_on("h2")), (Reading::Known(1), Reading::Known(3)));
        assert!(state.running_on("h9").unknown().unwrap().contains("`h9`"));
        let utilisation = state.utilisation();
        let (agents, tasks) = utilisation.known().unwrap();
        assert_eq!((agents.len(), tasks.len()), (2, 6));
        let groups = utilisation::groups(agents, tasks, &["hostname".to_owned()]);
        assert_eq!(groups.iter().map(|group| group.used.cpus).collect::<Vec<_>>(), [6.0, 1.0]);
    }

    /// A master that was elected a moment ago knows its agents from its registry only.
    #[test]
    fn no_agent_at_all_is_not_an_empty_cluster() {
        let young =
            state(r#"{"slaves": [], "frameworks": [], "recovered_slaves": [{"id": "S1"}, {"id": "S2"}]}"#);
        let reading = young.utilisation();
        assert!(reading.unknown().unwrap().contains("2 have not come back"), "{reading:?}");
        let agents: Agents = serde_json::from_str(r#"{"slaves": []}"#).unwrap();
        assert!(agents.known().unknown().unwrap().contains("no agent at all"));
        for half in
            ["{}", r#"{"slaves": []}"#, r#"{"frameworks": []}"#, r#"{"slaves": {}, "frameworks": []}"#, "[]"]
        {
            assert!(serde_json::from_str::<State>(half).is_err(), "{half}");
        }
        assert!(serde_json::from_str::<Agents>("{}").is_err());
        assert!(serde_json::from_str::<Frameworks>("{}").is_err());
    }

    #[test]
    fn how_many_masters_there_have_to_be() {
        let flags = |text: &str| serde_json::from_str::<Flags>(&format!(r#"{{"flags": {text}}}"#)).unwrap();
        assert_eq!(flags(r#"{"quorum": "2", "zk": "zk://h:2181/mesos"}"#).quorum(), Ok(2));
        assert_eq!(flags(r#"{"quorum": 3}"#).quorum(), Ok(3));
        assert_eq!(flags("{}").quorum(), Ok(1));
        assert!(flags(r#"{"quorum": "two"}"#).quorum().unwrap_err().contains("`two`"));
        assert!(flags(r#"{"zk": "zk://h:2181/mesos"}"#).quorum().unwrap_err().contains("`quorum`"));
        let at = flags(r#"{"zk": "zk://u:p@h:2181/mesos"}"#).zookeeper().unwrap().unwrap();
        assert_eq!(at.to_string(), "zk://h:2181/mesos");
        assert_eq!(flags("{}").zookeeper(), Ok(None));
        let error = flags(r#"{"zk": "u:p@h"}"#).zookeeper().unwrap_err();
        assert!(!error.contains("u:p"), "{error}");
    }
}
