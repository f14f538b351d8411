//! A task's directory: its logs, and the copy of what it runs in.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use paasta_core::TaskId;
use tokio::process::Command;

use super::LaunchError;
use crate::artifacts::Artifact;

/// Directories of tasks that are gone: so many stay, for their logs.
const DEAD_MAX: usize = 100;
/// A gone task's directory always stays this long.
const DEAD_KEPT: Duration = Duration::from_secs(600);

/// Where a task's directory is.
pub(super) fn path(root: &Path, task: &TaskId) -> Option<PathBuf> {
    let name = task.as_str();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    (!name.is_empty() && !name.starts_with('.') && name.chars().all(plain)).then(|| root.join(name))
}

/// Makes a task's directory ready and says in which one its command runs.
pub(super) async fn prepare(sandbox: &Path, artifact: Option<&Artifact>) -> Result<PathBuf, LaunchError> {
    let failed = |path: &Path, reason: String| LaunchError::Sandbox { path: path.to_owned(), reason };
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(sandbox);
    made.map_err(|error| failed(sandbox, error.to_string()))?;
    match artifact {
        None => Ok(sandbox.to_owned()),
        Some(Artifact::Shared(directory)) => Ok(directory.clone()),
        Some(Artifact::Directory(source)) => {
            let checkout = sandbox.join("checkout");
            copy(source, &checkout).await.map_err(|reason| failed(&checkout, reason))?;
            Ok(checkout)
        }
    }
}

/// Copies a tree with `cp`: done in another process, no file of ours is open for writing while a task starts,
/// which the system would answer with "text file busy".
async fn copy(source: &Path, target: &Path) -> Result<(), String> {
    match fs::remove_dir_all(target) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.to_string()),
        _ => {}
    }
    fs::create_dir(target).map_err(|error| error.to_string())?;
    let output = Command::new("cp")
        .arg("-RpP")
        .arg(source.join("."))
        .arg(target)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await;
    let output = output.map_err(|error| format!("could not run `cp`: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(format!("`cp` failed: {}", String::from_utf8_lossy(&output.stderr).trim()))
    }
}

/// Throws away what only a running task needs.
pub(super) fn drop_checkout(sandbox: &Path) -> io::Result<()> {
    match fs::remove_dir_all(sandbox.join("checkout")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes the oldest directories of tasks that are gone.
pub(super) fn sweep(root: &Path, live: &BTreeSet<TaskId>) -> io::Result<()> {
    let mut dead = Vec::new();
    for entry in fs::read_dir(root)?.flatten() {
        let name = entry.file_name();
        let is_live = name.to_str().is_some_and(|name| live.contains(&TaskId::new(name)));
        if !is_live && let Ok(modified) = entry.metadata().and_then(|metadata| metadata.modified()) {
            dead.push((modified, entry.path()));
        }
    }
    dead.sort();
    let surplus = dead.len().saturating_sub(DEAD_MAX);
    for (modified, path) in dead.into_iter().take(surplus) {
        if modified.elapsed().is_ok_and(|age| age > DEAD_KEPT) {
            fs::remove_dir_all(path)?;
        }
    }
    Ok(())
}
