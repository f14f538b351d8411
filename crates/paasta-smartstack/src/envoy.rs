//! Envoy, asked for its clusters over HTTP (monitoring.md §4.5).

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use async_trait::async_trait;
use paasta_core::Registration;
use serde::Deserialize;

use crate::haproxy::SetupError;
use crate::http::Http;
use crate::url_format::{Field, UrlFormat, UrlValues};
use crate::{Asker, Backend, BackendState, Backends, Patience, Provider, ProviderError};

const ENDPOINT: &str = "clusters?format=json";
/// How the names of clusters end that lead to services.
const SUFFIX: &str = ".egress_cluster";
/// How the names of the caching proxy's own clusters begin.
const CACHING_PROXY: &str = "spectre.";

/// The Envoys, one on each host.
#[derive(Clone, Debug)]
pub struct Envoy {
    http: Http,
    format: UrlFormat,
    port: u16,
}

impl Envoy {
    /// Asks at that port, by URLs of that format, which has places for `{host}`, `{port}` and `{endpoint}`.
    pub fn new(format: &str, port: u16, asker: Asker<'_>, patience: Patience) -> Result<Self, SetupError> {
        let format = UrlFormat::parse(format, &[Field::Host, Field::Port, Field::Endpoint])?;
        Ok(Self { http: Http::new(asker, patience, format.is_secure())?, format, port })
    }
}

#[async_trait]
impl Provider for Envoy {
    fn name(&self) -> &str {
        "Envoy"
    }

    /// Envoy always tells of all registrations.
    async fn backends(&self, host: &str, _: Option<&Registration>) -> Result<Backends, ProviderError> {
        let url = self.format.url(&UrlValues { host, port: self.port, scope: "", endpoint: ENDPOINT });
        let (url, body) = self.http.get(&url).await?;
        read_clusters(&body).map_err(|source| ProviderError::Clusters { url, source })
    }
}

/// Why bytes are no list of Envoy's clusters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `cluster_statuses` in JSON: {0}")]
pub struct ClustersError(String);

/// Reads what Envoy tells of its clusters. Those of other kinds are passed over. Addresses of the caching proxy are left
/// out of the services they stand for, and the services are marked as proxied.
pub fn read_clusters(bytes: &[u8]) -> Result<Backends, ClustersError> {
    let read: Clusters = serde_json::from_slice(bytes).map_err(|error| ClustersError(error.to_string()))?;
    let clusters = || {
        let named = |cluster| -> Option<(&str, &Cluster)> {
            let cluster: &Cluster = cluster;
            Some((cluster.name.strip_suffix(SUFFIX)?, cluster))
        };
        read.cluster_statuses.iter().filter_map(named)
    };
    let caching: BTreeSet<Endpoint> = clusters()
        .filter(|(name, _)| name.starts_with(CACHING_PROXY))
        .flat_map(|(_, cluster)| cluster.host_statuses.iter().filter_map(HostStatus::endpoint))
        .collect();
    let mut proxied = BTreeSet::new();
    let mut backends = Vec::new();
    for (name, cluster) in clusters() {
        for host in &cluster.host_statuses {
            let Some(endpoint) = host.endpoint() else { continue };
            if caching.contains(&endpoint) && !name.starts_with(CACHING_PROXY) {
                proxied.insert(name.to_owned());
            } else {
                backends.push(host.backend(name, &endpoint));
            }
        }
    }
    Ok(backends.into_iter().collect::<Backends>().with_proxied(proxied))
}

type Endpoint = (String, u16);

#[derive(Deserialize)]
struct Clusters {
    cluster_statuses: Vec<Cluster>,
}

#[derive(Deserialize)]
struct Cluster {
    #[serde(default)]
    name: String,
    #[serde(default)]
    host_statuses: Vec<HostStatus>,
}

#[derive(Deserialize)]
struct HostStatus {
    #[serde(default)]
    address: Address,
    #[serde(default)]
    health_status: HealthStatus,
    weight: Option<u64>,
}

/// Other kinds of addresses are those of no task.
#[derive(Default, Deserialize)]
struct Address {
    socket_address: Option<SocketAddress>,
}

#[derive(Deserialize)]
struct SocketAddress {
    address: String,
    port_value: u16,
}

#[derive(Default, Deserialize)]
struct HealthStatus {
    #[serde(default)]
    eds_health_status: String,
}

impl HostStatus {
    fn endpoint(&self) -> Option<Endpoint> {
        self.address.socket_address.as_ref().map(|socket| (socket.address.clone(), socket.port_value))
    }

    fn backend(&self, registration: &str, (address, port): &Endpoint) -> Backend {
        let status = &self.health_status.eds_health_status;
        Backend {
            registration: registration.to_owned(),
            server: format!("{address}:{port}"),
            host: None,
            address: address.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, *port)),
            state: state(status),
            status: status.clone(),
            check_status: String::new(),
            check_code: String::new(),
            check_duration_ms: None,
            last_change_seconds: None,
            weight: self.weight,
        }
    }
}

fn state(status: &str) -> BackendState {
    match status {
        "HEALTHY" => BackendState::Up,
        "UNHEALTHY" | "TIMEOUT" => BackendState::Down,
        "DRAINING" => BackendState::Draining,
        _ => BackendState::Other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn host(ip: &str, port: u16, health: &str) -> String {
        format!(
            r#"{{"address": {{"socket_address": {{"address": "{ip}", "port_value": {port}}}}}, "weight": 1,
                "health_status": {{"eds_health_status": "{health}"}}}}"#
        )
    }

    fn cluster(name: &str, hosts: &[String]) -> String {
        format!(r#"{{"name": "{name}", "added_via_api": true, "host_statuses": [{}]}}"#, hosts.join(","))
    }

    #[test]
    fn clusters_of_services_are_read_and_the_caching_proxy_left_out() {
        let text = format!(
            r#"{{"cluster_statuses": [{}, {}, {}, {{"name": "tracing"}}]}}"#,
            cluster(
                "web.main.egress_cluster",
                &[host("10.0.0.1", 31000, "HEALTHY"), host("10.0.0.2", 31000, "UNHEALTHY")]
            ),
            cluster(
                "api.main.egress_cluster",
                &[host("10.0.0.9", 9, "HEALTHY"), host("10.0.0.1", 31001, "HEALTHY")]
            ),
            cluster("spectre.main.egress_cluster", &[host("10.0.0.9", 9, "HEALTHY")]),
        );
        let backends = read_clusters(text.as_bytes()).unwrap();
        assert_eq!((backends.up("web.main"), backends.of("web.main").len()), (1, 2));
        assert_eq!((backends.up("api.main"), backends.up("spectre.main")), (1, 1));
        assert!(backends.is_proxied("api.main") && !backends.is_proxied("web.main"));
        assert_eq!(backends.of("web.main")[1].state, BackendState::Down);
        assert_eq!(backends.of("web.main")[0].address, "10.0.0.1:31000".parse().ok());
    }

    #[test]
    fn what_is_not_envoys_says_so() {
        assert!(read_clusters(b"<html>").unwrap_err().to_string().contains("cluster_statuses"));
        assert!(
            read_clusters(b"[]").is_err() && read_clusters(b"{}").is_err(),
            "nothing said is not nothing there"
        );
        let pipe = r#"{"cluster_statuses": [{"name": "a.b.egress_cluster", "host_statuses": [{"address": {"pipe": {}}}]}]}"#;
        assert_eq!(read_clusters(pipe.as_bytes()).unwrap(), Backends::default());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_clusters(&bytes);
        }
    }
}
