//! `cargo xtask demo`: builds the binaries that the demo needs, then is the demo.

use std::process::Command;

use anyhow::{Context, ensure};
use xtask::tidy::workspace_root;

pub(crate) fn run(args: &[String]) -> anyhow::Result<()> {
    let root = workspace_root();
    let built = Command::new(env!("CARGO"))
        .args(["build", "--workspace", "--bins"])
        .current_dir(&root)
        .status()
        .context("could not start cargo")?;
    ensure!(built.success(), "the workspace does not build");
    // The demo finds the other binaries beside `paasta`, where cargo puts them.
    let binaries = std::env::current_exe().context("could not find our own binary")?;
    let paasta = binaries.with_file_name("paasta");
    let status = Command::new(&paasta)
        .arg("demo")
        .args(args)
        .status()
        .with_context(|| format!("could not start `{}`", paasta.display()))?;
    std::process::exit(status.code().unwrap_or(1));
}
