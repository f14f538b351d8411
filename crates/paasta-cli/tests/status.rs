//! `paasta status` over files and an API that says what the test says.

mod common;

use std::net::TcpListener;

use common::{World, api};

const STATUS: &str = r#"{"service": "web", "instance": "main", "git_sha": "12345678", "marathon": {
    "desired_state": "start", "app_count": 1, "bounce_method": "crossover", "deploy_status": "Running",
    "running_instance_count": 1, "expected_instance_count": 1, "active_shas": [["12345678", "abcdef01"]],
    "app_statuses": [{"tasks_running": 1, "tasks_healthy": 1, "tasks_staged": 0, "tasks_total": 1, "tasks": [
        {"id": "x", "host": "h", "port": 1, "is_healthy": true}]}]}}"#;

fn with_api(url: &str) -> World {
    let world = World::with_services();
    world.system(&format!(
        r#"{{"clusters": ["pnw", "nor"], "soa_dir": "SOA", "api_endpoints": {{"pnw": "{url}", "nor": "{url}"}}}}"#
    ));
    world
}

#[test]
fn instances_are_shown_and_what_is_not_deployed_says_so() {
    let world = with_api(&api(&[("/v1/services/web/main/status", STATUS)]));
    let (code, stdout, stderr) = world.run(&["status", "web.main", "-c", "pnw"]);
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    assert!(stdout.starts_with("web.main in pnw\n  wanted      12345678"), "{stdout}");
    assert!(stdout.contains("Healthy (1/1 healthy, Running)"), "{stdout}");

    let (code, stdout, _) = world.run(&["status", "-s", "web"]);
    assert_eq!(code, 1);
    assert!(stdout.contains("web.canary in pnw\n  error       nothing there"), "{stdout}");
    assert!(stdout.contains("-l prod"), "{stdout}");
    let order: Vec<_> =
        stdout.lines().filter(|line| line.contains(" in ") && !line.starts_with(' ')).collect();
    assert_eq!(order, ["web.main in nor", "web.canary in pnw", "web.main in pnw"]);
}

#[test]
fn json_is_the_very_answer() {
    let world = with_api(&api(&[("/v1/services/web/main/status", STATUS)]));
    let stdout = world.ok(&["status", "-s", "web", "-i", "main", "--clusters", "nor", "--json"]);
    let parsed: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(parsed[0]["cluster"], "nor");
    assert_eq!(parsed[0]["http_status"], 200);
    assert_eq!(parsed[0]["status"]["marathon"]["active_shas"][0][1], "abcdef01");
}

#[test]
fn an_unreachable_api_is_one_clear_paragraph() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let world = with_api(&format!("http://{closed}"));
    let (code, stdout, stderr) = world.run(&["status", "web.main", "-c", "pnw"]);
    assert_eq!((code, stderr.as_str()), (1, ""));
    let expected = format!(
        "web.main in pnw\n  error       could not reach the API of cluster `pnw` at http://{closed}/"
    );
    assert!(stdout.starts_with(&expected), "{stdout}");
    assert!(stdout.lines().count() == 3 && stdout.contains("Connection refused"), "{stdout}");
}

#[test]
fn a_cluster_without_an_api_names_the_missing_key_and_hides_nothing() {
    let url = api(&[("/v1/services/web/main/status", STATUS)]);
    let world = World::with_services();
    let endpoints =
        format!(r#"{{"clusters": ["pnw", "nor"], "soa_dir": "SOA", "api_endpoints": {{"pnw": "{url}"}}}}"#);
    world.system(&endpoints);
    let (code, stdout, _) = world.run(&["status", "web.main"]);
    assert_eq!(code, 1);
    assert!(stdout.contains("`api_endpoints.nor`") && stdout.contains("Healthy"), "{stdout}");
}

#[test]
fn wrong_names_suggest_right_ones() {
    let world = with_api("http://127.0.0.1:9");
    let check = |arguments: &[&str], code: i32, parts: &[&str]| {
        let (actual, stdout, stderr) = world.run(arguments);
        assert_eq!((actual, stdout.as_str()), (code, ""), "{arguments:?}: {stderr}");
        for part in parts {
            assert!(stderr.contains(part), "{arguments:?}: {stderr}");
        }
    };
    check(&["status", "wbe.main"], 1, &["no service `wbe`", "Did you mean `web`?"]);
    check(&["status", "web.mian"], 1, &["no instance `mian`", "Did you mean `main`?"]);
    check(&["status", "web.main", "-c", "pwn"], 1, &["no cluster `pwn`", "Did you mean `pnw`?"]);
    check(&["status", "web.main", "-l", "nope"], 1, &["no instance matches"]);
    check(&["status", "-s", "bare"], 1, &["no instance matches"]);
    check(&["status"], 2, &["no service was named", "-s SERVICE"]);
    check(&["status", "web"], 2, &["`web` is not SERVICE.INSTANCE"]);
    check(&["status", "web.main", "-s", "web"], 2, &["cannot be combined"]);
}
