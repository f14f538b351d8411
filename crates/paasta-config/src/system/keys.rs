//! Checked getters for the keys of the system configuration (config.md §3.2), and the keys of our own:
//!
//! | key | type | default | meaning |
//! |---|---|---|---|
//! | `soa_dir` | string | `/nail/etc/services` | the soa-configs root of this host |
//! | `coordination` | map | `{driver: zookeeper}` | `driver` `zookeeper` or `file`; with `file`, `directory` for locks, counts, queue |
//! | `host_maintenance` | string | `mesos` | `mesos`: at-risk hosts come from the Mesos master; `none`: no host is ever at risk |
//! | `git_config.default_git_url` | string | the original's | where code is if service.yaml does not say; `{service}` is replaced |
//! | `git_config.nudge_url_contains` | string | none | whoever is told of new tags is told only of repositories with this in their URL |
//! | `git_config.nudge_servers` | list of strings | `[git_config.repos.yelpsoa-configs.deploy_server]` | who is told of new tags: `host` or `host:port` (port 5049) of each deployd; the one that leads takes it |
//! | `git_config.timeout_seconds` | integer | `60` | how long one git repository may take to list its refs, and to take one |
//! | `alertmanager_url` | string | none | an Alertmanager that alerts go to, such as `http://alertmanager:9093` |
//! | `alerts_to_stdout` | boolean | `false` | whether programs write alerts to stdout, as lines of JSON |
//! | `hacheck_port` | integer | `6666` | default port of `drain_method: hacheck` |
//! | `history_directory` | string | below | where created versions are written down for `paasta why`; null writes nothing. Default: `history` below `coordination.directory` with `driver: file`, else `/var/lib/paasta/history` |
//! | `marathon_deployments_max` | integer | `100` | deployments that may run at one Marathon at a time; what can wait leaves a fifth of them to people |

use std::path::PathBuf;

use super::SystemConfig;
use super::getter::{Read, getters};
use crate::setting::{Scope, SettingError, integer};
use crate::{ClusterName, DEFAULT_SOA_DIR, Map, Node, Value};

/// Where created versions are written down on hosts whose coordination is not in files.
const DEFAULT_HISTORY_DIR: &str = "/var/lib/paasta/history";

/// As many as Marathon itself takes by default.
const DEFAULT_DEPLOYMENTS_MAX: usize = 100;

/// One Marathon server of `marathon_servers`: a home for apps.
#[derive(Clone, PartialEq, Eq)]
pub struct MarathonServer {
    /// Its addresses; any answers. What they hold of names and passwords does not show in Debug.
    pub urls: Vec<String>,
    /// The user of basic authentication.
    pub user: String,
    /// Their password. It never shows in Debug.
    pub password: String,
}

impl std::fmt::Debug for MarathonServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let urls: Vec<_> = self.urls.iter().map(|url| paasta_core::without_credentials(url)).collect();
        f.debug_struct("MarathonServer")
            .field("urls", &urls)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// `log_writer` or `log_reader`: which kind, and its options.
#[derive(Clone, Debug, PartialEq)]
pub struct Driver {
    /// `file`, `null`, `scribe`, ….
    pub driver: String,
    /// What that driver is given.
    pub options: Map,
}

/// By what processes on several hosts agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coordination {
    /// Which means.
    pub driver: CoordinationDriver,
    /// Where the files are; needed by `file` alone.
    pub directory: Option<PathBuf>,
}

/// The means of [`Coordination`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoordinationDriver {
    /// ZooKeeper at `zookeeper`.
    Zookeeper,
    /// Files of this machine.
    File,
}

/// Where hosts about to leave are announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostMaintenance {
    /// The maintenance schedule of the Mesos master.
    Mesos,
    /// Nowhere: no host is ever about to leave.
    None,
}

