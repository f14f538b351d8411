//! An engine on real processes, and a client for it.
#![allow(dead_code, reason = "each test uses a part of this")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use paasta_engine::{Config, DirectoryArtifacts, EngineServer, PortRange};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// Nothing here takes longer than this.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A place for an engine, with one checkout `paasta-one`.
pub(crate) struct Place {
    pub(crate) root: tempfile::TempDir,
    ports: PortRange,
}

impl Place {
    pub(crate) fn new(ports: (u16, u16)) -> Self {
        let root = tempfile::tempdir().expect("a directory");
        let checkout = root.path().join("artifacts/paasta-one");
        std::fs::create_dir_all(&checkout).expect("a checkout");
        std::fs::write(checkout.join("file"), "from the checkout\n").expect("a file");
        Self { root, ports: PortRange::new(ports.0, ports.1).expect("a range") }
    }

    pub(crate) fn artifacts(&self) -> PathBuf {
        self.root.path().join("artifacts")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.root.path().join("state")
    }

    pub(crate) fn config(&self) -> Config {
        let mut config = Config::new(self.state(), Arc::new(DirectoryArtifacts::new(self.artifacts())));
        config.ports = self.ports;
        config.kill_grace_seconds = 3.0;
        config
    }

    pub(crate) async fn start(&self) -> EngineServer {
        EngineServer::start(self.config()).await.expect("starts")
    }
}

impl Drop for Place {
    /// A failed test leaves no process behind either.
    fn drop(&mut self) {
        let state = std::fs::read_to_string(self.state().join("state.json")).unwrap_or_default();
        let state: Value = serde_json::from_str(&state).unwrap_or_default();
        if let Some(engine) = state["engine"].as_str() {
            for (pid, _) in marked(engine) {
                let pid = rustix::process::Pid::from_raw(pid).expect("a pid");
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
    }
}

/// Living processes that carry an engine's mark: pid and task.
pub(crate) fn marked(engine: &str) -> Vec<(i32, String)> {
    let mark = format!("PAASTA_ENGINE_TASK={engine}/");
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("/proc").flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let environ = String::from_utf8_lossy(&environ).into_owned();
        if let Some(task) = environ.split('\0').find_map(|entry| entry.strip_prefix(&mark)) {
            found.push((pid, task.to_owned()));
        }
    }
    found
}

/// Talks with an engine.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) base: String,
    pub(crate) http: reqwest::Client,
}

impl Client {
    pub(crate) fn new(address: impl std::fmt::Display) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let http = reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build();
        Self { base: format!("http://{address}"), http: http.expect("a client") }
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.expect("answers");
        let status = response.status();
        let text = response.text().await.expect("a body");
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.send(Method::GET, path, None).await.1
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        self.send(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> (StatusCode, Value) {
        self.send(Method::PUT, path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> (StatusCode, Value) {
        self.send(Method::DELETE, path, None).await
    }

    pub(crate) async fn create(&self, app: Value) -> Value {
        let (status, answer) = self.post("/v2/apps", app).await;
        assert_eq!(status, StatusCode::CREATED, "{answer}");
        answer
    }

    /// Asks until the answer is as wanted; fails loudly if it never is.
    pub(crate) async fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.get(path).await;
            if wanted(&answer) {
                return answer;
            }
            assert!(Instant::now() < deadline, "{path} never was as wanted: {answer:#}");
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
    }

    /// Waits until an app has no deployment and so many running tasks; returns their ids.
    pub(crate) async fn settled(&self, app: &str, running: usize) -> Vec<String> {
        let path = format!("/v2/apps/{app}?embed=app.tasks");
        let shown = self
            .until(&path, |shown| {
                let app = &shown["app"];
                app["deployments"] == json!([])
                    && app["tasksRunning"] == json!(running)
                    && app["tasks"].as_array().is_some_and(|tasks| tasks.len() == running)
            })
            .await;
        let tasks = shown["app"]["tasks"].as_array().expect("tasks").iter();
        tasks.map(|task| task["id"].as_str().expect("an id").to_owned()).collect()
    }

    pub(crate) async fn log(&self, task: &str, wanted: usize) -> Vec<String> {
        let lines = |answer: &Value| answer["lines"].as_array().cloned().unwrap_or_default();
        let path = format!("/paasta/tasks/{task}/log");
        let answer = self.until(&path, |answer| lines(answer).len() >= wanted).await;
        lines(&answer).iter().map(|line| line.as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Kinds of journal events about a task.
    pub(crate) async fn story(&self, task: &str) -> Vec<String> {
        let journal = self.get("/paasta/journal").await;
        let entries = journal["entries"].as_array().expect("entries").iter();
        let about = entries.filter(|entry| entry["event"]["task"] == json!(task));
        about.map(|entry| entry["event"]["kind"].as_str().expect("a kind").to_owned()).collect()
    }
}

/// An app that sleeps in the checkout.
pub(crate) fn sleeper(id: &str, instances: u32) -> Value {
    json!({"id": id, "cmd": "exec sleep 1000", "instances": instances, "container": image("paasta-one")})
}

/// A container section for a tag.
pub(crate) fn image(tag: &str) -> Value {
    json!({"type": "DOCKER", "docker": {"image": format!("registry/services-svc:{tag}"), "network": "BRIDGE",
           "portMappings": [{"containerPort": 8888, "hostPort": 0, "protocol": "tcp"}]}})
}

pub(crate) fn is_running(pid: i32) -> bool {
    let stat =
        std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}
