//! Random documents come to the same values as with PyYAML's C loader, which PaaSTA's files were written for.
//!
//! `PAASTA_PYYAML_SEED` and `PAASTA_PYYAML_DOCUMENTS` choose other documents, and more.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, and is told by the environment what to do"
)]

use std::io::{Seek, SeekFrom, Write};
use std::process::{Command, Stdio};

use paasta_config::{Node, Value, YamlProblem, parse_json, parse_yaml};

mod generate;

use generate::Random;

const DOCUMENTS: usize = 20_000;
const SEED: u64 = 20_210_401;

/// What a document comes to here, as `read.py` writes it.
fn read(document: &[u8]) -> String {
    match parse_yaml(document, "f") {
        Ok(parsed) => show(&parsed.root),
        Err(error) if matches!(error.problem, YamlProblem::TooLarge(_)) => "limit".to_owned(),
        Err(_) => "error".to_owned(),
    }
}

fn show(node: &Node) -> String {
    match &node.value {
        Value::Null => "null".to_owned(),
        Value::Bool(b) => b.to_string(),
        Value::Int(i) => format!("int:{i}"),
        Value::BigInt(digits) => format!("int:{digits}"),
        Value::Float(f) if f.is_nan() => "float:nan".to_owned(),
        Value::Float(f) => format!("float:{:016x}", f.to_bits()),
        Value::String(text) => format!("str:{}", hexadecimal(text.as_bytes())),
        Value::Date(text) => format!("date:{text}"),
        Value::Bytes(bytes) => format!("bytes:{}", hexadecimal(bytes)),
        Value::List(list) => format!("[{}]", list.iter().map(show).collect::<Vec<_>>().join(",")),
        Value::Map(map) => {
            let pairs: Vec<String> = map.iter().map(|(k, v)| format!("{}={}", show(k), show(v))).collect();
            format!("{{{}}}", pairs.join(","))
        }
        Value::Set(set) => {
            let mut members: Vec<String> = set.iter().map(|(member, _)| show(member)).collect();
            members.sort();
            format!("set{{{}}}", members.join(","))
        }
        Value::Tuple(items) => format!("({})", items.iter().map(show).collect::<Vec<_>>().join(",")),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What PyYAML makes of each; `None` where there is no PyYAML.
fn python(documents: &[Vec<u8>]) -> Option<Vec<String>> {
    let probe =
        Command::new("python3").args(["-c", "import yaml; yaml.CSafeLoader"]).stderr(Stdio::null()).status();
    if !probe.is_ok_and(|status| status.success()) {
        let required = std::env::var("PAASTA_REQUIRE_COMPONENTS").is_ok_and(|value| value == "1");
        assert!(!required, "python3 with PyYAML and its C loader is required but missing");
        eprintln!(
            "skipped: there is no python3 with PyYAML and its C loader (pure Python alone reads tabs otherwise)"
        );
        return None;
    }
    let mut input = tempfile::tempfile().unwrap();
    let lines: String = documents.iter().map(|document| hexadecimal(document) + "\n").collect();
    input.write_all(lines.as_bytes()).unwrap();
    input.seek(SeekFrom::Start(0)).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pyyaml/read.py");
    let output = Command::new("python3").arg(script).stdin(input).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success());
    Some(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect())
}

/// Documents with what PyYAML made of each when the file was written.
fn table() -> Vec<(Vec<u8>, String)> {
    let row = |row: &str| {
        let (document, value) = row.split_once('\t').unwrap();
        let document = parse_json(document.as_bytes(), "scalars.txt").unwrap();
        (document.as_str().unwrap().into(), value.to_owned())
    };
    include_str!("scalars.txt").lines().map(row).collect()
}

#[test]
fn the_table_of_scalars_reads_as_with_pyyaml() {
    let table = table();
    for (document, expected) in &table {
        if expected != "skip" {
            assert_eq!(&read(document), expected, "{:?}", String::from_utf8_lossy(document));
        }
    }
    let documents: Vec<Vec<u8>> = table.iter().map(|(document, _)| document.clone()).collect();
    if let Some(values) = python(&documents) {
        assert!(table.into_iter().map(|(_, value)| value).eq(values), "the table is not PyYAML's");
    }
}

#[test]
fn random_documents_read_as_with_pyyaml() {
    let number = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let seed = number("PAASTA_PYYAML_SEED").unwrap_or(SEED);
    let count = number("PAASTA_PYYAML_DOCUMENTS").map_or(DOCUMENTS, |count| count as usize);
    let mut random = Random(seed);
    let documents: Vec<Vec<u8>> = (0..count).map(|_| generate::document(&mut random)).collect();
    let Some(expected) = python(&documents) else { return };
    assert_eq!(expected.len(), count);
    let (mut differences, mut values, mut skipped) = (Vec::new(), 0, 0);
    for (document, expected) in documents.iter().zip(&expected) {
        let ours = read(document);
        if expected == "skip" || ours == "limit" {
            skipped += 1;
        } else if &ours != expected {
            differences.push(format!(
                "{:?}\n  PyYAML {expected}\n  here   {ours}",
                String::from_utf8_lossy(document)
            ));
        }
        values += usize::from(expected != "error");
    }
    eprintln!("seed {seed}: {count} documents, {values} with a value, {skipped} skipped");
    let shown = differences.iter().take(40).cloned().collect::<Vec<_>>().join("\n");
    assert!(differences.is_empty(), "seed {seed}: {} of {count} differ\n{shown}", differences.len());
    assert!(values > count / 4 && skipped < count / 20, "the documents are not worth comparing");
}
