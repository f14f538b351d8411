//! Where load balancers are asked: on the agents that the Mesos master lists, or on this host alone.

use paasta_config::{HostMaintenance, SystemConfig};
use paasta_core::Reading;
use paasta_smartstack::{Agent, Location, locations};
use serde::Serialize;

/// Where load balancers are asked.
#[derive(Clone, Debug)]
pub enum Places {
    /// The agents of the cluster.
    Agents {
        /// Those that the master lists.
        agents: Vec<Agent>,
        /// How many have not come back to it since it was elected: some locations may be missing.
        awaited: usize,
    },
    /// One machine without Mesos: its own load balancer, by this name.
    ThisHost(String),
}

/// What was taken for the places to ask, for whoever reads the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "source", rename_all = "snake_case")]
pub enum Taken {
    /// So many agents that the Mesos master lists.
    Mesos {
        /// How many.
        agents: usize,
        /// How many have not come back to it since it was elected.
        awaited: usize,
    },
    /// This host alone, as no Mesos is configured.
    ThisHost {
        /// By what name.
        host: String,
    },
    /// The agents could not be asked for.
    Unknown {
        /// Why.
        reason: String,
    },
    /// Nobody had to be asked.
    Nobody,
}

impl Places {
    /// The locations of one type, and the hosts to ask there.
    pub fn locations(&self, discover: &str, pool: &str) -> Vec<Location> {
        match self {
            Self::Agents { agents, .. } => locations(agents, discover, pool),
            Self::ThisHost(host) => vec![Location { name: host.clone(), hosts: vec![host.clone()] }],
        }
    }

    /// How many agents may be missing.
    pub fn awaited(&self) -> usize {
        match self {
            Self::Agents { awaited, .. } => *awaited,
            Self::ThisHost(_) => 0,
        }
    }

    /// What that is.
    pub fn taken(reading: &Reading<Self>) -> Taken {
        match reading {
            Reading::Known(Self::Agents { agents, awaited }) => {
                Taken::Mesos { agents: agents.len(), awaited: *awaited }
            }
            Reading::Known(Self::ThisHost(host)) => Taken::ThisHost { host: host.clone() },
            Reading::Unknown(reason) => Taken::Unknown { reason: reason.clone() },
        }
    }
}

/// Whether this cluster has a Mesos: not where hosts never leave (`host_maintenance`) and the file that says where the master
/// is (`mesos_config.path`) is missing.
pub fn has_mesos(system: &SystemConfig) -> anyhow::Result<bool> {
    let file = system.mesos_cli_config()?;
    Ok(system.host_maintenance()? != HostMaintenance::None || file.exists())
}
