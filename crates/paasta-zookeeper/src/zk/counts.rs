//! Autoscaled counts, as the original's autoscaler writes them.

use async_trait::async_trait;
use paasta_core::{Counts, InstanceId, Reading};
use zookeeper_client::Error;

use super::handle::ZooKeeper;
use super::session::{PERSISTENT, Problem, Session};
use crate::count_path;
use crate::file_counts::start;

/// Where the time stands until which nobody autoscales, in unix seconds.
const PAUSED: &str = "/autoscaling/paused";

/// Counts at `/autoscaling/<service>/<instance>/instances`, as decimal text.
#[derive(Clone, Debug)]
pub struct ZkCounts {
    pub(crate) zookeeper: ZooKeeper,
}

/// A count could not be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not write `{path}`: {reason}")]
pub struct CountError {
    /// The node.
    pub path: String,
    /// What happened. If no answer came, it may be written nevertheless.
    pub reason: String,
}

impl ZkCounts {
    /// Counts of this ZooKeeper.
    pub fn new(zookeeper: &ZooKeeper) -> Self {
        Self { zookeeper: zookeeper.clone() }
    }

    /// Writes the count of an instance.
    pub async fn write(&self, instance: &InstanceId, count: i64) -> Result<(), CountError> {
        self.put(&count_path(instance), count.to_string()).await
    }

    /// Until when nobody autoscales, in unix seconds; `None` where that is not written, or is no number.
    pub async fn paused_until(&self) -> Reading<Option<f64>> {
        match self.read(PAUSED).await {
            Ok(text) => Reading::Known(text.and_then(|text| text.trim().parse().ok())),
            Err(reason) => Reading::Unknown(reason),
        }
    }

    /// Keeps everybody from autoscaling until then, in unix seconds.
    pub async fn pause_until(&self, seconds: i64) -> Result<(), CountError> {
        self.put(PAUSED, seconds.to_string()).await
    }

    async fn read(&self, path: &str) -> Result<Option<String>, String> {
        let session = self.zookeeper.session().await?;
        let data = session.data(path).await.map_err(|problem| self.zookeeper.unreachable(problem))?;
        Ok(data.map(|data| String::from_utf8_lossy(&data).into_owned()))
    }

    async fn put(&self, path: &str, text: String) -> Result<(), CountError> {
        let failed = |reason: String| CountError { path: path.to_owned(), reason };
        let session = self.zookeeper.session().await.map_err(failed)?;
        let put = put(&session, path, text.as_bytes()).await;
        put.map_err(|problem| failed(self.zookeeper.unreachable(problem)))
    }
}

/// Writes a node, which is made where it is missing.
async fn put(session: &Session, path: &str, data: &[u8]) -> Result<(), Problem> {
    match session.insist(|client| async move { client.set_data(path, data, None).await }).await {
        Err(problem) if problem.is_no_node() => {}
        answer => return answer.map(drop),
    }
    if let Some((parent, _)) = path.rsplit_once('/') {
        session.make_directory(parent).await?;
    }
    // With its data: nobody reads an empty count.
    match session.ask(|client| async move { client.create(path, data, &PERSISTENT).await }).await {
        Err(Problem::Told(Error::NodeExists | Error::ConnectionLoss)) => {
            session.insist(|client| async move { client.set_data(path, data, None).await }).await.map(drop)
        }
        answer => answer.map(drop),
    }
}

#[async_trait]
impl Counts for ZkCounts {
    async fn count(&self, instance: &InstanceId) -> Reading<Option<i64>> {
        let path = count_path(instance);
        match self.read(&path).await {
            Ok(None) => Reading::Known(None),
            Ok(Some(text)) => match text.trim().parse() {
                Ok(count) => Reading::Known(Some(count)),
                Err(_) => {
                    Reading::Unknown(format!("`{path}` in ZooKeeper holds no number: {:?}", start(&text)))
                }
            },
            Err(reason) => Reading::Unknown(reason),
        }
    }
}
