//! Which provider, and what it works on.

use std::path::PathBuf;

use paasta_config::{ClusterName, Map, Node, SettingError, SystemConfig};
use paasta_core::ServiceName;

use crate::file::KeyFile;
use crate::store::Store;
use crate::{
    FileProvider, SecretError, SecretProvider, Unavailable, Vault, VaultAuthentication, VaultServers,
};

/// Whose secrets, and how to get at them.
#[derive(Clone, Debug)]
pub struct Options {
    /// The soa-configs root.
    pub soa_dir: PathBuf,
    /// The service, or `_shared`.
    pub service: ServiceName,
    /// The clusters that the secrets are for; the first one's ecosystem is read.
    pub clusters: Vec<ClusterName>,
    /// Who we are to Vault.
    pub vault_authentication: VaultAuthentication,
    /// After how many requests a token that we log in for ends; `None` for Vault's own limit. Reading a secret takes
    /// one request, writing it two for each ecosystem.
    pub vault_token_uses: Option<u32>,
}

impl Options {
    /// For one service, with the token in `/root/.vault-token`, as the original has it.
    pub fn new(soa_dir: impl Into<PathBuf>, service: ServiceName, clusters: Vec<ClusterName>) -> Self {
        Self {
            soa_dir: soa_dir.into(),
            service,
            clusters,
            vault_authentication: VaultAuthentication::TokenFile("/root/.vault-token".into()),
            vault_token_uses: None,
        }
    }
}

/// Makes the provider of one name.
type Build = fn(&SystemConfig, Options) -> Result<Box<dyn SecretProvider>, SecretError>;

/// Every provider, by the name it has in `secret_provider` of the system configuration.
const PROVIDERS: &[(&str, Build)] = &[
    // Sorted by name.
    (FileProvider::NAME, build_file),
    (Unavailable::NAME, build_unavailable),
    (Vault::NAME, build_vault),
    ("vault", build_vault),
];

/// The provider that the system configuration names, for the secrets of one service. Asks nobody anything yet.
///
/// ```
/// use paasta_config::SystemConfig;
/// use paasta_secrets::{Options, provider};
///
/// let system = SystemConfig::from_json("{}")?;
/// let options = Options::new("/nail/etc/services", "example".parse()?, vec!["pnw-prod".parse()?]);
/// // A cluster without `secret_provider` has one that says so when it is asked.
/// assert_eq!(provider(&system, options)?.service(), "example");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn provider(system: &SystemConfig, options: Options) -> Result<Box<dyn SecretProvider>, SecretError> {
    let name = match system.map().get("secret_provider") {
        None => Unavailable::NAME,
        Some(node) => node
            .as_str()
            .ok_or_else(|| SettingError::new("secret_provider", node, "the name of a secret provider"))?,
    };
    match PROVIDERS.iter().find(|(known, _)| *known == name) {
        Some((_, build)) => build(system, options),
        None => Err(SecretError::UnknownProvider {
            name: name.to_owned(),
            known: PROVIDERS.iter().map(|(name, _)| *name).collect(),
        }),
    }
}

fn build_unavailable(_: &SystemConfig, options: Options) -> Result<Box<dyn SecretProvider>, SecretError> {
    Ok(Box::new(Unavailable::new(options.service.as_str())))
}

fn build_vault(system: &SystemConfig, options: Options) -> Result<Box<dyn SecretProvider>, SecretError> {
    let ecosystems = ecosystems(system, &options, |cluster| {
        Err(SecretError::NoEcosystem { cluster: cluster.to_string() })
    })?;
    let servers = VaultServers::from_system(system)?;
    let store = Store::new(&options.soa_dir, &options.service);
    Ok(Box::new(Vault::new(store, ecosystems, &servers, options)?))
}

/// On one machine a cluster that has no ecosystem is one of its own.
fn build_file(system: &SystemConfig, options: Options) -> Result<Box<dyn SecretProvider>, SecretError> {
    let ecosystems = ecosystems(system, &options, |cluster| Ok(cluster.to_string()))?;
    let path = match system.map().get("secret_key_file") {
        Some(node) => node
            .as_str()
            .ok_or_else(|| SettingError::new("secret_key_file", node, "the path of a key file"))?,
        None => {
            let expected = "the path of a key file, which secret provider `file` needs";
            return Err(SettingError::new("secret_key_file", &Node::null(), expected).into());
        }
    };
    let store = Store::new(&options.soa_dir, &options.service);
    Ok(Box::new(FileProvider::new(store, ecosystems, KeyFile::load(path)?)))
}

/// The ecosystems of the clusters, each once.
fn ecosystems(
    system: &SystemConfig,
    options: &Options,
    other: impl Fn(&ClusterName) -> Result<String, SecretError>,
) -> Result<Vec<String>, SecretError> {
    let map = system.map().get_set("vault_cluster_map");
    let map: Option<&Map> = match map {
        Some(node) => Some(node.as_map().ok_or_else(|| {
            SettingError::new("vault_cluster_map", node, "a map of clusters to ecosystems")
        })?),
        None => None,
    };
    let mut ecosystems: Vec<String> = Vec::new();
    for cluster in &options.clusters {
        let ecosystem = match map.and_then(|map| map.get(cluster.as_str())) {
            Some(node) => match node.as_str().filter(|name| !name.is_empty() && !name.contains('\0')) {
                Some(name) => name.to_owned(),
                None => {
                    let key = format!("vault_cluster_map.{cluster}");
                    return Err(SettingError::new(key, node, "the name of an ecosystem").into());
                }
            },
            None => other(cluster)?,
        };
        if !ecosystems.contains(&ecosystem) {
            ecosystems.push(ecosystem);
        }
    }
    if ecosystems.is_empty() {
        return Err(SecretError::NoCluster { service: options.service.to_string() });
    }
    Ok(ecosystems)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_its_names_make_providers() {
        let names: Vec<&str> = PROVIDERS.iter().map(|(name, _)| *name).collect();
        assert!(names.is_sorted(), "{names:?}");
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key");
        KeyFile::create(&key).unwrap();
        for name in names {
            let text = serde_json::json!({
                "secret_provider": name,
                "secret_key_file": key,
                "vault_cluster_map": {"c": "e"},
                "vault_servers": {"e": {"url": "http://127.0.0.1:8200"}},
            });
            let system = SystemConfig::from_json(&text.to_string()).unwrap();
            let options = Options::new("/soa", "svc".parse().unwrap(), vec!["c".parse().unwrap()]);
            assert_eq!(provider(&system, options).unwrap().service(), "svc", "{name}");
        }
    }
}
