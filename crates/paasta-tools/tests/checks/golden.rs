//! The verdicts of the original, through the program: a cluster made of what it counted.

use std::collections::{BTreeMap, BTreeSet};

use paasta_core::{Clock as _, SystemClock, Timestamp};
use serde_json::{Value, json};

use crate::world::World;

const GOLDEN: &str = include_str!("../../../paasta-monitoring/tests/fixtures/replication.jsonl");
/// Fewer copies than locations: the original can never alert about these (docs/differences.md).
const MENDED: [&str; 2] = ["share-core.canary", "video.main"];

/// As long ago as at the original's time; what was young then stays young however long this takes.
fn moved(started_at: &Value, then: Timestamp) -> Value {
    let Some(text) = started_at.as_str() else { return Value::Null };
    let started: Timestamp = text.parse().unwrap();
    let age = (then.millis() - started.millis()) as f64 / 1000.0;
    let now = SystemClock.now();
    json!(if age <= 60.0 { now.plus_seconds(3600.0) } else { now.plus_seconds(-age) }.to_string())
}

fn tasks(line: &Value, then: Timestamp) -> Vec<Value> {
    let task = |task: &Value| {
        let results = task[2].as_array().unwrap().iter().map(|alive| json!({ "alive": alive }));
        json!({
            "appId": format!("{}.git0.config0", task[0].as_str().unwrap()), "startedAt": moved(&task[1], then),
            "healthCheckResults": results.collect::<Vec<_>>(),
        })
    };
    line["tasks"].as_array().map(|tasks| tasks.iter().map(task).collect()).unwrap_or_default()
}

/// A type of location for each set of locations, and a host in each of them.
fn world_of(instances: &[Value], then: Timestamp) -> World {
    let world = World::new();
    let mut kinds: Vec<BTreeSet<String>> = Vec::new();
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut files: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for line in instances {
        files.entry(line["instance"].as_str().unwrap().split_once('.').unwrap().0).or_default().push(line);
    }
    for (service, lines) in files {
        let (mut yaml, mut smartstack) = (json!({}), json!({}));
        let (mut deployments, mut controls) = (json!({}), json!({}));
        for line in lines {
            let id = line["instance"].as_str().unwrap();
            let name = id.split_once('.').unwrap().1;
            yaml[name] = json!({ "instances": line["expected"], "replication_threshold": line["threshold"] });
            deployments[format!("prod.{name}")] =
                json!({ "docker_image": "services-s:paasta-0", "git_sha": "0" });
            controls[format!("{service}:prod.{name}")] =
                json!({ "desired_state": "start", "force_bounce": null });
            let Some(counts) = line.get("counts").and_then(Value::as_object) else { continue };
            let places: BTreeSet<String> = counts.keys().cloned().collect();
            let kind = kinds.iter().position(|known| *known == places).unwrap_or_else(|| {
                kinds.push(places);
                kinds.len() - 1
            });
            smartstack[name] = json!({ "proxy_port": 20001, "discover": format!("kind{kind}") });
            for (place, count) in counts {
                let states = vec!["UP"; count.as_u64().unwrap() as usize].join(",");
                let table = tables.entry(format!("h{kind}-{place}")).or_default();
                table.push(format!("{id}=DOWN,MAINT,{states}"));
            }
        }
        world.file(&format!("soa/{service}/marathon-prod.yaml"), &yaml.to_string());
        world.file(&format!("soa/{service}/smartstack.yaml"), &smartstack.to_string());
        world.file(&format!("soa/{service}/monitoring.yaml"), "team: t\n");
        let file = json!({ "v2": { "deployments": deployments, "controls": controls } });
        world.file(&format!("soa/{service}/deployments.json"), &file.to_string());
    }
    for (host, table) in &tables {
        world.balancer(host, &table.iter().map(String::as_str).collect::<Vec<_>>());
    }
    let agent = |(kind, place): (usize, &String)| format!("h{kind}-{place} kind{kind}={place}");
    let agents: Vec<String> = kinds
        .iter()
        .enumerate()
        .flat_map(|(kind, places)| places.iter().map(move |place| agent((kind, place))))
        .collect();
    world.agents(&agents.iter().map(String::as_str).collect::<Vec<_>>());
    world.tasks(&instances.iter().flat_map(|line| tasks(line, then)).collect::<Vec<_>>());
    world
}

#[test]
fn the_program_finds_what_the_original_found() {
    let lines: Vec<Value> = GOLDEN.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (head, instances) = lines.split_first().unwrap();
    let world = world_of(instances, head["now"].as_str().unwrap().parse().unwrap());
    let run = world.check(&["--json"]);
    assert_eq!(run.code, head["summary"]["exit"].as_i64().map(|code| code as i32), "{}", run.talk);
    let mut differing = Vec::new();
    for line in instances {
        let id = line["instance"].as_str().unwrap();
        let found = run.of(id);
        let well = if line["well"].as_bool().unwrap() { 0 } else { 2 };
        if found["status"] != well {
            differing.push(id);
        }
        assert_eq!(found["event"]["status"], found["status"], "{found}");
        assert_eq!(found["event"]["name"], format!("check_paasta_services_replication.{id}"));
    }
    assert_eq!(differing, MENDED);
    assert_eq!(run.lines("instance").len(), instances.len());
    let totals = &run.summary()["load_balancers"];
    let (good, bad) = (totals["good"].as_u64().unwrap(), totals["bad"].as_u64().unwrap());
    assert_eq!(Some(good + bad), head["summary"]["total"].as_u64());
    assert_eq!(Some(bad), head["summary"]["bad"].as_u64().map(|bad| bad + MENDED.len() as u64));
}
