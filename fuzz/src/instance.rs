//! A service's files, from their bytes to apps.

use std::sync::Arc;

use paasta_config::{InstanceType, KnownNames, Memory, Soa, SystemConfig, parse_json};
use paasta_core::{InstanceId, Reading, ServiceName};
use paasta_marathon::{AppRendering, MarathonRenderer, config_hash, render_app};
use serde_json::{Map, Value, json};

use crate::getters;

const SYSTEM: &str = r#"{"cluster": "c", "clusters": ["c"], "docker_registry": "r.example.com", "volumes": [
    {"hostPath": "/etc/services", "containerPath": "/etc/services", "mode": "RO"}], "vault_environment": "e",
    "marathon_servers": [{"url": ["http://127.0.0.1:1"], "user": "", "password": ""}]}"#;

/// The files that may follow the Marathon file, each after a line `==== NAME`, those of the service itself without its
/// folder. Besides, `system.json` is the system configuration, `count` the autoscaled count, and `force` the text of the
/// last start or stop.
const FILES: &[&str] = &[
    "svc/service.yaml",
    "svc/smartstack.yaml",
    "svc/monitoring.yaml",
    "svc/dependencies.yaml",
    "svc/deploy.yaml",
    "svc/port",
    "svc/adhoc-c.yaml",
    "svc/kubernetes-c.yaml",
    "svc/tron-c.yaml",
    "svc/autotuned_defaults/marathon-c.yaml",
    "svc/secrets/s.json",
    "_shared/secrets/s.json",
];

/// As many instances of one file as are looked at.
const INSTANCES_MAX: usize = 4;

/// Whatever the files hold, each instance is rendered or refused with a reason, the same each time it is read; what is
/// hashed is JSON as Python writes it, and the id goes with it.
pub fn instance(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let case = Case::of(text);
    let Ok(system) = SystemConfig::from_json(case.system) else { return };
    let deployed = case.deployed(&system);
    let soa = || Soa::new(deployed.clone()).cached();
    assert_eq!(all(&soa(), &system, &case), all(&soa(), &system, &case));
    getters::of_service(&soa(), &system, &Case::service());
    let known = KnownNames { bounce_methods: &["crossover"], drain_methods: &["noop"], ..KnownNames::default() };
    for finding in soa().validate(&Case::service(), &system, &known) {
        assert!(!finding.to_string().is_empty());
    }
}

struct Case<'a> {
    tree: Memory,
    system: &'a str,
    count: Reading<Option<i64>>,
    force: Option<&'a str>,
}

impl<'a> Case<'a> {
    fn of(text: &'a str) -> Self {
        let mut sections = text.split("\n==== ");
        let tree = Memory::new().with("svc/marathon-c.yaml", sections.next().unwrap_or_default());
        let mut case = Self { tree, system: SYSTEM, count: Reading::Known(None), force: None };
        for section in sections {
            let (name, content) = section.split_once('\n').unwrap_or((section, ""));
            match name {
                "system.json" => case.system = content,
                "count" => {
                    case.count = match content.trim().parse() {
                        Ok(count) => Reading::Known(Some(count)),
                        Err(_) => Reading::Unknown("nobody answers".to_owned()),
                    };
                }
                "force" => case.force = Some(content),
                _ => {
                    let is_it = |path: &&&str| path.strip_prefix("svc/").unwrap_or(path) == name;
                    if let Some(path) = FILES.iter().find(is_it) {
                        case.tree.insert(*path, content);
                    }
                }
            }
        }
        case
    }

    fn service() -> ServiceName {
        "svc".parse().expect("a name")
    }

