//! A repository that was deployed from for years: 100,000 tags.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

#[expect(dead_code, reason = "shared with other tests")]
mod common;

use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, Instant};

use common::{Daemon, Remote};
use paasta_deployments::{
    ControlBranch, GitCommandRefs, Limits, Refs, State, WriteMode, Written, generate, refs_for_url,
};

const TAGS: usize = 100_000;
/// Unoptimised and beside other tests; optimised it is a matter of some hundred milliseconds (`cargo xtask bench`).
const TIME_MAX: Duration = Duration::from_secs(20);
/// The list is 8 MB of text; a few copies of it in other shapes are fine.
const MEMORY_KIB_MAX: u64 = 200 << 10;

/// The tags of [`Remote`] and many more, as `git pack-refs` leaves them. The newest mark is of the last commit; `main` is
/// stopped there.
fn remote() -> Remote {
    let remote = Remote::new();
    let mut names: Vec<String> = (0..TAGS - 2)
        .map(|i| {
            let time = format!("20{:02}{:02}{:02}T{:06}", 10 + i % 10, 1 + i % 12, 1 + i % 28, i);
            match i % 4 {
                0 => format!("refs/tags/paasta-pnw.main-{time}-start"),
                1 => format!("refs/tags/v1.{i}"),
                _ => format!("refs/tags/paasta-group{}-{time}-deploy", i % 50),
            }
        })
        .collect();
    names.push("refs/tags/paasta-all-20210101T000000-deploy".to_owned());
    names.push("refs/tags/paasta-pnw.main-20210102T000000-stop".to_owned());
    names.sort();
    let mut text = "# pack-refs with: peeled fully-peeled sorted \n".to_owned();
    for name in names {
        writeln!(text, "{} {name}", remote.commits[2]).unwrap();
    }
    fs::write(remote.path().join("packed-refs"), text).unwrap();
    remote
}

#[track_caller]
fn check(remote: &Remote, refs: &dyn Refs, what: &str) {
    let begin = Instant::now();
    let listed = refs.list().unwrap();
    let read = begin.elapsed();
    let made = generate("web", &[ControlBranch::new("pnw.main", Some("all"))], &listed);
    let all = begin.elapsed();
    // Also `main`, `HEAD` and the tag that is not packed.
    assert_eq!(listed.len(), TAGS + 3, "{what}");
    let entry = &made.entries[0];
    assert_eq!((&entry.git_sha, entry.desired_state), (&remote.commits[2], State::Stop), "{what}");
    println!("{what}: listed in {read:?}, generated in {:?}", all - read);
    assert!(all < TIME_MAX, "{what}: {all:?}");
}

#[test]
fn a_hundred_thousand_tags_are_read_in_time() {
    let remote = remote();
    let path = remote.path().display().to_string();
    let local = refs_for_url(&path, Limits::default()).unwrap();
    check(&remote, &*local, "path");
    check(&remote, &GitCommandRefs::new(&format!("file://{path}"), Limits::default()), "git command");
    let Some(daemon) = Daemon::start(remote.folder.path()) else { return };
    let url = format!("git://127.0.0.1:{}/svc.git", daemon.port);
    let over_git = refs_for_url(&url, Limits::default()).unwrap();
    check(&remote, &*over_git, "git daemon");
    for refs in [local, over_git] {
        let begin = Instant::now();
        let name = format!("refs/tags/paasta-pnw.main-2021010{}T000000-start", refs.url().len() % 7 + 3);
        let written = refs.write(&name, &remote.commits[2], WriteMode::CreateOnly);
        assert_eq!(written, Ok(Written::Done), "{name}");
        println!("{}: written in {:?}", refs.url(), begin.elapsed());
        assert!(begin.elapsed() < TIME_MAX);
    }
    let kib = most_memory_kib();
    println!("most memory: {kib} KiB");
    assert!(kib < MEMORY_KIB_MAX, "{kib} KiB");
}

/// What this process took at most; 0 where the system does not tell.
fn most_memory_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
