//! Agents that are to be away, or are: what Mesos keeps of it, and what happens to tasks.

use std::collections::{BTreeMap, BTreeSet};

use paasta_core::{TaskId, Timestamp};
use serde::{Deserialize, Serialize};

use super::command::{Refusal, Reply};
use super::definition::Resources;
use super::fleet::Agent;
use super::outcome::Outcome;
use super::{Engine, KillReason};

/// A machine by its name and address.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Machine {
    /// Its name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hostname: String,
    /// Its address.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub ip: String,
}

/// When machines are to be away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Which.
    pub machine_ids: Vec<Machine>,
    /// When.
    pub unavailability: Unavailability,
}

/// A time to be away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unavailability {
    /// From then on.
    pub start: Nanoseconds,
    /// So long; for ever if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Nanoseconds>,
}

/// Nanoseconds, since 1970 or of a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nanoseconds {
    /// How many.
    pub nanoseconds: i64,
}

/// What is kept of maintenance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Maintenance {
    /// Who is to be away when.
    pub windows: Vec<Window>,
    /// Who is away.
    pub down: BTreeSet<Machine>,
    /// What is reserved on agents, by their ids and by role.
    pub reserved: BTreeMap<String, BTreeMap<String, Resources>>,
}

impl Maintenance {
    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The machines that are about to leave: scheduled, and not away yet.
    pub fn draining(&self) -> impl Iterator<Item = &Machine> {
        let scheduled = self.windows.iter().flat_map(|window| &window.machine_ids);
        scheduled.filter(|machine| !self.down.contains(machine))
    }

    /// Whether an agent's machine is away.
    pub fn is_down(&self, agent: &Agent) -> bool {
        self.down.iter().any(|machine| machine.hostname == agent.host)
    }

    /// Whether an agent's machine is about to leave.
    pub fn is_draining(&self, agent: &Agent) -> bool {
        self.draining().any(|machine| machine.hostname == agent.host)
    }

    /// All that is reserved on an agent.
    pub fn reserved_on(&self, agent: &Agent) -> Resources {
        let roles = self.reserved.get(&agent.id).into_iter().flat_map(BTreeMap::values);
        roles.fold(Resources::default(), |sum, one| sum.plus(one))
    }
}

impl Engine {
    /// The whole schedule anew, as Mesos takes it: a machine once, and none that is away left out.
    pub(super) fn schedule(&mut self, windows: Vec<Window>, out: &mut Outcome) -> Result<Reply, Refusal> {
        let refused = |why: String| Err(Refusal::Maintenance(why));
        let mut seen = BTreeSet::new();
        for window in &windows {
            if window.machine_ids.is_empty() {
                return refused("List of machines in a maintenance window is empty".to_owned());
            }
            if window.unavailability.duration.is_some_and(|duration| duration.nanoseconds < 0) {
                return refused("Unavailability 'duration' is negative".to_owned());
            }
            for machine in &window.machine_ids {
                if machine.hostname.is_empty() && machine.ip.is_empty() {
                    return refused("Both 'hostname' and 'ip' for a machine are empty".to_owned());
                }
                if !seen.insert(machine) {
                    return refused(format!(
                        "Machine '{}' appears more than once in the schedule",
                        show(machine)
                    ));
                }
            }
        }
        if let Some(missing) = self.memory.maintenance.down.iter().find(|machine| !seen.contains(machine)) {
            return refused(format!(
                "Machine '{}' is deactivated and cannot be removed from the schedule",
                show(missing)
            ));
        }
        self.memory.maintenance.windows = windows;
        self.look_again(out);
        Ok(Reply::Done)
    }

