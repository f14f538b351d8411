//! Two whole generated soa-configs trees in two clusters each: every app id, body and shard is the original's, every
//! refusal is one of its own.

#![expect(clippy::unwrap_used, reason = "a test stops where something is missing")]

use std::fmt::Write as _;
use std::sync::Arc;

use md5::{Digest, Md5};
use paasta_config::{InstanceType, Memory, Soa, SystemConfig};
use paasta_core::{InstanceId, Reading, ServiceName};
use paasta_marathon::{AppRendering, MarathonRenderer, render_app};
use serde_json::Value;

#[test]
fn every_plain_instance_renders_as_the_original() {
    check(include_str!("fixtures/golden/clean.json"), 200, &[]);
}

#[test]
fn every_odd_instance_renders_or_fails_as_the_original() {
    // The original interpolates `a}}b` twice, and stops at a null that reads as empty here.
    let lenient = ["biz-checkout-notify.api_v2", "review_order.batch_1"];
    check(include_str!("fixtures/golden/nasty.json"), 200, &lenient);
}

fn check(golden: &str, instances_min: usize, lenient: &[&str]) {
    let golden: Value = serde_json::from_str(golden).unwrap();
    let mut tree = Memory::new();
    for (path, content) in golden["soa"].as_object().unwrap() {
        tree.insert(path.as_str(), content.as_str().unwrap());
    }
    let soa = Soa::new(Arc::new(tree)).cached();
    let mut differences = Vec::new();
    let mut accepted = Vec::new();
    let apps = golden["apps"].as_array().unwrap();
    assert!(apps.len() >= instances_min);
    for expected in apps {
        let cluster = expected["cluster"].as_str().unwrap();
        let system = SystemConfig::from_json(&golden["etc"][cluster].to_string()).unwrap();
        let got = outcome(&soa, &system, &golden["counts"][cluster], expected);
        let name = format!(
            "{}.{}",
            expected["service"].as_str().unwrap(),
            expected["instance"].as_str().unwrap_or("*")
        );
        match judge(&got, expected) {
            Verdict::Same => {}
            Verdict::Accepted => accepted.push(name),
            Verdict::Differs => differences.push(format!("{name}: {got:?}\n  expected {expected}")),
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    accepted.dedup();
    assert_eq!(accepted, lenient);
}

#[derive(Debug)]
struct Got {
    app: AppRendering,
    shards: (Option<usize>, Option<Vec<usize>>),
}

fn outcome(soa: &Soa, system: &SystemConfig, counts: &Value, expected: &Value) -> Result<Got, String> {
    let service: ServiceName = expected["service"].as_str().unwrap().parse().unwrap();
    let Some(instance) = expected["instance"].as_str() else {
        let listed = soa.instances(&service, &system.cluster().unwrap(), InstanceType::Marathon);
        let error = listed.expect_err("the original cannot list this service");
        return Err(error.to_string());
    };
    let id = InstanceId::new(service, instance.parse().unwrap());
    let path = format!("/autoscaling/{}/{}/instances", id.service(), id.instance());
    let count = Reading::Known(counts[&path].as_i64());
    let wanted = soa.wanted(&id, system, count).map_err(|error| error.to_string())?;
    let app = render_app(&wanted).map_err(|error| {
        assert!(error.position.is_some(), "{id}: {error} names no place");
        error.to_string()
    })?;
    let renderer = MarathonRenderer::from_system(system.map()).unwrap();
    let shard = renderer.shard(&wanted).ok();
    // The original looks for the previous ones only once it has the current one.
    let previous = shard.and_then(|_| renderer.previous_shards(&wanted).ok());
    Ok(Got { app, shards: (shard, previous) })
}

enum Verdict {
    Same,
    Accepted,
    Differs,
}

fn judge(got: &Result<Got, String>, expected: &Value) -> Verdict {
    let refused = expected["error"].is_string();
    match got {
        Err(_) if refused || expected["post_error"].is_string() => Verdict::Same,
        Err(_) => Verdict::Differs,
        Ok(_) if refused => Verdict::Accepted,
        Ok(got) => {
            let id = expected["app_id"] == got.app.app.as_str();
            let body = expected["body_md5"].is_null() || expected["body_md5"] == md5(&got.app.body);
            let shard = expected["shard"].as_u64() == got.shards.0.map(|shard| shard as u64);
            let previous: Option<Vec<usize>> = expected["prev_shards"]
                .as_array()
                .map(|shards| shards.iter().map(|shard| shard.as_u64().unwrap() as usize).collect());
            if id && body && shard && previous == got.shards.1 { Verdict::Same } else { Verdict::Differs }
        }
    }
}

fn md5(text: &str) -> String {
    Md5::digest(text).iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}
