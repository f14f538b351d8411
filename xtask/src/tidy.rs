//! Holds the tree against the rules that ARCHITECTURE.md states.

mod edges;
mod embedding;
mod licences;
mod locks;
mod manifests;
mod texts;

use std::path::{Path, PathBuf};

use anyhow::Context;

/// The folder of the workspace.
pub fn workspace_root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_owned()
}

/// Everything in the tree below `root` that breaks a rule, one sentence each.
pub fn complaints(root: &Path) -> anyhow::Result<Vec<String>> {
    let packages = manifests::packages(root)?;
    let architecture = read(&root.join("ARCHITECTURE.md"))?;
    let mut complaints = edges::complaints(&architecture, &packages);
    complaints.extend(manifests::complaints(root, &packages)?);
    complaints.extend(embedding::complaints(&packages)?);
    complaints.extend(licences::complaints(root)?);
    complaints.extend(locks::complaints(root)?);
    complaints.extend(texts::complaints(root)?);
    Ok(complaints)
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("could not read `{}`", path.display()))
}
