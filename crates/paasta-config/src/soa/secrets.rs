//! Secret references in an instance's environment and the signatures of what they name (config.md §6).

use std::collections::BTreeMap;

use paasta_core::ServiceName;

use super::Soa;
use crate::{Map, Node, parse_json};

/// A reference to a secret: `SECRET(name)` or `SHARED_SECRET(name)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretReference {
    /// The reference as it stands in the environment.
    pub text: String,
    /// The secret's name.
    pub name: String,
    /// Whether it is one that all services share.
    pub shared: bool,
}

impl SecretReference {
    /// Takes a whole environment value; `None` if it is no reference. One line feed at the end is tolerated as the
    /// original does: such a reference names no secret, but reaches the hash.
    pub fn parse(value: &str) -> Option<Self> {
        let (shared, rest) = match value.strip_prefix("SHARED_") {
            Some(rest) => (true, rest),
            None => (false, value),
        };
        let inner = rest.strip_prefix("SECRET(")?;
        let name = match inner.strip_suffix('\n') {
            // The name keeps the bracket, so that it can never be one.
            Some(inner) => inner.ends_with(')').then_some(inner)?,
            None => inner.strip_suffix(')')?,
        };
        let letters = name.strip_suffix(')').unwrap_or(name);
        let fine = letters.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        fine.then(|| Self { text: value.to_owned(), name: name.to_owned(), shared })
    }
}

/// The secret references among an environment's values, in order.
pub fn secret_references(environment: &Map) -> Vec<SecretReference> {
    environment.iter().filter_map(|(_, value)| SecretReference::parse(value.as_str()?)).collect()
}

impl Soa {
    /// The signature of each secret that `environment` refers to, in `ecosystem`; `None` where the file, the
    /// ecosystem or the signature is missing or unreadable, which is never an error.
    pub fn secret_signatures(
        &self,
        service: &ServiceName,
        environment: &Map,
        ecosystem: Option<&str>,
    ) -> BTreeMap<String, Option<String>> {
        let signature = |reference: &SecretReference| {
            let folder = if reference.shared { "_shared" } else { service.as_str() };
            let path = format!("{folder}/secrets/{}.json", reference.name);
            let bytes = self.source.read(&path).ok()??;
            let document = parse_json(&bytes, &self.source.show(&path)).ok()?;
            let environments = document.as_map()?.get("environments")?.as_map()?;
            let signature = environments.get(ecosystem?)?.as_map()?.get("signature")?;
            signature.as_str().map(str::to_owned)
        };
        let references = secret_references(environment);
        references.into_iter().map(|reference| (reference.text.clone(), signature(&reference))).collect()
    }
}

/// The environment of merged settings; a null one is empty.
pub(super) fn environment(settings: &Map) -> Option<&Map> {
    settings.get("env").and_then(Node::as_map)
}
