//! Services with their tags, and the file that the original wrote for each, byte for byte.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::sync::Arc;

use paasta_config::{Memory, Soa, SystemConfig};
use paasta_core::GitSha;
use paasta_deployments::{RemoteRef, control_branches, generate};
use serde_json::{Value, json};

/// What the original does with a dot in a group's name selects other tags (docs/differences.md): such cases show only
/// that ours is read at all.
const CASES_WITH_OTHER_TAGS_MAX: usize = 50;

#[test]
fn the_bytes_of_the_original() {
    let cases = include_str!("fixtures/deployments.jsonl").lines();
    let cases: Vec<Value> = cases.map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut compared = 0;
    for case in &cases {
        let text = generated(case);
        if case["groups_match_literally"] == json!(false) {
            assert_eq!(text, case["text"].as_str().unwrap(), "case {}", case["case"]);
            compared += 1;
        }
    }
    assert!(compared >= cases.len() - CASES_WITH_OTHER_TAGS_MAX, "{compared} of {}", cases.len());
}

fn generated(case: &Value) -> String {
    let service = case["service"].as_str().unwrap();
    let mut tree = Memory::new();
    for (name, text) in case["files"].as_object().unwrap() {
        tree = tree.with(format!("{service}/{name}"), text.as_str().unwrap());
    }
    let system = json!({"clusters": case["clusters"]}).to_string();
    let system = SystemConfig::from_json(&system).unwrap();
    let found = control_branches(&Soa::new(Arc::new(tree)), &system, &service.parse().unwrap()).unwrap();
    assert!(found.left_out.is_empty(), "case {}: {:?}", case["case"], found.left_out);
    let refs: Vec<RemoteRef> = case["refs"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|line| advertised(line.as_str().unwrap()))
        .collect();
    generate(service, &found.branches, &refs).to_text()
}

/// The original takes an annotated tag's own sha, so what is behind one is left out here.
fn advertised(line: &str) -> Option<RemoteRef> {
    let (sha, name) = line.split_once(' ').unwrap();
    (!name.ends_with("^{}")).then(|| RemoteRef::new(name, GitSha::new(sha).unwrap()))
}
