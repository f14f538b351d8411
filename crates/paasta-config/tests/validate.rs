//! What validation finds in a service's files.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use paasta_config::{Finding, KnownNames, Memory, Severity, Soa, SystemConfig};

const KNOWN: KnownNames<'_> = KnownNames {
    bounce_methods: &["brutal", "crossover", "upthendown"],
    drain_methods: &["hacheck", "noop"],
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
            f.hint.as_ref().map_or(text.clone(), |hint| format!("{text}. {hint}"))
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
    check("  zzz: 1\n", &["3:3: error: main.zzz: there is no such key"]);
    check("  cpus: 0\n", &["3:9: error: main.cpus: an integer (`0`) is not a number above 0"]);
    check("  cpus: '1'\n", &["3:9: error: main.cpus: \"1\" is not a number above 0"]);
    check("  mem: 32\n", &["3:8: error: main.mem: an integer (`32`) is not a number above 32"]);
    check("  cpus: true\n", &["3:9: error: main.cpus: a boolean (`true`) is not a number above 0"]);
    check(
        "  instances: 1.0\n",
        &["3:14: error: main.instances: a float (`1.0`) is not an integer of at least 0"],
    );
    check("  instances: 1e3\n", &["3:14: error: main.instances: \"1e3\" is not an integer of at least 0"]);
    check(
        "  host_port: 70000\n",
        &["3:14: error: main.host_port: an integer (`70000`) is not an integer between 0 and 65535"],
    );
    check(
        "  env: {A: 1}\n",
        &[
            "3:12: error: main.env: an integer (`1`) is not part of a map of variable names to strings; put the value in quotes",
        ],
    );
    check("  args: [a, 1]\n", &["3:13: error: main.args: an integer (`1`) is not part of a list of strings"]);
    check(
        "  bounce_margin_factor: 1.5\n",
        &["3:25: error: main.bounce_margin_factor: a float (`1.5`) is not a number above 0 and at most 1"],
    );
    check(
        "  healthcheck_mode: udp\n",
        &["3:21: error: main.healthcheck_mode: \"udp\" is not one of `cmd`, `http`, `https`, `tcp`"],
    );
    check("  constraints: [a]\n", &["3:17: error: main.constraints: \"a\" is not part of a list of lists"]);
    check(
        "  security: {inbound_firewall: accept}\n",
        &["3:32: error: main.security.inbound_firewall: \"accept\" is not one of `allow`, `reject`"],
    );
}

#[test]
fn what_shows_only_once_merged() {
    check(
        "  bounce_method: croosover\n",
        &[
            "3:18: error: main.bounce_method: there is no bounce method `croosover`. Did you mean `crossover`?",
        ],
    );
    check(
        "  drain_method: xyz\n",
        &["3:17: error: main.drain_method: there is no drain method `xyz`. Use one of `hacheck`, `noop`."],
    );
    check(
        "  bounce_health_params: {uptime: 3}\n",
        &[
            "3:26: error: main.bounce_health_params: \"uptime\" is not one of `check_haproxy`, `min_task_uptime`, `haproxy_min_fraction_up`",
        ],
    );
    check(
        "  cmd: a\n  args: [b]\n",
        &[
            "4:9: warning: main: `cmd` and `args` exclude each other. Drop `args`, or write the whole command into `cmd`; the instance cannot start like this.",
        ],
    );
    check(
        "  min_instances: 3\n  max_instances: 2\n",
        &["4:18: error: main: `min_instances` (3) is above `max_instances` (2)"],
    );
    check(
        "  registrations: [a.b.c]\n",
        &[
            "3:18: error: main.registrations: \"a.b.c\" cannot be a registration: it is not `<service>.<namespace>`",
        ],
    );
    check(
        "  dependencies_reference: x\n",
        &["3:27: error: main.dependencies_reference: dependencies.yaml has no group `x`"],
    );
    check(
        "  cpus: 1\n  cpus: 2\n",
        &[
            "4:3: warning: the key `cpus` stands here again, after line 3. Keep one of the two: the last value counts, in the first one's place.",
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
            "svc/marathon-c.yaml:2:3: error: b: null is not a map of settings",
            "svc/marathon-c.yaml:3:1: error: `C` cannot be an instance name",
            "svc/marathon-c.yaml:4:11: error: d.cpus: \"x\" is not a number above 0",
            "svc/marathon-c.yaml:4:19: error: d.mem: \"y\" is not a number above 32",
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
            "svc/marathon-c.yaml:1:19: error: a.deploy_group: deploy.yaml has no step `prd`, so no pipeline deploys it",
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
