//! SmartStack namespaces (config.md §1.8).

use paasta_core::ServiceName;

use super::Soa;
use crate::setting::{Scope, SettingError, integer};
use crate::{LoadError, Map, Node, Value};

/// The keys that are taken over as they are.
const KEYS: [&str; 15] = [
    "healthcheck_mode",
    "healthcheck_uri",
    "healthcheck_port",
    "healthcheck_timeout_s",
    "healthcheck_body_expect",
    "updown_timeout_s",
    "proxy_port",
    "timeout_connect_ms",
    "timeout_server_ms",
    "timeout_client_ms",
    "retries",
    "mode",
    "discover",
    "advertise",
    "extra_healthcheck_headers",
];

impl Soa {
    /// Every namespace of a service by its full name `<service>.<namespace>`, in file order, with its map as written:
    /// nothing is left out of it, checked or added. What is neither a map nor null is none (config.md §1.8).
    pub fn namespaces(&self, service: &ServiceName) -> Result<Vec<(String, Map)>, LoadError> {
        let document = self.document(service, "smartstack.yaml")?;
        let full = |(name, node): (&Node, &Node)| {
            let map = if node.is_null() { Map::new() } else { node.as_map()?.clone() };
            Some((format!("{service}.{}", name.as_str()?), map))
        };
        Ok(document.map.iter().filter_map(full).collect())
    }

    /// One namespace of a service, as read: the known keys, `mode` always set, `routes` and `extra_advertise` as
    /// lists of pairs. A missing namespace is `{mode: null}`.
    pub fn namespace(&self, service: &ServiceName, namespace: &str) -> Result<Map, LoadError> {
        let document = self.document(service, "smartstack.yaml")?;
        let empty = Map::new();
        let raw = match document.map.get_set(namespace) {
            None => &empty,
            Some(node) => node.as_map().ok_or_else(|| SettingError::new(namespace, node, "a map"))?,
        };
        Ok(read(&Scope { map: raw, path: namespace })?)
    }
}

fn read(raw: &Scope<'_>) -> Result<Map, SettingError> {
    let mut map: Map =
        KEYS.iter().filter_map(|key| Some((Node::text(*key), raw.map.get(key)?.clone()))).collect();
    map.insert(Node::text("mode"), mode(raw)?);
    if let Some(routes) = raw.list_or_null("routes")? {
        map.insert(Node::text("routes"), Node::new(Value::List(route_pairs(raw, routes)?)));
    }
    if let Some(extra) = raw.map_or_null("extra_advertise")? {
        let mut pairs = Vec::new();
        for (source, destinations) in extra.iter() {
            add_pairs(raw, "extra_advertise", source, Some(destinations), &mut pairs)?;
        }
        map.insert(Node::text("extra_advertise"), Node::new(Value::List(pairs)));
    }
    Ok(map)
}

fn mode(raw: &Scope<'_>) -> Result<Node, SettingError> {
    match raw.map.get_set("mode") {
        Some(node) if matches!(node.as_str(), Some("http" | "tcp" | "https")) => Ok(node.clone()),
        Some(node) => {
            Err(raw.wrong("mode", node, "one of `http`, `tcp`, `https`").with_class("InvalidSmartstackMode"))
        }
        None if raw.map.get_set("proxy_port").is_some() => Ok(Node::text("http")),
        None => Ok(Node::null()),
    }
}

fn route_pairs(raw: &Scope<'_>, routes: &[Node]) -> Result<Vec<Node>, SettingError> {
    let mut pairs = Vec::new();
    for route in routes {
        let map = route.as_map().ok_or_else(|| raw.wrong("routes", route, "a list of maps"))?;
        let source = map.get("source").ok_or_else(|| raw.wrong("routes", route, "a map with `source`"))?;
        add_pairs(raw, "routes", source, map.get("destinations"), &mut pairs)?;
    }
    Ok(pairs)
}

fn add_pairs(
    raw: &Scope<'_>,
    key: &str,
    source: &Node,
    destinations: Option<&Node>,
    pairs: &mut Vec<Node>,
) -> Result<(), SettingError> {
    let destinations = destinations.unwrap_or(source);
    let list =
        destinations.as_list().ok_or_else(|| raw.wrong(key, destinations, "a list of destinations"))?;
    pairs.extend(list.iter().map(|to| Node::new(Value::List(vec![source.clone(), to.clone()]))));
    Ok(())
}

/// Getters over a namespace as [`Soa::namespace`] reads it.
#[derive(Clone, Copy, Debug)]
pub struct Namespace<'a> {
    map: &'a Map,
}

impl<'a> Namespace<'a> {
    /// Over the map of a namespace.
    pub fn new(map: &'a Map) -> Self {
        Self { map }
    }

    /// Whether it is load-balanced by SmartStack: `proxy_port` is set.
    pub fn is_in_smartstack(&self) -> bool {
        self.map.get_set("proxy_port").is_some()
    }

    /// `http`, `https` or `tcp`; `None` where it is not in SmartStack and says nothing.
    pub fn mode(&self) -> Option<&'a str> {
        self.map.get("mode").and_then(Node::as_str)
    }

    /// How health is checked: its own mode, or the namespace's.
    pub fn healthcheck_mode(&self) -> Option<&'a Node> {
        self.map.get("healthcheck_mode").filter(|node| node.is_truthy()).or_else(|| self.map.get_set("mode"))
    }

    /// The path that is asked; `/status` where none is given. An explicit null stays null.
    pub fn healthcheck_uri(&self) -> Node {
        self.map.get("healthcheck_uri").cloned().unwrap_or_else(|| Node::text("/status"))
    }

    /// The location type of discovery; `region` where none is given. An explicit null stays null.
    pub fn discover(&self) -> Node {
        self.map.get("discover").cloned().unwrap_or_else(|| Node::text("region"))
    }

    /// A key as written: `healthcheck_port`, `healthcheck_timeout_s`, `healthcheck_body_expect`,
    /// `extra_healthcheck_headers`, `updown_timeout_s` and `retries` have no default here but the load balancer's own.
    pub fn raw(&self, key: &str) -> Option<&'a Node> {
        self.map.get(key)
    }

    /// A time-out in milliseconds, by its key: `timeout_connect_ms`, `timeout_server_ms`, `timeout_client_ms`.
    pub fn timeout_ms(&self, key: &str) -> Option<i64> {
        self.map.get(key).and_then(integer)
    }

    /// How often a load balancer tries again, at another server: `retries`, if it is a number.
    pub fn retries(&self) -> Option<i64> {
        self.map.get("retries").and_then(integer)
    }

    /// The location types it is advertised in, as written.
    pub fn advertise(&self) -> &'a [Node] {
        self.map.get("advertise").and_then(Node::as_list).unwrap_or_default()
    }

    /// Places whose traffic goes to others besides, as pairs of source and destination.
    pub fn extra_advertise(&self) -> Vec<(&'a Node, &'a Node)> {
        self.pairs("extra_advertise")
    }

    /// Sources of traffic and where it goes, as pairs.
    pub fn routes(&self) -> Vec<(&'a Node, &'a Node)> {
        self.pairs("routes")
    }

    fn pairs(&self, key: &str) -> Vec<(&'a Node, &'a Node)> {
        let pair = |node: &'a Node| match node.as_list() {
            Some([from, to]) => Some((from, to)),
            _ => None,
        };
        self.map.get(key).and_then(Node::as_list).unwrap_or_default().iter().filter_map(pair).collect()
    }

    /// The port it is load-balanced at.
    pub fn proxy_port(&self) -> Option<i64> {
        self.map.get("proxy_port").and_then(integer)
    }
}
