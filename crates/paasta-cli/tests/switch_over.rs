//! `paasta switch-over --check` against Marathons that only list, and write down what they are asked.

mod common;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use common::World;
use serde_json::{Value, json};

const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

/// A Marathon with these apps: its URL, and the first lines of what it was asked.
struct Marathon {
    url: String,
    apps: Arc<Mutex<Value>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Marathon {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (apps, asked) = (Arc::new(Mutex::new(json!([]))), Arc::new(Mutex::new(Vec::new())));
        let (shown, seen) = (apps.clone(), asked.clone());
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                let Ok(mut socket) = socket else { return };
                let mut request = Vec::new();
                let mut byte = [0];
                while !request.ends_with(b"\r\n\r\n") && matches!(socket.read(&mut byte), Ok(1)) {
                    request.push(byte[0]);
                }
                let line = String::from_utf8_lossy(&request).lines().next().unwrap_or_default().to_owned();
                seen.lock().expect("not poisoned").push(line);
                let body = json!({ "apps": *shown.lock().expect("not poisoned") }).to_string();
                let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
                let _ = write!(socket, "{head}content-length: {}\r\n\r\n{body}", body.len());
            }
        });
        Self { url, apps, asked }
    }

    fn has(&self, apps: &[Value]) {
        *self.apps.lock().expect("not poisoned") = Value::from(apps.to_vec());
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("not poisoned").clone()
    }
}

/// Two Marathons, and `web.main` (shard 1 of 2), `web.auto` and `api.main`.
fn world(first: &str, second: &str) -> World {
    let world = World::new();
    world.system(&format!(
        r#"{{"cluster": "pnw", "clusters": ["pnw"], "soa_dir": "SOA", "docker_registry": "r.example.com",
        "volumes": [{{"containerPath": "/nail", "hostPath": "/nail", "mode": "RO"}}],
        "marathon_servers": [{{"url": ["{first}"], "user": "", "password": ""}},
            {{"url": ["{second}"], "user": "", "password": ""}}],
        "coordination": {{"driver": "file", "directory": "SOA/../state"}}}}"#
    ));
    world.file(
        "web/marathon-pnw.yaml",
        "main:\n  instances: 3\n  marathon_shard: 1\n  env: {A: x}\nauto:\n  deploy_group: pnw.main\n  \
         max_instances: 5\n  marathon_shard: 0\n",
    );
    world.file("web/smartstack.yaml", "main: {proxy_port: 20000}\n");
    world.file("api/marathon-pnw.yaml", "main: {instances: 2, marathon_shard: 0, net: host}\n");
    for service in ["web", "api"] {
        let control = json!({"desired_state": "start", "force_bounce": null});
        let v2 = json!({
            "deployments": {"pnw.main": {"docker_image": format!("services-{service}:paasta-{SHA}"), "git_sha": SHA}},
            "controls": {format!("{service}:pnw.main"): control, format!("{service}:pnw.auto"): control},
        });
        world.file(&format!("{service}/deployments.json"), &json!({ "v2": v2 }).to_string());
    }
    world
}

#[track_caller]
fn check(world: &World, arguments: &[&str], code: i32) -> Value {
    let arguments = [&["switch-over", "--check", "--json"], arguments].concat();
    let (actual, stdout, stderr) = world.run(&arguments);
    assert_eq!((actual, stderr.as_str()), (code, ""), "{stdout}");
    serde_json::from_str(&stdout).expect("JSON")
}

fn row<'a>(report: &'a Value, instance: &str) -> &'a Value {
    let rows = report["instances"].as_array().expect("a list");
    let name = |row: &Value| {
        format!("{}.{}", row["service"].as_str().unwrap_or(""), row["instance"].as_str().unwrap_or(""))
    };
    rows.iter().find(|row| name(row) == instance).unwrap_or_else(|| panic!("{instance} is not in {report:#}"))
}

/// What Marathon lists of an app that was created by `body`: without slash and with what Marathon adds.
fn listed(body: &str) -> Value {
    let mut app: Value = serde_json::from_str(body).expect("a body");
    app["id"] = Value::from(format!("/{}", app["id"].as_str().expect("an id")));
    app["version"] = Value::from("2021-04-01T00:00:00.000Z");
    app["tasksRunning"] = app["instances"].clone();
    app["upgradeStrategy"] = json!({"minimumHealthCapacity": 1, "maximumOverCapacity": 1});
    app["labels"] = json!({});
    app["deployments"] = json!([]);
    app["fetch"] = json!([{"uri": app["uris"][0], "extract": true}]);
    if let Some(port) = app.pointer_mut("/portDefinitions/0/port") {
        *port = Value::from(10_001);
    }
    app
}

/// The bodies that would be created, by instance.
fn bodies(world: &World) -> Vec<(String, String)> {
    use paasta_config::{Soa, SystemConfig};
    let system = SystemConfig::load(world.root().join("etc")).expect("a configuration");
    let soa = Soa::open(world.soa_dir());
    let body = |name: &str| {
        let id = name.parse().expect("an id");
        let wanted = soa.wanted(&id, &system, paasta_core::Reading::Known(None)).expect("loaded");
        (name.to_owned(), paasta_marathon::render_app(&wanted).expect("rendered").body)
    };
    ["web.main", "web.auto", "api.main"].map(body).to_vec()
}

