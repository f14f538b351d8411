//! Real repositories, made by the `git` command.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use paasta_core::GitSha;
use tempfile::TempDir;

/// A bare repository with three commits; `main` points at the last, nothing at the second, a tag at the first.
pub(crate) struct Remote {
    pub(crate) folder: TempDir,
    pub(crate) commits: Vec<GitSha>,
}

impl Remote {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bare = folder.path().join("svc.git");
        git(folder.path(), &["init", "-q", "--bare", "-b", "main", "svc.git"]);
        let mut stream = String::new();
        for i in 1..=3 {
            let from = if i > 1 { format!("from :{}\n", i - 1) } else { String::new() };
            stream += &format!(
                "commit refs/heads/main\nmark :{i}\ncommitter a <a@b> {} +0000\ndata 1\n{i}\n{from}M 100644 inline file\ndata 1\n{i}\n",
                1_600_000_000 + i
            );
        }
        let mut import = Command::new("git")
            .args(["fast-import", "--quiet", "--export-marks=marks"])
            .current_dir(&bare)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        import.stdin.take().unwrap().write_all(stream.as_bytes()).unwrap();
        assert!(import.wait().unwrap().success());
        let marks = fs::read_to_string(bare.join("marks")).unwrap();
        let mut commits: Vec<(usize, GitSha)> = marks
            .lines()
            .map(|line| {
                let (mark, sha) = line.split_once(' ').unwrap();
                (mark[1..].parse().unwrap(), GitSha::new(sha).unwrap())
            })
            .collect();
        commits.sort();
        let commits: Vec<GitSha> = commits.into_iter().map(|(_, sha)| sha).collect();
        let remote = Self { folder, commits };
        let first = remote.commits[0].as_str();
        git(&remote.path(), &["update-ref", "refs/tags/first", first]);
        remote
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("svc.git")
    }

    /// Where `git` says the ref points.
    pub(crate) fn points_at(&self, name: &str) -> Option<String> {
        let output = Command::new("git")
            .args(["rev-parse", "-q", "--verify", name])
            .current_dir(self.path())
            .output()
            .unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap().trim().to_owned())
    }

    /// A hook that says why and refuses.
    pub(crate) fn refuse_by(&self, hook: &str) {
        let path = self.path().join("hooks").join(hook);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "#!/bin/sh\necho releases are frozen >&2\nexit 1\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

pub(crate) fn git(folder: &Path, arguments: &[&str]) {
    let status = Command::new("git")
        .args(["-c", "user.name=a", "-c", "user.email=a@b"])
        .args(arguments)
        .current_dir(folder)
        .status()
        .unwrap();
    assert!(status.success(), "git {arguments:?}");
}

/// Says that a component is not there; a failure where components are required.
#[expect(clippy::disallowed_methods, reason = "a test's own surroundings")]
pub(crate) fn missing(what: &str) {
    assert!(std::env::var_os("PAASTA_REQUIRE_COMPONENTS").is_none(), "not installed: {what}");
    eprintln!("skipped: not installed: {what}");
}

/// A `git daemon` on a loopback port; ends with the test.
pub(crate) struct Daemon {
    child: Child,
    pub(crate) port: u16,
}

impl Daemon {
    /// `None` where `git daemon` is not installed; that fails the test if components are required.
    pub(crate) fn start(folder: &Path) -> Option<Self> {
        let exec = Command::new("git").arg("--exec-path").output().unwrap();
        let program = Path::new(String::from_utf8(exec.stdout).unwrap().trim()).join("git-daemon");
        if !program.exists() {
            missing("git daemon");
            return None;
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new(program)
            .args(["--reuseaddr", "--export-all", "--enable=receive-pack", "--listen=127.0.0.1"])
            .arg(format!("--port={port}"))
            .arg(format!("--base-path={}", folder.display()))
            .arg(folder)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let daemon = Self { child, port };
        let deadline = Instant::now() + Duration::from_secs(10);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "git daemon did not start");
            std::thread::yield_now();
        }
        Some(daemon)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
