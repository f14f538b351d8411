//! Every file by itself.

use super::blocks::{self, check_file};
use super::rule::{INTEGER, Rule};
use super::tables::Table;
use super::tron_table::MONITORING_KEYS;
use super::{
    Finding, MANGLED_CHARACTERS_MAX, Run, Severity, cluster_of, hints, is_shared, mangled_length, named,
};
use crate::{InstanceType, LoadError, Map, Node};

/// Files of a service whose content reaches its instances, whatever the cluster.
const GENERAL: [&str; 6] =
    ["data.yaml", "dependencies.yaml", "deploy.yaml", "monitoring.yaml", "service.yaml", "smartstack.yaml"];

/// Those of them that most instances read nothing of.
const LATE: [&str; 3] = ["dependencies.yaml", "monitoring.yaml", "smartstack.yaml"];

impl Run<'_> {
    pub(super) fn check_files(&mut self) {
        for file in self.files.clone() {
            self.check_file(&file);
            self.check_cluster(&file);
        }
        self.check_names_of_files();
        self.check_autotuned();
    }

    fn check_file(&mut self, file: &str) {
        let shown = self.show(file);
        let link = self.soa.source().link_target(&format!("{}/{file}", self.service));
        // What a link leads to is told of the file itself, unless that is a link too: they may lead to each other.
        let told_there = |target: &String| {
            let is_link = self.soa.source().link_target(&format!("{}/{target}", self.service)).is_some();
            self.files.contains(target) && !is_link && Table::kind_of(target) == Table::kind_of(file)
        };
        if link.as_ref().is_some_and(told_there) {
            return;
        }
        let document = match self.soa.document(self.service, file) {
            Ok(document) => document,
            Err(error) => {
                let mut finding = Finding::of_load_error(&shown, "syntax", &error);
                if matches!(error, LoadError::Setting(_)) {
                    finding.rule = "type";
                }
                if finding.message.contains("cannot start any token")
                    && let Some(told) = self.character_at(file, &finding).and_then(hints::of_character)
                {
                    (finding.message, finding.hint) = told;
                }
                // A file that is whole counts where something of it is read, and there its instances tell.
                let is_whole = matches!(error, LoadError::Setting(_));
                if is_whole && file == "data.yaml" {
                    return;
                }
                if !self.is_read(file, link.is_some()) || (is_whole && LATE.contains(&file)) {
                    finding.severity = Severity::Warning;
                }
                self.findings.push(finding);
                return;
            }
        };
        self.findings.extend(document.warnings.iter().map(Finding::of_duplicate));
        if let Some(table) = Table::of_file(file) {
            let mut found = check_file(table, &shown, &document.map, document.is_null);
            if table.kind == "kubernetes" {
                found.extend(name_lengths(&shown, &document.map));
            }
            if link.is_some() {
                // The original leaves links to other directories alone.
                found.iter_mut().for_each(|finding| finding.severity = Severity::Warning);
            }
            self.findings.extend(found);
        }
        self.findings.extend(match file {
            "service.yaml" => service(&document.map, &shown),
            "monitoring.yaml" => monitoring(&document.map, &shown),
            "deploy.yaml" => deploy(&document.map, &shown),
            "smartstack.yaml" => smartstack(&document.map, &shown),
            "dependencies.yaml" => dependencies(&document.map, &shown),
            _ => Vec::new(),
        });
    }

    /// The character where a finding is.
    fn character_at(&self, file: &str, finding: &Finding) -> Option<char> {
        let bytes = self.soa.source().read(&format!("{}/{file}", self.service)).ok()??;
        let text = String::from_utf8_lossy(&bytes);
        let line = text.lines().nth(finding.line?.checked_sub(1)? as usize)?;
        line.chars().nth(finding.column?.checked_sub(1)? as usize)
    }

    /// Whether anything of PaaSTA reads the file, and so fails where it is broken.
    fn is_read(&self, file: &str, is_link: bool) -> bool {
        let of_known = |(_, name): (InstanceType, &str)| self.clusters.iter().any(|one| one.as_str() == name);
        let has_instances =
            || !self.clusters.is_empty() || self.files.iter().any(|file| file.starts_with("tron-"));
        (GENERAL.contains(&file) && has_instances())
            || (Table::of_file(file).is_some() && !is_link)
            || cluster_of(file).is_some_and(of_known)
    }

    /// A file for a cluster that nobody knows is read by nobody.
    fn check_cluster(&mut self, file: &str) {
        let Some((kind, name)) = cluster_of(file) else { return };
        let Ok(clusters) = self.system.clusters() else { return };
        let known: Vec<&str> = clusters.iter().map(|cluster| cluster.as_str()).collect();
        if known.is_empty() || known.contains(&name) || is_shared(name) || kind == InstanceType::Tron {
            return;
        }
        let links = |other: &String| {
            self.soa.source().link_target(&format!("{}/{other}", self.service)).is_some_and(|to| to == file)
        };
        if self.files.iter().any(links) {
            return;
        }
        let message = format!("no cluster is called `{name}`, so nothing in this file runs");
        let hint = match hints::one_of(name, known.iter().copied()) {
            hint if hint.starts_with("Did") => {
                hint.replace(name, "").replace("mean `", &format!("mean `{kind}-")).replace("`?", ".yaml`?")
            }
            _ => format!(
                "Rename the file; the system configuration knows the clusters `{}`.",
                known.join("`, `")
            ),
        };
        self.findings.push(Finding::whole(self.show(file), "unknown-cluster", message, hint).warning());
    }

    /// Files that nobody reads, but that look as if somebody should.
    fn check_names_of_files(&mut self) {
        let files = self.soa.source().list(self.service.as_str()).unwrap_or_default();
        let clusters = self.system.clusters().unwrap_or_default();
        let of_clusters =
            clusters.iter().flat_map(|cluster| InstanceType::ALL.map(|kind| kind.file(cluster)));
        let known: Vec<String> = GENERAL.map(str::to_owned).into_iter().chain(of_clusters).collect();
        for file in files.iter().filter(|file| !file.starts_with('.')) {
            let unread =
                Table::of_file(file).is_none() && cluster_of(file).is_none() && !known.contains(file);
            let hint = match file.strip_suffix(".yml") {
                Some(stem) => Some(format!("Rename it to `{stem}.yaml`.")),
                None if unread && file.ends_with(".yaml") => {
                    let close =
                        known.iter().find(|name| blocks::is_close(file, name) && !files.contains(name));
                    close.map(|close| format!("Did you mean `{close}`?"))
                }
                None => None,
            };
            if let Some(hint) = hint {
                let message = "nothing reads a file of this name";
                self.findings.push(Finding::whole(self.show(file), "file-name", message, hint).warning());
            }
        }
    }

    /// Files that a machine writes; the original reads them unchecked.
    fn check_autotuned(&mut self) {
        let Some(table) = Table::of_kind("autotuned") else { return };
        let folder = format!("{}/autotuned_defaults", self.service);
        for file in self.soa.source().list(&folder).unwrap_or_default() {
            let Some((kind, _)) = cluster_of(&file) else { continue };
            let shown = self.show(&format!("autotuned_defaults/{file}"));
            let found = match self.soa.document(self.service, &format!("autotuned_defaults/{file}")) {
                Ok(document) => {
                    self.findings.extend(document.warnings.iter().map(Finding::of_duplicate));
                    check_file(table, &shown, &document.map, document.is_null)
                }
                Err(error) => {
                    let mut finding = Finding::of_load_error(&shown, "syntax", &error);
                    // Instances are merged with it only where that is asked for.
                    if self.system.auto_config_enabled(kind.as_str()).unwrap_or_default() {
                        self.findings.push(finding);
                        continue;
                    }
                    finding.severity = Severity::Warning;
                    vec![finding]
                }
            };
            self.findings.extend(found.into_iter().map(Finding::warning));
        }
    }
}

