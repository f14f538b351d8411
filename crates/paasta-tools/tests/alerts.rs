//! What `setup_marathon_job` and `deploy_marathon_services` alert people with, over a Marathon that only listens.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use assert_cmd::Command;
use serde_json::{Value, json};
use tempfile::TempDir;

const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

/// Runs `handle` on each connection; the port.
fn listen(handle: impl Fn(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || listener.incoming().for_each(|stream| handle(stream.unwrap())));
    port
}

/// A Marathon without apps that takes everything.
fn marathon(stream: TcpStream) {
    let (mut reader, mut line, mut length) = (BufReader::new(&stream), String::new(), 0);
    let mut first = None;
    while reader.read_line(&mut line).is_ok_and(|count| count > 2) {
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        first.get_or_insert_with(|| line.clone());
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let first = first.unwrap_or_default();
    let text = if first.contains("/v2/deployments") { "[]" } else { r#"{"apps": [], "queue": []}"# };
    let status = if first.starts_with("GET ") { "200 OK" } else { "201 Created" };
    let head = "content-type: application/json\r\nconnection: close\r\n";
    let _ = write!(&stream, "HTTP/1.1 {status}\r\n{head}content-length: {}\r\n\r\n{text}", text.len());
}

/// A Sensu client; the events that come.
fn sensu() -> (u16, Receiver<Value>) {
    let (told, events) = channel();
    let port = listen(move |mut stream| {
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let _ = told.send(serde_json::from_str(&text).unwrap());
    });
    (port, events)
}

struct World(TempDir);

impl World {
    fn new(sensu_port: u16) -> Self {
        let world = Self(tempfile::tempdir().unwrap());
        let url = format!("http://127.0.0.1:{}", listen(marathon));
        let system = json!({
            "cluster": "prod", "clusters": ["prod"], "docker_registry": "r.example.com", "volumes": [],
            "marathon_servers": [{ "url": [url], "user": "", "password": "" }],
            "log_writer": { "driver": "null" }, "host_maintenance": "none",
            "coordination": { "driver": "file", "directory": world.0.path().join("locks") },
            "sensu_host": "127.0.0.1", "sensu_port": sensu_port,
        });
        world.file("etc/c.json", &system.to_string());
        let yaml = "main: {cmd: serve, monitoring: {page: true}}\nbad: {cpus: [1], deploy_group: prod.main}\nidle: {}\n";
        world.file("soa/web/marathon-prod.yaml", yaml);
        world.file("soa/web/monitoring.yaml", "{team: web_team, tip: T}");
        let main = json!({ "docker_image": format!("services-web:paasta-{SHA}"), "git_sha": SHA });
        let control = json!({ "desired_state": "start", "force_bounce": null });
        let controls = json!({ "web:prod.main": control, "web:prod.bad": control });
        let deployments = json!({ "v2": { "deployments": { "prod.main": main }, "controls": controls } });
        world.file("soa/web/deployments.json", &deployments.to_string());
        world
    }

    fn file(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// How it ended, and what it said.
    fn run(&self, program: &str, arguments: &[&str]) -> (Option<i32>, String) {
        let mut command = Command::cargo_bin(program).unwrap();
        command
            .env("PAASTA_SYSTEM_CONFIG_DIR", self.0.path().join("etc"))
            .arg("-d")
            .arg(self.0.path().join("soa"));
        let output = command.args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }
}

#[test]
fn each_pass_tells_whoever_owns_the_instance() {
    let (port, events) = sensu();
    let world = World::new(port);
    let next = || events.recv_timeout(Duration::from_secs(20)).unwrap();
    let (code, talk) = world.run("setup_marathon_job", &["web.main"]);
    assert_eq!(code, Some(0), "{talk}");
    let event = next();
    for (key, value) in [
        ("name", json!("setup_marathon_job.web.main")),
        ("status", json!(0)),
        ("output", json!("Service deployed.")),
        ("team", json!("web_team")),
        ("page", json!(true)),
        ("interval", json!(10)),
        ("alert_after", json!(600)),
        ("source", json!("paasta-prod")),
    ] {
        assert_eq!(event[key], value, "{key}");
    }
    let (code, talk) = world.run("setup_marathon_job", &["web.bad"]);
    assert_eq!(code, Some(1), "{talk}");
    let event = next();
    assert_eq!((&event["name"], &event["status"]), (&json!("setup_marathon_job.web.bad"), &json!(2)));
    assert!(event["output"].as_str().unwrap().contains("cpus"), "{event}");
    // What is not deployed is nobody's fault, and a dry run tells nobody.
    let (code, talk) = world.run("deploy_marathon_services", &["--dry-run"]);
    assert_eq!(code, Some(1), "{talk}");
    let (_, talk) = world.run("deploy_marathon_services", &["--all"]);
    let mut statuses = [next(), next()].map(|event| (event["name"].to_string(), event["status"].to_string()));
    statuses.sort();
    let expected = [("bad", "2"), ("main", "0")]
        .map(|(name, status)| (format!("\"setup_marathon_job.web.{name}\""), status.to_owned()));
    assert_eq!(statuses, expected, "{talk}");
    assert!(events.try_recv().is_err());
}

/// A row of docs/differences.md.
#[test]
fn a_sensu_that_is_away_fails_no_pass() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let world = World::new(gone);
    let begin = Instant::now();
    let (code, talk) = world.run("setup_marathon_job", &["web.main"]);
    assert_eq!(code, Some(0), "{talk}");
    assert!(talk.contains("could not send alerts") && talk.contains("sensu_host"), "{talk}");
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
}