    /// The machines are away: what runs there is ended, and launched elsewhere if there is room.
    pub(super) fn start_maintenance(
        &mut self,
        now: Timestamp,
        machines: Vec<Machine>,
        out: &mut Outcome,
    ) -> Result<Reply, Refusal> {
        let refused = |why: String| Err(Refusal::Maintenance(why));
        if machines.is_empty() {
            return refused("List of machines is empty".to_owned());
        }
        let draining: BTreeSet<Machine> = self.memory.maintenance.draining().cloned().collect();
        if let Some(other) = machines.iter().find(|machine| !draining.contains(machine)) {
            return refused(match self.memory.maintenance.down.contains(other) {
                true => {
                    format!("Machine '{}' is not in DRAINING mode and cannot be brought down", show(other))
                }
                false => format!("Machine '{}' is not part of a maintenance schedule", show(other)),
            });
        }
        self.memory.maintenance.down.extend(machines);
        let lost = |engine: &Self, index| engine.memory.maintenance.is_down(engine.settings.fleet.get(index));
        let tasks: Vec<TaskId> = self
            .memory
            .tasks
            .values()
            .filter(|task| task.is_live() && lost(self, task.agent))
            .map(|task| task.id.clone())
            .collect();
        for task in tasks {
            self.kill(now, &task, KillReason::AgentDown, out);
        }
        self.look_again(out);
        Ok(Reply::Done)
    }

    /// The machines are back, and no longer scheduled.
    pub(super) fn stop_maintenance(
        &mut self,
        machines: &[Machine],
        out: &mut Outcome,
    ) -> Result<Reply, Refusal> {
        let maintenance = &mut self.memory.maintenance;
        if machines.is_empty() {
            return Err(Refusal::Maintenance("List of machines is empty".to_owned()));
        }
        if let Some(other) = machines.iter().find(|machine| !maintenance.down.contains(machine)) {
            let why = format!("Machine '{}' is not in DOWN mode and cannot be brought up", show(other));
            return Err(Refusal::Maintenance(why));
        }
        maintenance.down.retain(|machine| !machines.contains(machine));
        for window in &mut maintenance.windows {
            window.machine_ids.retain(|machine| !machines.contains(machine));
        }
        maintenance.windows.retain(|window| !window.machine_ids.is_empty());
        self.look_again(out);
        Ok(Reply::Done)
    }

    /// Reserves resources of an agent to a role, so that no task gets them, or gives them back.
    pub(super) fn reserve(
        &mut self,
        agent_id: &str,
        role: &str,
        resources: &Resources,
        is_given_back: bool,
        out: &mut Outcome,
    ) -> Result<Reply, Refusal> {
        let refused = |why: String| Err(Refusal::Maintenance(why));
        let Some((index, agent)) = self.settings.fleet.numbered().find(|(_, agent)| agent.id == agent_id)
        else {
            return refused("No agent found with specified ID".to_owned());
        };
        let free =
            agent.resources.minus(&self.used_on(index)).minus(&self.memory.maintenance.reserved_on(agent));
        let roles = self.memory.maintenance.reserved.entry(agent_id.to_owned()).or_default();
        let held = roles.get(role).copied().unwrap_or_default();
        let left = match is_given_back {
            true if !resources.fits_into(&held) => {
                return refused(format!(
                    "Invalid UNRESERVE Operation: {agent_id} does not contain the resources"
                ));
            }
            true => held.minus(resources),
            false if !resources.fits_into(&free) => {
                return refused(format!(
                    "Invalid RESERVE Operation: {agent_id} does not contain the resources"
                ));
            }
            false => held.plus(resources),
        };
        match left.is_nothing() {
            true => drop(roles.remove(role)),
            false => drop(roles.insert(role.to_owned(), left)),
        }
        self.memory.maintenance.reserved.retain(|_, roles| !roles.is_empty());
        self.look_again(out);
        Ok(Reply::Done)
    }

    /// What the tasks on an agent use.
    pub(super) fn used_on(&self, agent: u16) -> Resources {
        let there = self.memory.tasks.values().filter(|task| task.agent == agent);
        let needs =
            there.filter_map(|task| self.memory.apps.get(&task.app)).map(|app| app.definition.resources);
        needs.fold(Resources::default(), |sum, one| sum.plus(&one))
    }

    fn look_again(&mut self, out: &mut Outcome) {
        out.must_save = true;
        self.touched.extend(self.memory.apps.keys().cloned());
    }
}

fn show(machine: &Machine) -> &str {
    if machine.hostname.is_empty() { &machine.ip } else { &machine.hostname }
}
