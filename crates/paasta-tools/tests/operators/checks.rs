//! The checks that ask Marathon, over engines that are driven as Marathons are.

use serde_json::{Value, json};

use crate::world::{Run, World};

const CHECK: &str = "check_marathon_services_replication";

fn of<'a>(lines: &'a [Value], instance: &str) -> &'a Value {
    lines.iter().find(|line| line["instance"] == instance).unwrap_or_else(|| panic!("{lines:?}"))
}

fn lines(run: &Run) -> Vec<Value> {
    run.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn young_tasks_do_not_count_yet_and_a_lost_marathon_is_not_one_without_tasks() {
    let world = World::running().await;
    world.set(json!({ "sensu_host": null }));
    let run = world.run(CHECK, &["--json"]).await;
    // As ever, those that are judged by their tasks alert by themselves.
    assert_eq!(run.code, Some(0), "{}", run.talk);
    let told = lines(&run);
    let main = of(&told, "web.main");
    assert_eq!((&main["path"], &main["word"]), (&json!("tasks"), &json!("CRITICAL")), "{main}");
    assert_eq!(main["seen"], json!({ "healthy_tasks": { "known": 0 } }), "they have not run for a minute");
    let apps = world.run_bare("check_marathon_has_apps", &[]).await;
    assert!(apps.code == Some(0) && apps.out.contains("OK: marathon apps: 4"), "{}{}", apps.out, apps.talk);
    let health = world.run_bare("paasta_metastatus", &["-v"]).await;
    let texts = ["Mesos is not configured here", "marathon apps:          4", "marathon tasks:         5"];
    assert!(texts.iter().all(|text| health.out.contains(text)), "{}{}", health.out, health.talk);
    assert_eq!(health.code, Some(0), "{}", health.out);

    let (urls, free) = (world.urls(), "http://127.0.0.1:1".to_owned());
    let server = |url: &String| json!({ "url": [url], "user": "", "password": "" });
    world.set(json!({ "sensu_host": null, "marathon_servers": [server(&urls[0]), server(&free)] }));
    let run = world.run(CHECK, &["--json"]).await;
    assert_eq!(run.code, Some(3), "{}", run.out);
    let told = lines(&run);
    for instance in crate::world::INSTANCES {
        let found = of(&told, instance);
        assert_eq!((&found["word"], &found["event"]), (&json!("UNKNOWN"), &Value::Null), "{found}");
        assert!(!found["output"].as_str().unwrap().contains("0/"), "{found}");
    }
    world.end().await;
}
