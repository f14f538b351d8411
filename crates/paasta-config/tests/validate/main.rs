//! What validation finds in a service's files.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, and is told by the environment what to do"
)]

mod bad_inputs;
mod getters;
mod golden;
mod mutations;
mod schemas;

use std::sync::Arc;

use paasta_config::{Finding, KnownNames, Memory, Severity, Soa, SystemConfig};

const KNOWN: KnownNames<'_> = KnownNames {
    bounce_methods: &["brutal", "crossover", "down", "downthenup", "upthendown"],
    drain_methods: &["crashy_drain", "hacheck", "http", "noop", "test"],
    teams: None,
    renderer: None,
};

fn validate(files: &[(&str, &str)]) -> Vec<Finding> {
    let mut tree = Memory::new().with("svc/deploy.yaml", "pipeline: [{step: itest}, {step: prod}]");
    for (file, text) in files {
        tree.insert(format!("svc/{file}"), text);
    }
    let system = SystemConfig::from_json(r#"{"cluster": "c", "clusters": ["c"]}"#).unwrap();
    Soa::new(Arc::new(tree)).validate(&"svc".parse().unwrap(), &system, &KNOWN)
}

/// The findings for one instance of `settings`, each without its file.
#[track_caller]
fn check(settings: &str, expected: &[&str]) {
    let text = format!("main:\n  deploy_group: prod\n{settings}");
    let findings = validate(&[("marathon-c.yaml", &text)]);
    let shown: Vec<String> = findings
        .iter()
        .map(|f| {
            let text = f.to_string().replace("svc/marathon-c.yaml:", "");
            format!("{text}. {}", f.hint)
        })
        .collect();
    assert_eq!(shown, expected, "{settings}");
}

#[test]
fn a_good_instance_has_no_findings() {
    check("  cpus: 0.5\n  mem: 512\n  instances: 3\n  env: {A: b}\n  bounce_method: brutal\n", &[]);
    check(
        "  registrations: [svc.main, svc.x.y.z]\n  constraints: [[a, LIKE, 2]]\n  healthcheck_mode: http\n",
        &[],
    );
    check("  security: {inbound_firewall: reject, outbound_firewall: monitor}\n", &[]);
}

#[test]
fn keys_and_their_types() {
    check("  cpu: 1\n", &["3:3: error: main.cpu: there is no such key. Did you mean `cpus`?"]);
    check("  cpus: 0\n", &["3:9: error: main.cpus: `0` is not a number above 0. Write a number above 0."]);
    check(
        "  instances: 1e3\n",
        &[
            "3:14: error: main.instances: \"1e3\" is not an integer of at least 0. Write 1000: with an exponent, YAML reads a number only in the form `1.0e+3`.",
        ],
    );
    check(
        "  security: {inbound_firewall: accept}\n",
        &[
            "3:32: error: main.security.inbound_firewall: \"accept\" is not one of `allow`, `reject`. Use one of `allow`, `reject`.",
        ],
    );
}

#[test]
fn what_shows_only_once_merged() {
    check(
        "  bounce_method: croosover\n",
        &[
            "3:18: warning: main.bounce_method: there is no bounce method `croosover`. Did you mean `crossover`?",
        ],
    );
    check(
        "  cmd: a\n  args: [b]\n",
        &[
            "4:9: warning: main: `cmd` and `args` exclude each other, so it cannot start. Drop `args`, or write the whole command into `cmd`.",
        ],
    );
    check(
        "  max_instances: 0\n",
        &[
            "3:18: error: main: `min_instances` (1, the default) is above `max_instances` (0). Set `max_instances` to 1 or more, or `min_instances` to 0 or less.",
        ],
    );
}

#[test]
fn one_finding_never_hides_another() {
    let findings = validate(&[
        (
            "marathon-c.yaml",
            "a: {deploy_group: prd}\nb:\nC: {deploy_group: prod}\nd: {cpus: x, mem: y, deploy_group: prod}\n",
        ),
        ("marathon-other.yaml", "a: [}"),
        ("monitoring.yaml", "x: {"),
        ("service.yaml", "a: 1\na: 2"),
    ]);
    let shown: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "svc/marathon-c.yaml:1:19: error: a.deploy_group: deploy.yaml has no step `prd`, so nothing deploys it",
            "svc/marathon-c.yaml:2:3: error: b: null is not a map of settings",
            "svc/marathon-c.yaml:3:1: error: `C` cannot be an instance name",
            "svc/marathon-c.yaml:4:11: error: d.cpus: \"x\" is not a number above 0",
            "svc/marathon-c.yaml:4:19: error: d.mem: \"y\" is not a number above 32",
            "svc/marathon-other.yaml: warning: no cluster is called `other`, so nothing in this file runs",
            "svc/marathon-other.yaml:1:5: error: did not find expected node content",
            "svc/monitoring.yaml:2:1: error: did not find expected node content",
            "svc/service.yaml:2:1: warning: the key `a` stands here again, after line 1",
        ]
    );
    let findings = validate(&[("marathon-c.yaml", "a: {deploy_group: prd}\n"), ("smartstack.yaml", "a: 1")]);
    let shown: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "svc/marathon-c.yaml:1:19: error: a.deploy_group: deploy.yaml has no step `prd`, so nothing deploys it",
            "svc/smartstack.yaml:1:4: error: a: an integer (`1`) is not a map",
        ]
    );
}

