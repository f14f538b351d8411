//! Which keys a Marathon instance has, and what each may hold (config.md §8.3).

use super::Finding;
use crate::setting::SettingError;
use crate::setting::number as as_number;
use crate::soa::close_matches;
use crate::{Map, Node, Value};

/// What a value may be. Booleans are no numbers here.
enum Rule {
    Text,
    Texts,
    Words(&'static [&'static str]),
    /// Above this.
    Above(f64),
    /// This or above.
    AtLeast(f64),
    Number,
    Fraction,
    /// An integer between, both included.
    Integer(i64, i64),
    Map,
    TextMap,
    Environment,
    List,
    Lists,
    Maps,
}

/// Every key of a Marathon instance, by name.
const KEYS: &[(&str, Rule)] = &[
    ("args", Rule::Texts),
    ("autoscaling", Rule::Map),
    ("backoff_factor", Rule::Integer(i64::MIN, i64::MAX)),
    ("bounce_health_params", Rule::Map),
    ("bounce_margin_factor", Rule::Fraction),
    ("bounce_method", Rule::Text),
    ("bounce_priority", Rule::Integer(i64::MIN, i64::MAX)),
    ("bounce_start_deadline", Rule::Number),
    ("cap_add", Rule::Texts),
    ("cfs_period_us", Rule::Integer(1_000, 1_000_000)),
    ("cmd", Rule::Text),
    ("constraints", Rule::Lists),
    ("container_port", Rule::Number),
    ("cpu_burst_add", Rule::AtLeast(0.0)),
    ("cpus", Rule::Above(0.0)),
    ("dependencies_reference", Rule::Text),
    ("deploy_blacklist", Rule::List),
    ("deploy_group", Rule::Text),
    ("deploy_whitelist", Rule::List),
    ("disk", Rule::Above(0.0)),
    ("drain_method", Rule::Text),
    ("drain_method_params", Rule::Map),
    ("env", Rule::Environment),
    ("extra_constraints", Rule::Lists),
    ("extra_docker_args", Rule::TextMap),
    ("extra_volumes", Rule::Maps),
    ("gpus", Rule::Integer(0, i64::MAX)),
    ("healthcheck_cmd", Rule::Text),
    ("healthcheck_grace_period_seconds", Rule::Number),
    ("healthcheck_interval_seconds", Rule::Number),
    ("healthcheck_max_consecutive_failures", Rule::Integer(i64::MIN, i64::MAX)),
    ("healthcheck_mode", Rule::Words(&["cmd", "http", "https", "tcp"])),
    ("healthcheck_timeout_seconds", Rule::Number),
    ("healthcheck_uri", Rule::Text),
    ("host_port", Rule::Integer(0, 65_535)),
    ("instances", Rule::Integer(0, i64::MAX)),
    ("marathon_shard", Rule::Integer(0, i64::MAX)),
    ("max_instances", Rule::Integer(0, i64::MAX)),
    ("max_launch_delay_seconds", Rule::Integer(i64::MIN, i64::MAX)),
    ("mem", Rule::Above(32.0)),
    ("min_instances", Rule::Integer(0, i64::MAX)),
    ("monitoring", Rule::Map),
    ("net", Rule::Text),
    ("pool", Rule::Text),
    ("previous_marathon_shards", Rule::List),
    ("registrations", Rule::Texts),
    ("replication_threshold", Rule::Integer(0, i64::MAX)),
    ("security", Rule::Map),
    ("sfn_autoscaling", Rule::Map),
];

/// Checks every instance block of a file by itself.
pub(super) fn check_file(file: &str, map: &Map, findings: &mut Vec<Finding>) {
    if map.is_empty() {
        findings.push(Finding::whole(file.to_owned(), "empty-file", "the file holds no instance".to_owned()));
    }
    for (key, value) in map.iter() {
        let Some(name) = key.as_str() else {
            let message = format!("the instance name is {}, not a string", key.kind());
            findings
                .push(Finding::of_node(key, file, "instance-name", message).with_hint("Put it in quotes."));
            continue;
        };
        let template = name.starts_with('_');
        if !template && !is_instance_name(name) {
            let message = format!("`{name}` cannot be an instance name");
            let hint = "Use lower-case letters, digits, `_` and `-`, with a letter or digit at both ends.";
            findings.push(Finding::of_node(key, file, "instance-name", message).with_hint(hint));
        }
        match value.as_map() {
            None => {
                let message = format!("{name}: {} is not a map of settings", value.kind());
                findings.push(Finding::of_node(value, file, "type", message));
            }
            Some(settings) if !template => check_instance(name, value, settings, file, findings),
            Some(_) => {}
        }
    }
}

