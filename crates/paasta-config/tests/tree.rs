//! soa-configs trees, good and bad, through the public face.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::sync::Arc;

use paasta_config::{ConfigSource, Directory, InstanceType, LoadError, Memory, Soa, SystemConfig};
use paasta_core::Reading;

const DEPLOYMENTS: &str = r#"{"v2": {
    "deployments": {"c.main": {"docker_image": "services-svc:paasta-1", "git_sha": "1"},
                    "prod": {"docker_image": "services-svc:paasta-2", "git_sha": "2"}},
    "controls": {"svc:c.main": {"desired_state": "start", "force_bounce": null},
                 "svc:c.other": {"desired_state": "stop"}, "svc:c.third": {}}}}"#;

fn system() -> SystemConfig {
    SystemConfig::from_json(
        r#"{"cluster": "c", "clusters": ["c", "c-2"], "vault_environment": "prod",
            "auto_config_instance_types_enabled": {"marathon": true}}"#,
    )
    .unwrap()
}

/// What an instance comes to in a tree of one service.
#[track_caller]
fn check(files: &[(&str, &str)], instance: &str, expected: &str) {
    let mut tree = Memory::new().with("svc/deployments.json", DEPLOYMENTS);
    for (file, text) in files {
        tree.insert(format!("svc/{file}"), text);
    }
    let soa = Soa::new(Arc::new(tree));
    let id = format!("svc.{instance}").parse().unwrap();
    let shown = match soa.wanted(&id, &system(), Reading::Known(None)) {
        Ok(wanted) => format!("{} {:?}", wanted.deployment.docker_image, wanted.settings.get("k")),
        Err(error) => format!("{}: {error}", error.class()),
    };
    assert_eq!(shown, expected);
}

const MARATHON: &str = "marathon-c.yaml";

#[test]
fn instances_that_load() {
    let image = "services-svc:paasta-1";
    check(&[(MARATHON, "main: {}")], "main", &format!("{image} None"));
    check(&[(MARATHON, "main: {k: 1}"), ("service.yaml", "k: 2")], "main", &format!("{image} Some(1)"));
    check(&[(MARATHON, "main: {}"), ("service.yaml", "k: 2")], "main", &format!("{image} Some(2)"));
    let autotuned = ("autotuned_defaults/marathon-c.yaml", "main: {k: {b: 3, c: 3}}");
    check(
        &[(MARATHON, "main: {k: {b: 1}}"), autotuned, ("service.yaml", "k: {a: 2}")],
        "main",
        &format!("{image} Some({{\"a\": 2, \"b\": 1, \"c\": 3}})"),
    );
    check(
        &[("marathon-SHARED.yaml", "main: {k: 5}"), (MARATHON, "marathon-SHARED.yaml")],
        "main",
        &format!("{image} Some(5)"),
    );
    check(&[(MARATHON, "other: {deploy_group: prod}")], "other", "services-svc:paasta-2 None");
    check(&[(MARATHON, "main: {deploy_group: '{cluster}.{instance}'}")], "main", &format!("{image} None"));
}

/// What most instances read nothing of may be anything.
#[test]
fn files_of_a_service_count_where_they_are_read() {
    let main = (MARATHON, "main: {}");
    let image = "services-svc:paasta-1 None";
    for text in ["[]", "[a]", "text", "5"] {
        for file in ["data.yaml", "dependencies.yaml", "deploy.yaml"] {
            check(&[main, (file, text)], "main", image);
        }
    }
    for file in ["monitoring.yaml", "smartstack.yaml", "service.yaml"] {
        check(&[main, (file, "[]")], "main", image);
    }
    for file in ["smartstack.yaml", "service.yaml"] {
        let expected = format!("InvalidInstanceConfig: svc/{file}:1:1: the file: a list is not a map");
        check(&[main, (file, "[a]")], "main", &expected);
    }
}

