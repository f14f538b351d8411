//! What is asked of a Mesos master and how its answers are taken, against a server that plays back answers.

#![expect(clippy::unwrap_used, reason = "a test stops where something is missing")]

mod stub;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use paasta_config::SystemConfig;
use paasta_core::{LeavingHosts, ZkNodes};
use paasta_mesos::{Leader, Master, MesosMaintenance, leader, leaving_hosts};
use stub::{Hand, IMPATIENCE, Manner, NoZooKeeper, Nodes, PATIENCE, Stub, answer};

const TWO_DRAINED: &str = r#"{"type": "GET_MAINTENANCE_STATUS", "get_maintenance_status": {"status": {"draining_machines": [
    {"id": {"hostname": "h1.example.com", "ip": "10.0.0.1"}, "statuses": []}, {"hostname": "h2.example.com"}],
    "down_machines": [{"hostname": "h3.example.com"}]}}}"#;
const NONE_DRAINED: &str = r#"{"type": "GET_MAINTENANCE_STATUS", "get_maintenance_status": {"status": {}}}"#;

struct World {
    directory: tempfile::TempDir,
    clock: Arc<Hand>,
    maintenance: MesosMaintenance,
}

impl World {
    /// Who asks the master that `mesos-cli.json` names; there is no secret.
    fn of(master: &str) -> Self {
        Self::through(master, Arc::new(NoZooKeeper))
    }

