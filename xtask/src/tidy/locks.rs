//! The fuzz targets run what everybody runs: their lock file has the workspace's versions.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::read;

pub(super) fn complaints(root: &Path) -> anyhow::Result<Vec<String>> {
    Ok(differing(&read(&root.join("Cargo.lock"))?, &read(&root.join("fuzz/Cargo.lock"))?))
}

fn differing(workspace: &str, fuzz: &str) -> Vec<String> {
    let workspace = versions(workspace);
    let differs = |(name, versions): (&str, BTreeSet<&str>)| {
        let known = workspace.get(name)?;
        let other = versions.difference(known).next()?;
        Some(format!(
            "fuzz/Cargo.lock has {name} {other}, which Cargo.lock has not: `cargo update -p` one of them"
        ))
    };
    versions(fuzz).into_iter().filter_map(differs).collect()
}

/// Each package with its versions.
fn versions(lock: &str) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut all: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut name = "";
    for line in lock.lines() {
        let value = |key: &str| line.strip_prefix(key).and_then(|rest| rest.strip_suffix('"'));
        if let Some(text) = value("name = \"") {
            name = text;
        } else if let Some(version) = value("version = \"") {
            all.entry(name).or_default().insert(version);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_version_is_told_and_another_package_is_not() {
        let package = |name: &str, version: &str| {
            format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n\n")
        };
        let workspace = package("a", "1.0.0") + &package("a", "2.0.0") + &package("b", "1.0.0");
        let same = package("a", "2.0.0") + &package("c", "1.0.0");
        assert!(differing(&workspace, &same).is_empty());
        let other = package("b", "1.0.1");
        assert_eq!(differing(&workspace, &other).len(), 1);
    }
}