#[test]
fn instances_that_are_not_deployed_or_not_there() {
    check(
        &[(MARATHON, "fourth: {deploy_group: prod}")],
        "fourth",
        "NoDeploymentsAvailable: `svc.fourth` is not deployed: deployments.json has nothing for its deploy group `prod` in `c`",
    );
    check(
        &[(MARATHON, "third: {}")],
        "third",
        "NoDeploymentsAvailable: `svc.third` is not deployed: deployments.json has nothing for its deploy group `c.third` in `c`",
    );
    check(
        &[(MARATHON, "main: {deploy_group: null}")],
        "main",
        "NoDeploymentsAvailable: `svc.main` is not deployed: it has no deploy group",
    );
    check(
        &[(MARATHON, "main: {}\nmine: {}")],
        "mian",
        "NoConfigurationForServiceError: service `svc` has no instance `mian` in cluster `c` (did you mean one of `mine`, `main`?)",
    );
    check(
        &[(MARATHON, "main:")],
        "main",
        "NoConfigurationForServiceError: service `svc` has no instance `main` in cluster `c`",
    );
    check(&[], "main", "NoConfigurationForServiceError: service `svc` has no instance `main` in cluster `c`");
}

#[test]
fn bad_files_name_the_place() {
    check(
        &[(MARATHON, "main: [}")],
        "main",
        "ScannerError: svc/marathon-c.yaml:1:8: did not find expected node content",
    );
    check(
        &[(MARATHON, "- main")],
        "main",
        "InvalidInstanceConfig: svc/marathon-c.yaml:1:1: the file: a list is not a map",
    );
    check(
        &[(MARATHON, "main: 1")],
        "main",
        "InvalidInstanceConfig: svc/marathon-c.yaml:1:7: main: an integer (`1`) is not a map",
    );
    check(
        &[(MARATHON, "_t: {}")],
        "_t",
        "InvalidJobNameError: `_t` is a template, not an instance: its name begins with `_`",
    );
    check(
        &[(MARATHON, "main: {deploy_group: 7}")],
        "main",
        "AttributeError: svc/marathon-c.yaml:1:22: main.deploy_group: an integer (`7`) is not a string",
    );
    check(
        &[(MARATHON, "main: {deploy_group: '{x}'}")],
        "main",
        "KeyError: svc/marathon-c.yaml:1:22: main.deploy_group: \"{x}\" is not a text with no names but {cluster}, {instance}, {service}",
    );
    check(
        &[(MARATHON, "main: {registrations: [a.b.c]}")],
        "main",
        "InvalidJobNameError: svc/marathon-c.yaml:1:23: \"a.b.c\" cannot be a registration: it is not `<service>.<namespace>`",
    );
    check(
        &[(MARATHON, "main: {}"), ("smartstack.yaml", "main: {mode: udp}")],
        "main",
        "InvalidSmartstackMode: svc/smartstack.yaml:1:14: main.mode: \"udp\" is not one of `http`, `tcp`, `https`",
    );
    check(
        &[(MARATHON, "main: {}"), ("service.yaml", "a: 1\n\tb: 2")],
        "main",
        "ScannerError: svc/service.yaml:2:1: found a tab character that violates indentation",
    );
    check(
        &[(MARATHON, "main: {}"), ("deployments.json", "{\"v1\": {}}")],
        "main",
        "KeyError: svc/deployments.json:1:1: v2: nothing is not a map",
    );
    check(
        &[(MARATHON, "main: {}"), ("deployments.json", "{")],
        "main",
        "JSONDecodeError: svc/deployments.json:1:2: a key in double quotes is expected",
    );
}

#[test]
fn one_bad_file_does_not_hide_other_services() {
    let tree = Memory::new()
        .with("bad/marathon-c.yaml", "{")
        .with("good/marathon-c.yaml", "main: {}")
        .with("empty/x", "");
    let (services, errors) = Soa::new(Arc::new(tree)).paasta_services(&system()).unwrap();
    assert_eq!(services.iter().map(|s| s.as_str()).collect::<Vec<_>>(), ["good"]);
    assert_eq!(errors.iter().map(|(s, _)| s.as_str()).collect::<Vec<_>>(), ["bad"]);
}

