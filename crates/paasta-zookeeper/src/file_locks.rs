//! Locks for the processes of one machine.

use std::fs::{File, OpenOptions, create_dir_all};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use fs4::fs_std::FileExt;
use paasta_core::{LockError, LockGuard, Locks};
use tokio::time::{Instant, sleep};

/// Milliseconds between two attempts while somebody else holds a lock.
const RETRY_MILLIS: u64 = 20;

/// Locks as advisory locks (`flock`) on files below one directory: `/bounce/web.main` is `bounce/web.main.lock`.
/// A lock ends with its guard or with its process, however that ends. The files stay; they hold nothing.
///
/// The directory has to be on a local disk: network file systems do not all keep such locks.
#[derive(Clone, Debug)]
pub struct FileLocks {
    directory: PathBuf,
}

impl FileLocks {
    /// Locks below `directory`, which is made when the first is taken.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }
}

#[async_trait]
impl Locks for FileLocks {
    async fn acquire(&self, name: &str, wait: Duration) -> Result<LockGuard, LockError> {
        let unavailable = |reason: String| LockError::Unavailable { name: name.to_owned(), reason };
        let relative = relative_path(name)
            .ok_or_else(|| unavailable("its name would leave the lock directory".to_owned()))?;
        let path = self.directory.join(relative);
        let shown = path.display().to_string();
        let opened = tokio::task::spawn_blocking(move || open(&path)).await;
        let file = opened
            .map_err(io::Error::other)
            .and_then(|file| file)
            .map_err(|error| unavailable(format!("could not open `{shown}`: {error}")))?;
        // A wait too long for the clock has no end.
        let deadline = Instant::now().checked_add(wait);
        loop {
            match file.try_lock_exclusive() {
                Ok(true) => return Ok(LockGuard::new(file)),
                Ok(false) if deadline.is_some_and(|deadline| Instant::now() >= deadline) => {
                    return Err(LockError::Held { name: name.to_owned() });
                }
                Ok(false) => sleep(Duration::from_millis(RETRY_MILLIS).min(wait)).await,
                Err(error) => return Err(unavailable(format!("could not lock `{shown}`: {error}"))),
            }
        }
    }
}

/// The lock's file below the directory. `None` for a name that has no parts, or one that is no plain name.
pub(crate) fn relative_path(name: &str) -> Option<PathBuf> {
    let parts: Vec<&str> = name.split('/').filter(|part| !part.is_empty()).collect();
    if parts.is_empty() || parts.iter().any(|part| matches!(*part, "." | "..") || part.contains('\0')) {
        return None;
    }
    Some(PathBuf::from(format!("{}.lock", parts.join("/"))))
}

fn open(path: &Path) -> io::Result<File> {
    if let Some(parent) = path.parent() {
        create_dir_all(parent)?;
    }
    OpenOptions::new().create(true).truncate(false).write(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_below_the_directory() {
        let path = |name| relative_path(name).map(|path| path.display().to_string());
        assert_eq!(path("/bounce/web.main").as_deref(), Some("bounce/web.main.lock"));
        assert_eq!(path("leader").as_deref(), Some("leader.lock"));
        for bad in ["", "/", "/../x", "/bounce/..", "a/./b", "a\0b"] {
            assert_eq!(path(bad), None, "{bad:?}");
        }
    }

    #[tokio::test]
    async fn a_waiter_gets_the_lock_once_it_is_free() {
        let directory = tempfile::tempdir().unwrap();
        let locks = FileLocks::new(directory.path());
        let first = locks.acquire("/a", Duration::ZERO).await.unwrap();
        let other = locks.acquire("/b", Duration::ZERO).await.unwrap();
        let waiter = {
            let locks = locks.clone();
            tokio::spawn(async move { locks.acquire("/a", Duration::from_secs(30)).await })
        };
        assert_eq!(
            locks.acquire("/a", Duration::from_millis(50)).await.unwrap_err(),
            LockError::Held { name: "/a".to_owned() }
        );
        drop(first);
        assert!(waiter.await.unwrap().is_ok());
        drop(other);
    }

    #[tokio::test]
    async fn a_directory_that_cannot_be_made_is_unavailable_not_held() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = FileLocks::new(&file).acquire("/a", Duration::ZERO).await.unwrap_err();
        assert!(matches!(error, LockError::Unavailable { .. }), "{error}");
    }
}