getters! {
    /// The `.dockercfg` every app fetches.
    dockercfg_location: text or "file:///root/.dockercfg".to_owned() => String;
    /// Whether containers are held to their `disk`.
    enforce_disk_quota: boolean or false => bool;
    /// Apps of at most this many instances get a host each; −1 means none.
    auto_hostname_unique_size: integer or -1 => i64;
    /// Which provider decrypts secrets.
    secret_provider: text or "paasta_tools.secret_providers".to_owned() => String;
    /// Where the local HAProxy answers.
    synapse_host: text or "localhost".to_owned() => String;
    /// The URL of HAProxy's table, with `{host:s}`, `{port:d}` and `{scope:s}`.
    synapse_haproxy_url_format: text or "http://{host:s}:{port:d}/;csv;norefresh;scope={scope:s}".to_owned() => String;
    /// Host name of a cluster's masters, with `{cluster:s}`.
    cluster_fqdn_format: text or "paasta-{cluster:s}.yelp".to_owned() => String;
    /// How many instances deployd works on at once.
    deployd_number_workers: integer or 4 => i64;
    /// Seconds of back-off per failure.
    deployd_worker_failure_backoff_factor: integer or 30 => i64;
    /// Seconds between looks at host maintenance.
    deployd_maintenance_polling_frequency: integer or 30 => i64;
    /// Whether deployd asks at its start which instances need a bounce.
    deployd_startup_oracle_enabled: boolean or true => bool;
    /// Failures after which the original drops an instance.
    deployd_max_service_instance_failures: integer or 20 => i64;
    /// Seconds within which a big bounce begins.
    deployd_big_bounce_deadline: number or 604_800.0 => f64;
    /// Seconds within which an instance is looked at after deployd's start.
    deployd_startup_bounce_deadline: number or 604_800.0 => f64;
    /// Least important level that deployd logs.
    deployd_log_level: text or "INFO".to_owned() => String;
    /// Whether deployd's queue lives in ZooKeeper.
    deployd_use_zk_queue: boolean or true => bool;
    /// Our own key: whether alerts are written to stdout, as lines of JSON.
    alerts_to_stdout: boolean or false => bool;
    /// Whether Marathon tasks are registered for discovery.
    register_marathon_services: boolean or true => bool;
}

impl SystemConfig {
    /// The ecosystem whose secret signatures reach the hash.
    pub fn vault_environment(&self) -> Read<Option<String>> {
        self.text("vault_environment")
    }

    /// Name of the metrics writer, if any.
    pub fn metrics_provider(&self) -> Read<Option<String>> {
        self.text("metrics_provider")
    }

    /// Name of deployd's metrics writer: its own, or the general one.
    pub fn deployd_metrics_provider(&self) -> Read<Option<String>> {
        Ok(self.text("deployd_metrics_provider")?.or(self.metrics_provider()?))
    }

    /// This host's cluster. No default.
    pub fn cluster(&self) -> Read<ClusterName> {
        self.cluster_name("cluster", self.needed("cluster", self.map.get_set("cluster"))?)
    }

    /// All known clusters; none if unset.
    pub fn clusters(&self) -> Read<Vec<ClusterName>> {
        let names = self.scope().list_or_null("clusters")?.unwrap_or_default();
        names.iter().map(|name| self.cluster_name("clusters", name)).collect()
    }

    /// A cluster whose name begins with `paasta-` could never be started or stopped: readers of state tags take that
    /// for the tag's own prefix (config.md §4.5).
    fn cluster_name(&self, key: &str, node: &Node) -> Read<ClusterName> {
        let name = node.as_str().ok_or_else(|| self.scope().wrong(key, node, "a string"))?;
        if name.starts_with("paasta-") {
            let expected = "a cluster that `paasta start` and `stop` can reach: it begins with `paasta-`, as their tags do; \
                            name the cluster otherwise";
            return Err(self.scope().wrong(key, node, expected).into());
        }
        Ok(ClusterName::new(name)?)
    }

    /// The ZooKeeper connection string without its `zk://`. No default.
    pub fn zookeeper(&self) -> Read<String> {
        let value = self.needed("zookeeper", self.scope().text_or_null("zookeeper")?)?;
        Ok(value.strip_prefix("zk://").unwrap_or(value).to_owned())
    }

