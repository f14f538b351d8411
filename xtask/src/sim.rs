//! `cargo xtask sim`: builds the simulator optimised and runs it.

use std::process::Command;

use anyhow::{Context, ensure};
use xtask::tidy::workspace_root;

pub(crate) fn run(args: &[String]) -> anyhow::Result<()> {
    let status = Command::new("cargo")
        .args(["run", "--quiet", "--profile", "sim", "-p", "paasta-sim", "--"])
        .args(args)
        .current_dir(workspace_root())
        .status()
        .context("could not start cargo")?;
    ensure!(status.success(), "the simulator found something");
    Ok(())
}
