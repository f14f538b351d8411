//! deployd over HTTP, and what it tells the service manager.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

const SYSTEM: &str = r#"{"cluster": "here", "clusters": ["here"], "soa_dir": "ROOT/soa",
    "coordination": {"driver": "file", "directory": "ROOT/c"}, "log_writer": {"driver": "null"},
    "host_maintenance": "none", "docker_registry": "r", "volumes": [], "deployd_http_listen": "127.0.0.1:0",
    "marathon_servers": [{"url": "http://127.0.0.1:1", "user": "", "password": ""}]}"#;

struct Running {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStderr>>,
    address: SocketAddr,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start(root: &Path, more: impl FnOnce(&mut Command)) -> Running {
    fs::create_dir_all(root.join("soa/web")).expect("made");
    fs::write(root.join("soa/web/marathon-here.yaml"), "main: {cmd: x, net: host}\n").expect("written");
    fs::create_dir_all(root.join("etc")).expect("made");
    fs::write(root.join("etc/system.json"), SYSTEM.replace("ROOT", &root.display().to_string()))
        .expect("written");
    start_again(root, more)
}

/// One more, with what the first one was given.
fn start_again(root: &Path, more: impl FnOnce(&mut Command)) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_paasta-deployd"));
    command.args(["--log-format", "json"]).env("PAASTA_SYSTEM_CONFIG_DIR", root.join("etc"));
    more(&mut command);
    let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    let said =
        lines.by_ref().map_while(Result::ok).find(|line| line.contains("serving HTTP")).expect("it serves");
    let said: serde_json::Value = serde_json::from_str(&said).expect("a JSON object per line");
    let address = said["fields"]["address"].as_str().expect("its address").parse().expect("an address");
    Running { child, lines, address }
}

impl Running {
    fn ask(&self, request: &str, headers: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).expect("connected");
        write!(
            stream,
            "{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n{headers}\r\n"
        )
        .expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        (head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status"), body.to_owned())
    }

    #[track_caller]
    fn soon(&self, path: &str, holds: impl Fn(u16, &str) -> bool) -> String {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let (status, body) = self.ask(&format!("GET {path}"), "");
            if holds(status, &body) {
                return body;
            }
            assert!(Instant::now() < until, "{path} stayed {status}: {body}");
            std::thread::yield_now();
        }
    }

    fn signal(&self, signal: &str) {
        let sent =
            Command::new("kill").args([signal, &self.child.id().to_string()]).status().expect("it starts");
        assert!(sent.success());
    }
}

