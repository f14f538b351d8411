//! The program itself: what it refuses, and how it ends.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn program(root: &Path, system: &str) -> Command {
    fs::create_dir_all(root.join("soa/web")).expect("made");
    fs::create_dir_all(root.join("etc")).expect("made");
    fs::write(root.join("etc/system.json"), system.replace("ROOT", &root.display().to_string()))
        .expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_paasta-deployd"));
    command.env("PAASTA_SYSTEM_CONFIG_DIR", root.join("etc")).stdin(Stdio::null());
    command
}

#[track_caller]
fn refused(system: &str, expected: &[&str]) {
    let root = tempfile::tempdir().expect("a folder");
    let output = program(root.path(), system).output().expect("it starts");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    for text in expected {
        assert!(told.contains(text), "`{text}` is not in: {told}");
    }
}

#[test]
fn what_cannot_be_had_is_refused_by_name() {
    let log = r#""log_writer": {"driver": "null"}"#;
    refused(
        &format!(r#"{{"cluster": "here", "zookeeper": "zk://h:2181", {log}}}"#),
        &["could not take part in this cluster", "ZooKeeper", "`coordination`"],
    );
    refused(
        &format!(r#"{{"cluster": "here", "coordination": {{"driver": "file"}}, {log}}}"#),
        &["`coordination.directory`"],
    );
    refused(
        &format!(
            r#"{{"cluster": "here", "coordination": {{"driver": "file", "directory": "ROOT/c"}}, {log},
                "deployd_number_workers": 0}}"#
        ),
        &["could not read deployd's settings", "`deployd_number_workers` is `0`", "system.json:2:"],
    );
    refused(r#"{"cluster": "here"}"#, &["log_writer"]);
    refused("{", &["system.json:1:"]);
}

#[test]
fn it_ends_on_sigterm_while_nobody_answers() {
    let root = tempfile::tempdir().expect("a folder");
    let system = r#"{"cluster": "here", "clusters": ["here"], "soa_dir": "ROOT/soa",
        "coordination": {"driver": "file", "directory": "ROOT/c"}, "log_writer": {"driver": "null"},
        "host_maintenance": "none", "docker_registry": "r", "volumes": [],
        "marathon_servers": [{"url": "http://127.0.0.1:1", "user": "", "password": ""}]}"#;
    let mut command = program(root.path(), system);
    fs::write(root.path().join("soa/web/marathon-here.yaml"), "main: {cmd: x, net: host}\n")
        .expect("written");
    let mut child = command.stderr(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    let started = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("started")));
    assert!(started.is_some(), "it never started");
    let asked = Instant::now();
    let killed = Command::new("kill").arg(child.id().to_string()).status().expect("it starts");
    assert!(killed.success());
    assert!(child.wait().expect("it ends").success());
    assert!(asked.elapsed() < Duration::from_secs(5), "it took {:?}", asked.elapsed());
}
