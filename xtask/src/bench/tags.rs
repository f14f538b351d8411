//! One service that was deployed for years: 100,000 tags, over a path and over git's own protocol.

use std::fmt::Write as _;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::{RUNS, measure, told, tree};

const TAGS: usize = 100_000;
const SERVICE: &str = "service-0000";

pub(super) fn many(bin: &Path, scratch: &Path) -> anyhow::Result<()> {
    let tree = tree::build(scratch, 1, "http://127.0.0.1:1")?;
    tree::remotes(scratch, 1)?;
    let remote = scratch.join("git").join(SERVICE);
    pack(&remote)?;
    let generate = || {
        let mut command = Command::new(bin.join("generate_deployments_for_service"));
        command.args(["-s", SERVICE, "-d"]).arg(&tree.soa).env("PAASTA_SYSTEM_CONFIG_DIR", &tree.etc);
        command
    };
    told("generate_deployments_for_service, 100,000 tags over a path", &measure::median(RUNS, generate)?);
    let Some(daemon) = Daemon::start(&scratch.join("git"))? else {
        println!("git daemon is not installed: no figure over git://");
        return Ok(());
    };
    let service_yaml = format!("git_url: git://127.0.0.1:{}/{SERVICE}\n", daemon.port);
    fs::write(tree.soa.join(SERVICE).join("service.yaml"), service_yaml)?;
    told("generate_deployments_for_service, 100,000 tags over git://", &measure::median(RUNS, generate)?);
    Ok(())
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
    fn start(folder: &Path) -> anyhow::Result<Option<Self>> {
        let exec = Command::new("git").arg("--exec-path").output().context("could not start git")?;
        let program = PathBuf::from(String::from_utf8(exec.stdout)?.trim()).join("git-daemon");
        if !program.exists() {
            return Ok(None);
        }
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
        Ok(Some(daemon))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
