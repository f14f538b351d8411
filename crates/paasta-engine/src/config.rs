//! What an engine is given at its start.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use paasta_core::{Clock, SystemClock};

use crate::artifacts::Artifacts;
use crate::executor::Executor;
use crate::secrets::{NoSecrets, SecretText, Secrets};
use crate::state::Resources;

/// Everything an engine needs. Make one with [`Config::new`] and change what should differ.
#[derive(Clone)]
pub struct Config {
    /// Where state, journal and sandboxes are; one engine at a time.
    pub state_dir: PathBuf,
    /// Where the REST face listens. Only a loopback address unless `token` is set.
    pub listen: SocketAddr,
    /// Ports that tasks get.
    pub ports: PortRange,
    /// What callers must show, if anything.
    pub token: Option<SecretText>,
    /// The name of this machine: tasks show it, and callers must be able to reach it.
    pub host: String,
    /// The agents to play; `None` is one, which is this machine.
    pub agents: Option<Agents>,
    /// Finds what to execute.
    pub artifacts: Arc<dyn Artifacts>,
    /// Resolves references to secrets.
    pub secrets: Arc<dyn Secrets>,
    /// Runs tasks; `None` runs them as processes of this machine.
    pub executor: Option<Arc<dyn Executor>>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Environment that every task starts from, such as `PATH` and `HOME`; the app's own comes on top.
    pub base_env: Vec<(String, String)>,
    /// Seconds between SIGTERM and SIGKILL where an app names none.
    pub kill_grace_seconds: f64,
    /// The size in bytes at which a task's log is rotated.
    pub log_bytes_max: u64,
    /// Rotated logs kept per stream.
    pub logs_kept: usize,
    /// The longest that [`Artifacts::resolve`] may take, in seconds.
    pub artifact_seconds_max: u64,
}

impl Config {
    /// State in `state_dir`, a free port on loopback, no token, ports 31000 to 31999, this machine called
    /// `localhost`.
    pub fn new(state_dir: impl Into<PathBuf>, artifacts: Arc<dyn Artifacts>) -> Self {
        Self {
            state_dir: state_dir.into(),
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            ports: PortRange::default(),
            token: None,
            host: "localhost".to_owned(),
            agents: None,
            artifacts,
            secrets: Arc::new(NoSecrets),
            executor: None,
            clock: Arc::new(SystemClock),
            base_env: vec![("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned())],
            kill_grace_seconds: 5.0,
            log_bytes_max: 10 * 1024 * 1024,
            logs_kept: 2,
            artifact_seconds_max: 300,
        }
    }
}

/// The agents that an engine plays: tasks run on this machine, and show the host of one of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Agents {
    /// Their hosts. Each has to lead to this machine for whoever asks there about tasks.
    pub hosts: Vec<String>,
    /// Attributes, each with the values that are dealt out in turn; see [`crate::state::attributes_of`].
    pub attributes: Vec<(String, Vec<String>)>,
    /// What each agent has, if no more is to fit there. `None` tells an equal part of this machine, and holds nobody to it.
    pub resources: Option<Resources>,
}

impl Agents {
    /// So many agents on this machine alone: their hosts are `127.0.0.1`, `127.0.0.2` and so on, which on Linux all lead to it.
    ///
    /// ```
    /// use paasta_engine::Agents;
    ///
    /// let agents = Agents::on_loopback(2)?;
    /// assert_eq!(agents.hosts, ["127.0.0.1", "127.0.0.2"]);
    /// # Ok::<(), String>(())
    /// ```
    pub fn on_loopback(count: u8) -> Result<Self, String> {
        match count {
            0 | 255 => Err(format!("{count} is no number of agents from 1 to 254")),
            _ => Ok(Self { hosts: (1..=count).map(|n| format!("127.0.0.{n}")).collect(), ..Self::default() }),
        }
    }
}

/// The first and the last port that tasks may get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    first: u16,
    last: u16,
}

/// Why a text is not a range of ports.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a range of ports such as 31000-31999")]
pub struct PortRangeError(String);

impl PortRange {
    /// From `first` to `last`, both included.
    pub fn new(first: u16, last: u16) -> Result<Self, PortRangeError> {
        if first == 0 || first > last {
            return Err(PortRangeError(format!("{first}-{last}")));
        }
        Ok(Self { first, last })
    }

    /// The first port and the last.
    pub fn bounds(self) -> (u16, u16) {
        (self.first, self.last)
    }
}

impl Default for PortRange {
    /// 31000 to 31999.
    fn default() -> Self {
        Self { first: 31000, last: 31999 }
    }
}

impl FromStr for PortRange {
    type Err = PortRangeError;

    fn from_str(text: &str) -> Result<Self, PortRangeError> {
        let wrong = || PortRangeError(text.to_owned());
        let (first, last) = text.split_once('-').ok_or_else(wrong)?;
        let port = |text: &str| text.trim().parse::<u16>().map_err(|_| wrong());
        Self::new(port(first)?, port(last)?).map_err(|_| wrong())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        assert_eq!("31000-31999".parse(), Ok(PortRange::default()));
        for bad in ["", "31000", "2-1", "0-5", "1-70000", "a-b"] {
            assert!(bad.parse::<PortRange>().is_err(), "{bad}");
        }
    }
}
