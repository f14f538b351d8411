//! Where the Vault of each ecosystem is: `vault_servers` of the system configuration.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use paasta_config::{Map, Node, SettingError, SystemConfig, Value};

/// The Vault of one ecosystem.
#[derive(Clone, Debug, PartialEq)]
pub struct VaultServer {
    /// Its base URL, such as `https://vault.example.com:8200`; `http` is for this machine alone.
    pub url: String,
    /// The authorities that its certificate must come from, in PEM; `None` for those that this machine trusts.
    pub ca_file: Option<PathBuf>,
    /// The namespace to work in, where Vault has them.
    pub namespace: Option<String>,
    /// Where the transit engine is mounted; `transit` unless set.
    pub transit_mount: String,
    /// Where LDAP authentication is mounted; `ldap` unless set.
    pub ldap_mount: String,
    /// Longest wait for an answer; 20 s unless set.
    pub timeout: Duration,
}

impl VaultServer {
    /// A Vault with everything in its usual place.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            ca_file: None,
            namespace: None,
            transit_mount: "transit".to_owned(),
            ldap_mount: "ldap".to_owned(),
            timeout: Duration::from_secs(20),
        }
    }
}

/// The Vaults by ecosystem.
#[derive(Clone, Debug, Default)]
pub struct VaultServers {
    servers: BTreeMap<String, VaultServer>,
}

impl VaultServers {
    /// Reads `vault_servers`, a map of ecosystems to `{url, ca_file, namespace, transit_mount, ldap_mount,
    /// timeout_seconds}`, of which `url` alone must be there.
    ///
    /// ```
    /// use paasta_config::SystemConfig;
    /// use paasta_secrets::VaultServers;
    ///
    /// let system = SystemConfig::from_json(
    ///     r#"{"vault_servers": {"prod": {"url": "https://vault.example.com:8200", "timeout_seconds": 5}}}"#,
    /// )?;
    /// let servers = VaultServers::from_system(&system)?;
    /// assert_eq!(servers.get("prod").unwrap().transit_mount, "transit");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_system(system: &SystemConfig) -> Result<Self, SettingError> {
        const KEY: &str = "vault_servers";
        let Some(node) = system.map().get_set(KEY) else { return Ok(Self::default()) };
        let map =
            node.as_map().ok_or_else(|| SettingError::new(KEY, node, "a map of ecosystems to Vaults"))?;
        let mut servers = BTreeMap::new();
        for (ecosystem, node) in map.iter() {
            let name = ecosystem
                .as_str()
                .ok_or_else(|| SettingError::new(KEY, ecosystem, "the name of an ecosystem"))?;
            let key = format!("{KEY}.{name}");
            let settings = node.as_map().ok_or_else(|| SettingError::new(&key, node, "a map with `url`"))?;
            servers.insert(name.to_owned(), server(&key, node, settings)?);
        }
        Ok(Self { servers })
    }

    /// The Vault of an ecosystem.
    pub fn get(&self, ecosystem: &str) -> Option<&VaultServer> {
        self.servers.get(ecosystem)
    }
}

fn server(key: &str, node: &Node, settings: &Map) -> Result<VaultServer, SettingError> {
    let mut server = VaultServer::new("");
    for (name, value) in settings.iter() {
        let wrong = |expected: &str| {
            SettingError::new(format!("{key}.{}", name.as_str().unwrap_or("?")), value, expected)
        };
        let text = || match value.as_str() {
            Some(text) if !text.is_empty() => Ok(text.to_owned()),
            _ => Err(wrong("a text")),
        };
        match name.as_str().unwrap_or_default() {
            "url" => server.url = text()?,
            "ca_file" => server.ca_file = Some(text()?.into()),
            "namespace" => server.namespace = Some(text()?),
            "transit_mount" => server.transit_mount = text()?,
            "ldap_mount" => server.ldap_mount = text()?,
            "timeout_seconds" => {
                server.timeout = timeout(value).ok_or_else(|| wrong("a number of seconds up to 600"))?
            }
            _ => {
                let keys = "one of the keys `url`, `ca_file`, `namespace`, `transit_mount`, `ldap_mount`, `timeout_seconds`";
                return Err(SettingError::new(key, name, keys));
            }
        }
    }
    if server.url.is_empty() { Err(SettingError::new(key, node, "a map with `url`")) } else { Ok(server) }
}

fn timeout(value: &Node) -> Option<Duration> {
    let seconds = match value.value {
        Value::Int(seconds) => seconds as f64,
        Value::Float(seconds) => seconds,
        _ => return None,
    };
    (seconds > 0.0 && seconds <= 600.0).then(|| Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let system = SystemConfig::from_json(&format!(r#"{{"vault_servers": {text}}}"#)).unwrap();
        let error = VaultServers::from_system(&system).map(|_| ()).map_err(|error| error.to_string());
        assert!(error.as_ref().is_err_and(|error| error.contains(expected)), "{text}: {error:?}");
    }

    #[test]
    fn what_is_wrong_names_its_place() {
        check("[]", "a map of ecosystems to Vaults");
        check(r#"{"e": "https://x"}"#, "vault_servers.e");
        check(r#"{"e": {"ca_file": "/x"}}"#, "a map with `url`");
        check(r#"{"e": {"url": ""}}"#, "vault_servers.e.url");
        check(r#"{"e": {"url": "https://x", "uri": 1}}"#, "one of the keys");
        check(r#"{"e": {"url": "https://x", "timeout_seconds": 0}}"#, "timeout_seconds");
        check(r#"{"e": {"url": "https://x", "timeout_seconds": "5"}}"#, "timeout_seconds");
    }
}
