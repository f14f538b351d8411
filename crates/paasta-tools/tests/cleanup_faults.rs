//! What a cleanup does where things go wrong: an engine that fails, a leader that was replaced, files that change.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use paasta_config::{Memory, Soa};
use paasta_core::{App, AppId, ClusterName, Engine as _, Fence, Fenced, HomeId, LockError, LockGuard, Locks};
use paasta_drain::DrainTools;
use paasta_setup::{Leave, Limits, Pass};
use paasta_testkit::{Fault, MemoryLocks, MemoryLog, RecordingEngine, SimClock, SimEngine, SimRenderer};
use paasta_tools::cleanup::{End, Guard, Judgement, judge, run};
use paasta_tools::configured::Configured;

const GONE: [&str; 5] = ["a", "b", "c", "d", "e"];

struct World {
    engine: Arc<RecordingEngine>,
    locks: MemoryLocks,
    log: MemoryLog,
    pass: Pass,
    cluster: ClusterName,
}

impl World {
    /// Five instances that are configured no more, and one that is.
    fn new() -> Self {
        let engine = Arc::new(RecordingEngine::new(["home"]));
        for instance in GONE.iter().chain(&["stays"]) {
            engine.seed(App {
                id: AppId::new(format!("web.{instance}.gita.configb")),
                home: HomeId::new("home"),
                instances: 0,
                tasks: vec![],
                checks: None,
                deploying: false,
                launch: None,
                last_failure: None,
            });
        }
        let (locks, log) = (MemoryLocks::default(), MemoryLog::default());
        let pass = Pass {
            engine: engine.clone(),
            renderer: Arc::new(SimRenderer::new("home", [])),
            locks: Arc::new(locks.clone()),
            drains: Arc::new(DrainTools::new("test", "1").unwrap()),
            log: Arc::new(log.clone()),
            clock: Arc::new(SimClock::at(paasta_core::Timestamp::from_millis(0))),
            history: None,
            discovery: None,
            leave: Leave::default(),
            limits: Limits::default(),
        };
        Self { engine, locks, log, pass, cluster: "prod".parse().unwrap() }
    }

    async fn judgement(&self) -> Judgement {
        let fleet = self.engine.observe_all().await;
        let configured = Configured::read(&soa("stays: {}"), &self.cluster).unwrap();
        judge(&fleet.homes, &configured, Guard { kill_threshold: 0.9, force: false })
    }

    /// How each app ended, by its instance, where the files are those by now.
    async fn clean_up(&self, now: &Soa) -> BTreeMap<String, End> {
        let mut ends = BTreeMap::new();
        run(&self.pass, now, &self.cluster, &self.judgement().await, |line| {
            ends.insert(line.app.as_str().split('.').nth(1).unwrap().to_owned(), line.end);
        })
        .await;
        ends
    }

    fn left(&self) -> Vec<String> {
        let left = self.engine.truth().into_iter();
        left.map(|app| app.id.as_str().split('.').nth(1).unwrap().to_owned()).collect()
    }
}

fn soa(yaml: &str) -> Soa {
    Soa::new(Arc::new(Memory::new().with("web/marathon-prod.yaml", yaml)))
}

#[tokio::test]
async fn one_failure_stops_no_other() {
    let world = World::new();
    let faults = [Fault::Refused, Fault::Unreachable, Fault::Busy, Fault::LostReply { done: false }];
    world.engine.world().faults.plan_changes(faults.map(Some));
    let ends = world.clean_up(&soa("stays: {}")).await;
    let failed = ends.values().filter(|end| matches!(end, End::Failed(reason) if !reason.is_empty()));
    assert_eq!((ends.len(), failed.count()), (5, 4), "{ends:?}");
    assert_eq!(world.left().len(), 5);
    assert_eq!(world.log.records().len(), 5, "each is told to its service's people");
    // The next time finds what is left.
    let ends = world.clean_up(&soa("stays: {}")).await;
    assert!(ends.values().all(|end| *end == End::Deleted) && ends.len() == 4, "{ends:?}");
    assert_eq!(world.left(), ["stays"]);
    assert_eq!(world.locks.taken(), 9);
}

struct Shut;

impl Fence for Shut {
    fn check(&self) -> Result<(), Fenced> {
        Err(Fenced("the session is over".to_owned()))
    }
}

struct NoLocks;

#[async_trait::async_trait]
impl Locks for NoLocks {
    async fn acquire(&self, name: &str, _wait: Duration) -> Result<LockGuard, LockError> {
        Err(LockError::Unavailable { name: name.to_owned(), reason: "nobody answers".to_owned() })
    }
}

#[tokio::test]
async fn who_may_not_act_deletes_nothing() {
    let mut fenced = World::new();
    fenced.pass.leave.fence = Arc::new(Shut);
    let mut lockless = World::new();
    lockless.pass.locks = Arc::new(NoLocks);
    for (world, words) in [(fenced, "the session is over"), (lockless, "nobody answers")] {
        let ends = world.clean_up(&soa("stays: {}")).await;
        assert_eq!(ends.len(), 5);
        for end in ends.values() {
            assert!(matches!(end, End::Failed(reason) if reason.contains(words)), "{end:?}");
        }
        assert_eq!((world.left().len(), world.engine.world().calls().writes), (6, 0));
    }
}

#[tokio::test]
async fn what_is_configured_again_meanwhile_is_kept() {
    let world = World::new();
    let ends = world.clean_up(&soa("stays: {}\nb: {}\n")).await;
    assert_eq!(ends.get("b"), Some(&End::Kept), "{ends:?}");
    assert_eq!(world.left(), ["b", "stays"]);
    for (now, what) in
        [(soa("stays: {\n"), "cannot be read"), (Soa::new(Arc::new(Memory::new())), "is empty")]
    {
        let world = World::new();
        let ends = world.clean_up(&now).await;
        assert!(ends.values().all(|end| *end == End::Kept), "the file {what}: {ends:?}");
        assert_eq!(world.left().len(), 6);
    }
}

#[tokio::test]
async fn a_refused_judgement_deletes_nothing() {
    let world = World::new();
    let fleet = world.engine.observe_all().await;
    let configured = Configured::read(&soa("stays: {}"), &world.cluster).unwrap();
    let judgement = judge(&fleet.homes, &configured, Guard { kill_threshold: 0.5, force: false });
    assert!(judgement.refusal.is_some());
    run(&world.pass, &soa("stays: {}"), &world.cluster, &judgement, |line| panic!("{line}")).await;
    assert_eq!((world.left().len(), world.locks.taken()), (6, 0));
}
