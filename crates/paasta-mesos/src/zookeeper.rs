//! Masters that are found through ZooKeeper: what their nodes say.

use std::fmt;

use serde::Deserialize;

/// A node of a ZooKeeper, from `zk://[user:password@]host:port,…/path`. Name and password are left out: Mesos lets
/// everybody read its nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZkAddress {
    /// `host:port` of each server, with commas between them.
    pub hosts: String,
    /// The node, from its slash on.
    pub path: String,
}

impl ZkAddress {
    /// Takes what follows `zk://`.
    pub(crate) fn parse(rest: &str) -> Option<Self> {
        let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
        let (hosts, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if hosts.split(',').any(|host| host.trim().is_empty()) {
            return None;
        }
        let path = path.trim_end_matches('/');
        let path = if path.is_empty() { "/" } else { path };
        Some(Self { hosts: hosts.to_owned(), path: path.to_owned() })
    }
}

impl ZkAddress {
    /// The path of a child of the node.
    pub fn child(&self, name: &str) -> String {
        format!("{}/{name}", self.path.trim_end_matches('/'))
    }
}

impl fmt::Display for ZkAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "zk://{}{}", self.hosts, self.path)
    }
}

/// Of the children of the masters' node, that of the leader: the lowest number after the last `_` of those with a digit
/// (monitoring.md §5.1).
///
/// ```
/// let children = ["log_replicas", "json.info_0000000014", "json.info_0000000012"];
/// assert_eq!(paasta_mesos::leading_node(&children), Some("json.info_0000000012"));
/// ```
pub fn leading_node<T: AsRef<str>>(children: &[T]) -> Option<&str> {
    let number = |name: &str| name.rsplit_once('_')?.1.parse::<u64>().ok();
    let numbered = children.iter().map(AsRef::as_ref).filter_map(|name| Some((number(name)?, name)));
    numbered.min().map(|(_, name)| name)
}

/// How many masters are registered: the children of the masters' node that tell of one (monitoring.md §3.3).
///
/// ```
/// let children = ["log_replicas", "json.info_0000000014", "json.info_0000000012", "info_0000000001"];
/// assert_eq!(paasta_mesos::masters_among(&children), 3);
/// ```
pub fn masters_among<T: AsRef<str>>(children: &[T]) -> usize {
    let tells = |name: &&str| name.starts_with("json.info_") || name.starts_with("info_");
    children.iter().map(AsRef::as_ref).filter(tells).count()
}

/// The `host:port` that the leader's node tells.
///
/// ```
/// let node = br#"{"address": {"hostname": "m1", "ip": "10.0.0.1", "port": 5050}, "id": "x"}"#;
/// assert_eq!(paasta_mesos::master_of(node)?, "10.0.0.1:5050");
/// # Ok::<(), String>(())
/// ```
pub fn master_of(data: &[u8]) -> Result<String, String> {
    #[derive(Deserialize)]
    struct Info {
        address: Address,
    }
    #[derive(Deserialize)]
    struct Address {
        ip: String,
        port: u16,
    }
    let Info { address: Address { ip, port } } =
        serde_json::from_slice(data).map_err(|error| format!("its node holds no address: {error}"))?;
    Ok(if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_are_taken_apart_and_show_no_password() {
        let at = ZkAddress::parse("u:p@ss@h1:2181,h2:2181/mesos/").unwrap();
        assert_eq!((at.hosts.as_str(), at.path.as_str()), ("h1:2181,h2:2181", "/mesos"));
        assert_eq!(at.to_string(), "zk://h1:2181,h2:2181/mesos");
        assert!(!format!("{at:?}").contains("p@ss"));
        assert_eq!(ZkAddress::parse("h1:2181").unwrap().path, "/");
        assert!(ZkAddress::parse("/mesos").is_none() && ZkAddress::parse("h1,,h2/m").is_none());
    }

    #[test]
    fn only_numbered_nodes_lead() {
        assert_eq!(leading_node(&["log_replicas", "info_x1"]), None);
        assert_eq!(leading_node::<&str>(&[]), None);
        assert_eq!(leading_node(&["info_0000000010", "json.info_0000000009"]), Some("json.info_0000000009"));
        assert_eq!(master_of(br#"{"address": {"ip": "::1", "port": 1}}"#).unwrap(), "[::1]:1");
        assert!(master_of(b"\x00protobuf").is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_taken_or_refused(text: String, data: Vec<u8>) {
            let _ = ZkAddress::parse(&text);
            let _ = leading_node(&[text]);
            let _ = master_of(&data);
        }
    }
}