    /// The registry of images whose service names none. No default.
    pub fn docker_registry(&self) -> Read<String> {
        Ok(self.needed("docker_registry", self.scope().text_or_null("docker_registry")?)?.to_owned())
    }

    /// The bind mounts that every container gets, as written. No default.
    pub fn volumes(&self) -> Read<&[Node]> {
        self.needed("volumes", self.scope().list_or_null("volumes")?)
    }

    /// The address of a cluster's PaaSTA API.
    pub fn api_endpoint(&self, cluster: &ClusterName) -> Read<String> {
        let endpoints = self.needed("api_endpoints", self.scope().map_or_null("api_endpoints")?)?;
        let scope = Scope { map: endpoints, path: "api_endpoints" };
        let endpoint = scope.text_or_null(cluster.as_str())?;
        Ok(self.needed(&format!("api_endpoints.{cluster}"), endpoint)?.to_owned())
    }

    /// The addresses of all clusters' PaaSTA APIs, in order; none if unset.
    pub fn api_endpoints(&self) -> Read<Vec<(String, String)>> {
        let Some(endpoints) = self.scope().map_or_null("api_endpoints")? else { return Ok(Vec::new()) };
        let scope = Scope { map: endpoints, path: "api_endpoints" };
        let clusters = endpoints.iter().filter_map(|(cluster, _)| cluster.as_str());
        clusters.map(|c| Ok((c.to_owned(), scope.text(c)?.unwrap_or_default().to_owned()))).collect()
    }

    /// What writes the log. No default.
    pub fn log_writer(&self) -> Read<Driver> {
        self.driver("log_writer")
    }

    /// What reads the log. No default.
    pub fn log_reader(&self) -> Read<Driver> {
        self.driver("log_reader")
    }

    /// The Marathon servers apps are spread over; none if unset.
    pub fn marathon_servers(&self) -> Read<Vec<MarathonServer>> {
        self.servers("marathon_servers")
    }

    /// The Marathon servers apps may still be on; none if unset.
    pub fn previous_marathon_servers(&self) -> Read<Vec<MarathonServer>> {
        self.servers("previous_marathon_servers")
    }

    /// The attribute maps that agents are expected to have, as written; `None` if unset.
    pub fn expected_slave_attributes(&self) -> Read<Option<&[Node]>> {
        Ok(self.scope().list_or_null("expected_slave_attributes")?)
    }

    /// Attribute values that nothing runs on, as written.
    pub fn deploy_blacklist(&self) -> Read<&[Node]> {
        Ok(self.scope().list_or_null("deploy_blacklist")?.unwrap_or_default())
    }

    /// The attribute and its values that everything runs on, as written; `None` if unset.
    pub fn deploy_whitelist(&self) -> Read<Option<&[Node]>> {
        Ok(self.scope().list_or_null("deploy_whitelist")?)
    }

    /// Whether autotuned defaults are read for this type of instance.
    pub fn auto_config_enabled(&self, instance_type: &str) -> Read<bool> {
        let types = self.scope().map_or_null("auto_config_instance_types_enabled")?;
        Ok(types.and_then(|types| types.get(instance_type)).is_some_and(Node::is_truthy))
    }

    /// The port of the local HAProxy's table.
    pub fn synapse_port(&self) -> Read<u16> {
        self.port("synapse_port", 3212)
    }

    /// Where events for Sensu go; `None` (null, `false` or an empty text) sends none.
    pub fn sensu_host(&self) -> Read<Option<String>> {
        match self.map.get("sensu_host") {
            None => Ok(Some("localhost".to_owned())),
            Some(node) if !node.is_truthy() => Ok(None),
            Some(_) => Ok(self.scope().text_or_null("sensu_host")?.map(str::to_owned)),
        }
    }

    /// The port that goes with [`SystemConfig::sensu_host`].
    pub fn sensu_port(&self) -> Read<u16> {
        self.port("sensu_port", 3030)
    }

