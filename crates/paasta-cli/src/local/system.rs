//! The system configuration that a local cluster writes for itself and for every command.

use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use serde_json::{Value, json};

use super::layout::{Layout, write_private};
use super::{CLUSTER, LocalError};

/// Where the parts of a local cluster listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// The HTTP API that commands ask.
    pub api: SocketAddr,
    /// The embedded engine's Marathon face.
    pub engine: SocketAddr,
    /// hacheck.
    pub hacheck: SocketAddr,
    /// deployd's ear for pushed tags.
    pub nudge: SocketAddr,
    /// HAProxy's stats page, if one was asked for.
    pub proxy_stats: Option<SocketAddr>,
}

/// Who may talk to the engine.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user of basic authentication.
    pub user: String,
    /// Their password; never shown.
    pub password: String,
}

impl Credentials {
    /// A new password of 128 random bits.
    pub fn generate() -> std::io::Result<Self> {
        let mut bytes = [0; 16];
        std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        let password = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { user: "paasta".to_owned(), password })
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// An address that this machine can connect to, for one it listens on.
pub fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip().is_unspecified() {
        true => SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port()),
        false => address,
    }
}

/// The whole system configuration of a local cluster.
pub(super) fn system_config(
    layout: &Layout,
    soa_dir: &Path,
    addresses: &Addresses,
    credentials: &Credentials,
) -> Value {
    let url = |address| format!("http://{}", reachable(address));
    let logs = layout.logs().join("{service}.log");
    let mut config = json!({
        "cluster": CLUSTER,
        "clusters": [CLUSTER],
        "soa_dir": soa_dir,
        "api_endpoints": { CLUSTER: url(addresses.api) },
        "marathon_servers": [{
            "url": [url(addresses.engine)],
            "user": credentials.user,
            "password": credentials.password,
        }],
        "docker_registry": CLUSTER,
        "volumes": [],
        "coordination": { "driver": "file", "directory": layout.coordination() },
        "host_maintenance": "none",
        "service_discovery_providers": {},
        "hacheck_port": addresses.hacheck.port(),
        "sensu_host": null,
        "log_writer": { "driver": "file", "options": { "path_format": logs } },
        "log_reader": { "driver": "file", "options": { "path_format": logs } },
        "git_config": {
            "git_user": "git",
            "repos": {
                "yelpsoa-configs": {
                    "repo_name": "yelpsoa-configs",
                    "git_server": "localhost",
                    "deploy_server": reachable(addresses.nudge).to_string(),
                },
            },
        },
        // One machine converges at its own pace: nobody else is waiting, and seconds are long.
        "deployd_number_workers": 4,
        "deployd_regenerate_seconds": 2,
        "deployd_worker_failure_backoff_factor": 1,
        "deployd_failure_backoff_seconds_max": 30,
        "deployd_lock_held_seconds": 1,
        "deployd_resync_seconds": 30,
        "deployd_pass_gap_seconds": 0.1,
        "deployd_file_sweep_seconds": 0.25,
        "deployd_listing_retry_seconds": 2,
    });
    if let Some(stats) = addresses.proxy_stats {
        config["synapse_host"] = reachable(stats).ip().to_string().into();
        config["synapse_port"] = stats.port().into();
        config["service_discovery_providers"] = json!({ "smartstack": {} });
    }
    config
}

/// Writes it where commands look.
pub(super) fn write(layout: &Layout, config: &Value) -> Result<(), LocalError> {
    let path = layout.system_config_dir().join("local.json");
    let text = format!("{config:#}\n");
    write_private(&path, &text).map_err(|source| LocalError::StateDir { path, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_listens_everywhere_is_reached_on_loopback() {
        let everywhere: SocketAddr = "0.0.0.0:6666".parse().unwrap();
        assert_eq!(reachable(everywhere).to_string(), "127.0.0.1:6666");
        let one: SocketAddr = "192.0.2.1:6666".parse().unwrap();
        assert_eq!(reachable(one), one);
    }

    #[test]
    fn passwords_differ_and_do_not_show() {
        let (one, two) = (Credentials::generate().unwrap(), Credentials::generate().unwrap());
        assert_ne!(one, two);
        assert!(!format!("{one:?}").contains(&one.password));
    }
}