    fn through(master: &str, zookeeper: Arc<dyn ZkNodes>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (clock, root) = (Arc::new(Hand::default()), directory.path().to_owned());
        let finder = Master::new(root.join("mesos-cli.json"), zookeeper, clock.clone());
        let maintenance = MesosMaintenance::new(finder, clock.clone())
            .with_secret_file(root.join("secret"))
            .with_patience(PATIENCE);
        let world = Self { directory, clock, maintenance };
        world.names(master);
        world
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    fn names(&self, master: &str) {
        self.file("mesos-cli.json", &serde_json::json!({ "default": { "master": master } }).to_string());
    }

    async fn hosts(&self) -> BTreeSet<String> {
        let reading = self.maintenance.leaving_hosts().await;
        reading.known().unwrap_or_else(|| panic!("{reading:?}")).clone()
    }

    async fn reason(&self) -> String {
        let reading = self.maintenance.leaving_hosts().await;
        reading.unknown().unwrap_or_else(|| panic!("{reading:?}")).to_owned()
    }
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn the_master_is_asked_with_the_credentials_of_the_file() {
    let stub = Stub::saying("200 OK", "", TWO_DRAINED).await;
    let world = World::of(&stub.address);
    assert_eq!(world.hosts().await, set(&["h1.example.com", "h2.example.com"]));
    world.file("secret", r#"{"principal": "paasta", "secret": "s3cret"}"#);
    world.clock.forward(11);
    stub.becomes("200 OK", "", NONE_DRAINED);
    assert_eq!(world.hosts().await, set(&[]));
    let asked = stub.asked();
    assert_eq!(asked.len(), 2);
    for request in &asked {
        assert!(request.starts_with("POST /api/v1 HTTP/1.1\r\n"), "{request}");
        assert!(request.contains("content-type: application/json\r\n"), "{request}");
        assert!(request.ends_with(r#"{"type":"GET_MAINTENANCE_STATUS"}"#), "{request}");
    }
    assert!(!asked[0].contains("authorization"), "{}", asked[0]);
    assert!(asked[1].contains("authorization: Basic cGFhc3RhOnMzY3JldA=="), "{}", asked[1]);
}

#[tokio::test]
async fn an_answer_serves_ten_seconds_and_everybody_who_asks_meanwhile() {
    let stub = Stub::saying("200 OK", "", TWO_DRAINED).await;
    let world = World::of(&stub.address);
    let ask = || world.hosts();
    tokio::join!(ask(), ask(), ask());
    world.clock.forward(9);
    world.hosts().await;
    assert_eq!(stub.asked().len(), 1);
    world.clock.forward(1);
    world.hosts().await;
    assert_eq!(stub.asked().len(), 2);
}

/// Design decision 4: the original takes a timeout for a cluster without maintenance.
#[tokio::test]
async fn what_the_master_does_not_say_is_unknown_with_the_reason() {
    let html = answer("200 OK", "content-type: text/html\r\n", "<html>Mesos</html>");
    let secret = answer("401 Unauthorized", "", "");
    let error = answer("500 Internal Server Error", "", &"x".repeat(5000));
    let cut = answer("200 OK", "", TWO_DRAINED).replace("content-length: ", "content-length: 9");
    for (manner, words) in [
        (Manner::Silent, "no answer in time"),
        (Manner::Trickles, "no answer in time"),
        (Manner::Endless, "longer than 16777216 bytes"),
        (Manner::Says(html), "could not read the answer"),
        (Manner::Says(secret), "mesos-slave-secret"),
        (Manner::Says(error), "refused with status 500: xxx"),
        (Manner::Says(cut), "could not read the answer"),
        (Manner::Says("garbage\r\n\r\n".to_owned()), "could not reach"),
        (Manner::Says(String::new()), "could not reach"),
        (Manner::Says(answer("200 OK", "", "{}")), "missing field"),
        (Manner::Says(answer("307 Temporary Redirect", "", "")), "refused with status 307"),
    ] {
        let never = matches!(manner, Manner::Silent | Manner::Trickles);
        let stub = Stub::start(manner).await;
        let mut world = World::of(&stub.address);
        if never {
            world.maintenance = world.maintenance.with_patience(IMPATIENCE);
        }
        let reason = world.reason().await;
        assert!(reason.contains(words), "{reason}");
        assert!(reason.contains(&format!("http://{}/api/v1", stub.address)), "{reason}");
        assert!(
            reason.ends_with("(where no host is ever drained, set `host_maintenance` to `none`)"),
            "{reason}"
        );
        assert!(reason.len() < 600, "{reason}");
    }
}

#[tokio::test]
async fn a_failure_serves_two_seconds_and_is_forgotten() {
    let stub = Stub::saying("503 Service Unavailable", "", "no leader").await;
    let world = World::of(&stub.address);
    assert!(world.reason().await.contains("503: no leader"));
    assert!(world.reason().await.contains("503: no leader"));
    assert_eq!(stub.asked().len(), 1);
    stub.becomes("200 OK", "", TWO_DRAINED);
    world.clock.forward(2);
    assert_eq!(world.hosts().await.len(), 2);
}

#[tokio::test]
async fn a_master_that_does_not_lead_names_the_one_that_does() {
    let leading = Stub::saying("200 OK", "", TWO_DRAINED).await;
    let there = format!("location: //{}/api/v1\r\n", leading.address);
    let standby = Stub::saying("307 Temporary Redirect", &there, "").await;
    let world = World::of(&standby.address);
    world.file("secret", r#"{"principal": "p", "secret": "s"}"#);
    assert_eq!(world.hosts().await.len(), 2);
    let asked = leading.asked();
    assert!(asked[0].starts_with("POST ") && asked[0].contains("authorization: Basic "), "{asked:?}");
    assert!(asked[0].ends_with(r#"{"type":"GET_MAINTENANCE_STATUS"}"#), "{asked:?}");

    let circle = Stub::saying("307 Temporary Redirect", "location: /api/v1\r\n", "").await;
    let reason = World::of(&circle.address).reason().await;
    assert!(reason.contains("electing a leader"), "{reason}");
}

#[tokio::test]
async fn a_master_is_looked_for_again_after_five_seconds_or_a_failure() {
    let (first, second) =
        (Stub::saying("200 OK", "", TWO_DRAINED).await, Stub::saying("200 OK", "", NONE_DRAINED).await);
    let world = World::of(&first.address);
    let pointer = world.file("master", &format!("{}\n", first.address));
    world.names(&format!("file://{pointer}"));
    assert_eq!(world.hosts().await.len(), 2);
    world.file("master", &second.address);
    world.clock.forward(10);
    assert_eq!(world.hosts().await.len(), 0);
    world.file("master", &format!("file://{pointer}"));
    world.clock.forward(10);
    let reason = world.reason().await;
    assert!(reason.contains(&pointer) && reason.contains("expected `host:port` or `zk://…`"), "{reason}");
    world.file("master", &first.address);
    world.clock.forward(2);
    assert_eq!(world.hosts().await.len(), 2);
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_named() {
    let stub = Stub::saying("200 OK", "", TWO_DRAINED).await;
    let world = World::of(&stub.address);
    let path = world.file("mesos-cli.json", "{\"default\": {\"master\": 5050}}");
    let reason = world.reason().await;
    assert!(reason.contains(&path), "{reason}");
    world.names(&stub.address);
    let path = world.file("secret", "{\"principal\": \"p\"}");
    world.clock.forward(2);
    let reason = world.reason().await;
    assert!(reason.contains(&path) && reason.contains("`principal` and `secret`"), "{reason}");
    assert_eq!(stub.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn the_leader_is_found_through_zookeeper() {
    let stub = Stub::saying("200 OK", "", TWO_DRAINED).await;
    let port = stub.address.rsplit_once(':').unwrap().1;
    let of = |port: &str| format!(r#"{{"address": {{"hostname": "m", "ip": "127.0.0.1", "port": {port}}}}}"#);
    let nodes = vec![
        ("json.info_0000000012", of("1")),
        ("json.info_0000000007", of(port)),
        ("log_replicas", String::new()),
    ];
    let master = "zk://user:pass@zk1:2181,zk2:2181/mesos";
    assert_eq!(World::through(master, Arc::new(Nodes(nodes))).hosts().await.len(), 2);
    let reason = World::through(master, Arc::new(Nodes(vec![]))).reason().await;
    assert!(reason.contains("zk://zk1:2181,zk2:2181/mesos") && reason.contains("no master"), "{reason}");
    let reason = World::of(master).reason().await;
    assert!(reason.contains("nobody answers") && !reason.contains("pass@"), "{reason}");
}

#[tokio::test]
async fn the_system_configuration_says_where_to_ask() {
    let stub = Stub::saying("200 OK", "", TWO_DRAINED).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cli.json");
    std::fs::write(&path, format!(r#"{{"default": {{"master": "{}"}}}}"#, stub.address)).unwrap();
    let ask = async |text: &str| {
        leaving_hosts(&SystemConfig::from_json(text).unwrap(), Arc::new(NoZooKeeper)).leaving_hosts().await
    };
    let of = |path: &Path| format!(r#"{{"mesos_config": {{"path": "{}"}}}}"#, path.display());
    assert_eq!(ask(&of(&path)).await.known().map(BTreeSet::len), Some(2));
    assert_eq!(ask(r#"{"host_maintenance": "none"}"#).await.known().map(BTreeSet::len), Some(0));
    for (text, words) in [
        (r#"{"host_maintenance": "nobody"}"#, "`mesos` or `none`"),
        (r#"{"mesos_config": {"path": 1}}"#, "mesos_config.path"),
    ] {
        let reading = ask(text).await;
        assert!(reading.unknown().unwrap().contains(words), "{reading:?}");
    }
}

#[tokio::test]
async fn who_leads_is_where_the_redirect_ends() {
    let here = "this.example.com";
    let ask = async |stub: &Stub| leader(&stub.address, "c", here, PATIENCE).await;
    let leading = Stub::saying("401 Unauthorized", "", "who are you?").await;
    let there = format!("location: //{}\r\n", leading.address);
    let stub = Stub::saying("307 Temporary Redirect", &there, "").await;
    let found = ask(&stub).await.unwrap();
    assert_eq!(found, Leader { host: "127.0.0.1".to_owned(), is_here: true }, "asked over loopback");
    assert!(stub.asked()[0].starts_with("GET /redirect HTTP/1.1\r\n"));
    for (status, headers, words) in [
        ("503 Service Unavailable", "", "names no leader (status 503)"),
        ("200 OK", "", "names no leader (status 200)"),
        ("307 Temporary Redirect", "location: /redirect\r\n", "electing a leader"),
        (
            "307 Temporary Redirect",
            "location: //127.0.0.1:1\r\n",
            "could not reach the Mesos master at http://127.0.0.1:1",
        ),
    ] {
        let stub = Stub::saying(status, headers, "").await;
        let error = ask(&stub).await.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    let silent = Stub::start(Manner::Silent).await;
    let error = leader(&silent.address, "c", here, IMPATIENCE).await.unwrap_err();
    assert!(error.to_string().contains("no answer in time"));
}