fn name_lengths(file: &str, map: &Map) -> Vec<Finding> {
    let long = |(name, key, _): (&str, &Node, &Node)| {
        let length = mangled_length(name);
        (length > MANGLED_CHARACTERS_MAX && !name.starts_with('_')).then(|| {
            let message = format!(
                "{name}: the name comes to {length} characters on Kubernetes, where `_` counts twice; {MANGLED_CHARACTERS_MAX} fit"
            );
            Finding::whole(file, "name-length", message, "Choose a shorter name.").at_node(key)
        })
    };
    named(map).filter_map(long).collect()
}

/// Keys that somebody reads from service.yaml; others are defaults of instances, or notes.
fn service(map: &Map, file: &str) -> Vec<Finding> {
    let mut known = vec![
        "data",
        "dependencies",
        "deploy",
        "deployed_to",
        "description",
        "docker_registry",
        "encryption_key",
        "env_runs_on",
        "external_link",
        "git_url",
        "monitoring",
        "needs_puppet_help",
        "port",
        "runs_on",
        "smartstack",
    ];
    known.extend(Table::of_kind("marathon").into_iter().flat_map(Table::keys));
    known.extend(MONITORING_KEYS.iter().map(|key| key.name));
    blocks::misspelt(map, &known, "", file)
}