fn check_instance(name: &str, node: &Node, settings: &Map, file: &str, findings: &mut Vec<Finding>) {
    if settings.is_empty() {
        let message = format!("{name}: the instance has no settings");
        findings.push(Finding::of_node(node, file, "empty-instance", message));
    }
    for (key, value) in settings.iter() {
        let text = key.as_str().unwrap_or_default();
        let Some((_, rule)) = KEYS.iter().find(|(known, _)| *known == text) else {
            findings.push(unknown(name, key, file));
            continue;
        };
        if let Some((node, expected)) = rule.refuse(value) {
            let error = SettingError {
                position: None,
                ..SettingError::new(format!("{name}.{text}"), node, expected)
            };
            let node = if node.position.is_some() { node } else { value };
            findings.push(Finding::of_node(node, file, "type", error.to_string()));
        }
    }
}

fn unknown(name: &str, key: &Node, file: &str) -> Finding {
    let shown = key.as_str().map_or_else(|| format!("{key:?}"), str::to_owned);
    let finding = Finding::of_node(key, file, "unknown-key", format!("{name}.{shown}: there is no such key"));
    match close_matches(&shown, KEYS.iter().map(|(known, _)| *known)).first() {
        Some(close) => finding.with_hint(format!("Did you mean `{close}`?")),
        None => finding,
    }
}

fn is_instance_name(name: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    let outer = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = name.as_bytes();
    bytes.iter().all(|b| inner(*b)) && outer(bytes.first()) && outer(bytes.last())
}

impl Rule {
    /// What of `node` does not fit, and what would.
    fn refuse<'a>(&self, node: &'a Node) -> Option<(&'a Node, String)> {
        let whole = |fits: bool, expected: &str| (!fits).then(|| (node, expected.to_owned()));
        match self {
            Self::Text => whole(is_text(node), "a string"),
            Self::Words(words) => {
                let fits = node.as_str().is_some_and(|text| words.contains(&text));
                whole(fits, &format!("one of `{}`", words.join("`, `")))
            }
            Self::Above(min) => {
                whole(number(node).is_some_and(|n| n > *min), &format!("a number above {min}"))
            }
            Self::AtLeast(min) => {
                whole(number(node).is_some_and(|n| n >= *min), &format!("a number of at least {min}"))
            }
            Self::Number => whole(number(node).is_some(), "a number"),
            Self::Fraction => {
                whole(number(node).is_some_and(|n| n > 0.0 && n <= 1.0), "a number above 0 and at most 1")
            }
            Self::Integer(min, max) => {
                let fits = match &node.value {
                    Value::Int(i) => (min..=max).contains(&i),
                    Value::BigInt(digits) => {
                        *max == i64::MAX && (!digits.starts_with('-') || *min == i64::MIN)
                    }
                    _ => false,
                };
                whole(fits, &integer_between(*min, *max))
            }
            Self::Map => whole(node.as_map().is_some(), "a map"),
            Self::List => whole(node.as_list().is_some(), "a list"),
            Self::Texts => in_list(node, is_text, "a list of strings"),
            Self::Lists => in_list(node, |item| item.as_list().is_some(), "a list of lists"),
            Self::Maps => in_list(node, |item| item.as_map().is_some(), "a list of maps"),
            Self::TextMap => {
                in_map(node, |_, value| is_text(value), "a map of strings; put the value in quotes")
            }
            Self::Environment => in_map(
                node,
                |key, value| is_variable(key) && is_text(value),
                "a map of variable names to strings; put the value in quotes",
            ),
        }
    }
}

fn is_text(node: &Node) -> bool {
    node.as_str().is_some()
}

fn number(node: &Node) -> Option<f64> {
    as_number(node).filter(|_| !matches!(node.value, Value::Bool(_)))
}

fn integer_between(min: i64, max: i64) -> String {
    match (min, max) {
        (i64::MIN, _) => "an integer".to_owned(),
        (_, i64::MAX) => format!("an integer of at least {min}"),
        _ => format!("an integer between {min} and {max}"),
    }
}

fn in_list<'a>(node: &'a Node, fits: impl Fn(&Node) -> bool, expected: &str) -> Option<(&'a Node, String)> {
    match node.as_list() {
        Some(list) => list.iter().find(|item| !fits(item)).map(|item| (item, format!("part of {expected}"))),
        None => Some((node, expected.to_owned())),
    }
}

fn in_map<'a>(
    node: &'a Node,
    fits: impl Fn(&Node, &Node) -> bool,
    expected: &str,
) -> Option<(&'a Node, String)> {
    match node.as_map() {
        Some(map) => {
            map.iter().find(|(k, v)| !fits(k, v)).map(|(_, value)| (value, format!("part of {expected}")))
        }
        None => Some((node, expected.to_owned())),
    }
}

fn is_variable(key: &Node) -> bool {
    let Some(name) = key.as_str() else { return false };
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::KEYS;

    #[test]
    fn keys_are_sorted() {
        assert!(KEYS.is_sorted_by_key(|(key, _)| key));
    }
}
