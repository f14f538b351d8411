//! Wanted instances from JSON.

use std::collections::BTreeMap;
use std::sync::Arc;

use paasta_config::{DeploymentRecord, DesiredState, Map, Node, Value, Wanted};
use paasta_core::{ClusterName, InstanceId, Reading};

/// A JSON value as a node; `1` and `1.0` stay apart.
pub(crate) fn node(json: &serde_json::Value) -> Node {
    Node::new(match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(b) => Value::Bool(*b),
        serde_json::Value::Number(number) => {
            let text = number.to_string();
            if text.contains(['.', 'e', 'E']) {
                Value::Float(text.parse().unwrap())
            } else {
                text.parse().map(Value::Int).unwrap_or(Value::BigInt(text))
            }
        }
        serde_json::Value::String(text) => Value::String(text.clone()),
        serde_json::Value::Array(items) => Value::List(items.iter().map(node).collect()),
        serde_json::Value::Object(_) => Value::Map(map(json)),
    })
}

/// A JSON object as a map.
pub(crate) fn map(json: &serde_json::Value) -> Map {
    json.as_object().unwrap().iter().map(|(key, value)| (Node::text(key), node(value))).collect()
}

/// A wanted instance from an object with `service`, `instance`, `cluster`, `settings`, `system`, `namespace`,
/// `deployment`, `autoscaled_count`, `secret_signatures`.
pub(crate) fn wanted(json: &serde_json::Value) -> Wanted {
    let text = |json: &serde_json::Value| json.as_str().unwrap().to_owned();
    let deployment = &json["deployment"];
    let id: InstanceId = format!("{}.{}", text(&json["service"]), text(&json["instance"])).parse().unwrap();
    let signatures: BTreeMap<String, Option<String>> = json["secret_signatures"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(key, value)| (key.clone(), value.as_str().map(str::to_owned)))
        .collect();
    Wanted {
        id,
        cluster: ClusterName::new(text(&json["cluster"])).unwrap(),
        settings: map(&json["settings"]),
        deployment: DeploymentRecord {
            docker_image: text(&deployment["docker_image"]),
            git_sha: String::new(),
            desired_state: match deployment["desired_state"].as_str() {
                Some("start") => DesiredState::Start,
                _ => DesiredState::Stop,
            },
            force_bounce: deployment["force_bounce"].as_str().map(str::to_owned),
        },
        namespace: map(&json["namespace"]),
        system: Arc::new(map(&json["system"])),
        autoscaled_count: Reading::Known(json["autoscaled_count"].as_i64()),
        secret_signatures: signatures,
    }
}
