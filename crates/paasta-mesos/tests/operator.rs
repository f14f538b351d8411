//! What a Mesos master is told of machines that are to be away, word by word.

#![expect(clippy::unwrap_used, reason = "a test stops where something is missing")]

mod stub;

use std::sync::Arc;

use paasta_mesos::{Machine, Master, MesosError, Operator, Unavailability};
use serde_json::{Value, json};
use stub::{Hand, IMPATIENCE, Manner, NoZooKeeper, PATIENCE, Scripted, Stub, answer};

const SUMMARY: &str = r#"{"slaves": [
    {"id": "S1", "hostname": "h1", "resources": {"cpus": 10, "mem": 1000}, "used_resources": {"cpus": 4.5},
     "reserved_resources": {"maintenance": {"cpus": 0.5}}},
    {"id": "S2", "hostname": "h2", "resources": {"cpus": 10}}]}"#;

struct World {
    _directory: tempfile::TempDir,
    operator: Operator,
}

fn world(address: &str) -> World {
    let directory = tempfile::tempdir().unwrap();
    let (file, secret) = (directory.path().join("mesos-cli.json"), directory.path().join("secret"));
    std::fs::write(&file, json!({ "default": { "master": address } }).to_string()).unwrap();
    std::fs::write(&secret, r#"{"principal": "paasta", "secret": "s3cret"}"#).unwrap();
    let master = Master::new(file, Arc::new(NoZooKeeper), Arc::new(Hand::default()));
    let operator = Operator::new(master).with_secret_file(secret).with_patience(PATIENCE);
    World { _directory: directory, operator }
}

fn says(status: &str, body: &str) -> Manner {
    Manner::Says(answer(status, "", body))
}

fn scheduled(windows: Value) -> String {
    json!({ "type": "GET_MAINTENANCE_SCHEDULE", "get_maintenance_schedule": { "schedule": { "windows": windows } } })
        .to_string()
}

fn window(machines: &[(&str, &str)], start: i64, duration: i64) -> Value {
    let ids: Vec<Value> = machines.iter().map(|(name, ip)| json!({ "hostname": name, "ip": ip })).collect();
    json!({ "machine_ids": ids, "unavailability":
        { "start": { "nanoseconds": start }, "duration": { "nanoseconds": duration } } })
}

/// The bodies of the calls of the operator's interface, in their order.
fn calls(stub: &Stub) -> Vec<Value> {
    let posts = stub.asked().into_iter().filter(|request| request.starts_with("POST /api/v1 "));
    posts.map(|request| serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()).collect()
}

/// Answers calls of the operator's interface one after the other.
async fn master(answers: &[(&str, String)]) -> Stub {
    let answers = answers.iter().map(|(status, body)| answer(status, "", body)).collect();
    Stub::with_paths(&[
        ("/api/v1", Manner::Scripted(Scripted::new(answers))),
        ("/master/state-summary", says("200 OK", SUMMARY)),
    ])
    .await
}

/// monitoring.md §8.1, with its example.
#[tokio::test]
async fn draining_reserves_what_is_free_and_schedules_the_machine() {
    let (start, hour) = (1_617_235_200_000_000_000, 3_600_000_000_000);
    let old = window(&[("h1", "10.0.0.1"), ("h5", "10.0.0.5")], 1, 2);
    let new = [window(&[("h5", "10.0.0.5")], 1, 2), window(&[("h1", "10.0.0.1")], start, hour)];
    let ok = |body: String| ("200 OK", body);
    let stub = master(&[
        ("202 Accepted", String::new()),
        ok(scheduled(json!([old]))),
        ok(String::new()),
        ok(scheduled(json!(new))),
    ])
    .await;
    let world = world(&stub.address);
    let machines = [Machine::new("h1", "10.0.0.1")];
    let when = Unavailability::new(start.into(), hour.into());
    assert_eq!(world.operator.drain(&machines, &when).await.unwrap(), []);
    let resource = |name: &str, value: f64| {
        json!({"name": name, "type": "SCALAR", "scalar": {"value": value}, "role": "maintenance",
            "reservation": {"principal": "paasta"}})
    };
    let resources = [resource("mem", 1000.0), resource("cpus", 5.0)];
    assert_eq!(
        calls(&stub),
        [
            json!({"type": "RESERVE_RESOURCES", "reserve_resources": {"agent_id": {"value": "S1"}, "resources": resources}}),
            json!({"type": "GET_MAINTENANCE_SCHEDULE"}),
            json!({"type": "UPDATE_MAINTENANCE_SCHEDULE", "update_maintenance_schedule": {"schedule": {"windows": new}}}),
            json!({"type": "GET_MAINTENANCE_SCHEDULE"}),
        ]
    );
    let asked = stub.asked();
    let basic = |request: &&String| request.contains("authorization: Basic cGFhc3RhOnMzY3JldA==");
    assert_eq!(asked.iter().filter(basic).count(), 4, "who we are is told to the operator's interface alone");
}

#[tokio::test]
async fn undraining_gives_back_and_unschedules() {
    let ok = |body: String| ("200 OK", body);
    let found = window(&[("h1", "10.0.0.1")], 1, 2);
    let stub = master(&[
        ("202 Accepted", String::new()),
        ok(scheduled(json!([found]))),
        ok(String::new()),
        ok(scheduled(json!([]))),
    ])
    .await;
    let world = world(&stub.address);
    let machines = [Machine::new("h1", "10.0.0.1"), Machine::new("h2", "10.0.0.2")];
    assert_eq!(world.operator.undrain(&machines).await.unwrap(), []);
    let calls = calls(&stub);
    assert_eq!(calls.len(), 4, "h2 has nothing to give back");
    assert_eq!(calls[0]["type"], "UNRESERVE_RESOURCES");
    let resources = &calls[0]["unreserve_resources"]["resources"];
    assert_eq!((&resources[0]["name"], &resources[0]["scalar"]["value"]), (&json!("cpus"), &json!(0.5)));
    assert_eq!(
        calls[2],
        json!({"type": "UPDATE_MAINTENANCE_SCHEDULE", "update_maintenance_schedule": {"schedule": {"windows": []}}})
    );
}

#[tokio::test]
async fn what_is_scheduled_already_is_not_written_again() {
    let window = window(&[("h9", "10.0.0.9")], 1, 2);
    let same = || ("200 OK", scheduled(json!([window])));
    let stub = master(&[same(), same()]).await;
    let world = world(&stub.address);
    world.operator.drain(&[Machine::new("h9", "10.0.0.9")], &Unavailability::new(1, 2)).await.unwrap();
    assert!(calls(&stub).iter().all(|call| call["type"] == "GET_MAINTENANCE_SCHEDULE"), "{:?}", calls(&stub));
}

#[tokio::test]
async fn a_reservation_that_fails_does_not_keep_a_machine_from_draining() {
    let window = window(&[("h1", "10.0.0.1")], 1, 2);
    let stub = master(&[
        ("400 Bad Request", "invalid".to_owned()),
        ("200 OK", scheduled(json!([]))),
        ("200 OK", String::new()),
        ("200 OK", scheduled(json!([window]))),
    ])
    .await;
    let world = world(&stub.address);
    let failed =
        world.operator.drain(&[Machine::new("h1", "10.0.0.1")], &Unavailability::new(1, 2)).await.unwrap();
    assert!(failed[0].to_string().contains("refused with status 400: invalid"), "{failed:?}");
}

#[tokio::test]
async fn somebody_elses_schedule_is_noticed() {
    let machine = Machine::new("h9", "10.0.0.9");
    let stub = master(&[
        ("200 OK", scheduled(json!([]))),
        ("200 OK", String::new()),
        ("200 OK", scheduled(json!([window(&[("h7", "10.0.0.7")], 1, 2)]))),
    ])
    .await;
    let world = world(&stub.address);
    let error = world.operator.drain(&[machine], &Unavailability::new(1, 2)).await.unwrap_err();
    assert_eq!(error, MesosError::ScheduleChanged);
}

#[tokio::test]
async fn a_schedule_that_cannot_be_read_is_not_replaced() {
    for body in ["{}", r#"{"get_maintenance_schedule": {"schedule": {"windows": [{}]}}}"#, "<html>"] {
        let stub = master(&[("200 OK", body.to_owned())]).await;
        let world = world(&stub.address);
        let error = world.operator.undrain(&[Machine::new("h9", "10.0.0.9")]).await.unwrap_err().to_string();
        assert!(error.contains("could not read the answer of the Mesos master"), "{error}");
        assert_eq!(calls(&stub).len(), 1);
    }
}

#[tokio::test]
async fn machines_go_down_and_come_up() {
    let stub = master(&[("200 OK", String::new()), ("200 OK", String::new())]).await;
    let world = world(&stub.address);
    let machines = [Machine::new("h1", "10.0.0.9"), Machine::new("h2", "1.2.3.4")];
    world.operator.down(&machines).await.unwrap();
    world.operator.up(&machines[..1]).await.unwrap();
    let (h1, h2) = (json!({"hostname": "h1", "ip": "10.0.0.9"}), json!({"hostname": "h2", "ip": "1.2.3.4"}));
    assert_eq!(
        calls(&stub),
        [
            json!({"type": "START_MAINTENANCE", "start_maintenance": {"machines": [h1, h2]}}),
            json!({"type": "STOP_MAINTENANCE", "stop_maintenance": {"machines": [h1]}}),
        ]
    );
}

/// The leader is gone, or says nothing: no verb passes for done, and none waits for ever.
#[tokio::test]
async fn a_master_that_does_not_answer_is_told_in_time() {
    let silent = Stub::start(Manner::Silent).await;
    let electing = Stub::saying("503 Service Unavailable", "", "No leader elected").await;
    for (address, words) in
        [(&silent.address, "no answer in time"), (&electing.address, "503: No leader elected")]
    {
        let World { operator, _directory } = world(address);
        let operator = operator.with_patience(IMPATIENCE);
        let machines = [Machine::new("h1", "10.0.0.9")];
        let when = Unavailability::new(1, 2);
        let errors = [
            operator.drain(&machines, &when).await.map(drop),
            operator.undrain(&machines).await.map(drop),
            operator.down(&machines).await,
            operator.up(&machines).await,
            operator.schedule().await.map(drop),
            operator.status().await.map(drop),
        ];
        for error in errors {
            assert!(error.unwrap_err().to_string().contains(words));
        }
    }
}
