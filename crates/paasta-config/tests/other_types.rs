//! What every type of instance has: listing, Tron, adhoc, and the files of a service beside those of instances.

mod common;

use common::{id, load, soa, system};
use paasta_config::{DeployMoment, InstanceType, Node, SystemConfig, Value};
use paasta_core::Reading;

const TRON: &str = "
_defaults: &d {pool: batch}
nightly:
  schedule: daily
  deploy_group: '{cluster}.all'
  service: other
  monitoring: {team: own, page: true, nonsense: 1}
  actions:
    first: {command: run, cpus: 2, monitoring: {team: ignored}, <<: *d}
    second: {command: ssh it, executor: ssh, service: third, deploy_group: null, requires: [first]}
  cleanup_action: {command: sweep}
listed:
  schedule: {type: cron}
  node: batch-host
  actions:
  - {name: a, command: x}
  - {name: b.c, command: y}
empty:
";

#[test]
fn all_types_are_listed_in_order() {
    let files = [
        ("tron-c.yaml", TRON),
        ("marathon-c.yaml", "web: {}\n_t: {}\nnull_one:\n"),
        ("kubernetes-c.yaml", "pod: {}"),
        ("paasta_native-c.yaml", "native: {}"),
        ("adhoc-c.yaml", "shell: {}"),
        ("nrtsearchservice-c.yaml", "search: {}"),
        ("cassandracluster-c.yaml", "ring: {}"),
        ("flink-c.yaml", "stream: {}"),
        ("kafkacluster-c.yaml", "queue: {}"),
        ("autotuned_defaults/marathon-c.yaml", "only_tuned: {cpus: 1}"),
    ];
    let soa = soa(&files);
    let (service, cluster) = ("svc".parse().unwrap(), "c".parse().unwrap());
    let all = soa.all_instances(&service, &cluster).unwrap();
    let names: Vec<String> = all.iter().map(|(name, kind)| format!("{kind}/{name}")).collect();
    assert_eq!(
        names,
        [
            "marathon/web",
            "marathon/null_one",
            "paasta_native/native",
            "adhoc/shell",
            "kubernetes/pod",
            "tron/nightly.first",
            "tron/nightly.second",
            "tron/listed.a",
            "tron/listed.b.c",
            "flink/stream",
            "cassandracluster/ring",
            "kafkacluster/queue",
            "nrtsearchservice/search",
        ]
    );
    let class = |name: &str, kind: InstanceType| {
        soa.settings(&id(name), kind, &cluster, &system()).map_or_else(|error| error.class(), |_| "loaded")
    };
    for (name, kind) in &all {
        let expected = match name.as_str() {
            "null_one" => "NoConfigurationForServiceError",
            "native" => "NotImplementedError",
            "listed.b.c" => "InvalidInstanceConfig",
            _ => "loaded",
        };
        assert_eq!(class(name.as_str(), *kind), expected, "{kind}/{name}");
    }
    assert_eq!(class("only_tuned", InstanceType::Marathon), "NoConfigurationForServiceError");
    assert_eq!(class("nightly", InstanceType::Tron), "InvalidInstanceConfig");
    assert_eq!(class("nightly.third", InstanceType::Tron), "NoConfigurationForServiceError");
    assert_eq!(class("empty.x", InstanceType::Tron), "NoConfigurationForServiceError");
    let error = soa.instance_type(&id("nightly.frist"), &cluster).unwrap_err();
    assert!(
        error.to_string().ends_with("(did you mean one of `nightly.first`, `nightly.second`?)"),
        "{error}"
    );
}

#[test]
fn actions_that_are_none_name_their_place() {
    for (job, expected) in [
        ("{actions: 5}", "16: job.actions: an integer (`5`) is not a map or a list of actions"),
        (
            "{actions: [5]}",
            "17: job.actions: an integer (`5`) is not a map with `name`, as actions in a list are",
        ),
        ("{actions: {1: {}}}", "17: job.actions: an integer (`1`) is not a string, as names of actions are"),
    ] {
        let soa = soa(&[("tron-c.yaml", &format!("job: {job}"))]);
        let error = soa.all_instances(&"svc".parse().unwrap(), &"c".parse().unwrap()).unwrap_err();
        assert_eq!(error.to_string(), format!("svc/tron-c.yaml:1:{expected}"));
    }
}

