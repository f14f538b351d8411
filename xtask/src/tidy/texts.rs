//! Rules about what stands in files.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use super::read;

/// A file of code longer than this holds more than one idea.
const LINES_MAX: usize = 600;

pub(super) fn complaints(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut complaints = Vec::new();
    let files = tracked(root)?;
    let mut functions = String::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|ending| ending == "rs")) {
        let path = root.join(file);
        if !path.exists() {
            continue;
        }
        let text = read(&path)?;
        complaints.extend(of_code(file, &text));
        functions.extend(text.lines().filter(|line| line.contains("fn ")).flat_map(|line| [line, "\n"]));
    }
    complaints.extend(of_differences(&read(&root.join("docs/differences.md"))?, &functions));
    Ok(complaints)
}

fn tracked(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .context("could not start git")?;
    ensure!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    let names = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(names.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from).collect())
}

fn of_code(file: &Path, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let lines = text.lines().count();
    if lines > LINES_MAX {
        complaints.push(format!("{}: {lines} lines, more than {LINES_MAX}", file.display()));
    }
    for banned in ["#[igno", "#[should_pan"] {
        if text.contains(&format!("{banned}{}", if banned.ends_with("igno") { "re" } else { "ic" })) {
            complaints.push(format!("{}: a test that is ignored or should panic", file.display()));
        }
    }
    if is_library(file) && text.lines().any(prints) {
        complaints.push(format!("{}: a library that prints to stdout", file.display()));
    }
    complaints
}

/// Whether the file is part of a library crate of ours: not of a program, test or example.
fn is_library(file: &Path) -> bool {
    let path = file.to_string_lossy();
    path.starts_with("crates/")
        && path.contains("/src/")
        && !path.contains("/src/bin/")
        && !path.ends_with("/main.rs")
}

fn prints(line: &str) -> bool {
    let code = line.trim_start();
    !code.starts_with("//") && code.match_indices("println!(").any(|(at, _)| !code[..at].ends_with('e'))
}

/// Each row of the table names the test that holds it, in backticks in its last column.
fn of_differences(table: &str, functions: &str) -> Vec<String> {
    let rows = table
        .lines()
        .filter(|line| line.starts_with("| ") && !line.contains("---") && !line.contains("| Test |"));
    rows.filter_map(|row| {
        let last = row.trim_end_matches('|').rsplit('|').next().unwrap_or_default();
        let names: Vec<&str> = last.split('`').skip(1).step_by(2).collect();
        let missing = names
            .iter()
            .find(|name| !functions.contains(&format!("fn {}(", name.rsplit("::").next().unwrap_or(name))));
        match (names.is_empty(), missing) {
            (true, _) => Some(format!("docs/differences.md: no test named in `{row}`")),
            (_, Some(name)) => Some(format!("docs/differences.md: there is no test `{name}`")),
            _ => None,
        }
    })
    .collect()
}
