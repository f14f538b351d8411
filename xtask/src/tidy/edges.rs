//! Who may use whom: the list between the markers in ARCHITECTURE.md, against the manifests.

use std::collections::BTreeSet;

use super::manifests::Package;

const BEGIN: &str = "<!-- edges: begin -->";
const END: &str = "<!-- edges: end -->";

pub(super) fn complaints(architecture: &str, packages: &[Package]) -> Vec<String> {
    let Some(allowed) = allowed(architecture) else {
        return vec![format!("ARCHITECTURE.md has no list between `{BEGIN}` and `{END}`")];
    };
    let rooms: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    let used: BTreeSet<(&str, &str)> = packages
        .iter()
        .flat_map(|package| package.dependencies.iter().map(|to| (package.name.as_str(), to.as_str())))
        .filter(|(_, to)| rooms.contains(to))
        .collect();
    let new = used
        .iter()
        .filter(|edge| !allowed.contains(*edge))
        .map(|(from, to)| format!("{from} uses {to}, which ARCHITECTURE.md does not allow"));
    let stale = allowed
        .iter()
        .filter(|edge| !used.contains(*edge))
        .map(|(from, to)| format!("ARCHITECTURE.md lets {from} use {to}, which it does not"));
    new.chain(stale).collect()
}

/// Lines of the form `from → to, to, …`.
fn allowed(architecture: &str) -> Option<BTreeSet<(&str, &str)>> {
    let list = architecture.split_once(BEGIN)?.1.split_once(END)?.0;
    let edges = list.lines().filter_map(|line| line.split_once('→')).flat_map(|(from, to)| {
        to.split(',').map(str::trim).filter(|to| !to.is_empty()).map(move |to| (from.trim(), to))
    });
    Some(edges.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, dependencies: &[&str]) -> Package {
        let dependencies = dependencies.iter().map(|name| (*name).to_owned()).collect();
        Package { name: name.to_owned(), manifest: "Cargo.toml".into(), library: true, dependencies }
    }

    #[test]
    fn both_new_and_stale_edges_are_told() {
        let text = format!("{BEGIN}\na → b, c\n{END}");
        let packages =
            [package("a", &["b", "d", "serde"]), package("b", &[]), package("c", &[]), package("d", &[])];
        let got = complaints(&text, &packages);
        assert_eq!(got.len(), 2, "{got:?}");
        assert!(got[0].contains("a uses d"));
        assert!(got[1].contains("lets a use c"));
    }
}
