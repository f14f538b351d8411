//! Who is told: monitoring values from the instance, the service's files, in that order (config.md §1.6).

use paasta_core::ServiceName;

use super::Soa;
use crate::setting::SettingError;
use crate::{LoadError, Map, Node};

impl Soa {
    /// The value of a monitoring key for an instance's merged settings: the instance's own `monitoring`, then
    /// monitoring.yaml, then service.yaml's `monitoring`, then service.yaml itself. Presence decides, not truth.
    pub fn monitoring(
        &self,
        service: &ServiceName,
        settings: Option<&Map>,
        key: &str,
    ) -> Result<Option<Node>, LoadError> {
        let inner =
            |map: &Map| map.get("monitoring").and_then(Node::as_map).and_then(|m| m.get(key)).cloned();
        if let Some(value) = settings.and_then(inner) {
            return Ok(Some(value));
        }
        if let Some(value) = self.document(service, "monitoring.yaml")?.map.get(key) {
            return Ok(Some(value.clone()));
        }
        let document = self.document(service, "service.yaml")?;
        Ok(inner(&document.map).or_else(|| document.map.get(key).cloned()))
    }

    /// The team that owns the service, or the instance where it says so; `None` where nobody does.
    pub fn team(&self, service: &ServiceName, settings: Option<&Map>) -> Result<Option<String>, LoadError> {
        match self.monitoring(service, settings, "team")? {
            Some(node) if !node.is_null() => match node.as_str() {
                Some(team) => Ok(Some(team.to_owned())),
                None => Err(SettingError::new("monitoring.team", &node, "a string").into()),
            },
            _ => Ok(None),
        }
    }
}
