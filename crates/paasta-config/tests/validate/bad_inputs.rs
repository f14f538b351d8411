//! Files with one thing wrong each, and what an operator reads of it. `bad.txt` holds them: a line `# what`, files
//! behind lines `--- path` (of service `svc` unless it begins with `/`; `/system.json` is the system configuration), and
//! behind `===` the findings. In files, `\t`, `\0` and `\xNN` are bytes.

use std::sync::Arc;

use paasta_config::{KnownNames, Memory, Soa, SystemConfig};

struct Case {
    what: String,
    files: Vec<(String, String)>,
    expected: String,
}

#[test]
fn bad_inputs_are_told_with_place_and_way_out() {
    let cases = cases(include_str!("bad.txt"));
    assert!(cases.len() >= 60, "{}", cases.len());
    let mut actual = String::new();
    let mut differ = Vec::new();
    for case in &cases {
        let told = told(case);
        if told != case.expected {
            differ.push(format!("# {}\nexpected\n{}\nbut it tells\n{told}", case.what, case.expected));
        }
        actual.push_str(&format!("# {}\n", case.what));
        case.files.iter().for_each(|(path, text)| actual.push_str(&format!("--- {path}\n{text}")));
        actual.push_str(&format!("===\n{told}\n"));
    }
    let written = concat!(env!("CARGO_TARGET_TMPDIR"), "/bad.txt");
    std::fs::write(written, actual).unwrap();
    assert!(differ.is_empty(), "{}\nwhat is told now stands in {written}", differ.join("\n"));
}

fn cases(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut in_findings = false;
    for line in text.lines() {
        if let Some(what) = line.strip_prefix("# ") {
            in_findings = false;
            cases.push(Case { what: what.to_owned(), files: Vec::new(), expected: String::new() });
            continue;
        }
        let case = cases.last_mut().unwrap();
        match (line.strip_prefix("--- "), case.files.last_mut()) {
            (Some(path), _) => case.files.push((path.to_owned(), String::new())),
            _ if line == "===" => in_findings = true,
            _ if in_findings && line.is_empty() => {}
            _ if in_findings => case.expected.push_str(&format!("{line}\n")),
            (None, Some((_, text))) => text.push_str(&format!("{line}\n")),
            (None, None) => panic!("{line}"),
        }
    }
    cases
}

fn told(case: &Case) -> String {
    let mut tree = Memory::new().with("svc/deploy.yaml", "pipeline: [{step: itest}, {step: prod}]");
    let mut system = r#"{"cluster": "c", "clusters": ["c", "dev"]}"#;
    for (path, text) in &case.files {
        match path.strip_prefix('/') {
            Some("system.json") => system = text,
            Some(other) => tree.insert(other, bytes(text)),
            None => tree.insert(format!("svc/{path}"), bytes(text)),
        }
    }
    let known = KnownNames { teams: Some(&["ops", "infra"]), ..super::KNOWN };
    let system = SystemConfig::from_json(system).unwrap();
    let findings = Soa::new(Arc::new(tree)).validate(&"svc".parse().unwrap(), &system, &known);
    let told = findings.iter().map(|one| format!("{one} [{}]\n  hint: {}\n", one.rule, one.hint));
    told.collect()
}

/// The text with its escapes as bytes.
fn bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        bytes.extend(before.as_bytes());
        let hex = after.strip_prefix('x').and_then(|hex| hex.get(..2));
        let (byte, length) = match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => (byte, 3),
            None if after.starts_with('t') => (b'\t', 1),
            None if after.starts_with('0') => (0, 1),
            None => (b'\\', 0),
        };
        bytes.push(byte);
        rest = &after[length..];
    }
    bytes.extend(rest.as_bytes());
    bytes
}
