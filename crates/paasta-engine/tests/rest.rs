//! The REST face with real processes behind it.

mod common;

use std::time::{Duration, Instant};

use common::{Client, Place, image, is_running, marked, sleeper};
use paasta_engine::{EngineServer, SecretText, StartError};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// Ranges of ports that no two tests share.
const fn ports(index: u16) -> (u16, u16) {
    (21000 + index * 20, 21019 + index * 20)
}

#[tokio::test]
async fn an_app_lives_through_marathons_calls() {
    let place = Place::new(ports(0));
    let engine = place.start().await;
    let client = Client::new(engine.address());
    let created = client.create(sleeper("svc.main.gita.configb", 2)).await;
    assert_eq!(created["id"], "/svc.main.gita.configb");
    assert_eq!(created["deployments"].as_array().map(Vec::len), Some(1));
    let tasks = client.settled("/svc.main.gita.configb", 2).await;

    let (status, answer) = client.post("/v2/apps", sleeper("/svc.main.gita.configb", 1)).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!(answer["message"], "An app with id [/svc.main.gita.configb] already exists.");

    let listed = client.get("/v2/apps?id=/svc.main&embed=app.tasks").await;
    assert_eq!(listed["apps"][0]["tasks"].as_array().map(Vec::len), Some(2));
    assert_eq!(client.get("/v2/apps").await["apps"][0].get("tasks"), None, "tasks only if asked for");
    assert_eq!(client.get("/v2/apps?id=/other").await, json!({"apps": []}));
    assert_eq!(client.get("/v2/tasks").await["tasks"].as_array().map(Vec::len), Some(2));
    assert_eq!(client.get("/v2/tasks?status=staging").await, json!({"tasks": []}));
    let below = client.get("/v2/apps//svc.main.gita.configb/tasks").await;
    assert_eq!(below["tasks"][0]["appId"], "/svc.main.gita.configb");

    let kill = json!({"ids": [tasks[0]]});
    let (status, answer) = client.post("/v2/tasks/delete?scale=True&force=True", kill).await;
    assert_eq!((status, answer["deploymentId"].is_string()), (StatusCode::OK, true));
    assert_eq!(client.settled("svc.main.gita.configb", 1).await, [tasks[1].clone()]);

    let path = "/v2/apps//svc.main.gita.configb";
    let (status, answer) = client.put(&format!("{path}?force=True"), json!({"instances": 3})).await;
    assert_eq!((status, answer["version"].is_string()), (StatusCode::OK, true));
    client.settled("svc.main.gita.configb", 3).await;
    let one = client.settled("svc.main.gita.configb", 3).await[0].clone();
    let (status, answer) = client.delete(&format!("{path}/tasks/{one}?scale=False&wipe=False")).await;
    assert_eq!((status, answer["task"]["id"].as_str()), (StatusCode::OK, Some(one.as_str())));
    let missing = client.delete(&format!("{path}/tasks/svc.none?scale=True&wipe=False")).await;
    assert_eq!(missing.0, StatusCode::NOT_FOUND);
    assert_eq!(missing.1["message"], "Task 'svc.none' does not exist");

    let versions = client.get(&format!("{path}/versions")).await;
    let first = versions["versions"].as_array().and_then(|all| all.last()).and_then(Value::as_str);
    let old = client.get(&format!("{path}/versions/{}", first.expect("a version"))).await;
    assert_eq!(old["instances"], 2);

    assert_eq!(client.delete(&format!("{path}?force=True")).await.0, StatusCode::OK);
    client.until(path, |answer| answer["message"] == "App '/svc.main.gita.configb' does not exist").await;
    assert_eq!(client.delete(path).await.0, StatusCode::NOT_FOUND);
    assert_eq!(marked(engine.id()), []);
    assert_eq!(client.story(&tasks[0]).await, ["task_staged", "task_started", "task_killing", "task_killed"]);
}

