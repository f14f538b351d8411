//! What is wrong with a service's files, all of it at once (config.md §8).
//!
//! Three looks at a service: every file by itself (its syntax, keys written twice, and the table of its kind), every
//! instance of every known cluster once it is merged, and what instances have in common: names, secrets, the pipeline.
//! What the original refuses is an error, as is what cannot be rendered, which is tried; what it lets pass although it is hardly meant
//! is a warning, so that files which pass there pass here.

use paasta_core::{ClusterName, ServiceName};

use crate::{InstanceType, Node, Renderer, SettingError, Soa, SystemConfig, SystemError};

mod blocks;
mod files;
mod finding;
mod hints;
mod instance;
mod instances;
mod long_running;
mod rule;
mod schema;
mod secrets;
mod strict;
mod tables;
mod trial;
mod tron;
mod tron_table;

pub use finding::{Finding, Severity};
pub use schema::{json_schema, schema_kinds};

/// Names that are defined outside of this crate.
#[derive(Clone, Copy, Default)]
pub struct KnownNames<'a> {
    /// Every bounce method.
    pub bounce_methods: &'a [&'a str],
    /// Every drain method.
    pub drain_methods: &'a [&'a str],
    /// Every team that can be alerted; `None` where nobody knows, which lets any pass.
    pub teams: Option<&'a [&'a str]>,
    /// What renders Marathon instances; with `None`, nobody looks whether they can be rendered.
    pub renderer: Option<&'a dyn Renderer>,
}

impl std::fmt::Debug for KnownNames<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { bounce_methods, drain_methods, teams, renderer } = self;
        f.debug_struct("KnownNames")
            .field("bounce_methods", bounce_methods)
            .field("drain_methods", drain_methods)
            .field("teams", teams)
            .field("renders", &renderer.is_some())
            .finish()
    }
}

impl Soa {
    /// Everything found about one service, by file and line. Instances are checked in the clusters of `system`, or
    /// in all that the service has files for where `system` names none. Only the service's own files are read, shared
    /// secrets, and the pipelines of services whose image a Tron action names.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use paasta_config::{KnownNames, Memory, Soa, SystemConfig};
    ///
    /// let tree = Memory::new().with("svc/marathon-pnw.yaml", "main:\n  cpu: 1\n").with("svc/deploy.yaml", "pipeline: [{step: pnw.main}]");
    /// let known = KnownNames { bounce_methods: &["crossover"], drain_methods: &["noop"], ..KnownNames::default() };
    /// let findings = Soa::new(Arc::new(tree)).validate(&"svc".parse()?, &SystemConfig::from_json("{}")?, &known);
    /// assert_eq!(findings.len(), 1);
    /// assert_eq!(findings[0].to_string(), "svc/marathon-pnw.yaml:2:3: error: main.cpu: there is no such key");
    /// assert_eq!(findings[0].hint, "Did you mean `cpus`?");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn validate(
        &self,
        service: &ServiceName,
        system: &SystemConfig,
        known: &KnownNames<'_>,
    ) -> Vec<Finding> {
        // Each file is parsed once, whoever asks.
        let soa = if self.is_cached() { self.clone() } else { self.clone().cached() };
        let files = match soa.files_of(service) {
            Ok(files) => files,
            Err(finding) => return vec![finding],
        };
        if let Some(finding) = too_long(&soa, service) {
            return vec![finding];
        }
        let mut run =
            Run { soa: &soa, service, system, known, clusters: Vec::new(), files, findings: Vec::new() };
        run.find_clusters();
        run.check_files();
        run.check_instances();
        run.check_tron();
        run.check_ecosystems();
        run.check_secret_files();
        told_once(run.findings)
    }

    /// The YAML files beside each other in the service's directory, sorted.
    fn files_of(&self, service: &ServiceName) -> Result<Vec<String>, Finding> {
        let files = self
            .source()
            .list(service.as_str())
            .map_err(|error| Finding::of_load_error(service.as_str(), "read", &error.into()))?;
        let yaml: Vec<String> =
            files.into_iter().filter(|file| file.ends_with(".yaml") && !file.starts_with('.')).collect();
        if yaml.is_empty() {
            let message = "there is no service here: the directory is missing, or holds no .yaml file";
            let hint = "Check the spelling of the service, and that -y names the directory of soa-configs.";
            return Err(Finding::whole(self.source().show(service.as_str()), "service", message, hint));
        }
        Ok(yaml)
    }
}

