//! Names that would leave soa-configs, and files that are none, from outside: told, without delay, and nothing is written.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command as System;
use std::time::Duration;

use assert_cmd::Command;

/// Generous: nothing here waits.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Below `root`: `soa` with services of bad files, `x` beside it, `etc`.
fn world(root: &Path) {
    let file = |name: &str, text: &str| {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let system = serde_json::json!({
        "cluster": "c", "clusters": ["c"], "docker_registry": "r", "volumes": [], "host_maintenance": "none",
        "coordination": {"driver": "file", "directory": root.join("locks")}, "log_writer": {"driver": "null"},
        "marathon_servers": [{"url": ["http://127.0.0.1:1"], "user": "u", "password": "p"}],
    });
    file("etc/c.json", &system.to_string());
    file("x/marathon-c.yaml", "main: {instances: 1}");
    file("x/service.yaml", "git_url: file:///nowhere");
    file("soa/deep/marathon-c.yaml", &"[".repeat(10_000));
    for service in ["pipe", "loop"] {
        fs::create_dir_all(root.join("soa").join(service)).unwrap();
    }
    assert!(System::new("mkfifo").arg(root.join("soa/pipe/marathon-c.yaml")).status().unwrap().success());
    symlink("marathon-c.yaml", root.join("soa/loop/marathon-c.yaml")).unwrap();
    symlink("../x", root.join("soa/out")).unwrap();
}

#[track_caller]
fn refused(root: &Path, program: &str, arguments: &[&str], expected: &str) {
    let soa: PathBuf = root.join("soa");
    let mut command = Command::cargo_bin(program).unwrap();
    command
        .env("PAASTA_SYSTEM_CONFIG_DIR", root.join("etc"))
        .arg("-d")
        .arg(soa)
        .args(arguments)
        .timeout(TIMEOUT);
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(1 | 2)), "{arguments:?}: {:?} {told}", output.status);
    assert!(told.contains(expected) && !told.contains("panicked"), "{arguments:?}: {told}");
}

/// What is said of each service with a bad file.
const BAD: [(&str, &str); 4] = [
    ("out", "it is a link that leads out of the directory"),
    ("pipe", "pipe/marathon-c.yaml`: it is a pipe, not a regular file"),
    ("loop", "loop/marathon-c.yaml`: "),
    ("deep", "deep/marathon-c.yaml:1:202: lists and maps are nested deeper than 200"),
];

#[test]
fn setup_marathon_job_stays_inside_and_tells_of_bad_files() {
    let root = tempfile::tempdir().unwrap();
    world(root.path());
    for name in ["../x.main", "...main", "/etc.main", "svc.../x", "a\nb.main"] {
        refused(root.path(), "setup_marathon_job", &["--dry-run", name], "cannot be a");
    }
    for (service, expected) in BAD {
        refused(root.path(), "setup_marathon_job", &["--dry-run", &format!("{service}.main")], expected);
    }
}

#[test]
fn the_generator_stays_inside_and_tells_of_bad_files() {
    let root = tempfile::tempdir().unwrap();
    world(root.path());
    for name in ["../x", "..", "/etc", "a/b", "a\nb"] {
        refused(root.path(), "generate_deployments_for_service", &["-s", name], "cannot be a service name");
    }
    for (service, expected) in BAD {
        let expected = expected.replace("`: ", "`\n  caused by: ");
        refused(root.path(), "generate_deployments_for_service", &["-s", service], &expected);
        assert!(!root.path().join("soa").join(service).join("deployments.json").exists(), "{service}");
    }
}

#[test]
fn an_old_deployments_json_that_is_no_file_is_told_and_left() {
    let root = tempfile::tempdir().unwrap();
    world(root.path());
    for folder in ["old", "away"] {
        fs::create_dir(root.path().join("soa").join(folder)).unwrap();
    }
    let pipe = root.path().join("soa/old/deployments.json");
    assert!(System::new("mkfifo").arg(&pipe).status().unwrap().success());
    symlink(root.path().join("x/service.yaml"), root.path().join("soa/away/deployments.json")).unwrap();
    for (service, expected) in [
        ("old", "it is a pipe, not a regular file; put a file there, or remove it"),
        ("away", "it is a link that leads out of the directory"),
    ] {
        let expected = format!("{service}/deployments.json`\n  caused by: {expected}");
        for arguments in [&["-s", service][..], &["-s", service, "--dry-run"]] {
            refused(root.path(), "generate_deployments_for_service", arguments, &expected);
        }
        let file = root.path().join("soa").join(service).join("deployments.json");
        assert!(!fs::symlink_metadata(file).unwrap().is_file(), "{service}");
    }
}
