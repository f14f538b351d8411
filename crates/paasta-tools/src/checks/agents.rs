//! What checks ask the Mesos master for.

use std::sync::Arc;

use paasta_config::SystemConfig;
use paasta_core::{Reading, chain};
use paasta_mesos::{MesosError, MesosMaster};
use paasta_smartstack::Agent;
use paasta_zookeeper::ZkReader;

use super::places::{Places, has_mesos};
use super::{Deadline, one_line};

/// The master of the system configuration, or why it cannot be asked.
pub fn master(system: &SystemConfig) -> Reading<MesosMaster> {
    match MesosMaster::from_system(system, Arc::new(ZkReader::default())) {
        Ok(master) => Reading::Known(master),
        Err(error) => Reading::Unknown(chain(&error)),
    }
}

/// What the master answers to one question.
pub async fn ask<T>(
    deadline: &Deadline,
    question: impl Future<Output = Result<T, MesosError>>,
) -> Reading<T> {
    let asked = async {
        match question.await {
            Ok(answer) => Reading::Known(answer),
            Err(error) => Reading::Unknown(chain(&error)),
        }
    };
    deadline.reading("the Mesos master", asked).await
}

/// Where load balancers are asked.
pub async fn places(system: &SystemConfig, deadline: &Deadline) -> Reading<Places> {
    match has_mesos(system) {
        Ok(true) => {}
        Ok(false) => return this_host(system),
        Err(error) => return Reading::Unknown(one_line(&error)),
    }
    let master = match master(system) {
        Reading::Known(master) => master,
        Reading::Unknown(reason) => return Reading::Unknown(reason),
    };
    let listed = match ask(deadline, master.agents()).await {
        Reading::Known(listed) => listed,
        Reading::Unknown(reason) => return Reading::Unknown(reason),
    };
    let awaited = listed.awaited.len();
    listed.known().map(|agents| {
        let agent = |agent: &paasta_mesos::Agent| Agent {
            host: agent.hostname.clone(),
            attributes: agent.attributes.clone(),
        };
        Places::Agents { agents: agents.iter().map(agent).collect(), awaited }
    })
}

fn this_host(system: &SystemConfig) -> Reading<Places> {
    match system.synapse_host() {
        Ok(host) => Reading::Known(Places::ThisHost(host)),
        Err(error) => Reading::Unknown(chain(&error)),
    }
}