/// One look at one service.
struct Run<'a> {
    soa: &'a Soa,
    service: &'a ServiceName,
    system: &'a SystemConfig,
    known: &'a KnownNames<'a>,
    /// Those whose instances are looked at.
    clusters: Vec<ClusterName>,
    /// The YAML files of the service.
    files: Vec<String>,
    findings: Vec<Finding>,
}

impl Run<'_> {
    fn find_clusters(&mut self) {
        let of_files = self.files.iter().filter_map(|file| cluster_of(file)).map(|(_, cluster)| cluster);
        let mut clusters: Vec<ClusterName> = match self.system.clusters() {
            Ok(known) if known.is_empty() => of_files
                .filter(|name| !is_shared(name))
                .filter_map(|name| ClusterName::new(name).ok())
                .collect(),
            Ok(known) => {
                let files: Vec<&str> = of_files.collect();
                known.into_iter().filter(|cluster| files.contains(&cluster.as_str())).collect()
            }
            Err(error) => {
                self.findings.push(self.wrong_clusters(&error));
                Vec::new()
            }
        };
        clusters.sort();
        clusters.dedup();
        self.clusters = clusters;
    }

    fn wrong_clusters(&self, error: &SystemError) -> Finding {
        let hint = "Write `clusters` as a list of names in the system configuration.";
        match error {
            SystemError::Setting(setting) => {
                let message = SettingError { position: None, ..setting.clone() }.to_string();
                let finding = Finding::whole(self.system.directory(), "system", message, hint);
                finding.at(setting.position.as_ref())
            }
            _ => {
                let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
                let message = format!("{error}{}", cause.unwrap_or_default());
                Finding::whole(self.system.directory(), "system", message, hint)
            }
        }
    }

    /// A file of the service, as shown to people.
    fn show(&self, file: &str) -> String {
        self.soa.source().show(&format!("{}/{file}", self.service))
    }
}

/// The type and the cluster that a file's name tells.
fn cluster_of(file: &str) -> Option<(InstanceType, &str)> {
    InstanceType::ALL.into_iter().find_map(|kind| {
        let rest = file.strip_prefix(kind.as_str())?.strip_prefix('-')?;
        Some((kind, rest.strip_suffix(".yaml")?))
    })
}

/// Whether a file is one that others link to, by the custom of naming it in capitals (config.md §1.4).
fn is_shared(cluster: &str) -> bool {
    !cluster.chars().any(char::is_lowercase)
}

/// The length of a name as Kubernetes and DNS get it (config.md §1.5).
fn mangled_length(name: &str) -> usize {
    let mangled = name.replace('_', "--");
    let underscore = if mangled.starts_with("--") { "underscore-".len() - "--".len() } else { 0 };
    mangled.chars().count() + underscore
}

/// The most characters of a name there.
const MANGLED_CHARACTERS_MAX: usize = 63;

fn too_long(soa: &Soa, service: &ServiceName) -> Option<Finding> {
    let length = mangled_length(service.as_str());
    (length > MANGLED_CHARACTERS_MAX).then(|| {
        let message = format!(
            "the service name comes to {length} characters as a DNS name, where `_` counts twice; {MANGLED_CHARACTERS_MAX} fit"
        );
        Finding::whole(soa.source().show(service.as_str()), "name-length", message, "Choose a shorter name.")
    })
}

/// Rules that may speak of the same mistake in the same place, the one with the best story first.
const SAME_MATTER: [&str; 8] =
    ["name", "combination", "type", "load", "registration", "unknown-method", "cmd-and-args", "render"];

/// By place; once where clusters share a file, and where a key's rule and its getter refuse the same value.
fn told_once(mut findings: Vec<Finding>) -> Vec<Finding> {
    let rank = |one: &Finding| SAME_MATTER.iter().position(|rule| *rule == one.rule);
    findings.sort_by(|a, b| {
        let by_story = || b.severity.cmp(&a.severity).then_with(|| rank(a).cmp(&rank(b)));
        a.place().cmp(&b.place()).then_with(by_story).then_with(|| a.rule.cmp(b.rule))
    });
    let mut told: Vec<Finding> = Vec::new();
    for finding in findings {
        let same = |earlier: &Finding| {
            let same_matter = finding.line.is_some() && rank(earlier).is_some() && rank(&finding).is_some();
            same_matter || earlier.message == finding.message
        };
        let here = told.iter().rev().take_while(|earlier| earlier.place() == finding.place());
        if !here.into_iter().any(same) {
            told.push(finding);
        }
    }
    told
}

/// Text keys and their values; the others are told by the table.
fn named(map: &crate::Map) -> impl Iterator<Item = (&str, &Node, &Node)> {
    map.iter().filter_map(|(key, value)| Some((key.as_str()?, key, value)))
}
