//! `paasta_maintenance` from outside, before a master, an agent and a load balancer that play back answers.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use assert_cmd::Command;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The longest that anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is served, by the beginning of the path, or for the operator's interface by the type of the call.
type Answers = Arc<Mutex<Vec<(String, String)>>>;

struct World {
    directory: TempDir,
    address: String,
    answers: Answers,
    calls: Arc<Mutex<Vec<Value>>>,
}

struct Run {
    code: Option<i32>,
    out: String,
    talk: String,
}

impl World {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (answers, calls) = (Answers::default(), Arc::<Mutex<Vec<Value>>>::default());
        let (told, seen) = (answers.clone(), calls.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (told, seen) = (told.clone(), seen.clone());
                std::thread::spawn(move || serve(stream.unwrap(), &told, &seen));
            }
        });
        let world = Self { directory: tempfile::tempdir().unwrap(), address, answers, calls };
        world.file("mesos-cli.json", &json!({ "default": { "master": world.address } }).to_string());
        world.configure(json!({}));
        world.says("GET_MAINTENANCE_STATUS", &status(&["h1"], &["h3"]));
        world.says("GET_MAINTENANCE_SCHEDULE", &schedule(1, 1));
        world.says(
            "/master/state-summary",
            r#"{"slaves": [{"id": "S1", "hostname": "h1", "resources": {"cpus": 2}}]}"#,
        );
        world.says("/master/state.json", &state("h1", 0));
        world
    }

    fn configure(&self, keys: Value) {
        let mut system = json!({
            "cluster": "prod", "mesos_config": { "path": self.directory.path().join("mesos-cli.json") },
            "coordination": { "driver": "file", "directory": self.directory.path().join("locks") },
        });
        for (key, value) in keys.as_object().unwrap() {
            system[key] = value.clone();
        }
        self.file("etc/c.json", &system.to_string());
    }

    fn file(&self, name: &str, text: &str) {
        let path = self.directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn says(&self, what: &str, answer: &str) {
        let mut answers = self.answers.lock().unwrap();
        answers.retain(|(name, _)| name != what);
        answers.push((what.to_owned(), answer.to_owned()));
    }

    fn run(&self, arguments: &[&str]) -> Run {
        let mut command = Command::cargo_bin("paasta_maintenance").unwrap();
        command.env("PAASTA_SYSTEM_CONFIG_DIR", self.directory.path().join("etc")).env("TZ", "UTC");
        let output = command.args(arguments).timeout(PATIENCE).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Run { code: output.status.code(), out: text(output.stdout), talk: text(output.stderr) }
    }

    #[track_caller]
    fn check(&self, arguments: &[&str], code: i32, out: &str) {
        let run = self.run(arguments);
        assert_eq!((run.code, run.out.as_str()), (Some(code), out), "{arguments:?}: {}", run.talk);
    }
}

fn serve(mut stream: TcpStream, answers: &Answers, calls: &Mutex<Vec<Value>>) {
    let (mut request, mut buffer) = (String::new(), [0; 8192]);
    let (path, body) = loop {
        let count = stream.read(&mut buffer).unwrap_or(0);
        if count == 0 {
            return;
        }
        request.push_str(&String::from_utf8_lossy(&buffer[..count]));
        let Some((head, body)) = request.split_once("\r\n\r\n") else { continue };
        let length =
            head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if body.len() >= length.unwrap_or(0) {
            break (head.split(' ').nth(1).unwrap().to_owned(), body.to_owned());
        }
    };
    let call: Option<Value> = serde_json::from_str(&body).ok();
    let name = call.as_ref().map_or(path.as_str(), |call| call["type"].as_str().unwrap());
    let found = answers
        .lock()
        .unwrap()
        .iter()
        .find(|(what, _)| name.starts_with(what))
        .map(|(_, answer)| answer.clone());
    // What only tells something to the master needs no answer prepared.
    let (status, answer) = match (found, &call) {
        (Some(answer), _) => ("200 OK", answer),
        (None, Some(call)) if !call["type"].as_str().unwrap().starts_with("GET_") => {
            ("202 Accepted", String::new())
        }
        _ => ("404 Not Found", String::new()),
    };
    calls.lock().unwrap().extend(call);
    let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", answer.len());
    let _ = stream.write_all((head + &answer).as_bytes());
}

