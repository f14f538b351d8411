//! Reading what others keep in any ZooKeeper.

use async_trait::async_trait;
use paasta_core::{PortError, ZkNodes};
use tokio::sync::Mutex;

use super::handle::{Options, ZooKeeper};
use super::session::Problem;

/// Reads nodes of whatever ZooKeeper is named. Connects when it is asked first, and stays connected to the one that was
/// asked last.
///
/// ```
/// use paasta_core::ZkNodes;
/// use paasta_zookeeper::{Options, ZkReader};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let reader = ZkReader::new(Options::default());
/// assert!(reader.children("", "/mesos").await.is_err(), "no server is named");
/// # }
/// ```
#[derive(Debug)]
pub struct ZkReader {
    options: Options,
    last: Mutex<Option<ZooKeeper>>,
}

impl Default for ZkReader {
    fn default() -> Self {
        Self::new(Options::default())
    }
}

impl ZkReader {
    /// Connects to nobody yet.
    pub fn new(options: Options) -> Self {
        Self { options, last: Mutex::default() }
    }

    async fn connected(&self, hosts: &str) -> Result<ZooKeeper, PortError> {
        let mut last = self.last.lock().await;
        match &*last {
            Some(zookeeper) if zookeeper.hosts() == hosts => Ok(zookeeper.clone()),
            _ => {
                let connected = ZooKeeper::connect(hosts, self.options);
                let zookeeper = connected.map_err(|error| failed(hosts, error.to_string()))?;
                *last = Some(zookeeper.clone());
                Ok(zookeeper)
            }
        }
    }
}

fn failed(hosts: &str, reason: String) -> PortError {
    PortError { endpoint: format!("ZooKeeper at `{hosts}`"), reason }
}

#[async_trait]
impl ZkNodes for ZkReader {
    async fn children(&self, hosts: &str, path: &str) -> Result<Vec<String>, PortError> {
        let zookeeper = self.connected(hosts).await?;
        let session = zookeeper.session().await.map_err(|reason| failed(hosts, reason))?;
        session.children(path).await.map_err(|problem: Problem| failed(hosts, problem.to_string()))
    }

    async fn data(&self, hosts: &str, path: &str) -> Result<Option<Vec<u8>>, PortError> {
        let zookeeper = self.connected(hosts).await?;
        let session = zookeeper.session().await.map_err(|reason| failed(hosts, reason))?;
        session.data(path).await.map_err(|problem: Problem| failed(hosts, problem.to_string()))
    }
}
