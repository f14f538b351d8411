//! One instance that can never be brought up delays nobody, is tried for ever, and is seen by whoever looks.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use paasta_config::{RenderError, Renderer, Wanted};
use paasta_core::{
    Action, Applied, Change, Counts, Engine, EngineError, Fleet, Homes, InstanceId, LogStream, LogTail,
    NoLog, Reading, Rendered, ServiceName, Sighting, SteadyClock, SystemClock, TaskId, TaskLog,
};
use paasta_deployd::{
    ConfigFiles, Configs, Handle, Hook, HttpFace, Listing, Metrics, Ports, RegenerateResult, Scope, Settings,
    SetupPasses, SweepRoots, run, serve_http,
};
use paasta_drain::DrainTools;
use paasta_setup::Pass;
use paasta_testkit::{MemoryLocks, RecordingEngine, SimEngine, SimRenderer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

const HEALTHY: usize = 8;
const POISON: &str = "poison";

/// What is wrong with the one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Poison {
    /// Rendering it panics.
    Panics,
    /// Its settings cannot be used.
    Config,
    /// The engine answers 500 to each change of it.
    Changes500,
    /// The engine answers 500 to each look at it.
    Looks500,
}

struct World {
    poison: Poison,
    engine: RecordingEngine,
    renderer: SimRenderer,
}

impl Renderer for World {
    fn render(&self, wanted: &Wanted) -> Result<Rendered, RenderError> {
        if self.poison == Poison::Panics && wanted.id.service().as_str() == POISON {
            panic!("rendering broke");
        }
        self.renderer.render(wanted)
    }
}

#[async_trait]
impl Engine for World {
    async fn observe(&self, instance: &InstanceId, homes: &Homes) -> Sighting {
        let mut sighting = self.engine.observe(instance, homes).await;
        if self.poison == Poison::Looks500 && instance.service().as_str() == POISON {
            let refused = || Reading::Unknown("home `a` refused with status 500".to_owned());
            sighting.homes.values_mut().for_each(|home| *home = refused());
        }
        sighting
    }

    async fn observe_all(&self) -> Fleet {
        self.engine.observe_all().await
    }

    async fn apply(&self, action: &Action) -> Result<Applied, EngineError> {
        let poisoned = matches!(action, Action::Create { app, .. } if app.as_str().contains(POISON));
        match self.poison == Poison::Changes500 && poisoned {
            true => Ok(Applied::Unknown("home `a` refused with status 500".to_owned())),
            false => self.engine.apply(action).await,
        }
    }

    fn changes(&self) -> BoxStream<'static, Change> {
        self.engine.changes()
    }

    async fn task_log(&self, task: &TaskId, of: LogStream, tail: LogTail) -> Result<TaskLog, EngineError> {
        self.engine.task_log(task, of, tail).await
    }
}

#[async_trait]
impl Counts for World {
    async fn count(&self, _instance: &InstanceId) -> Reading<Option<i64>> {
        Reading::Known(None)
    }
}

fn services() -> impl Iterator<Item = String> {
    (0..HEALTHY).map(|number| format!("svc{number}")).chain([POISON.to_owned()])
}

#[async_trait]
impl Configs for World {
    async fn list(&self, scope: &Scope) -> Result<Listing, String> {
        let ids = services().map(|name| format!("{name}.main").parse::<InstanceId>().expect("a name"));
        Ok(Listing::of(scope.clone(), ids.filter(|id| scope.holds(id.service()))))
    }

    async fn regenerate(&self, _service: &ServiceName) -> RegenerateResult {
        RegenerateResult::Unchanged
    }
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().expect("below a folder")).expect("made");
    std::fs::write(path, text).expect("written");
}

fn files(root: &Path, poison: Poison) {
    write(&root.join("etc/a.json"), r#"{"cluster": "here", "clusters": ["here"]}"#);
    for service in services() {
        let folder = root.join("soa").join(&service);
        let wrong = poison == Poison::Config && service == POISON;
        let method = if wrong { "croosover" } else { "crossover" };
        let text = format!("main: {{instances: 1, drain_method: noop, bounce_method: {method}}}\n");
        write(&folder.join("marathon-here.yaml"), &text);
        let deployments = r#"{"v1": {}, "v2": {
            "deployments": {"here.main": {"docker_image": "i", "git_sha": "0123456789012345678901234567890123456789"}},
            "controls": {"SVC:here.main": {"desired_state": "start", "force_bounce": null}}}}"#;
        write(&folder.join("deployments.json"), &deployments.replace("SVC", &service));
    }
}

async fn get(address: std::net::SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    answer
}

