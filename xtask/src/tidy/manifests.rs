//! Rules about crates and what they depend on.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::Value;

use super::read;

/// One crate of the workspace.
pub(super) struct Package {
    pub(super) name: String,
    pub(super) manifest: PathBuf,
    pub(super) library: bool,
    /// What it is built with; what only its tests use is left out.
    pub(super) dependencies: Vec<String>,
}

/// Crates that decide: no IO, no async runtime, no clock, no logging.
const DECISIONS: &[&str] = &["paasta-bounce", "paasta-core", "paasta-deploy", "paasta-monitoring"];
const NOT_IN_DECISIONS: &[&str] =
    &["axum", "git2", "log", "reqwest", "rustix", "tempfile", "tokio", "tracing", "uuid"];

/// Crates that only one room may use.
const ONE_ROOM: &[(&str, &str)] = &[
    ("clap_complete", "paasta-cli"),
    ("comfy-table", "paasta-cli"),
    ("git2", "paasta-deployments"),
    ("serde_yaml", "paasta-config"),
];

pub(super) fn packages(root: &Path) -> anyhow::Result<Vec<Package>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root)
        .output()
        .context("could not start cargo")?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).context("could not read cargo's answer")?;
    Ok(list(&metadata["packages"]).iter().map(package).collect())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn package(value: &Value) -> Package {
    let kinds = |target: &Value| list(&target["kind"]).iter().any(|kind| kind == "lib");
    let dependencies = list(&value["dependencies"])
        .iter()
        .filter(|dependency| dependency["kind"].is_null() || dependency["kind"] == "build")
        .map(|dependency| {
            text(dependency.get("rename").filter(|name| !name.is_null()).unwrap_or(&dependency["name"]))
        })
        .collect();
    Package {
        name: text(&value["name"]),
        manifest: PathBuf::from(text(&value["manifest_path"])),
        library: list(&value["targets"]).iter().any(kinds),
        dependencies,
    }
}

pub(super) fn complaints(root: &Path, packages: &[Package]) -> anyhow::Result<Vec<String>> {
    let mut complaints = Vec::new();
    for package in packages {
        let manifest = read(&package.manifest)?;
        complaints.extend(forbidden(package));
        complaints.extend(manifest_form(package, &manifest));
        if package.library && package.name != "xtask" {
            complaints.extend(library_form(root, package)?);
        }
    }
    Ok(complaints)
}

fn forbidden(package: &Package) -> Vec<String> {
    let decides = DECISIONS.contains(&package.name.as_str());
    let of_decisions = package
        .dependencies
        .iter()
        .filter(|dependency| decides && NOT_IN_DECISIONS.contains(&dependency.as_str()))
        .map(|dependency| format!("{} decides and may not use {dependency}", package.name));
    let of_rooms = package.dependencies.iter().filter_map(|dependency| {
        let (_, room) = ONE_ROOM.iter().find(|(name, room)| name == dependency && *room != package.name)?;
        Some(format!("{} uses {dependency}, which only {room} may", package.name))
    });
    of_decisions.chain(of_rooms).collect()
}

fn manifest_form(package: &Package, manifest: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    if !manifest.contains("[lints]\nworkspace = true") {
        complaints.push(format!("{}: the manifest lacks `[lints] workspace = true`", package.name));
    }
    let mut in_dependencies = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            in_dependencies = line.contains("dependencies");
        } else if in_dependencies
            && line.contains('=')
            && !line.contains("workspace")
            && !line.starts_with('#')
        {
            complaints
                .push(format!("{}: `{line}` does not come from [workspace.dependencies]", package.name));
        }
    }
    complaints
}

fn library_form(root: &Path, package: &Package) -> anyhow::Result<Vec<String>> {
    let folder = package.manifest.parent().unwrap_or(root);
    let mut complaints = Vec::new();
    if !read(&folder.join("src/lib.rs"))?.starts_with("//!") {
        complaints.push(format!("{}: src/lib.rs does not open with `//!` docs", package.name));
    }
    let example =
        std::fs::read_dir(folder.join("examples")).is_ok_and(|mut entries| entries.next().is_some());
    if !example && !WITHOUT_EXAMPLE.contains(&package.name.as_str()) {
        complaints.push(format!("{}: no runnable example in examples/", package.name));
    }
    Ok(complaints)
}

/// Libraries that are only the body of their own binary.
const WITHOUT_EXAMPLE: &[&str] = &["paasta-cli", "paasta-tools"];