#[test]
fn an_action_has_service_group_and_monitoring_of_its_job() {
    let files = [
        ("tron-c.yaml", TRON),
        ("monitoring.yaml", "{team: file, runbook: y/rb, unknown: 1}"),
        ("service.yaml", "cpus: 7"),
        ("autotuned_defaults/tron-c.yaml", "nightly.first: {cpus: 9}"),
    ];
    let soa = soa(&files);
    let cluster = "c".parse().unwrap();
    let action = |name: &str| soa.tron_action(&id(name), &cluster, &system()).unwrap();
    let first = action("nightly.first");
    assert_eq!(first.service().unwrap().as_str(), "other");
    assert_eq!(first.deploy_group().unwrap().as_deref(), Some("c.all"));
    assert_eq!(
        format!("{:?}", first.monitoring().unwrap().unwrap()),
        r#"{"team": "own", "runbook": "y/rb", "page": true}"#
    );
    assert_eq!((first.executor().unwrap(), first.runs_in_container().unwrap()), ("paasta", true));
    assert_eq!((first.command().unwrap(), first.retries().unwrap()), (Some("run"), None));
    let config = first.instance.config();
    assert_eq!((config.cpus().unwrap(), config.cpu_burst_add().unwrap()), (2.0, 0.0));
    assert_eq!(config.pool(), Node::text("batch"));
    assert_eq!((first.spark_pool().unwrap(), first.spark_cluster().unwrap()), ("batch", "c"));
    let second = action("nightly.second");
    assert_eq!(second.service().unwrap().as_str(), "third");
    assert_eq!((second.deploy_group().unwrap(), second.runs_in_container().unwrap()), (None, false));
    assert_eq!(second.requires().unwrap(), ["first"]);
    // Neither service.yaml nor what was autotuned counts.
    assert_eq!(second.instance.config().cpus().unwrap(), 1.0);
    let listed = action("listed.a");
    assert_eq!((listed.service().unwrap().as_str(), listed.deploy_group().unwrap()), ("svc", None));

    let jobs = soa.tron_jobs(&"svc".parse().unwrap(), &cluster).unwrap();
    let names: Vec<&str> = jobs.iter().map(|job| job.name.as_str()).collect();
    assert_eq!(names, ["nightly", "listed"]);
    assert_eq!((jobs[0].node().unwrap(), jobs[1].node().unwrap()), ("paasta", "batch-host"));
    assert_eq!(jobs[0].actions().unwrap(), ["first", "second"]);
    assert_eq!(jobs[0].cleanup_action().unwrap().unwrap().get("command"), Some(&Node::text("sweep")));
    assert_eq!(jobs[0].schedule(), Some(&Node::text("daily")));
    assert_eq!(
        (jobs[0].deploy_group().unwrap(), jobs[0].passed_on("queueing")),
        (Some("{cluster}.all"), None)
    );
    assert_eq!(format!("{:?}", jobs[1].monitoring), r#"{"team": "file", "runbook": "y/rb"}"#);
}

#[test]
fn a_broken_monitoring_file_does_not_hide_the_deploy_groups_of_actions() {
    let soa = soa(&[("tron-c.yaml", TRON), ("monitoring.yaml", "[")]);
    let cluster = "c".parse().unwrap();
    let group = soa.deploy_group(&id("nightly.first"), InstanceType::Tron, &cluster, &system());
    assert_eq!(group.unwrap().as_deref(), Some("c.all"));
    assert!(soa.tron_action(&id("nightly.first"), &cluster, &system()).is_err());
}

#[test]
fn an_interactive_run_has_defaults_of_its_own() {
    let of = |files: &[(&str, &str)]| {
        let instance =
            soa(files).interactive(&"svc".parse().unwrap(), &"c".parse().unwrap(), &system()).unwrap();
        let config = instance.config();
        (config.cpus().unwrap(), config.mem().unwrap(), config.disk().unwrap())
    };
    let service = ("service.yaml", "{cpus: 7, disk: 70}");
    assert_eq!(of(&[]), (4.0, 10_240.0, 1_024.0));
    assert_eq!(of(&[service]), (4.0, 10_240.0, 1_024.0));
    assert_eq!(of(&[("adhoc-c.yaml", "interactive: {cpus: 2}")]), (2.0, 10_240.0, 1_024.0));
    assert_eq!(of(&[("adhoc-c.yaml", "interactive: {cpus: 2}"), service]), (2.0, 10_240.0, 70.0));
    let broken = soa(&[("adhoc-c.yaml", "interactive: 5")]);
    assert!(broken.interactive(&"svc".parse().unwrap(), &"c".parse().unwrap(), &system()).is_err());
}

#[test]
fn autotuned_defaults_count_for_enabled_types_alone() {
    for (kind, expected) in
        [(InstanceType::Marathon, 9.0), (InstanceType::Kubernetes, 7.0), (InstanceType::Adhoc, 7.0)]
    {
        let (file, tuned) = (format!("{kind}-c.yaml"), format!("autotuned_defaults/{kind}-c.yaml"));
        let files =
            [(file.as_str(), "main: {}"), (tuned.as_str(), "main: {cpus: 9}"), ("service.yaml", "cpus: 7")];
        assert_eq!(load(&files, kind, "main").unwrap().config().cpus().unwrap(), expected, "{kind}");
    }
}

#[test]
fn deploy_yaml_says_who_is_told_and_who_may() {
    let service = "svc".parse().unwrap();
    let deploy = |text: &str| soa(&[("deploy.yaml", text)]).deploy_settings(&service).unwrap();
    let none = deploy("{}");
    assert_eq!((none.slack_channel().unwrap().as_str(), none.slack_notify().unwrap()), ("#deploy", true));
    assert_eq!(none.allowed_push_groups(&system()).unwrap().unwrap(), ["ops"]);
    let nobody = SystemConfig::from_json("{}").unwrap();
    assert_eq!(none.allowed_push_groups(&nobody).unwrap(), None);
    assert_eq!(none.production_deploy_group().unwrap(), None);
    let some = deploy(
        "{slack_channels: ['#a', '#b'], production_deploy_group: prod, allowed_push_groups: [web],
          pipeline: [{step: itest}, {step: dev, slack_notify: true, notify_after_mark: false},
                     {step: prod, notify_after_abort: true, auto_rollback: true}]}",
    );
    assert_eq!(some.slack_channel().unwrap(), "#a");
    assert_eq!(some.allowed_push_groups(&system()).unwrap().unwrap(), ["web"]);
    assert_eq!(some.production_deploy_group().unwrap(), Some("prod"));
    for (step, moment, expected) in [
        ("dev", DeployMoment::AfterMark, false),
        ("dev", DeployMoment::AfterGoodDeploy, true),
        ("prod", DeployMoment::AfterAbort, true),
        ("prod", DeployMoment::AfterAutoRollback, false),
        ("nowhere", DeployMoment::AfterMark, false),
    ] {
        assert_eq!(some.notifies(step, moment).unwrap(), expected, "{step} {moment:?}");
    }
    assert_eq!(
        some.of_step("prod", "auto_rollback").unwrap().map(|node| &node.value),
        Some(&Value::Bool(true))
    );
    assert_eq!(deploy("{slack_notify: false, slack_channels: ['#a']}").slack_channel().unwrap(), "#deploy");
    assert!(
        deploy("{pipeline: [{step: a, slack_notify: 1}]}").notifies("a", DeployMoment::AfterMark).is_err()
    );
}

