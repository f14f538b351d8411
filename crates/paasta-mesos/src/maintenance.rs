//! Hosts that are about to leave, from the maintenance status of the master.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use paasta_config::{HostMaintenance, SystemConfig};
use paasta_core::{
    Clock, LeavingHosts, NoMaintenance, Reading, SteadyClock, SystemClock, Timestamp, UnknownMaintenance,
    ZkNodes,
};
use serde_json::json;
use tokio::sync::Mutex;

use crate::asking::Asking;
use crate::{Master, MesosError, Patience, draining_hosts};

/// How long an answer serves.
const SERVES: Duration = Duration::from_secs(10);
/// How long a failure serves, so that a thousand instances do not wait for a dead master one after the other.
const FAILURE_SERVES: Duration = Duration::from_secs(2);

/// What programs hand to their engine, as the system configuration wants it: system key `host_maintenance`, and
/// `mesos_config` for the master, which `zookeeper` looks up where it is found so. What is wrong there is the reason that
/// is given to whoever asks.
pub fn leaving_hosts(system: &SystemConfig, zookeeper: Arc<dyn ZkNodes>) -> Box<dyn LeavingHosts> {
    let file = match system.host_maintenance() {
        Ok(HostMaintenance::None) => return Box::new(NoMaintenance),
        Ok(HostMaintenance::Mesos) => system.mesos_cli_config(),
        Err(error) => Err(error),
    };
    match file {
        Ok(file) => {
            let clock: Arc<dyn Clock> = Arc::new(SteadyClock::from(SystemClock.now()));
            Box::new(MesosMaintenance::new(Master::new(file, zookeeper, clock.clone()), clock))
        }
        Err(error) => Box::new(UnknownMaintenance::new(paasta_core::chain(&error))),
    }
}

/// The hosts that the Mesos master is to drain (marathon-and-bounce.md §3.2), asked at most every ten seconds.
pub struct MesosMaintenance {
    asking: Asking,
    clock: Arc<dyn Clock>,
    last: Mutex<Option<Told>>,
}

/// What the master said, or why it did not.
struct Told {
    at: Timestamp,
    hosts: Result<BTreeSet<String>, MesosError>,
}

impl MesosMaintenance {
    /// Asks that master; who we are is read from [`crate::DEFAULT_SECRET_FILE`].
    pub fn new(master: Master, clock: Arc<dyn Clock>) -> Self {
        Self { asking: Asking::new(master), clock, last: Mutex::default() }
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

    /// The hosts, by what the master said in the last ten seconds. All who ask at one time wait for one answer.
    pub async fn draining(&self) -> Result<BTreeSet<String>, MesosError> {
        let mut last = self.last.lock().await;
        let now = self.clock.now();
        if let Some(told) = &*last
            && now.since(told.at) < if told.hosts.is_ok() { SERVES } else { FAILURE_SERVES }
        {
            return told.hosts.clone();
        }
        let hosts = self.ask().await;
        // A failure serves from when it was known: waiting for it may have taken longer than it serves.
        let at = if hosts.is_ok() { now } else { self.clock.now() };
        *last = Some(Told { at, hosts: hosts.clone() });
        hosts
    }

    async fn ask(&self) -> Result<BTreeSet<String>, MesosError> {
        self.asking.call(&json!({ "type": "GET_MAINTENANCE_STATUS" }), draining_hosts).await
    }
}

#[async_trait]
impl LeavingHosts for MesosMaintenance {
    async fn leaving_hosts(&self) -> Reading<BTreeSet<String>> {
        match self.draining().await {
            Ok(hosts) => Reading::Known(hosts),
            Err(error) => Reading::Unknown(format!(
                "{error} (where no host is ever drained, set `host_maintenance` to `none`)"
            )),
        }
    }
}
