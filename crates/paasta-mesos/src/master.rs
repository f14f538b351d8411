//! Where the master is (monitoring.md §5.1).

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use paasta_config::read_regular;
use paasta_core::{Clock, Timestamp, ZkNodes, without_credentials};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

use crate::zookeeper::{ZkAddress, leading_node, master_of};
use crate::{MesosCli, MesosError};

/// How long an answer of where the master is serves.
const SERVES: Duration = Duration::from_secs(5);

/// A form in which a file says where the master is.
#[derive(Clone, Debug)]
pub enum MasterForm {
    /// `host:port`, taken as it is.
    Address(String),
    /// `file:///path`: the file holds one of the other forms.
    File(PathBuf),
    /// `zk://…/path`: the leader is one of the children of that node.
    ZooKeeper(ZkAddress),
}

impl MasterForm {
    /// Takes it apart.
    ///
    /// ```
    /// use paasta_mesos::MasterForm;
    ///
    /// assert!(matches!(MasterForm::parse("zk://h:2181/mesos")?, MasterForm::ZooKeeper(_)));
    /// assert!(MasterForm::parse("http://h:5050").is_err());
    /// # Ok::<(), paasta_mesos::MesosError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, MesosError> {
        let text = text.trim();
        let wrong = || MesosError::Form { value: without_credentials(text) };
        if let Some(rest) = text.strip_prefix("zk://") {
            return ZkAddress::parse(rest).map(Self::ZooKeeper).ok_or_else(wrong);
        }
        if let Some(path) = text.strip_prefix("file://") {
            return Path::new(path).is_absolute().then(|| Self::File(path.into())).ok_or_else(wrong);
        }
        let is_address = !text.is_empty() && !text.contains(['/', '@', ',', '?', '#', ' ']);
        is_address.then(|| Self::Address(text.to_owned())).ok_or_else(wrong)
    }
}

/// A master by scheme, host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// `http` or `https`.
    pub scheme: String,
    /// `host:port`.
    pub address: String,
}

impl Authority {
    /// The same host with another port.
    pub(crate) fn with_port(&self, port: u16) -> Self {
        let host = match self.address.rsplit_once(':') {
            Some((host, digits)) if digits.parse::<u16>().is_ok() => host,
            _ => self.address.as_str(),
        };
        Self { scheme: self.scheme.clone(), address: format!("{host}:{port}") }
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.address)
    }
}

/// Finds the master anew every few seconds, from the file read anew: a new leader, or a mended file, needs no restart.
pub struct Master {
    file: PathBuf,
    zookeeper: Arc<dyn ZkNodes>,
    clock: Arc<dyn Clock>,
    last: Mutex<Option<(Timestamp, Found)>>,
}

/// Where the master is, and what else its file says.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) authority: Authority,
    pub(crate) cli: MesosCli,
}

impl Master {
    /// The master that `file` names.
    pub fn new(file: impl Into<PathBuf>, zookeeper: Arc<dyn ZkNodes>, clock: Arc<dyn Clock>) -> Self {
        Self { file: file.into(), zookeeper, clock, last: Mutex::default() }
    }

    /// Where it is now; an answer of the last five seconds serves.
    pub async fn find(&self) -> Result<Authority, MesosError> {
        Ok(self.found().await?.authority)
    }

    /// The same, with what else the file says.
    pub(crate) async fn found(&self) -> Result<Found, MesosError> {
        let mut last = self.last.lock().await;
        let now = self.clock.now();
        if let Some((at, found)) = &*last
            && now.since(*at) < SERVES
        {
            return Ok(found.clone());
        }
        *last = None;
        let found = self.look().await?;
        *last = Some((now, found.clone()));
        Ok(found)
    }

    /// Does not trust the last answer any more.
    pub async fn forget(&self) {
        *self.last.lock().await = None;
    }

    /// What is registered below a node, by name.
    pub(crate) async fn registered(&self, at: &ZkAddress) -> Result<Vec<String>, MesosError> {
        let children = self.zookeeper.children(&at.hosts, &at.path).await;
        children.map_err(|error| MesosError::ZooKeeper { at: at.to_string(), reason: error.reason })
    }

    async fn look(&self) -> Result<Found, MesosError> {
        let file = self.file.clone();
        let (cli, form) = blocking(move || {
            let cli = MesosCli::read(&file)?;
            let form = match MasterForm::parse(&cli.master)? {
                MasterForm::File(path) => of_file(&path)?,
                form => form,
            };
            Ok((cli, form))
        })
        .await?;
        let address = match form {
            MasterForm::Address(address) => address,
            MasterForm::ZooKeeper(at) => self.ask_zookeeper(&at).await?,
            MasterForm::File(path) => {
                let reason = "it names another file, expected `host:port` or `zk://…`".to_owned();
                return Err(MesosError::File { path: path.display().to_string(), reason });
            }
        };
        Ok(Found { authority: Authority { scheme: cli.scheme.clone(), address }, cli })
    }

    async fn ask_zookeeper(&self, at: &ZkAddress) -> Result<String, MesosError> {
        let failed = |reason: String| MesosError::ZooKeeper { at: at.to_string(), reason };
        let children = self.registered(at).await?;
        let Some(leading) = leading_node(&children) else {
            return Err(failed("no master is registered there".to_owned()));
        };
        let data = self.zookeeper.data(&at.hosts, &at.child(leading)).await;
        let data = data.map_err(|error| failed(error.reason))?;
        let Some(data) = data else {
            return Err(failed(format!("{leading} is gone: a new leader is elected")));
        };
        master_of(&data).map_err(|reason| failed(format!("{leading}: {reason}")))
    }
}

fn of_file(path: &Path) -> Result<MasterForm, MesosError> {
    let wrong = |reason: String| MesosError::File { path: path.display().to_string(), reason };
    let bytes = read_regular(path).map_err(|error| wrong(error.to_string()))?;
    MasterForm::parse(&String::from_utf8_lossy(&bytes)).map_err(|error| wrong(error.to_string()))
}

/// Reads files where that may wait.
pub(crate) async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, MesosError> + Send + 'static,
) -> Result<T, MesosError> {
    match spawn_blocking(read).await {
        Ok(result) => result,
        Err(error) => Err(MesosError::Http(error.to_string())),
    }
}
