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
use reqwest::Method;
use tokio::sync::Mutex;

use crate::http::{Http, Request, garbled};
use crate::master::blocking;
use crate::{Credentials, DEFAULT_SECRET_FILE, Master, MesosError, Patience, draining_hosts};

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
    master: Master,
    secret_file: PathBuf,
    patience: Patience,
    clock: Arc<dyn Clock>,
    last: Mutex<Option<Told>>,
}

/// What the master said, or why it did not.
struct Told {
    at: Timestamp,
    hosts: Result<BTreeSet<String>, MesosError>,
}

impl MesosMaintenance {
    /// Asks that master; who we are is read from [`DEFAULT_SECRET_FILE`].
    pub fn new(master: Master, clock: Arc<dyn Clock>) -> Self {
        Self {
            master,
            secret_file: DEFAULT_SECRET_FILE.into(),
            patience: Patience::OPERATOR,
            clock,
            last: Mutex::default(),
        }
    }

    /// Who we are is read from that file.
    #[must_use]
    pub fn with_secret_file(self, secret_file: impl Into<PathBuf>) -> Self {
        Self { secret_file: secret_file.into(), ..self }
    }

    /// The master is waited for so long.
    #[must_use]
    pub fn with_patience(self, patience: Patience) -> Self {
        Self { patience, ..self }
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
        let told = self.ask_master().await;
        if told.is_err() {
            self.master.forget().await;
        }
        told
    }

    async fn ask_master(&self) -> Result<BTreeSet<String>, MesosError> {
        let master = self.master.find().await?;
        let (secret_file, patience, secure) =
            (self.secret_file.clone(), self.patience, master.scheme == "https");
        let (credentials, http) =
            blocking(move || Ok((Credentials::read(&secret_file)?, Http::new(patience, secure)?))).await?;
        let request = Request {
            method: Method::POST,
            url: format!("{master}/api/v1"),
            body: Some(r#"{"type": "GET_MAINTENANCE_STATUS"}"#),
            credentials: credentials.as_ref(),
        };
        let (url, body) = http.body(&request).await?;
        draining_hosts(&body).map_err(|reason| garbled(&url, reason))
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
