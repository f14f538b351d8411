//! Loading the system configuration from a directory (config.md §3.1).
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use paasta_config::{CoordinationDriver, HostMaintenance, SystemConfig, SystemError};

fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    directory
}

#[track_caller]
fn refused(files: &[(&str, &str)], class: &str, message: &str) {
    let directory = directory(files);
    let error = SystemConfig::load(directory.path()).unwrap_err();
    let text = std::iter::successors(Some(&error as &dyn std::error::Error), |e| e.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ");
    assert_eq!(error.class(), class, "{text}");
    assert!(text.replace(&directory.path().display().to_string(), "D").contains(message), "{text}");
}

#[test]
fn debug_texts_hold_no_values() {
    let text = r#"{"marathon_servers": [{"url": ["http://u:p4ss@h"], "user": "u", "password": "p4ss"}]}"#;
    let system = SystemConfig::from_json(text).unwrap();
    let shown = format!("{system:?} {:?}", system.marathon_servers().unwrap());
    assert!(shown.contains("marathon_servers") && shown.contains("http://h"), "{shown}");
    assert!(!shown.contains("p4ss"), "{shown}");
}

#[test]
fn all_json_files_below_are_joined() {
    let directory = directory(&[
        ("a.json", r#"{"x": {"y": 1}, "cluster": "c"}"#),
        ("deep/er/b.json", r#"{"x": {"z": 2}}"#),
        (".hid.json", r#"{"hidden": true}"#),
        ("up.JSON", "not read"),
        ("n.yaml", "not read"),
    ]);
    symlink(directory.path(), directory.path().join("loop")).unwrap();
    symlink("nowhere", directory.path().join("dangling.json")).unwrap();
    let system = SystemConfig::load(directory.path()).unwrap();
    assert_eq!(format!("{:?}", system.map()), r#"{"hidden": true, "x": {"y": 1, "z": 2}, "cluster": "c"}"#);
}

#[test]
fn a_file_that_may_not_be_read_is_skipped() {
    let directory = directory(&[("a.json", r#"{"cluster": "c"}"#), ("secret.json", "{}")]);
    let secret = directory.path().join("secret.json");
    fs::write(&secret, r#"{"cluster": "d"}"#).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(&secret).is_ok() {
        return; // Nothing is unreadable to root.
    }
    assert_eq!(SystemConfig::load(directory.path()).unwrap().cluster().unwrap().as_str(), "c");
}

#[test]
fn what_is_wrong_is_named() {
    refused(
        &[("a.json", r#"{"x": 1}"#), ("b.json", "{\n \"x\": 1}")],
        "DuplicateKeyError",
        "`x` is set twice in the system configuration: at D/a.json:1:7 and at D/b.json:2:7",
    );
    refused(
        &[("a.json", "")],
        "JSONDecodeError",
        "D/a.json:1:1: the document ends where a value is expected",
    );
    refused(&[("a.json", "{\"x\":}")], "JSONDecodeError", "D/a.json:1:6: a value is expected");
    refused(&[("a.json", "[]")], "InvalidSystemConfig", "`D/a.json` holds a list, not a map");
    let missing = SystemConfig::load(Path::new("/nowhere/at/all")).unwrap_err();
    assert!(matches!(missing, SystemError::NoDirectory { .. }));
    assert!(missing.to_string().contains("`/nowhere/at/all`"));
    assert!(SystemConfig::load_optional("/nowhere/at/all").unwrap().map().is_empty());
}

#[test]
fn settings_without_a_default_name_themselves_and_the_directory() {
    let system = SystemConfig::load_optional("/nowhere").unwrap();
    for (setting, error) in [
        ("cluster", system.cluster().unwrap_err()),
        ("zookeeper", system.zookeeper().unwrap_err()),
        ("docker_registry", system.docker_registry().unwrap_err()),
        ("volumes", system.volumes().unwrap_err()),
        ("log_writer", system.log_writer().unwrap_err()),
        ("log_reader", system.log_reader().unwrap_err()),
    ] {
        assert_eq!(error.class(), "PaastaNotConfiguredError");
        assert_eq!(
            error.to_string(),
            format!("the system configuration in `/nowhere` does not set `{setting}`")
        );
    }
}

#[test]
fn defaults() {
    let system = SystemConfig::from_json("{}").unwrap();
    assert!(system.clusters().unwrap().is_empty());
    assert_eq!(system.dockercfg_location().unwrap(), "file:///root/.dockercfg");
    assert_eq!(system.auto_hostname_unique_size().unwrap(), -1);
    assert_eq!(system.synapse_port().unwrap(), 3212);
    assert_eq!(system.sensu_host().unwrap().as_deref(), Some("localhost"));
    assert_eq!(system.hacheck_port().unwrap(), 6666);
    assert_eq!(system.marathon_deployments_max().unwrap(), 100);
    assert_eq!(system.soa_dir().unwrap(), Path::new("/nail/etc/services"));
    assert_eq!(system.coordination().unwrap().driver, CoordinationDriver::Zookeeper);
    assert_eq!(system.host_maintenance().unwrap(), HostMaintenance::Mesos);
    assert!(system.marathon_servers().unwrap().is_empty());
    assert!(!system.enforce_disk_quota().unwrap());
    assert!(!system.auto_config_enabled("marathon").unwrap());
    assert_eq!(system.deployd_big_bounce_deadline().unwrap(), 604_800.0);
}

#[test]
fn values_are_checked() {
    let check = |json: &str, read: fn(&SystemConfig) -> Result<String, SystemError>, expected: &str| {
        let shown = match read(&SystemConfig::from_json(json).unwrap()) {
            Ok(value) => value,
            Err(SystemError::Setting(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected, "{json}");
    };
    check(r#"{"synapse_port": "3213"}"#, |s| Ok(s.synapse_port()?.to_string()), "3213");
    check(r#"{"marathon_deployments_max": 7}"#, |s| Ok(s.marathon_deployments_max()?.to_string()), "7");
    for (wrong, told) in [("0", "an integer (`0`)"), ("true", "a boolean (`true`)"), ("\"x\"", "\"x\"")] {
        check(
            &format!("{{\"marathon_deployments_max\": {wrong}}}"),
            |s| Ok(s.marathon_deployments_max()?.to_string()),
            &format!("memory:1:30: marathon_deployments_max: {told} is not an integer of at least 1"),
        );
    }
    check(
        r#"{"synapse_port": 99999}"#,
        |s| Ok(s.synapse_port()?.to_string()),
        "memory:1:18: synapse_port: an integer (`99999`) is not a port between 0 and 65535",
    );
    check(r#"{"sensu_host": null}"#, |s| Ok(format!("{:?}", s.sensu_host()?)), "None");
    check(
        r#"{"clusters": "c"}"#,
        |s| Ok(format!("{:?}", s.clusters()?)),
        r#"memory:1:14: clusters: "c" is not a list"#,
    );
    for (json, read) in [
        (r#"{"clusters": ["paasta-c"]}"#, (|s| Ok(format!("{:?}", s.clusters()?))) as fn(&SystemConfig) -> _),
        (r#"{"cluster":   "paasta-c"}"#, |s| Ok(s.cluster()?.to_string())),
    ] {
        let error = read(&SystemConfig::from_json(json).unwrap()).unwrap_err();
        let SystemError::Setting(error) = error else { panic!("{error}") };
        let said = error.to_string();
        assert!(said.starts_with("memory:1:15: cluster") && said.contains(r#""paasta-c" is not"#), "{said}");
        assert!(said.ends_with("name the cluster otherwise"), "{said}");
    }
    check(r#"{"host_maintenance": "none"}"#, |s| Ok(format!("{:?}", s.host_maintenance()?)), "None");
    check(
        r#"{"host_maintenance": "x"}"#,
        |s| Ok(format!("{:?}", s.host_maintenance()?)),
        r#"memory:1:22: host_maintenance: "x" is not `mesos` or `none`"#,
    );
    check(
        r#"{"coordination": {"driver": "file"}}"#,
        |s| Ok(format!("{:?}", s.coordination()?)),
        "the system configuration in `memory` does not set `coordination.directory`",
    );
    check(
        r#"{"marathon_servers": [{"url": ["u"], "user": "x"}]}"#,
        |s| Ok(format!("{:?}", s.marathon_servers()?)),
        "the system configuration in `memory` does not set `marathon_servers[0].password`",
    );
    check(
        r#"{"marathon_servers": [{"url": "u", "user": "x", "password": "hush"}]}"#,
        |s| Ok(format!("{:?}", s.marathon_servers()?)),
        r#"[MarathonServer { urls: ["u"], user: "x", .. }]"#,
    );
}
