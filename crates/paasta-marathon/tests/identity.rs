//! What reaches the identity beside an instance's own keys, how its values are written there, and what has none
//! (marathon-and-bounce.md §1, config.md §7 and §10.1).

#![expect(clippy::unwrap_used, reason = "a test stops where something is missing")]

#[path = "support/tree.rs"]
mod tree;

use serde_json::{Value, json};
use tree::Tree;

fn with(instance: &[(&str, &str)]) -> Tree {
    let mut tree = Tree::default();
    for (key, value) in instance {
        tree.set(key, value);
    }
    tree
}

fn hashed(tree: &Tree) -> Value {
    serde_json::from_str(&tree.render().unwrap().hash_input).unwrap()
}

/// From one value of a system key to another: whether that is another app.
#[test]
fn keys_of_the_system_bounce_where_an_instance_uses_them() {
    let check = |key: &str, before: Value, after: Value, instance: &[(&str, &str)], bounces: bool| {
        let app = |value: Value| {
            let mut tree = with(instance);
            tree.files.insert("svc/secrets/s.json".into(), secret("s", "one", "two"));
            tree.system.insert(key.into(), value);
            tree.render().unwrap().app
        };
        assert_eq!(app(before) != app(after), bounces, "{key} {instance:?}");
    };
    let attributes = json!([{"region": "a"}, {"region": "b"}]);
    check("docker_registry", json!("a"), json!("b"), &[], true);
    check("dockercfg_location", json!("file:///root/.dockercfg"), json!("file:///x"), &[], true);
    check("volumes", json!([]), json!([{"hostPath": "/a", "containerPath": "/b", "mode": "RO"}]), &[], true);
    check("deploy_blacklist", json!([]), json!([["region", "x"]]), &[], true);
    check("deploy_blacklist", json!([]), json!([["region", "x"]]), &[("constraints", "[]")], false);
    check("deploy_whitelist", json!(null), json!(["region", ["x"]]), &[], true);
    check("expected_slave_attributes", json!(null), attributes.clone(), &[], true);
    check("expected_slave_attributes", json!(null), attributes.clone(), &[("constraints", "[]")], false);
    check(
        "expected_slave_attributes",
        attributes.clone(),
        json!([{"region": "a"}, {"region": "c"}]),
        &[],
        false,
    );
    check("expected_slave_attributes", attributes, json!([{"region": "a"}]), &[], true);
    check("enforce_disk_quota", json!(false), json!(true), &[], true);
    check("auto_hostname_unique_size", json!(-1), json!(1), &[], true);
    check("auto_hostname_unique_size", json!(-1), json!(1), &[("instances", "2")], false);
    check("vault_environment", json!("e"), json!("f"), &[("env", "{P: SECRET(s)}")], true);
    check("vault_environment", json!("e"), json!("f"), &[], false);
    check("marathon_servers", json!([]), json!([{"url": ["u"], "user": "", "password": ""}]), &[], false);
    check("log_writer", json!({"driver": "null"}), json!({"driver": "file"}), &[], false);
    check("zookeeper", json!("zk://a"), json!("zk://b"), &[], false);
    check("hacheck_port", json!(1), json!(2), &[], false);
}

fn secret(name: &str, e: &str, f: &str) -> String {
    json!({"environments": {"e": {"signature": e}, "f": {"signature": f}}, "name": name}).to_string()
}