    /// Our own key: the Alertmanager that alerts go to; none if unset.
    pub fn alertmanager_url(&self) -> Read<Option<String>> {
        self.text("alertmanager_url")
    }

    /// Names of deployd's watchers that stay off.
    pub fn disabled_watchers(&self) -> Read<Vec<String>> {
        Ok(self.texts("disabled_watchers")?.unwrap_or_default())
    }

    /// Who may deploy where a service does not say; `None` means everybody.
    pub fn default_push_groups(&self) -> Read<Option<Vec<String>>> {
        self.texts("default_push_groups")
    }

    /// `git_config` as written; `None` if unset.
    pub fn git_config(&self) -> Read<Option<&Map>> {
        Ok(self.scope().map_or_null("git_config")?)
    }

    /// Our own key: who is told of new tags, `host` or `host:port` each; `None` if unset.
    pub fn nudge_servers(&self) -> Read<Option<Vec<String>>> {
        let Some(map) = self.git_config()? else { return Ok(None) };
        let scope = Scope { map, path: "git_config" };
        let servers = scope.texts_or_null("nudge_servers")?;
        Ok(servers.map(|servers| servers.into_iter().map(str::to_owned).collect()))
    }

    /// Our own key: how long one git repository may take to list its refs, and to take one; `None` if unset.
    pub fn git_timeout_seconds(&self) -> Read<Option<u64>> {
        let Some(map) = self.git_config()? else { return Ok(None) };
        let Some(node) = map.get_set("timeout_seconds") else { return Ok(None) };
        let seconds = integer(node).and_then(|n| u64::try_from(n).ok()).filter(|n| (1..=3600).contains(n));
        let wrong = || SettingError::new("git_config.timeout_seconds", node, "seconds between 1 and 3600");
        Ok(Some(seconds.ok_or_else(wrong)?))
    }

    /// The links of `paasta` dashboards, by cluster, as written. No default.
    pub fn dashboard_links(&self) -> Read<&Map> {
        self.needed("dashboard_links", self.scope().map_or_null("dashboard_links")?)
    }

    /// The names of enabled discovery providers (`smartstack`, `envoy`), in order; `None` if unset, where the original
    /// has no provider at all and its checks end in a stack trace.
    pub fn service_discovery_providers(&self) -> Read<Option<Vec<String>>> {
        let Some(providers) = self.scope().map_or_null("service_discovery_providers")? else {
            return Ok(None);
        };
        let names = providers.iter().filter_map(|(name, _)| name.as_str());
        Ok(Some(names.map(str::to_owned).collect()))
    }

    /// Our own key: the soa-configs root of this host.
    pub fn soa_dir(&self) -> Read<PathBuf> {
        Ok(self.scope().text_or_null("soa_dir")?.unwrap_or(DEFAULT_SOA_DIR).into())
    }

    /// Our own key: by what processes agree.
    pub fn coordination(&self) -> Read<Coordination> {
        let Some(map) = self.scope().map_or_null("coordination")? else {
            return Ok(Coordination { driver: CoordinationDriver::Zookeeper, directory: None });
        };
        let scope = Scope { map, path: "coordination" };
        let directory = scope.text_or_null("directory")?.map(PathBuf::from);
        let driver = match scope.text_or_null("driver")? {
            None | Some("zookeeper") => CoordinationDriver::Zookeeper,
            Some("file") => CoordinationDriver::File,
            Some(other) => return Err(unknown_word(&scope, "driver", other, "`zookeeper` or `file`").into()),
        };
        if driver == CoordinationDriver::File && directory.is_none() {
            return self.needed("coordination.directory", None);
        }
        Ok(Coordination { driver, directory })
    }

    /// Our own key: where hosts about to leave are announced.
    pub fn host_maintenance(&self) -> Read<HostMaintenance> {
        let scope = self.scope();
        match scope.text_or_null("host_maintenance")? {
            None | Some("mesos") => Ok(HostMaintenance::Mesos),
            Some("none") => Ok(HostMaintenance::None),
            Some(other) => Err(unknown_word(&scope, "host_maintenance", other, "`mesos` or `none`").into()),
        }
    }

