//! Which kinds of load balancers a cluster has, by its system configuration.

use std::path::Path;
use std::sync::Arc;

use paasta_config::{SystemConfig, SystemError};

use crate::haproxy::SetupError;
use crate::{Asker, Envoy, Haproxy, Patience, Provider};

/// Where names of ports are looked up.
pub const SERVICES_FILE: &str = "/etc/services";

/// The kinds of load balancers that are asked in a cluster.
#[derive(Clone)]
pub struct DiscoveryProviders {
    all: Vec<Arc<dyn Provider>>,
    unknown: Vec<String>,
}

impl std::fmt::Debug for DiscoveryProviders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.all.iter().map(|provider| provider.name()).collect();
        f.debug_struct("DiscoveryProviders").field("all", &names).field("unknown", &self.unknown).finish()
    }
}

/// Why the system configuration's providers cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum ProvidersError {
    /// A key of it cannot be read.
    #[error(transparent)]
    Config(#[from] SystemError),
    /// A format of URLs cannot be used, or there is no HTTP client.
    #[error("could not set up the discovery provider `{provider}`; it is configured by `{key}`")]
    Setup {
        /// Which one.
        provider: &'static str,
        /// Which key of the system configuration it follows.
        key: &'static str,
        /// What is wrong.
        source: SetupError,
    },
    /// Nobody says which port Envoy's administration has.
    #[error(
        "could not learn the port of Envoy's administration: `{file}` has no TCP port named `{name}` (system key \
         `envoy_admin_domain_name`){}", .reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default()
    )]
    EnvoyPort {
        /// Where it was looked for.
        file: String,
        /// By what name.
        name: String,
        /// Why the file could not be read, if it could not.
        reason: Option<String>,
    },
}

impl DiscoveryProviders {
    /// Those of `service_discovery_providers`; where that key is not set, SmartStack. Envoy's port is looked up in
    /// `services_file`, usually [`SERVICES_FILE`].
    ///
    /// ```
    /// use paasta_config::SystemConfig;
    /// use paasta_smartstack::{Asker, DiscoveryProviders, SERVICES_FILE};
    ///
    /// let system = SystemConfig::from_json(r#"{"synapse_port": 3213}"#)?;
    /// let asker = Asker { program: "example", version: "1" };
    /// let providers = DiscoveryProviders::from_system(&system, asker, SERVICES_FILE.as_ref())?;
    /// assert_eq!(providers.all()[0].name(), "Smartstack");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_system(
        system: &SystemConfig,
        asker: Asker<'_>,
        services_file: &Path,
    ) -> Result<Self, ProvidersError> {
        let names = system.service_discovery_providers()?.unwrap_or_else(|| vec!["smartstack".to_owned()]);
        let mut providers = Self { all: Vec::new(), unknown: Vec::new() };
        for name in names {
            match name.as_str() {
                "smartstack" => providers.all.push(Arc::new(haproxy(system, asker)?)),
                "envoy" => providers.all.push(Arc::new(envoy(system, asker, services_file)?)),
                _ => providers.unknown.push(name),
            }
        }
        Ok(providers)
    }

    /// All that can be asked, in the order in which they are configured.
    pub fn all(&self) -> &[Arc<dyn Provider>] {
        &self.all
    }

    /// Names in the system configuration that mean nothing here.
    pub fn unknown(&self) -> &[String] {
        &self.unknown
    }

    /// The one that has a say in bounces: SmartStack, which `check_haproxy` is named for, else the first.
    pub fn of_bounces(&self) -> Option<&Arc<dyn Provider>> {
        self.all.iter().find(|provider| provider.name() == "Smartstack").or(self.all.first())
    }
}

fn haproxy(system: &SystemConfig, asker: Asker<'_>) -> Result<Haproxy, ProvidersError> {
    let format = system.synapse_haproxy_url_format()?;
    let key = "synapse_haproxy_url_format";
    Haproxy::new(&format, system.synapse_port()?, asker, Patience::default())
        .map_err(|source| ProvidersError::Setup { provider: "smartstack", key, source })
}

fn envoy(system: &SystemConfig, asker: Asker<'_>, services_file: &Path) -> Result<Envoy, ProvidersError> {
    let name = system.envoy_admin_domain_name()?;
    let missing = |reason| ProvidersError::EnvoyPort {
        file: services_file.display().to_string(),
        name: name.clone(),
        reason,
    };
    let text = std::fs::read(services_file).map_err(|error| missing(Some(error.to_string())))?;
    let port = port_of(&String::from_utf8_lossy(&text), &name).ok_or_else(|| missing(None))?;
    Envoy::new(&system.envoy_admin_endpoint_format()?, port, asker, Patience::default()).map_err(|source| {
        ProvidersError::Setup { provider: "envoy", key: "envoy_admin_endpoint_format", source }
    })
}

/// The TCP port of a name in the form of `/etc/services`: `name port/tcp aliases… # remark`.
fn port_of(services: &str, name: &str) -> Option<u16> {
    services.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let (official, port) = (words.next()?, words.next()?.strip_suffix("/tcp")?);
        (official == name || words.any(|alias| alias == name)).then(|| port.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(json: &str, services: &str) -> Result<DiscoveryProviders, ProvidersError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("services");
        std::fs::write(&file, services).unwrap();
        let system = SystemConfig::from_json(json).unwrap();
        DiscoveryProviders::from_system(&system, Asker { program: "test", version: "1" }, &file)
    }

    #[track_caller]
    fn check(json: &str, services: &str, want: &str) {
        let told = match from(json, services) {
            Ok(providers) => {
                let names: Vec<_> = providers.all().iter().map(|provider| provider.name()).collect();
                let of_bounces = providers.of_bounces().map_or("nobody", |provider| provider.name());
                format!("{} | {of_bounces} | {}", names.join(" "), providers.unknown().join(" "))
            }
            Err(error) => paasta_core::chain(&error),
        };
        assert!(told.contains(want), "{told}");
    }

    #[test]
    fn an_absent_key_is_smartstack_and_an_empty_map_nobody() {
        let services = "http 80/tcp\nother 9901/udp envoy-admin\nadmin\t9902/tcp envoy-admin # x\n";
        check("{}", "", "Smartstack | Smartstack | ");
        check(r#"{"service_discovery_providers": {}}"#, "", " | nobody | ");
        let both = r#"{"service_discovery_providers": {"envoy": {}, "gossip": {}, "smartstack": null}}"#;
        check(both, services, "Envoy Smartstack | Smartstack | gossip");
        check(r#"{"service_discovery_providers": {"envoy": {}}}"#, services, "Envoy | Envoy | ");
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let envoy = r#"{"service_discovery_providers": {"envoy": {}}}"#;
        check(envoy, "envoy-admin 9901/udp\n", "has no TCP port named `envoy-admin` (system key");
        check(
            r#"{"synapse_haproxy_url_format": "http://{h}/"}"#,
            "",
            "`synapse_haproxy_url_format`: could not use the URL format `http://{h}/`",
        );
        check(r#"{"service_discovery_providers": 1}"#, "", "service_discovery_providers");
    }
}
