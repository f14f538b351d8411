//! The checks that ask one question.

use serde_json::{Value, json};

use crate::server::{Answer, Server};
use crate::world::{Run, World};

fn apps(ids: &[&str]) -> Answer {
    let apps: Vec<Value> = ids.iter().map(|id| json!({ "id": id, "instances": 1 })).collect();
    Answer::json(&json!({ "apps": apps }))
}

#[track_caller]
fn says(run: &Run, code: i32, text: &str) {
    assert_eq!(run.code, Some(code), "{run:?}");
    assert!(run.out.contains(text), "`{text}`: {run:?}");
}

/// A row of docs/differences.md.
#[test]
fn a_marathon_that_does_not_answer_is_not_one_without_apps() {
    const NAME: &str = "check_marathon_has_apps";
    let world = World::new();
    world.server.answer("/v2/apps", apps(&["/a.b.c.d", "/folder/x", "e"]));
    says(&world.run(NAME, &[]), 0, "OK: marathon apps: 2\n");
    world.server.answer("/v2/apps", apps(&["/folder/x"]));
    says(&world.run(NAME, &["--json"]), 2, r#""status":2,"word":"CRITICAL""#);
    for away in [Answer::Status(503), Answer::Says("<html>".to_owned())] {
        world.server.answer("/v2/apps", away);
        says(&world.run(NAME, &[]), 3, "UNKNOWN: could not tell whether Marathon has apps: ");
    }
    world.server.answer("/v2/apps", Answer::Silent);
    says(&world.run(NAME, &["--time-limit", "1"]), 3, "UNKNOWN");
    // Of two, the one that answers may be enough.
    let other = Server::start();
    other.answer("/v2/apps", apps(&["/a"]));
    let server =
        |port: u16| json!({ "url": [format!("http://127.0.0.1:{port}")], "user": "", "password": "" });
    world.set(json!({ "marathon_servers": [server(other.port)], "previous_marathon_servers": [server(world.server.port)] }));
    world.server.answer("/v2/apps", Answer::Status(500));
    says(&world.run(NAME, &[]), 0, "OK: marathon apps: 1 (not all could be asked: ");
    other.answer("/v2/apps", apps(&[]));
    says(&world.run(NAME, &[]), 3, "refused with status 500");
    world.set(json!({ "marathon_servers": [] }));
    let file = world.path("m.prom");
    says(&world.run(NAME, &["--textfile", file.to_str().unwrap()]), 3, "names no Marathon server");
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains("paasta_check_status{check=\"check_marathon_has_apps\"} 3\n"), "{text}");
}

#[test]
fn kills_of_the_last_minutes_alert_and_an_unreadable_log_says_nothing() {
    use paasta_core::{Clock as _, SystemClock};
    const NAME: &str = "check_oom_events";
    let world = World::new();
    for id in ["web.main", "few.main", "off.main", "fine.main"] {
        world.instance(id, "{mem: 512}", None);
    }
    world.file("soa/off/monitoring.yaml", "{team: owners, check_oom_events: false}");
    let now = SystemClock.now().seconds() as i64;
    let kill = |service: &str, container: &str, age: i64, cluster: &str| {
        let line = json!({
            "timestamp": now - age, "hostname": "h", "container_id": container, "cluster": cluster, "service": service,
            "instance": "main", "process_name": "p", "mesos_container_id": "mesos-null", "mem_limit": "512",
        });
        format!("{line}\n")
    };
    let lines = [
        kill("web", "a", 10, "prod"),
        kill("web", "b", 20, "prod"),
        kill("web", "b", 21, "prod"),
        kill("few", "c", 10, "prod"),
        kill("off", "d", 10, "prod"),
        kill("off", "e", 10, "prod"),
        kill("fine", "f", 4_000, "prod"),
        kill("fine", "g", 10, "elsewhere"),
        "half a li".to_owned(),
    ];
    let log = world.file("kills", &lines.concat()).display().to_string();
    let soa = world.path("soa").display().to_string();
    let run = |log: &str| {
        let arguments = [
            "-d",
            &soa,
            "--kills",
            log,
            "--check-interval",
            "60",
            "--alert-threshold",
            "2",
            "--dry-run",
            "--json",
        ];
        world.run(NAME, &arguments)
    };
    let found = run(&log);
    assert_eq!(found.code, Some(0), "{found:?}");
    assert!(found.talk.contains("lines of the log of kills cannot be read"), "{found:?}");
    let status = |id: &str| found.of(id)["status"].clone();
    assert_eq!(
        [status("web.main"), status("few.main"), status("off.main"), status("fine.main")],
        [json!(2), json!(null), json!(0), json!(0)]
    );
    let event = &found.of("web.main")["event"];
    assert_eq!(
        (&event["name"], &event["page"], &event["alert_after"], &event["realert_every"]),
        (&json!("oom-killer.web.main"), &json!(false), &json!(0), &json!(1))
    );
    assert!(event["tip"].as_str().unwrap().contains("512 MB"), "{event}");
    assert_eq!(found.of("few.main")["event"], Value::Null);
    for wrong in [world.path("missing"), world.file("odd", "no\n")] {
        let found = run(wrong.to_str().unwrap());
        assert_eq!(found.code, Some(3), "{found:?}");
        assert!(found.lines("instance").is_empty(), "{found:?}");
    }
    assert_eq!(world.run(NAME, &["-d", &soa]).code, Some(3), "the log has to be named");
}
