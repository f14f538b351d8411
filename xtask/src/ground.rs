//! A service named `hello` in a git remote, its soa-configs, and a local cluster of real processes that runs it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use paasta_engine::JournalEntry;

/// Longest wait for anything that must come.
const PATIENCE: Duration = Duration::from_secs(180);

/// Where all of it lies.
pub(crate) struct Ground {
    root: PathBuf,
    bin: PathBuf,
}

impl Ground {
    /// Lays it out below `root`, which is empty: `files` are soa-configs of the service by name. `bin` has the binaries.
    pub(crate) fn new(root: &Path, bin: &Path, files: &[(&str, &str)]) -> anyhow::Result<Self> {
        let ground = Self { root: root.to_owned(), bin: bin.to_owned() };
        for folder in ["home", "work", "soa/hello"] {
            fs::create_dir_all(root.join(folder))?;
        }
        ground.git("", &["init", "--quiet", "--bare", "remote.git"])?;
        ground.git("work", &["init", "--quiet"])?;
        let soa = root.join("soa/hello");
        let remote = root.join("remote.git");
        fs::write(soa.join("service.yaml"), format!("git_url: {}\n", remote.display()))?;
        for (name, text) in files {
            fs::write(soa.join(name), text)?;
        }
        Ok(ground)
    }

    /// A version of the service in its remote: its commit. `flags` go to `paasta-demo-service`.
    pub(crate) fn push(&self, version: &str, flags: &str) -> anyhow::Result<String> {
        let path = self.root.join("work/serve");
        let program = self.bin.join("paasta-demo-service");
        fs::write(
            &path,
            format!("#!/bin/sh\nexec '{}' --version-name {version} {flags}\n", program.display()),
        )?;
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        self.git("work", &["add", "serve"])?;
        self.git("work", &["commit", "--quiet", "--message", version])?;
        self.git("work", &["push", "--quiet", "../remote.git", "HEAD:refs/heads/main"])?;
        self.git("work", &["rev-parse", "HEAD"])
    }

    /// Marks a commit for a deploy group.
    pub(crate) fn mark(&self, group: &str, sha: &str) -> anyhow::Result<()> {
        self.run(&["mark-for-deployment", "-s", "hello", "-l", group, "-c", sha])
    }

    /// Runs `paasta` to its end, which must be good.
    pub(crate) fn run(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let ran = self.paasta(arguments).output()?;
        ensure!(ran.status.success(), "paasta {arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
        Ok(())
    }

    fn paasta(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.bin.join("paasta"));
        command.args(arguments).current_dir(&self.root).env("HOME", self.root.join("home"));
        command.env_remove("XDG_STATE_HOME").env_remove("PAASTA_SYSTEM_CONFIG_DIR").stdin(Stdio::null());
        command
    }

    fn git(&self, folder: &str, arguments: &[&str]) -> anyhow::Result<String> {
        let identity =
            ["-c", "user.name=bench", "-c", "user.email=bench@example.com", "-c", "commit.gpgsign=false"];
        let mut command = Command::new("git");
        command.args(identity).args(arguments).current_dir(self.root.join(folder));
        let output = command.env("HOME", self.root.join("home")).output().context("could not start git")?;
        ensure!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// What the engine wrote down so far.
    pub(crate) fn journal(&self) -> anyhow::Result<Vec<JournalEntry>> {
        let path = self.root.join("home/.local/state/paasta/local/engine/journal.jsonl");
        let text = fs::read_to_string(path).unwrap_or_default();
        // The last line may be half written.
        Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    /// Waits until the journal holds something.
    pub(crate) fn wait(&self, what: &str, there: impl Fn(&[JournalEntry]) -> bool) -> anyhow::Result<()> {
        let begin = Instant::now();
        while !there(&self.journal()?) {
            ensure!(begin.elapsed() < PATIENCE, "waited {} s for {what}", PATIENCE.as_secs());
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

/// A local cluster; goes with its services.
pub(crate) struct Up<'a> {
    child: Child,
    ground: &'a Ground,
}

impl<'a> Up<'a> {
    /// Starts one and waits until it is up; `more` are further arguments.
    pub(crate) fn start(ground: &'a Ground, more: &[&str]) -> anyhow::Result<Self> {
        let log = fs::File::create(ground.root.join("up.log"))?;
        let soa = ground.root.join("soa");
        let soa = soa.to_str().context("a folder that is no text")?;
        let child = ground
            .paasta(&["local", "up", "--soa-dir", soa, "--ports-any", "--task-ports", "24500-24699"])
            .args(more)
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("could not start paasta")?;
        let up = Self { child, ground };
        let begin = Instant::now();
        while !fs::read_to_string(ground.root.join("up.log"))?.contains("local cluster is up") {
            let log = || fs::read_to_string(ground.root.join("up.log")).unwrap_or_default();
            ensure!(begin.elapsed() < PATIENCE, "the local cluster does not start: {}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(up)
    }
}

impl Up<'_> {
    /// What it said so far.
    pub(crate) fn said(&self) -> anyhow::Result<String> {
        Ok(fs::read_to_string(self.ground.root.join("up.log"))?)
    }
}

impl Drop for Up<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // Its services outlive it otherwise.
        let _ = self.ground.paasta(&["local", "down", "--yes"]).output();
    }
}
