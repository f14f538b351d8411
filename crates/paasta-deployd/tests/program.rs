//! The program itself: what it refuses, and how it ends.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
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
        &format!(r#"{{"cluster": "here", "zookeeper": "zk://", {log}}}"#),
        &["could not take part in this cluster", "ZooKeeper", "`coordination`"],
    );
    refused(&format!(r#"{{"cluster": "here", {log}}}"#), &["`zookeeper`"]);
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

const SYSTEM: &str = r#"{"cluster": "here", "clusters": ["here"], "soa_dir": "ROOT/soa", "zookeeper": "zk://ZOOKEEPER",
    "coordination": {"driver": "DRIVER", "directory": "ROOT/c"}, "log_writer": {"driver": "null"},
    "host_maintenance": "none", "docker_registry": "r", "volumes": [],
    "marathon_servers": [{"url": "http://127.0.0.1:1", "user": "", "password": ""}]}"#;

/// Starts it, waits for these lines of its log, and asks it to end: without a pass under way that takes no time but
/// the second that ZooKeeper is waited for.
#[track_caller]
fn ends_in_time(system: &str, lines: &[&str]) {
    let root = tempfile::tempdir().expect("a folder");
    let mut command = program(root.path(), system);
    fs::write(root.path().join("soa/web/marathon-here.yaml"), "main: {cmd: x, net: host}\n")
        .expect("written");
    let mut child = command.stderr(Stdio::piped()).spawn().expect("it starts");
    let mut said = BufReader::new(child.stderr.take().expect("piped")).lines().map_while(Result::ok);
    let mut missing = lines.to_vec();
    while !missing.is_empty() {
        let line = said.next().unwrap_or_else(|| panic!("it never said {missing:?}"));
        missing.retain(|wanted| !line.contains(wanted));
    }
    let asked = Instant::now();
    let killed = Command::new("kill").arg(child.id().to_string()).status().expect("it starts");
    assert!(killed.success());
    assert!(child.wait().expect("it ends").success());
    assert!(asked.elapsed() < Duration::from_secs(3), "it took {:?}", asked.elapsed());
}

#[test]
fn it_ends_on_sigterm_while_nobody_answers() {
    ends_in_time(&SYSTEM.replace("DRIVER", "file"), &["started"]);
}

#[test]
fn it_ends_on_sigterm_while_zookeeper_is_silent() {
    for (answers, lines) in [(0, &["started"][..]), (2, &["started", "a session with ZooKeeper is there"])] {
        let address = zookeeper_falling_silent(answers);
        ends_in_time(&SYSTEM.replace("DRIVER", "zookeeper").replace("ZOOKEEPER", &address), lines);
    }
}

/// A ZooKeeper that accepts, and answers so many questions on each connection: the first opens a session, the second is a
/// sync.
fn zookeeper_falling_silent(answers: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            std::thread::spawn(move || {
                let mut answered = 0;
                while let Some(question) = frame(&mut stream) {
                    if answered >= answers {
                        continue;
                    }
                    let answer = match answered {
                        0 => session(),
                        _ => header(&question),
                    };
                    let path = if answered > 0 { &question[8..] } else { &[] };
                    let length = u32::try_from(answer.len() + path.len()).expect("short").to_be_bytes();
                    stream.write_all(&[&length[..], &answer, path].concat()).expect("sent");
                    // A ping has no path, and does not count.
                    answered += usize::from(answered == 0 || !path.is_empty());
                }
            });
        }
    });
    address
}

fn frame(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let mut frame = vec![0; u32::from_be_bytes(length).try_into().ok()?];
    stream.read_exact(&mut frame).ok()?;
    Some(frame)
}

/// Protocol 0, ten seconds, session 1 with its password, and not read-only.
fn session() -> Vec<u8> {
    let (version, timeout, id, password) = (0_i32, 10_000_i32, 1_i64, [7; 16]);
    let length = 16_i32;
    [
        &version.to_be_bytes()[..],
        &timeout.to_be_bytes(),
        &id.to_be_bytes(),
        &length.to_be_bytes(),
        &password,
        &[0],
    ]
    .concat()
}

/// The question's number, transaction 1, and no error.
fn header(question: &[u8]) -> Vec<u8> {
    [&question[..4], &1_i64.to_be_bytes(), &0_i32.to_be_bytes()].concat()
}
