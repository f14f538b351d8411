//! `cargo xtask ci`: the suites of `.ci/run`, without its installing step.

use std::process::Command;

use anyhow::{Context, ensure};
use xtask::tidy::workspace_root;

pub(crate) fn run() -> anyhow::Result<()> {
    let status = Command::new("bash")
        .arg(".ci/run")
        .env("PAASTA_CI_SKIP_INSTALL", "1")
        .current_dir(workspace_root())
        .status()
        .context("could not start bash")?;
    ensure!(status.success(), "a suite failed");
    Ok(())
}
