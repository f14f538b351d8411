//! A few services of a generated soa-configs tree, rendered as the original rendered them.

#![expect(clippy::unwrap_used, reason = "a test stops where something is missing")]

use std::path::Path;

use paasta_config::{Soa, SystemConfig};
use paasta_core::{InstanceId, Reading};
use paasta_marathon::{AppRendering, MarathonRenderer, render_app};
use serde_json::Value;

#[test]
fn plain_services_render_as_the_original() {
    check("clean", 8);
}

#[test]
fn odd_and_broken_settings_render_or_fail_as_the_original() {
    check("nasty", 20);
}

fn check(corpus: &str, instances_min: usize) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/corpus").join(corpus);
    let soa = Soa::open(root.join("soa")).cached();
    let system = SystemConfig::load(root.join("etc")).unwrap();
    let renderer = MarathonRenderer::from_system(system.map()).unwrap();
    let counts: Value = serde_json::from_slice(&std::fs::read(root.join("counts.json")).unwrap()).unwrap();
    let apps = std::fs::read_to_string(root.join("apps.jsonl")).unwrap();
    assert!(apps.lines().count() >= instances_min);
    for line in apps.lines() {
        let expected: Value = serde_json::from_str(line).unwrap();
        let name =
            format!("{}.{}", expected["service"].as_str().unwrap(), expected["instance"].as_str().unwrap());
        let id: InstanceId = name.parse().unwrap();
        let path = format!("/autoscaling/{}/{}/instances", id.service(), id.instance());
        let wanted = soa.wanted(&id, &system, Reading::Known(counts[&path].as_i64()));
        let Ok(wanted) = wanted else {
            assert!(expected["error"].is_string(), "{name}: {wanted:?}");
            continue;
        };
        match render_app(&wanted) {
            Ok(app) => compare(&name, &app, &expected),
            Err(error) => {
                assert!(
                    expected["error"].is_string() || expected["post_error"].is_string(),
                    "{name}: {error}"
                );
                assert!(error.position.is_some(), "{name}: {error} names no place");
            }
        }
        let shard = expected["shard"].as_u64().map(|shard| shard as usize);
        if expected["error"].is_null() {
            assert_eq!(renderer.homes(&wanted).ok().and(renderer.shard(&wanted).ok()), shard, "{name}");
        }
    }
}

fn compare(name: &str, app: &AppRendering, expected: &Value) {
    assert!(expected["error"].is_null(), "{name}: the original fails");
    assert_eq!(app.hash_input, expected["hash_input"].as_str().unwrap(), "{name}");
    assert_eq!(app.app.as_str(), expected["app_id"].as_str().unwrap(), "{name}");
    let body: Value = serde_json::from_str(&app.body).unwrap();
    assert_eq!(body, expected["post_body"], "{name}");
}
