//! Two processes exclude each other, and a lock ends with its process.

#![expect(clippy::disallowed_methods, reason = "a test's own surroundings")]

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use paasta_core::{LockError, Locks};
use paasta_zookeeper::FileLocks;

/// Set in the child that this test starts from its own program.
const CHILD_DIRECTORY: &str = "PAASTA_TEST_LOCK_DIRECTORY";

#[tokio::test]
async fn a_killed_process_releases_its_lock() {
    if let Some(directory) = std::env::var_os(CHILD_DIRECTORY) {
        return hold(directory.into()).await;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_killed_process_releases_its_lock", "--nocapture"])
        .env(CHILD_DIRECTORY, directory.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("lock is held")), "the child took the lock");

    let locks = FileLocks::new(directory.path());
    let refused = locks.acquire("/bounce/web.main", Duration::from_millis(30)).await.unwrap_err();
    assert_eq!(refused, LockError::Held { name: "/bounce/web.main".to_owned() });

    child.kill().unwrap();
    child.wait().unwrap();
    assert!(locks.acquire("/bounce/web.main", Duration::from_secs(30)).await.is_ok());
}

/// The child: takes the lock, says so, and waits to be killed.
async fn hold(directory: std::path::PathBuf) {
    let _guard = FileLocks::new(directory)
        .acquire("/bounce/web.main", Duration::from_secs(30))
        .await
        .expect("nobody else wants it");
    println!("lock is held");
    std::io::stdin().lines().for_each(drop);
}
