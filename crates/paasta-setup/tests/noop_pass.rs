//! What a pass costs where there is nothing to do: 200 instances on two embedded engines that are driven as Marathons
//! are, drained through a hacheck, both over loopback HTTP. Tasks are no processes: an executor as a stranger would
//! write it lets them run at once.

#![expect(clippy::unwrap_used, reason = "a test stops where something is missing")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use paasta_config::{DeploymentRecord, DesiredState, Map, Node, Value, Wanted};
use paasta_core::{
    ClusterName, Engine, Health, LockError, LockGuard, Locks, LogStream, LogTail, NoLog, NoMaintenance,
    Reading, SystemClock, TaskId, TaskLog,
};
use paasta_drain::DrainTools;
use paasta_engine::state::{Exit, RunRef};
use paasta_engine::{
    Artifact, ArtifactError, Artifacts, Config, EngineServer, Executor, Launch, LaunchError, PortRange,
};
use paasta_hacheck::Hacheck;
use paasta_marathon::{MarathonEngine, MarathonRenderer, RequestCounts};
use paasta_setup::{Limits, Pass, PassReport};
use tokio::net::TcpListener;
use tokio::sync::Notify;

const INSTANCES: usize = 200;
const TASKS_PER_INSTANCE: usize = 2;
const SHARDS: usize = 2;
/// The longest that anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_pass_with_nothing_to_do_asks_once_per_shard_and_task_and_changes_nothing() {
    let world = World::start().await;
    world.converge().await;

    let (asked, spooled) = (world.engine.requests(), world.hacheck.counts());
    let reports = world.whole_pass().await;

    let steady = reports.iter().filter(|report| report.is_steady()).count();
    assert_eq!(steady, INSTANCES);
    assert!(reports.iter().all(|report| report.actions.is_empty() && report.problems.is_empty()));
    let asked = since(world.engine.requests(), asked);
    assert_eq!(asked.writes(), 0, "{asked:?}");
    let shards = SHARDS as u64;
    assert!((shards..=2 * shards).contains(&asked.get), "{asked:?}");
    let after = world.hacheck.counts();
    let questions = after.spool_reads + after.checks - spooled.spool_reads - spooled.checks;
    assert!(questions <= (INSTANCES * TASKS_PER_INSTANCE) as u64, "{questions} questions to hacheck");
    assert_eq!(after.spool_changes, spooled.spool_changes, "nobody is drained or told to be up");
    world.end().await;
}

fn since(now: RequestCounts, before: RequestCounts) -> RequestCounts {
    RequestCounts {
        get: now.get - before.get,
        post: now.post - before.post,
        put: now.put - before.put,
        delete: now.delete - before.delete,
    }
}

struct World {
    servers: Vec<EngineServer>,
    hacheck: Hacheck,
    engine: Arc<MarathonEngine>,
    pass: Pass,
    wanted: Vec<Wanted>,
    _directory: tempfile::TempDir,
}

impl World {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut servers = vec![];
        for shard in 0..SHARDS {
            let mut config = Config::new(directory.path().join(format!("shard-{shard}")), Arc::new(NoCode));
            config.host = "127.0.0.1".to_owned();
            // Nobody listens there: tasks are no processes.
            let first = 22_000 + 1_000 * u16::try_from(shard).unwrap();
            config.ports = PortRange::new(first, first + 999).unwrap();
            config.executor = Some(Arc::new(AtOnce::default()));
            servers.push(EngineServer::start(config).await.unwrap());
        }
        let hacheck = Hacheck::builder(directory.path().join("spool"))
            .allow_remote_spool_changes(true)
            .build()
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let hacheck_port = listener.local_addr().unwrap().port();
        tokio::spawn(hacheck.clone().serve(listener));