fn status(draining: &[&str], down: &[&str]) -> String {
    let draining: Vec<Value> =
        draining.iter().map(|name| json!({ "id": { "hostname": name, "ip": "10.0.0.1" } })).collect();
    let down: Vec<Value> = down.iter().map(|name| json!({ "hostname": name, "ip": "10.0.0.3" })).collect();
    json!({ "get_maintenance_status": { "status": { "draining_machines": draining, "down_machines": down } } })
        .to_string()
}

fn schedule(start: i64, duration: i64) -> String {
    let window = json!({
        "machine_ids": [{ "hostname": "h1", "ip": "10.0.0.1" }],
        "unavailability": { "start": { "nanoseconds": start }, "duration": { "nanoseconds": duration } },
    });
    json!({ "get_maintenance_schedule": { "schedule": { "windows": [window] } } }).to_string()
}

/// A cluster of one host on which so many tasks run.
fn state(host: &str, running: usize) -> String {
    let task = |n| json!({ "id": format!("t.{n}"), "slave_id": "S1", "state": "TASK_RUNNING" });
    let tasks: Vec<Value> = (0..running).map(task).collect();
    json!({
        "slaves": [{ "id": "S1", "hostname": host, "resources": {} }],
        "frameworks": [{ "name": "marathon", "tasks": tasks }],
    })
    .to_string()
}

#[test]
fn what_is_out_is_listed() {
    let world = World::start();
    let run = world.run(&["status"]);
    assert_eq!(run.code, Some(0), "{}", run.talk);
    let rows: Vec<Vec<&str>> = run.out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows, [["h1", "10.0.0.1", "Draining"], ["h3", "10.0.0.3", "Down"]]);
    let run = world.run(&["status", "--json"]);
    let rows: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(rows[1], json!({ "hostname": "h3", "ip": "10.0.0.3", "state": "Down" }));
    let run = world.run(&["cluster_status"]);
    assert_eq!(
        serde_json::from_str::<Value>(&run.out).unwrap()["get_maintenance_status"]["status"]["down_machines"]
            [0]["hostname"],
        "h3"
    );
    let run = world.run(&["schedule"]);
    assert_eq!(run.out.trim(), schedule(1, 1));
}

/// A row of docs/differences.md: in the original a cluster without maintenance is a failure.
#[test]
fn mended_nobody_out_is_no_failure() {
    let world = World::start();
    world.says("GET_MAINTENANCE_STATUS", &status(&[], &[]));
    world.check(&["status"], 0, "");
}

#[test]
fn questions_are_answered_by_text_and_exit_code() {
    let world = World::start();
    for (action, host, answer) in [
        ("is_host_down", "h3", true),
        ("is_host_down", "h1", false),
        ("is_host_draining", "h1", true),
        ("is_host_draining", "h3|10.0.0.3", false),
        ("is_host_drained", "h1", true),
        ("is_host_drained", "h2", false),
        ("is_safe_to_kill", "h1", true),
        ("is_safe_to_kill", "h2", false),
    ] {
        world.check(&[action, host], i32::from(!answer), if answer { "True\n" } else { "False\n" });
    }
    world.check(&["is_host_draining", "h1", "h3"], 1, "False\n");
    world.says("/master/state.json", &state("h1", 2));
    world.check(&["is_host_drained", "h1"], 1, "False\n");
    world.check(&["is_safe_to_kill", "h1"], 0, "True\n");
    world.says("GET_MAINTENANCE_SCHEDULE", &schedule(i64::MAX, 1));
    world.check(&["is_safe_to_kill", "h1"], 1, "False\n");
}