    /// The tree with a deployments.json in which everything is deployed.
    fn deployed(&self, system: &SystemConfig) -> Arc<Memory> {
        let soa = Soa::new(Arc::new(self.tree.clone())).cached();
        let (mut deployments, mut controls) = (Map::new(), Map::new());
        for id in instances(&soa, system) {
            let Ok(cluster) = system.cluster() else { continue };
            let group = soa.deploy_group(&id, InstanceType::Marathon, &cluster, system);
            if let Ok(Some(group)) = group {
                let image = "services-svc:paasta-0123456789abcdef0123456789abcdef01234567";
                deployments.insert(group, json!({"docker_image": image, "git_sha": "0123"}));
                let key = format!("svc:{cluster}.{}", id.instance());
                controls.insert(key, json!({"desired_state": "start", "force_bounce": self.force}));
            }
        }
        let document = json!({"v2": {"deployments": deployments, "controls": controls}});
        Arc::new(self.tree.clone().with("svc/deployments.json", document.to_string()))
    }
}

fn instances(soa: &Soa, system: &SystemConfig) -> Vec<InstanceId> {
    let service = Case::service();
    let Ok(cluster) = system.cluster() else { return Vec::new() };
    let names = soa.instances(&service, &cluster, InstanceType::Marathon).unwrap_or_default();
    names.into_iter().take(INSTANCES_MAX).map(|name| InstanceId::new(service.clone(), name)).collect()
}

/// What every instance comes to.
fn all(soa: &Soa, system: &SystemConfig, case: &Case<'_>) -> Vec<Result<AppRendering, String>> {
    instances(soa, system).iter().map(|id| one(soa, system, id, case)).collect()
}

fn one(soa: &Soa, system: &SystemConfig, id: &InstanceId, case: &Case<'_>) -> Result<AppRendering, String> {
    let wanted = soa.wanted(id, system, case.count.clone()).map_err(|error| {
        assert!(!error.class().is_empty());
        error.to_string()
    })?;
    getters::of_instance(&wanted.instance(), &wanted.autoscaled_count);
    let _ = soa.missing_signatures(&wanted).len();
    if let Ok(renderer) = MarathonRenderer::from_system(system.map()) {
        let _ = (renderer.shard(&wanted), renderer.previous_shards(&wanted), renderer.homes(&wanted));
    }
    let app = render_app(&wanted).map_err(|error| {
        assert!(!error.class.is_empty() && !error.message.contains('\n'), "{error}");
        error.to_string()
    })?;
    assert!(app.app.belongs_to(id), "{} is no app of {id}", app.app);
    assert_eq!(app.config_hash, config_hash(&app.hash_input));
    assert!(app.app.as_str().ends_with(&app.config_hash));
    let force = case.force.unwrap_or_default();
    let hashed = app.hash_input.strip_suffix(force).expect("the text of the last start or stop ends it");
    is_pythons_json(hashed);
    let body: Value = serde_json::from_str(&app.body).expect("the body is JSON");
    assert_eq!(body["id"], app.app.as_str());
    is_pythons_json(&app.body);
    Ok(app)
}

/// ASCII, and the same bytes after a walk through a plain reader and writer. Infinities are left to our own reader.
fn is_pythons_json(text: &str) {
    assert!(text.bytes().all(|b| (b' '..=b'~').contains(&b)), "{text}");
    assert!(parse_json(text.as_bytes(), "").is_ok(), "{text}");
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        let mut out = String::with_capacity(text.len());
        dump(&mut out, &value);
        // A key may stand twice where `1` and `true` are both texts in JSON.
        assert!(out == text || out.len() < text.len(), "{out}\n{text}");
    }
}

fn dump(out: &mut String, value: &Value) {
    match value {
        Value::Array(list) => {
            out.push('[');
            for (index, item) in list.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                dump(out, item);
            }
            out.push(']');
        }
        Value::Object(map) => {
            out.push('{');
            for (index, (key, value)) in map.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                text(out, key);
                out.push_str(": ");
                dump(out, value);
            }
            out.push('}');
        }
        Value::String(string) => text(out, string),
        other => out.push_str(&other.to_string()),
    }
}

/// A text by way of a general writer, which keeps what is not ASCII.
fn text(out: &mut String, string: &str) {
    for c in Value::from(string).to_string().chars() {
        if (' '..='~').contains(&c) {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
}
