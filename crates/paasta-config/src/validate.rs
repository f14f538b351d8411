//! What is wrong with a service's files, all of it at once (config.md §8).
//!
//! So far: the syntax and duplicate keys of every YAML file, and for Marathon instances every key's type, unknown
//! keys, names of bounce and drain methods, deploy groups against the pipeline, and all that [`InstanceConfig`]'s
//! getters refuse.

use paasta_core::{ClusterName, ServiceName};
use serde::Serialize;

use crate::yaml::Warning;
use crate::{InstanceConfig, InstanceType, LoadError, Map, Node, Position, Soa, SystemConfig};

mod instance;
mod keys;

/// One thing to change, or to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The file, as shown to people; the service's directory where no file is to blame.
    pub file: String,
    /// From 1; none where the whole file is meant.
    pub line: Option<u32>,
    /// From 1, in characters.
    pub column: Option<u32>,
    /// A short name of what was checked: `syntax`, `unknown-key`, `deploy-group`, ….
    pub rule: &'static str,
    /// Whether the files can be used like this.
    pub severity: Severity,
    /// What is wrong, with the key and its value.
    pub message: String,
    /// What to do about it, as a sentence.
    pub hint: Option<String>,
}

/// How bad a [`Finding`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It works, but hardly as meant.
    Warning,
    /// It does not work.
    Error,
}

/// Names that are defined outside of this crate.
#[derive(Clone, Copy, Debug)]
pub struct KnownNames<'a> {
    /// Every bounce method.
    pub bounce_methods: &'a [&'a str],
    /// Every drain method.
    pub drain_methods: &'a [&'a str],
}

impl Soa {
    /// Everything found about one service, by file and line. Instances are checked in the clusters of `system`, or
    /// in all that the service has files for where `system` names none.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use paasta_config::{KnownNames, Memory, Soa, SystemConfig};
    ///
    /// let tree = Memory::new().with("svc/marathon-pnw.yaml", "main:\n  cpu: 1\n").with("svc/deploy.yaml", "pipeline: [{step: pnw.main}]");
    /// let known = KnownNames { bounce_methods: &["crossover"], drain_methods: &["noop"] };
    /// let findings = Soa::new(Arc::new(tree)).validate(&"svc".parse()?, &SystemConfig::from_json("{}")?, &known);
    /// assert_eq!(findings.len(), 1);
    /// assert_eq!(findings[0].to_string(), "svc/marathon-pnw.yaml:2:3: error: main.cpu: there is no such key");
    /// assert_eq!(findings[0].hint.as_deref(), Some("Did you mean `cpus`?"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn validate(
        &self,
        service: &ServiceName,
        system: &SystemConfig,
        known: &KnownNames<'_>,
    ) -> Vec<Finding> {
        let mut findings = Vec::new();
        let files = match self.source().list(service.as_str()) {
            Ok(files) => files,
            Err(error) => return vec![Finding::of_load_error(service.as_str(), "read", &error.into())],
        };
        let yaml: Vec<&String> = files.iter().filter(|file| file.ends_with(".yaml")).collect();
        if yaml.is_empty() {
            let message =
                "there is no service here: the directory is missing, or holds no .yaml file".to_owned();
            return vec![Finding::whole(self.source().show(service.as_str()), "service", message)];
        }
        for file in &yaml {
            self.validate_file(service, file, &mut findings);
        }
        let clusters = system.clusters().unwrap_or_default();
        for file in yaml {
            let cluster = file.strip_prefix("marathon-").and_then(|rest| rest.strip_suffix(".yaml"));
            let Some(cluster) = cluster.and_then(|name| ClusterName::new(name).ok()) else { continue };
            if clusters.is_empty() || clusters.contains(&cluster) {
                self.validate_instances(service, &cluster, system, known, &mut findings);
            }
        }
        // Clusters may share a file and its findings, and a key's rule and its getter may refuse the same value.
        findings.sort_by(|a, b| a.spot().cmp(&b.spot()));
        findings
            .dedup_by(|b, a| a == b || (a.line.is_some() && a.spot() == b.spot()) || a.says_as_much_as(b));
        findings
    }

    fn validate_file(&self, service: &ServiceName, file: &str, findings: &mut Vec<Finding>) {
        match self.document(service, file) {
            Ok(document) => {
                findings.extend(document.warnings.iter().map(Finding::of_duplicate));
                if file.starts_with("marathon-") {
                    let path = self.source().show(&format!("{service}/{file}"));
                    keys::check_file(&path, &document.map, findings);
                }
            }
            Err(error) => {
                let path = self.source().show(&format!("{service}/{file}"));
                findings.push(Finding::of_load_error(&path, "syntax", &error));
            }
        }
    }

    fn validate_instances(
        &self,
        service: &ServiceName,
        cluster: &ClusterName,
        system: &SystemConfig,
        known: &KnownNames<'_>,
        findings: &mut Vec<Finding>,
    ) {
        // A file that cannot be read has been told already.
        let Ok(names) = self.instances(service, cluster, InstanceType::Marathon) else { return };
        let file = self.source().show(&format!("{service}/{}", InstanceType::Marathon.file(cluster)));
        let pipeline = self.pipeline(service);
        if let Err(error @ LoadError::Setting(_)) = &pipeline {
            findings.push(Finding::of_load_error(&file, "pipeline", error));
        }
        let groups =
            pipeline.ok().map(|pipeline| pipeline.deploy_groups().map(str::to_owned).collect::<Vec<_>>());
        for name in names {
            let id = paasta_core::InstanceId::new(service.clone(), name);
            let settings = match self.settings(&id, InstanceType::Marathon, cluster, system) {
                Ok(settings) => settings,
                // Files that cannot be parsed and blocks that are null have been told already.
                Err(LoadError::Yaml(_) | LoadError::NoSuchInstance { .. }) => continue,
                Err(error) => {
                    findings.push(Finding::of_load_error(&file, "load", &error));
                    continue;
                }
            };
            let namespace = match self.namespace_of(&id, InstanceType::Marathon, cluster, &settings) {
                Ok(namespace) => namespace,
                Err(error) => {
                    // A name that is no registration is told with the others of its list.
                    if !matches!(error, LoadError::InvalidName { .. }) {
                        findings.push(Finding::of_load_error(&file, "load", &error));
                    }
                    Map::new()
                }
            };
            let config = InstanceConfig::new(&id, InstanceType::Marathon, cluster, &settings, &namespace);
            instance::Checks { config, file: &file, known }.run(groups.as_deref(), findings);
        }
    }
}

