//! The engine goes away and comes back.

mod common;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{Client, Place, image, marked, sleeper};
use serde_json::json;

#[tokio::test]
async fn tasks_outlive_the_engine_and_are_taken_up_again() {
    let place = Place::new((23000, 23019));
    let engine = place.start().await;
    let client = Client::new(engine.address());
    client.create(sleeper("a", 3)).await;
    let tasks = client.settled("a", 3).await;
    let id = engine.id().to_owned();
    let before: BTreeSet<(i32, String)> = marked(&id).into_iter().collect();
    engine.shutdown().await;
    assert_eq!(marked(&id).into_iter().collect::<BTreeSet<_>>(), before);

    // One of them ends while nobody looks.
    let (pid, lost) = before.iter().next().expect("a process").clone();
    let pid = rustix::process::Pid::from_raw(pid).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("kills");

    let begun = Instant::now();
    let engine = place.start().await;
    let client = Client::new(engine.address());
    client.get("/paasta/health").await;
    assert!(begun.elapsed() < Duration::from_secs(1), "back after {:?}", begun.elapsed());
    assert_eq!(engine.id(), id);
    let after = client.settled("a", 3).await;
    assert_eq!(after.iter().filter(|task| tasks.contains(task)).count(), 2, "two were adopted");
    let story = client.story(&lost).await;
    assert_eq!(story, ["task_staged", "task_started", "task_exited"]);
    // An adopted task's end is noticed and it is replaced.
    let (pid, adopted) = marked(&id).into_iter().find(|(_, task)| tasks.contains(task)).expect("adopted");
    let pid = rustix::process::Pid::from_raw(pid).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("kills");
    client.until("/v2/tasks", |tasks| !tasks.to_string().contains(&adopted)).await;
    client.settled("a", 3).await;
    assert_eq!(marked(&id).len(), 3);
    engine.kill_all(common::PATIENCE).await.expect("all gone");
    assert_eq!(marked(&id), []);
}

