//! Keys that every type of instance may have (config.md §2.2).

use std::net::Ipv4Addr;

use super::InstanceConfig;
use crate::setting::{Scope, SettingError, integer};
use crate::{InstanceType, Map, Node, Value};

/// A place outside that an instance talks to (config.md §1.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dependency {
    /// The whole internet: `well-known: internet`.
    Internet,
    /// A SmartStack namespace: `smartstack: service.namespace`.
    Smartstack(String),
    /// A network: `cidr`, with `port` where not all are meant.
    Network {
        /// The network as written, such as `10.0.0.0/8`.
        cidr: String,
        /// The port, or a range of them as `a:b`.
        port: Option<String>,
    },
}

impl<'a> InstanceConfig<'a> {
    /// A key as it was written by the highest layer that has it; `None` where none has. Numbers keep their kind.
    pub fn raw(&self, key: &str) -> Option<&'a Node> {
        self.settings.get(key)
    }

    /// Cpus it may use beyond `cpus` while there are some to spare. Default 1, for Tron 0.
    pub fn cpu_burst_add(&self) -> Result<f64, SettingError> {
        let default = if self.kind == InstanceType::Tron { 0.0 } else { 1.0 };
        Ok(self.scope().number("cpu_burst_add")?.unwrap_or(default))
    }

    /// The period of the cpu scheduler in microseconds. Default 100 000.
    pub fn cfs_period_us(&self) -> Result<f64, SettingError> {
        Ok(self.scope().number("cfs_period_us")?.unwrap_or(100_000.0))
    }

    /// How many GPUs; set at all, 0 included, it is run by Mesos's own containerizer. Default none.
    pub fn gpus(&self) -> Result<Option<i64>, SettingError> {
        self.scope().integer_or_null("gpus")
    }

    /// Bind mounts `{hostPath, containerPath, mode}` beside those of the system configuration. Default none.
    pub fn extra_volumes(&self) -> Result<&'a [Node], SettingError> {
        self.list("extra_volumes")
    }

    /// EBS volumes `{volume_id, fs_type, partition, container_path, mode}`, on Kubernetes. Default none.
    pub fn aws_ebs_volumes(&self) -> Result<&'a [Node], SettingError> {
        self.list("aws_ebs_volumes")
    }

    /// Volumes that outlive a task `{container_path, size, mode, storage_class_name}`, on Kubernetes. Default none.
    pub fn persistent_volumes(&self) -> Result<&'a [Node], SettingError> {
        self.list("persistent_volumes")
    }

    /// Secrets as files `{container_path, secret_name, default_mode, items}`, on Kubernetes. Default none.
    pub fn secret_volumes(&self) -> Result<&'a [Node], SettingError> {
        self.list("secret_volumes")
    }

    /// The Mesos role of a framework of PaaSTA's own. Default none.
    pub fn role(&self) -> Result<Option<&'a str>, SettingError> {
        self.scope().text_or_null("role")
    }

    /// Attributes and the values of them that it does not run on, as written. Default none; null is an error.
    pub fn deploy_blacklist(&self) -> Result<Vec<(&'a Node, &'a Node)>, SettingError> {
        const EXPECTED: &str = "a list of pairs of an attribute and a value";
        let Some(node) = self.settings.get("deploy_blacklist") else { return Ok(Vec::new()) };
        let wrong = |node| self.scope().wrong("deploy_blacklist", node, EXPECTED);
        let pair = |pair: &'a Node| match pair.as_list() {
            Some([attribute, value]) => Ok((attribute, value)),
            _ => Err(wrong(pair)),
        };
        node.as_list().ok_or_else(|| wrong(node))?.iter().map(pair).collect()
    }

    /// An attribute and the values of it that it runs on, as written. Default none, which the empty list means too, as
    /// does what is neither a list nor a text.
    pub fn deploy_whitelist(&self) -> Result<Option<(&'a Node, &'a [Node])>, SettingError> {
        let wrong = |node| self.scope().wrong("deploy_whitelist", node, "an attribute and a list of values");
        let Some(node) = self.settings.get_set("deploy_whitelist") else { return Ok(None) };
        match &node.value {
            Value::List(list) => match &list[..] {
                [] => Ok(None),
                [attribute, values] => match values.as_list() {
                    Some(values) => Ok(Some((attribute, values))),
                    None => Err(wrong(values)),
                },
                _ => Err(wrong(node)),
            },
            Value::String(_) | Value::Map(_) | Value::Set(_) | Value::Tuple(_) => Err(wrong(node)),
            _ => Ok(None),
        }
    }

    /// Constraints that stand in for all others; the empty list stands in too. Default none.
    pub fn constraints(&self) -> Result<Option<Vec<&'a [Node]>>, SettingError> {
        match self.settings.get_set("constraints") {
            Some(_) => self.constraint_list("constraints").map(Some),
            None => Ok(None),
        }
    }

    /// Constraints before those that are computed. Default none.
    pub fn extra_constraints(&self) -> Result<Vec<&'a [Node]>, SettingError> {
        self.constraint_list("extra_constraints")
    }

    /// The network of its containers: `bridge`, `host`, `none` or Docker's name of one. Default `bridge`.
    pub fn net(&self) -> Result<&'a str, SettingError> {
        Ok(self.scope().text("net")?.unwrap_or("bridge"))
    }

    /// Capabilities that its containers get. Default none.
    pub fn cap_add(&self) -> Result<&'a [Node], SettingError> {
        self.list("cap_add")
    }

    /// Further arguments of Docker, in the order in which they are given. Default none.
    pub fn extra_docker_args(&self) -> Result<Option<&'a Map>, SettingError> {
        match self.settings.get("extra_docker_args") {
            Some(node) if !node.is_truthy() => Ok(None),
            _ => self.scope().map_or_null("extra_docker_args"),
        }
    }

    /// Whether it takes connections of others: `security.inbound_firewall`, `allow` or `reject`. Default: no firewall.
    pub fn inbound_firewall(&self) -> Result<Option<&'a str>, SettingError> {
        self.firewall("inbound_firewall", ["allow", "reject"])
    }

    /// What becomes of connections to places that are no dependencies: `security.outbound_firewall`, `block` or
    /// `monitor`. Default: no firewall.
    pub fn outbound_firewall(&self) -> Result<Option<&'a str>, SettingError> {
        self.firewall("outbound_firewall", ["block", "monitor"])
    }

    /// The group of dependencies.yaml that is its own. Default `main`, which the empty text means too.
    pub fn dependencies_reference(&self) -> Result<&'a str, SettingError> {
        match self.settings.get("dependencies_reference") {
            Some(node) if node.is_truthy() => {
                Ok(self.scope().text("dependencies_reference")?.unwrap_or("main"))
            }
            _ => Ok("main"),
        }
    }

    /// The places that it talks to; `None` where the service has no dependencies.yaml, or that has not its group.
    pub fn dependencies(&self) -> Result<Option<Vec<Dependency>>, SettingError> {
        let (scope, group) = (self.scope(), self.dependencies_reference()?);
        let Some(groups) = scope.map_or_null("dependencies")? else { return Ok(None) };
        let path = scope.key("dependencies");
        let groups = Scope { map: groups, path: &path };
        let Some(list) = groups.list_or_null(group)? else { return Ok(None) };
        list.iter().map(|entry| dependency(&groups.key(group), entry)).collect::<Result<_, _>>().map(Some)
    }

    pub(super) fn list(&self, key: &str) -> Result<&'a [Node], SettingError> {
        Ok(self.scope().list_or_null(key)?.unwrap_or_default())
    }

    fn constraint_list(&self, key: &str) -> Result<Vec<&'a [Node]>, SettingError> {
        let one =
            |node: &'a Node| node.as_list().ok_or_else(|| self.scope().wrong(key, node, "a list of lists"));
        self.list(key)?.iter().map(one).collect()
    }

    fn firewall(&self, key: &str, words: [&str; 2]) -> Result<Option<&'a str>, SettingError> {
        let Some(map) = self.scope().map_or_null("security")? else { return Ok(None) };
        let path = self.scope().key("security");
        let scope = Scope { map, path: &path };
        match map.get_set(key) {
            None => Ok(None),
            Some(node) => match node.as_str().filter(|word| words.contains(word)) {
                Some(word) => Ok(Some(word)),
                None => Err(scope.wrong(key, node, &format!("`{}` or `{}`", words[0], words[1]))),
            },
        }
    }
}