impl Finding {
    fn whole(file: String, rule: &'static str, message: String) -> Self {
        Self { file, line: None, column: None, rule, severity: Severity::Error, message, hint: None }
    }

    /// At a place, or at `file` as a whole where the place is not known.
    fn at(position: Option<&Position>, file: &str, rule: &'static str, message: String) -> Self {
        let Some(position) = position else { return Self::whole(file.to_owned(), rule, message) };
        let mut finding = Self::whole(position.file.to_string(), rule, message);
        (finding.line, finding.column) = (Some(position.line), Some(position.column));
        finding
    }

    fn of_node(node: &Node, file: &str, rule: &'static str, message: String) -> Self {
        Self::at(node.position.as_ref(), file, rule, message)
    }

    fn of_load_error(file: &str, rule: &'static str, error: &LoadError) -> Self {
        let text = error.to_string();
        let position = error.position();
        // The place has columns of its own.
        let place = position.map(|position| format!("{position}: ")).unwrap_or_default();
        let message = text.strip_prefix(&place).unwrap_or(&text).to_owned();
        let mut finding = Self::at(position, file, rule, message);
        if let (LoadError::Io(error), source) = (error, std::error::Error::source(error)) {
            finding.file.clone_from(&error.path);
            finding.message = source.map_or_else(|| error.source.to_string(), ToString::to_string);
        }
        finding
    }

    fn of_duplicate(warning: &Warning) -> Self {
        let message =
            format!("the key `{}` stands here again, after line {}", warning.key, warning.first.line);
        let finding = Self::at(Some(&warning.again), "", "duplicate-key", message);
        finding.warning().with_hint("Keep one of the two: the last value counts, in the first one's place.")
    }

    fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Where and by which rule: one finding is enough there.
    fn spot(&self) -> (&str, Option<u32>, Option<u32>, &str) {
        (&self.file, self.line, self.column, self.rule)
    }

    fn says_as_much_as(&self, other: &Self) -> bool {
        (&self.file, self.line, self.column, &self.message)
            == (&other.file, other.line, other.column, &other.message)
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.file)?;
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(f, ":{line}:{column}")?;
        }
        let severity = match self.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        write!(f, ": {severity}: {}", self.message)
    }
}
