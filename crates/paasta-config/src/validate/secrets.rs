//! Whether the secrets that instances refer to are there (config.md §8.7).

use paasta_core::ClusterName;

use super::{Finding, Run, named};
use crate::{Map, Node, SecretReference, SettingError, parse_json};

impl Run<'_> {
    /// The references of one instance's environment.
    pub(super) fn check_secrets(&mut self, cluster: &ClusterName, settings: &Map, name: &str, file: &str) {
        let Some(environment) = settings.get("env").and_then(Node::as_map) else { return };
        for (variable, _, value) in named(environment) {
            let Some(reference) = value.as_str().and_then(SecretReference::parse) else { continue };
            let path = format!("{name}.env.{variable}");
            if let Some((message, hint)) = self.missing(cluster, &reference) {
                let message = format!("{path}: {message}");
                self.findings.push(Finding::whole(file, "secret", message, hint).at_node(value));
            }
        }
    }

    /// Each cluster with instances of the service belongs to an ecosystem, once the system configuration knows any.
    pub(super) fn check_ecosystems(&mut self) {
        let Some(ecosystems) = self.ecosystems() else { return };
        let place = self.system.map().get("vault_cluster_map").and_then(|node| node.position.clone());
        let without: Vec<&ClusterName> =
            self.clusters.iter().filter(|cluster| ecosystems.get(cluster.as_str()).is_none()).collect();
        let findings = without.into_iter().map(|cluster| {
            let message = format!("`vault_cluster_map` has no ecosystem for the cluster `{cluster}`");
            let hint = format!("Add `{cluster}` to `vault_cluster_map` in the system configuration.");
            Finding::whole(self.system.directory(), "secret", message, hint).at(place.as_ref())
        });
        let mut findings: Vec<Finding> = findings.collect();
        for cluster in &self.clusters {
            let Some(node) = ecosystems.get(cluster.as_str()).filter(|node| node.as_str().is_none()) else {
                continue;
            };
            let error = SettingError::new(format!("vault_cluster_map.{cluster}"), node, "a string");
            let message = SettingError { position: None, ..error }.to_string();
            let hint = "Name the cluster's ecosystem there, in the system configuration.";
            findings.push(Finding::whole(self.system.directory(), "secret", message, hint).at_node(node));
        }
        self.findings.extend(findings);
    }

    fn ecosystems(&self) -> Option<&Map> {
        let ecosystems = self.system.map().get("vault_cluster_map").and_then(Node::as_map);
        ecosystems.filter(|map| !map.is_empty())
    }

    /// What is missing for a reference, and what to do.
    fn missing(&self, cluster: &ClusterName, reference: &SecretReference) -> Option<(String, String)> {
        let SecretReference { name, shared, .. } = reference;
        let path = self.secret_path(name, *shared);
        let shown = self.soa.source().show(&path);
        let bytes = match self.soa.source().read(&path) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => {
                let hint =
                    format!("Mend the name, or write the secret to this file, encrypted for `{cluster}`.");
                return Some((format!("there is no secret `{name}`, as `{shown}` is missing"), hint));
            }
            Err(error) => {
                let hint = "Make it a regular file that is readable and inside of the soa-configs.";
                return Some((
                    format!("the secret `{name}` cannot be read from `{shown}`: {}", error.source),
                    hint.to_owned(),
                ));
            }
        };
        let document = match parse_json(&bytes, &shown) {
            Ok(document) => document,
            Err(error) => {
                let hint = "Mend the file, or write it anew from the secret.";
                return Some((format!("the secret `{name}` cannot be read: {error}"), hint.to_owned()));
            }
        };
        // A cluster without an ecosystem is told once for all.
        let ecosystem = self.ecosystems()?.get(cluster.as_str()).and_then(Node::as_str)?;
        let environments = document.as_map().and_then(|map| map.get("environments")).and_then(Node::as_map);
        let secret = environments.and_then(|map| map.get(ecosystem)).and_then(Node::as_map);
        match secret.and_then(|secret| secret.get("ciphertext")) {
            Some(_) => None,
            None => {
                let message =
                    format!("the secret `{name}` has no `ciphertext` for `{ecosystem}` in `{shown}`");
                Some((message, format!("Encrypt the secret for `{ecosystem}` too, and add it to this file.")))
            }
        }
    }

    fn secret_path(&self, name: &str, shared: bool) -> String {
        let folder = if shared { "_shared" } else { self.service.as_str() };
        format!("{folder}/secrets/{name}.json")
    }

    /// Every secret file of the service: JSON, with environments and their ciphertexts.
    pub(super) fn check_secret_files(&mut self) {
        let folder = format!("{}/secrets", self.service);
        let files = self.soa.source().list(&folder).unwrap_or_default();
        for file in files.iter().filter(|file| file.ends_with(".json")) {
            let path = format!("{folder}/{file}");
            let shown = self.soa.source().show(&path);
            match self.soa.source().read(&path) {
                Ok(Some(bytes)) => match parse_json(&bytes, &shown) {
                    Ok(node) => self.findings.extend(shape(&node, &shown)),
                    // Where an instance refers to it, that is an error of the instance.
                    Err(error) => {
                        self.findings.push(Finding::of_load_error(&shown, "syntax", &error.into()).warning());
                    }
                },
                Ok(None) => {}
                Err(error) => {
                    self.findings.push(Finding::of_load_error(&shown, "read", &error.into()).warning())
                }
            }
        }
    }
}

fn shape(node: &Node, file: &str) -> Vec<Finding> {
    let wrong = |node: &Node, message: &str| {
        let hint = "Write it as `{\"environments\": {\"ECOSYSTEM\": {\"ciphertext\": \"…\"}}}`.";
        Finding::whole(file, "secret", message, hint).at_node(node).warning()
    };
    let Some(environments) = node.as_map().and_then(|map| map.get("environments")) else {
        return vec![wrong(node, "the secret has no `environments`")];
    };
    let Some(environments) = environments.as_map() else {
        return vec![wrong(environments, "`environments` of the secret is not a map")];
    };
    let lacks = |(name, _, value): (&str, &Node, &Node)| {
        let text = value.as_map().and_then(|secret| secret.get("ciphertext")).and_then(Node::as_str);
        text.is_none().then(|| wrong(value, &format!("the secret has no `ciphertext` for `{name}`")))
    };
    named(environments).filter_map(lacks).collect()
}
