//! A tree of nodes that others keep.

use async_trait::async_trait;

use crate::PortError;

/// Reads nodes of any ZooKeeper, such as that in which Mesos masters are registered, which need not be the cluster's own.
/// `hosts` are `host:port` with commas between them.
#[async_trait]
pub trait ZkNodes: Send + Sync {
    /// The names of the children of a node, in no order; none where there is no such node.
    async fn children(&self, hosts: &str, path: &str) -> Result<Vec<String>, PortError>;

    /// What a node holds; none where there is no such node.
    async fn data(&self, hosts: &str, path: &str) -> Result<Option<Vec<u8>>, PortError>;
}
