//! Mesos's face from outside: agents, tasks, figures, and machines that are taken away.

mod common;

use std::sync::Arc;

use common::{Client, Place};
use paasta_engine::state::attributes_of;
use paasta_engine::{Agents, EngineServer, IdleExecutor};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

async fn start(place: &Place) -> EngineServer {
    let mut config = place.config();
    config.executor = Some(Arc::new(IdleExecutor::default()));
    let attributes = attributes_of("region:west,east").expect("attributes");
    config.agents = Some(Agents { attributes, ..Agents::on_loopback(2).expect("a number") });
    EngineServer::start(config).await.expect("starts")
}

fn window(host: &str) -> Value {
    json!({ "machine_ids": [{ "hostname": host, "ip": host }],
            "unavailability": { "start": { "nanoseconds": 1_617_235_200_123_456_789_i64 } } })
}

#[tokio::test]
async fn a_master_and_its_agents_answer() {
    let place = Place::new((21900, 21919));
    let engine = start(&place).await;
    let client = Client::new(engine.address());
    client.create(json!({ "id": "/web.main.gita.configb", "cmd": "x", "instances": 4, "cpus": 0.5 })).await;
    client.settled("web.main.gita.configb", 4).await;
    let state = client.get("/master/state.json").await;
    assert_eq!(state, client.get("/state").await);
    let agents = state["slaves"].as_array().expect("agents");
    let told: Vec<Value> =
        agents.iter().map(|one| json!([one["hostname"], one["attributes"]["region"]])).collect();
    assert_eq!(json!(told), json!([["127.0.0.1", "west"], ["127.0.0.2", "east"]]));
    assert_eq!(agents[0]["used_resources"]["cpus"], 1.0);
    assert_eq!(client.get("/master/slaves").await["slaves"], state["slaves"]);
    assert_eq!(client.get("/master/frameworks").await["frameworks"], state["frameworks"]);
    let task = &state["frameworks"][0]["tasks"][0];
    assert_eq!(
        (task["name"].as_str(), task["state"].as_str()),
        (Some("web.main.gita.configb"), Some("TASK_RUNNING"))
    );
    let metrics = client.get("/metrics/snapshot").await;
    assert_eq!((&metrics["master/tasks_running"], &metrics["master/slaves_active"]), (&json!(4), &json!(2)));
    let summary = client.get("/master/state-summary").await;
    assert_eq!(summary["frameworks"][0].get("tasks"), None);
    let agent = client.get("/slave(2)/state").await;
    assert_eq!(
        (agent["hostname"].as_str(), agent["frameworks"][0]["executors"].as_array().map(Vec::len)),
        (Some("127.0.0.2"), Some(2))
    );
    assert_eq!(client.send(Method::GET, "/slave(3)/state", None).await.0, StatusCode::NOT_FOUND);
    let call = json!({ "type": "TEARDOWN" });
    assert_eq!(client.post("/api/v1", call).await.0, StatusCode::NOT_IMPLEMENTED);
    engine.shutdown().await;
}

#[tokio::test]
async fn what_is_scheduled_outlives_the_engine() {
    let place = Place::new((21920, 21939));
    let engine = start(&place).await;
    let client = Client::new(engine.address());
    let machine = json!([{ "hostname": "127.0.0.2", "ip": "127.0.0.2" }]);
    assert_eq!(client.post("/machine/down", machine.clone()).await.0, StatusCode::BAD_REQUEST);
    let schedule = json!({ "windows": [window("127.0.0.2")] });
    assert_eq!(client.post("/maintenance/schedule", schedule.clone()).await.0, StatusCode::OK);
    assert_eq!(client.get("/maintenance/status").await["draining_machines"][0]["id"], machine[0]);
    assert_eq!(client.post("/master/machine/down", machine.clone()).await.0, StatusCode::OK);
    client.create(json!({ "id": "/app", "cmd": "x", "instances": 2 })).await;
    client.settled("app", 2).await;
    engine.shutdown().await;
    let engine = start(&place).await;
    let client = Client::new(engine.address());
    assert_eq!(client.get("/maintenance/schedule").await, schedule);
    assert_eq!(client.get("/maintenance/status").await, json!({ "down_machines": machine }));
    let agents = client.get("/master/slaves").await;
    assert_eq!(agents["slaves"].as_array().map(Vec::len), Some(1));
    let tasks = client.get("/v2/tasks").await;
    assert!(
        tasks["tasks"].as_array().expect("tasks").iter().all(|task| task["host"] == "127.0.0.1"),
        "{tasks}"
    );
    assert_eq!(client.post("/machine/up", machine).await.0, StatusCode::OK);
    assert_eq!(client.get("/maintenance/schedule").await, json!({}));
    let bad = json!({ "windows": [{ "machine_ids": [] }] });
    assert_eq!(client.post("/maintenance/schedule", bad).await.0, StatusCode::BAD_REQUEST);
    engine.shutdown().await;
}

/// What processes use and write is told as an agent tells it.
#[tokio::test]
async fn real_tasks_show_what_they_use_and_write() {
    let place = Place::new((21940, 21959));
    let engine = place.start().await;
    let client = Client::new(engine.address());
    let app = json!({ "id": "/writes", "cmd": "echo one; echo two; echo bad >&2; exec sleep 1000", "instances": 1, "cpus": 0.5, "mem": 32 });
    client.create(app).await;
    let task = client.settled("writes", 1).await.remove(0);
    client.log(&task, 2).await;
    let agent = client.get("/slave(1)/state").await;
    let directory =
        agent["frameworks"][0]["executors"][0]["directory"].as_str().expect("a folder").to_owned();
    let end = client.get(&format!("/files/read.json?path={directory}/stdout&offset=-1")).await;
    assert_eq!(end, json!({ "data": "", "offset": 8 }));
    let piece = client.get(&format!("/files/read?path={directory}/stdout&offset=4&length=100")).await;
    assert_eq!(piece, json!({ "data": "two\n", "offset": 4 }));
    let listed = client.get(&format!("/files/browse?path={directory}")).await;
    assert!(
        listed
            .as_array()
            .expect("files")
            .iter()
            .any(|file| file["path"] == json!(format!("{directory}/stderr"))),
        "{listed}"
    );
    assert!(client.get("/files/debug").await[&directory].is_string());
    for path in
        ["/nobody/stdout", &format!("{directory}/none"), &format!("{directory}/../../state.json"), "", "/.."]
    {
        let read = client.send(Method::GET, &format!("/files/read?path={path}&offset=0"), None).await;
        assert_eq!(read.0, StatusCode::NOT_FOUND, "{path}: {}", read.1);
    }
    let statistics = client
        .until("/monitor/statistics", |told| told[0]["statistics"]["mem_rss_bytes"].as_f64() > Some(0.0))
        .await;
    assert_eq!(statistics[0]["executor_id"], json!(task));
    assert_eq!(statistics[0]["statistics"]["mem_limit_bytes"].as_f64(), Some(32.0 * 1024.0 * 1024.0));
    assert!(statistics[0]["statistics"]["cpus_user_time_secs"].is_number(), "{statistics}");
    engine.kill_all(common::PATIENCE).await.expect("all end");
    engine.shutdown().await;
}
