//! `setup_marathon_job` and `deploy_marathon_services` from outside, against a Marathon that only listens.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Output;
use std::sync::{Arc, Mutex};

use assert_cmd::Command;
use paasta_core::Locks;
use paasta_zookeeper::{Options, ZkLocks, ZooKeeper};
use serde_json::{Value, json};
use tempfile::TempDir;

/// ZooKeeper as `paasta-zookeeper` is tested with it.
#[path = "../../paasta-zookeeper/tests/zookeeper/server.rs"]
#[allow(dead_code, clippy::disallowed_methods)]
mod server;

const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

struct World {
    directory: TempDir,
    requests: Arc<Mutex<Vec<String>>>,
}

impl World {
    /// One Marathon with no apps, `web.main` and `web.idle` (not deployed), and locks in files.
    fn new(system: Value) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (url, requests) = marathon();
        let mut all = json!({
            "cluster": "prod", "clusters": ["prod"], "docker_registry": "r.example.com", "volumes": [],
            "marathon_servers": [{ "url": [url], "user": "", "password": "" }],
            "log_writer": { "driver": "null" }, "host_maintenance": "none",
            "coordination": { "driver": "file", "directory": directory.path().join("locks") },
        });
        for (key, value) in system.as_object().unwrap() {
            all[key] = value.clone();
        }
        let world = Self { directory, requests };
        world.file("etc/c.json", &all.to_string());
        world.file("soa/web/marathon-prod.yaml", "main: {cmd: serve, instances: 2}\nidle: {}\n");
        let main = json!({ "docker_image": format!("services-web:paasta-{SHA}"), "git_sha": SHA });
        let control = json!({ "desired_state": "start", "force_bounce": null });
        let controls = json!({ "web:prod.main": control, "web:prod.bad": control });
        let deployments = json!({ "v2": { "deployments": { "prod.main": main }, "controls": controls } });
        world.file("soa/web/deployments.json", &deployments.to_string());
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn file(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Output {
        let mut command = Command::cargo_bin(program).unwrap();
        command.env("PAASTA_SYSTEM_CONFIG_DIR", self.path("etc")).arg("-d").arg(self.path("soa"));
        command.args(arguments).output().unwrap()
    }

    fn posts(&self) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        requests.iter().filter(|line| !line.starts_with("GET ")).cloned().collect()
    }
}

/// A Marathon without apps that takes everything; the first lines of requests.
fn marathon() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(Mutex::new(vec![]));
    let seen = requests.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let seen = seen.clone();
            std::thread::spawn(move || answer(stream.unwrap(), &seen));
        }
    });
    (url, requests)
}

