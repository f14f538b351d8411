//! One service that was deployed for years: 100,000 tags, over a path and over git's own protocol.

use std::fmt::Write as _;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::measure::{self, Cost};
use super::tree::{self, Tree};
use super::{Bench, NOWHERE, RUNS};

const TAGS: usize = 100_000;
const SERVICE: &str = "service-0000";

pub(super) fn over_a_path(bench: &Bench, scratch: &Path) -> anyhow::Result<Cost> {
    let tree = tagged(scratch)?;
    generate(bench, &tree)
}

pub(super) fn over_git(bench: &Bench, scratch: &Path) -> anyhow::Result<Cost> {
    let tree = tagged(scratch)?;
    let daemon = Daemon::start(&scratch.join("git"))?;
    let service_yaml = format!("git_url: git://127.0.0.1:{}/{SERVICE}\n", daemon.port);
    fs::write(tree.soa.join(SERVICE).join("service.yaml"), service_yaml)?;
    generate(bench, &tree)
}

fn tagged(scratch: &Path) -> anyhow::Result<Tree> {
    let tree = tree::build(scratch, 1, NOWHERE)?;
    tree::remotes(scratch, 1)?;
    pack(&scratch.join("git").join(SERVICE))?;
    Ok(tree)
}

fn generate(bench: &Bench, tree: &Tree) -> anyhow::Result<Cost> {
    let arguments = ["-s", SERVICE, "-d", "."];
    measure::median(RUNS, || bench.command("generate_deployments_for_service", &arguments, tree))
}

/// Adds tags as `git pack-refs` writes them, all at the one commit there is.
fn pack(remote: &Path) -> anyhow::Result<()> {
    let output = Command::new("git").args(["rev-parse", "refs/heads/main"]).current_dir(remote).output()?;
    let sha = String::from_utf8(output.stdout)?;
    let mut text = "# pack-refs with: peeled fully-peeled sorted \n".to_owned();
    for i in 0..TAGS {
        let _ = writeln!(text, "{} refs/tags/paasta-everything-20200101T{i:06}-deploy", sha.trim());
    }
    fs::write(remote.join("packed-refs"), text).context("could not write the tags")
}

/// Ends with the figures.
struct Daemon {
    child: Child,
    port: u16,
}

impl Daemon {
    fn start(folder: &Path) -> anyhow::Result<Self> {
        let exec = Command::new("git").arg("--exec-path").output().context("could not start git")?;
        let program = PathBuf::from(String::from_utf8(exec.stdout)?.trim()).join("git-daemon");
        ensure!(program.exists(), "git daemon is not installed");
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let child = Command::new(program)
            .args(["--reuseaddr", "--export-all", "--listen=127.0.0.1", &format!("--port={port}")])
            .arg(format!("--base-path={}", folder.display()))
            .arg(folder)
            .stderr(Stdio::null())
            .spawn()?;
        let daemon = Self { child, port };
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            ensure!(Instant::now() < deadline, "git daemon did not start");
            thread::yield_now();
        }
        Ok(daemon)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
