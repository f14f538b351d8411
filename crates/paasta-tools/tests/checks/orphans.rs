//! Containers of tasks that are over, with a `docker` that plays back what it is asked.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::server::Answer;
use crate::world::{Run, World};

const NAME: &str = "kill_orphaned_docker_containers";

/// A `docker` whose containers are those, and that writes down which it kills.
fn docker(world: &World, containers: &[Value]) {
    let ids: Vec<&str> = containers.iter().filter_map(|one| one["Id"].as_str()).collect();
    world.file("docker/ids", &format!("{}\n", ids.join("\n")));
    world.file("docker/inspected", &json!(containers).to_string());
    let at = world.path("docker").display().to_string();
    let script = format!(
        "#!/bin/sh\ncase $1 in\nps) cat {at}/ids;;\ninspect) cat {at}/inspected;;\nkill) echo $2 >> {at}/killed;;\nesac\n"
    );
    let path = world.file("docker/docker", &script);
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn container(id: &str, name: &str, task: Option<&str>) -> Value {
    let env: Vec<String> = task.iter().map(|task| format!("MESOS_TASK_ID={task}")).collect();
    json!({ "Id": id, "Name": name, "Config": { "Env": env } })
}

fn state(world: &World, tasks: &[(&str, &str)], awaited: &[&str]) {
    let task =
        |(id, state): &(&str, &str)| json!({ "id": id, "name": "x", "slave_id": "S1", "state": state });
    let tasks: Vec<Value> = tasks.iter().map(task).collect();
    let awaited: Vec<Value> = awaited.iter().map(|id| json!({ "id": id, "hostname": id })).collect();
    let answer = json!({
        "slaves": [{ "id": "S1", "hostname": "h", "resources": {} }], "recovered_slaves": awaited,
        "frameworks": [{ "id": "F", "name": "marathon", "tasks": tasks }],
    });
    world.server.answer("/master/state", Answer::json(&answer));
}

fn killed(world: &World) -> String {
    fs::read_to_string(world.path("docker/killed")).unwrap_or_default()
}

fn run(world: &World, arguments: &[&str]) -> Run {
    world.run_with_path(NAME, arguments, &world.path("docker"))
}

/// A row of docs/differences.md.
#[test]
fn only_containers_whose_task_is_known_to_be_over_are_killed() {
    let world = World::new();
    docker(
        &world,
        &[
            container("1", "/mesos-over", Some("a.1")),
            container("2", "/mesos-runs", Some("a.2")),
            container("3", "/mesos-starts", Some("a.3")),
            container("4", "/mesos-nameless", None),
            container("5", "/database", None),
        ],
    );
    let tasks = [("a.1", "TASK_FAILED"), ("a.2", "TASK_RUNNING"), ("a.3", "TASK_STAGING")];
    state(&world, &tasks, &[]);
    let found = run(&world, &[]);
    assert_eq!(found.code, Some(2), "{found:?}");
    assert!(found.out.contains("CRITICAL: orphaned containers: /mesos-over (a.1);"), "{found:?}");
    let dry = run(&world, &["-f", "--dry-run"]);
    assert!(dry.out.contains("would kill /mesos-over") && killed(&world).is_empty(), "{dry:?}");
    // A new master that waits for agents, one that knows nothing, and one that is away.
    state(&world, &tasks, &["S2"]);
    let waiting = run(&world, &["--force"]);
    assert!(waiting.code == Some(3) && waiting.out.contains("1 agents have not come back"), "{waiting:?}");
    state(&world, &[], &[]);
    assert_eq!(run(&world, &["--force"]).code, Some(3));
    world.server.answer("/master/state", Answer::Status(503));
    assert_eq!(run(&world, &["--force"]).code, Some(3));
    assert!(killed(&world).is_empty());
    state(&world, &tasks, &[]);
    let format = world.path("log/{service}").display().to_string();
    world.set(json!({ "log_writer": { "driver": "file", "options": { "path_format": format } } }));
    let forced = run(&world, &["--force"]);
    assert!(forced.code == Some(2) && forced.out.contains("killed /mesos-over"), "{forced:?}");
    assert!(forced.talk.contains("killing 1 containers"), "{forced:?}");
    assert_eq!(killed(&world), "1\n");
    let audit = fs::read_to_string(world.path("log/stream_paasta-audit-log")).unwrap();
    assert!(audit.contains("\"kill-container\"") && audit.contains("a.1"), "{audit}");
}

#[test]
fn without_containers_nobody_is_asked_and_without_docker_it_is_unknown() {
    let world = World::new();
    docker(&world, &[]);
    let none = run(&world, &[]);
    assert!(none.code == Some(0) && none.out.contains("OK: no orphaned containers"), "{none:?}");
    assert!(world.server.asked().is_empty());
    fs::write(world.path("docker/docker"), "#!/bin/sh\necho cannot connect >&2\nexit 1\n").unwrap();
    let away = run(&world, &["-f"]);
    assert!(away.code == Some(3) && away.out.contains("cannot connect"), "{away:?}");
    fs::remove_file(world.path("docker/docker")).unwrap();
    fs::write(world.path("docker/ps"), "").unwrap();
    let missing = world.run_with_only_path(NAME, &world.path("docker"));
    assert!(missing.code == Some(3) && missing.out.contains("could not run `docker`"), "{missing:?}");
}
