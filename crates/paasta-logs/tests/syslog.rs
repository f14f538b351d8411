//! Lines of the driver `syslog`, as real datagram sockets receive them.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use paasta_config::{Map, Node, Value};
use paasta_core::{Deed, LogLevel, LogRecord};
use paasta_logs::{Actor, AuditRecord, Facility, LineWriter as _, SyslogPlace, SyslogWriter};
use serde_json::json;

/// Whatever a test waits for comes within this, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(60);

fn record(level: LogLevel, message: &str) -> LogRecord {
    LogRecord {
        at: "2021-04-01T00:00:00.5Z".parse().unwrap(),
        service: "web".to_owned(),
        instance: Some("main".to_owned()),
        cluster: Some("prod".to_owned()),
        component: "deploy".to_owned(),
        level,
        message: message.to_owned(),
    }
}

fn deed() -> Deed {
    Deed {
        at: "2021-04-01T00:00:00Z".parse().unwrap(),
        action: "stop".to_owned(),
        service: Some("web".to_owned()),
        instance: None,
        cluster: None,
        details: [("why".to_owned(), "for a test".to_owned())].into(),
    }
}

fn actor() -> Actor {
    Actor { user: "bob".to_owned(), host: "h".to_owned() }
}

fn received(receive: impl Fn(&mut [u8]) -> std::io::Result<usize>) -> String {
    let mut buffer = vec![0; 65_536];
    let length = receive(&mut buffer).unwrap();
    String::from_utf8(buffer[..length].to_vec()).unwrap()
}

fn line(level: &str, message: &str, time: &str) -> String {
    format!(
        r#"{{"cluster": "prod", "component": "deploy", "instance": "main", "level": "{level}", "message": "{message}", "service": "web", "timestamp": "{time}"}}"#
    )
}

#[test]
fn a_socket_of_this_machine_takes_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let listener = UnixDatagram::bind(&path).unwrap();
    listener.set_read_timeout(Some(PATIENCE)).unwrap();
    let next = || received(|buffer| listener.recv(buffer));
    let pid = std::process::id();
    let writer = SyslogWriter::new(SyslogPlace::Socket(path.clone()));
    writer.write(&record(LogLevel::Event, "one"));
    let one = line("event", "one", "2021-04-01T00:00:00.500000");
    assert_eq!(next(), format!("<14>paasta[{pid}]: {one}"));
    let writer = writer.facility(Facility::named("local0").unwrap()).tag("yelp");
    writer.write(&record(LogLevel::Debug, "two"));
    assert!(next().starts_with(&format!("<135>yelp[{pid}]: {{")));
    writer.write_audit(&AuditRecord::of(&deed(), &actor()));
    let told = next();
    assert!(told.starts_with("<133>yelp[") && told.contains(r#""action": "stop""#), "{told}");
}

#[test]
fn another_host_takes_lines_by_udp() {
    let listener = UdpSocket::bind("127.0.0.1:0").unwrap();
    listener.set_read_timeout(Some(PATIENCE)).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let writer = SyslogWriter::new(SyslogPlace::Address(address));
    writer.write(&record(LogLevel::Event, "one"));
    let told = received(|buffer| listener.recv(buffer));
    let words: Vec<&str> = told.splitn(8, ' ').collect();
    assert_eq!(words[..2], ["<14>1", "2021-04-01T00:00:00.500Z"]);
    assert_eq!(words[3..7], ["paasta", &std::process::id().to_string(), "-", "-"]);
    assert_eq!(words[7], line("event", "one", "2021-04-01T00:00:00.500000"));
}

#[test]
fn a_listener_that_is_away_loses_lines_and_may_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let lost: Arc<Mutex<Vec<String>>> = Arc::default();
    let told = lost.clone();
    let writer = SyslogWriter::new(SyslogPlace::Socket(path.clone()))
        .on_lost(move |lost| told.lock().unwrap().push(lost.to_string()));
    writer.write(&record(LogLevel::Event, "nobody"));
    for number in 0..2 {
        let listener = UnixDatagram::bind(&path).unwrap();
        listener.set_read_timeout(Some(PATIENCE)).unwrap();
        writer.write(&record(LogLevel::Event, &format!("number {number}")));
        assert!(received(|buffer| listener.recv(buffer)).contains(&format!("number {number}")));
        drop(listener);
        writer.write(&record(LogLevel::Event, "gone"));
        std::fs::remove_file(&path).unwrap();
    }
    let lost = lost.lock().unwrap();
    assert_eq!(lost.len(), 3, "{lost:?}");
    assert!(lost[0].contains(&path.display().to_string()) && lost[0].contains("nobody"), "{lost:?}");
}

#[test]
fn a_listener_that_takes_nothing_is_not_waited_for_without_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let _listener = UnixDatagram::bind(&path).unwrap();
    let lost: Arc<Mutex<usize>> = Arc::default();
    let told = lost.clone();
    let writer = SyslogWriter::new(SyslogPlace::Socket(path)).on_lost(move |_| *told.lock().unwrap() += 1);
    let begun = Instant::now();
    while *lost.lock().unwrap() == 0 {
        writer.write(&record(LogLevel::Event, &"x".repeat(10_000)));
        assert!(begun.elapsed() < PATIENCE, "the socket takes everything");
    }
}

#[test]
fn the_configured_writer_sends_in_the_background() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let listener = UnixDatagram::bind(&path).unwrap();
    listener.set_read_timeout(Some(PATIENCE)).unwrap();
    let map = |entries: Vec<(&str, Value)>| -> Map {
        entries.into_iter().map(|(key, value)| (Node::text(key), Node::new(value))).collect()
    };
    let options = map(vec![("socket", Value::String(path.display().to_string()))]);
    let driver = map(vec![("driver", Value::String("syslog".to_owned())), ("options", Value::Map(options))]);
    let writer = paasta_logs::writer(&map(vec![("log_writer", Value::Map(driver))]), actor()).unwrap();
    writer.log(&record(LogLevel::Event, "one"));
    writer.audit(&deed());
    assert!(writer.flush(PATIENCE));
    assert!(received(|buffer| listener.recv(buffer)).contains(r#""message": "one""#));
    let told = received(|buffer| listener.recv(buffer));
    let (_, line) = told.split_once(": ").unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    let details = json!({"why": "for a test"});
    let expected = json!({"action": "stop", "action_details": details, "cluster": "N/A", "host": "h", "instance": "N/A",
                          "service": "web", "timestamp": "2021-04-01T00:00:00", "user": "bob"});
    assert_eq!(line, expected);
}
