//! A file against its table: every block by itself, before anything is merged (config.md §8.3).

use super::hints;
use super::rule::{Misfit, Rule, What, below};
use super::tables::Table;
use super::{Finding, Severity};
use crate::setting::{SettingError, shortened};
use crate::{Map, Node, Value};

/// Checks every block of a file that was read; `is_null` says that the file holds no map, but nothing.
pub(super) fn check_file(table: &Table, file: &str, map: &Map, is_null: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    if map.is_empty() && (is_null || !table.may_be_empty) {
        let message = format!("the file holds no {}", table.noun);
        let hint = format!("Define one, such as `{}`, or delete the file.", example(table));
        findings.push(Finding::whole(file, "empty-file", message, hint));
    }
    for (key, value) in map.iter() {
        check_block(table, key, value, file, &mut findings);
    }
    findings
}

fn example(table: &Table) -> &'static str {
    match table.noun {
        "job" => "report: {schedule: daily, actions: {run: {command: ./run}}}",
        _ => "main: {cpus: 1}",
    }
}

fn check_block(table: &Table, key: &Node, value: &Node, file: &str, findings: &mut Vec<Finding>) {
    let noun = table.noun;
    let Some(name) = key.as_str() else {
        let message = format!("the name of the {noun} is {}, not a string", key.kind());
        findings.push(Finding::whole(file, "name", message, "Put the name in quotes.").at_node(key));
        return;
    };
    let template = table.templates && name.starts_with('_');
    if !template && !(table.names.fits)(name) {
        findings.push(bad_name(name, file).at_node(key));
    }
    let Some(block) = value.as_map() else {
        let message = format!("{name}: {} is not a map of settings", value.kind());
        let hint = match value.is_null() {
            true => format!("Write its settings indented below `{name}:`, or remove the line."),
            false => match value.as_str().and_then(|text| text.split_once(':')) {
                Some((key, rest)) => format!("Put a space behind the colon: `{key}: {}`.", rest.trim()),
                None => format!("Write a map below `{name}:`, one `key: value` per line."),
            },
        };
        findings.push(Finding::whole(file, "type", message, hint).at_node(value));
        return;
    };
    if template {
        return;
    }
    if block.is_empty() && !table.may_be_empty {
        let message = format!("{name}: the {noun} has no settings");
        findings.push(
            Finding::whole(file, "empty-block", message, "Give it at least one, such as `cpus: 1`.")
                .at_node(value),
        );
    }
    findings.extend(check_value(table.block, value, name, file, "type"));
}

/// Every misfit of one value against a rule, told at `file` where it has no place.
pub(super) fn check_value(
    rule: &'static Rule,
    value: &Node,
    path: &str,
    file: &str,
    name: &'static str,
) -> Vec<Finding> {
    let mut misfits = Vec::new();
    rule.check(value, path, &mut misfits);
    misfits.iter().map(|misfit| tell(misfit, value, file, name)).collect()
}

fn bad_name(name: &str, file: &str) -> Finding {
    let message = format!("`{name}` cannot be an instance name");
    let better: String =
        name.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let better = better.trim_matches('-');
    let mut hint =
        "Use lower-case letters, digits, `_` and `-`, with a letter or digit at both ends".to_owned();
    if !better.is_empty() {
        hint.push_str(&format!(", such as `{better}`"));
    }
    Finding::whole(file, "name", message, hint + ".")
}

fn tell(misfit: &Misfit<'_>, value: &Node, file: &str, name: &'static str) -> Finding {
    let Misfit { node, path, what } = misfit;
    let finding = match what {
        What::Value(rule) => Finding::whole(file, name, mismatch(path, node, rule), hints::value(node, rule)),
        What::Unknown(known) => {
            let given = node.as_str().map_or_else(|| format!("{node:?}"), str::to_owned);
            let hint = hints::unknown_key(&given, known);
            Finding::whole(file, "unknown-key", format!("{path}: there is no such key"), hint)
        }
        What::Name(form) => {
            let message = format!("{path}: the key is not {}", form.noun);
            let given: String = node.as_str().unwrap_or_default().to_owned();
            let better: String =
                given.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
            let hint = match (form.fits)(&better) {
                true => format!("Rename it, such as to `{better}`."),
                false => "Rename it.".to_owned(),
            };
            Finding::whole(file, "name", message, hint)
        }
        What::Missing(key) => {
            let message = format!("{path}: the key `{}` is missing", key.name);
            let about: String = key.about.chars().take(1).flat_map(char::to_lowercase).collect();
            let about = about + key.about.get(1..).unwrap_or_default();
            Finding::whole(file, "missing-key", message, format!("Add `{}`: {about}", key.name))
        }
        What::Again => {
            let message = format!("{path}: the list has this element twice");
            Finding::whole(file, "repeated", message, "Remove one of the two.")
        }
        What::Choice { message, hint } => {
            Finding::whole(file, "combination", format!("{path}: {message}"), *hint)
        }
    };
    finding.at_node(if node.position.is_some() { node } else { value })
}

/// What a value is, and what it is not.
fn mismatch(path: &str, node: &Node, rule: &Rule) -> String {
    let is_number = matches!(node.value, Value::Int(_) | Value::BigInt(_) | Value::Float(_));
    if is_number && matches!(rule, Rule::Number(_) | Rule::Integer(_)) {
        return format!("{path}: `{}` is not {}", shortened(&format!("{node:?}")), rule.phrase());
    }
    SettingError { position: None, ..SettingError::new(path, node, rule.phrase()) }.to_string()
}

/// Keys of an open map that look like a known key, but are not: `given` is probably a mistake.
pub(super) fn misspelt(map: &Map, known: &[&str], path: &str, file: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (key, _) in map.iter() {
        let Some(given) = key.as_str() else { continue };
        if known.contains(&given) || given.starts_with('_') {
            continue;
        }
        let close = crate::soa::close_matches(&given.to_lowercase().replace('-', "_"), known.iter().copied());
        // Whoever writes both means both.
        if let Some(close) = close.iter().find(|close| is_close(given, close) && map.get(close).is_none()) {
            let message = format!("{}: nothing reads such a key", below(path, key));
            let mut finding =
                Finding::whole(file, "unknown-key", message, format!("Did you mean `{close}`?")).at_node(key);
            finding.severity = Severity::Warning;
            findings.push(finding);
        }
    }
    findings
}

/// At most two letters apart in length and with the same beginning or end: a slip, not another word.
pub(super) fn is_close(given: &str, known: &str) -> bool {
    let common = given.chars().zip(known.chars()).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count()
        + given.chars().rev().zip(known.chars().rev()).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count();
    let longest = given.chars().count().max(known.chars().count());
    given.chars().count().abs_diff(known.chars().count()) <= 2 && common + 2 >= longest
}
