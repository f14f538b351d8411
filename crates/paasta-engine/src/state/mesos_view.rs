//! The engine's state as a Mesos master and its agents tell it.

use serde_json::{Map, Value, json};

use super::Engine;
use super::definition::Resources;
use super::fleet::Agent;
use super::maintenance::Machine;
use super::task::{Phase, Task};

/// What the state machine does not know of itself.
#[derive(Clone, Debug)]
pub struct MesosPlace {
    /// The engine's id.
    pub engine: String,
    /// `host:port` at which it serves.
    pub address: String,
}

impl MesosPlace {
    fn framework_id(&self) -> String {
        format!("{}-0000", self.engine)
    }

    fn port(&self) -> Option<u16> {
        self.address.rsplit_once(':').and_then(|(_, port)| port.parse().ok())
    }
}

impl Engine {
    /// `GET /master/state`.
    pub fn mesos_state_json(&self, place: &MesosPlace) -> Value {
        let master = &self.settings.fleet.get(0).host;
        json!({
            "version": "1.7.2",
            "id": place.engine,
            "pid": format!("master@{}", place.address),
            "hostname": master,
            "leader": format!("master@{}", place.address),
            "leader_info": { "id": place.engine, "hostname": master, "port": place.port(),
                             "pid": format!("master@{}", place.address) },
            "activated_slaves": self.mesos_agents_json(place).len(),
            "deactivated_slaves": 0,
            "unreachable_slaves": 0,
            "flags": self.mesos_flags_json(place),
            "slaves": self.mesos_agents_json(place),
            "recovered_slaves": [],
            "frameworks": [self.framework_json(place)],
            "completed_frameworks": [],
            "orphan_tasks": [],
            "unregistered_frameworks": [],
        })
    }

    /// How this engine would have been started were it a master: alone, without ZooKeeper.
    pub fn mesos_flags_json(&self, place: &MesosPlace) -> Value {
        json!({ "hostname": self.settings.fleet.get(0).host, "port": place.port().map(|port| port.to_string()) })
    }

    /// The agents that are not away.
    pub fn mesos_agents_json(&self, place: &MesosPlace) -> Vec<Value> {
        let there = |(_, agent): &(u16, &Agent)| !self.memory.maintenance.is_down(agent);
        self.settings
            .fleet
            .numbered()
            .filter(there)
            .map(|(index, agent)| self.agent_json(place, index, agent))
            .collect()
    }

    /// The one framework there is, with its tasks.
    pub fn framework_json(&self, place: &MesosPlace) -> Value {
        let tasks: Vec<Value> =
            self.memory.tasks.values().map(|task| self.mesos_task_json(place, task)).collect();
        json!({
            "id": place.framework_id(),
            "name": "marathon",
            "active": true,
            "connected": true,
            "hostname": self.settings.fleet.get(0).host,
            "role": "*",
            "webui_url": format!("http://{}", place.address),
            "tasks": tasks,
            "completed_tasks": [],
            "unreachable_tasks": [],
        })
    }

    /// `GET /metrics/snapshot`.
    pub fn mesos_metrics_json(&self) -> Value {
        let agents: Vec<(u16, &Agent)> = self.settings.fleet.numbered().collect();
        let (up, down): (Vec<_>, Vec<_>) =
            agents.into_iter().partition(|(_, agent)| !self.memory.maintenance.is_down(agent));
        let sum = |of: &dyn Fn(&(u16, &Agent)) -> Resources| {
            up.iter().map(of).fold(Resources::default(), |sum, one| sum.plus(&one))
        };
        let (total, used) = (sum(&|(_, agent)| agent.resources), sum(&|(index, _)| self.used_on(*index)));
        let count =
            |phase: fn(&Phase) -> bool| self.memory.tasks.values().filter(|task| phase(&task.phase)).count();
        let mut metrics = Map::new();
        let mut put = |name: &str, value: Value| drop(metrics.insert(format!("master/{name}"), value));
        for (name, total, used) in [
            ("cpus", total.cpus, used.cpus),
            ("mem", total.mem, used.mem),
            ("disk", total.disk, used.disk),
            ("gpus", total.gpus, used.gpus),
        ] {
            put(&format!("{name}_total"), json!(total));
            put(&format!("{name}_used"), json!(used));
            put(&format!("{name}_percent"), json!(if total > 0.0 { used / total } else { 0.0 }));
        }
        put("elected", json!(1));
        put("tasks_running", json!(count(|phase| matches!(phase, Phase::Running { .. }))));
        put("tasks_staging", json!(count(|phase| matches!(phase, Phase::Staging))));
        put("tasks_starting", json!(0));
        put("tasks_killing", json!(count(|phase| matches!(phase, Phase::Killing { .. }))));
        put("slaves_active", json!(up.len()));
        put("slaves_connected", json!(up.len()));
        put("slaves_inactive", json!(0));
        put("slaves_disconnected", json!(0));
        put("slaves_unreachable", json!(0));
        put("slaves_down", json!(down.len()));
        put("frameworks_active", json!(1));
        put("frameworks_connected", json!(1));
        Value::Object(metrics)
    }