/// The same for the other files of a service.
#[test]
fn other_files_bounce_where_an_instance_uses_them() {
    let check = |path: &str, before: &str, after: &str, instance: &[(&str, &str)], bounces: bool| {
        let app = |text: &str| {
            let mut tree = with(instance);
            tree.files.insert(path.into(), text.into());
            tree.system.insert("auto_config_instance_types_enabled".into(), json!({"marathon": true}));
            tree.system.insert("expected_slave_attributes".into(), json!([{"region": "a", "habitat": "h"}]));
            tree.render().unwrap().app
        };
        assert_eq!(app(before) != app(after), bounces, "{path} from {before} to {after} with {instance:?}");
    };
    let service = "svc/service.yaml";
    check(service, "", "description: x\ngit_url: y\nrunner: z\n", &[], false);
    check(service, "", "env: {A: 1}", &[], true);
    check(service, "env: {A: 1}", "env: {A: 2}", &[("env", "{A: 3}")], false);
    check(service, "backoff_factor: 2", "backoff_factor: 3", &[], true);
    check(service, "backoff_factor: 2", "backoff_factor: 3", &[("backoff_factor", "4")], false);
    check(service, "", "docker_registry: other.example.com", &[], true);
    check(service, "", "monitoring: {team: a}", &[], true);
    check("svc/monitoring.yaml", "team: a", "team: b", &[], true);
    check("svc/monitoring.yaml", "team: a", "team: a\npage: true", &[], false);
    check("svc/monitoring.yaml", "team: a", "team: b", &[("monitoring", "{team: c}")], false);
    let smartstack = "svc/smartstack.yaml";
    check(smartstack, "", "main: {proxy_port: 1}", &[], true);
    check(smartstack, "main: {proxy_port: 1}", "main: {proxy_port: 2, advertise: [region]}", &[], false);
    check(smartstack, "main: {proxy_port: 1}", "main: {proxy_port: 1, mode: tcp}", &[], true);
    check(smartstack, "main: {proxy_port: 1}", "main: {proxy_port: 1, healthcheck_mode: https}", &[], true);
    check(smartstack, "main: {proxy_port: 1}", "main: {proxy_port: 1, healthcheck_uri: /x}", &[], true);
    check(smartstack, "main: {proxy_port: 1}", "main: {proxy_port: 1, discover: habitat}", &[], true);
    check(
        smartstack,
        "main: {proxy_port: 1}",
        "main: {proxy_port: 1, discover: habitat}",
        &[("constraints", "[]")],
        false,
    );
    check(smartstack, "main: {proxy_port: 1}", "other: {mode: tcp}\nmain: {proxy_port: 1}", &[], false);
    let autotuned = "svc/autotuned_defaults/marathon-c.yaml";
    check(autotuned, "", "main: {cpus: 3}", &[], true);
    check(autotuned, "", "main: {cpus: 3}", &[("cpus", "2")], false);
    check(autotuned, "", "other: {cpus: 3}", &[], false);
    let uses = [("env", "{P: SECRET(s)}")];
    check("svc/secrets/s.json", &secret("s", "1", "1"), &secret("s", "2", "1"), &uses, true);
    check("svc/secrets/s.json", &secret("s", "1", "1"), &secret("s", "1", "2"), &uses, false);
    check("svc/secrets/s.json", "", &secret("s", "1", "1"), &uses, true);
    check("svc/secrets/s.json", "", "{", &uses, false);
    check("svc/secrets/t.json", "", &secret("t", "1", "1"), &uses, false);
    check("_shared/secrets/s.json", "", &secret("s", "1", "1"), &uses, false);
    check("_shared/secrets/s.json", "", &secret("s", "1", "1"), &[("env", "{P: SHARED_SECRET(s)}")], true);
    check("svc/deploy.yaml", "", "pipeline: [{step: canary}]", &[], false);
    check("svc/dependencies.yaml", "", "main: [{well-known: internet}]", &[], false);
}

