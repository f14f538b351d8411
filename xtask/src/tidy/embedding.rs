//! Libraries that other teams build on bring no program with them, and neither do the examples they would start from.

use std::collections::BTreeSet;
use std::path::Path;

use super::manifests::Package;
use super::read;

/// Libraries that stand on their own.
const EMBEDDED: &[&str] = &[
    "paasta-alerts",
    "paasta-api-client",
    "paasta-bounce",
    "paasta-config",
    "paasta-core",
    "paasta-deploy",
    "paasta-deployments",
    "paasta-drain",
    "paasta-logs",
    "paasta-marathon",
    "paasta-mesos",
    "paasta-monitoring",
    "paasta-secrets",
    "paasta-smartstack",
    "paasta-zookeeper",
];

/// Commands, engines, daemons, and what only they use.
const PROGRAMS: &[&str] = &[
    "clap",
    "paasta-api",
    "paasta-cli",
    "paasta-deployd",
    "paasta-engine",
    "paasta-tools",
    "paasta-testkit",
];

pub(super) fn complaints(packages: &[Package]) -> anyhow::Result<Vec<String>> {
    let mut complaints = Vec::new();
    for package in packages.iter().filter(|package| EMBEDDED.contains(&package.name.as_str())) {
        let tree = tree(&package.name, packages);
        complaints.extend(
            PROGRAMS
                .iter()
                .filter(|program| tree.contains(*program))
                .map(|program| format!("{} brings {program} to whoever embeds it", package.name)),
        );
        complaints.extend(of_examples(package)?);
    }
    Ok(complaints)
}

/// Everything of the workspace that a package is built with, and what those name themselves.
fn tree<'a>(name: &'a str, packages: &'a [Package]) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::new();
    let mut next = vec![name];
    while let Some(name) = next.pop() {
        let dependencies =
            packages.iter().filter(|package| package.name == name).flat_map(|p| &p.dependencies);
        next.extend(dependencies.map(String::as_str).filter(|dependency| seen.insert(*dependency)));
    }
    seen
}

fn of_examples(package: &Package) -> anyhow::Result<Vec<String>> {
    let folder = package.manifest.parent().unwrap_or(Path::new(".")).join("examples");
    let mut complaints = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().extension().is_some_and(|ending| ending == "rs") {
            let text = read(&entry.path())?;
            let uses = |program: &&&str| text.contains(&format!("{}::", program.replace('-', "_")));
            complaints.extend(
                PROGRAMS
                    .iter()
                    .filter(uses)
                    .map(|program| format!("{}: an example that uses {program}", package.name)),
            );
        }
    }
    Ok(complaints)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_by_a_detour_is_told() {
        let package = |name: &str, dependencies: &[&str]| Package {
            name: name.to_owned(),
            manifest: format!("/nowhere/{name}/Cargo.toml").into(),
            library: true,
            dependencies: dependencies.iter().map(|name| (*name).to_owned()).collect(),
        };
        let packages = [
            package("paasta-marathon", &["paasta-config"]),
            package("paasta-config", &["serde", "helper"]),
            package("helper", &["paasta-engine"]),
            package("paasta-setup", &["paasta-engine"]),
        ];
        let complaints = complaints(&packages).unwrap();
        assert_eq!(complaints.len(), 2, "{complaints:?}");
        assert!(complaints[0].starts_with("paasta-marathon brings paasta-engine"));
    }
}