#[test]
fn types_and_clusters() {
    let tree = Memory::new()
        .with("svc/marathon-c.yaml", "web: {}\n_t: {}\nboth: {}")
        .with("svc/adhoc-c.yaml", "both: {}\nshell: {}")
        .with(
            "svc/tron-c-2.yaml",
            "job: {deploy_group: g, actions: {a: {}, b: {deploy_group: h}}}\n_no: {actions: {x: {}}}",
        )
        .with("svc/marathon-SHARED.yaml", "x: {}");
    let soa = Soa::new(Arc::new(tree));
    let (service, c, c2) = ("svc".parse().unwrap(), "c".parse().unwrap(), "c-2".parse().unwrap());
    let clusters = soa.clusters(&service, &system()).unwrap();
    assert_eq!(clusters.iter().map(|c| c.as_str()).collect::<Vec<_>>(), ["c", "c-2"]);
    let all = soa.all_instances(&service, &c).unwrap();
    let names: Vec<String> = all.iter().map(|(name, kind)| format!("{kind}/{name}")).collect();
    assert_eq!(names, ["marathon/web", "marathon/both", "adhoc/both", "adhoc/shell"]);
    assert_eq!(soa.instance_type(&"svc.both".parse().unwrap(), &c).unwrap(), InstanceType::Marathon);
    let group = |instance: &str| {
        let id = paasta_core::InstanceId::new("svc".parse().unwrap(), instance.parse().unwrap());
        soa.deploy_group(&id, InstanceType::Tron, &c2, &system()).unwrap()
    };
    assert_eq!((group("job.a").as_deref(), group("job.b").as_deref()), (Some("g"), Some("h")));
}