fn dependency(path: &str, entry: &Node) -> Result<Dependency, SettingError> {
    const FORMS: &str = "a map with `well-known`, `smartstack` or `cidr`";
    let map = entry.as_map().ok_or_else(|| SettingError::new(path, entry, FORMS))?;
    let scope = Scope { map, path };
    if let Some(node) = map.get("well-known") {
        return match node.as_str() {
            Some("internet") => Ok(Dependency::Internet),
            _ => Err(scope.wrong("well-known", node, "`internet`, the only place well known")),
        };
    }
    if let Some(name) = scope.text("smartstack")? {
        return match name.split_once('.') {
            Some((service, namespace)) if !service.is_empty() && !namespace.is_empty() => {
                Ok(Dependency::Smartstack(name.to_owned()))
            }
            _ => Err(scope.wrong(
                "smartstack",
                map.get("smartstack").unwrap_or(entry),
                "`<service>.<namespace>`",
            )),
        };
    }
    match scope.text("cidr")? {
        Some(cidr) if is_network(cidr) => {
            let port = match map.get_set("port") {
                None => None,
                Some(node) => {
                    Some(ports(node).ok_or_else(|| scope.wrong("port", node, "a port, or two as `a:b`"))?)
                }
            };
            Ok(Dependency::Network { cidr: cidr.to_owned(), port })
        }
        Some(_) => {
            Err(scope.wrong("cidr", map.get("cidr").unwrap_or(entry), "an IPv4 network such as `10.0.0.0/8`"))
        }
        None => Err(SettingError::new(path, entry, FORMS)),
    }
}

/// An address, and the length of its prefix unless it is one host.
fn is_network(cidr: &str) -> bool {
    let (address, length) = cidr.split_once('/').unwrap_or((cidr, "32"));
    address.parse::<Ipv4Addr>().is_ok() && length.parse::<u8>().is_ok_and(|length| length <= 32)
}

fn ports(node: &Node) -> Option<String> {
    let port = |text: &str| text.parse::<u16>().is_ok_and(|port| port > 0);
    let text = match node.as_str() {
        Some(text) => text.to_owned(),
        None => integer(node)?.to_string(),
    };
    text.split_once(':').map_or_else(|| port(&text), |(from, to)| port(from) && port(to)).then_some(text)
}
