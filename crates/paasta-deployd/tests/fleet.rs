//! What the loop asks of the engine where there is nothing to do, over real files and the real pass.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::StreamExt;
use paasta_core::{
    AppId, Change, Clock, Counts, InstanceId, NoLog, Reading, ServiceName, SteadyClock, SystemClock,
};
use paasta_deployd::{
    Because, ConfigFiles, Configs, Daemon, Handle, Listing, PassReport, PassResult, Ports, RegenerateResult,
    RunPass, Scope, Settings, SetupPasses, Surroundings, SweepRoots, Tags, Wake, run,
};
use paasta_drain::DrainTools;
use paasta_setup::Pass;
use paasta_testkit::{MemoryLocks, RecordingEngine, SimClock, SimEngine, SimRenderer};
use tokio::sync::{mpsc, oneshot};

const INSTANCES: usize = 50;
const HOMES: usize = 2;

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().expect("below a folder")).expect("made");
    std::fs::write(path, text).expect("written");
}

fn id(number: usize) -> InstanceId {
    format!("svc{number}.main").parse().expect("an instance")
}

struct NoCounts;

#[async_trait]
impl Counts for NoCounts {
    async fn count(&self, _instance: &InstanceId) -> Reading<Option<i64>> {
        Reading::Known(None)
    }
}

struct Fixed;

#[async_trait]
impl Configs for Fixed {
    async fn list(&self, scope: &Scope) -> Result<Listing, String> {
        Ok(Listing::of(scope.clone(), (0..INSTANCES).map(id).filter(|id| scope.holds(id.service()))))
    }

    async fn regenerate(&self, _service: &ServiceName) -> RegenerateResult {
        RegenerateResult::Unchanged
    }
}

/// The real passes, counted.
struct Counted {
    passes: SetupPasses,
    ended: Mutex<BTreeMap<InstanceId, Vec<PassResult>>>,
}

#[async_trait]
impl RunPass for Counted {
    async fn run_pass(&self, instance: &InstanceId, wake: Wake) -> PassReport {
        let report = self.passes.run_pass(instance, wake).await;
        let mut ended = self.ended.lock().expect("lock");
        ended.entry(instance.clone()).or_default().push(report.result.clone());
        report
    }
}

struct World {
    root: tempfile::TempDir,
    engine: Arc<RecordingEngine>,
    locks: MemoryLocks,
    clock: Arc<SteadyClock>,
    counted: Arc<Counted>,
}

impl World {
    /// Files of all instances, and an engine on which they have converged.
    async fn converged() -> Self {
        let root = tempfile::tempdir().expect("a folder");
        write(&root.path().join("etc/a.json"), r#"{"cluster": "here", "clusters": ["here"]}"#);
        for number in 0..INSTANCES {
            let folder = root.path().join(format!("soa/svc{number}"));
            write(&folder.join("marathon-here.yaml"), "main: {instances: 1, drain_method: noop}\n");
            let deployments = r#"{"v1": {}, "v2": {
                "deployments": {"here.main": {"docker_image": "i", "git_sha": "0123456789012345678901234567890123456789"}},
                "controls": {"SVC:here.main": {"desired_state": "start", "force_bounce": null}}}}"#;
            write(&folder.join("deployments.json"), &deployments.replace("SVC", &format!("svc{number}")));
        }
        let (engine, locks) = (Arc::new(RecordingEngine::new(["a", "b"])), MemoryLocks::default());
        let pass = Pass {
            engine: engine.clone(),
            renderer: Arc::new(SimRenderer::new("a", ["b"])),
            locks: Arc::new(locks.clone()),
            drains: Arc::new(DrainTools::new("fleet-test", "1").expect("a client")),
            log: Arc::new(NoLog),
            clock: Arc::new(SystemClock),
            history: None,
            discovery: None,
            leave: Default::default(),
            limits: Default::default(),
        };
        let clock = Arc::new(SteadyClock::from(SystemClock.now()));
        let (soa, etc) = (root.path().join("soa"), root.path().join("etc"));
        let passes = SetupPasses::new(soa, etc, Arc::new(NoCounts), pass, clock.clone());
        let counted = Arc::new(Counted { passes, ended: Mutex::default() });
        let world = Self { root, engine, locks, clock, counted };
        for number in 0..INSTANCES {
            world.pass(number, Because::LookAgain).await;
        }
        for _ in 0..3 {
            world.engine.tick(SystemClock.now());
        }
        for number in 0..INSTANCES {
            let report = world.pass(number, Because::LookAgain).await;
            assert_eq!(report.result, PassResult::Steady, "{report:?}");
        }
        world
    }

    async fn pass(&self, number: usize, because: Because) -> PassReport {
        let wake = Wake::new(self.clock.now(), because);
        self.counted.passes.run_pass(&id(number), wake).await
    }

    fn reads(&self) -> usize {
        self.engine.world().calls().reads
    }

    fn ended(&self, number: usize) -> usize {
        self.counted.ended.lock().expect("lock").get(&id(number)).map_or(0, Vec::len)
    }

    /// Waits until every instance has had this many passes.
    async fn until(&self, passes: usize) {
        soon(|| (0..INSTANCES).all(|number| self.ended(number) >= passes)).await;
    }
}

