//! Every instance of every known cluster, and what they have in common (config.md §8.6).

use std::collections::BTreeMap;
use std::sync::Arc;

use paasta_core::{ClusterName, InstanceId, InstanceName};

use super::instance::Checks;
use super::{Finding, Run, Severity, named, tron};
use crate::soa::Document;
use crate::{InstanceConfig, InstanceType, LoadError, Map, Node, Pipeline};

impl Run<'_> {
    pub(super) fn check_instances(&mut self) {
        let before = self.findings.len();
        let pipeline = self.pipeline();
        if self.clusters.is_empty() {
            // Nobody asks for it yet.
            self.findings.iter_mut().skip(before).for_each(|finding| finding.severity = Severity::Warning);
            return;
        }
        let mut undeployed = Vec::new();
        for cluster in self.clusters.clone() {
            let mut types = BTreeMap::new();
            for kind in InstanceType::ALL {
                let Some((file, document)) = self.document_of(kind, &cluster) else { continue };
                self.check_names(kind, &cluster, &file, &document.map, &mut types);
                if !InstanceType::LOADABLE.contains(&kind) {
                    self.findings.push(unloadable(kind, &file));
                } else if kind != InstanceType::Tron {
                    let blocks = named(&document.map).filter(|(name, ..)| !name.starts_with('_'));
                    for (name, key, value) in blocks {
                        let block = Block { kind, cluster: &cluster, file: &file, name, key, value };
                        undeployed.extend(self.check_instance(&block, pipeline.as_ref()));
                    }
                }
            }
        }
        self.tell_missing_pipeline(undeployed);
    }

    /// The file of that type, if the service has it and it can be read; else that has been told already.
    pub(super) fn document_of(
        &self,
        kind: InstanceType,
        cluster: &ClusterName,
    ) -> Option<(String, Arc<Document>)> {
        let file = kind.file(cluster);
        self.files.binary_search(&file).ok()?;
        Some((self.show(&file), self.soa.document(self.service, &file).ok()?))
    }

    /// The pipeline, once for all; `None` where it cannot be read, which is told.
    fn pipeline(&mut self) -> Option<Pipeline> {
        match self.soa.pipeline(self.service) {
            Ok(pipeline) => Some(pipeline),
            Err(error) => {
                // What is no YAML has been told already.
                if let (LoadError::Setting(_), Ok(_)) =
                    (&error, self.soa.document(self.service, "deploy.yaml"))
                {
                    let mut finding = Finding::of_load_error(&self.show("deploy.yaml"), "pipeline", &error);
                    finding.hint = "Write each step of the pipeline as `- step: name`.".to_owned();
                    self.findings.push(finding);
                }
                None
            }
        }
    }

    /// Names are unique across types (config.md §8.1).
    fn check_names(
        &mut self,
        kind: InstanceType,
        cluster: &ClusterName,
        file: &str,
        map: &Map,
        types: &mut BTreeMap<String, InstanceType>,
    ) {
        let mut names: Vec<(String, &Node)> = Vec::new();
        for (name, key, value) in named(map).filter(|(name, ..)| !name.starts_with('_')) {
            match kind {
                InstanceType::Tron => names.extend(
                    tron::actions(value)
                        .into_iter()
                        .map(|action| (format!("{name}.{}", action.name), action.at)),
                ),
                _ => names.push((name.to_owned(), key)),
            }
        }
        for (name, at) in names {
            match types.get(&name) {
                Some(first) if *first != kind => {
                    let message = format!(
                        "{name}: the instance is also defined in {}, and commands find only that one",
                        first.file(cluster)
                    );
                    let hint = "Give one of the two another name.";
                    self.findings.push(Finding::whole(file, "unique-names", message, hint).at_node(at));
                }
                _ => {
                    types.insert(name, kind);
                }
            }
        }
    }

    /// Checks one instance; gives its deploy group back where there is no pipeline at all.
    fn check_instance(&mut self, block: &Block<'_>, pipeline: Option<&Pipeline>) -> Option<String> {
        let Block { kind, cluster, file, name, key, value } = *block;
        let id = match InstanceName::new(name) {
            Ok(name) => InstanceId::new(self.service.clone(), name),
            Err(error) => {
                let hint = "Use lower-case letters, digits, `_` and `-`.";
                self.findings.push(Finding::whole(file, "name", error.to_string(), hint).at_node(key));
                return None;
            }
        };
        if value.as_map().is_none() {
            // As the table tells it, where there is one.
            let message = format!("{name}: {} is not a map of settings", value.kind());
            let hint = format!("Write its settings indented below `{name}:`, or remove the line.");
            self.findings.push(Finding::whole(file, "type", message, hint).at_node(value));
            return None;
        }
        let mut is_whole = true;
        let settings = match self.soa.settings(&id, kind, cluster, self.system) {
            Ok(settings) => settings,
            // Another file that cannot be parsed has been told already: the rest is judged by what stands here.
            Err(LoadError::Yaml(_) | LoadError::Io(_)) => {
                is_whole = false;
                self.soa.settings_in_block(&id, kind, cluster, value)?
            }
            Err(error) => {
                let mut finding = Finding::of_load_error(file, "load", &error);
                if finding.line.is_none() {
                    finding = finding.at_node(key);
                }
                self.findings.push(finding);
                return None;
            }
        };
        let namespace = match kind {
            InstanceType::Marathon => self.namespace(&id, cluster, &settings, file),
            _ => Map::new(),
        };
        let config = InstanceConfig::new(&id, kind, cluster, &settings, &namespace);
        let checks = Checks { config, file, key, known: self.known };
        checks.run(&mut self.findings);
        // A block without settings has been told; rendering it would tell of the service's defaults alone.
        let has_settings = value.as_map().is_some_and(|block| !block.is_empty());
        if let Some(renderer) = self.known.renderer.filter(|_| is_whole && has_settings) {
            checks.render(renderer, &namespace, self.system, &mut self.findings);
        }
        self.check_secrets(cluster, &settings, name, file);
        let pipeline = pipeline?;
        let group = checks.undeployed(pipeline)?;
        if self.files.binary_search(&"deploy.yaml".to_owned()).is_err() {
            return Some(group);
        }
        self.findings.push(checks.no_step(&group, pipeline, "deploy.yaml"));
        None
    }

    fn namespace(&mut self, id: &InstanceId, cluster: &ClusterName, settings: &Map, file: &str) -> Map {
        match self.soa.namespace_of(id, InstanceType::Marathon, cluster, settings) {
            Ok(namespace) => namespace,
            Err(error) => {
                // A name that is no registration is told with the others of its list; a file that is no YAML by itself.
                if !matches!(error, LoadError::InvalidName { .. } | LoadError::Yaml(_) | LoadError::Io(_)) {
                    self.findings.push(Finding::of_load_error(file, "load", &error));
                }
                Map::new()
            }
        }
    }

    /// Without deploy.yaml all instances lack the same.
    fn tell_missing_pipeline(&mut self, mut groups: Vec<String>) {
        groups.sort();
        groups.dedup();
        let Some(first) = groups.first() else { return };
        let message = format!("there is no deploy.yaml, so nothing deploys `{}`", groups.join("`, `"));
        let hint =
            format!("Create deploy.yaml with `pipeline: [{{step: {first}}}]`, one step per deploy group.");
        self.findings.push(Finding::whole(self.show("deploy.yaml"), "deploy-group", message, hint));
    }
}