/// Rows of docs/differences.md: in the original both questions fail, by any name.
#[test]
fn mended_times_can_be_asked_for_by_both_names() {
    let world = World::start();
    for hosts in ["host", "hosts"] {
        world.check(&[&format!("is_{hosts}_past_maintenance_start"), "h1"], 0, "True\n");
        world.check(&[&format!("is_{hosts}_past_maintenance_end"), "h1"], 0, "True\n");
    }
    world.says("GET_MAINTENANCE_SCHEDULE", &schedule(1, i64::MAX - 1));
    world.check(&["is_host_past_maintenance_start", "h1"], 0, "True\n");
    world.check(&["is_host_past_maintenance_end", "h1"], 1, "False\n");
}

/// A row of docs/differences.md: an agent that the master does not hear of may run anything.
#[test]
fn mended_a_host_whose_agent_is_silent_is_not_drained() {
    let world = World::start();
    world.says("GET_MAINTENANCE_SCHEDULE", &schedule(i64::MAX, 1));
    world.says("/master/state.json", &state("h7", 0));
    for action in ["is_host_drained", "is_safe_to_kill"] {
        let run = world.run(&[action, "h1"]);
        assert_eq!((run.code, run.out.as_str()), (Some(1), ""));
        assert!(run.talk.contains("no agent of host `h1` is registered"), "{}", run.talk);
    }
}

