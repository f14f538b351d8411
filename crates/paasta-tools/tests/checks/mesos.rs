//! The checks of a Mesos master, against recorded answers of one.

use serde_json::{Value, json};

use crate::server::Answer;
use crate::world::{Run, World};

#[track_caller]
fn says(run: &Run, code: i32, texts: &[&str]) {
    assert_eq!(run.code, Some(code), "{run:?}");
    for text in texts {
        assert!(run.out.contains(text), "`{text}`: {run:?}");
    }
}

fn agent(id: &str, pool: &str, region: &str, reserved: Value) -> Value {
    json!({
        "id": id, "hostname": format!("{id}.example.com"), "pid": "slave(1)@10.0.0.1:5051", "active": true,
        "attributes": { "pool": pool, "region": region },
        "resources": { "cpus": 10, "mem": 10_240, "disk": 102_400, "gpus": 0, "ports": "[31000-32000]" },
        "used_resources": { "cpus": 0, "mem": 0, "disk": 0, "gpus": 0 }, "reserved_resources": { "maintenance": reserved },
    })
}

fn task(id: &str, agent: &str, state: &str, resources: [f64; 3], at: f64) -> Value {
    let [cpus, mem, disk] = resources;
    json!({
        "id": id, "name": id.rsplit_once('.').map_or(id, |(name, _)| name), "framework_id": "F", "executor_id": "",
        "slave_id": agent, "state": state, "resources": { "cpus": cpus, "mem": mem, "disk": disk, "gpus": 0 },
        "statuses": [{ "state": state, "timestamp": at, "container_status": { "container_id": { "value": format!("c-{id}") } } }],
    })
}

/// The cluster of monitoring.md §3.3, with an old and a new version of `web.main`.
fn state() -> Value {
    let tasks = [
        task("web.main.gitold.configa.1", "a", "TASK_RUNNING", [4.0, 2048.0, 512.0], 1_000.0),
        task("web.main.gitnew.configb.2", "b", "TASK_RUNNING", [5.5, 3072.0, 512.0], 2_000.0),
        task("web.main.gitnew.configb.3", "c", "TASK_FINISHED", [5.5, 3072.0, 512.0], 2_000.0),
    ];
    json!({
        "version": "1.7.2", "hostname": "m1", "leader_info": { "hostname": "leader.example.com", "port": 5050 },
        "slaves": [
            agent("a", "default", "west", json!({ "cpus": 4, "mem": 1024 })),
            agent("b", "default", "west", json!({})),
            agent("c", "gpu", "east", json!({})),
        ],
        "frameworks": [{ "id": "F", "name": "marathon", "connected": true, "tasks": tasks }],
        "completed_frameworks": [],
        "orphan_tasks": [task("lost.1", "b", "TASK_RUNNING", [2.0, 512.0, 0.0], 1.0)],
    })
}

fn metrics(cpus_used: f64) -> Value {
    json!({
        "master/elected": 1.0, "master/cpus_total": 30, "master/cpus_used": cpus_used, "master/mem_total": 30_720,
        "master/mem_used": 5_632, "master/disk_total": 307_200, "master/disk_used": 1_024, "master/gpus_total": 0,
        "master/gpus_used": 0, "master/tasks_running": 3, "master/tasks_staging": 0, "master/tasks_starting": 0,
        "master/slaves_active": 3, "master/slaves_inactive": 0,
    })
}

/// A master without ZooKeeper, which is its own quorum, and a Marathon with an app.
fn world() -> World {
    let world = World::new();
    world.server.answer("/master/state", Answer::json(&state()));
    world.server.answer("/metrics/snapshot", Answer::json(&metrics(11.5)));
    world.server.answer("/master/flags", Answer::json(&json!({ "flags": { "port": "5050" } })));
    world.server.answer("/v2/apps", Answer::json(&json!({ "apps": [{ "id": "/web.main.g.c" }] })));
    world.server.answer("/v2/deployments", Answer::json(&json!([])));
    world
}