    /// Our own key: the port hacheck listens on, where an instance's drain parameters name none.
    pub fn hacheck_port(&self) -> Read<u16> {
        self.port("hacheck_port", 6666)
    }

    /// Our own key: where created versions are written down; `None` (an explicit null) nowhere.
    pub fn history_directory(&self) -> Read<Option<PathBuf>> {
        if self.map.get("history_directory").is_some() {
            return Ok(self.scope().text_or_null("history_directory")?.map(PathBuf::from));
        }
        let coordination = self.coordination()?;
        Ok(Some(match (coordination.driver, coordination.directory) {
            (CoordinationDriver::File, Some(directory)) => directory.join("history"),
            _ => DEFAULT_HISTORY_DIR.into(),
        }))
    }

    /// Our own key: the most deployments that may run at one Marathon at a time.
    pub fn marathon_deployments_max(&self) -> Read<usize> {
        let key = "marathon_deployments_max";
        let Some(node) = self.map.get_set(key) else { return Ok(DEFAULT_DEPLOYMENTS_MAX) };
        let max = match node.value {
            Value::Int(max) => usize::try_from(max).ok(),
            _ => None,
        };
        Ok(max
            .filter(|max| *max > 0)
            .ok_or_else(|| SettingError::new(key, node, "an integer of at least 1"))?)
    }

    fn driver(&self, key: &str) -> Read<Driver> {
        let map = self.needed(key, self.scope().map_or_null(key)?)?;
        let scope = Scope { map, path: key };
        let driver = self.needed(&scope.key("driver"), scope.text_or_null("driver")?)?;
        let options = scope.map_or_null("options")?.cloned().unwrap_or_default();
        Ok(Driver { driver: driver.to_owned(), options })
    }

    fn servers(&self, key: &str) -> Read<Vec<MarathonServer>> {
        let list = self.scope().list_or_null(key)?.unwrap_or_default();
        let server = |(index, node): (usize, &Node)| {
            let path = format!("{key}[{index}]");
            let map = node.as_map().ok_or_else(|| SettingError::new(&path, node, "a map"))?;
            let scope = Scope { map, path: &path };
            let member = |name: &str| -> Read<String> {
                Ok(self.needed(&scope.key(name), scope.text_or_null(name)?)?.to_owned())
            };
            let urls = match scope.map.get("url").map(|node| &node.value) {
                Some(Value::String(url)) => vec![url.as_str()],
                _ => self.needed(&scope.key("url"), scope.texts_or_null("url")?)?,
            };
            let urls = urls.into_iter().map(str::to_owned).collect();
            Ok(MarathonServer { urls, user: member("user")?, password: member("password")? })
        };
        list.iter().enumerate().map(server).collect()
    }

    pub(super) fn text(&self, key: &str) -> Read<Option<String>> {
        Ok(self.scope().text_or_null(key)?.map(str::to_owned))
    }

    pub(super) fn texts(&self, key: &str) -> Read<Option<Vec<String>>> {
        let texts = self.scope().texts_or_null(key)?;
        Ok(texts.map(|texts| texts.into_iter().map(str::to_owned).collect()))
    }

    /// A port, which the original also takes as a text.
    fn port(&self, key: &str, default: u16) -> Read<u16> {
        let Some(node) = self.map.get(key) else { return Ok(default) };
        let port = match &node.value {
            Value::String(text) => text.trim().parse().ok(),
            _ => integer(node).and_then(|port| u16::try_from(port).ok()),
        };
        Ok(port.ok_or_else(|| SettingError::new(key, node, "a port between 0 and 65535"))?)
    }
}

fn unknown_word(scope: &Scope<'_>, key: &str, word: &str, expected: &str) -> SettingError {
    let missing = Node::text(word);
    scope.wrong(key, scope.map.get(key).unwrap_or(&missing), expected)
}
