//! A host is taken away while instances run on it: its tasks are replaced before they go. Over the embedded engine, which
//! plays three agents, with the programs as operators call them.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use assert_cmd::Command;
use paasta_core::{Reading, SystemClock};
use paasta_engine::state::attributes_of;
use paasta_engine::{Agents, Config, EmptyArtifacts, EngineServer, IdleExecutor};
use paasta_mesos::{Master, Masters, MesosAgent, MesosMaster, Patience, State, by_attribute};
use paasta_monitoring::Resource;
use paasta_zookeeper::ZkReader;
use serde_json::json;
use tempfile::TempDir;

/// The longest that anything may take.
const PATIENCE: Duration = Duration::from_secs(120);
const SHA: &str = "0123456789abcdef0123456789abcdef01234567";
/// The host that goes.
const GOING: &str = "127.0.0.2";

struct World {
    directory: TempDir,
    engine: EngineServer,
    master: MesosMaster,
}

struct Run {
    code: Option<i32>,
    out: String,
    talk: String,
}

impl World {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = Config::new(directory.path().join("engine"), Arc::new(EmptyArtifacts));
        config.executor = Some(Arc::new(IdleExecutor::default()));
        let attributes = attributes_of("region:west,east,east").unwrap();
        config.agents = Some(Agents { attributes, ..Agents::on_loopback(3).unwrap() });
        let engine = EngineServer::start(config).await.unwrap();
        let mesos_cli = directory.path().join("mesos-cli.json");
        let master = Master::new(mesos_cli.clone(), Arc::new(ZkReader::default()), Arc::new(SystemClock));
        let master = MesosMaster::new(master).with_patience(Patience::reading(Duration::from_secs(60)));
        let directory_of_logs = directory.path().join("log/{service}");
        let world = Self { directory, engine, master };
        world.file(
            "mesos-cli.json",
            &json!({ "default": { "master": world.engine.address().to_string() } }).to_string(),
        );
        let url = format!("http://{}", world.engine.address());
        let system = json!({
            "cluster": "prod", "clusters": ["prod"], "docker_registry": "r.example.com", "volumes": [],
            "marathon_servers": [{ "url": [url], "user": "", "password": "" }],
            "mesos_config": { "path": mesos_cli }, "host_maintenance": "mesos",
            "expected_slave_attributes": [{ "region": "west" }, { "region": "east" }],
            "log_writer": { "driver": "file", "options": { "path_format": directory_of_logs } }, "service_discovery_providers": {}, "sensu_host": null,
            "coordination": { "driver": "file", "directory": world.directory.path().join("locks") },
        });
        world.file("etc/c.json", &system.to_string());
        world.file(
            "soa/web/marathon-prod.yaml",
            "main: {cmd: serve, instances: 4, drain_method: noop, deploy_group: g}\n",
        );
        let one = json!({ "docker_image": format!("services-web:paasta-{SHA}"), "git_sha": SHA });
        let control = json!({ "desired_state": "start", "force_bounce": null });
        let deployments =
            json!({ "v2": { "deployments": { "g": one }, "controls": { "web:prod.main": control } } });
        world.file("soa/web/deployments.json", &deployments.to_string());
        world
    }

    fn file(&self, name: &str, text: &str) {
        let path = self.directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    async fn run(&self, program: &str, arguments: &[&str]) -> Run {
        let mut command = Command::cargo_bin(program).unwrap();
        command.env("PAASTA_SYSTEM_CONFIG_DIR", self.directory.path().join("etc")).args(arguments);
        command.timeout(PATIENCE);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Run { code: output.status.code(), out: text(output.stdout), talk: text(output.stderr) }
    }

    async fn maintain(&self, arguments: &[&str], code: i32, out: &str) {
        let run = self.run("paasta_maintenance", arguments).await;
        assert_eq!((run.code, run.out.as_str()), (Some(code), out), "{arguments:?}: {}", run.talk);
    }

    /// One pass over the instance.
    async fn pass(&self) {
        let soa = self.directory.path().join("soa").display().to_string();
        let run = self.run("setup_marathon_job", &["-d", &soa, "web.main"]).await;
        assert_eq!(run.code, Some(0), "{}", run.talk);
    }

    async fn running(&self) -> BTreeMap<String, usize> {
        running(&self.master.state().await.unwrap())
    }

    /// Passes, as cron or deployd makes them, until what runs is as wanted; never with fewer running than are wanted.
    async fn passes_until(&self, least: usize, wanted: impl Fn(&BTreeMap<String, usize>) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let running = self.running().await;
            assert!(running.values().sum::<usize>() >= least, "capacity was lost: {running:?}");
            if wanted(&running) {
                return;
            }
            assert!(Instant::now() < deadline, "it never came to be: {running:?}");
            self.pass().await;
        }
    }
}

