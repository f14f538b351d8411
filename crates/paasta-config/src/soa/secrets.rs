//! Secret references in an instance's environment and the signatures of what they name (config.md §6).

use std::collections::BTreeMap;

use paasta_core::ServiceName;

use super::Soa;
use crate::{Map, Node, Wanted, parse_json};

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

    /// The secret's file below soa-configs, for a reference in an instance of `service`.
    pub fn file(&self, service: &ServiceName) -> String {
        let folder = if self.shared { "_shared" } else { service.as_str() };
        format!("{folder}/secrets/{}.json", self.name)
    }
}

/// The secret references among an environment's values, in order.
pub fn secret_references(environment: &Map) -> Vec<SecretReference> {
    environment.iter().filter_map(|(_, value)| SecretReference::parse(value.as_str()?)).collect()
}

/// A reference whose secret has no signature, so that the hash takes up null.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no signature for {reference:?}: {reason}")]
pub struct MissingSignature {
    /// The reference as it stands in the environment.
    pub reference: String,
    /// What is missing or wrong, with the file.
    pub reason: String,
}

impl Soa {
    /// The signature of each secret that `environment` refers to, in `ecosystem`; `None` where the file, the
    /// ecosystem or the signature is missing or unreadable, which is never an error (config.md §6.4).
    pub fn secret_signatures(
        &self,
        service: &ServiceName,
        environment: &Map,
        ecosystem: Option<&str>,
    ) -> BTreeMap<String, Option<String>> {
        let references = secret_references(environment);
        let signature =
            |reference: &SecretReference| self.secret_signature(service, reference, ecosystem).ok();
        references.into_iter().map(|reference| (reference.text.clone(), signature(&reference))).collect()
    }

    /// Why some of an instance's references have no signature, each once: what an operator should be told, who would
    /// wonder at a bounce once the signature is there (config.md §6.4). Reads nothing where all have one.
    pub fn missing_signatures(&self, wanted: &Wanted) -> Vec<MissingSignature> {
        let ecosystem = wanted.system.get("vault_environment").and_then(Node::as_str);
        let missing = wanted.secret_signatures.iter().filter(|(_, signature)| signature.is_none());
        let reason = |reference: &str| {
            let parsed = SecretReference::parse(reference)?;
            self.secret_signature(wanted.id.service(), &parsed, ecosystem).err()
        };
        missing
            .filter_map(|(text, _)| Some(MissingSignature { reference: text.clone(), reason: reason(text)? }))
            .collect()
    }

    fn secret_signature(
        &self,
        service: &ServiceName,
        reference: &SecretReference,
        ecosystem: Option<&str>,
    ) -> Result<String, String> {
        if reference.name.ends_with(')') {
            return Err("it ends with a line feed, so that it names no secret".to_owned());
        }
        let path = reference.file(service);
        let shown = self.source.show(&path);
        let bytes = match self.source.read(&path) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Err(format!("there is no file `{shown}`")),
            Err(error) => return Err(format!("{error}: {}", error.source)),
        };
        let document = parse_json(&bytes, &shown).map_err(|error| error.to_string())?;
        let ecosystem = ecosystem
            .ok_or_else(|| "`vault_environment` of the system configuration is not set".to_owned())?;
        let environments = document.as_map().and_then(|map| map.get("environments")).and_then(Node::as_map);
        let entry = environments.and_then(|all| all.get(ecosystem)).and_then(Node::as_map);
        let signature = entry.and_then(|entry| entry.get("signature")).and_then(Node::as_str);
        match signature {
            Some(signature) => Ok(signature.to_owned()),
            None => Err(format!("`{shown}` has no signature for ecosystem `{ecosystem}`")),
        }
    }
}

/// The environment of merged settings; a null one is empty.
pub(super) fn environment(settings: &Map) -> Option<&Map> {
    settings.get("env").and_then(Node::as_map)
}
