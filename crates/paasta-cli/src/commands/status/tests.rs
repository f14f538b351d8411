//! What a status reads like.

use paasta_api_client::InstanceStatus;
use paasta_core::{LogStream, Timestamp};
use serde_json::json;

use super::report::{Failure, Report, TaskOutput};
use super::text::{View, render};
use crate::paint::Paint;

const NOW: f64 = 1_600_000_000.0;

fn report(status: serde_json::Value) -> Report {
    let status: InstanceStatus = serde_json::from_value(status).unwrap();
    Report {
        service: "web".parse().unwrap(),
        cluster: "pnw".parse().unwrap(),
        instance: "main".parse().unwrap(),
        kind: "marathon".to_owned(),
        http_status: Some(200),
        status: Some(status),
        error: None,
        outputs: Vec::new(),
    }
}

fn view(verbose: u8) -> View {
    View { now: Timestamp::from_seconds(NOW), verbose, paint: Paint::new(false) }
}

fn task(id: &str, age: f64, health: &str) -> serde_json::Value {
    json!({"id": id, "task_id": format!("web.main.git1.config1.{id}"), "host": "h1", "port": 31001,
           "deployed_timestamp": NOW - age, "phase": "running", "health": health})
}

fn bouncing() -> serde_json::Value {
    json!({"service": "web", "instance": "main", "git_sha": "22222222", "marathon": {
        "desired_state": "start", "app_count": 2, "desired_app_id": "web.main.git22222222.configbbbbbbbb",
        "bounce_method": "crossover", "deploy_status": "Deploying",
        "running_instance_count": 3, "expected_instance_count": 2,
        "bounce": {"in_progress": true, "wanted": 2, "happy_new": 1, "old_happy": 0, "old_unhappy": 0,
                   "old_draining": 1, "old_at_risk": 0, "old_apps": 1,
                   "why": [{"kind": "new_happy", "message": "new tasks to be happy (1 of 2)"},
                           {"kind": "draining", "message": "1 task to drain"}],
                   "look_again_at": "2020-09-13T12:26:48Z"},
        "app_statuses": [
            {"id": "web.main.git22222222.configbbbbbbbb", "git_sha": "22222222", "config_sha": "bbbbbbbb",
             "instances": 2, "tasks_running": 2, "tasks_healthy": 1, "tasks_staged": 0, "tasks_total": 2,
             "deploy_status": "Deploying",
             "tasks": [task("new-1", 65.0, "healthy"), task("new-2", 5.0, "unchecked")]},
            {"id": "web.main.git11111111.configaaaaaaaa", "git_sha": "11111111", "config_sha": "aaaaaaaa",
             "instances": 1, "tasks_running": 1, "tasks_healthy": 1, "tasks_staged": 0, "tasks_total": 1,
             "deploy_status": "Running", "tasks": [task("old-1", 90000.0, "draining")]}]}})
}

#[test]
fn a_bounce_says_how_far_it_is_and_why_it_waits() {
    let expected = "\
web.main in pnw
  wanted      22222222 configbbbbbbbb, started, 2 tasks
  running     2 versions, 3 tasks in all
  health      Healthy (2/2 healthy, Deploying)
  bounce      crossover, under way: 1 of 2 new serve, 1 draining
  waits for   new tasks to be happy (1 of 2)
              1 task to drain
              looks again in 8s

  version 22222222 configbbbbbbbb: 2 of 2 running, 1 healthy, Deploying
    new-2  h1:31001  5s    no health result
    new-1  h1:31001  1m5s  healthy

  version 11111111 configaaaaaaaa (old): 1 of 1 running, 1 healthy
    old-1  h1:31001  1d1h  draining
";
    assert_eq!(render(&[report(bouncing())], view(0)), expected);
}

#[test]
fn verbose_shows_whole_ids_and_outputs() {
    let mut report = report(bouncing());
    let output = |stream, lines| TaskOutput { task: "old-1".to_owned(), stream, lines };
    report.outputs = vec![
        output(LogStream::Stdout, Ok(vec!["a".to_owned(), "b".to_owned()])),
        output(LogStream::Stderr, Err("gone".to_owned())),
    ];
    let text = render(&[report], view(2));
    let expected = "    app id web.main.git11111111.configaaaaaaaa\n    \
                    web.main.git1.config1.old-1  h1:31001  1d1h  draining\n      \
                    stdout: a\n      stdout: b\n      stderr: gone\n";
    assert!(text.ends_with(expected), "{text}");
}

#[test]
fn many_healthy_tasks_are_counted_and_problems_come_first() {
    let mut tasks: Vec<_> = (0..30).map(|n| task(&format!("t{n}"), 60.0, "healthy")).collect();
    tasks.push(task("ill", 60.0, "unhealthy"));
    let mut status = bouncing();
    status["marathon"]["app_statuses"] = json!([{"tasks_running": 31, "tasks_healthy": 30, "tasks_staged": 0,
        "tasks_total": 31, "tasks": tasks}]);
    let text = render(&[report(status.clone())], view(0));
    let lines: Vec<&str> = text.lines().skip_while(|line| !line.starts_with("  version")).collect();
    assert_eq!(lines[1], "    ill  h1:31001  1m  unhealthy");
    assert_eq!(lines.len(), 1 + 1 + 10 + 1);
    assert_eq!(lines[12], "    and 20 more healthy tasks (-v lists them)");
    assert!(!render(&[report(status)], view(1)).contains("more healthy"));
}

#[test]
fn an_instance_without_a_status_says_why() {
    let mut failed = report(bouncing());
    failed.status = None;
    failed.error = Some(Failure { message: "no".to_owned(), causes: vec!["because".to_owned()] });
    let mut other = failed.clone();
    (other.error, other.kind) = (None, "tron".to_owned());
    let text = render(&[failed, other], view(0));
    assert_eq!(
        text,
        "web.main in pnw\n  error       no\n              because\n\n\
         web.main in pnw\n  note        a tron instance, which this command does not show yet\n"
    );
}

#[test]
fn a_stopped_instance_reads_as_such() {
    let status = json!({"service": "web", "instance": "main", "git_sha": "22222222", "marathon": {
        "desired_state": "stop", "app_count": 0, "desired_app_id": "web.main.git22222222.configbbbbbbbb",
        "bounce_method": "crossover", "deploy_status": "NotRunning", "running_instance_count": 0,
        "expected_instance_count": 0, "bounce": {"in_progress": false, "wanted": 0, "happy_new": 0, "old_happy": 0,
        "old_unhappy": 0, "old_draining": 0, "old_at_risk": 0, "old_apps": 0, "why": []}}});
    assert_eq!(
        render(&[report(status)], view(0)),
        "web.main in pnw\n  wanted      22222222 configbbbbbbbb, stopped\n  running     nothing\n  \
         health      Stopped (0/0 healthy, NotRunning)\n  bounce      crossover, done\n"
    );
}

#[test]
fn a_version_that_crashes_says_why_until_it_is_well() {
    let mut status = bouncing();
    let failure = json!({"task_id": "web.main.git22222222.configbbbbbbbb.x", "timestamp": NOW - 12.0,
                         "message": "Command exited with status 3"});
    for app in [0, 1] {
        status["marathon"]["app_statuses"][app]["last_failure"] = failure.clone();
    }
    let text = render(&[report(status)], view(0));
    assert!(
        text.contains("1 healthy, Deploying\n    last failed 12s ago: Command exited with status 3\n"),
        "{text}"
    );
    assert_eq!(text.matches("last failed").count(), 1, "the old version is well\n{text}");
}
