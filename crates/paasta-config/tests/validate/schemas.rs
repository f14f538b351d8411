//! The printed schemas against a JSON Schema validator, and both against our own check.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;

use paasta_config::{
    Memory, Node, Severity, Soa, SystemConfig, Value, json_schema, parse_yaml, schema_kinds,
};
use serde_json::{Value as Json, json};

use super::golden::cases;

/// What stands in a file that the schema speaks of.
const RULES: [&str; 8] =
    ["combination", "empty-block", "empty-file", "missing-key", "name", "repeated", "type", "unknown-key"];

const ODD: [&str; 26] = [
    "null",
    "true",
    "0",
    "1",
    "-1",
    "0.0",
    "0.5",
    "1.0",
    "32",
    "33",
    "129",
    "1000",
    "70000",
    "2000000",
    "''",
    "x",
    "http",
    "cmd",
    "crossover",
    "5 min",
    "[]",
    "[a, a]",
    "[[a], [b]]",
    "[{a: b}, {a: b}]",
    "{}",
    "{a: 1}",
];

const BLOCKS: [&str; 14] = [
    "main: {healthcheck_cmd: x}",
    "main: {healthcheck_cmd: x, healthcheck_mode: cmd}",
    "main: {healthcheck_cmd: x, healthcheck_mode: tcp}",
    "main: {healthcheck_mode: cmd}",
    "main: {drain_method: http}",
    "main: {drain_method: http, drain_method_params: {drain: {}, stop_draining: {}, is_draining: {}, is_safe_to_kill: {}}}",
    "main: {drain_method_params: {drain: {}, stop_draining: {}, is_draining: {}, is_safe_to_kill: {}}}",
    "Main: {cpus: 1}",
    "a-: {cpus: 1}",
    "_t: {anything: 1}\nmain: {cpus: 1}",
    "_t: 1",
    "{}",
    "job: {schedule: daily, actions: {a: {command: x}}}",
    "job: {schedule: {type: cron}, actions: [{command: x, name: a-1}], monitoring: {team: x, tips: y}}",
];

fn python() -> bool {
    let asked = Command::new("python3").args(["-c", "import jsonschema"]).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

#[test]
fn printed_schemas_and_our_own_check_agree() {
    if !python() {
        let required = std::env::var("PAASTA_REQUIRE_COMPONENTS").is_ok_and(|value| value == "1");
        assert!(!required, "python3 with the package `jsonschema` is required but missing");
        eprintln!("skipped: python3 with the package `jsonschema` is not installed");
        return;
    }
    let files = files();
    assert!(files.len() > 4_000, "{}", files.len());
    let lines: Vec<String> = files
        .iter()
        .map(|(kind, text)| {
            let value = parse_yaml(text.as_bytes(), "f").unwrap().root;
            json!({"kind": kind, "value": to_json(&value)}).to_string()
        })
        .collect();
    let differ: Vec<String> = files
        .iter()
        .zip(judged(&lines))
        .filter(|((kind, text), theirs)| ours(kind, text) != *theirs)
        .map(|((kind, text), theirs)| format!("{kind}: the schema says {theirs}:\n{text}"))
        .collect();
    assert!(
        differ.is_empty(),
        "{} differ, such as\n{}",
        differ.len(),
        differ[..differ.len().min(5)].join("\n")
    );
}

/// Kinds and texts: those of the golden services, and each key of each kind with odd values.
fn files() -> Vec<(String, String)> {
    let mut files = Vec::new();
    for case in cases() {
        for (name, text) in case["files"].as_object().unwrap() {
            let kind = schema_kinds().find(|kind| name.starts_with(&format!("{kind}-")));
            let text = text.as_str().unwrap();
            // What is no map of texts has no JSON.
            let map = parse_yaml(text.as_bytes(), "f").ok().and_then(|parsed| parsed.root.as_map().cloned());
            if let (Some(kind), true) =
                (kind, map.is_some_and(|map| map.iter().all(|(key, _)| key.as_str().is_some())))
            {
                files.push((kind.to_owned(), text.to_owned()));
            }
        }
    }
    for kind in schema_kinds() {
        files.extend(BLOCKS.map(|text| (kind.to_owned(), text.to_owned())));
        let schema = json_schema(kind).unwrap();
        let blocks = schema["patternProperties"].as_object().unwrap();
        for key in
            blocks.values().filter_map(|block| block["properties"].as_object()).flat_map(|keys| keys.keys())
        {
            for odd in ODD {
                let given = match kind {
                    "tron" if key == "schedule" => format!("{{schedule: {odd}, actions: []}}"),
                    "tron" if key == "actions" => format!("{{schedule: x, actions: {odd}}}"),
                    "tron" => format!("{{schedule: x, actions: [], {key}: {odd}}}"),
                    _ => format!("{{{key}: {odd}}}"),
                };
                files.push((kind.to_owned(), format!("main: {given}")));
            }
        }
    }
    files
}

fn ours(kind: &str, text: &str) -> bool {
    let path = if kind == "autotuned" {
        "s/autotuned_defaults/marathon-c.yaml".to_owned()
    } else {
        format!("s/{kind}-c.yaml")
    };
    let tree = Memory::new().with(path, text).with("s/service.yaml", "");
    // No instance is looked at but by its file.
    let system = SystemConfig::from_json(r#"{"clusters": ["elsewhere"]}"#).unwrap();
    let findings = Soa::new(Arc::new(tree)).validate(&"s".parse().unwrap(), &system, &super::KNOWN);
    let told = |severity| findings.iter().any(|one| one.severity == severity && RULES.contains(&one.rule));
    !(told(Severity::Error) || kind == "autotuned" && told(Severity::Warning))
}

/// What the validator says of each line.
fn judged(lines: &[String]) -> Vec<bool> {
    const PROGRAM: &str = "
import json, sys
from jsonschema import Draft4Validator
schemas = json.loads(sys.stdin.readline())
for schema in schemas.values():
    Draft4Validator.check_schema(schema)
checks = {kind: Draft4Validator(schema) for kind, schema in schemas.items()}
for line in sys.stdin:
    given = json.loads(line)
    print(int(checks[given['kind']].is_valid(given['value'])))
";
    let schemas: Json = schema_kinds().map(|kind| (kind.to_owned(), json_schema(kind).unwrap())).collect();
    let mut python = Command::new("python3")
        .args(["-c", PROGRAM])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = python.stdin.take().unwrap();
    let input = format!("{schemas}\n{}\n", lines.join("\n"));
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = python.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success());
    let judged: Vec<bool> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| line == "1").collect();
    assert_eq!(judged.len(), lines.len());
    judged
}

fn to_json(node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Bool(b) => json!(b),
        Value::Int(i) => json!(i),
        Value::Float(f) => json!(f),
        Value::String(text) | Value::Date(text) | Value::BigInt(text) => json!(text),
        Value::Bytes(_) | Value::Set(_) | Value::Tuple(_) => Json::Null,
        Value::List(list) => list.iter().map(to_json).collect(),
        Value::Map(map) => map
            .iter()
            .map(|(key, value)| {
                (key.as_str().map_or_else(|| format!("{key:?}"), str::to_owned), to_json(value))
            })
            .collect(),
    }
}