#[tokio::test]
async fn processes_nobody_wrote_down_are_ended() {
    let place = Place::new((23020, 23039));
    let engine = place.start().await;
    let id = engine.id().to_owned();
    engine.shutdown().await;
    let mut stray = Command::new("sleep")
        .arg("1000")
        .env("PAASTA_ENGINE_TASK", format!("{id}/a.stray"))
        .spawn()
        .expect("starts");
    let _engine = place.start().await;
    let deadline = Instant::now() + common::PATIENCE;
    while stray.try_wait().expect("looks").is_none() {
        assert!(Instant::now() < deadline, "the stray process lives on");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The binary, killed the hard way when dropped.
struct Program {
    child: Child,
    address: String,
}

impl Program {
    fn start(place: &Place) -> Self {
        let artifacts = place.artifacts();
        let artifacts = artifacts.to_str().expect("a plain path");
        Self::start_with(place, &["--artifacts-dir", artifacts, "--ports", "23040-23099"])
    }

    fn start_with(place: &Place, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_paasta-engine"))
            .arg("--state-dir")
            .arg(place.state())
            .args(["--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let stdout = child.stdout.take().expect("a pipe");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).expect("says where");
        let address = line.trim().rsplit('/').next().expect("an address").to_owned();
        Self { child, address }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // SIGKILL: the engine has no chance to tidy up.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `--executor none`, for load tests: nothing runs, and all of it is there after a restart.
#[tokio::test]
async fn tasks_without_processes_are_healthy_and_end_when_they_are_killed() {
    let place = Place::new((23100, 23139));
    let idle = ["--executor", "none", "--ports", "23100-23139"];
    let program = Program::start_with(&place, &idle);
    let client = Client::new(&program.address);
    let mut app = sleeper("svc.main.gita.configb", 5);
    app["cmd"] = json!("exit 1");
    app["healthChecks"] = json!([{"protocol": "HTTP", "path": "/", "portIndex": 0, "gracePeriodSeconds": 0}]);
    client.create(app).await;
    let id = "/svc.main.gita.configb";
    client.settled(id, 5).await;
    drop(program);
    let program = Program::start_with(&place, &idle);
    let client = Client::new(&program.address);
    client.settled(id, 5).await;
    client.put(&format!("/v2/apps{id}?force=true"), json!({"instances": 2})).await;
    client.settled(id, 2).await;
}

#[tokio::test]
async fn killed_at_any_moment_nothing_acknowledged_is_lost() {
    let place = Place::new((23040, 23099));
    let mut acknowledged: BTreeSet<String> = BTreeSet::new();
    for round in 0..8u64 {
        let begun = Instant::now();
        let program = Program::start(&place);
        let client = Client::new(&program.address);
        let listed = client.get("/v2/apps").await;
        assert!(begun.elapsed() < Duration::from_secs(2), "back after {:?}", begun.elapsed());
        for id in &acknowledged {
            assert!(listed.to_string().contains(id), "round {round}: {id} was lost");
        }
        let changer = {
            let client = client.clone();
            tokio::spawn(async move { change_until_it_dies(&client, round).await })
        };
        // The moment of death is another one in each round: this is what is measured, not waited for.
        tokio::time::sleep(Duration::from_millis(17 * round + 5)).await;
        drop(program);
        acknowledged.extend(changer.await.expect("no panic"));
    }
    let program = Program::start(&place);
    let client = Client::new(&program.address);
    let apps = client.get("/v2/apps").await["apps"].as_array().expect("apps").clone();
    let mut wanted = 0;
    for app in &apps {
        let instances = app["instances"].as_u64().expect("a number");
        wanted += usize::try_from(instances).expect("small");
        client.settled(app["id"].as_str().expect("an id"), usize::try_from(instances).expect("small")).await;
    }
    let health = client.get("/paasta/health").await;
    let engine = health["engine"].as_str().expect("an id");
    let tasks: BTreeSet<String> = marked(engine).into_iter().map(|(_, task)| task).collect();
    assert_eq!(
        (marked(engine).len(), tasks.len()),
        (wanted, wanted),
        "one process for each task and no other"
    );
    for app in &apps {
        client.delete(&format!("/v2/apps/{}?force=true", app["id"].as_str().expect("an id"))).await;
    }
    client.until("/v2/tasks", |tasks| tasks["tasks"] == json!([])).await;
    assert_eq!(marked(engine), []);
}

/// Creates apps until nobody answers; returns what was acknowledged.
async fn change_until_it_dies(client: &Client, round: u64) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for number in 0..6 {
        let id = format!("/app-{round}-{number}");
        let app = json!({"id": id, "cmd": "exec sleep 1000", "instances": 1 + number % 2,
                         "container": image("paasta-one")});
        let sent = client.http.post(format!("{}/v2/apps", client.base)).json(&app).send().await;
        match sent {
            Ok(response) if response.status().is_success() => acknowledged.push(id),
            _ => return acknowledged,
        }
    }
    acknowledged
}

#[tokio::test]
async fn a_state_file_of_another_version_is_refused() {
    let place = Place::new((23100, 23119));
    std::fs::create_dir_all(place.state()).expect("a directory");
    std::fs::write(place.state().join("state.json"), r#"{"version": 99}"#).expect("writes");
    let error = paasta_engine::EngineServer::start(place.config()).await.expect_err("refused");
    let cause = std::error::Error::source(&error).expect("a cause").to_string();
    assert!(cause.ends_with("has version 99, expected 1"), "{cause}");
}

#[tokio::test]
async fn tasks_of_an_unreadable_state_can_be_ended() {
    let place = Place::new((23120, 23139));
    let engine = place.start().await;
    let client = Client::new(engine.address());
    client.create(sleeper("a", 2)).await;
    client.settled("a", 2).await;
    let id = engine.id().to_owned();
    let grace = Duration::from_secs(3);
    paasta_engine::end_abandoned(&place.state(), grace).await.expect_err("an engine holds it");
    engine.shutdown().await;
    std::fs::write(place.state().join("state.json"), r#"{"version":1,"eng"#).expect("writes");
    let error = paasta_engine::EngineServer::start(place.config()).await.expect_err("refused");
    assert!(error.is_unreadable_state(), "{error}");
    assert_eq!(marked(&id).len(), 2);
    let ended = paasta_engine::end_abandoned(&place.state(), grace).await.expect("ends them");
    assert_eq!((ended.processes, ended.left), (2, 0));
    assert_eq!(marked(&id), []);
    place.start().await.shutdown().await;
}
