//! What the demo plays on: a git remote with four versions of a service, and its soa-configs.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};
use serde_json::{Map, Value, json};

use crate::report::HintExt as _;

/// The service that the demo deploys.
pub(super) const SERVICE: &str = "hello";

/// The instances of it, each under another bounce method.
pub(super) const INSTANCES: [Instance; 3] = [
    Instance { name: "main", method: "crossover", count: 3, group: "web" },
    Instance { name: "search", method: "upthendown", count: 2, group: "web" },
    Instance { name: "batch", method: "downthenup", count: 2, group: "jobs" },
];

/// Seconds that a task stays up after traffic was taken off it.
const DRAIN_SECONDS: u32 = 1;

/// One instance of the service.
pub(super) struct Instance {
    pub(super) name: &'static str,
    pub(super) method: &'static str,
    pub(super) count: usize,
    pub(super) group: &'static str,
}

/// The temporary directory and what lies in it.
pub(super) struct Stage {
    pub(super) root: PathBuf,
    pub(super) commits: Vec<Commit>,
}

/// One version of the service.
pub(super) struct Commit {
    pub(super) version: &'static str,
    pub(super) sha: String,
}

impl Stage {
    /// Lays everything out below `root`, which is empty. `service` is the program that a task runs.
    pub(super) fn build(root: &Path, service: &Path) -> anyhow::Result<Self> {
        for folder in ["home", "soa", "work"] {
            fs::create_dir_all(root.join(folder)).with_context(|| format!("could not make `{folder}`"))?;
        }
        let commits = write_remote(root, service)?;
        write_soa(&root.join("soa").join(SERVICE), &root.join("remote.git"))?;
        Ok(Self { root: root.to_owned(), commits })
    }

    pub(super) fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    pub(super) fn soa(&self) -> PathBuf {
        self.root.join("soa")
    }

    pub(super) fn state(&self) -> PathBuf {
        self.root.join("state")
    }

    /// The commit of `version`.
    pub(super) fn sha(&self, version: &str) -> anyhow::Result<&str> {
        let commit = self.commits.iter().find(|commit| commit.version == version);
        Ok(&commit.with_context(|| format!("the demo has no version {version}"))?.sha)
    }
}

/// A bare remote whose commits each hold a `serve` script; `v3` starts but never becomes healthy.
fn write_remote(root: &Path, service: &Path) -> anyhow::Result<Vec<Commit>> {
    let work = root.join("work");
    git(root, &["init", "--quiet", "--bare", "remote.git"])?;
    git(&work, &["init", "--quiet"])?;
    let program = service.display();
    let versions = [("v1", ""), ("v2", ""), ("v3", " --unhealthy"), ("v4", "")];
    let mut commits = Vec::new();
    for (version, flags) in versions {
        let script = format!("#!/bin/sh\nexec '{program}' --version-name {version}{flags}\n");
        let path = work.join("serve");
        fs::write(&path, script)
            .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(0o755)))
            .context("could not write the service's script")?;
        git(&work, &["add", "serve"])?;
        git(&work, &["commit", "--quiet", "--message", version])?;
        commits.push(Commit { version, sha: git(&work, &["rev-parse", "HEAD"])? });
    }
    git(&work, &["push", "--quiet", "../remote.git", "HEAD:refs/heads/main"])?;
    Ok(commits)
}

fn git(dir: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let identity =
        ["-c", "user.name=demo", "-c", "user.email=demo@example.com", "-c", "commit.gpgsign=false"];
    let output = Command::new("git")
        .args(identity)
        .args(arguments)
        .current_dir(dir)
        .output()
        .context("could not start `git`")
        .hint("The demo keeps its service in a git repository; install git and try again.")?;
    if !output.status.success() {
        bail!("git {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn write_soa(folder: &Path, remote: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder).context("could not make the service's soa-configs")?;
    let pipeline: Vec<Value> = ["jobs", "web"].map(|group| json!({ "step": group })).into();
    let instances: Map<String, Value> =
        INSTANCES.iter().map(|instance| (instance.name.to_owned(), settings(instance))).collect();
    let files = [
        ("service.yaml", json!({ "description": "Says hello over HTTP.", "git_url": remote })),
        ("deploy.yaml", json!({ "pipeline": pipeline })),
        ("monitoring.yaml", json!({ "team": "demo" })),
        ("marathon-local.yaml", Value::Object(instances)),
    ];
    for (name, document) in files {
        let written = paasta_config::write_yaml(&document).map_err(anyhow::Error::from);
        written
            .and_then(|text| Ok(fs::write(folder.join(name), text)?))
            .with_context(|| format!("could not write `{name}`"))?;
    }
    ensure!(folder.join("service.yaml").is_file(), "the service's soa-configs vanished");
    Ok(())
}

fn settings(instance: &Instance) -> Value {
    json!({
        "cmd": "./serve",
        "instances": instance.count,
        "deploy_group": instance.group,
        "bounce_method": instance.method,
        "drain_method": "hacheck",
        "drain_method_params": { "delay": DRAIN_SECONDS },
        "healthcheck_mode": "http",
        "healthcheck_interval_seconds": 1,
        "healthcheck_timeout_seconds": 1,
        "healthcheck_grace_period_seconds": 30,
        "net": "host",
        "cpus": 0.1,
        "mem": 64,
    })
}