    /// `GET /slave(N)/state`, of the agent with that number from 1 on.
    pub fn mesos_agent_state_json(&self, place: &MesosPlace, number: usize) -> Option<Value> {
        let (index, agent) = self.settings.fleet.numbered().nth(number.checked_sub(1)?)?;
        let tasks = self.memory.tasks.values().filter(|task| task.agent == index);
        let executors: Vec<Value> = tasks.map(|task| self.executor_json(place, task)).collect();
        Some(json!({
            "version": "1.7.2",
            "id": agent.id,
            "pid": pid(place, index),
            "hostname": agent.host,
            "master_hostname": self.settings.fleet.get(0).host,
            "attributes": agent.attributes,
            "resources": resources_json(&agent.resources, Some(&[self.settings.ports])),
            "frameworks": [{
                "id": place.framework_id(), "name": "marathon", "executors": executors, "completed_executors": [],
            }],
            "completed_frameworks": [],
        }))
    }

    /// `get_maintenance_status.status` of the operator's interface.
    pub fn maintenance_status_json(&self) -> Value {
        let maintenance = &self.memory.maintenance;
        let draining: Vec<Value> =
            maintenance.draining().map(|machine| json!({ "id": machine, "statuses": [] })).collect();
        let down: Vec<&Machine> = maintenance.down.iter().collect();
        let mut status = Map::new();
        if !draining.is_empty() {
            status.insert("draining_machines".to_owned(), json!(draining));
        }
        if !down.is_empty() {
            status.insert("down_machines".to_owned(), json!(down));
        }
        Value::Object(status)
    }

    /// `get_maintenance_schedule.schedule` of the operator's interface.
    pub fn maintenance_schedule_json(&self) -> Value {
        match self.memory.maintenance.windows.as_slice() {
            [] => json!({}),
            windows => json!({ "windows": windows }),
        }
    }

    fn agent_json(&self, place: &MesosPlace, index: u16, agent: &Agent) -> Value {
        let reserved = self.memory.maintenance.reserved.get(&agent.id).into_iter().flatten();
        let reserved: Map<String, Value> =
            reserved.map(|(role, resources)| (role.clone(), resources_json(resources, None))).collect();
        json!({
            "id": agent.id,
            "hostname": agent.host,
            "pid": pid(place, index),
            "port": place.port(),
            "active": true,
            "version": "1.7.2",
            "attributes": agent.attributes,
            "resources": resources_json(&agent.resources, Some(&[self.settings.ports])),
            "used_resources": resources_json(&self.used_on(index), None),
            "offered_resources": resources_json(&Resources::default(), None),
            "reserved_resources": reserved,
        })
    }

    fn mesos_task_json(&self, place: &MesosPlace, task: &Task) -> Value {
        let app = self.memory.apps.get(&task.app);
        let state = match task.phase {
            Phase::Staging => "TASK_STAGING",
            Phase::Running { .. } => "TASK_RUNNING",
            Phase::Killing { .. } => "TASK_KILLING",
        };
        let mut statuses = vec![json!({ "state": "TASK_STAGING", "timestamp": task.staged_at.seconds() })];
        if let Some(started_at) = task.started_at() {
            let mut status = json!({ "state": "TASK_RUNNING", "timestamp": started_at.seconds() });
            if let (Some(app), true) = (app, task.health.iter().any(Option::is_some)) {
                status["healthy"] = json!(task.is_healthy(&app.definition.checks));
            }
            statuses.push(status);
        }
        let ports: Vec<(u16, u16)> = task.ports.iter().map(|port| (*port, *port)).collect();
        let needs = app.map(|app| app.definition.resources).unwrap_or_default();
        json!({
            "id": task.id,
            "name": name_of(task.app.as_str()),
            "framework_id": place.framework_id(),
            "executor_id": "",
            "slave_id": self.settings.fleet.get(task.agent).id,
            "state": state,
            "resources": resources_json(&needs, Some(&ports)),
            "statuses": statuses,
        })
    }

    fn executor_json(&self, place: &MesosPlace, task: &Task) -> Value {
        let task_json = self.mesos_task_json(place, task);
        json!({
            "id": task.id,
            "name": "",
            "source": task.id,
            "container": task.id,
            "directory": format!("/{}", task.id),
            "resources": task_json["resources"],
            "tasks": [task_json],
            "queued_tasks": [],
            "completed_tasks": [],
        })
    }
}

/// Marathon's name of a task: the parts of the app's id, the last first.
fn name_of(app: &str) -> String {
    app.split('/').filter(|part| !part.is_empty()).rev().collect::<Vec<_>>().join(".")
}

fn pid(place: &MesosPlace, index: u16) -> String {
    format!("slave({})@{}", u32::from(index) + 1, place.address)
}

fn resources_json(resources: &Resources, ports: Option<&[(u16, u16)]>) -> Value {
    let mut json = json!({
        "cpus": resources.cpus, "mem": resources.mem, "disk": resources.disk, "gpus": resources.gpus,
    });
    if let Some(ports) = ports {
        let ranges: Vec<String> = ports.iter().map(|(first, last)| format!("{first}-{last}")).collect();
        json["ports"] = json!(format!("[{}]", ranges.join(", ")));
    }
    json
}
