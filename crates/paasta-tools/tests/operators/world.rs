//! A cluster of two Marathons, a hacheck, and the files of three services.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Output;
use std::sync::Arc;
use std::time::Duration;

use assert_cmd::Command;
use paasta_core::{Action, App, AppId, Engine, HomeId, LockGuard, Locks, NoMaintenance, Reading};
use paasta_engine::{Config, EngineServer};
use paasta_hacheck::Hacheck;
use paasta_marathon::{MarathonEngine, MarathonServers, Server};
use paasta_zookeeper::FileLocks;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::tasks::{NoCode, Tasks};

/// The longest that anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const SHA: &str = "0123456789abcdef0123456789abcdef01234567";
/// What the files of [`World::start`] name, in the order of the services.
pub(crate) const INSTANCES: [&str; 4] = ["my_svc.can_ary", "other.main", "web.main", "web.spare"];

pub(crate) struct World {
    directory: TempDir,
    servers: Vec<EngineServer>,
    engine: MarathonEngine,
    system: Value,
    pub(crate) hacheck: Hacheck,
}

/// How a program ended, and what it said.
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) talk: String,
}

impl World {
    pub(crate) async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut servers = vec![];
        for shard in ["a", "b"] {
            let mut config = Config::new(directory.path().join(shard), Arc::new(NoCode));
            config.host = "127.0.0.1".to_owned();
            config.executor = Some(Arc::new(Tasks::default()));
            servers.push(EngineServer::start(config).await.unwrap());
        }
        let hacheck = Hacheck::builder(directory.path().join("spool")).allow_remote_spool_changes(true);
        let hacheck = hacheck.build().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let hacheck_port = listener.local_addr().unwrap().port();
        tokio::spawn(hacheck.clone().serve(listener));
        let urls: Vec<String> = servers.iter().map(|server| format!("http://{}", server.address())).collect();
        let entry = |url: &String| json!({ "url": [url], "user": "", "password": "" });
        let system = json!({
            "cluster": "prod", "clusters": ["prod"], "docker_registry": "r.example.com", "volumes": [],
            "marathon_servers": urls.iter().map(entry).collect::<Vec<_>>(), "hacheck_port": hacheck_port,
            "log_writer": { "driver": "null" }, "host_maintenance": "none",
            "coordination": { "driver": "file", "directory": directory.path().join("locks") },
        });
        let server = |url: &String| Server {
            urls: vec![url.clone()],
            user: String::new(),
            password: Default::default(),
        };
        let servers_of = MarathonServers::new(urls.iter().map(server).collect(), vec![]);
        let engine = MarathonEngine::new(&servers_of, Box::new(NoMaintenance)).unwrap();
        let world = Self { directory, servers, engine, system, hacheck };
        world.set(json!({}));
        world.service("web", "main: {cmd: serve, instances: 2}\nspare: {cmd: serve, instances: 1}\n");
        world.service("my_svc", "can_ary: {cmd: serve}\n");
        world.service("other", "main: {cmd: serve}\n");
        world
    }

    /// The same, with all of it running.
    pub(crate) async fn running() -> Self {
        let world = Self::start().await;
        world.all_run().await;
        world
    }

    pub(crate) async fn end(self) {
        for server in self.servers {
            server.shutdown().await;
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// The system configuration, with some keys changed.
    pub(crate) fn set(&self, keys: Value) {
        let mut all = self.system.clone();
        for (key, value) in keys.as_object().unwrap() {
            all[key] = value.clone();
        }
        self.file("etc/c.json", &all.to_string());
    }

    pub(crate) fn urls(&self) -> Vec<String> {
        self.servers.iter().map(|server| format!("http://{}", server.address())).collect()
    }

    /// A service, all of whose instances are deployed.
    pub(crate) fn service(&self, service: &str, yaml: &str) {
        self.file(&format!("soa/{service}/marathon-prod.yaml"), yaml);
        let one = json!({ "docker_image": format!("services-{service}:paasta-{SHA}"), "git_sha": SHA });
        let (mut deployments, mut controls) = (json!({}), json!({}));
        for instance in ["main", "spare", "can_ary"] {
            deployments[format!("prod.{instance}")] = one.clone();
            controls[format!("{service}:prod.{instance}")] =
                json!({ "desired_state": "start", "force_bounce": null });
        }
        let file = json!({ "v2": { "deployments": deployments, "controls": controls } });
        self.file(&format!("soa/{service}/deployments.json"), &file.to_string());
    }

    /// Runs a program that reads these files.
    pub(crate) async fn run(&self, program: &str, arguments: &[&str]) -> Run {
        let soa = self.path("soa").display().to_string();
        let arguments: Vec<&str> = ["-d", &soa].into_iter().chain(arguments.iter().copied()).collect();
        self.run_bare(program, &arguments).await
    }

    pub(crate) async fn run_bare(&self, program: &str, arguments: &[&str]) -> Run {
        let mut command = Command::cargo_bin(program).unwrap();
        command.env("PAASTA_SYSTEM_CONFIG_DIR", self.path("etc")).args(arguments).timeout(PATIENCE);
        let output: Output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Run { code: output.status.code(), out: text(output.stdout), talk: text(output.stderr) }
    }

    /// Everything that stands in both Marathons.
    pub(crate) async fn apps(&self) -> Vec<App> {
        let known = |apps: Reading<Vec<App>>| match apps {
            Reading::Known(apps) => apps,
            Reading::Unknown(reason) => panic!("{reason}"),
        };
        self.engine.observe_all().await.homes.into_values().flat_map(known).collect()
    }

    /// The instances that run, as app ids begin.
    pub(crate) async fn short_ids(&self) -> BTreeSet<String> {
        self.apps().await.iter().map(|app| app.id.short_id().to_owned()).collect()
    }

    pub(crate) async fn app_of(&self, short_id: &str) -> App {
        let apps = self.apps().await;
        apps.into_iter().find(|app| app.id.short_id() == short_id).unwrap()
    }

    /// An app that stands there whatever the files say.
    pub(crate) async fn create(&self, home: usize, id: &str) {
        let body = json!({ "id": id, "cmd": "serve", "instances": 1, "cpus": 0.1, "mem": 16 }).to_string();
        let home = HomeId::new(self.urls()[home].clone());
        let action = Action::Create { home, app: AppId::new(id), body };
        assert!(self.engine.apply(&action).await.unwrap().is_done());
    }

    /// Passes until everything that the files name runs.
    async fn all_run(&self) {
        let all = async {
            loop {
                let run = self.run("deploy_marathon_services", &[]).await;
                assert_eq!(run.code, Some(0), "{}", run.talk);
                let apps = self.apps().await;
                let full = |app: &App| app.tasks.len() == app.instances;
                if apps.len() == INSTANCES.len() && apps.iter().all(full) {
                    return;
                }
            }
        };
        tokio::time::timeout(PATIENCE, all).await.expect("all of it comes up");
    }

    /// Waits until what runs is exactly this.
    pub(crate) async fn comes_to(&self, short_ids: &[&str]) {
        let wanted: BTreeSet<String> = short_ids.iter().map(|id| (*id).to_owned()).collect();
        let coming = async {
            while self.short_ids().await != wanted {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, coming).await.is_err() {
            panic!("there are {:?} instead of {wanted:?}", self.short_ids().await);
        }
    }

    /// Takes a bounce lock as another program would.
    pub(crate) async fn lock(&self, short_id: &str) -> LockGuard {
        let locks = FileLocks::new(self.path("locks"));
        locks.acquire(&format!("/bounce/{short_id}"), Duration::ZERO).await.unwrap()
    }
}