#[test]
fn health_readiness_metrics_queue_and_hook() {
    let root = tempfile::tempdir().expect("a folder");
    let running = start(root.path(), |_| {});
    running.soon("/healthz", |status, _| status == 200);
    let ready = running.soon("/readyz", |status, _| status == 200);
    assert!(ready.contains(r#""standing":"leading""#), "{ready}");
    let queue = running.soon("/v1/queue", |_, body| body.contains(r#""instance":"main""#));
    let queue: serde_json::Value = serde_json::from_str(&queue).expect("JSON");
    assert_eq!(queue["standing"], "leading");
    running.soon("/metrics", |_, body| body.contains("paasta_deployd_instances{paasta_cluster=\"here\"} 1"));
    running.soon("/v1/queue", |_, body| body.contains("\"last\":\"not deployed: "));
    running.soon("/metrics", |_, body| {
        body.contains("paasta_deployd_instances_not_deployed{paasta_cluster=\"here\"} 1")
            && body.contains("paasta_deployd_passes_total{paasta_cluster=\"here\",result=\"not_deployed\"}")
    });
    // Nothing answers as its engine.
    let unanswered = "paasta_deployd_engine_requests_total{paasta_cluster=\"here\",method=\"get\",outcome=\"unanswered\"} ";
    running.soon("/metrics", |_, body| {
        let count = body.lines().find_map(|line| line.strip_prefix(unanswered)?.parse::<u64>().ok());
        count.is_some_and(|count| count > 0)
    });
    assert_eq!(running.ask("POST /v1/services/web/deployed", "").0, 202);
    running
        .soon("/metrics", |_, body| body.contains("paasta_deployd_nudges_total{paasta_cluster=\"here\"} 1"));
    for (request, status, code) in [
        ("GET /nowhere", 404, "no_such_route"),
        ("POST /metrics", 405, "method_not_allowed"),
        ("GET /v1/services/web/deployed", 405, "method_not_allowed"),
    ] {
        let (answered, body) = running.ask(request, "");
        assert!(answered == status && body.contains(code), "{request}: {answered} {body}");
    }
    running.signal("-HUP");
    running
        .soon("/metrics", |_, body| body.contains("paasta_deployd_reloads_total{paasta_cluster=\"here\"} 1"));
}

#[test]
fn the_hook_wants_the_token() {
    let root = tempfile::tempdir().expect("a folder");
    let file = root.path().join("token");
    fs::write(&file, "s3cret\nanything\n").expect("written");
    let running = start(root.path(), |command| {
        command.arg("--http-token-file").arg(&file);
    });
    running.soon("/readyz", |_, body| body.contains("leading"));
    let hook = |headers: &str| running.ask("POST /v1/services/web/deployed", headers).0;
    assert_eq!(hook(""), 401);
    assert_eq!(hook("Authorization: Bearer s3cre\r\n"), 401);
    assert_eq!(hook("Authorization: Basic s3cret\r\n"), 401);
    assert_eq!(hook("Authorization: Bearer s3cret\r\n"), 202);
}

#[test]
fn one_that_stands_by_takes_no_nudges_and_says_who_leads() {
    let root = tempfile::tempdir().expect("a folder");
    let leader = start(root.path(), |_| {});
    leader.soon("/readyz", |_, body| body.contains("leading"));
    let free = || {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("an address")
    };
    let nudges = free();
    let standby = start_again(root.path(), |command| {
        command.args(["--nudge-listen", &nudges.to_string()]);
    });
    standby.soon("/readyz", |status, body| status == 200 && body.contains("\"waiting\""));
    let (status, body) = standby.ask("POST /v1/services/web/deployed", "");
    let told: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    let ready = standby.ask("GET /readyz", "").1;
    let ready: serde_json::Value = serde_json::from_str(&ready).expect("JSON");
    assert!(ready["detail"].is_string() && ready["detail"] == told["leader"], "{body} {ready}");
    let name = told["leader"].as_str().expect("its name");
    assert_eq!((status, &told["error"]["code"]), (503, &"not_leading".into()), "{body}");
    assert_eq!(told["error"]["message"], format!("this deployd stands by: `{name}` leads"));
    assert!(told["hint"].as_str().is_some_and(|hint| hint.contains(name)), "{body}");
    assert!(TcpStream::connect(nudges).is_err(), "a nudge would be lost");

    drop(leader);
    standby.soon("/readyz", |_, body| body.contains("leading"));
    assert_eq!(standby.ask("POST /v1/services/web/deployed", "").0, 202);
    let until = Instant::now() + Duration::from_secs(20);
    let mut stream = loop {
        match TcpStream::connect(nudges) {
            Ok(stream) => break stream,
            Err(error) => assert!(Instant::now() < until, "it leads and takes no nudges: {error}"),
        }
        std::thread::yield_now();
    };
    stream.write_all(b"web\n").expect("sent");
    drop(stream);
    standby
        .soon("/metrics", |_, body| body.contains("paasta_deployd_nudges_total{paasta_cluster=\"here\"} 2"));
}

#[test]
fn the_service_manager_hears_of_readiness_life_and_end() {
    let root = tempfile::tempdir().expect("a folder");
    let socket = root.path().join("notify");
    let manager = UnixDatagram::bind(&socket).expect("bound");
    manager.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
    let mut running = start(root.path(), |command| {
        command.env("NOTIFY_SOCKET", &socket).env("WATCHDOG_USEC", "200000");
    });
    let heard = |wanted: &str| {
        let mut buffer = [0; 1024];
        loop {
            let length = manager.recv(&mut buffer).unwrap_or_else(|error| panic!("no {wanted}: {error}"));
            let said = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if said.contains(wanted) {
                return said;
            }
        }
    };
    let ready = heard("READY=1");
    assert!(ready.contains("STATUS=leading"), "{ready}");
    heard("WATCHDOG=1");
    heard("WATCHDOG=1");
    running.signal("-TERM");
    heard("STOPPING=1");
    let ended = running.lines.by_ref().map_while(Result::ok).any(|line| line.contains("\"ended\""));
    assert!(ended && running.child.wait().expect("it ends").success());
}

#[test]
fn once_names_what_did_not_converge() {
    let root = tempfile::tempdir().expect("a folder");
    drop(start(root.path(), |_| {}));
    let once = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_paasta-deployd"));
        command
            .args(["--once", "--once-tries", "1", "--once-seconds-max", "20"])
            .env("PAASTA_SYSTEM_CONFIG_DIR", root.path().join("etc"));
        command.stdin(Stdio::null()).output().expect("it starts")
    };
    fs::write(root.path().join("soa/web/marathon-here.yaml"), "main: [\n").expect("written");
    let output = once();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && told.contains("web"), "{told}");
    fs::remove_dir_all(root.path().join("soa/web")).expect("removed");
    let output = once();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