async fn soon(mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < until, "it did not happen");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn passes_with_nothing_to_do_cost_one_listing_per_home_together() {
    let world = World::converged().await;
    let (reads, locks) = (world.reads(), world.locks.taken());
    let settings = Settings { regenerate_seconds: 0.0, pass_gap_seconds: 0.01, ..Settings::default() };
    let handle = Handle::new(settings, world.clock.clone());
    let (changes, heard) = mpsc::unbounded_channel();
    let heard = futures_util::stream::unfold(heard, |mut heard| async { Some((heard.recv().await?, heard)) });
    let (soa_dir, system_config_dir) = (world.root.path().join("soa"), world.root.path().join("etc"));
    let files = Arc::new(ConfigFiles::new(SweepRoots { soa_dir, system_config_dir }));
    let ports = Ports {
        changes: heard.boxed(),
        ..Ports::new(world.clock.clone(), Arc::new(Fixed), world.counted.clone(), files)
    };
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(run(handle, ports, async { stopped.await.unwrap_or_default() }));

    // A slow machine may need another listing after five seconds; one per instance it never is.
    world.until(1).await;
    let started = world.reads() - reads;
    assert!((HOMES..=3 * HOMES).contains(&started), "{started} listings at the start");

    changes.send(Change::Lost).expect("heard");
    world.until(2).await;
    let after_loss = world.reads() - reads - started;
    assert!((HOMES..=3 * HOMES).contains(&after_loss), "{after_loss} listings after the stream was lost");
    assert_eq!(world.locks.taken(), locks, "nobody takes a lock to do nothing");

    // What is said of one instance is looked up for that one alone, even if all were looked at a moment ago.
    changes.send(Change::App(AppId::new("/svc7.main.gitx.configy"))).expect("heard");
    soon(|| world.ended(7) >= 3).await;
    assert_eq!(world.reads() - reads - started - after_loss, HOMES);
    assert_eq!(world.locks.taken(), locks + 1);

    let ended = world.counted.ended.lock().expect("lock").clone();
    assert!(ended.values().flatten().all(|result| *result == PassResult::Steady), "{ended:?}");
    stop.send(()).expect("heard");
    running.await.expect("no panic").expect("no error");
}

#[tokio::test]
async fn a_look_from_before_the_wake_is_not_used() {
    let world = World::converged().await;
    let first = world.pass(0, Because::EngineLost).await;
    assert_eq!(first.result, PassResult::Steady);
    let reads = world.reads();
    // Its task is lost: who is woken by that, together with everybody else, must see it.
    let lost = world.engine.truth().into_iter().find(|app| app.id.belongs_to(&id(1))).expect("it runs");
    world.engine.seed(paasta_core::App { tasks: vec![], ..lost });
    let report = world.pass(1, Because::EngineLost).await;
    assert!(matches!(report.result, PassResult::LookAgain { .. } | PassResult::Steady), "{report:?}");
    assert_ne!(report.why, first.why);
    assert!(world.reads() >= reads + HOMES);
}

#[tokio::test]
async fn while_tags_are_awaited_passes_look_and_change_nothing() {
    let world = World::converged().await;
    // Each is woken anew: what was read after a wake serves it for a while.
    let wake = |tags| Wake { tags, ..Wake::new(world.clock.now(), Because::BeganToLead) };
    let held = world.counted.run_pass(&id(0), wake(Tags::Awaited)).await;
    assert_eq!(held.result, PassResult::Steady, "there is nothing to change");
    let changed = "main: {instances: 3, drain_method: noop}\n";
    write(&world.root.path().join("soa/svc0/marathon-here.yaml"), changed);
    let before = world.engine.truth();
    let held = world.counted.run_pass(&id(0), wake(Tags::Awaited)).await;
    assert!(matches!(held.result, PassResult::Stopped(_)), "{held:?}");
    assert_eq!(world.engine.truth(), before);
    let acts = world.counted.run_pass(&id(0), wake(Tags::GivenUp)).await;
    assert!(matches!(acts.result, PassResult::LookAgain { .. }), "{acts:?}");
    assert_ne!(world.engine.truth(), before);
}

/// A wall clock that stands still and is set back must not delay what deployd waits for.
#[tokio::test]
async fn waits_do_not_follow_the_wall_clock() {
    let root = tempfile::tempdir().expect("a folder");
    let (soa, etc) = (root.path().join("soa"), root.path().join("etc"));
    let system = r#"{"cluster": "here", "clusters": ["here"], "soa_dir": "ROOT/soa",
        "coordination": {"driver": "file", "directory": "ROOT/c"}, "host_maintenance": "none",
        "deployd_regenerate_seconds": 0, "deployd_file_sweep_seconds": 0.05}"#;
    write(&etc.join("a.json"), &system.replace("ROOT", &root.path().display().to_string()));
    write(&soa.join("one/marathon-here.yaml"), "main: {}\n");
    let wall = SimClock::at(SystemClock.now());
    let system = paasta_config::SystemConfig::load(&etc).expect("readable");
    let surroundings = Surroundings {
        system_config_dir: etc,
        soa_dir: None,
        log: Arc::new(NoLog),
        clock: Arc::new(wall.clone()),
    };
    let daemon = Daemon::new(&system, surroundings).expect("set up");
    let handle = daemon.handle();
    let knows = |count: usize| {
        let snapshot = handle.snapshot();
        snapshot.queue.len() + snapshot.running.len() == count
    };
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(daemon.run(async { stopped.await.unwrap_or_default() }));
    soon(|| knows(1)).await;
    wall.advance(-3600.0);
    write(&soa.join("two/marathon-here.yaml"), "main: {}\n");
    soon(|| knows(2)).await;
    stop.send(()).expect("heard");
    running.await.expect("no panic").expect("no error");
}