#[test]
fn a_deployment_is_its_image_and_its_last_start_or_stop() {
    let app = |key: &str, value: Value| {
        let mut tree = Tree::default();
        tree.deployment.insert(key.into(), value);
        tree.render().unwrap()
    };
    let plain = Tree::default().render().unwrap();
    assert_ne!(app("docker_image", json!("services-svc:paasta-89abcdef")).app, plain.app);
    assert_ne!(app("force_bounce", json!("20210301T010203")).app, plain.app);
    assert_eq!(app("force_bounce", json!("")).app, plain.app);
    let stopped = app("desired_state", json!("stop"));
    assert_eq!((stopped.app, stopped.instances), (plain.app.clone(), 0));
    // Any word but `start` stops.
    assert_eq!(app("desired_state", json!("started")).instances, 0);
    for (image, code) in
        [("busybox", "gitbusybox"), ("x:paasta-a_b", "gita--b"), ("a/b:c-0123456789", "git01234567")]
    {
        let id = app("docker_image", json!(image)).app;
        assert_eq!(id.as_str().split('.').nth(2), Some(code), "{id}");
    }
}

/// The registry is the service's, else the system's; an instance has none of its own.
#[test]
fn an_instance_has_no_registry_of_its_own() {
    let image = |service: &str, instance: &[(&str, &str)]| {
        let mut tree = with(instance);
        tree.files.insert("svc/service.yaml".into(), service.into());
        let image = hashed(&tree)["container"]["docker"]["image"].clone();
        image.as_str().unwrap().split('/').next().unwrap().to_owned()
    };
    let own = [("docker_registry", "mine")];
    assert_eq!(image("", &[]), "r.example.com");
    assert_eq!(image("", &own), "r.example.com");
    assert_eq!(image("docker_registry: ours", &[]), "ours");
    assert_eq!(image("docker_registry: ours", &own), "ours");
    assert_eq!(image("docker_registry: host:443", &own), "host:443");
}

/// Mesos starts what has GPUs: nothing of Docker is sent, and its parameters are hashed all the same.
#[test]
fn gpus_make_a_container_of_mesos() {
    for (gpus, text) in [("1", "1"), ("0", "0"), ("2.0", "2.0"), ("'3'", "3")] {
        let tree = with(&[("gpus", gpus), ("host_port", "31000"), ("net", "host"), ("cap_add", "[A]")]);
        let input = hashed(&tree);
        assert_eq!(input["container"]["type"], "MESOS");
        let docker = input["container"]["docker"].as_object().unwrap();
        assert_eq!(docker.keys().collect::<Vec<_>>(), ["image", "parameters"]);
        assert_eq!(input["port_definitions"], json!([{"port": 31000, "protocol": "tcp"}]));
        assert_eq!(input["require_ports"], true);
        assert_eq!(input["env"]["PAASTA_RESOURCE_GPUS"], text);
        let body: Value = serde_json::from_str(&tree.render().unwrap().body).unwrap();
        let docker = body["container"]["docker"].as_object().unwrap();
        assert_eq!(docker.keys().collect::<Vec<_>>(), ["forcePullImage", "image", "privileged"]);
        assert_eq!(body["gpus"], input["gpus"]);
    }
}

#[test]
fn secrets_are_hashed_by_their_signatures() {
    let mut tree = with(&[(
        "env",
        r#"{A: SECRET(s), B: SECRET(s), C: SECRET(gone), D: SHARED_SECRET(s), E: "SECRET(s)\n", F: SECRET(), G: 'SECRET(s) ', H: xSECRET(s)}"#,
    )]);
    tree.files.insert("svc/secrets/s.json".into(), secret("s", "sig", ""));
    tree.files.insert("_shared/secrets/s.json".into(), secret("s", "shared", ""));
    let input = hashed(&tree);
    let expected = json!({
        "SECRET(s)": "sig", "SECRET(gone)": null, "SHARED_SECRET(s)": "shared", "SECRET(s)\n": null, "SECRET()": null,
    });
    assert_eq!(input["paasta_secrets"], expected);
    assert_eq!(input["env"]["A"], "SECRET(s)", "the container's host looks it up");
    let body: Value = serde_json::from_str(&tree.render().unwrap().body).unwrap();
    assert_eq!((&body["env"]["A"], body.get("paasta_secrets")), (&json!("SECRET(s)"), None));
    assert_eq!(hashed(&with(&[("env", "{A: x}")])).get("paasta_secrets"), None);
}

