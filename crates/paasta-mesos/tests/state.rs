//! What a Mesos master is asked of its cluster, against a server that plays back answers or misbehaves.

#![expect(clippy::unwrap_used, reason = "a test stops where something is missing")]

mod stub;

use std::sync::Arc;
use std::time::{Duration, Instant};

use paasta_core::{Reading, ZkNodes};
use paasta_mesos::{Master, Masters, MesosError, MesosMaster, by_attribute};
use paasta_monitoring::utilisation::{cell, groups};
use paasta_monitoring::{OrphanedContainers, Resource, Running, Used};
use stub::{Hand, IMPATIENCE, Manner, NoZooKeeper, Nodes, PATIENCE, Stub, answer};

const STATE: &str = include_str!("recorded/state.json");

fn says(body: &str) -> Manner {
    Manner::Says(answer("200 OK", "", body))
}

struct World {
    _directory: tempfile::TempDir,
    master: MesosMaster,
}

impl World {
    fn of(profile: serde_json::Value, zookeeper: Arc<dyn ZkNodes>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("mesos-cli.json");
        std::fs::write(&file, serde_json::json!({ "default": profile }).to_string()).unwrap();
        let master = MesosMaster::new(Master::new(file, zookeeper, Arc::new(Hand::default())));
        Self { _directory: directory, master }
    }

    fn at(address: &str) -> Self {
        let world = Self::of(serde_json::json!({ "master": address }), Arc::new(NoZooKeeper));
        Self { master: world.master.with_patience(PATIENCE), ..world }
    }
}

/// The example of monitoring.md §3.3, from a whole answer of a master.
#[tokio::test]
async fn the_state_is_read_and_fits_the_checks() {
    let stub = Stub::with_paths(&[("/master/state.json", says(STATE))]).await;
    let state = World::at(&stub.address).master.state().await.unwrap();
    assert_eq!(state.leader(), Some("m1.example.com"));
    assert_eq!(state.framework_names(), ["marathon"]);
    let utilisation = state.utilisation();
    let (agents, tasks) = utilisation.known().unwrap();
    let names = ["pool".to_owned(), "region".to_owned()];
    let rows: Vec<String> = groups(agents, tasks, &names)
        .iter()
        .map(|group| {
            let cells = [Resource::Cpus, Resource::Mem, Resource::Disk];
            let cells = cells.map(|resource| cell(resource, group.of(resource))).join("  ");
            format!("{} {cells} {}", group.groupings[1].1, group.agents)
        })
        .collect();
    assert_eq!(
        rows,
        [
            "west 15.50/20 (77.50%)  6.5G/20.0G (32.50%)  1.0G/200.0G (0.50%) 2",
            "east 0.00/10 (0.00%)  0B/10.0G (0.00%)  0B/100.0G (0.00%) 1"
        ]
    );
    let tasks = state.running_of_marathons();
    assert_eq!(tasks[0].container.as_deref(), Some("mesos-6a2b-S0.c0ffee00-1"));
    assert_eq!(tasks[0].instance().as_deref(), Some("web.main"));
    assert_eq!(tasks[0].since.unwrap().to_string(), "2021-04-01T00:03:20.250Z");
    let running = Running { tasks: state.running_ids(), containers: vec![] };
    assert!(OrphanedContainers::orphans(&running).is_empty() && running.tasks.len() == 2);
    let regions = by_attribute(&state.agents, "region");
    assert_eq!((regions["west"].len(), regions["east"][0].address()), (2, Some("10.40.31.3:5051")));
    let asked = stub.asked();
    assert!(asked[0].starts_with("GET /master/state.json HTTP/1.1\r\n"), "{asked:?}");
    assert!(asked[0].contains("user-agent: paasta-mesos "), "{asked:?}");
}

#[tokio::test]
async fn a_master_that_knows_only_the_newer_path_is_asked_there() {
    let missing = Manner::Says(answer("404 Not Found", "", ""));
    let stub = Stub::with_paths(&[("/master/state.json", missing), ("/master/state", says(STATE))]).await;
    let world = World::at(&stub.address);
    assert_eq!(world.master.state().await.unwrap().agents.len(), 3);
    let asked: Vec<String> =
        stub.asked().iter().map(|one| one.lines().next().unwrap_or_default().to_owned()).collect();
    assert_eq!(asked, ["GET /master/state.json HTTP/1.1", "GET /master/state HTTP/1.1"]);
}