/// How many tasks run on each host.
fn running(state: &State) -> BTreeMap<String, usize> {
    let count = |host: &str| match state.running_on(host) {
        Reading::Known(count) => count,
        Reading::Unknown(reason) => panic!("{reason}"),
    };
    state.agents.iter().map(|agent| (agent.hostname.clone(), count(&agent.hostname))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_on_a_host_that_leaves_are_replaced_before_it_goes() {
    let world = World::start().await;
    world.passes_until(0, |running| running.values().sum::<usize>() == 4).await;
    let before = world.running().await;
    assert!(before[GOING] > 0 && before.len() == 3, "{before:?}");
    world.maintain(&["is_host_draining", GOING], 1, "False\n").await;

    world.maintain(&["drain", GOING], 0, "Done\n").await;
    world.maintain(&["is_host_draining", GOING], 0, "True\n").await;
    world.maintain(&["is_host_drained", GOING], 1, "False\n").await;
    let draining = world.master.agents().await.unwrap();
    let agent = draining.agents.iter().find(|agent| agent.hostname == GOING).unwrap();
    assert!(agent.maintenance().mem > 0.0, "what is free there is reserved: {agent:?}");
    // deployd and cron make the same pass. The app is larger for a while, and never smaller than it should be.
    world.passes_until(4, |running| running[GOING] == 0).await;
    world.maintain(&["is_host_drained", GOING], 0, "True\n").await;
    world.maintain(&["is_safe_to_kill", GOING], 0, "True\n").await;

    world.maintain(&["down", GOING], 0, "Done\n").await;
    world.maintain(&["is_host_down", GOING], 0, "True\n").await;
    let after = world.running().await;
    assert_eq!((after.len(), after.values().sum::<usize>()), (2, 4), "{after:?}");
    world.pass().await;
    assert_eq!(world.running().await, after, "nothing is left to do");
    let run = world.run("paasta_maintenance", &["status"]).await;
    assert_eq!(run.out.split_whitespace().collect::<Vec<_>>(), [GOING, GOING, "Down"], "{}", run.talk);

    world.maintain(&["up", GOING], 0, "Done\n").await;
    world.maintain(&["undrain", GOING], 0, "Done\n").await;
    let agents = world.master.agents().await.unwrap().agents;
    let agent = agents.iter().find(|agent| agent.hostname == GOING).unwrap();
    assert_eq!(agent.maintenance().mem, 0.0, "what was reserved is given back");
    world.maintain(&["is_host_down", GOING], 1, "False\n").await;
    world.engine.shutdown().await;
}

/// What checks, status pages and the API ask of a cluster, asked of the engine as of any master.
#[tokio::test(flavor = "multi_thread")]
async fn the_engine_answers_as_a_master_does() {
    let world = World::start().await;
    world.passes_until(0, |running| running.values().sum::<usize>() == 4).await;
    let state = world.master.state().await.unwrap();
    let regions = by_attribute(&state.agents, "region");
    assert_eq!(
        regions.iter().map(|(name, agents)| (*name, agents.len())).collect::<Vec<_>>(),
        [("east", 2), ("west", 1)]
    );
    let on = |region: &str| {
        regions[region]
            .iter()
            .filter_map(|agent| state.running_on(&agent.hostname).known().copied())
            .sum::<usize>()
    };
    assert_eq!((on("east"), on("west")), (2, 2), "constraints of the app spread it over the regions");
    assert_eq!(state.framework_names(), ["marathon"]);
    let names: Vec<_> =
        state.running_of_marathons().iter().filter_map(paasta_monitoring::RunningTask::instance).collect();
    assert_eq!(names, vec!["web.main"; 4]);
    let metrics = world.master.metrics().await.unwrap();
    assert_eq!(metrics.task_counts().known().map(|counts| counts.running), Some(4));
    assert_eq!(metrics.agents(), Reading::Known((3, 0)));
    assert!(metrics.used(Resource::Mem, 0.0).known().unwrap().total > 0.0);
    assert_eq!(world.master.masters().await.unwrap(), Masters { registered: 1, quorum: 1 });
    assert_eq!(world.master.frameworks().await.unwrap().tasks().count(), 4);
    assert_eq!(world.master.summary().await.unwrap().agents.len(), 3);
    let agent = MesosAgent::of(&state.agents[1], "http", Patience::reading(PATIENCE)).await.unwrap();
    let here = agent.state().await.unwrap().running_of_marathons();
    assert_eq!(here.len(), running(&state)[GOING]);
    assert!(here.iter().all(|copy| copy.service == "web" && copy.port.is_some()), "{here:?}");
    world.engine.shutdown().await;
}

/// A row of docs/differences.md: the original exits 1 when all of it is done.
#[tokio::test(flavor = "multi_thread")]
async fn mended_forgotten_maintenance_ends_and_that_is_no_failure() {
    let world = World::start().await;
    let clean = async |arguments: &[&str]| {
        let run = world.run("paasta_cleanup_maintenance", arguments).await;
        assert_eq!(run.code, Some(0), "{}", run.talk);
        run
    };
    let reserved = async |host: &str| {
        let agents = world.master.agents().await.unwrap().agents;
        agents.iter().find(|agent| agent.hostname == host).unwrap().maintenance().mem
    };
    let run = clean(&[]).await;
    assert_eq!((run.out.as_str(), run.talk.as_str()), ("", ""));
    world.maintain(&["drain", GOING, "-s", "2021-04-01T12:00:00Z", "-d", "1h"], 0, "Done\n").await;
    world.maintain(&["drain", "127.0.0.3"], 0, "Done\n").await;
    let run = clean(&["--dry-run"]).await;
    assert!(run.out.contains("UPDATE_MAINTENANCE_SCHEDULE"), "{}", run.out);
    world.maintain(&["is_host_draining", GOING], 0, "True\n").await;
    let run = clean(&[]).await;
    assert!(run.talk.contains("127.0.0.2 was to be away ten minutes ago and stays"), "{}", run.talk);
    world.maintain(&["is_host_draining", GOING], 1, "False\n").await;
    world.maintain(&["is_host_draining", "127.0.0.3"], 0, "True\n").await;
    assert!(reserved(GOING).await == 0.0 && reserved("127.0.0.3").await > 0.0);

    world.maintain(&["drain", GOING, "-s", "2021-04-01T12:00:00Z", "-d", "1h"], 0, "Done\n").await;
    world.maintain(&["down", GOING], 0, "Done\n").await;
    let run = clean(&["--disable-reservation-cleanup"]).await;
    assert!(run.talk.contains("127.0.0.2 was to be back ten minutes ago"), "{}", run.talk);
    world.maintain(&["is_host_down", GOING], 1, "False\n").await;
    assert!(reserved(GOING).await > 0.0, "reservations were left as they are");
    clean(&[]).await;
    assert_eq!(reserved(GOING).await, 0.0);
    let audit = world.directory.path().join("log/stream_paasta-audit-log");
    let audit = std::fs::read_to_string(audit).unwrap();
    let ended = |action: &str| {
        let of = |line: &&str| line.contains(&format!("\"{action}\"")) && line.contains("\"127.0.0.2\"");
        audit.lines().filter(of).count()
    };
    assert_eq!((ended("maintenance-undrain"), ended("maintenance-up")), (1, 1), "{audit}");
    world.file("mesos-cli.json", r#"{"default": {"master": "127.0.0.1:1"}}"#);
    let run = world.run("paasta_cleanup_maintenance", &[]).await;
    assert_eq!(run.code, Some(1), "{}", run.talk);
    assert!(run.talk.contains("could not reach the Mesos master"), "{}", run.talk);
    world.engine.shutdown().await;
}