/// Counts are limited by their bounds and never hashed.
#[test]
fn autoscaled_counts_stay_between_their_bounds() {
    let check = |min: &str, max: &str, count: Option<i64>, expected: usize| {
        let mut tree = with(&[("max_instances", max), ("instances", "77")]);
        if !min.is_empty() {
            tree.set("min_instances", min);
        }
        tree.autoscaled_count = count;
        let app = tree.render().unwrap();
        assert_eq!(app.instances, expected, "{min} {max} {count:?}");
        let body: Value = serde_json::from_str(&app.body).unwrap();
        assert_eq!(body["instances"], expected);
        assert_eq!(app.app, Tree::default().render().unwrap().app);
    };
    check("", "9", None, 9);
    check("", "9", Some(4), 4);
    check("", "9", Some(40), 9);
    check("", "9", Some(0), 1);
    check("", "9", Some(-5), 1);
    check("3", "9", Some(2), 3);
    check("0", "9", Some(0), 0);
    check("20", "9", Some(4), 20);
}

/// `backoff_seconds` lets all tasks start within ten seconds, and counts what is configured, stopped or not.
#[test]
fn back_off_goes_by_the_configured_count() {
    let seconds = |key: &str, value: &str, state: &str| {
        let mut tree = with(&[(key, value)]);
        tree.autoscaled_count = Some(1);
        tree.deployment.insert("desired_state".into(), state.into());
        let body: Value = serde_json::from_str(&tree.render().unwrap().body).unwrap();
        body["backoffSeconds"].as_i64().unwrap()
    };
    for (count, expected) in
        [("0", 1), ("1", 10), ("2", 5), ("3", 4), ("4", 3), ("5", 2), ("9", 2), ("10", 1), ("100", 1)]
    {
        assert_eq!(seconds("instances", count, "start"), expected);
        assert_eq!(seconds("instances", count, "stop"), expected);
        assert_eq!(seconds("max_instances", count, "start"), expected);
    }
}