fn unloadable(kind: InstanceType, file: &str) -> Finding {
    let message = format!("instances of the type `{kind}` are listed and never run");
    let hint = "Define them in a marathon file, or delete this one.";
    Finding::whole(file, "instance-type", message, hint).warning()
}

/// An instance as it stands in its file.
struct Block<'a> {
    kind: InstanceType,
    cluster: &'a ClusterName,
    file: &'a str,
    name: &'a str,
    key: &'a Node,
    value: &'a Node,
}

/// The metrics of `new_autoscaling` and their names' lengths (config.md §8.1).
pub(super) fn autoscaling(settings: &Map, name: &str, file: &str) -> Vec<Finding> {
    const METRIC_CHARACTERS_MAX: usize = 63;
    const DIMENSION_KEY_CHARACTERS_MAX: usize = 128;
    const DIMENSION_VALUE_CHARACTERS_MAX: usize = 256;
    let mut findings = Vec::new();
    let mut limit = |node: &Node, what: &str, max: usize| {
        let length = node.as_str().map_or(0, |text| text.chars().count());
        if length > max {
            let message = format!("{name}.new_autoscaling: the {what} has {length} characters; {max} fit");
            let finding = Finding::whole(file, "name-length", message, "Choose a shorter name.");
            findings.push(finding.at_node(node));
        }
    };
    let metrics = settings.get("new_autoscaling").and_then(Node::as_map);
    for (key, value) in metrics.into_iter().flat_map(Map::iter) {
        limit(key, "name of a metric", METRIC_CHARACTERS_MAX);
        if !matches!(key.as_str(), Some("http" | "uwsgi")) {
            continue;
        }
        let dimensions = value.as_map().and_then(|metric| metric.get("dimensions")).and_then(Node::as_map);
        for (key, value) in dimensions.into_iter().flat_map(Map::iter) {
            limit(key, "key of a dimension", DIMENSION_KEY_CHARACTERS_MAX);
            limit(value, "value of a dimension", DIMENSION_VALUE_CHARACTERS_MAX);
        }
    }
    findings
}
