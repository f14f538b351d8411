//! The ten vectors of the specification: hash text, id and body, as the original makes them.

#![expect(clippy::unwrap_used, reason = "a test stops where something is missing")]

mod support;

use paasta_marathon::render_app;
use serde_json::Value;

#[test]
fn vectors_render_as_the_original() {
    let vectors: Value = serde_json::from_str(include_str!("fixtures/annex_a.json")).unwrap();
    let vectors = vectors.as_array().unwrap();
    assert_eq!(vectors.len(), 10);
    for vector in vectors {
        let name = vector["name"].as_str().unwrap();
        let rendered = render_app(&support::wanted(vector)).unwrap();
        assert_eq!(rendered.hash_input, vector["hash_input"].as_str().unwrap(), "{name}");
        assert_eq!(rendered.app.as_str(), vector["id"].as_str().unwrap(), "{name}");
        if !vector["body"].is_null() {
            let body: Value = serde_json::from_str(&rendered.body).unwrap();
            assert_eq!(body, vector["body"], "{name}");
        }
    }
}

/// Hash parts that config.md lists for one change each to an otherwise empty instance.
#[test]
fn single_settings_hash_as_the_original() {
    check("{}", "{}", "configf5bbca6f");
    check(r#"{"instances": 5, "backoff_factor": 2, "cpus": 1}"#, "{}", "configf5bbca6f");
    check(r#"{"max_instances": 3, "min_instances": 1}"#, "{}", "configf5bbca6f");
    check(r#"{"instances": 5}"#, r#"{"auto_hostname_unique_size": 5}"#, "config043cdecf");
    check(r#"{"instances": 6}"#, r#"{"auto_hostname_unique_size": 5}"#, "configf5bbca6f");
    check(r#"{"cpus": 1.0}"#, "{}", "config45b17f10");
    check(r#"{"healthcheck_mode": "tcp"}"#, "{}", "confige2d1e931");
    check(r#"{"healthcheck_mode": "tcp", "healthcheck_grace_period_seconds": 60.0}"#, "{}", "config4f4422e3");
    check(r#"{"gpus": 1}"#, "{}", "configcb008947");
    check(r#"{"net": "host"}"#, "{}", "config9ed58831");
    check(r#"{"net": "none"}"#, "{}", "config38b593a8");
    check(r#"{"net": "host", "host_port": 31000}"#, "{}", "config86116d90");
    check(r#"{"extra_docker_args": {"a": "1", "b": "2"}}"#, "{}", "config11ebf1bd");
    check(r#"{"extra_docker_args": {"b": "2", "a": "1"}}"#, "{}", "config0f6fde08");
    check(r#"{"constraints": []}"#, "{}", "confige8f70a7b");
    check(r#"{"constraints": [["a", "LIKE", 2]]}"#, "{}", "config95b6aa61");
    check(r#"{"extra_constraints": [["x", "GROUP_BY"]]}"#, "{}", "config2dcd8530");
    check(r#"{"monitoring": {"team": "x"}}"#, "{}", "config0feed53f");
    check(r#"{"pool": "p"}"#, "{}", "configb8f8c644");
    check(
        r#"{"deploy_whitelist": ["region", ["a", "b"]], "deploy_blacklist": [["region", "c"]]}"#,
        r#"{"deploy_blacklist": [["h", "z"]], "deploy_whitelist": ["h", ["q"]]}"#,
        "configd6f0d202",
    );
    let attributes =
        r#"{"expected_slave_attributes": [{"region": "a"}, {"region": "b"}, {"region": "b"}, {}]}"#;
    check("{}", attributes, "configf1a22d59");
    check("{}", r#"{"enforce_disk_quota": true}"#, "config583c6d95");
    check(r#"{"args": ["a"]}"#, "{}", "config292eef44");
    check(r#"{"cmd": "x"}"#, "{}", "configafe336a9");
    check(r#"{"accepted_resource_roles": ["*"]}"#, "{}", "config43085e78");
}

/// The original fails on each of these, so no app can depend on what they come to.
#[test]
fn nulls_are_empty_lists_and_maps() {
    for key in ["env", "cap_add", "extra_volumes", "extra_constraints", "registrations", "monitoring"] {
        check(&format!(r#"{{"{key}": null}}"#), "{}", "configf5bbca6f");
    }
}

#[test]
fn ids_are_checked_at_their_start() {
    // The client of the original looks no further; what Marathon refuses beyond that, it says itself.
    for (service, instance, is_good) in [
        ("svc", "main", true),
        ("svc", "Main", true),
        ("svc", "n_", true),
        ("Svc", "main", false),
        ("_svc", "main", false),
    ] {
        let mut vector = vector("{}", "{}");
        (vector["service"], vector["instance"]) = (service.into(), instance.into());
        assert_eq!(render_app(&support::wanted(&vector)).is_ok(), is_good, "{service}.{instance}");
    }
}

#[test]
fn what_cannot_be_rendered_says_why() {
    refuse(r#"{"cmd": "x", "args": []}"#, "InvalidInstanceConfig");
    refuse(r#"{"cmd": 3}"#, "ValueError");
    refuse(r#"{"net": "calico"}"#, "InvalidChoiceError");
    refuse(r#"{"healthcheck_mode": "grpc"}"#, "InvalidHealthcheckMode");
    refuse(r#"{"healthcheck_mode": "cmd"}"#, "InvalidInstanceConfig");
    refuse(r#"{"mem": "512"}"#, "TypeError");
    refuse(r#"{"instances": "3"}"#, "TypeError");
    refuse(r#"{"instances": -1}"#, "InvalidInstanceConfig");
    refuse(r#"{"cap_add": "SYS_PTRACE"}"#, "TypeError");
    refuse(r#"{"constraints": ["hostname,UNIQUE"]}"#, "InvalidInstanceConfig");
    refuse(r#"{"constraints": [["hostname"]]}"#, "TypeError");
    refuse(r#"{"deploy_whitelist": []}"#, "ValueError");
    refuse(r#"{"deploy_blacklist": [["a"]]}"#, "ValueError");
    refuse(r#"{"extra_volumes": [{"hostPath": "/a"}]}"#, "KeyError");
    refuse(
        r#"{"extra_volumes": [{"hostPath": "/a", "containerPath": "/a", "mode": null}]}"#,
        "InvalidChoiceError",
    );
    refuse(r#"{"registrations": ["a"]}"#, "InvalidJobNameError");
    refuse(r#"{"backoff_factor": 1e999}"#, "ValueError");
}

fn vector(settings: &str, system: &str) -> Value {
    let sha = "0123456789abcdef0123456789abcdef01234567";
    let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let mut all = parse(r#"{"docker_registry": "r", "volumes": []}"#);
    all.as_object_mut().unwrap().extend(parse(system).as_object().unwrap().clone());
    serde_json::json!({
        "service": "svc", "instance": "main", "cluster": "prod",
        "settings": parse(settings), "system": all, "namespace": {}, "autoscaled_count": null,
        "deployment": {"docker_image": format!("services-svc:paasta-{sha}"), "desired_state": "start"},
        "secret_signatures": {},
    })
}

fn check(settings: &str, system: &str, hash: &str) {
    let rendered = render_app(&support::wanted(&vector(settings, system))).unwrap();
    assert_eq!(rendered.config_hash, hash, "{settings} {system}");
}

fn refuse(settings: &str, class: &str) {
    let error = render_app(&support::wanted(&vector(settings, "{}"))).unwrap_err();
    assert_eq!(error.class, class, "{settings}: {error}");
}