/// Alerts read times as texts or seconds, and take null for what is not set.
fn monitoring(map: &Map, file: &str) -> Vec<Finding> {
    const TIME: Rule = Rule::Either(&[Rule::Text, INTEGER]);
    let known: Vec<&str> = MONITORING_KEYS.iter().map(|key| key.name).chain(["check_every", "ttl"]).collect();
    let mut findings = blocks::misspelt(map, &known, "", file);
    for (name, _, value) in named(map).filter(|(.., value)| !value.is_null()) {
        let rule = match MONITORING_KEYS.iter().find(|key| key.name == name) {
            _ if matches!(name, "alert_after" | "check_every" | "ttl") => &TIME,
            Some(key) => &key.rule,
            None => continue,
        };
        let found = blocks::check_value(rule, value, name, file, "type");
        findings.extend(found.into_iter().map(Finding::warning));
    }
    findings
}

fn deploy(map: &Map, file: &str) -> Vec<Finding> {
    const TOP: [&str; 5] =
        ["allowed_push_groups", "pipeline", "production_deploy_group", "slack_channels", "slack_notify"];
    const STEP: [&str; 9] = [
        "auto_rollback",
        "notify_after_abort",
        "notify_after_auto_rollback",
        "notify_after_good_deploy",
        "notify_after_mark",
        "slack_notify",
        "step",
        "trigger_next_step_manually",
        "wait_for_deployment",
    ];
    let mut findings = blocks::misspelt(map, &TOP, "", file);
    let steps = map.get("pipeline").and_then(Node::as_list).unwrap_or_default();
    let mut seen: Vec<&str> = Vec::new();
    for (index, node) in steps.iter().enumerate() {
        let Some(step) = node.as_map() else { continue };
        findings.extend(blocks::misspelt(step, &STEP, &format!("pipeline[{index}]"), file));
        let Some(node) = step.get("step") else { continue };
        let Some(name) = node.as_str() else { continue };
        if seen.contains(&name) {
            let message = format!("pipeline[{index}]: the step `{name}` stands in the pipeline twice");
            let hint = "Remove one of the two, or rename it.";
            findings.push(Finding::whole(file, "repeated", message, hint).at_node(node).warning());
        }
        seen.push(name);
    }
    findings
}

fn smartstack(map: &Map, file: &str) -> Vec<Finding> {
    const KEYS: [&str; 17] = [
        "advertise",
        "discover",
        "extra_advertise",
        "extra_healthcheck_headers",
        "healthcheck_body_expect",
        "healthcheck_mode",
        "healthcheck_port",
        "healthcheck_timeout_s",
        "healthcheck_uri",
        "mode",
        "proxy_port",
        "retries",
        "routes",
        "timeout_client_ms",
        "timeout_connect_ms",
        "timeout_server_ms",
        "updown_timeout_s",
    ];
    let of_namespace = |(name, _, value): (&str, &Node, &Node)| match value.as_map() {
        Some(namespace) => blocks::misspelt(namespace, &KEYS, name, file),
        None => Vec::new(),
    };
    named(map).flat_map(of_namespace).collect()
}

/// Groups are lists of maps that name one thing each (config.md §1.9).
fn dependencies(map: &Map, file: &str) -> Vec<Finding> {
    const KINDS: [&str; 3] = ["cidr", "smartstack", "well-known"];
    let mut findings = Vec::new();
    let mut tell = |path: String, node: &Node, message: &str, hint: &str| {
        let message = format!("{path}: {message}");
        findings.push(Finding::whole(file, "dependencies", message, hint).at_node(node).warning());
    };
    for (group, _, value) in named(map) {
        let Some(list) = value.as_list() else {
            let message = format!("{} is not a list of dependencies", value.kind());
            tell(group.to_owned(), value, &message, "Write a list, such as `- well-known: internet`.");
            continue;
        };
        for (index, entry) in list.iter().enumerate() {
            let path = format!("{group}[{index}]");
            let known = entry.as_map().and_then(|entry| KINDS.iter().find_map(|kind| entry.get_set(kind)));
            let Some(known) = known else {
                let hint = "Name one of `well-known: internet`, `smartstack: service.namespace`, `cidr: 10.0.0.0/8`.";
                tell(path, entry, "this is no dependency", hint);
                continue;
            };
            if entry.as_map().is_some_and(|map| map.get("well-known").is_some())
                && known.as_str() != Some("internet")
                && entry
                    .as_map()
                    .is_some_and(|map| map.get("cidr").is_none() && map.get("smartstack").is_none())
            {
                tell(path, known, "only `internet` is well known", "Write `well-known: internet`.");
            }
        }
    }
    findings
}