/// Environment values are Python's `str()` of what YAML 1.1 makes of them.
#[test]
fn environment_values_are_pythons_text() {
    let check = |yaml: &str, text: &str| {
        let env = hashed(&with(&[("env", &format!("{{K: {yaml}}}"))]))["env"].clone();
        assert_eq!(env["K"], text, "{yaml}");
    };
    check("yes", "True");
    check("Off", "False");
    check("~", "None");
    check("", "None");
    check("'yes'", "yes");
    check("010", "8");
    check("1:30", "90");
    check("1_000", "1000");
    check("0x1F", "31");
    check("-0", "0");
    check("123456789012345678901234567890", "123456789012345678901234567890");
    check("1e5", "1e5");
    check("1.5e+3", "1500.0");
    check("0.00001", "1e-05");
    check("0.0001", "0.0001");
    check("1.0e+16", "1e+16");
    check("1.0e+15", "1000000000000000.0");
    check("123456789012345678.0", "1.2345678901234568e+17");
    check("-0.0", "-0.0");
    check(".inf", "inf");
    check("-.inf", "-inf");
    check(".nan", "nan");
    check("2021-04-01", "2021-04-01");
    check("2001-12-14t21:59:43.10-05:00", "2001-12-14 21:59:43.100000-05:00");
    check("2001-12-14 21:59:43Z", "2001-12-14 21:59:43+00:00");
    check("!!binary aGVsJ2xvCv8=", r#"b"hel'lo\n\xff""#);
    check("[a, 1.0, null, yes, [x]]", "['a', 1.0, None, True, ['x']]");
    check("{k: v, 1: {}, 2021-04-01: []}", "{'k': 'v', 1: {}, datetime.date(2021, 4, 1): []}");
    check(
        r#"["it's", 'a"b', "both ' and \"", "tab\t", "é", "\u200b", "\x7f", "\U0001F600"]"#,
        "[\"it's\", 'a\"b', 'both \\' and \"', 'tab\\t', 'é', '\\u200b', '\\x7f', '😀']",
    );
    check("[!!binary aGk=]", "[b'hi']");
    let env =
        hashed(&with(&[("env", "{5: x, yes: y, null: z, 1.50: w, 2021-04-01: v, 5.0: u}")]))["env"].clone();
    for (key, value) in
        [("5.0", None), ("5", Some("u")), ("True", Some("y")), ("None", Some("z")), ("1.5", Some("w"))]
    {
        assert_eq!(env.get(key).and_then(Value::as_str), value, "{key}");
    }
    assert_eq!(env["2021-04-01"], "v");
}

/// Values that are hashed as they are, as Python's `json.dumps(…, sort_keys=True)` writes them.
#[test]
fn hashed_values_are_pythons_json() {
    let check = |yaml: &str, text: &str| {
        let input = with(&[("args", yaml)]).render().unwrap().hash_input;
        let expected = format!(r#"{{"args": {text}, "backoff_factor""#);
        assert!(input.starts_with(&expected), "{yaml}: {input}");
    };
    check("x", r#""x""#);
    check("[1, 1.0, yes, ~, -0, -0.0]", "[1, 1.0, true, null, 0, -0.0]");
    check("[0.1, 100.0, 1.0e+16, 1.0e-5, 0.0001]", "[0.1, 100.0, 1e+16, 1e-05, 0.0001]");
    check("[123456789012345678901234567890, 5.0e-324]", "[123456789012345678901234567890, 5e-324]");
    check(
        r#"["é", "\U0001F600", "\u2028", "/", "\"", "\\", "\x7f", "\x01", "\n\r\t\b\f"]"#,
        r#"["\u00e9", "\ud83d\ude00", "\u2028", "/", "\"", "\\", "\u007f", "\u0001", "\n\r\t\b\f"]"#,
    );
    check(
        "{b: 1, B: 2, é: 3, a: [], 😀: 4, '\u{ffe0}': 5}",
        r#"{"B": 2, "a": [], "b": 1, "\u00e9": 3, "\uffe0": 5, "\ud83d\ude00": 4}"#,
    );
    check("{10: a, 9: b, 2.5: c}", r#"{"2.5": "c", "9": "b", "10": "a"}"#);
    check("{yes: a, 0: b}", r#"{"0": "b", "true": "a"}"#);
    check("{~: a}", r#"{"null": "a"}"#);
    check("[{}, [[]], '']", r#"[{}, [[]], ""]"#);
}

/// The class of what is wrong, by the original's names (§1.11), and that it is named at all.
#[test]
fn what_has_no_identity_says_why() {
    let refuse = |instance: &[(&str, &str)], class: &str| {
        assert_eq!(with(instance).render().map(|app| app.app), Err(class.to_owned()), "{instance:?}");
    };
    refuse(&[("cmd", "x"), ("args", "[]")], "InvalidInstanceConfig");
    refuse(&[("cmd", "{a: b}")], "ValueError");
    refuse(&[("cmd", "[1]")], "TypeError");
    refuse(&[("healthcheck_mode", "grpc")], "InvalidHealthcheckMode");
    refuse(&[("healthcheck_mode", "1")], "InvalidHealthcheckMode");
    refuse(&[("healthcheck_mode", "cmd")], "InvalidInstanceConfig");
    refuse(&[("healthcheck_mode", "cmd"), ("healthcheck_cmd", "null")], "InvalidInstanceConfig");
    refuse(&[("healthcheck_mode", "cmd"), ("healthcheck_cmd", "[a]")], "TypeError");
    refuse(&[("healthcheck_mode", "tcp"), ("healthcheck_timeout_seconds", "2021-04-01")], "TypeError");
    refuse(&[("cpus", "'1'")], "TypeError");
    refuse(&[("cpus", "null")], "TypeError");
    refuse(&[("mem", "'512'")], "TypeError");
    refuse(&[("mem", ".inf")], "OverflowError");
    refuse(&[("disk", "x")], "ValueError");
    refuse(&[("instances", "'3'")], "TypeError");
    refuse(&[("instances", "null")], "TypeError");
    refuse(&[("args", "[2021-04-01]")], "TypeError");
    refuse(&[("args", "[!!binary aGk=]")], "TypeError");
    refuse(&[("args", "{a: 1, 2: b}")], "TypeError");
    refuse(&[("env", "[a]")], "TypeError");
    refuse(&[("env", "{A: [2001-12-14 21:59:43]}")], "InvalidInstanceConfig");
    refuse(&[("deploy_group", "'{team}'")], "KeyError");
    refuse(&[("deploy_group", "'{}'")], "IndexError");
    refuse(&[("deploy_group", "7")], "AttributeError");
    refuse(&[("deploy_group", "never-deployed")], "NoDeploymentsAvailable");
    refuse(&[("deploy_blacklist", "null")], "TypeError");
    refuse(&[("deploy_blacklist", "[[a, b, c]]")], "ValueError");
    refuse(&[("deploy_whitelist", "[a]")], "ValueError");
    refuse(&[("deploy_whitelist", "[a, [1]]")], "TypeError");
    refuse(&[("constraints", "[x]")], "InvalidInstanceConfig");
    refuse(&[("constraints", "[[a, b, c, d]]")], "TypeError");
    refuse(&[("registrations", "[svc]")], "InvalidJobNameError");
    refuse(&[("registrations", "[a.b.c]")], "InvalidJobNameError");
    refuse(&[("nerve_ns", "a.b")], "InvalidJobNameError");
    refuse(&[("extra_volumes", "[{hostPath: /a}]")], "KeyError");
    refuse(&[("extra_volumes", "[{hostPath: /a, containerPath: /b, mode: rw}]")], "InvalidChoiceError");
    refuse(&[("extra_volumes", "[{hostPath: /a, containerPath: /b, size: 1}]")], "TypeError");
    refuse(&[("extra_docker_args", "[a]")], "AttributeError");
    refuse(&[("net", "calico")], "InvalidChoiceError");
    refuse(&[("backoff_factor", ".nan")], "ValueError");
}

#[test]
fn what_the_system_lacks_is_an_error_of_its_own_class() {
    let refuse = |change: &dyn Fn(&mut Tree), class: &str| {
        let mut tree = Tree::default();
        change(&mut tree);
        assert_eq!(tree.render().map(|app| app.app), Err(class.to_owned()));
    };
    for key in ["docker_registry", "volumes"] {
        refuse(&|tree| tree.lacking.push(key), "PaastaNotConfigured");
    }
    refuse(&|tree| tree.lacking.push("cluster"), "PaastaNotConfiguredError");
    refuse(&|tree| drop(tree.deployment.insert("docker_image".into(), "".into())), "NoDockerImage");
    let nowhere = |tree: &mut Tree| {
        tree.system.insert("expected_slave_attributes".into(), json!([{"region": "a"}]));
        tree.system.insert("deploy_blacklist".into(), json!([["region", "a"]]));
    };
    refuse(&nowhere, "NoSlavesAvailable");
    // A list that cannot be read comes first.
    let unreadable = |tree: &mut Tree| {
        nowhere(tree);
        tree.set("deploy_whitelist", "[]");
    };
    refuse(&unreadable, "ValueError");
    let namespace = |tree: &mut Tree| {
        tree.files.insert("svc/smartstack.yaml".into(), "main: {mode: udp}".into());
        tree.set("healthcheck_mode", "tcp");
    };
    refuse(&namespace, "InvalidSmartstackMode");
}