#[test]
fn each_check_of_the_master_says_what_it_found() {
    let world = world();
    says(&world.run("check_mesos_quorum", &[]), 0, &["OK: quorum: masters: 1 configured quorum: 1"]);
    let flags = |quorum: &str| Answer::json(&json!({ "flags": { "quorum": quorum } }));
    world.server.answer("/master/flags", flags("2"));
    says(&world.run("check_mesos_quorum", &["--json"]), 2, &[r#""word":"CRITICAL""#, "configured quorum: 2"]);

    let active = |expected: &[&str]| world.run("check_mesos_active_frameworks", expected);
    says(&active(&["-e", "marathon"]), 0, &["OK"]);
    says(&active(&["-e", "marathon,chronos"]), 2, &["CRITICAL: frameworks not connected: chronos"]);
    says(&active(&[]), 0, &["OK"]);

    says(&world.run("check_mesos_duplicate_frameworks", &["-C", "marathon"]), 0, &["OK"]);
    let outdated = world.run("check_mesos_outdated_tasks", &[]);
    says(&outdated, 2, &["CRITICAL: 1 tasks", "web.main", "old", "mesos-a.c-web.main.gitold.configa.1"]);
    says(&world.run("check_mesos_outdated_tasks", &["--bounce-time", "4000000"]), 0, &["OK"]);

    let mut twice = state();
    let same = twice["frameworks"][0].clone();
    twice["frameworks"].as_array_mut().unwrap().push(same);
    world.server.answer("/master/state", Answer::json(&twice));
    let run = world.run("check_mesos_duplicate_frameworks", &["--check", "marathon"]);
    says(&run, 2, &["CRITICAL: 2 frameworks are connected as `marathon`"]);
}

/// A row of docs/differences.md.
#[test]
fn without_a_master_nothing_is_told_of_the_cluster() {
    let world = world();
    let file = world.path("mesos-cli.json");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    std::fs::write(file, json!({ "default": { "master": free.to_string() } }).to_string()).unwrap();
    for (program, arguments) in [
        ("check_mesos_quorum", &[][..]),
        ("check_mesos_active_frameworks", &["-e", "marathon"]),
        ("check_mesos_duplicate_frameworks", &[]),
        ("check_mesos_outdated_tasks", &[]),
        ("check_capacity", &["cpus"]),
    ] {
        says(
            &world.run(program, arguments),
            3,
            &["UNKNOWN: could not tell whether", "could not reach the Mesos master"],
        );
    }
    let run = world.run("paasta_metastatus", &["-vv"]);
    let texts = [
        "Mesos leader: unknown",
        "Mesos Status: UNKNOWN",
        "Marathon Status: OK",
        "marathon apps:          1",
    ];
    says(&run, 3, &texts);
    assert!(!run.out.contains("in use"), "{run:?}");
}

#[test]
fn capacity_is_judged_by_group() {
    let world = world();
    let check = |arguments: &[&str]| world.run("check_capacity", arguments);
    says(&check(&["cpus"]), 0, &["OK: cluster prod has room: cpus"]);
    says(&check(&["cpus", "-w", "70"]), 1, &["WARNING", "    pool: default: 77.50% used, limit 70.00%"]);
    says(&check(&["cpus", "-w", "70", "-c", "77"]), 2, &["CRITICAL"]);
    let attributes = ["mem", "-w", "30", "--attributes", "pool,region"];
    says(&check(&attributes), 1, &["    pool: default, region: west: 32.50% used, limit 30.00%"]);
    let own = r#"{"groupings": {"pool": "default"}, "warn": {"cpus": 1, "mem": 1, "disk": 1}, "crit": {"cpus": 2, "mem": 2, "disk": 2}}"#;
    let file = world.file("limits.json", &format!("[{own}]")).display().to_string();
    says(&check(&["cpus", "--overrides", &file]), 2, &["limit 2.00%"]);
    world.file("limits.json", &format!("[{own}, {own}]"));
    says(&check(&["cpus", "--overrides", &file]), 3, &["more than one override"]);
    world.file("limits.json", "{}");
    let run = check(&["cpus", "--overrides", &file]);
    says(&run, 3, &["UNKNOWN: could not use `"]);
    says(&check(&["cpus", "--cluster", "elsewhere"]), 3, &["cannot be seen from here"]);
    assert_eq!(check(&["gpus"]).code, Some(3));
    // A master that was elected a moment ago has no agent to tell of, which is not room without end.
    world.server.answer("/master/state", Answer::json(&json!({ "slaves": [], "frameworks": [] })));
    says(&check(&["cpus"]), 3, &["lists no agent at all"]);
}

#[test]
fn metastatus_tells_of_every_part() {
    let world = world();
    let run = |arguments: &[&str]| world.run("paasta_metastatus", arguments);
    let quiet = run(&[]);
    says(&quiet, 0, &["Mesos leader: leader.example.com\nMesos Status: OK\nMarathon Status: OK\n"]);
    let texts = [
        "CPUs: 15.50 / 30 in use (51.67%)",
        "GPUs: none found",
        "Slaves: active: 3 inactive: 0",
        "Quorum: masters: 1",
    ];
    says(&run(&["-v"]), 0, &texts);
    let table = "\
Pool     Region  CPU (used/total)   RAM (used/total)     Disk (used/total)    GPU (used/total)  Agent count
default  west    15.50/20 (77.50%)  6.5G/20.0G (32.50%)  1.0G/200.0G (0.50%)  0.00/0 (100.00%)  2
gpu      east    0.00/10 (0.00%)    0B/10.0G (0.00%)     0B/100.0G (0.00%)    0.00/0 (100.00%)  1
";
    says(&run(&["-vv"]), 0, &[table]);
    // A row of docs/differences.md: the first group counts as well as the last.
    let complaint = "CRITICAL: pool: default, region: west: 77.50% of cpus are in use, limit 70%";
    says(&run(&["-vv", "-t", "70"]), 2, &[complaint]);
    assert_eq!(run(&["-v", "-t", "70"]).code, Some(0));
    world.instance("web.main", "{cpus: 2.5, mem: 1024, disk: 512}", None);
    let soa = world.path("soa").display().to_string();
    let slots = run(&["-vvv", "-g", "pool", "-d", &soa, "-s", "web", "-i", "main"]);
    says(
        &slots,
        0,
        &["Slots + Limiting Resource", "     1 ; cpus", "Hostname", "c.example.com", "     4 ; cpus"],
    );
    assert_eq!(run(&["-s", "web"]).code, Some(3));
    let unknown = run(&["-vv", "-d", &soa, "-s", "web", "-i", "nothing"]);
    says(&unknown, 0, &[table]);
    assert!(unknown.talk.contains("no instance `nothing`"), "{unknown:?}");

    world.server.answer("/metrics/snapshot", Answer::json(&metrics(23.5)));
    says(
        &run(&[]),
        2,
        &["Mesos Status: CRITICAL", "CRITICAL: CPUs: 27.50 / 30 in use (91.67%), too little is free"],
    );
    world.server.answer("/metrics/snapshot", Answer::json(&metrics(11.5)));
    world.server.answer("/v2/tasks", Answer::Status(500));
    let json = run(&["--json", "-vv"]);
    let told = json.summary();
    assert_eq!((json.code, &told["status"], &told["word"]), (Some(3), &json!(3), &json!("UNKNOWN")));
    assert_eq!(told["leader"], json!({ "known": "leader.example.com" }));
    assert_eq!(told["sections"][1]["lines"][1]["status"], 3);
    assert_eq!(told["groups"]["known"][0]["agents"], 2);
    world.server.answer("/v2/apps", Answer::json(&json!({ "apps": [] })));
    says(&run(&[]), 2, &["Marathon Status: CRITICAL"]);
    // One machine: neither is there, and that is well.
    std::fs::remove_file(world.path("mesos-cli.json")).unwrap();
    world.set(json!({ "marathon_servers": [] }));
    says(&run(&["-v"]), 0, &["Mesos is not configured here", "Marathon is not configured here"]);
}