fn answer(stream: TcpStream, seen: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut lines, mut length) = (vec![], 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        lines.push(line.trim().to_owned());
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let Some(first) = lines.into_iter().next() else { return };
    let (status, text) = match first.starts_with("GET ") {
        true if first.starts_with("GET /v2/deployments") => ("200 OK", "[]"),
        true => ("200 OK", r#"{"apps": [], "queue": []}"#),
        false => ("201 Created", "{}"),
    };
    seen.lock().unwrap().push(first);
    let head = "content-type: application/json\r\nconnection: close\r\n";
    let _ = write!(&stream, "HTTP/1.1 {status}\r\n{head}content-length: {}\r\n\r\n{text}", text.len());
}

fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn talk(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn without_names_a_real_run_is_wrong_usage() {
    let world = World::new(json!({}));
    let output = world.run("setup_marathon_job", &[]);
    assert_eq!(output.status.code(), Some(2), "{}", talk(&output));
    assert!(world.requests.lock().unwrap().is_empty());
}

#[test]
fn a_dry_run_prints_what_would_run_and_asks_nobody() {
    let world = World::new(json!({}));
    let output = world.run("setup_marathon_job", &["--dry-run", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
    let lines = lines(&output);
    assert_eq!(lines.len(), 1, "the one that is not deployed is left out: {lines:?}");
    assert_eq!(lines[0]["instance"], "main");
    assert_eq!(lines[0]["app"]["instances"], 2);
    assert_eq!(lines[0]["shard"], 0);
    assert!(lines[0]["app_id"].as_str().unwrap().starts_with("web.main.git01234567.config"));
    assert!(world.requests.lock().unwrap().is_empty());
}

#[test]
fn a_secret_without_a_signature_is_told_and_hinders_nothing() {
    let world = World::new(json!({ "vault_environment": "prod" }));
    world.file("soa/web/marathon-prod.yaml", "main: {cmd: serve, env: {A: SECRET(a), B: SECRET(b)}}\n");
    world.file("soa/web/secrets/b.json", r#"{"environments": {"prod": {"signature": "s"}}}"#);
    for arguments in [&["--dry-run", "--json"][..], &["web.main"]] {
        let output = world.run("setup_marathon_job", arguments);
        assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
        let told = talk(&output);
        assert!(told.contains("SECRET(a)") && told.contains("web/secrets/a.json"), "{told}");
        assert!(!told.contains("SECRET(b)"), "{told}");
    }
}

#[test]
fn one_bad_service_or_instance_never_stops_the_others() {
    let world = World::new(json!({}));
    world.file("soa/aaa/marathon-prod.yaml", "main: {\n");
    world.file("soa/web/marathon-prod.yaml", "bad: {cpus: [1], deploy_group: prod.main}\nmain: {}\n");
    let output = world.run("setup_marathon_job", &["--dry-run", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let lines = lines(&output);
    let of = |service: &str, instance: Value| {
        lines
            .iter()
            .find(|line| line["service"] == service && line["instance"] == instance)
            .unwrap_or_else(|| panic!("{instance}: {lines:?}"))
            .clone()
    };
    let message = of("aaa", Value::Null)["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("marathon-prod.yaml:"), "it names the place: {message}");
    assert!(of("web", json!("bad"))["error"]["class"].is_string(), "{lines:?}");
    assert!(of("web", json!("main"))["app_id"].is_string(), "{lines:?}");
}

#[test]
fn a_real_run_creates_what_is_missing() {
    for (program, arguments) in [
        ("setup_marathon_job", &["web.main"][..]),
        ("setup_marathon_job", &["--all"]),
        ("deploy_marathon_services", &[]),
        ("deploy_marathon_services", &["--all"]),
    ] {
        let world = World::new(json!({}));
        let output = world.run(program, arguments);
        assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
        assert!(talk(&output).starts_with("one pass over "), "{}", talk(&output));
        let posts = world.posts();
        assert!(matches!(&posts[..], [one] if one.starts_with("POST /v2/apps")), "{posts:?}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("web.main: crossover: waiting for"));
        let history = fs::read_to_string(world.path("locks/history/prod/web/main.jsonl")).unwrap();
        let record: Value = serde_json::from_str(&history).expect("one record");
        assert!(record["app"].as_str().unwrap().starts_with("web.main.git01234567.config"), "{record}");
        let place = record["settings"]["cmd"].as_str().unwrap();
        assert!(place.ends_with("web/marathon-prod.yaml:1:13"), "{record}");
    }
}

#[test]
fn a_history_that_cannot_be_written_is_a_warning() {
    let world = World::new(json!({ "history_directory": "/proc/nowhere" }));
    let output = world.run("setup_marathon_job", &["web.main"]);
    assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
    assert!(talk(&output).contains("/proc/nowhere/prod/web/main.jsonl"), "{}", talk(&output));
    assert_eq!(world.posts().len(), 1);
    let world = World::new(json!({ "history_directory": null }));
    assert_eq!(world.run("setup_marathon_job", &["web.main"]).status.code(), Some(0));
    assert!(!world.path("locks/history").exists());
}

#[test]
fn a_dry_run_of_all_reads_from_marathon_and_changes_nothing() {
    let world = World::new(json!({}));
    let output = world.run("deploy_marathon_services", &["--dry-run"]);
    assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(told.starts_with("web.main: would create web.main.git01234567.config"), "{told}");
    assert!(told.ends_with("; crossover: waiting for the new version to appear\n"), "{told}");
    assert_eq!(told.lines().count(), 1, "the one that is not deployed is left out: {told}");
    let output = world.run("deploy_marathon_services", &["--dry-run", "--json"]);
    let line = &lines(&output)[0];
    assert_eq!(line["instance"], "web.main");
    assert!(line["actions"][0]["create"]["home"].is_string(), "{line}");
    assert!(!world.requests.lock().unwrap().is_empty(), "Marathon was asked");
    assert_eq!(world.posts(), Vec::<String>::new());
    assert!(!world.path("locks").exists(), "no lock was taken");
}

/// Marathon is asked directly, whatever the environment says of proxies.
#[test]
fn proxies_of_the_environment_are_not_used() {
    let world = World::new(json!({}));
    let mut command = Command::cargo_bin("setup_marathon_job").unwrap();
    for name in ["http_proxy", "HTTP_PROXY", "all_proxy"] {
        command.env(name, "http://127.0.0.1:9");
    }
    command.env("PAASTA_SYSTEM_CONFIG_DIR", world.path("etc")).arg("-d").arg(world.path("soa"));
    let output = command.arg("web.main").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
    assert_eq!(world.posts().len(), 1);
}

#[test]
fn what_cannot_be_had_is_refused_by_name_and_nothing_is_changed() {
    let zookeeper = json!({ "coordination": { "driver": "zookeeper" }, "zookeeper": "zk://zk1:2181/mesos" });
    // Where the Mesos master is cannot be read from a folder.
    let mesos = json!({ "host_maintenance": "mesos", "mesos_config": { "path": "/" } });
    let unreachable = "its bounce lock, which cannot be had: ZooKeeper at `zk1:2181/mesos`";
    for (system, what) in [(zookeeper, unreachable), (mesos, "about to leave")] {
        let world = World::new(system);
        let output = world.run("setup_marathon_job", &["web.main"]);
        assert_eq!(output.status.code(), Some(1));
        let talk = talk(&output);
        assert!(talk.contains("`web.main`") && talk.contains(what), "{talk}");
        assert_eq!(world.posts(), Vec::<String>::new());
    }
}

#[test]
fn an_unreachable_marathon_is_told_per_instance() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let servers = json!([{ "url": [format!("http://{free}")], "user": "", "password": "" }]);
    let world = World::new(json!({ "marathon_servers": servers }));
    let output = world.run("setup_marathon_job", &["web.main", "nonsense"]);
    assert_eq!(output.status.code(), Some(1));
    let talk = talk(&output);
    assert!(talk.contains("`web.main`") && talk.contains("nonsense"), "{talk}");
    let output = world.run("deploy_marathon_services", &["--dry-run"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    let talk = self::talk(&output);
    assert!(talk.starts_with("error: instance `web.main`: could not see what runs: "), "{talk}");
}

/// Each error in its shape, and `web.main` goes on whatever else is wrong.
#[test]
fn errors_say_where_what_is_wrong_and_what_to_do() {
    let world = World::new(json!({}));
    world.file("soa/broken/marathon-prod.yaml", "main:\n  instances: [\n");
    world.file("soa/odd/marathon-prod.yaml", "main:\n  cmd: serve\n  bounce_method: croosover\n");
    let main = json!({ "docker_image": format!("services-odd:paasta-{SHA}"), "git_sha": SHA });
    let controls = json!({ "odd:prod.main": { "desired_state": "start", "force_bounce": null } });
    let deployments = json!({ "v2": { "deployments": { "prod.main": main }, "controls": controls } });
    world.file("soa/odd/deployments.json", &deployments.to_string());
    world.file("soa/new/marathon-prod.yaml", "main: {cmd: serve}\n");
    let soa = world.path("soa").display().to_string();
    let of_broken = format!(
        "  caused by: {soa}/broken/marathon-prod.yaml:3:1: did not find expected node content\n\n\
         hint: Run `paasta validate -s broken` in the soa-configs to check every file of the service.\n"
    );
    let of_odd = format!(
        "error: could not read the settings of instance `odd.main`: {soa}/odd/marathon-prod.yaml:3:18: bounce_method\n  \
         caused by: unknown bounce method `croosover`, expected one of: brutal, crossover, down, downthenup, \
         upthendown\n\n\
         hint: Run `paasta validate -s odd` in the soa-configs to check every file of the service.\n"
    );
    let of_new = "error: could not load instance `new.main`\n  caused by: `new.main` is not deployed: the service has no \
                  deployments.json yet\n\n\
                  hint: Mark a commit with `paasta mark-for-deployment -s new -l DEPLOY_GROUP -c COMMIT`, then run \
                  `generate_deployments_for_service -s new`.\n";
    let all = world.run("setup_marathon_job", &["--all"]);
    let one_by_one = world.run("setup_marathon_job", &["broken.main", "odd.main", "new.main", "web.main"]);
    for output in [&all, &one_by_one] {
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&output.stdout).contains("web.main: crossover: "), "{output:?}");
        let talk = talk(output);
        assert!(talk.contains(&of_odd), "{talk}");
        assert!(talk.contains(&of_broken), "{talk}");
    }
    for json in [&["--dry-run"][..], &["--dry-run", "--json"]] {
        let output = world.run("setup_marathon_job", &[json, &["new.main", "web.main"]].concat());
        assert_eq!((output.status.code(), lines(&output).len()), (Some(1), 1), "{output:?}");
        assert_eq!(talk(&output), of_new);
    }
    assert!(talk(&all).contains("error: could not list the instances of `broken`\n"), "{}", talk(&all));
    assert!(!talk(&all).contains("new.main"), "who is not deployed is nobody's trouble: {}", talk(&all));
    let talk = talk(&one_by_one);
    assert!(talk.contains("error: could not load instance `broken.main`\n"), "{talk}");
    assert!(talk.contains(of_new), "{talk}");
}

#[test]
fn a_name_without_a_dot_is_wrong_usage() {
    let world = World::new(json!({}));
    let output = world.run("setup_marathon_job", &["hello"]);
    assert_eq!(output.status.code(), Some(2), "{}", talk(&output));
    assert!(talk(&output).contains("hint: Name instances as SERVICE.INSTANCE"), "{}", talk(&output));
    let said = talk(&world.run("setup_marathon_job", &["../x.main"]));
    assert!(
        said.starts_with("error: \"../x.main\" cannot be an instance: it is not `<service>.<instance>`"),
        "{said}"
    );
    assert!(world.requests.lock().unwrap().is_empty());
}

/// Whoever holds the lock in ZooKeeper is left alone; afterwards the lock and the session are gone at once.
#[tokio::test(flavor = "multi_thread")]
async fn the_bounce_lock_in_zookeeper_is_taken_and_left_free() {
    let Some(server) = server::shared() else { return };
    let hosts = server.root();
    let in_zookeeper = json!({ "coordination": null, "zookeeper": format!("zk://{hosts}") });
    let options = Options::with_session_timeout(server::PATIENCE);
    let locks = ZkLocks::new(&ZooKeeper::connect(&hosts, options).unwrap());
    let held = locks.acquire("/bounce/web.main", server::PATIENCE).await.unwrap();

    let world = World::new(in_zookeeper);
    let output = world.run("setup_marathon_job", &["web.main"]);
    assert_eq!(world.posts(), Vec::<String>::new(), "{}", talk(&output));
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &talk(&output);
    assert!(said.contains("somebody else works on this instance"), "{said}");

    drop(held);
    server::until("the lock to be free", || async {
        world.run("setup_marathon_job", &["web.main"]);
        !world.posts().is_empty()
    })
    .await;
    assert_eq!(world.posts().len(), 1);
    locks.acquire("/bounce/web.main", std::time::Duration::ZERO).await.unwrap();
}
