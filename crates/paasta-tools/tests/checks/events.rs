//! What is sent and written of a run.

use std::io::Read as _;
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

use crate::server::Answer;
use crate::world::{World, task};

/// A Sensu client; the events that come.
fn sensu() -> (u16, Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (told, events) = channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut text = String::new();
            stream.read_to_string(&mut text).unwrap();
            let _ = told.send(serde_json::from_str(&text).unwrap());
        }
    });
    (port, events)
}

/// Four instances: well and bad by load balancers, bad by tasks, unknown; and one that is stopped.
fn world() -> World {
    let world = World::new();
    world.agents(&["h1 region=west pool=p"]);
    world.instance("good.main", "{instances: 2, pool: p}", Some(""));
    world.instance("bad.main", "{instances: 3, monitoring: {page: true, alert_after: 7m}}", Some(""));
    world.instance("lone.main", "{instances: 2, replication_threshold: 60}", None);
    world.instance("dark.main", "{instances: 2, max_instances: 5}", Some(""));
    world.instance("idle.main", "{instances: 9}", Some(""));
    world.deployed("idle", "main", "stop");
    world.balancer("h1", &["good.main=UP,UP", "bad.main=UP,DOWN,DOWN"]);
    world.tasks(&[task("/lone.main.gita.configb")]);
    world
}

/// A count that is no number.
fn darken(world: &World) {
    world.file("locks/autoscaling/dark/main/instances", "many");
}

#[test]
fn each_owner_is_told_and_of_what_is_unknown_nobody() {
    let (port, events) = sensu();
    let world = world();
    darken(&world);
    world.set(json!({ "sensu_host": "127.0.0.1", "sensu_port": port }));
    let run = world.check(&["--json"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let mut told: Vec<Value> =
        (0..4).map(|_| events.recv_timeout(Duration::from_secs(60)).unwrap()).collect();
    told.sort_by_key(|event| event["name"].to_string());
    let names: Vec<String> =
        told.iter().map(|event| format!("{} {}", event["name"], event["status"])).collect();
    let name = |id: &str, status: u8| format!("\"check_paasta_services_replication.{id}.main\" {status}");
    assert_eq!(names, [name("bad", 2), name("good", 0), name("idle", 0), name("lone", 2)]);
    let bad = &told[0];
    for (key, value) in [
        ("page", json!(true)),
        ("alert_after", json!(420)),
        ("interval", json!(60)),
        ("team", json!("owners")),
        ("source", json!("paasta-prod")),
        ("runbook", json!("y/unhealthy-paasta-instances")),
        ("output", json!("- bad.main: 1/3 in west by Smartstack: CRITICAL (33.3%)\n")),
    ] {
        assert_eq!(bad[key], value, "{key}");
    }
    assert!(bad["description"].as_str().unwrap().contains("Smartstack see too few copies"), "{bad}");
    assert_eq!(told[3]["alert_after"], 120);
    assert_eq!(run.of("dark.main")["word"], "UNKNOWN", "{run:?}");
    assert!(events.try_recv().is_err());
    // Everything is well again, under the same names.
    world.balancer("h1", &["good.main=UP,UP", "bad.main=UP,UP,UP"]);
    world.check(&["bad.main"]);
    let event = events.recv_timeout(Duration::from_secs(60)).unwrap();
    assert_eq!((&event["name"], &event["status"]), (&bad["name"], &json!(0)));
}

#[test]
fn a_dry_run_tells_and_writes_nothing() {
    let (port, events) = sensu();
    let world = world();
    world.set(json!({ "sensu_host": "127.0.0.1", "sensu_port": port }));
    let file = world.path("out.prom").display().to_string();
    let run = world.check(&["--dry-run", "--textfile", &file]);
    assert_eq!(run.code, Some(0), "{run:?}");
    for says in [
        "would send check_paasta_services_replication.bad.main:\n{\n  \"name\"",
        "would send that check_paasta_services_replication.good.main is well",
        "paasta_service_available_backends{paasta_service=\"bad\",",
        "by their tasks alone, not counted above: 1 of 1 have too few",
    ] {
        assert!(run.out.contains(says), "`{says}`: {}", run.out);
    }
    assert!(!world.path("out.prom").exists() && events.try_recv().is_err());
}

#[test]
fn metrics_stand_in_one_file_and_what_is_unknown_in_none() {
    let world = world();
    darken(&world);
    let path = world.file("metrics/out.prom", "old");
    let file = path.display().to_string();
    let run = world.check(&["--textfile", &file]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let text = std::fs::read_to_string(&path).unwrap();
    let labels = |id: &str, pool: &str| {
        format!(
            "{{paasta_service=\"{id}\",paasta_cluster=\"prod\",paasta_instance=\"main\",paasta_pool=\"{pool}\",\
             service_discovery_provider=\"Smartstack\"}}"
        )
    };
    for line in [
        format!("paasta_service_available_backends{} 2", labels("good", "p")),
        format!("paasta_service_available_backends{} 1", labels("bad", "default")),
        format!("paasta_service_critical_backends{} 1.5", labels("bad", "default")),
        format!("paasta_service_expected_backends{} 3", labels("bad", "default")),
        "paasta_replication_instances{paasta_cluster=\"prod\",path=\"load_balancers\",status=\"unknown\"} 1"
            .to_owned(),
        "paasta_check_status{check=\"check_marathon_services_replication\"} 0".to_owned(),
    ] {
        assert!(text.lines().any(|one| one == line), "`{line}`: {text}");
    }
    assert!(
        text.contains(
            "paasta_pct_services_under_replicated{paasta_cluster=\"prod\",scheduler=\"mesos\"} 33.3"
        )
    );
    assert!(!text.contains("\"dark\""), "{text}");
    let left: Vec<_> =
        std::fs::read_dir(world.path("metrics")).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(left, [path]);
    // Where it cannot be written, that is no success; the load balancers are not asked for a sample they did not give.
    world.server.answer("/at/h1/", Answer::Status(500));
    let nowhere = world.path("nowhere/out.prom").display().to_string();
    let run = world.check(&["--textfile", &nowhere]);
    assert_eq!(run.code, Some(3), "{run:?}");
    assert!(run.talk.contains("could not write"), "{run:?}");
}
