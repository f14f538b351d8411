//! The operator's interface of a master: who is to be away, and what is reserved meanwhile (monitoring.md §8).

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::asking::Asking;
use crate::http::STATE_BYTES_MAX;
use crate::reservation::{Verb, call, reservable};
use crate::{
    Agent, Agents, Machine, MaintenanceStatus, Master, MesosError, Patience, Schedule, Unavailability,
};

/// Tells the master that leads which machines are to be away. Who we are is read from [`crate::DEFAULT_SECRET_FILE`].
pub struct Operator {
    asking: Asking,
}

impl Operator {
    /// Tells that master.
    pub fn new(master: Master) -> Self {
        Self { asking: Asking::new(master) }
    }

    /// Who we are is read from that file.
    #[must_use]
    pub fn with_secret_file(mut self, secret_file: impl Into<PathBuf>) -> Self {
        self.asking.secret_file = secret_file.into();
        self
    }

    /// The master is waited for so long.
    #[must_use]
    pub fn with_patience(mut self, patience: Patience) -> Self {
        self.asking.patience = Some(patience);
        self
    }

    /// What the master answers to a question, such as `GET_MAINTENANCE_STATUS`, word by word.
    pub async fn answer(&self, question: &str) -> Result<Value, MesosError> {
        let read = |answer: &[u8]| serde_json::from_slice(answer).map_err(|error| error.to_string());
        self.asking.call(&json!({ "type": question }), read).await
    }

    /// Which machines are about to leave, and which are away.
    pub async fn status(&self) -> Result<MaintenanceStatus, MesosError> {
        self.asking.call(&json!({ "type": "GET_MAINTENANCE_STATUS" }), MaintenanceStatus::read).await
    }

    /// All that is scheduled.
    pub async fn schedule(&self) -> Result<Schedule, MesosError> {
        self.asking.call(&json!({ "type": "GET_MAINTENANCE_SCHEDULE" }), Schedule::read).await
    }

    /// The machines are to be away at that time: whoever can leaves them from now on, and new tasks go elsewhere. What is
    /// free there is reserved first; where that fails, the machines are scheduled nevertheless, and the reasons are given
    /// back (monitoring.md §8.2).
    pub async fn drain(
        &self,
        machines: &[Machine],
        when: &Unavailability,
    ) -> Result<Vec<MesosError>, MesosError> {
        let failed = self.reserve(machines).await;
        self.change_schedule(|schedule| schedule.with(machines, when)).await?;
        Ok(failed)
    }

    /// The machines stay: what was reserved there is given back, and they leave the schedule. Where a reservation cannot be
    /// given back, the reasons are.
    pub async fn undrain(&self, machines: &[Machine]) -> Result<Vec<MesosError>, MesosError> {
        let failed = self.unreserve(machines).await;
        self.change_schedule(|schedule| schedule.without(machines)).await?;
        Ok(failed)
    }

    /// The machines are away from now on: Mesos ends what still runs there. They have to be draining.
    pub async fn down(&self, machines: &[Machine]) -> Result<(), MesosError> {
        self.tell(&down_call(machines)).await
    }

    /// The machines are back.
    pub async fn up(&self, machines: &[Machine]) -> Result<(), MesosError> {
        self.tell(&up_call(machines)).await
    }

    /// Reserves what is free on these machines; why not, for each where that failed.
    pub async fn reserve(&self, machines: &[Machine]) -> Vec<MesosError> {
        self.tell_all(self.reservations(Verb::Reserve, machines).await).await
    }

    /// Gives back what is reserved for maintenance on these machines; why not, for each where that failed.
    pub async fn unreserve(&self, machines: &[Machine]) -> Vec<MesosError> {
        self.tell_all(self.reservations(Verb::Unreserve, machines).await).await
    }

    /// The calls that reserve what is free on these machines, or give back what is reserved there: one for each agent that
    /// has any.
    pub async fn reservations(&self, verb: Verb, machines: &[Machine]) -> Result<Vec<Value>, MesosError> {
        let names: BTreeSet<&str> =
            machines.iter().filter_map(|machine| machine.hostname.as_deref()).collect();
        let credentials = self.asking.credentials().await?;
        let principal = credentials.as_ref().map(|credentials| credentials.principal.as_str());
        let summary: Agents = self.asking.get(&["/master/state-summary"], false, STATE_BYTES_MAX).await?;
        let agents = summary.agents.iter().filter(|agent| names.contains(agent.hostname.as_str()));
        let call_of = |agent: &Agent| {
            let amounts = match verb {
                Verb::Reserve => reservable(agent),
                Verb::Unreserve => agent.maintenance(),
            };
            call(verb, &agent.id, &amounts, principal)
        };
        Ok(agents.filter_map(call_of).collect())
    }

    async fn tell_all(&self, calls: Result<Vec<Value>, MesosError>) -> Vec<MesosError> {
        let calls = match calls {
            Ok(calls) => calls,
            Err(error) => return vec![error],
        };
        let mut failed = Vec::new();
        for call in calls {
            failed.extend(self.tell(&call).await.err());
        }
        failed
    }

    /// Reads the schedule, changes it, writes it, and reads it again: Mesos has no way to tell that somebody else wrote
    /// between our reading and our writing, or after it.
    async fn change_schedule(&self, change: impl Fn(&Schedule) -> Schedule + Send) -> Result<(), MesosError> {
        let found = self.schedule().await?;
        let wanted = change(&found);
        if !wanted.means_the_same_as(&found) {
            self.tell(&schedule_update(&wanted)).await?;
        }
        let written = self.schedule().await?;
        match change(&written).means_the_same_as(&written) {
            true => Ok(()),
            false => Err(MesosError::ScheduleChanged),
        }
    }

    async fn tell(&self, body: &Value) -> Result<(), MesosError> {
        self.asking.call(body, |_| Ok(())).await
    }
}

/// The call that replaces the schedule (monitoring.md §8.1).
pub fn schedule_update(schedule: &Schedule) -> Value {
    json!({ "type": "UPDATE_MAINTENANCE_SCHEDULE", "update_maintenance_schedule": { "schedule": schedule } })
}

/// The call that takes machines down.
pub fn down_call(machines: &[Machine]) -> Value {
    json!({ "type": "START_MAINTENANCE", "start_maintenance": { "machines": machines } })
}

/// The call that brings machines back.
pub fn up_call(machines: &[Machine]) -> Value {
    json!({ "type": "STOP_MAINTENANCE", "stop_maintenance": { "machines": machines } })
}