#[test]
fn facts_of_a_service() {
    let service = "svc".parse().unwrap();
    let facts = |files: &[(&str, &str)]| soa(files).service_facts(&service).unwrap();
    let all = facts(&[
        ("service.yaml", "{git_url: g, description: d, external_link: l, docker_registry: own, encryption_key: k,
                          runs_on: [h1, h2], deployed_to: true, env_runs_on: {prod: [h1]}, needs_puppet_help: false}"),
        ("port", " 8080\n"),
        ("data.yaml", "a: 1"),
    ]);
    assert_eq!(
        (all.git_url().unwrap(), all.description().unwrap(), all.external_link().unwrap()),
        (Some("g"), Some("d"), Some("l"))
    );
    assert_eq!(
        (all.docker_registry(&system()).unwrap().as_str(), all.encryption_key().unwrap()),
        ("own", "k")
    );
    assert_eq!((all.port().unwrap(), all.runs_on().unwrap()), (Some(8080), vec!["h1", "h2"]));
    assert!(
        all.deployed_to().is_some()
            && all.env_runs_on().unwrap().is_some()
            && all.needs_puppet_help().is_some()
    );
    assert_eq!(all.data().unwrap().unwrap().get("a"), Some(&Node::new(Value::Int(1))));
    let none = facts(&[]);
    assert_eq!(
        (none.git_url().unwrap(), none.port().unwrap(), none.encryption_key().unwrap()),
        (None, None, "paasta")
    );
    assert_eq!(none.docker_registry(&system()).unwrap(), "r.example.com");
    for (files, port) in [
        (vec![("port", "x")], None),
        (vec![("port", "1"), ("smartstack.yaml", "port: 2")], Some(2)),
        (vec![("port", "1"), ("smartstack.yaml", "port: 2"), ("service.yaml", "port: 3")], Some(3)),
        (vec![("port", "1"), ("smartstack.yaml", "port:")], None),
    ] {
        assert_eq!(facts(&files).port().unwrap(), port, "{files:?}");
    }
}