#[test]
fn what_is_done_is_told_to_the_master_and_to_people() {
    let world = World::start();
    let (hour, start) = (3_600_000_000_000_i64, 1_617_278_400_000_000_000_i64);
    world.says("GET_MAINTENANCE_SCHEDULE", &schedule(start, hour));
    let format = world.directory.path().join("log/{service}").display().to_string();
    world.configure(json!({ "log_writer": { "driver": "file", "options": { "path_format": format } } }));
    let run = world.run(&["drain", "h1|10.0.0.1", "--start", "2021-04-01 12:00", "-d", "1h"]);
    let audit = || fs::read_to_string(world.directory.path().join("log/stream_paasta-audit-log")).unwrap();
    assert!(audit().contains("\"maintenance-drain\"") && audit().contains("h1|10.0.0.1"), "{}", audit());
    assert_eq!((run.code, run.out.as_str()), (Some(0), "Done\n"), "{}", run.talk);
    assert!(run.talk.contains("h1: 0 tasks run there"), "{}", run.talk);
    let kinds = |world: &World| -> Vec<String> {
        world.calls.lock().unwrap().drain(..).map(|call| call["type"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(kinds(&world), ["RESERVE_RESOURCES", "GET_MAINTENANCE_SCHEDULE", "GET_MAINTENANCE_SCHEDULE"]);
    let run = world.run(&["drain", "h2|10.0.0.2", "--dry-run", "-s", "2021-04-01T12:00:00Z"]);
    assert!(!audit().contains("h2"), "{}", audit());
    let call: Value = serde_json::from_str(run.out.trim()).unwrap();
    let windows = &call["update_maintenance_schedule"]["schedule"]["windows"];
    assert_eq!(windows[1]["machine_ids"], json!([{ "hostname": "h2", "ip": "10.0.0.2" }]));
    assert_eq!(windows[1]["unavailability"]["start"]["nanoseconds"], start);
    assert_eq!(kinds(&world), ["GET_MAINTENANCE_SCHEDULE"], "a dry run tells the master nothing");
    world.check(&["down", "h1|10.0.0.1"], 0, "Done\n");
    world.check(&["up", "h1|10.0.0.1"], 0, "Done\n");
    assert_eq!(kinds(&world), ["START_MAINTENANCE", "STOP_MAINTENANCE"]);
    let run = world.run(&["down", "h1|10.0.0.1", "no such host"]);
    assert_eq!((run.code, run.out.as_str()), (Some(1), "Done\n"));
    assert!(run.talk.contains("`no such host|ADDRESS`"), "{}", run.talk);
    let run = world.run(&["down", "no such host"]);
    assert_eq!((run.code, run.out.as_str()), (Some(1), ""), "{}", run.talk);
}

#[test]
fn wrong_usage_is_2_and_a_master_that_is_gone_is_1() {
    let world = World::start();
    for arguments in [&["nonsense"][..], &[], &["drain", "-d", "90"], &["drain", "-s", "tomorrow"]] {
        assert_eq!(world.run(arguments).code, Some(2), "{arguments:?}");
    }
    world.file("mesos-cli.json", r#"{"default": {"master": "127.0.0.1:1"}}"#);
    for arguments in [
        &["status"][..],
        &["schedule"],
        &["cluster_status"],
        &["drain", "h1|10.0.0.1"],
        &["up", "h1|10.0.0.1"],
        &["is_host_down", "h1"],
        &["is_safe_to_kill", "h1"],
        &["is_safe_to_drain", "localhost"],
    ] {
        let run = world.run(arguments);
        assert_eq!((run.code, run.out.as_str()), (Some(1), ""), "{arguments:?}: {}", run.talk);
        assert!(run.talk.contains("could not reach the Mesos master at http://127.0.0.1:1/"), "{}", run.talk);
        assert!(run.talk.contains("mesos-cli.json"), "{}", run.talk);
    }
}

/// Rows of docs/differences.md: in the original every host is safe to drain that has a proxied task at all.
#[test]
fn mended_a_host_with_copies_that_cannot_be_spared_is_not_safe_to_drain() {
    let world = World::start();
    let url = format!("http://{}/haproxy", world.address);
    world.configure(
        json!({ "soa_dir": world.directory.path().join("soa"), "synapse_haproxy_url_format": url }),
    );
    world.file(
        "soa/web/marathon-prod.yaml",
        "main: {instances: 10}\ncanary: {instances: 2, registrations: [web.main]}\n",
    );
    world.file("soa/web/smartstack.yaml", "main: {proxy_port: 20001, discover: region}\n");
    let agent = |id: &str, host: &str, region: &str, at: &str| json!({ "id": id, "hostname": host, "pid": format!("slave(1)@{at}"), "attributes": { "region": region }, "resources": {} });
    let here = agent("S1", "localhost", "west", &world.address);
    let agents = json!({ "slaves": [here, agent("S2", "h2", "east", "10.0.0.2:5051")] });
    world.says("/master/slaves", &agents.to_string());
    let executor = json!({ "id": "web.main.gita.configb.1", "resources": { "ports": "[31000-31000]" },
        "tasks": [{ "id": "web.main.gita.configb.1", "state": "TASK_RUNNING" }] });
    let agent_state = json!({ "frameworks": [{ "name": "marathon", "executors": [executor] }] });
    world.says("/slave(1)/state", &agent_state.to_string());
    let table = |up: usize, ours: &str| {
        let row = |n: usize| format!("web.main,h{n}_10.0.0.{n}:31000,UP,\n");
        let others: String = (1..up).map(row).collect();
        format!("# pxname,svname,status,\nweb.main,localhost_127.0.0.1:31000,{ours},\n{others}")
    };
    // Six are wanted in each of two locations; four of them are too few, five are not.
    world.says("/haproxy", &table(5, "UP"));
    world.check(&["is_safe_to_drain", "localhost"], 0, "True\n");
    world.says("/haproxy", &table(4, "UP"));
    let run = world.run(&["is_safe_to_drain", "localhost"]);
    assert_eq!((run.code, run.out.as_str()), (Some(1), "False\n"), "{}", run.talk);
    assert!(run.talk.contains("web.main serves here") && run.talk.contains("4 of 6"), "{}", run.talk);
    world.says("/haproxy", &table(4, "MAINT"));
    world.check(&["is_safe_to_drain", "localhost"], 0, "True\n");
    world.check(&["is_safe_to_drain", "elsewhere.example.com"], 1, "False\n");
    for (what, answer) in
        [("/haproxy", "<html>"), ("/slave(1)/state", "{}"), ("/master/slaves", r#"{"slaves": []}"#)]
    {
        world.says(what, answer);
        let run = world.run(&["is_safe_to_drain", "localhost"]);
        assert_eq!((run.code, run.out.as_str()), (Some(1), ""), "{what}: {}", run.talk);
        assert!(run.talk.contains("could not tell whether this host is safe to drain"), "{}", run.talk);
    }
}
