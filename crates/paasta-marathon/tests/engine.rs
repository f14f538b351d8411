//! The whole life of an app on the embedded engine, which is driven as a Marathon is.

#![expect(clippy::unwrap_used, reason = "a test stops where something is missing")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use paasta_config::Renderer;
use paasta_core::{
    Action, App, Applied, Change, Engine, EngineError, InstanceId, Kill, LogStream, LogTail, NoMaintenance,
    Rendered, TaskPhase,
};
use paasta_engine::{Config, DirectoryArtifacts, EngineServer, PortRange};
use paasta_marathon::{MarathonEngine, MarathonRenderer};
use serde_json::json;

/// The longest that anything may take.
const PATIENCE: Duration = Duration::from_secs(30);

struct Cluster {
    server: EngineServer,
    engine: MarathonEngine,
    rendered: Rendered,
    instance: InstanceId,
    _directory: tempfile::TempDir,
}

impl Cluster {
    /// An engine of its own and an instance rendered for it.
    async fn start(ports: (u16, u16)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("paasta-0123456789")).unwrap();
        let mut config =
            Config::new(directory.path().join("state"), Arc::new(DirectoryArtifacts::new(directory.path())));
        config.ports = PortRange::new(ports.0, ports.1).unwrap();
        let server = EngineServer::start(config).await.unwrap();
        let wanted = support::wanted(&json!({
            "service": "s_v", "instance": "main", "cluster": "local",
            "settings": {"cmd": "echo hello; exec sleep 600", "mem": 16, "cpus": 0.1},
            "system": {
                "docker_registry": "r", "volumes": [],
                "marathon_servers": [{"url": [format!("http://{}", server.address())], "user": "", "password": ""}],
            },
            "namespace": {}, "autoscaled_count": null, "secret_signatures": {},
            "deployment": {"docker_image": "services-s_v:paasta-0123456789", "desired_state": "start"},
        }));
        Self {
            server,
            engine: MarathonEngine::from_system(&wanted.system, Box::new(NoMaintenance)).unwrap(),
            rendered: MarathonRenderer::from_system(&wanted.system).unwrap().render(&wanted).unwrap(),
            instance: wanted.id,
            _directory: directory,
        }
    }

    fn create(&self) -> Action {
        let (home, app) = (self.rendered.homes.current.clone(), self.rendered.app.clone());
        Action::Create { home, app, body: self.rendered.body.clone() }
    }

    fn scale(&self, instances: usize) -> Action {
        let (home, app) = (self.rendered.homes.current.clone(), self.rendered.app.clone());
        Action::Scale { home, app, instances }
    }

    fn delete(&self) -> Action {
        let (home, app) = (self.rendered.homes.current.clone(), self.rendered.app.clone());
        Action::Delete { home, app }
    }

    async fn done(&self, action: Action) {
        assert_eq!(self.engine.apply(&action).await, Ok(Applied::Done), "{action:?}");
    }

    /// The apps of the instance, once they are as they should be.
    async fn until(&self, what: &str, holds: impl Fn(&[App]) -> bool) -> Vec<App> {
        let looking = async {
            loop {
                let sighting = self.engine.observe(&self.instance, &self.rendered.homes).await;
                assert_eq!(sighting.unknown(), None);
                let apps: Vec<App> = sighting.apps().cloned().collect();
                if holds(&apps) {
                    return apps;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, looking).await.unwrap_or_else(|_| panic!("never came: {what}"))
    }

    async fn until_running(&self, count: usize) -> Vec<App> {
        let running = |app: &App| app.tasks.iter().filter(|task| task.phase == TaskPhase::Running).count();
        self.until("running tasks", |apps| {
            apps.iter().any(|app| running(app) == count && app.tasks.len() == count && app.instances == count)
        })
        .await
    }

    async fn end(self) {
        self.server.kill_all(PATIENCE).await.unwrap();
        self.server.shutdown().await;
    }
}

#[tokio::test]
async fn an_app_is_created_scaled_shrunk_and_deleted() {
    let cluster = Cluster::start((21_000, 21_049)).await;
    cluster.done(cluster.create()).await;
    let again = cluster.engine.apply(&cluster.create()).await;
    assert!(matches!(again, Ok(Applied::Conflict(_))), "{again:?}");

    let apps = cluster.until_running(1).await;
    assert_eq!(apps[0].id, cluster.rendered.app);
    assert_eq!(apps[0].tasks[0].ports.len(), 1);
    assert!(apps[0].tasks[0].started_at >= apps[0].tasks[0].staged_at);

    cluster.done(cluster.scale(3)).await;
    let apps = cluster.until_running(3).await;
    let gone = apps[0].tasks[1].id.clone();
    let kill = Kill { app: cluster.rendered.app.clone(), tasks: vec![gone.clone()], instances_after: 2 };
    let kill = Action::KillAndShrink { home: cluster.rendered.homes.current.clone(), kills: vec![kill] };
    cluster.done(kill.clone()).await;
    let apps = cluster.until_running(2).await;
    assert!(apps[0].tasks.iter().all(|task| task.id != gone));
    // The same again: the task is gone, and the app shrinks no further.
    cluster.done(kill).await;
    cluster.until_running(2).await;

    cluster.done(cluster.delete()).await;
    cluster.until("no app", <[App]>::is_empty).await;
    cluster.done(cluster.delete()).await;
    // Marathon takes the change of an app that is gone for a creation, and refuses it.
    let missing = cluster.engine.apply(&cluster.scale(1)).await;
    assert!(matches!(missing, Err(EngineError::Refused { status: 422, .. })), "{missing:?}");
    cluster.end().await;
}

#[tokio::test]
async fn changes_and_logs_are_told() {
    let cluster = Cluster::start((21_050, 21_099)).await;
    let mut changes = cluster.engine.changes();
    let told = async {
        while let Some(change) = changes.next().await {
            if change == Change::App(cluster.rendered.app.clone()) {
                return;
            }
        }
    };
    // The listener connects when it is first asked, so something has to change after that.
    let change = async {
        cluster.done(cluster.create()).await;
        cluster.until_running(1).await;
        for count in (2..4).cycle() {
            cluster.done(cluster.scale(count)).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, async {
        tokio::select! { () = told => {}, () = change => {} }
    })
    .await
    .unwrap();

    let apps = cluster.until("a task that runs", |apps| {
        apps.iter().flat_map(|app| &app.tasks).any(|task| task.phase == TaskPhase::Running)
    });
    let apps = apps.await;
    let task = apps[0].tasks.iter().find(|task| task.phase == TaskPhase::Running).unwrap();
    let looking = async {
        loop {
            let log = cluster.engine.task_log(&task.id, LogStream::Stdout, LogTail::last(10)).await.unwrap();
            if log.lines == ["hello"] {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.unwrap();
    let missing = paasta_core::TaskId::new("s--v.main.x.y.none");
    let log = cluster.engine.task_log(&missing, LogStream::Stdout, LogTail::last(10)).await;
    assert!(matches!(log, Err(EngineError::NotFound { .. })), "{log:?}");
    cluster.end().await;
}

#[tokio::test]
async fn a_listing_costs_one_request_per_home() {
    let cluster = Cluster::start((21_100, 21_149)).await;
    cluster.done(cluster.create()).await;
    cluster.until_running(1).await;
    let before = cluster.engine.requests();
    let fleet = cluster.engine.observe_all().await;
    let after = cluster.engine.requests();
    assert_eq!((after.get - before.get, after.writes() - before.writes()), (1, 0));
    assert_eq!(fleet.of(&cluster.instance, cluster.rendered.homes.all()).apps().count(), 1);
    cluster.end().await;
}