#[test]
fn namespaces_are_enumerated_as_written() {
    let smartstack = "main: {proxy_port: 1, own_key: 2}\nport: 8080\nempty:\nsecond: {mode: udp}\n";
    let namespaces = soa(&[("smartstack.yaml", smartstack)]).namespaces(&"svc".parse().unwrap()).unwrap();
    let shown: Vec<String> = namespaces.iter().map(|(name, map)| format!("{name} {map:?}")).collect();
    assert_eq!(
        shown,
        [r#"svc.main {"proxy_port": 1, "own_key": 2}"#, "svc.empty {}", r#"svc.second {"mode": "udp"}"#]
    );
}

#[test]
fn a_namespace_is_read_through_getters() {
    let smartstack = "
main: {proxy_port: 1, retries: 3, timeout_client_ms: 500, advertise: [region, superregion], discover: null,
       healthcheck_mode: '', routes: [{source: a, destinations: [b, c]}], extra_advertise: {d: [e]},
       extra_healthcheck_headers: {Host: x}, not_known: 1}
plain: {healthcheck_uri: null, mode: tcp}
";
    let soa = soa(&[("smartstack.yaml", smartstack)]);
    let service = "svc".parse().unwrap();
    let map = soa.namespace(&service, "main").unwrap();
    let main = paasta_config::Namespace::new(&map);
    assert_eq!((main.mode(), main.healthcheck_mode()), (Some("http"), Some(&Node::text("http"))));
    assert_eq!(
        (main.proxy_port(), main.timeout_ms("timeout_client_ms"), main.timeout_ms("timeout_server_ms")),
        (Some(1), Some(500), None)
    );
    assert_eq!((main.discover(), main.healthcheck_uri()), (Node::null(), Node::text("/status")));
    assert_eq!(main.advertise(), [Node::text("region"), Node::text("superregion")]);
    assert_eq!(
        format!("{:?} {:?}", main.routes(), main.extra_advertise()),
        r#"[("a", "b"), ("a", "c")] [("d", "e")]"#
    );
    assert!(main.raw("retries").is_some() && main.raw("extra_healthcheck_headers").is_some());
    assert_eq!(main.raw("not_known"), None);
    let map = soa.namespace(&service, "plain").unwrap();
    let plain = paasta_config::Namespace::new(&map);
    assert_eq!((plain.is_in_smartstack(), plain.mode(), plain.proxy_port()), (false, Some("tcp"), None));
    assert_eq!((plain.healthcheck_uri(), plain.discover()), (Node::null(), Node::text("region")));
    assert!(plain.advertise().is_empty() && plain.routes().is_empty());
}

#[test]
fn signatures_that_are_missing_say_why() {
    let secret = r#"{"environments": {"prod": {"ciphertext": "x", "signature": "s"}, "dev": {}}}"#;
    let environment = "{A: SECRET(a), A2: SECRET(a), B: SECRET(bad), C: SECRET(), D: \"SECRET(a)\\n\", E: SHARED_SECRET(a)}";
    let soa = soa(&[
        ("secrets/a.json", secret),
        ("secrets/bad.json", "{"),
        ("marathon-c.yaml", &format!("main: {{env: {environment}}}")),
        (
            "deployments.json",
            r#"{"v2": {"deployments": {"c.main": {"docker_image": "i", "git_sha": "1"}}, "controls": {"svc:c.main": {}}}}"#,
        ),
    ]);
    let reasons = |more: &str| -> Vec<String> {
        let system = SystemConfig::from_json(&format!(r#"{{"cluster": "c"{more}}}"#)).unwrap();
        let wanted = soa.wanted(&id("main"), &system, Reading::Known(None)).unwrap();
        soa.missing_signatures(&wanted).iter().map(ToString::to_string).collect()
    };
    let bad =
        r#"no signature for "SECRET(bad)": svc/secrets/bad.json:1:2: a key in double quotes is expected"#;
    let empty = r#"no signature for "SECRET()": there is no file `svc/secrets/.json`"#;
    let line_feed = r#"no signature for "SECRET(a)\n": it ends with a line feed, so that it names no secret"#;
    let shared = r#"no signature for "SHARED_SECRET(a)": there is no file `_shared/secrets/a.json`"#;
    let a = |reason: &str| format!(r#"no signature for "SECRET(a)": {reason}"#);
    let dev = a("`svc/secrets/a.json` has no signature for ecosystem `dev`");
    let unset = a("`vault_environment` of the system configuration is not set");
    assert_eq!(reasons(r#", "vault_environment": "prod""#), [empty, line_feed, bad, shared]);
    assert_eq!(reasons(r#", "vault_environment": "dev""#), [empty, &*dev, line_feed, bad, shared]);
    assert_eq!(reasons(""), [empty, &*unset, line_feed, bad, shared]);
}