#[test]
fn signatures_of_secrets_are_looked_up() {
    let secret = r#"{"environments": {"prod": {"ciphertext": "x", "signature": "deadbeef"}}}"#;
    let tree = Memory::new()
        .with("svc/deployments.json", DEPLOYMENTS)
        .with("svc/marathon-c.yaml", "main: {env: {A: SECRET(x-key), B: SECRET(missing), C: plain, D: SHARED_SECRET(sh), E: \"SECRET(x-key)\\n\", F: SECRET(../x), G: SECRET(bad)}}")
        .with("svc/secrets/x-key.json", secret)
        .with("svc/secrets/bad.json", "{")
        .with("_shared/secrets/sh.json", r#"{"environments": {"dev": {"signature": "s"}}}"#);
    let wanted = Soa::new(Arc::new(tree))
        .wanted(&"svc.main".parse().unwrap(), &system(), Reading::Known(None))
        .unwrap();
    let shown: Vec<String> =
        wanted.secret_signatures.iter().map(|(text, signature)| format!("{text:?} {signature:?}")).collect();
    assert_eq!(
        shown,
        [
            r#""SECRET(bad)" None"#,
            r#""SECRET(missing)" None"#,
            r#""SECRET(x-key)" Some("deadbeef")"#,
            r#""SECRET(x-key)\n" None"#,
            r#""SHARED_SECRET(sh)" None"#
        ]
    );
}

#[test]
fn a_namespace_is_read_with_its_pairs() {
    let smartstack = "main:\n  proxy_port: 20028\n  advertise: [region, habitat]\n  unknown: 1\n  extra_advertise: {'region:a': ['region:b', 'region:c']}\n  routes: [{source: r1, destinations: [d1, d2]}]\nempty:\n";
    let soa = Soa::new(Arc::new(Memory::new().with("svc/smartstack.yaml", smartstack)));
    let show = |name: &str| format!("{:?}", soa.namespace(&"svc".parse().unwrap(), name).unwrap());
    assert_eq!(
        show("main"),
        r#"{"proxy_port": 20028, "advertise": ["region", "habitat"], "mode": "http", "routes": [["r1", "d1"], ["r1", "d2"]], "extra_advertise": [["region:a", "region:b"], ["region:a", "region:c"]]}"#
    );
    assert_eq!(show("empty"), r#"{"mode": null}"#);
    assert_eq!(show("missing"), r#"{"mode": null}"#);
}

#[test]
fn the_team_is_looked_for_from_the_instance_outwards() {
    let team = |files: &[(&str, &str)]| {
        let mut tree = Memory::new();
        for (file, text) in files {
            tree.insert(format!("svc/{file}"), text);
        }
        let soa = Soa::new(Arc::new(tree));
        let instance = soa
            .instance(&"svc.main".parse().unwrap(), InstanceType::Marathon, &"c".parse().unwrap(), &system())
            .unwrap();
        soa.team(&"svc".parse().unwrap(), Some(&instance.settings)).unwrap()
    };
    let own = (MARATHON, "main: {monitoring: {team: own}}");
    assert_eq!(team(&[own, ("monitoring.yaml", "team: file")]).as_deref(), Some("own"));
    assert_eq!(
        team(&[(MARATHON, "main: {}"), ("monitoring.yaml", "team: file"), ("service.yaml", "team: top")])
            .as_deref(),
        Some("file")
    );
    assert_eq!(team(&[(MARATHON, "main: {}"), ("service.yaml", "team: top")]).as_deref(), Some("top"));
    assert_eq!(team(&[(MARATHON, "main: {}")]), None);
    // The original fails on a `monitoring` that is null.
    let nulls = [(MARATHON, "main: {monitoring: null}"), ("monitoring.yaml", "team: file")];
    assert_eq!(team(&nulls).as_deref(), Some("file"));
    assert_eq!(team(&[(MARATHON, "main: {}"), ("service.yaml", "monitoring: null")]), None);
}

#[test]
fn a_directory_gives_regular_files_of_its_own_only() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret.yaml"), "a: 1").unwrap();
    let root = tempfile::tempdir().unwrap();
    let service = root.path().join("svc");
    fs::create_dir(&service).unwrap();
    fs::write(service.join("marathon-SHARED.yaml"), "main: {}").unwrap();
    symlink("marathon-SHARED.yaml", service.join("marathon-c.yaml")).unwrap();
    symlink(outside.path().join("secret.yaml"), service.join("out.yaml")).unwrap();
    symlink(outside.path(), root.path().join("outside")).unwrap();
    symlink("loop.yaml", service.join("loop.yaml")).unwrap();
    symlink("nowhere.yaml", service.join("dangling.yaml")).unwrap();
    assert!(Command::new("mkfifo").arg(service.join("fifo.yaml")).status().unwrap().success());
    symlink("/dev/zero", service.join("zero.yaml")).unwrap();
    let directory = Directory::new(root.path());
    assert_eq!(directory.read("svc/marathon-c.yaml").unwrap().unwrap(), b"main: {}");
    assert!(directory.read("svc/nothing.yaml").unwrap().is_none());
    assert!(directory.read("svc/dangling.yaml").unwrap().is_none());
    assert!(directory.read("svc/marathon-c.yaml/x").unwrap().is_none());
    for refused in [
        "svc/out.yaml",
        "outside/secret.yaml",
        "svc/loop.yaml",
        "svc/fifo.yaml",
        "svc/zero.yaml",
        "svc",
        "../x",
        "svc/../../x",
        "/etc/passwd",
        "svc//x",
    ] {
        assert!(directory.read(refused).is_err(), "{refused}");
    }
    assert_eq!(directory.list("nowhere").unwrap(), Vec::<String>::new());
    assert_eq!(directory.list("").unwrap(), ["outside", "svc"]);
}

#[test]
fn a_cached_tree_reads_a_file_once() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("svc")).unwrap();
    let file = root.path().join("svc/marathon-c.yaml");
    let names = |soa: &Soa| -> Result<usize, LoadError> {
        Ok(soa.instances(&"svc".parse()?, &"c".parse()?, InstanceType::Marathon)?.len())
    };
    fs::write(&file, "a: {}").unwrap();
    let (cached, fresh) = (Soa::open(root.path()).cached(), Soa::open(root.path()));
    assert_eq!((names(&cached).unwrap(), names(&fresh).unwrap()), (1, 1));
    fs::write(&file, "a: {}\nb: {}").unwrap();
    assert_eq!((names(&cached).unwrap(), names(&fresh).unwrap()), (1, 2));
}
