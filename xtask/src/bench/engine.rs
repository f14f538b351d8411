//! The engine's own program, with tasks that run at once and do nothing.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::Context;

use super::Bench;

/// The program; ends with the figures.
pub(super) struct Engine {
    child: Child,
    pub(super) address: SocketAddr,
}

impl Engine {
    pub(super) fn start(bench: &Bench, state: &Path) -> anyhow::Result<Self> {
        let mut child = Command::new(bench.bin.join("paasta-engine"))
            .arg("--state-dir")
            .arg(state)
            .args(["--executor", "none", "--listen", "127.0.0.1:0", "--ports", "20000-60000"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("could not start paasta-engine")?;
        let stdout = child.stdout.take();
        // Ends the child if it says nothing.
        let mut engine = Self { child, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        let mut line = String::new();
        BufReader::new(stdout.context("the engine has no output")?).read_line(&mut line)?;
        let address = line.trim().rsplit('/').next().unwrap_or_default();
        engine.address = address.parse().with_context(|| format!("the engine did not start: {line}"))?;
        Ok(engine)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