/// With one worker alone, and a back-off that hardly waits: whatever it takes is taken from the others.
async fn delays_nobody_and_is_seen(poison: Poison, reason: &str, gauge: &str, tries: u64) {
    let root = tempfile::tempdir().expect("a folder");
    files(root.path(), poison);
    let world =
        Arc::new(World { poison, engine: RecordingEngine::new(["a"]), renderer: SimRenderer::new("a", []) });
    let clock = Arc::new(SteadyClock::from(paasta_core::Clock::now(&SystemClock)));
    let pass = Pass {
        engine: world.clone(),
        renderer: world.clone(),
        locks: Arc::new(MemoryLocks::default()),
        drains: Arc::new(DrainTools::new("poison-test", "1").expect("a client")),
        log: Arc::new(NoLog),
        clock: Arc::new(SystemClock),
        history: None,
        discovery: None,
        leave: Default::default(),
        limits: Default::default(),
    };
    let (soa_dir, etc) = (root.path().join("soa"), root.path().join("etc"));
    let passes = SetupPasses::new(soa_dir.clone(), etc.clone(), world.clone(), pass, clock.clone());
    let settings = Settings {
        workers: 1,
        urgent_workers: 0,
        regenerate_seconds: 0.0,
        pass_gap_seconds: 0.001,
        failure_backoff_factor_seconds: 0.001,
        failure_backoff_seconds_max: 0.005,
        ..Settings::default()
    };
    let handle = Handle::new(settings, clock.clone());
    let metrics = Metrics::new("here", None);
    handle.observe(Arc::new(metrics.clone()));
    let roots = SweepRoots { soa_dir: soa_dir.clone(), system_config_dir: etc };
    let ports = Ports {
        changes: world.changes(),
        ..Ports::new(clock, world.clone(), Arc::new(passes), Arc::new(ConfigFiles::new(roots)))
    };
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("bound");
    let address = listener.local_addr().expect("an address");
    let face = HttpFace { handle: handle.clone(), metrics, hook: Hook::Closed };
    let serving = tokio::spawn(serve_http(listener, face));
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(run(handle.clone(), ports, async { stopped.await.unwrap_or_default() }));

    let passes_of = |name: &str| {
        let snapshot = handle.snapshot();
        let queued = snapshot.queue.iter().map(|entry| (&entry.instance, entry.passes));
        let running = snapshot.running.iter().map(|entry| (&entry.instance, entry.passes));
        let mut all = queued.chain(running);
        all.find(|(id, _)| id.service().as_str() == name).map_or(0, |(_, passes)| passes)
    };
    let tasks_of = |name: &str| {
        let apps = world.engine.truth().into_iter().filter(|app| app.id.as_str().contains(name));
        apps.map(|app| app.tasks.len()).sum::<usize>()
    };
    // For ever: many more times than the doubling of its back-off takes, each within the longest wait.
    until(&world, "the others come up while it is tried", || {
        passes_of(POISON) >= tries && (0..HEALTHY).all(|number| tasks_of(&format!("svc{number}")) == 1)
    })
    .await;
    for number in 0..HEALTHY {
        let service = format!("svc{number}");
        let edit = "main: {instances: 2, drain_method: noop, bounce_method: crossover}\n";
        let edited = Instant::now();
        write(&soa_dir.join(&service).join("marathon-here.yaml"), edit);
        until(&world, "an edit of another is taken up", || tasks_of(&service) == 2).await;
        assert!(edited.elapsed() < Duration::from_secs(5), "it took {:?}", edited.elapsed());
    }
    let before = passes_of(POISON);
    until(&world, "it is tried again", || passes_of(POISON) > before).await;
    assert_eq!(tasks_of(POISON), 0);

    let queue = get(address, "/v1/queue").await;
    let (_, body) = queue.split_once("\r\n\r\n").expect("a body");
    let queue: serde_json::Value = serde_json::from_str(body).expect("JSON");
    let parts = ["running", "available", "unavailable"].map(|part| format!("{part}_service_instances"));
    let entries = parts.iter().flat_map(|part| queue[part].as_array().expect("a list").clone());
    let seen = entries.into_iter().find(|entry| entry["service"] == POISON).expect("it is in the queue");
    assert!(seen["last"].as_str().expect("a text").contains(reason), "{seen}");
    if poison != Poison::Looks500 {
        assert!(seen["failures"].as_u64().expect("a number") >= tries, "{seen}");
    }
    // It is in the gauge while it waits, which is most of the time.
    let line = format!("paasta_deployd_{gauge}{{paasta_cluster=\"here\"}} 1");
    let give_up = Instant::now() + Duration::from_secs(20);
    while !get(address, "/metrics").await.contains(&line) {
        assert!(Instant::now() < give_up, "`{line}` is not in the metrics");
    }
    stop.send(()).expect("heard");
    running.await.expect("no panic").expect("no error");
    serving.abort();
}

async fn until(world: &World, what: &str, holds: impl Fn() -> bool) {
    let give_up = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < give_up, "it did not happen that {what}");
        world.engine.tick(paasta_core::Clock::now(&SystemClock));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_renderer_that_panics() {
    delays_nobody_and_is_seen(Poison::Panics, "rendering broke", "instances_failing", 20).await;
}

#[tokio::test]
async fn settings_that_cannot_be_used() {
    delays_nobody_and_is_seen(Poison::Config, "croosover", "instances_failing", 20).await;
}

#[tokio::test]
async fn an_engine_that_answers_500_to_each_change() {
    delays_nobody_and_is_seen(Poison::Changes500, "status 500", "instances_failing", 20).await;
}

#[tokio::test]
async fn an_engine_that_answers_500_to_each_look() {
    delays_nobody_and_is_seen(Poison::Looks500, "status 500", "instances_unseen", 2).await;
}
