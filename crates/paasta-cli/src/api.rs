//! Finding the API of a cluster.

use paasta_api_client::{ApiClient, Timeouts};
use paasta_config::SystemConfig;
use paasta_core::ClusterName;

/// A client of the API that the system configuration names for a cluster (`api_endpoints`).
pub fn client(cluster: &ClusterName, system: &SystemConfig, timeouts: Timeouts) -> anyhow::Result<ApiClient> {
    let url = system.api_endpoint(cluster)?;
    Ok(ApiClient::new(cluster.clone(), &url, timeouts)?)
}
