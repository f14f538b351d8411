//! `paasta demo`, interrupted.

#![expect(clippy::unwrap_used, reason = "a test stops where something is missing")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn an_interrupted_demo_leaves_no_process_and_no_file() {
    let place = tempfile::tempdir().unwrap();
    let mut demo = Command::new(env!("CARGO_BIN_EXE_paasta"))
        .arg("demo")
        .env("TMPDIR", place.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("v1 is deployed")), "it got as far as the first deploy");
    assert!(processes(place.path()) > 1, "services run");

    let pid = Pid::from_raw(i32::try_from(demo.id()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let begun = Instant::now();
    let status = loop {
        match demo.try_wait().unwrap() {
            Some(status) => break status,
            None => assert!(begun.elapsed() < PATIENCE, "it does not end"),
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(status.code(), Some(130));
    assert_eq!(processes(place.path()), 0);
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
}

/// Processes that know this directory, by their environment.
fn processes(place: &Path) -> usize {
    let place = place.as_os_str().as_encoded_bytes();
    let knows = |pid: &std::ffi::OsStr| {
        let environment = std::fs::read(Path::new("/proc").join(pid).join("environ")).unwrap_or_default();
        environment.windows(place.len()).any(|part| part == place)
    };
    let entries = std::fs::read_dir("/proc").unwrap();
    entries.filter(|entry| knows(&entry.as_ref().unwrap().file_name())).count()
}