#[test]
fn a_service_without_files_is_told() {
    let soa = Soa::new(Arc::new(Memory::new()));
    let findings = soa.validate(&"svc".parse().unwrap(), &SystemConfig::from_json("{}").unwrap(), &KNOWN);
    assert_eq!(findings.len(), 1);
    assert_eq!((findings[0].rule, findings[0].severity), ("service", Severity::Error));
}

#[test]
fn secrets_are_looked_for_where_they_are_used() {
    let main = "main: {deploy_group: prod, env: {A: SECRET(x), B: SHARED_SECRET(s)}}\n";
    let tree = Memory::new()
        .with("svc/deploy.yaml", "pipeline: [{step: prod}]")
        .with("svc/marathon-c.yaml", main)
        .with("svc/marathon-d.yaml", "main: {deploy_group: prod}\n")
        .with("_shared/secrets/s.json", r#"{"environments": {"dev": {"ciphertext": "y"}}}"#);
    let check = |tree: &Memory, system: &str, expected: &[&str]| {
        let soa = Soa::new(Arc::new(tree.clone()));
        let system = SystemConfig::from_json(system).unwrap();
        let findings = soa.validate(&"svc".parse().unwrap(), &system, &KNOWN);
        let shown: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert_eq!(shown, expected);
    };
    let none = r#"{"clusters": ["c", "d"]}"#;
    let dev = r#"{"clusters": ["c", "d"], "vault_cluster_map": {"c": "dev"}}"#;
    let prod = r#"{"clusters": ["c", "d"], "vault_cluster_map": {"c": "prod", "d": "prod"}}"#;
    let missing = "svc/marathon-c.yaml:1:37: error: main.env.A: there is no secret `x`, as `svc/secrets/x.json` is missing";
    let lacking = "memory:1:47: error: `vault_cluster_map` has no ecosystem for the cluster `d`";
    check(&tree, none, &[missing]);
    check(&tree, dev, &[lacking, missing]);
    let tree = tree.with("svc/secrets/x.json", r#"{"environments": {"dev": {"ciphertext": "y"}}}"#);
    check(&tree, none, &[]);
    check(&tree, dev, &[lacking]);
    check(
        &tree,
        prod,
        &[
            "svc/marathon-c.yaml:1:37: error: main.env.A: the secret `x` has no `ciphertext` for `prod` in `svc/secrets/x.json`",
            "svc/marathon-c.yaml:1:51: error: main.env.B: the secret `s` has no `ciphertext` for `prod` in `_shared/secrets/s.json`",
        ],
    );
    let tree = tree.with("svc/secrets/x.json", "{}");
    check(
        &tree,
        dev,
        &[
            lacking,
            "svc/marathon-c.yaml:1:37: error: main.env.A: the secret `x` has no `ciphertext` for `dev` in `svc/secrets/x.json`",
            "svc/secrets/x.json:1:1: warning: the secret has no `environments`",
        ],
    );
}

/// Writes down every path that is read or listed.
#[derive(Debug)]
struct Watched {
    files: Memory,
    paths: std::sync::Mutex<Vec<String>>,
}

impl paasta_config::ConfigSource for Watched {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, paasta_config::SourceError> {
        self.paths.lock().unwrap().push(path.to_owned());
        self.files.read(path)
    }

    fn list(&self, directory: &str) -> Result<Vec<String>, paasta_config::SourceError> {
        self.paths.lock().unwrap().push(format!("{directory}/"));
        self.files.list(directory)
    }
}

#[test]
fn only_the_services_own_files_are_read_and_each_once() {
    let instances: String =
        (0..50).map(|n| format!("i{n}: {{deploy_group: prod, env: {{A: SECRET(a)}}}}\n")).collect();
    let mut files = Memory::new().with("svc/deploy.yaml", "pipeline: [{step: prod}]");
    for (name, text) in [
        ("svc/marathon-c.yaml", instances.as_str()),
        (
            "svc/tron-c.yaml",
            "j: {schedule: daily, monitoring: {team: x}, actions: {a: {command: x, deploy_group: prod}}}",
        ),
        ("svc/service.yaml", "git_url: x"),
        ("svc/secrets/a.json", r#"{"environments": {"e": {"ciphertext": "x"}}}"#),
        ("other/marathon-c.yaml", "main: {}"),
    ] {
        files.insert(name, text);
    }
    let source = Arc::new(Watched { files, paths: Default::default() });
    let system = SystemConfig::from_json(r#"{"cluster": "c", "clusters": ["c"]}"#).unwrap();
    let findings = Soa::new(source.clone()).validate(&"svc".parse().unwrap(), &system, &KNOWN);
    assert!(findings.is_empty(), "{findings:#?}");
    let mut paths = source.paths.lock().unwrap().clone();
    assert!(paths.iter().all(|path| path.starts_with("svc/")), "{paths:?}");
    // Secrets are small and may be many: they are not kept.
    paths.retain(|path| path.ends_with(".yaml"));
    let all = paths.len();
    paths.sort();
    paths.dedup();
    assert_eq!(paths.len(), all, "{paths:?}");
}
