//! The engine's ports, filled by a stranger.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use common::{Client, Place, image, sleeper};
use paasta_core::{LogStream, LogTail, TaskId, TaskLog};
use paasta_engine::state::{Exit, RunRef};
use paasta_engine::{
    Artifact, ArtifactError, Artifacts, EngineServer, Executor, Launch, LaunchError, SecretError, SecretText,
    Secrets,
};
use serde_json::json;
use tokio::sync::Notify;

/// One directory for every image, shared by all tasks.
struct OneDirectory(PathBuf);

#[async_trait]
impl Artifacts for OneDirectory {
    async fn resolve(&self, _image: &str) -> Result<Artifact, ArtifactError> {
        Ok(Artifact::Shared(self.0.clone()))
    }
}

/// Knows one secret per service.
struct Vault;

#[async_trait]
impl Secrets for Vault {
    async fn resolve(
        &self,
        reference: &str,
        env: &BTreeMap<String, String>,
    ) -> Result<SecretText, SecretError> {
        let service = env.get("PAASTA_SERVICE").map_or("nobody", String::as_str);
        Ok(SecretText::new(format!("{service}'s {reference}")))
    }
}

#[tokio::test]
async fn artifacts_and_secrets_come_from_whoever_embeds_it() {
    let place = Place::new((24000, 24019));
    let shared = place.root.path().join("shared");
    std::fs::create_dir(&shared).expect("a directory");
    let mut config = place.config();
    config.artifacts = Arc::new(OneDirectory(shared.clone()));
    config.secrets = Arc::new(Vault);
    let engine = EngineServer::start(config).await.expect("starts");
    let client = Client::new(engine.address());
    let app = json!({"id": "a", "cmd": "pwd; echo \"$PW\"; exec sleep 1000", "container": image("paasta-any"),
                     "env": {"PAASTA_SERVICE": "svc", "PW": "SECRET(pw)"}});
    client.create(app).await;
    let task = client.settled("a", 1).await[0].clone();
    let shared = std::fs::canonicalize(shared).expect("there");
    assert_eq!(client.log(&task, 2).await, [shared.display().to_string(), "svc's SECRET(pw)".to_owned()]);
    // Neither the API nor the state file ever holds the secret.
    let shown = client.get("/v2/apps/a?embed=app.tasks").await.to_string();
    let kept = std::fs::read_to_string(place.state().join("state.json")).expect("state");
    assert!(!shown.contains("svc's SECRET") && !kept.contains("svc's SECRET"));
    engine.kill_all(common::PATIENCE).await.expect("all gone");
}

/// Runs nothing: a task lives until it is killed.
#[derive(Default)]
struct Pretence {
    ends: Mutex<BTreeMap<TaskId, Arc<Notify>>>,
}

impl Pretence {
    fn end_of(&self, task: &TaskId) -> Arc<Notify> {
        self.ends.lock().expect("no panic").entry(task.clone()).or_default().clone()
    }
}

#[async_trait]
impl Executor for Pretence {
    async fn spawn(&self, launch: &Launch) -> Result<RunRef, LaunchError> {
        Ok(RunRef(format!("pretended {}", launch.order.task)))
    }

    async fn gone(&self, task: &TaskId, _run: &RunRef) -> Exit {
        self.end_of(task).notified().await;
        Exit::Signal(15)
    }

    async fn kill(&self, task: &TaskId, _run: &RunRef, _grace: Duration) {
        self.end_of(task).notify_one();
    }

    async fn survey(&self, known: &BTreeMap<TaskId, Option<RunRef>>) -> BTreeMap<TaskId, RunRef> {
        known.iter().filter_map(|(task, run)| Some((task.clone(), run.clone()?))).collect()
    }

    async fn probe_command(&self, _task: &TaskId, _run: &RunRef, _command: &str) -> Result<(), String> {
        Ok(())
    }

    async fn log(
        &self,
        _task: &TaskId,
        _stream: LogStream,
        _tail: LogTail,
    ) -> std::io::Result<Option<TaskLog>> {
        Ok(None)
    }

    async fn ended(&self, _task: &TaskId) {}

    async fn housekeeping(&self, _live: &BTreeSet<TaskId>) {}
}

#[tokio::test]
async fn another_executor_takes_the_place_of_processes() {
    let place = Place::new((24020, 24219));
    let mut config = place.config();
    config.executor = Some(Arc::new(Pretence::default()));
    let engine = EngineServer::start(config.clone()).await.expect("starts");
    let client = Client::new(engine.address());
    let mut app = sleeper("many", 150);
    app["healthChecks"] = json!([{"protocol": "COMMAND", "command": {"value": "true"}}]);
    client.create(app).await;
    let tasks = client.settled("many", 150).await;
    engine.shutdown().await;
    let engine = EngineServer::start(config).await.expect("starts again");
    let client = Client::new(engine.address());
    assert_eq!(client.settled("many", 150).await, tasks, "all were taken up again");
    engine.kill_all(common::PATIENCE).await.expect("all gone");
}
