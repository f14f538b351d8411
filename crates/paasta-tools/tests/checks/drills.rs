//! What is away, and what is said then: in time, what is unknown, and never "none" for "could not ask".

use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::server::Answer;
use crate::world::{World, task};

const WEST: &str = "west1 region=west";
const EAST: &str = "east1 region=east";

/// Six copies of `web.main` in two regions, all of them up.
fn world() -> World {
    let world = World::new();
    world.instance("web.main", "{instances: 6}", Some(""));
    world.agents(&[WEST, "west2 region=west", EAST, "nowhere"]);
    for host in ["west1", "west2", "east1"] {
        world.balancer(host, &["web.main=UP,UP,UP", "web.mainly=DOWN"]);
    }
    world
}

fn providers(run: &crate::world::Run) -> Value {
    run.of("web.main")["seen"]["providers"]["Smartstack"].clone()
}

#[track_caller]
fn unknown(world: &World, arguments: &[&str], says: &str) {
    let run = world.check(arguments);
    assert_eq!(run.code, Some(3), "{run:?}");
    assert!(run.out.contains(says), "`{says}`: {run:?}");
    assert!(!run.out.contains("0/"), "{run:?}");
}

#[test]
fn with_everybody_there_it_is_well_and_each_is_asked_once() {
    let world = world();
    world.instance("other.main", "{instances: 2}", Some(""));
    let run = world.check(&["--json"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(providers(&run), json!({ "known": { "east": { "known": 3 }, "west": { "known": 3 } } }));
    assert_eq!(run.of("other.main")["word"], "CRITICAL", "HAProxy knows no server of it");
    assert_eq!(run.summary()["places"], json!({ "source": "mesos", "agents": 4, "awaited": 0 }));
    let tables = world.server.asked().into_iter().filter(|path| path.starts_with("/at/"));
    let mut tables: Vec<String> = tables.collect();
    tables.sort();
    assert_eq!(tables.len(), 2, "{tables:?}");
    assert!(tables[0].starts_with("/at/east1/") && tables[1].starts_with("/at/west1/"), "{tables:?}");
}

#[test]
fn the_next_host_of_a_location_answers_for_one_that_is_away() {
    for away in [Answer::Status(503), Answer::Silent, Answer::Says("<html>".to_owned())] {
        let world = world();
        world.server.answer("/at/west1/", away);
        let run = world.check(&["--json"]);
        assert_eq!(run.code, Some(0), "{run:?}");
        assert_eq!(run.of("web.main")["word"], "OK");
    }
}

#[test]
fn a_location_that_cannot_be_asked_is_unknown_and_hides_no_other() {
    let world = world();
    world.server.answer("/at/east1/", Answer::Status(503));
    let run = world.check(&["--json"]);
    assert_eq!(run.code, Some(3), "{run:?}");
    let found = run.of("web.main");
    assert_eq!((&found["word"], &found["event"]), (&json!("UNKNOWN"), &Value::Null));
    let seen = providers(&run);
    assert_eq!(seen["known"]["west"], json!({ "known": 3 }));
    assert!(
        seen["known"]["east"]["unknown"].as_str().unwrap().contains("answered with status 503"),
        "{seen}"
    );
    // What is bad elsewhere is bad all the same.
    world.balancer("west1", &["web.main=UP,DOWN,MAINT"]);
    let run = world.check(&["--json", "--min-count-critical", "1"]);
    assert_eq!(run.code, Some(2), "{run:?}");
    assert_eq!(run.of("web.main")["word"], "CRITICAL");
    // And one of a hundred that could not be told does not make the whole unknown.
    world.balancer("west1", &["web.main=UP,UP,UP"]);
    for index in 0..9 {
        let id = format!("west{index}.main");
        world.instance(&id, "{}", Some("discover: side"));
    }
    world.agents(&[WEST, EAST, "side1 side=left"]);
    world.balancer(
        "side1",
        &(0..9)
            .map(|index| format!("west{index}.main=UP"))
            .collect::<Vec<_>>()
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>(),
    );
    let run = world.check(&[]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(
        run.out.starts_with("OK: 0 of 9 instances (0.0%)") && run.out.contains("; 1 could not be told of"),
        "{run:?}"
    );
}

#[test]
fn without_any_load_balancer_nothing_can_be_said() {
    let world = world();
    world.server.answer("/at/", Answer::Status(500));
    for host in ["west1", "west2", "east1"] {
        world.server.answer(&format!("/at/{host}/"), Answer::Status(500));
    }
    unknown(
        &world,
        &[],
        "UNKNOWN: 0 of 0 instances (0.0%) have too few copies in service, and 1 could not be told of",
    );
    // Nobody listens at all.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    world.set(json!({ "synapse_port": free }));
    unknown(&world, &[], "could not reach http://127.0.0.1");
}

#[test]
fn a_master_that_is_away_is_told_and_nobody_is_judged_by_guess() {
    let world = world();
    for away in [Answer::Status(503), Answer::Says("{}".to_owned()), Answer::Says("<html>".to_owned())] {
        world.server.answer("/master/slaves", away);
        unknown(&world, &[], "Mesos master");
    }
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    world.file("mesos-cli.json", &json!({ "default": { "master": free.to_string() } }).to_string());
    unknown(&world, &[], "could not reach the Mesos master");
}

/// A row of docs/differences.md.
#[test]
fn each_pool_is_counted_by_its_own_hosts() {
    let world = World::new();
    world.agents(&["h1 region=west pool=a", "h2 region=west pool=b", "h3 region=west"]);
    for (host, up) in [("h1", "UP"), ("h2", "UP,UP"), ("h3", "UP,UP,UP")] {
        let tables: Vec<String> = ["one", "two", "three"].map(|id| format!("{id}.main={up}")).to_vec();
        world.balancer(host, &tables.iter().map(String::as_str).collect::<Vec<_>>());
    }
    for (id, pool) in [("one", "pool: a"), ("two", "pool: b"), ("three", "cpus: 1")] {
        world.instance(&format!("{id}.main"), &format!("{{instances: 3, {pool}}}"), Some(""));
    }
    let run = world.check(&["--json"]);
    let count = |id: &str| run.of(id)["seen"]["providers"]["Smartstack"]["known"]["west"]["known"].clone();
    assert_eq!(["one.main", "two.main", "three.main"].map(count), [json!(1), json!(2), json!(3)]);
}

/// A master that was elected a moment ago: half of the agents have not come back to it.
#[test]
fn agents_that_have_not_come_back_leave_open_what_is_missing() {
    let world = world();
    let agent = |host: &str, region: &str| json!({ "id": host, "hostname": host, "attributes": { "region": region }, "resources": {} });
    let known = [agent("west1", "west")];
    let list = |awaited: Value| {
        let answer = json!({ "slaves": known, "recovered_slaves": awaited });
        world.server.answer("/master/slaves", Answer::json(&answer));
    };
    list(json!([agent("east1", "east"), agent("east2", "east")]));
    world.balancer("west1", &["web.main=UP,UP"]);
    unknown(&world, &["--min-count-critical", "1"], "2 agents have not come back to the Mesos master");
    // What is there may be enough.
    world.balancer("west1", &["web.main=UP,UP,UP"]);
    assert_eq!(world.check(&["--min-count-critical", "1"]).code, Some(0));
    list(json!([]));
    world.balancer("west1", &["web.main=UP,UP"]);
    assert_eq!(world.check(&["--min-count-critical", "1"]).code, Some(2));
}

#[test]
fn whoever_is_silent_is_waited_for_within_the_limit_of_time() {
    let world = World::new();
    world.instance("web.main", "{instances: 6}", Some(""));
    world.instance("lone.main", "{instances: 1}", None);
    let hosts: Vec<String> = (0..40).map(|index| format!("h{index} region=r{}", index % 2)).collect();
    world.agents(&hosts.iter().map(String::as_str).collect::<Vec<_>>());
    // Half of the agents: all of one region.
    for index in 0..40 {
        match index % 2 {
            0 => world.balancer(&format!("h{index}"), &["web.main=UP,UP,UP"]),
            _ => world.server.answer(&format!("/at/h{index}/"), Answer::Silent),
        }
    }
    world.server.answer("/v2/tasks", Answer::Silent);
    let begin = Instant::now();
    let run = world.check(&["--json", "--time-limit", "2"]);
    assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", begin.elapsed());
    assert_eq!(run.code, Some(3), "{run:?}");
    assert_eq!(providers(&run)["known"]["r0"], json!({ "known": 3 }));
    assert!(providers(&run)["known"]["r1"]["unknown"].is_string(), "{run:?}");
    let lone = run.of("lone.main");
    assert_eq!(lone["word"], "UNKNOWN", "{lone}");
    assert!(lone["seen"]["healthy_tasks"]["unknown"].is_string(), "{lone}");
    // So is the master.
    world.server.answer("/master/slaves", Answer::Silent);
    let begin = Instant::now();
    unknown(&world, &["--time-limit", "1", "web.main"], "could not be asked");
    assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", begin.elapsed());
}

#[test]
fn without_marathon_nobody_is_judged_by_tasks() {
    let world = World::new();
    world.instance("lone.main", "{instances: 2}", None);
    world.tasks(&[task("/lone.main.gita.configb"), task("/lone.main2.gita.configb")]);
    let run = world.check(&["--json"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let found = run.of("lone.main");
    assert_eq!(
        (&found["path"], &found["seen"]),
        (&json!("tasks"), &json!({ "healthy_tasks": { "known": 1 } }))
    );
    assert!(world.server.asked().iter().all(|path| path == "/v2/tasks"), "only who is needed is asked");
    for away in [Answer::Status(503), Answer::Says("<html>".to_owned())] {
        world.server.answer("/v2/tasks", away);
        unknown(&world, &[], "nothing could be told of 1 instances that are judged by their tasks");
    }
    world.set(json!({ "marathon_servers": [] }));
    unknown(&world, &[], "names no Marathon server");
}

#[test]
fn what_cannot_be_read_hinders_nobody_and_is_no_success() {
    let world = world();
    world.file("soa/bad/marathon-prod.yaml", "main: {");
    world.instance("odd.main", "{instances: many}", Some(""));
    let run = world.check(&["--json"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(run.of("web.main")["word"], "OK");
    let failed: Vec<_> = run.lines("failed").iter().map(|line| line["service"].clone()).collect();
    assert_eq!(failed, ["bad", "odd"]);
    assert!(run.talk.contains("odd/marathon-prod.yaml:1:"), "{}", run.talk);
    unknown(&world, &["odd.main"], "none could be read");
    unknown(&world, &["nobody.main"], "none could be read");
    // Wrong usage is no verdict.
    for wrong in [&["web"][..], &["--crit", "200"], &["--nonsense"]] {
        let run = world.check(wrong);
        assert_eq!(run.code, Some(3), "{run:?}");
        assert!(run.out.is_empty() && run.talk.contains("error: "), "{run:?}");
    }
    assert_eq!(world.check(&["--help"]).code, Some(0));
    std::fs::remove_dir_all(world.path("soa")).unwrap();
    unknown(&world, &[], "UNKNOWN: could not read soa-configs");
}
