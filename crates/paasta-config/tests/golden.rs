//! Settings of instances as the original resolves them, against our getters.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;

use paasta_config::{
    BounceHealthParams, DesiredState, LoadError, Map, Node, Soa, SystemConfig, Value, Wanted, parse_json,
};
use paasta_core::Reading;
use serde_json::{Value as Json, json};

#[test]
fn settings_agree_with_the_original() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let (mut compared, mut differences) = (0, Vec::new());
    for cluster in ["norcal-devc", "westcoast-prod"] {
        let corpus = fixtures.join("corpus");
        let lines = std::fs::read_to_string(fixtures.join(format!("apps-{cluster}.jsonl"))).unwrap();
        compared += compare(&corpus, cluster, &lines, &mut differences);
    }
    assert!(compared >= 30, "{compared}");
    assert!(differences.is_empty(), "{differences:#?}");
}

/// Compares every line, and gives back how many there were.
fn compare(corpus: &Path, cluster: &str, lines: &str, differences: &mut Vec<String>) -> usize {
    let soa = Soa::open(corpus.join("soa")).cached();
    let system = SystemConfig::load(corpus.join("etc").join(cluster)).unwrap();
    let counts = parse_json(&std::fs::read(corpus.join("zk.json")).unwrap(), "zk.json").unwrap();
    let counts = counts.as_map().unwrap().get(cluster).unwrap().as_map().unwrap();
    let mut compared = 0;
    for line in lines.lines() {
        let line: Json = serde_json::from_str(line).unwrap();
        let Some(instance) = line["instance"].as_str() else { continue };
        compared += 1;
        let name = format!("{}.{instance}", line["service"].as_str().unwrap());
        let ours = ours(&soa, &system, &name, counts);
        match (line["error_stage"].as_str(), ours) {
            (Some("load"), Err(error)) => {
                let class = line["error"].as_str().unwrap();
                if error.class() != class {
                    differences.push(format!(
                        "{name}: the original says {class}, we say {}: {error}",
                        error.class()
                    ));
                }
            }
            // What is refused on formatting may be refused on loading.
            (Some(_), Err(_)) => {}
            (None, Err(error)) => differences.push(format!("{name}: refused: {error}")),
            (Some("load"), Ok(_)) => {
                differences.push(format!("{name}: accepted; the original says {}", line["error"]))
            }
            (_, Ok(ours)) => differ(&name, &line["settings"], &ours, differences),
        }
    }
    compared
}

fn differ(name: &str, theirs: &Json, ours: &Json, differences: &mut Vec<String>) {
    let Some(theirs) = theirs.as_object() else { return };
    for (key, value) in theirs {
        let mut value = value.clone();
        if key == "bounce_health_params" {
            // The original keeps what was given; we resolve it.
            value.as_object_mut().unwrap().retain(|_, value| value != false);
            value["min_task_uptime"] = json!(value["min_task_uptime"].as_f64());
            value.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        }
        let equal = match (value.as_f64(), ours[key].as_f64()) {
            (Some(a), Some(b)) => a == b,
            _ => value == ours[key],
        };
        if !equal && ours[key] != json!("refused") {
            differences.push(format!("{name}: {key}: {value} in the original, {} here", ours[key]));
        }
    }
}

fn ours(soa: &Soa, system: &SystemConfig, name: &str, counts: &Map) -> Result<Json, LoadError> {
    let id = name.parse()?;
    let path = format!("/autoscaling/{}/instances", name.replacen('.', "/", 1));
    let count = counts.get(&path).and_then(|node| match node.value {
        Value::Int(count) => Some(count),
        _ => None,
    });
    let wanted = soa.wanted(&id, system, Reading::Known(count))?;
    assert_eq!(wanted.instance().autoscaling_path(), path);
    Ok(settings(&wanted))
}

fn settings(wanted: &Wanted) -> Json {
    let config = wanted.instance();
    let count = config.instance_count(&wanted.autoscaled_count).ok();
    json!({
        "bounce_health_params": shown(config.bounce_health_params().map(|params| health_params(&params))),
        "bounce_margin_factor": shown(config.bounce_margin_factor()),
        "bounce_method": shown(config.bounce_method()),
        "bounce_start_deadline": shown(config.bounce_start_deadline()),
        "deploy_group": shown(config.deploy_group()),
        "desired_state": if wanted.deployment.desired_state == DesiredState::Start { "start" } else { "stop" },
        "drain_method": shown(config.drain_method()),
        "drain_method_params": shown(config.drain_method_params().map(|params| json_of(&Node::new(Value::Map(params))))),
        "force_bounce": wanted.deployment.force_bounce,
        "instances": count.map_or(json!("refused"), |count| json!(count.known())),
        "monitoring": shown(config.monitoring().map(|map| map.map_or(json!({}), |map| json_of(&Node::new(Value::Map(map.clone())))))),
        "nerve_ns": config.nerve_namespace().unwrap_or_default(),
        "registrations": shown(config.registrations()),
        "replication_crit_percentage": shown(config.replication_threshold()),
    })
}

fn shown<T: serde::Serialize>(value: Result<T, paasta_config::SettingError>) -> Json {
    value.map_or(json!("refused"), |value| json!(value))
}

fn health_params(params: &BounceHealthParams) -> Json {
    let mut map = serde_json::Map::new();
    if params.check_haproxy {
        map.insert("check_haproxy".to_owned(), json!(true));
    }
    if let Some(seconds) = params.min_task_uptime {
        map.insert("min_task_uptime".to_owned(), json!(seconds));
    }
    if params.haproxy_min_fraction_up < 1.0 {
        map.insert("haproxy_min_fraction_up".to_owned(), json!(params.haproxy_min_fraction_up));
    }
    Json::Object(map)
}

fn json_of(node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Bool(b) => json!(b),
        Value::Int(i) => json!(i),
        Value::Float(f) => json!(f),
        Value::Bytes(bytes) => json!(bytes),
        Value::BigInt(text) | Value::String(text) | Value::Date(text) => json!(text),
        Value::List(list) | Value::Tuple(list) => list.iter().map(json_of).collect(),
        Value::Map(map) | Value::Set(map) => map
            .iter()
            .map(|(key, value)| (key.as_str().unwrap_or_default().to_owned(), json_of(value)))
            .collect(),
    }
}
