//! The getters over an instance's settings (config.md §2).
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::load;
use paasta_config::{InstanceConfig, InstanceType, KubernetesStrategy, SettingError};
use paasta_core::Reading;

/// What a getter says of a marathon instance `main` with these settings.
macro_rules! check {
    ($settings:expr, |$c:ident| $get:expr, $expected:expr $(,)?) => {
        check($settings, &|$c| $get.map(|value| format!("{value:?}")), $expected)
    };
}

#[track_caller]
fn check(settings: &str, get: &dyn Fn(&InstanceConfig<'_>) -> Result<String, SettingError>, expected: &str) {
    let text = format!("main: {settings}");
    let instance = load(&[("marathon-c.yaml", &text)], InstanceType::Marathon, "main").unwrap();
    let wrong = |error: SettingError| format!("{}: {} is not {}", error.key, error.value, error.expected);
    assert_eq!(get(&instance.config()).unwrap_or_else(wrong), expected, "{settings}");
}

#[test]
fn keys_of_every_type() {
    check!("{}", |c| c.cpu_burst_add(), "1.0");
    check!("{cpu_burst_add: 0.5}", |c| c.cpu_burst_add(), "0.5");
    check!("{}", |c| c.cfs_period_us(), "100000.0");
    check!("{}", |c| c.gpus(), "None");
    check!("{gpus: 0}", |c| c.gpus(), "Some(0)");
    check!("{gpus: x}", |c| c.gpus(), "main.gpus: \"x\" is not an integer");
    check!("{extra_volumes: null}", |c| c.extra_volumes().map(<[_]>::len), "0");
    check!("{extra_volumes: [{hostPath: /a}]}", |c| c.extra_volumes().map(<[_]>::len), "1");
    check!(
        "{aws_ebs_volumes: 1}",
        |c| c.aws_ebs_volumes().map(<[_]>::len),
        "main.aws_ebs_volumes: an integer (`1`) is not a list",
    );
    check!("{role: web}", |c| c.role(), "Some(\"web\")");
    check!("{}", |c| c.deploy_blacklist(), "[]");
    check!("{deploy_blacklist: [[region, 7]]}", |c| c.deploy_blacklist(), "[(\"region\", 7)]");
    check!(
        "{deploy_blacklist: [[a]]}",
        |c| c.deploy_blacklist(),
        "main.deploy_blacklist: a list is not a list of pairs of an attribute and a value",
    );
    check!(
        "{deploy_blacklist: null}",
        |c| c.deploy_blacklist(),
        "main.deploy_blacklist: null is not a list of pairs of an attribute and a value",
    );
    for none in [
        "{}",
        "{deploy_whitelist: null}",
        "{deploy_whitelist: []}",
        "{deploy_whitelist: 1}",
        "{deploy_whitelist: true}",
    ] {
        check!(none, |c| c.deploy_whitelist(), "None");
    }
    check!(
        "{deploy_whitelist: [region, [a, b]]}",
        |c| c.deploy_whitelist(),
        "Some((\"region\", [\"a\", \"b\"]))",
    );
    check!(
        "{deploy_whitelist: [region]}",
        |c| c.deploy_whitelist(),
        "main.deploy_whitelist: a list is not an attribute and a list of values",
    );
    check!("{}", |c| c.constraints(), "None");
    check!("{constraints: []}", |c| c.constraints(), "Some([])");
    check!("{constraints: [[a, LIKE, 2]]}", |c| c.constraints(), "Some([[\"a\", \"LIKE\", 2]])");
    check!(
        "{extra_constraints: ['hostname,UNIQUE']}",
        |c| c.extra_constraints(),
        "main.extra_constraints: \"hostname,UNIQUE\" is not a list of lists",
    );
    check!("{}", |c| c.net().map(str::to_owned), "\"bridge\"");
    check!("{cap_add: null}", |c| c.cap_add().map(<[_]>::len), "0");
    for none in ["{}", "{extra_docker_args: null}", "{extra_docker_args: {}}", "{extra_docker_args: ''}"] {
        check!(none, |c| c.extra_docker_args().map(|map| map.is_none()), "true");
    }
    check!(
        "{extra_docker_args: {b: 1, a: x}}",
        |c| c.extra_docker_args().map(|map| map.cloned()),
        "Some({\"b\": 1, \"a\": \"x\"})",
    );
    check!("{}", |c| c.inbound_firewall(), "None");
    check!("{security: null}", |c| c.outbound_firewall(), "None");
    check!("{security: {outbound_firewall: block}}", |c| c.outbound_firewall(), "Some(\"block\")");
    check!(
        "{security: {inbound_firewall: accept}}",
        |c| c.inbound_firewall(),
        "main.security.inbound_firewall: \"accept\" is not `allow` or `reject`",
    );
    check!("{cpus: 1.0}", |c| Ok(c.raw("cpus")), "Some(1.0)");
    check!("{cpus: 1}", |c| Ok(c.raw("cpus")), "Some(1)");
}

#[test]
fn keys_of_long_running_instances() {
    check!(
        "{}",
        |c| c.autoscaling(),
        r#"{"metrics_provider": "mesos_cpu", "decision_policy": "proportional", "setpoint": 0.8}"#,
    );
    check!(
        "{autoscaling: {setpoint: 0.5, x: {y: 1}}}",
        |c| c.autoscaling(),
        r#"{"metrics_provider": "mesos_cpu", "decision_policy": "proportional", "setpoint": 0.5, "x": {"y": 1}}"#,
    );
    check!(
        "{}",
        |c| Ok((c.iam_role()?.to_owned(), c.iam_role_provider()?.to_owned(), c.fs_group()?)),
        r#"("", "kiam", None)"#,
    );
    check!(
        "{}",
        |c| Ok((c.backoff_factor()?, c.max_launch_delay_seconds()?, c.host_port()?)),
        "(2.0, 300.0, 0)",
    );
    check!("{}", |c| c.accepted_resource_roles(), "None");
    check!("{accepted_resource_roles: ['*']}", |c| c.accepted_resource_roles(), r#"Some(["*"])"#);
    check!("{marathon_shard: 1}", |c| c.marathon_shard(), "Some(1)");
    check!("{previous_marathon_shards: [0, 2]}", |c| c.previous_marathon_shards(), "Some([0, 2])");
    check!(
        "{previous_marathon_shards: [x]}",
        |c| c.previous_marathon_shards(),
        "main.previous_marathon_shards: \"x\" is not an integer",
    );
    for (instances, seconds) in [(0, 1), (1, 10), (2, 5), (3, 4), (4, 3), (9, 2), (10, 1), (50, 1)] {
        let known = format!("Known({seconds})");
        check!(&format!("{{instances: {instances}}}"), |c| c.backoff_seconds(&Reading::Known(None)), &known);
        let autoscaled = format!("{{max_instances: {instances}, min_instances: 0}}");
        check!(&autoscaled, |c| c.backoff_seconds(&Reading::Known(Some(1))), &known);
    }
    check!("{}", |c| c.healthcheck_target("h", 1), "None");
    check!("{healthcheck_mode: tcp}", |c| c.healthcheck_target("h", 1), "Some(\"tcp://h:1\")");
    check!("{healthcheck_mode: https}", |c| c.healthcheck_target("h", 1), "Some(\"https://h:1/status\")");
    check!(
        "{healthcheck_mode: http, healthcheck_uri: /up}",
        |c| c.healthcheck_target("h", 1),
        "Some(\"http://h:1/up\")",
    );
    check!(
        "{healthcheck_mode: cmd, healthcheck_cmd: 'true'}",
        |c| c.healthcheck_target("h", 1),
        "Some(\"true\")",
    );
}

#[test]
fn keys_of_kubernetes() {
    use KubernetesStrategy::{Recreate, RollingUpdate};
    for (settings, expected) in [
        ("{}", format!("{RollingUpdate:?}")),
        ("{bounce_method: brutal}", format!("{RollingUpdate:?}")),
        ("{bounce_method: downthenup, aws_ebs_volumes: [{}]}", format!("{Recreate:?}")),
        (
            "{aws_ebs_volumes: [{}]}",
            "main.bounce_method: \"crossover\" is not `downthenup`, as it must be with `aws_ebs_volumes`"
                .to_owned(),
        ),
        (
            "{bounce_method: upthendown}",
            "main.bounce_method: \"upthendown\" is not one of `crossover`, `brutal`, `downthenup`".to_owned(),
        ),
    ] {
        check!(settings, |c| c.kubernetes_strategy(), &expected);
    }
    let files = [(
        "kubernetes-c.yaml",
        "main: {service_account_name: a, node_selectors: {x: y}, anti_affinity: [1], lifecycle: {pre_stop: {}},
                prometheus_shard: s, prometheus_path: /m, prometheus_port: 9, routable_ip: true,
                monitoring_blacklist: [[a, b]], new_autoscaling: {}, sidecar_resource_requirements: {hacheck: {}}}",
    )];
    let instance = load(&files, InstanceType::Kubernetes, "main").unwrap();
    let c = instance.config();
    assert_eq!((c.service_account_name().unwrap(), c.prometheus_shard().unwrap()), (Some("a"), Some("s")));
    assert_eq!((c.prometheus_path().unwrap(), c.prometheus_port().unwrap()), (Some("/m"), Some(9)));
    assert!(
        c.node_selectors().unwrap().is_some()
            && c.anti_affinity().is_some()
            && c.lifecycle().unwrap().is_some()
    );
    assert!(c.routable_ip().is_some() && c.new_autoscaling().unwrap().is_some());
    assert!(c.sidecar_resource_requirements().unwrap().is_some());
    assert_eq!(
        (c.monitoring_blacklist().unwrap().len(), c.pod_management_policy().unwrap()),
        (1, "OrderedReady")
    );
}

#[test]
fn dependencies_are_those_of_the_instances_group() {
    let file = "
main: [{well-known: internet}, {smartstack: other.main}]
net: [{cidr: 10.0.0.0/8}, {cidr: 10.1.2.3, port: 443}, {cidr: 0.0.0.0/0, port: '1:9'}]
bad: [{well-known: moon}]
nothing:
";
    let of = |settings: &str| {
        let files = [("marathon-c.yaml", &*format!("main: {settings}")), ("dependencies.yaml", file)];
        let instance = load(&files, InstanceType::Marathon, "main").unwrap();
        match instance.config().dependencies() {
            Ok(dependencies) => format!("{dependencies:?}"),
            Err(error) => error.to_string(),
        }
    };
    let own = r#"Some([Internet, Smartstack("other.main")])"#;
    for settings in ["{}", "{dependencies_reference: null}", "{dependencies_reference: ''}"] {
        assert_eq!(of(settings), own, "{settings}");
    }
    assert_eq!(
        of("{dependencies_reference: net}"),
        r#"Some([Network { cidr: "10.0.0.0/8", port: None }, Network { cidr: "10.1.2.3", port: Some("443") }, Network { cidr: "0.0.0.0/0", port: Some("1:9") }])"#
    );
    assert_eq!(of("{dependencies_reference: nothing}"), "None");
    assert_eq!(of("{dependencies_reference: missing}"), "None");
    assert!(
        of("{dependencies_reference: bad}")
            .starts_with("svc/dependencies.yaml:4:20: main.dependencies.bad.well-known")
    );
    check!("{}", |c| c.dependencies(), "None");
    for (entry, expected) in [
        ("{cidr: 10.0.0.0/33}", "main.dependencies.main.cidr"),
        ("{cidr: '::1'}", "main.dependencies.main.cidr"),
        ("{cidr: 10.0.0.0/8, port: 70000}", "main.dependencies.main.port"),
        ("{smartstack: other}", "main.dependencies.main.smartstack"),
        ("{port: 1}", "main.dependencies.main"),
        ("5", "main.dependencies.main"),
    ] {
        let files = [("marathon-c.yaml", "main: {}"), ("dependencies.yaml", &*format!("main: [{entry}]"))];
        let error =
            load(&files, InstanceType::Marathon, "main").unwrap().config().dependencies().unwrap_err();
        assert_eq!((error.key.as_str(), error.position.is_some()), (expected, true), "{entry}");
    }
}