#[test]
fn every_way_to_stand_is_told_and_nothing_is_sent_but_reads() {
    let (first, second) = (Marathon::start(), Marathon::start());
    let world = world(&first.url, &second.url);
    let missing = check(&world, &[], 1);
    assert_eq!(missing["summary"]["standings"], json!({"missing": 3}), "{missing:#}");

    let bodies = bodies(&world);
    let [main, auto, api] = [0, 1, 2].map(|place: usize| listed(&bodies[place].1));
    first.has(&[auto.clone(), api.clone(), json!({"id": "/chronos", "instances": 1})]);
    second.has(std::slice::from_ref(&main));
    let same = check(&world, &[], 0);
    assert_eq!(same["summary"]["standings"], json!({"same": 3}), "{same:#}");
    assert_eq!(same["summary"]["foreign_apps"], 1);
    let text = world.ok(&["switch-over", "--check"]);
    assert!(text.starts_with("3 instances: 3 same.\nSwitching over changes nothing.\n"), "{text}");

    // Somebody's hand, an older version, the wrong Marathon, and an instance that nobody configured.
    let mut by_hand = main.clone();
    by_hand["env"]["A"] = Value::from("y");
    let mut older = api.clone();
    older["id"] = Value::from("/api.main.git01234567.config00000000");
    older["mem"] = Value::from(17);
    let mut stray = api.clone();
    stray["id"] = Value::from("/old--svc.main.git01234567.config00000000");
    first.has(&[by_hand.clone(), older, stray]);
    second.has(&[by_hand, auto.clone()]);
    let report = check(&world, &[], 1);
    let word = |instance: &str| row(&report, instance)["standing"].clone();
    assert_eq!([word("web.main"), word("api.main")], ["differs", "differs"], "{report:#}");
    assert_eq!(row(&report, "web.main")["changes"][0]["field"], "env.A");
    assert_eq!(row(&report, "web.main")["changes"][0]["old"], "y");
    let place = row(&report, "web.main")["changes"][0]["sources"][0]["place"].as_str().expect("a place");
    assert!(place.ends_with("web/marathon-pnw.yaml:4:12"), "{place}");
    assert_eq!(row(&report, "api.main")["changes"][0]["field"], "mem");
    assert_eq!(word("old_svc.main"), "extra");
    assert_eq!(word("web.auto"), "differs");
    let reason = row(&report, "web.auto")["reason"].as_str().expect("a reason").to_owned();
    assert_eq!(reason, format!("it lives in {}, we would run it in {}", second.url, first.url));
    let (_, text, _) = world.run(&["switch-over", "--check", "web.main"]);
    assert!(text.contains("  env.A  \"y\" → \"x\"  web/marathon-pnw.yaml:4\n"), "{text}");

    let asked = [first.asked(), second.asked()].concat();
    assert!(asked.iter().all(|line| line.starts_with("GET ")) && asked.len() >= 8, "{asked:?}");
}

#[test]
fn sizes_and_bounces_under_way_are_told() {
    let (first, second) = (Marathon::start(), Marathon::start());
    let world = world(&first.url, &second.url);
    let bodies = bodies(&world);
    let [mut main, auto, api] = [0, 1, 2].map(|place: usize| listed(&bodies[place].1));
    let mut before = main.clone();
    before["id"] = Value::from("/web.main.git00000000.config00000000");
    main["instances"] = Value::from(2);
    first.has(&[auto, api]);
    second.has(&[main, before]);
    let report = check(&world, &[], 1);
    let web = row(&report, "web.main");
    assert_eq!(
        (&web["standing"], &web["changes"][0]["field"]),
        (&"differs".into(), &"instances".into()),
        "{web:#}"
    );
    assert!(
        web["notes"][0].as_str().expect("a note").contains("web.main.git00000000.config00000000"),
        "{web:#}"
    );

    // The same listing, as `plan` sees it.
    let (code, stdout, stderr) = world.run(&["plan", "web.main", "--json"]);
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    let plan: Value = serde_json::from_str(&stdout).expect("JSON");
    let web = row(&plan, "web.main");
    assert_eq!((&web["effect"], &web["from"]["instances"]), (&"scale".into(), &2.into()), "{web:#}");
    assert!(web["reason"].as_str().expect("a reason").contains("3 tasks of other versions"), "{web:#}");
    second.has(&[]);
    let plan = world.ok(&["plan", "web.main"]);
    assert!(plan.contains("web.main  create  3 tasks start\n"), "{plan}");
}

#[test]
fn what_cannot_be_read_is_never_the_same() {
    let first = Marathon::start();
    let world = world(&first.url, "http://127.0.0.1:1");
    let bodies = bodies(&world);
    let [auto, api] = [1, 2].map(|place: usize| listed(&bodies[place].1));
    first.has(&[auto, api]);
    world.file("broken/marathon-pnw.yaml", "main: {\n");
    let state = world.root().join("state/autoscaling/web/auto");
    std::fs::create_dir_all(&state).expect("a directory");
    std::fs::write(state.join("instances"), "many").expect("a file");
    let report = check(&world, &[], 1);
    let word = |instance: &str| row(&report, instance)["standing"].clone();
    assert_eq!(word("web.main"), "unknown", "{report:#}");
    assert_eq!(word("api.main"), "same");
    assert_eq!(word("web.auto"), "unknown");
    assert!(
        row(&report, "web.auto")["reason"].as_str().expect("a reason").contains("holds no number"),
        "{report:#}"
    );
    assert_eq!(word("broken."), "refused");
    assert!(report["silent"]["http://127.0.0.1:1"].is_string(), "{report:#}");
    let (code, _, stderr) = world.run(&["switch-over"]);
    assert!(code == 2 && stderr.contains("--check"), "{stderr}");
}
