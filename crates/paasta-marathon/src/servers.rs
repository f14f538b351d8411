//! The Marathon servers of a cluster and the homes they make (marathon-and-bounce.md §2.1).

use std::collections::HashMap;
use std::fmt;

use paasta_config::{Map, Node};
use paasta_core::{HomeId, without_credentials};

/// One Marathon: interchangeable nodes of it, and who we are to them.
#[derive(Clone, PartialEq, Eq)]
pub struct Server {
    /// Base URLs, tried in this order; none ends in a slash.
    pub urls: Vec<String>,
    /// Our name; empty for none.
    pub user: String,
    /// Our password; empty for none.
    pub password: Password,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let urls: Vec<String> = self.urls.iter().map(|url| without_credentials(url)).collect();
        f.debug_struct("Server").field("urls", &urls).field("user", &self.user).finish_non_exhaustive()
    }
}

/// A password. Debug texts hide it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Takes it as it is.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The password itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "none" } else { "hidden" })
    }
}

/// Current and previous Marathon servers; a place in either list is a shard's number.
///
/// Two entries that share a URL are one home, however else they differ.
#[derive(Clone, Debug, Default)]
pub struct MarathonServers {
    current: Vec<HomeId>,
    previous: Vec<HomeId>,
    homes: Vec<(HomeId, Server)>,
}

/// Why the servers in the system configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServersError {
    /// A key holds something else than it should.
    #[error("{}{key}: expected {expected}, found {found}", place(.position))]
    Malformed {
        /// The key.
        key: String,
        /// What it should hold.
        expected: &'static str,
        /// What it holds.
        found: String,
        /// Where.
        position: Option<paasta_config::Position>,
    },
}

fn place(position: &Option<paasta_config::Position>) -> String {
    position.as_ref().map(|position| format!("{position}: ")).unwrap_or_default()
}

impl MarathonServers {
    /// Servers by hand, in the order of their shard numbers.
    pub fn new(current: Vec<Server>, previous: Vec<Server>) -> Self {
        let mut servers = Self::default();
        let mut seen: HashMap<String, HomeId> = HashMap::new();
        servers.current = current.into_iter().map(|server| servers.add(&mut seen, server)).collect();
        servers.previous = previous.into_iter().map(|server| servers.add(&mut seen, server)).collect();
        servers
    }

    /// Servers from the merged system configuration, keys `marathon_servers` and `previous_marathon_servers`. A
    /// key that is missing or null means none.
    pub fn from_system(system: &Map) -> Result<Self, ServersError> {
        Ok(Self::new(list(system, "marathon_servers")?, list(system, "previous_marathon_servers")?))
    }

    /// The home that an entry belongs to: that of the first entry with which it shares a URL, else its own.
    fn add(&mut self, seen: &mut HashMap<String, HomeId>, server: Server) -> HomeId {
        let known = server.urls.iter().find_map(|url| seen.get(url)).cloned();
        let home = known.unwrap_or_else(|| {
            let first = server.urls.first().map(String::as_str).unwrap_or_default();
            let home = HomeId::new(without_credentials(first));
            self.homes.push((home.clone(), server.clone()));
            home
        });
        for url in server.urls {
            seen.entry(url).or_insert_with(|| home.clone());
        }
        home
    }

    /// Homes of the current servers, by shard number.
    pub fn current(&self) -> &[HomeId] {
        &self.current
    }

    /// Homes of the previous servers, by shard number.
    pub fn previous(&self) -> &[HomeId] {
        &self.previous
    }

    /// Every home once, the current ones first, each with the server to ask.
    pub fn homes(&self) -> &[(HomeId, Server)] {
        &self.homes
    }
}

fn list(system: &Map, key: &str) -> Result<Vec<Server>, ServersError> {
    let Some(node) = system.get_set(key) else { return Ok(Vec::new()) };
    let entries = node.as_list().ok_or_else(|| malformed(key, "a list of servers", node))?;
    entries.iter().enumerate().map(|(index, entry)| server(&format!("{key}[{index}]"), entry)).collect()
}

fn server(key: &str, node: &Node) -> Result<Server, ServersError> {
    let map = node.as_map().ok_or_else(|| malformed(key, "a map of url, user, password", node))?;
    let text = |name: &str| match map.get_set(name) {
        None => Ok(String::new()),
        Some(node) => node
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| malformed(&format!("{key}.{name}"), "a string", node)),
    };
    Ok(Server {
        urls: urls(key, node, map)?,
        user: text("user")?,
        password: Password::new(text("password")?),
    })
}

fn urls(key: &str, entry: &Node, map: &Map) -> Result<Vec<String>, ServersError> {
    let key = format!("{key}.url");
    let expected = "a list of base URLs, at least one";
    let node = map.get("url").ok_or_else(|| ServersError::Malformed {
        key: key.clone(),
        expected,
        found: "nothing".to_owned(),
        position: entry.position.clone(),
    })?;
    let items = match node.as_list() {
        Some(items) if !items.is_empty() => items,
        None if node.as_str().is_some() => std::slice::from_ref(node),
        _ => return Err(malformed(&key, expected, node)),
    };
    let url = |item: &Node| match item.as_str() {
        Some(url) if url.starts_with("http://") || url.starts_with("https://") => {
            Ok(url.trim_end_matches('/').to_owned())
        }
        _ => Err(malformed(&key, "an http or https URL", item)),
    };
    items.iter().map(url).collect()
}

/// What stands there is named by its kind alone: it may be a password in the wrong place.
fn malformed(key: &str, expected: &'static str, node: &Node) -> ServersError {
    ServersError::Malformed {
        key: key.to_owned(),
        expected,
        found: node.kind().to_owned(),
        position: node.position.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(urls: &[&str]) -> Server {
        let urls = urls.iter().map(|url| (*url).to_owned()).collect();
        Server { urls, user: "u".into(), password: Password::new("p4ss") }
    }

    #[test]
    fn entries_that_share_a_url_are_one_home() {
        let servers = MarathonServers::new(
            vec![server(&["http://a", "http://b"]), server(&["http://c"])],
            vec![server(&["http://b", "http://x"]), server(&["http://d"]), server(&["http://x"])],
        );
        assert_eq!(servers.homes().len(), 3);
        assert_eq!(servers.previous()[0], servers.current()[0]);
        assert_eq!(servers.previous()[1].as_str(), "http://d");
        assert_eq!(servers.previous()[2], servers.current()[0]);
    }

    #[test]
    fn passwords_do_not_print() {
        assert!(!format!("{:?}", server(&["http://a", "http://u:p4ss@b"])).contains("p4ss"));
        assert_eq!(without_credentials("https://u:p@h:1/x"), "https://h:1/x");
        assert_eq!(without_credentials("http://h/a@b"), "http://h/a@b");
    }
}
