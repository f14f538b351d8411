//! The master as checks and status pages ask it.

use std::path::Path;
use std::sync::Arc;

use paasta_config::{SystemConfig, SystemError};
use paasta_core::{Clock, SteadyClock, SystemClock, ZkNodes};

use crate::asking::Asking;
use crate::http::{ANSWER_BYTES_MAX, STATE_BYTES_MAX};
use crate::{Agents, Flags, Frameworks, Master, MesosError, Metrics, Patience, State, masters_among};

/// The master that leads, asked what it knows (monitoring.md §5.2). Nothing is kept from one question to the next but where
/// the master is; each ends within the time that [`Patience`] says, with an answer or with the reason why there is none.
///
/// ```
/// use std::sync::Arc;
/// use paasta_config::SystemConfig;
/// use paasta_mesos::MesosMaster;
/// use paasta_zookeeper::ZkReader;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// let file = directory.path().join("mesos-cli.json");
/// std::fs::write(&file, r#"{"default": {"master": "127.0.0.1:1"}}"#)?;
/// let system = serde_json::json!({ "mesos_config": { "path": file } }).to_string();
/// let master = MesosMaster::from_system(&SystemConfig::from_json(&system)?, Arc::new(ZkReader::default()))?;
/// let error = master.state().await.unwrap_err().to_string();
/// assert!(error.starts_with("could not reach the Mesos master at http://127.0.0.1:1/master/state"), "{error}");
/// # Ok(())
/// # }
/// ```
pub struct MesosMaster {
    asking: Asking,
}

/// Whether this host knows of a Mesos at all: whether the file that says where the master is exists (monitoring.md §3.3).
/// Blocks.
///
/// # Errors
/// The system configuration cannot be used.
pub fn is_configured(system: &SystemConfig) -> Result<bool, SystemError> {
    system.mesos_cli_config().map(|file| Path::exists(&file))
}

impl MesosMaster {
    /// Asks that master.
    pub fn new(master: Master) -> Self {
        Self { asking: Asking::new(master) }
    }

    /// Asks the master of `mesos_config` of the system configuration, which `zookeeper` looks up where it is found so.
    ///
    /// # Errors
    /// The system configuration cannot be used.
    pub fn from_system(system: &SystemConfig, zookeeper: Arc<dyn ZkNodes>) -> Result<Self, SystemError> {
        let clock: Arc<dyn Clock> = Arc::new(SteadyClock::from(SystemClock.now()));
        Ok(Self::new(Master::new(system.mesos_cli_config()?, zookeeper, clock)))
    }

    /// Waits so long, whatever `response_timeout` of the master's file says.
    #[must_use]
    pub fn with_patience(mut self, patience: Patience) -> Self {
        self.asking.patience = Some(patience);
        self
    }

    /// All that the master knows.
    pub async fn state(&self) -> Result<State, MesosError> {
        self.asking.get(&["/master/state.json", "/master/state"], true, STATE_BYTES_MAX).await
    }

    /// Frameworks and their tasks.
    pub async fn frameworks(&self) -> Result<Frameworks, MesosError> {
        self.asking.get(&["/master/frameworks"], true, STATE_BYTES_MAX).await
    }

    /// Agents, with attributes and what they have and use.
    pub async fn agents(&self) -> Result<Agents, MesosError> {
        self.asking.get(&["/master/slaves"], false, STATE_BYTES_MAX).await
    }

    /// Agents with what they have, use and reserve at this moment, without their tasks.
    pub async fn summary(&self) -> Result<Agents, MesosError> {
        self.asking.get(&["/master/state-summary"], false, STATE_BYTES_MAX).await
    }

    /// How the master was started.
    pub async fn flags(&self) -> Result<Flags, MesosError> {
        self.asking.get(&["/master/flags"], false, ANSWER_BYTES_MAX).await
    }

    /// The figures of the master that leads. Any other has figures, too, all of them 0: it is asked who leads.
    pub async fn metrics(&self) -> Result<Metrics, MesosError> {
        let path = "/metrics/snapshot";
        let metrics: Metrics = self.asking.get(&[path], false, ANSWER_BYTES_MAX).await?;
        if metrics.leads() {
            return Ok(metrics);
        }
        let leading = self.asking.leading().await?;
        let metrics: Metrics = self.asking.get_of(&leading, path, ANSWER_BYTES_MAX).await?;
        match metrics.leads() {
            true => Ok(metrics),
            false => Err(MesosError::NoLeader { url: format!("{leading}{path}") }),
        }
    }

    /// How many masters are registered, and how many there have to be (monitoring.md §3.3).
    pub async fn masters(&self) -> Result<Masters, MesosError> {
        let flags = self.flags().await?;
        let wrong = |reason| MesosError::Flags { reason };
        let quorum = flags.quorum().map_err(wrong)?;
        let registered = match flags.zookeeper().map_err(wrong)? {
            None => 1,
            Some(at) => masters_among(&self.asking.master.registered(&at).await?) as u64,
        };
        Ok(Masters { registered, quorum })
    }
}

/// The masters of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Masters {
    /// How many are registered in ZooKeeper.
    pub registered: u64,
    /// How many there have to be.
    pub quorum: u64,
}
