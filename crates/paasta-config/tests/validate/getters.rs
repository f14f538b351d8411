//! The tables of validation against the getters of instances: neither knows a key that the other lacks.

use std::collections::BTreeSet;
use std::path::Path;

use paasta_config::{Memory, Soa, json_schema};

/// Keys of the tables that nobody reads, as in the original.
const UNREAD: &[&str] = &["bounce_priority", "sfn_autoscaling"];

/// Keys that getters read although the tables refuse them in a file, as the original's schemas do: they may stand in
/// service.yaml, or were taken once.
const UNSPEAKABLE: &[&str] = &["accepted_resource_roles", "dependencies", "new_autoscaling", "nerve_ns"];

/// Texts in the getters' code that are no keys of instances: values, and members of maps.
const WORDS: &[&str] = &[
    "allow",
    "block",
    "bridge",
    "brutal",
    "check_haproxy",
    "cidr",
    "crossover",
    "decision_policy",
    "default",
    "delay",
    "downthenup",
    "hacheck",
    "haproxy_min_fraction_up",
    "http",
    "https",
    "inbound_firewall",
    "internet",
    "kiam",
    "main",
    "mesos_cpu",
    "metrics_provider",
    "min_task_uptime",
    "monitor",
    "noop",
    "outbound_firewall",
    "port",
    "proportional",
    "reject",
    "setpoint",
    "smartstack",
    "tcp",
    "team",
];

#[test]
fn every_key_of_a_getter_is_in_the_tables_and_the_other_way_round() {
    let read = literals();
    let kinds = ["marathon", "adhoc", "kubernetes", "autotuned"];
    let known: BTreeSet<String> = kinds.into_iter().flat_map(keys).collect();
    for key in &read {
        let told = known.contains(key) || UNSPEAKABLE.contains(&&**key) || WORDS.contains(&&**key);
        assert!(told, "a getter reads `{key}`: add it to the tables in src/validate, or to a list here");
    }
    for key in &known {
        let told = read.contains(key) || UNREAD.contains(&&**key);
        assert!(told, "no getter reads `{key}` of the tables: add one, or tell here that nobody does");
    }
    assert!(UNREAD.iter().all(|key| known.contains(*key) && !read.contains(*key)));
    assert!(UNSPEAKABLE.iter().all(|key| read.contains(*key) && !known.contains(*key)));
    assert!(WORDS.iter().all(|word| read.contains(*word) && !known.contains(*word)));
}

#[test]
fn the_tables_of_other_kinds_share_their_keys_with_marathon_or_are_theirs_alone() {
    let marathon = keys("marathon");
    let alone = |kind: &str| keys(kind).difference(&marathon).cloned().collect::<Vec<_>>();
    assert_eq!(alone("adhoc"), ["role"]);
    assert_eq!(alone("autotuned"), ["sidecar_resource_requirements"]);
    assert!(alone("kubernetes").contains(&"node_selectors".to_owned()));
}

/// The keys of one kind's blocks, from its schema.
fn keys(kind: &str) -> BTreeSet<String> {
    let schema = json_schema(kind).unwrap();
    let blocks = schema["patternProperties"].as_object().unwrap().values();
    let keys = blocks.filter_map(|block| block["properties"].as_object()).flatten();
    keys.map(|(key, _)| key.clone()).collect()
}

/// Every text in the getters' code that could be a key.
fn literals() -> BTreeSet<String> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = vec![src.join("instance.rs")];
    files.extend(std::fs::read_dir(src.join("instance")).unwrap().map(|entry| entry.unwrap().path()));
    let mut found = BTreeSet::from(["deploy_group".to_owned()]);
    for file in files {
        let text = std::fs::read_to_string(file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
            let quoted = line.split('"').skip(1).step_by(2);
            let is_key = |text: &&str| {
                text.len() > 2
                    && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            };
            found.extend(quoted.filter(is_key).map(str::to_owned));
        }
    }
    found
}

#[test]
fn what_a_job_may_say_of_monitoring_is_what_reaches_tron() {
    let schema = json_schema("tron").unwrap();
    let jobs = &schema["patternProperties"]["^([^_]|$)"]["properties"];
    let keys = jobs["monitoring"]["properties"].as_object().unwrap().keys();
    let mut known: Vec<String> = keys.cloned().collect();
    let all: String = known.iter().map(|key| format!("{key}: x\n")).collect();
    let tree = Memory::new()
        .with("svc/monitoring.yaml", all + "notes: x\n")
        .with("svc/tron-c.yaml", "report: {schedule: daily, actions: {}}");
    let jobs = Soa::new(std::sync::Arc::new(tree)).tron_jobs(&"svc".parse().unwrap(), &"c".parse().unwrap());
    let jobs = jobs.unwrap();
    let taken = jobs.first().unwrap().monitoring.iter().map(|(key, _)| key.as_str().unwrap().to_owned());
    let mut taken: Vec<String> = taken.collect();
    taken.sort();
    known.sort();
    assert_eq!(taken, known);
}
