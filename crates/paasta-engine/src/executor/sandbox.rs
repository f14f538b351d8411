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
/// A copy of an artifact may take this long; it holds one of the few places for launches.
const COPY_PATIENCE: Duration = Duration::from_secs(300);

/// Where a task's directory is.
pub(super) fn path(root: &Path, task: &TaskId) -> Option<PathBuf> {
    let name = task.as_str();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    (!name.is_empty() && !name.starts_with('.') && name.chars().all(plain)).then(|| root.join(name))
}

/// Makes a task's directory ready and says in which one its command runs.
pub(super) async fn prepare(sandbox: &Path, artifact: Option<&Artifact>) -> Result<PathBuf, LaunchError> {
    let failed = |path: &Path, reason: String| LaunchError::Sandbox { path: path.to_owned(), reason };
    let place = sandbox.to_owned();
    let made = off_runtime(move || fs::DirBuilder::new().recursive(true).mode(0o700).create(place)).await;
    made.map_err(|error| failed(sandbox, error.to_string()))?;
    match artifact {
        None => Ok(sandbox.to_owned()),
        Some(Artifact::Shared(directory)) => Ok(directory.clone()),
        Some(Artifact::Directory(source)) => {
            let checkout = sandbox.join("checkout");
            copy(source, &checkout, COPY_PATIENCE).await.map_err(|reason| failed(&checkout, reason))?;
            Ok(checkout)
        }
    }
}

/// Copies a tree with `cp`: done in another process, no file of ours is open for writing while a task starts,
/// which the system would answer with "text file busy".
async fn copy(source: &Path, target: &Path, patience: Duration) -> Result<(), String> {
    let place = target.to_owned();
    off_runtime(move || make_empty(&place)).await.map_err(|error| error.to_string())?;
    let mut copying = Command::new("cp");
    copying.arg("-RpP").arg(source.join(".")).arg(target);
    in_time(copying, "cp", patience).await
}

/// Runs a command to its good end, which must come in time.
async fn in_time(mut command: Command, name: &str, patience: Duration) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(patience, output)
        .await
        .map_err(|_| format!("`{name}` took longer than {} s", patience.as_secs_f64()))?
        .map_err(|error| format!("could not run `{name}`: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(format!("`{name}` failed: {}", String::from_utf8_lossy(&output.stderr).trim()))
    }
}

fn make_empty(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => fs::create_dir(directory),
    }
}

/// Slow disks hold up no other task.
async fn off_runtime(work: impl FnOnce() -> io::Result<()> + Send + 'static) -> io::Result<()> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|panic| Err(io::Error::other(panic)))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_copy_is_whole_and_new_and_does_not_take_for_ever() {
        let root = tempfile::tempdir().expect("a directory");
        let (source, target) = (root.path().join("source"), root.path().join("target"));
        fs::create_dir_all(source.join("below")).expect("a directory");
        fs::write(source.join("below/file"), "text").expect("writes");
        fs::create_dir(&target).expect("a directory");
        fs::write(target.join("from before"), "").expect("writes");
        copy(&source, &target, COPY_PATIENCE).await.expect("copies");
        assert_eq!(fs::read_to_string(target.join("below/file")).expect("reads"), "text");
        assert!(!target.join("from before").exists());
        let mut endless = Command::new("sleep");
        endless.arg("600");
        let error = in_time(endless, "sleep", Duration::from_millis(50)).await.expect_err("no time");
        assert_eq!(error, "`sleep` took longer than 0.05 s");
    }
}