#[tokio::test]
async fn what_is_wrong_is_said_in_marathons_way() {
    let place = Place::new(ports(1));
    let engine = place.start().await;
    let client = Client::new(engine.address());
    let url = format!("{}/v2/apps", client.base);
    let raw = |body: &'static str, kind: &'static str| {
        client.http.post(&url).header("content-type", kind).body(body).send()
    };
    for (body, kind, status, message) in [
        ("{", "application/json", 400, "Invalid JSON"),
        ("[]", "application/json", 400, "Invalid JSON"),
        ("{}", "application/json", 400, "Invalid JSON"),
        (r#"{"id": "a", "instances": "two"}"#, "application/json", 400, "Invalid JSON"),
        (r#"{"id": "Upper", "cmd": "x"}"#, "application/json; charset=utf-8", 422, "Object is not valid"),
        (r#"{"id": "a", "cmd": "x"}"#, "text/plain", 415, "The content type must be application/json"),
    ] {
        let response = raw(body, kind).await.expect("answers");
        assert_eq!(response.status().as_u16(), status, "{body}");
        let text: Value = response.json().await.expect("JSON");
        assert_eq!(text["message"], message, "{body}");
    }
    let large = format!("{{\"id\": \"a\", \"cmd\": \"{}\"}}", "x".repeat(3 * 1024 * 1024));
    let sent = client.http.post(&url).header("content-type", "application/json").body(large).send().await;
    // The engine may close the connection before all was sent.
    assert!(sent.is_err() || sent.is_ok_and(|response| response.status() == StatusCode::PAYLOAD_TOO_LARGE));
    let (status, answer) = client.post("/v2/tasks/delete", json!({"ids": ["odd"]})).await;
    assert_eq!(
        (status, answer["message"].as_str()),
        (StatusCode::BAD_REQUEST, Some("Invalid task id 'odd'"))
    );
    assert_eq!(client.delete("/v2/queue/none/delay").await.0, StatusCode::NOT_FOUND);
    let (status, answer) = client.delete("/v2/deployments/none").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(answer["message"], "DeploymentPlan none does not exist");
    assert_eq!(client.put("/v2/apps", json!([])).await.0, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(client.get("/ping").await, "pong\n");
    assert_eq!(client.get("/v2/info").await["name"], "marathon");
    assert_eq!(client.get("/v2/leader").await["leader"], engine.address().to_string());
    assert_eq!(client.get("/metrics").await["gauges"]["service.mesosphere.marathon.app.count"]["value"], 0);
    let foreign = client.http.get(&url).header("host", "evil.example.com").send().await.expect("answers");
    assert_eq!(foreign.status(), StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test]
async fn a_token_guards_all_but_ping() {
    let place = Place::new(ports(2));
    let mut config = place.config();
    config.token = Some(SecretText::new("s3cret"));
    let engine = EngineServer::start(config).await.expect("starts");
    let client = Client::new(engine.address());
    let get = |path: &str| client.http.get(format!("{}{path}", client.base));
    assert_eq!(get("/ping").send().await.expect("answers").status(), StatusCode::OK);
    for path in ["/v2/apps", "/v2/events", "/paasta/journal", "/v2/info"] {
        assert_eq!(get(path).send().await.expect("answers").status(), StatusCode::UNAUTHORIZED, "{path}");
    }
    let with_password = get("/v2/apps").basic_auth("paasta", Some("s3cret")).send().await.expect("answers");
    assert_eq!(with_password.status(), StatusCode::OK);
    let bearer = get("/v2/apps").bearer_auth("s3cret").send().await.expect("answers");
    assert_eq!(bearer.status(), StatusCode::OK);
}

#[tokio::test]
async fn it_does_not_open_to_the_network_without_a_token() {
    let place = Place::new(ports(3));
    let mut config = place.config();
    config.listen = "0.0.0.0:0".parse().expect("an address");
    assert!(matches!(EngineServer::start(config).await, Err(StartError::OpenToAll { .. })));
    let engine = place.start().await;
    let second = EngineServer::start(place.config()).await.expect_err("in use");
    let text = format!("{second}: {}", std::error::Error::source(&second).expect("a cause"));
    assert!(text.contains("is in use by another engine"), "{text}");
    drop(engine);
}

#[tokio::test]
async fn a_task_finds_its_checkout_and_its_environment() {
    let place = Place::new(ports(4));
    let engine = place.start().await;
    let client = Client::new(engine.address());
    let script = "cat file; echo $MARATHON_PORT $PORT0 $PAASTA_PORT $HOST; echo $MARATHON_APP_ID; \
                  echo $MARATHON_APP_DOCKER_IMAGE; echo $GREETING; echo $MESOS_TASK_ID; exec sleep 1000";
    let app = json!({"id": "a", "cmd": script, "container": image("paasta-one"),
                     "env": {"GREETING": "hi there", "PAASTA_PORT": "8888"}});
    client.create(app).await;
    let task = client.settled("a", 1).await[0].clone();
    let port = client.get("/v2/tasks").await["tasks"][0]["ports"][0].to_string();
    let want = [
        "from the checkout".to_owned(),
        format!("{port} {port} {port} localhost"),
        "/a".to_owned(),
        "registry/services-svc:paasta-one".to_owned(),
        "hi there".to_owned(),
        task.clone(),
    ];
    assert_eq!(client.log(&task, want.len()).await, want);
    let path = format!("/paasta/tasks/{task}/log?lines=1");
    assert_eq!(client.get(&path).await["lines"], json!([task]));
    engine.kill_all(common::PATIENCE).await.expect("all gone");
    // The log outlives the task.
    assert_eq!(client.get(&path).await["lines"], json!([task]));
    assert_eq!(
        client.send(Method::GET, "/paasta/tasks/..%2f..%2fstate/log", None).await.0,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn cpus_and_mem_are_told_to_a_process_and_not_enforced() {
    let place = Place::new(ports(1));
    let engine = place.start().await;
    let client = Client::new(engine.address());
    let script = "text=$(head -c 4000000 /dev/zero | tr '\\0' x); echo ${#text} $MARATHON_APP_RESOURCE_MEM; \
                  exec sleep 1000";
    client.create(json!({"id": "a", "cmd": script, "cpus": 0.1, "mem": 1})).await;
    let task = client.settled("a", 1).await[0].clone();
    assert_eq!(client.log(&task, 1).await, ["4000000 1.0"]);
    engine.kill_all(common::PATIENCE).await.expect("all gone");
}

#[tokio::test]
async fn what_cannot_start_says_why_and_backs_off() {
    let place = Place::new(ports(5));
    let engine = place.start().await;
    let client = Client::new(engine.address());
    for (app, want) in [
        (json!({"id": "no-cmd", "container": image("paasta-one")}), "the app has no `cmd`"),
        (json!({"id": "no-image", "cmd": "x", "container": image("paasta-none")}), "no artifact for image"),
        (
            json!({"id": "secret", "cmd": "x", "env": {"PW": "SECRET(pw)"}}),
            "environment variable `PW`: could not resolve `SECRET(pw)`",
        ),
    ] {
        let id = app["id"].as_str().expect("an id").to_owned();
        client.create(app).await;
        let path = format!("/v2/apps/{id}?embed=app.lastTaskFailure");
        let shown = client.until(&path, |shown| shown["app"]["lastTaskFailure"].is_object()).await;
        let failure = &shown["app"]["lastTaskFailure"];
        assert_eq!(failure["state"], "TASK_FAILED");
        let message = failure["message"].as_str().expect("a message");
        assert!(message.starts_with(want), "{message}");
        let queue = client.until("/v2/queue?embed=lastUnusedOffers", |queue| {
            queue["queue"]
                .as_array()
                .is_some_and(|queue| queue.iter().any(|item| item["app"]["id"] == format!("/{id}")))
        });
        queue.await;
    }
}

#[tokio::test]
async fn a_crashing_task_is_started_again() {
    let place = Place::new(ports(6));
    let engine = place.start().await;
    let client = Client::new(engine.address());
    client.create(json!({"id": "a", "cmd": "exit 7", "backoffSeconds": 0})).await;
    let journal = client
        .until("/paasta/journal", |journal| journal.to_string().matches("task_started").count() >= 3)
        .await;
    assert!(journal.to_string().contains("Command exited with status 7"));
    engine.kill_all(common::PATIENCE).await.expect("all gone");
}

#[tokio::test]
async fn health_checks_decide_and_replace() {
    let place = Place::new(ports(7));
    let engine = place.start().await;
    let client = Client::new(engine.address());
    let flag = place.root.path().join("well");
    std::fs::write(&flag, "").expect("a file");
    let check = json!([{"protocol": "COMMAND", "command": {"value": format!("test -e {}", flag.display())},
                        "gracePeriodSeconds": 20, "intervalSeconds": 0.1, "timeoutSeconds": 5,
                        "maxConsecutiveFailures": 2}]);
    let mut app = sleeper("a", 1);
    app["healthChecks"] = check;
    client.create(app).await;
    let first = client.settled("a", 1).await[0].clone();
    let healthy = client.get("/v2/apps/a").await;
    assert_eq!(healthy["app"]["tasksHealthy"], 1);
    std::fs::remove_file(&flag).expect("removes");
    let gone =
        |tasks: &Value| !tasks["tasks"].as_array().is_some_and(|all| all.iter().any(|t| t["id"] == first));
    client.until("/v2/tasks", gone).await;
    let story = client.story(&first).await;
    assert_eq!(
        story,
        ["task_staged", "task_started", "task_healthy", "task_unhealthy", "task_killing", "task_killed"]
    );
    std::fs::write(&flag, "").expect("a file");
    client.settled("a", 1).await;
    engine.kill_all(common::PATIENCE).await.expect("all gone");
}

#[tokio::test]
async fn http_https_and_tcp_checks_see_a_listener() {
    let place = Place::new(ports(8));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        // Answers `/good` well and everything else badly, one connection at a time.
        while let Ok((mut stream, _)) = listener.accept().await {
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            let mut head = [0u8; 512];
            let read = stream.read(&mut head).await.unwrap_or(0);
            let good = String::from_utf8_lossy(&head[..read]).starts_with("GET /good ");
            let status = if good { "302 Found" } else { "500 Bad" };
            let answer = format!(
                "HTTP/1.1 {status}\r\nlocation: /bad\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    let engine = place.start().await;
    let client = Client::new(engine.address());
    for (id, check, healthy) in [
        ("good", json!({"protocol": "MESOS_HTTP", "path": "/good", "port": port}), true),
        ("bad", json!({"protocol": "HTTP", "path": "/bad", "port": port}), false),
        ("tcp", json!({"protocol": "TCP", "port": port}), true),
        ("tls", json!({"protocol": "HTTPS", "path": "/good", "port": serve_tls()}), true),
        ("not-tls", json!({"protocol": "MESOS_HTTPS", "path": "/good", "port": port}), false),
        ("none", json!({"protocol": "MESOS_TCP", "portIndex": 3}), false),
    ] {
        let mut check = check;
        check["gracePeriodSeconds"] = json!(0);
        check["intervalSeconds"] = json!(0.1);
        check["maxConsecutiveFailures"] = json!(0);
        let mut app = sleeper(id, 1);
        app["healthChecks"] = json!([check]);
        client.create(app).await;
        let results = |shown: &Value| shown["tasks"][0]["healthCheckResults"][0].clone();
        let shown = client.until(&format!("/v2/apps/{id}/tasks"), |shown| results(shown).is_object()).await;
        assert_eq!(results(&shown)["alive"], healthy, "{id}: {shown}");
    }
    engine.kill_all(common::PATIENCE).await.expect("all gone");
}

/// Answers every request well, with a certificate that nobody has signed and that names nobody here.
fn serve_tls() -> u16 {
    use std::io::{Read, Write};
    let certificate = include_bytes!("../../paasta-hacheck/tests/data/self-signed.cert.der").to_vec();
    let key = include_bytes!("../../paasta-hacheck/tests/data/self-signed.key.der").to_vec();
    let config = rustls::ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.into()], key.try_into().expect("a key"))
        .expect("a certificate");
    let config = std::sync::Arc::new(config);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = rustls::ServerConnection::new(config.clone()).expect("a connection");
            let mut tls = rustls::StreamOwned::new(connection, stream);
            // A client that hangs up early has had its answer, or does not want it.
            let _ = tls.read(&mut [0; 4096]);
            let _ = tls.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            tls.conn.send_close_notify();
            let _ = tls.flush();
        }
    });
    port
}

#[tokio::test]
async fn killing_is_gentle_first_and_takes_the_whole_tree() {
    let place = Place::new(ports(9));
    let engine = place.start().await;
    let client = Client::new(engine.address());
    let gentle =
        json!({"id": "gentle", "cmd": "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done"});
    let stubborn = json!({"id": "stubborn", "taskKillGracePeriodSeconds": 1,
                          "cmd": "trap '' TERM; setsid sleep 1000 & echo up; while :; do sleep 0.05; done"});
    client.create(gentle).await;
    client.create(stubborn).await;
    let gentle = client.settled("gentle", 1).await[0].clone();
    let stubborn = client.settled("stubborn", 1).await[0].clone();
    client.log(&gentle, 1).await;
    client.log(&stubborn, 1).await;
    let pids: Vec<i32> = marked(engine.id()).into_iter().map(|(pid, _)| pid).collect();
    assert!(pids.len() >= 3, "{pids:?}");
    let begun = Instant::now();
    client.delete("/v2/apps/gentle?force=true").await;
    client.until("/v2/apps/gentle", |answer| answer["message"].is_string()).await;
    assert!(begun.elapsed() < Duration::from_secs(3), "nobody waits for the grace of who is gone");
    assert_eq!(client.log(&gentle, 2).await, ["up", "bye"]);
    let begun = Instant::now();
    client.delete("/v2/apps/stubborn?force=true").await;
    client.until("/v2/apps/stubborn", |answer| answer["message"].is_string()).await;
    assert!(begun.elapsed() >= Duration::from_secs(1), "it had its grace");
    assert!(!pids.into_iter().any(is_running), "the whole tree is gone");
}

#[tokio::test]
async fn who_hides_its_environment_is_ended_all_the_same() {
    let place = Place::new(ports(11));
    let engine = place.start().await;
    let client = Client::new(engine.address());
    let hidden = "env -i /bin/sh -c 'trap \"\" TERM; echo $$; while :; do sleep 0.05; done'";
    client
        .create(json!({"id": "a", "cmd": format!("{hidden} & trap 'exit 0' TERM; wait"),
                         "taskKillGracePeriodSeconds": 1}))
        .await;
    let task = client.settled("a", 1).await[0].clone();
    let pid: i32 = client.log(&task, 1).await[0].parse().expect("a pid");
    assert!(is_running(pid));
    client.delete("/v2/apps/a?force=true").await;
    client.until("/v2/apps/a", |answer| answer["message"].is_string()).await;
    assert!(!is_running(pid), "it outlived its task");
}

#[tokio::test]
async fn events_stream_to_whoever_listens() {
    let place = Place::new(ports(10));
    let engine = place.start().await;
    let client = Client::new(engine.address());
    let url =
        format!("{}/v2/events?event_type=status_update_event&event_type=app_terminated_event", client.base);
    let listen = client.http.get(url).header("accept", "text/event-stream").send();
    let mut stream = listen.await.expect("answers");
    assert_eq!(stream.headers()["content-type"], "text/event-stream; charset=UTF-8");
    client.create(sleeper("a", 1)).await;
    client.settled("a", 1).await;
    client.delete("/v2/apps/a?force=true").await;
    let mut text = String::new();
    while !text.contains("event: app_terminated_event") {
        let chunk = tokio::time::timeout(common::PATIENCE, stream.chunk()).await.expect("in time");
        text.push_str(&String::from_utf8_lossy(&chunk.expect("reads").expect("goes on")));
    }
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    let events: Vec<Value> = data.map(|data| serde_json::from_str(data).expect("JSON")).collect();
    let states: Vec<&str> = events.iter().filter_map(|event| event["taskStatus"].as_str()).collect();
    assert_eq!(states, ["TASK_STAGING", "TASK_RUNNING", "TASK_KILLED"]);
    assert!(events.iter().all(|event| event["eventType"].is_string() && event["timestamp"].is_string()));
    assert!(!text.contains("deployment_info"), "only what was asked for");
}
