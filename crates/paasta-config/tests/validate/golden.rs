//! Whole services as the original judges them (config.md §8). `golden.jsonl` holds, per line, a generated service and
//! what each of the original's checks said of it.

use std::collections::BTreeMap;

use paasta_config::{ConfigSource, Finding, KnownNames, Memory, Severity, Soa, SourceError, SystemConfig};
use serde_json::{Value as Json, json};

/// Files in memory, of which some are links.
#[derive(Debug)]
pub(crate) struct Linked {
    files: Memory,
    /// Target by path.
    links: BTreeMap<String, String>,
}

impl Linked {
    fn target(&self, path: &str) -> Option<String> {
        let (folder, _) = path.rsplit_once('/')?;
        let target = self.links.get(path)?;
        Some(target.strip_prefix("../").map_or_else(|| format!("{folder}/{target}"), str::to_owned))
    }
}

impl ConfigSource for Linked {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, SourceError> {
        self.files.read(&self.target(path).unwrap_or_else(|| path.to_owned()))
    }

    fn list(&self, directory: &str) -> Result<Vec<String>, SourceError> {
        let mut names = self.files.list(directory)?;
        let links = self.links.keys().filter_map(|path| path.strip_prefix(directory)?.strip_prefix('/'));
        names.extend(links.map(str::to_owned));
        names.sort();
        names.dedup();
        Ok(names)
    }

    fn link_target(&self, path: &str) -> Option<String> {
        self.links.get(path).cloned()
    }
}

/// The services of the file.
pub(crate) fn cases() -> Vec<Json> {
    include_str!("golden.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text(json: &Json) -> &str {
    json.as_str().unwrap()
}

pub(crate) fn findings(case: &Json) -> Vec<Finding> {
    let service = text(&case["service"]);
    let mut source = Linked { files: Memory::new(), links: BTreeMap::new() };
    for (name, content) in case["files"].as_object().unwrap() {
        let path = name.strip_prefix("../").map_or_else(|| format!("{service}/{name}"), str::to_owned);
        source.files.insert(path, text(content));
    }
    for (name, target) in case["links"].as_object().unwrap() {
        source.links.insert(format!("{service}/{name}"), text(target).to_owned());
    }
    let system = json!({"clusters": case["clusters"], "vault_cluster_map": case["vault_cluster_map"]});
    let system = SystemConfig::from_json(&system.to_string()).unwrap();
    let teams: Vec<&str> = case["teams"].as_array().unwrap().iter().map(text).collect();
    let known = KnownNames { teams: Some(&teams), ..super::KNOWN };
    Soa::new(std::sync::Arc::new(source)).validate(&service.parse().unwrap(), &system, &known)
}

/// `security.inbound_firewall` takes `allow`, as the original's own check does; its schema wants `accept`, so that only
/// `reject` passes both (docs/differences.md).
fn allows_inbound(case: &Json) -> bool {
    let mut files = case["files"].as_object().unwrap().iter();
    files.any(|(name, content)| {
        name.starts_with("marathon") && text(content).contains("inbound_firewall: allow")
    })
}

/// Checks of the original that have a rule of their own here.
const RULES: [(&str, &[&str]); 4] = [
    ("validate_secrets", &["secret"]),
    ("validate_unique_instance_names", &["unique-names"]),
    ("validate_min_max_instances", &["instance-bounds"]),
    ("validate_autoscaling_configs", &["name-length"]),
];

#[test]
fn services_are_judged_as_the_original_judges_them() {
    let (mut differences, mut mended) = (Vec::new(), 0);
    let cases = cases();
    for case in &cases {
        let findings = findings(case);
        let errors: Vec<&Finding> = findings.iter().filter(|one| one.severity == Severity::Error).collect();
        if case["passes"] != json!(errors.is_empty()) {
            match errors.is_empty() && allows_inbound(case) {
                true => mended += 1,
                false => differences.push(format!("{} {}: {errors:#?}", case["case"], case["what"])),
            }
        }
        let stopped =
            errors.iter().any(|one| one.rule == "service" || one.line.is_none() && one.rule == "name-length");
        for (check, rules) in RULES.iter().filter(|_| !stopped) {
            let failed = case["failed"].as_array().unwrap().contains(&json!(check));
            let broke = case["broke"].as_array().unwrap().contains(&json!(check));
            let told = errors.iter().any(|one| rules.contains(&one.rule));
            if failed != told && !broke {
                differences.push(format!("{} {}: {check}: {errors:#?}", case["case"], case["what"]));
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(cases.len() >= 150 && mended <= 2, "{} cases, {mended} mended", cases.len());
}

/// What a service of these files and links is told.
fn linked(files: &[(&str, &str)], links: &[(&str, &str)]) -> Vec<String> {
    let object = |pairs: &[(&str, &str)]| -> Json {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), json!(text))).collect()
    };
    let case = json!({
        "service": "svc", "clusters": ["c", "d"], "vault_cluster_map": {}, "teams": [],
        "files": object(files), "links": object(links),
    });
    findings(&case).iter().map(ToString::to_string).collect()
}

#[test]
fn what_links_lead_to_is_told_once_and_elsewhere_mildly() {
    let shared = "main: {deploy_group: prod, cpu: 1}\n";
    let deploy = ("deploy.yaml", "pipeline: [{step: prod}]");
    let links = [("marathon-c.yaml", "marathon-all.yaml"), ("marathon-d.yaml", "marathon-all.yaml")];
    assert_eq!(
        linked(&[("marathon-all.yaml", shared), deploy], &links),
        ["svc/marathon-all.yaml:1:28: error: main.cpu: there is no such key"]
    );
    // The original leaves alone what stands outside of the service's directory.
    let links = [("marathon-c.yaml", "../other/marathon-c.yaml")];
    let other = ("../other/marathon-c.yaml", shared);
    assert_eq!(
        linked(&[other, deploy], &links),
        ["svc/marathon-c.yaml:1:28: warning: main.cpu: there is no such key"]
    );
    // Instances behind a link are looked at like any others.
    let links = [("marathon-c.yaml", "marathon-all.yaml")];
    assert_eq!(
        linked(&[("marathon-all.yaml", "main: {deploy_group: prd}\n"), deploy], &links),
        [
            "svc/marathon-c.yaml:1:22: error: main.deploy_group: deploy.yaml has no step `prd`, so nothing deploys it"
        ]
    );
}

#[test]
fn every_finding_says_where_why_and_what_to_do() {
    for case in cases() {
        for finding in findings(&case) {
            assert!(finding.hint.ends_with(['.', '?']) && finding.hint.len() > 10, "{finding:?}");
            assert!(!finding.message.ends_with('.') && !finding.rule.is_empty(), "{finding:?}");
            let whole = ["empty-file", "deploy-group", "service", "unknown-cluster", "name-length"];
            assert!(finding.line.is_some() || whole.contains(&finding.rule), "{finding:?}");
        }
    }
}