#[tokio::test]
async fn each_question_has_its_path() {
    let frameworks = r#"{"frameworks": [{"name": "a", "tasks": [{"id": "t", "state": "TASK_RUNNING"}]}]}"#;
    let agents =
        r#"{"slaves": [{"id": "S", "hostname": "h", "resources": {"cpus": 2}}], "recovered_slaves": []}"#;
    let stub = Stub::with_paths(&[
        ("/master/frameworks", says(frameworks)),
        ("/master/slaves", says(agents)),
        ("/master/state-summary", says(agents)),
        (
            "/metrics/snapshot",
            says(r#"{"master/cpus_total": 4.0, "master/cpus_used": 1.0, "master/elected": 1.0}"#),
        ),
    ])
    .await;
    let world = World::at(&stub.address);
    let master = &world.master;
    assert_eq!(master.frameworks().await.unwrap().tasks().count(), 1);
    assert_eq!(master.agents().await.unwrap().known().map(<[_]>::len), Reading::Known(1));
    assert_eq!(master.summary().await.unwrap().agents[0].hostname, "h");
    let metrics = master.metrics().await.unwrap();
    assert_eq!(metrics.used(Resource::Cpus, 0.5), Reading::Known(Used { total: 4.0, used: 1.5 }));
}

/// A master that does not lead answers with figures, all of them 0.
#[tokio::test]
async fn figures_are_those_of_the_master_that_leads() {
    let leading = r#"{"master/elected": 1.0, "master/slaves_active": 3.0, "master/slaves_inactive": 0.0}"#;
    let standing_by =
        r#"{"master/elected": 0.0, "master/slaves_active": 0.0, "master/slaves_inactive": 0.0}"#;
    let leader = Stub::with_paths(&[("/metrics/snapshot", says(leading))]).await;
    let redirect =
        |to: &str| Manner::Says(answer("307 Temporary Redirect", &format!("location: //{to}\r\n"), ""));
    let other = Stub::with_paths(&[
        ("/metrics/snapshot", says(standing_by)),
        ("/master/redirect", redirect(&leader.address)),
    ])
    .await;
    let metrics = World::at(&other.address).master.metrics().await.unwrap();
    assert_eq!(metrics.agents(), Reading::Known((3, 0)));
    let third = Stub::with_paths(&[
        ("/metrics/snapshot", says(standing_by)),
        ("/master/redirect", Manner::Says(answer("503 Service Unavailable", "", ""))),
    ])
    .await;
    let error = World::at(&third.address).master.metrics().await.unwrap_err().to_string();
    assert!(error.contains("names no leader"), "{error}");
    let fourth = Stub::with_paths(&[("/metrics/snapshot", says(standing_by))]).await;
    let fifth = Stub::with_paths(&[
        ("/metrics/snapshot", says(standing_by)),
        ("/master/redirect", redirect(&fourth.address)),
    ])
    .await;
    let error = World::at(&fifth.address).master.metrics().await.unwrap_err();
    assert!(
        matches!(error, MesosError::NoLeader { .. }) && error.to_string().contains(&fourth.address),
        "{error}"
    );
}

#[tokio::test]
async fn masters_are_counted_where_they_are_registered() {
    let flags = r#"{"flags": {"quorum": "2", "zk": "zk://u:p@zk1:2181,zk2:2181/mesos"}}"#;
    let stub = Stub::with_paths(&[("/master/flags", says(flags))]).await;
    let names = ["json.info_0000000001", "json.info_0000000002", "log_replicas", "info_0000000003"];
    let nodes = Nodes(names.map(|name| (name, String::new())).to_vec());
    let profile = serde_json::json!({ "master": stub.address });
    let World { master, _directory } = World::of(profile.clone(), Arc::new(nodes));
    let master = master.with_patience(PATIENCE);
    assert_eq!(master.masters().await.unwrap(), Masters { registered: 3, quorum: 2 });
    let world = World::of(profile, Arc::new(NoZooKeeper));
    let error = world.master.with_patience(PATIENCE).masters().await.unwrap_err().to_string();
    assert!(error.contains("zk://zk1:2181,zk2:2181/mesos") && error.contains("nobody answers"), "{error}");
    let alone = Stub::with_paths(&[("/master/flags", says(r#"{"flags": {"port": "5050"}}"#))]).await;
    let masters = World::at(&alone.address).master.masters().await.unwrap();
    assert_eq!(masters, Masters { registered: 1, quorum: 1 });
    let odd = Stub::with_paths(&[("/master/flags", says(r#"{"flags": {"quorum": "x"}}"#))]).await;
    let error = World::at(&odd.address).master.masters().await.unwrap_err().to_string();
    assert!(error.contains("`quorum` is `x`, expected a number"), "{error}");
}

#[tokio::test]
async fn a_cache_is_asked_for_what_it_keeps_and_named_where_it_fails() {
    let stub = Stub::with_paths(&[("/master/slaves", says(r#"{"slaves": []}"#))]).await;
    let profile = serde_json::json!({ "master": stub.address, "use_mesos_cache": true });
    let world = World::of(profile, Arc::new(NoZooKeeper));
    let master = world.master.with_patience(IMPATIENCE);
    assert!(master.agents().await.is_ok());
    for error in
        [master.state().await.map(drop).unwrap_err(), master.frameworks().await.map(drop).unwrap_err()]
    {
        let error = error.to_string();
        assert!(
            error.contains("http://127.0.0.1:5055/master/") && error.contains("`use_mesos_cache`"),
            "{error}"
        );
    }
}

/// What is not said is an error that names who was asked, within the time that was given, and never an empty cluster.
#[tokio::test]
async fn a_master_that_is_gone_or_silent_costs_a_bounded_wait() {
    let closed = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().to_string()
    };
    let (silent, trickles) = (Stub::start(Manner::Silent).await, Stub::start(Manner::Trickles).await);
    let electing = Stub::saying("503 Service Unavailable", "", "No leader elected").await;
    let half = Stub::saying("200 OK", "", "{}").await;
    let torn = answer("200 OK", "", STATE).replace("content-length: ", "content-length: 9");
    let torn = Stub::start(Manner::Says(torn)).await;
    for (address, words) in [
        (&closed, "could not reach the Mesos master at"),
        (&silent.address, "no answer in time"),
        (&trickles.address, "no answer in time"),
        (&electing.address, "refused with status 503: No leader elected"),
        (&half.address, "missing field"),
        (&torn.address, "could not read the answer of the Mesos master at"),
    ] {
        let world = World::at(address);
        let master = world.master.with_patience(IMPATIENCE);
        let begun = Instant::now();
        let errors = [
            master.state().await.map(drop),
            master.frameworks().await.map(drop),
            master.agents().await.map(drop),
            master.summary().await.map(drop),
            master.flags().await.map(drop),
        ];
        for error in errors {
            let error = error.unwrap_err().to_string();
            assert!(error.contains(words) && error.contains(&format!("http://{address}/master/")), "{error}");
            assert!(error.len() < 400, "{error}");
        }
        // Ten answers of half a second at most, and a machine that is busy.
        assert!(begun.elapsed() < Duration::from_secs(60));
    }
    let error = World::at(&electing.address).master.metrics().await.unwrap_err().to_string();
    assert!(error.contains("/metrics/snapshot") && error.contains("503"), "{error}");
}

/// How long an answer is waited for is what the master's file says.
#[tokio::test]
async fn the_file_of_the_master_says_how_long_to_wait() {
    let silent = Stub::start(Manner::Silent).await;
    let profile = serde_json::json!({ "master": silent.address, "response_timeout": 0.1 });
    let world = World::of(profile, Arc::new(NoZooKeeper));
    let error = world.master.state().await.unwrap_err().to_string();
    assert!(error.contains("no answer in time"), "{error}");
}