        let system = Arc::new(system(&servers));
        let wanted = (0..INSTANCES).map(|number| wanted(number, &system, hacheck_port)).collect();
        let engine = Arc::new(MarathonEngine::from_system(&system, Box::new(NoMaintenance)).unwrap());
        let pass = Pass {
            engine: engine.clone(),
            renderer: Arc::new(MarathonRenderer::from_system(&system).unwrap()),
            locks: Arc::new(NobodyElse),
            drains: Arc::new(DrainTools::new("noop-pass-test", "1").unwrap()),
            log: Arc::new(NoLog),
            clock: Arc::new(SystemClock),
            history: None,
            discovery: None,
            leave: Default::default(),
            limits: Limits::default(),
        };
        Self { servers, hacheck, engine, pass, wanted, _directory: directory }
    }

    /// One listing per shard, then a pass over every instance.
    async fn whole_pass(&self) -> Vec<PassReport> {
        let fleet = self.engine.observe_all().await;
        let passes = self.wanted.iter().map(|wanted| self.pass.run(wanted, Some(&fleet)));
        join_all(passes).await.into_iter().map(Result::unwrap).collect()
    }

    /// Passes until every instance has all its tasks, healthy.
    async fn converge(&self) {
        let converging = async {
            while !(self.whole_pass().await.iter().all(PassReport::is_steady) && self.all_alive().await) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, converging).await.expect("all instances come up");
    }

    async fn all_alive(&self) -> bool {
        let fleet = self.engine.observe_all().await;
        let apps = fleet.homes.values().filter_map(Reading::known).flatten();
        let alive = apps.flat_map(|app| &app.tasks).filter(|task| task.health == Health::Alive).count();
        alive == INSTANCES * TASKS_PER_INSTANCE
    }

    async fn end(self) {
        for server in self.servers {
            server.shutdown().await;
        }
    }
}

fn system(servers: &[EngineServer]) -> Map {
    let server =
        |server: &EngineServer| map([("url", list([Node::text(format!("http://{}", server.address()))]))]);
    let none = || list([]);
    let Value::Map(system) = map([
        ("docker_registry", Node::text("registry")),
        ("volumes", none()),
        ("marathon_servers", list(servers.iter().map(server))),
    ])
    .value
    else {
        unreachable!("a map was made")
    };
    system
}

fn wanted(number: usize, system: &Arc<Map>, hacheck_port: u16) -> Wanted {
    let int = |number: usize| Node::new(Value::Int(i64::try_from(number).unwrap()));
    let drain = map([("delay", int(1)), ("hacheck_port", int(hacheck_port.into()))]);
    let Value::Map(settings) = map([
        ("cmd", Node::text("serve")),
        ("instances", int(TASKS_PER_INSTANCE)),
        ("bounce_method", Node::text("crossover")),
        ("drain_method", Node::text("hacheck")),
        ("drain_method_params", drain),
        ("healthcheck_mode", Node::text("cmd")),
        ("healthcheck_cmd", Node::text("am-i-well")),
    ])
    .value
    else {
        unreachable!("a map was made")
    };
    Wanted {
        id: format!("service_{number}.main").parse().unwrap(),
        cluster: ClusterName::new("local").unwrap(),
        settings,
        deployment: DeploymentRecord {
            docker_image: format!("services-service_{number}:paasta-0123456789"),
            git_sha: "0123456789012345678901234567890123456789".to_owned(),
            desired_state: DesiredState::Start,
            force_bounce: None,
        },
        namespace: Map::new(),
        system: system.clone(),
        autoscaled_count: Reading::Known(None),
        secret_signatures: BTreeMap::new(),
    }
}

fn map<const N: usize>(entries: [(&str, Node); N]) -> Node {
    Node::new(Value::Map(entries.into_iter().map(|(key, node)| (Node::text(key), node)).collect()))
}

fn list(items: impl IntoIterator<Item = Node>) -> Node {
    Node::new(Value::List(items.into_iter().collect()))
}

/// There is no other program.
struct NobodyElse;

#[async_trait]
impl Locks for NobodyElse {
    async fn acquire(&self, _name: &str, _wait: Duration) -> Result<LockGuard, LockError> {
        Ok(LockGuard::new(()))
    }
}

/// Every image is an empty folder.
struct NoCode;

#[async_trait]
impl Artifacts for NoCode {
    async fn resolve(&self, _image: &str) -> Result<Artifact, ArtifactError> {
        Ok(Artifact::Shared("/".into()))
    }
}

/// Tasks run from the moment they are asked for, are well, and end when they are told to.
#[derive(Default)]
struct AtOnce {
    ends: Mutex<HashMap<RunRef, Arc<Notify>>>,
}

impl AtOnce {
    fn end(&self, run: &RunRef) -> Arc<Notify> {
        self.ends.lock().unwrap().entry(run.clone()).or_default().clone()
    }
}

#[async_trait]
impl Executor for AtOnce {
    async fn spawn(&self, launch: &Launch) -> Result<RunRef, LaunchError> {
        Ok(RunRef(launch.order.task.to_string()))
    }

    async fn gone(&self, _task: &TaskId, run: &RunRef) -> Exit {
        self.end(run).notified().await;
        Exit::Signal(15)
    }

    async fn kill(&self, _task: &TaskId, run: &RunRef, _grace: Duration) {
        self.end(run).notify_one();
    }

    async fn survey(&self, _known: &BTreeMap<TaskId, Option<RunRef>>) -> BTreeMap<TaskId, RunRef> {
        BTreeMap::new()
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
