//! `paasta logs` over files and an API that says what the test says.

mod common;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;
use std::time::Duration;

use common::{World, api};
use rustix::process::{Pid, Signal, kill_process};

const STATUS: &str = r#"{"service": "web", "instance": "main", "git_sha": "12345678", "marathon": {
    "desired_state": "start", "app_count": 1, "bounce_method": "crossover",
    "app_statuses": [{"tasks_running": 1, "tasks_healthy": 1, "tasks_staged": 0, "tasks_total": 1, "tasks": [
        {"id": "0123456789", "task_id": "web.main.git1.config1.0123456789"}]}]}}"#;

fn world() -> World {
    let url = api(&[
        ("/v1/services/web/main/status", STATUS),
        (
            "/v1/services/web/main/tasks/web.main.git1.config1.0123456789/log?stream=stdout",
            r#"{"task": "t", "stream": "stdout", "lines": ["one", "two"]}"#,
        ),
        (
            "/v1/services/web/main/tasks/web.main.git1.config1.0123456789/log?stream=stderr",
            r#"{"task": "t", "stream": "stderr", "lines": ["oh"]}"#,
        ),
    ]);
    let world = World::with_services();
    let logs = world.root().join("logs").display().to_string();
    world.system(&format!(
        r#"{{"clusters": ["pnw", "nor"], "soa_dir": "SOA", "api_endpoints": {{"pnw": "{url}"}},
            "log_writer": {{"driver": "file", "options": {{"path_format": "{logs}/{{service}}/{{component}}.log"}}}}}}"#
    ));
    tell(&world, "2021-03-01T10:00:00.000000", "deploy", "marked");
    tell(&world, "2021-03-01T11:00:00.000000", "marathon", "bounced");
    world
}

fn tell(world: &World, at: &str, component: &str, message: &str) {
    let dir = world.root().join("logs/web");
    fs::create_dir_all(&dir).expect("a directory");
    let mut file = fs::File::options()
        .create(true)
        .append(true)
        .open(dir.join(format!("{component}.log")))
        .expect("a file");
    writeln!(
        file,
        r#"{{"cluster": "N/A", "component": "{component}", "instance": "main", "level": "event", "message": "{message}", "service": "web", "timestamp": "{at}"}}"#
    )
    .expect("written");
}

#[test]
fn outputs_of_tasks_come_from_the_api() {
    let world = world();
    let stdout = world.ok(&["logs", "web.main", "-c", "pnw"]);
    assert_eq!(
        stdout,
        "[stdout] pnw main 01234567 - one\n[stdout] pnw main 01234567 - two\n[stderr] pnw main 01234567 - oh\n"
    );
    assert_eq!(world.ok(&["logs", "web.main", "-c", "pnw", "-C", "stdout", "-n", "1", "-r"]), "two\n");
}

#[test]
fn what_paasta_told_comes_from_the_log_reader() {
    let world = world();
    let deploys = world.ok(&["logs", "-s", "web", "-C", "deploy,marathon"]);
    assert_eq!(
        deploys,
        "2021-03-01 10:00:00Z [deploy] main - marked\n2021-03-01 11:00:00Z [marathon] main - bounced\n"
    );
    assert_eq!(
        world.ok(&["logs", "-s", "web", "-C", "deploy,marathon", "-l", "1", "-S"]),
        "2021-03-01 11:00:00Z bounced\n"
    );
    let range = ["logs", "-s", "web", "-C", "deploy,marathon", "--from", "2021-03-01T10:30:00"];
    assert_eq!(world.ok(&range), "2021-03-01 11:00:00Z [marathon] main - bounced\n");
    let json = world.ok(&["logs", "-s", "web", "-C", "deploy", "--json"]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&json).expect("JSON")["message"], "marked");
    assert_eq!(world.ok(&["logs", "-s", "web", "-i", "canary", "-C", "deploy"]), "");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let world = world();
    let check = |arguments: &[&str], code: i32, part: &str| {
        let (actual, _, stderr) = world.run(arguments);
        assert_eq!(actual, code, "{arguments:?}: {stderr}");
        assert!(stderr.contains(part), "{arguments:?}: {stderr}");
    };
    check(&["logs", "web.main", "-C", "stdot"], 2, "no log component `stdot`");
    check(&["logs", "web.main", "-f", "--from", "5m"], 2, "cannot be used with");
    check(&["logs", "web.main", "--from", "1m", "--to", "1h"], 2, "is later than");
    check(&["logs", "web.mian"], 1, "Did you mean `main`?");
    world.system(r#"{"clusters": ["pnw", "nor"], "soa_dir": "SOA"}"#);
    check(&["logs", "web.main", "-C", "deploy"], 1, "`log_reader`");
    check(&["logs", "web.main", "-c", "pnw"], 1, "api_endpoints");
}

#[test]
fn following_shows_what_comes_until_interrupted() {
    let world = world();
    let mut command = world.paasta(&["logs", "-s", "web", "-C", "deploy", "-f", "-S"]);
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let pid = Pid::from_child(&child);
    let (done, watchdog) = std::sync::mpsc::channel::<()>();
    let guard = std::thread::spawn(move || {
        if watchdog.recv_timeout(Duration::from_secs(30)).is_err() {
            let _ = kill_process(pid, Signal::KILL);
        }
    });
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    assert_eq!(lines.next().expect("a line").expect("text"), "2021-03-01 10:00:00Z marked");
    tell(&world, "2021-03-01T12:00:00.000000", "deploy", "again");
    assert_eq!(lines.next().expect("a line").expect("text"), "2021-03-01 12:00:00Z again");
    kill_process(pid, Signal::INT).expect("it runs");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130));
    assert!(output.stderr.is_empty());
    done.send(()).expect("the watchdog waits");
    guard.join().expect("the watchdog ends");
}
