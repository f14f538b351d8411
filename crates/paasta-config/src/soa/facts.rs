//! What service.yaml says of the service itself (config.md §1.2).

use paasta_core::ServiceName;

use super::Soa;
use crate::setting::{Scope, SettingError, integer};
use crate::{LoadError, Map, Node, SystemConfig};

/// Facts of a service, not of its instances.
#[derive(Clone, Debug)]
pub struct ServiceFacts {
    map: Map,
}

impl ServiceFacts {
    /// Where its code is.
    pub fn git_url(&self) -> Result<Option<&str>, SettingError> {
        self.scope().text_or_null("git_url")
    }

    /// What it is for.
    pub fn description(&self) -> Result<Option<&str>, SettingError> {
        self.scope().text_or_null("description")
    }

    /// Where people read more about it.
    pub fn external_link(&self) -> Result<Option<&str>, SettingError> {
        self.scope().text_or_null("external_link")
    }

    /// Where its images are: its own registry, else the cluster's. Neither having one is an error of the latter.
    pub fn docker_registry(&self, system: &SystemConfig) -> Result<String, LoadError> {
        match self.scope().text_or_null("docker_registry")? {
            Some(registry) => Ok(registry.to_owned()),
            None => Ok(system.docker_registry()?),
        }
    }

    /// The transit key that its secrets are encrypted with. Default `paasta`.
    pub fn encryption_key(&self) -> Result<&str, SettingError> {
        Ok(self.scope().text_or_null("encryption_key")?.unwrap_or("paasta"))
    }

    /// The port of a classic service: of smartstack.yaml, of service.yaml, of the file `port`, in the order in which
    /// the original has them: service.yaml's wins where it stands.
    pub fn port(&self) -> Result<Option<i64>, SettingError> {
        match self.map.get_set("port") {
            None => Ok(None),
            Some(node) => {
                integer(node).map(Some).ok_or_else(|| self.scope().wrong("port", node, "an integer"))
            }
        }
    }

    /// The hosts that a classic service runs on. Default none.
    pub fn runs_on(&self) -> Result<Vec<&str>, SettingError> {
        Ok(self.scope().texts_or_null("runs_on")?.unwrap_or_default())
    }

    /// The hosts that a classic service is deployed to, a list or `true`, as written.
    pub fn deployed_to(&self) -> Option<&Node> {
        self.map.get_set("deployed_to")
    }

    /// The hosts that a classic service runs on by environment, as written.
    pub fn env_runs_on(&self) -> Result<Option<&Map>, SettingError> {
        self.scope().map_or_null("env_runs_on")
    }

    /// Whether a classic service is set up by Puppet, as written.
    pub fn needs_puppet_help(&self) -> Option<&Node> {
        self.map.get_set("needs_puppet_help")
    }

    /// What data.yaml holds, for others.
    pub fn data(&self) -> Result<Option<&Map>, SettingError> {
        self.scope().map_or_null("data")
    }

    fn scope(&self) -> Scope<'_> {
        Scope { map: &self.map, path: "" }
    }
}

impl Soa {
    /// The facts of a service.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use paasta_config::{Memory, Soa};
    ///
    /// let soa = Soa::new(Arc::new(Memory::new().with("svc/service.yaml", "description: sells tea")));
    /// let facts = soa.service_facts(&"svc".parse()?)?;
    /// assert_eq!(facts.description()?, Some("sells tea"));
    /// assert_eq!(facts.encryption_key()?, "paasta");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn service_facts(&self, service: &ServiceName) -> Result<ServiceFacts, LoadError> {
        Ok(ServiceFacts { map: self.service_map(service)? })
    }
}
