//! Verdicts about copies, against those of PaaSTA 0.99 over the same cluster. A line of the fixture is an instance: what it
//! should have, and what was counted (`counts` per location) or seen (`tasks`: app, start, results).

#![expect(clippy::unwrap_used, reason = "a fixture that is not as it should be fails the test")]

use std::collections::BTreeMap;

use paasta_core::{AppId, CheckStatus, InstanceId, Reading, Timestamp};
use paasta_monitoring::{
    Check, Copies, CountedTask, HealthyTasks, Limits, Replication, Totals, available_tasks, overall,
};
use serde_json::Value;

/// Fewer copies than locations: the original can never alert about these (docs/differences.md).
const MENDED: [&str; 2] = ["share-core.canary", "video.main"];

fn lines() -> Vec<Value> {
    include_str!("fixtures/replication.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn copies(line: &Value) -> Copies {
    let instance = line["instance"].as_str().unwrap().parse().unwrap();
    let expected = line["expected"].as_u64().unwrap();
    Copies { instance, expected, threshold: line["threshold"].as_f64().unwrap() }
}

fn by_load_balancers(line: &Value) -> CheckStatus {
    let counts = line["counts"].as_object().unwrap();
    let locations =
        counts.iter().map(|(name, count)| (name.clone(), Reading::Known(count.as_u64().unwrap())));
    let observed = BTreeMap::from([("Smartstack".to_owned(), Reading::Known(locations.collect()))]);
    Replication::decide(&copies(line), &observed).status
}

fn by_tasks(line: &Value, now: Timestamp) -> CheckStatus {
    let task = |task: &Value| CountedTask {
        app: AppId::new(format!("{}.git0.config0", task[0].as_str().unwrap())),
        started_at: task[1].as_str().map(|text| text.parse().unwrap()),
        results: task[2].as_array().unwrap().iter().map(|alive| alive.as_bool().unwrap()).collect(),
    };
    let tasks: Vec<CountedTask> = line["tasks"].as_array().unwrap().iter().map(task).collect();
    let instance: InstanceId = line["instance"].as_str().unwrap().parse().unwrap();
    HealthyTasks::decide(&copies(line), &available_tasks(&instance, &tasks, now)).status
}

#[test]
fn verdicts_are_those_of_the_original() {
    let lines = lines();
    let (head, instances) = lines.split_first().unwrap();
    let now: Timestamp = head["now"].as_str().unwrap().parse().unwrap();
    let (mut totals, mut as_ever) = (Totals::default(), Totals::default());
    let mut differing = Vec::new();
    for line in instances {
        let well = if line["well"].as_bool().unwrap() { CheckStatus::Ok } else { CheckStatus::Critical };
        let ours = match line.get("counts") {
            Some(_) => by_load_balancers(line),
            None => by_tasks(line, now),
        };
        if line.get("counts").is_some() {
            totals.add(ours);
            as_ever.add(well);
        }
        if ours != well {
            differing.push(line["instance"].as_str().unwrap());
        }
    }
    assert_eq!(differing, MENDED);
    let expected = &head["summary"];
    assert_eq!(as_ever.bad, expected["bad"].as_u64().unwrap());
    assert_eq!(as_ever.bad + as_ever.good, expected["total"].as_u64().unwrap());
    assert_eq!(
        u64::from(overall(totals, Limits::default()).status.code()),
        expected["exit"].as_u64().unwrap()
    );
    assert_eq!(
        u64::from(overall(as_ever, Limits::default()).status.code()),
        expected["exit"].as_u64().unwrap()
    );
}
