//! `cargo xtask bench`: what the promises cost, from optimised binaries.

mod idle;
mod measure;
mod tags;
mod tree;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use measure::Cost;
use xtask::tidy::workspace_root;

/// How often each is run; the median wall time and the mean CPU time are told.
const RUNS: usize = 5;

/// Measures everything and prints a table.
pub(crate) fn run() -> anyhow::Result<()> {
    let bin = build()?;
    let scratch = tempfile::tempdir().context("could not make a directory")?;
    println!("{:<58} {:>10} {:>10}", "", "wall", "cpu");
    start_up(&bin, &scratch.path().join("start"))?;
    dry_run(&bin, &scratch.path().join("dry"))?;
    no_op_pass(&bin, &scratch.path().join("200"), 100)?;
    no_op_pass(&bin, &scratch.path().join("1000"), 500)?;
    generate(&bin, &scratch.path().join("generate"))?;
    tags::many(&bin, &scratch.path().join("tags"))?;
    Ok(())
}

fn build() -> anyhow::Result<PathBuf> {
    let root = workspace_root();
    let built = Command::new(env!("CARGO"))
        .args(["build", "--release", "--workspace", "--bins"])
        .current_dir(&root)
        .status()
        .context("could not start cargo")?;
    ensure!(built.success(), "the workspace does not build");
    // Beside our own `debug`, wherever the target folder is.
    let own = std::env::current_exe().context("could not find our own binary")?;
    let target = own.parent().and_then(Path::parent).context("our own binary is in no target folder")?;
    Ok(target.join("release"))
}

fn told(what: &str, cost: &Cost) {
    let milliseconds = |duration: std::time::Duration| format!("{:.1} ms", duration.as_secs_f64() * 1000.0);
    println!("{what:<58} {:>10} {:>10}", milliseconds(cost.wall), milliseconds(cost.cpu));
}

fn start_up(bin: &Path, scratch: &Path) -> anyhow::Result<()> {
    let tree = tree::build(scratch, 200, "http://127.0.0.1:1")?;
    let paasta = |arguments: &'static [&'static str]| {
        let (bin, tree) = (bin.join("paasta"), &tree);
        move || {
            let mut command = Command::new(&bin);
            command.args(arguments).env("PAASTA_SYSTEM_CONFIG_DIR", &tree.etc).current_dir(&tree.soa);
            command
        }
    };
    told("paasta --version", &measure::median(20, paasta(&["--version"]))?);
    told("paasta list, 200 services", &measure::median(20, paasta(&["list", "-y", "."]))?);
    Ok(())
}

fn dry_run(bin: &Path, scratch: &Path) -> anyhow::Result<()> {
    let tree = tree::build(scratch, 500, "http://127.0.0.1:1")?;
    let cost = measure::median(RUNS, || {
        let mut command = Command::new(bin.join("setup_marathon_job"));
        command.args(["--dry-run", "--json", "--all", "-d"]).arg(&tree.soa);
        command.env("PAASTA_SYSTEM_CONFIG_DIR", &tree.etc);
        command
    })?;
    told("setup_marathon_job --dry-run, 1,000 instances", &cost);
    Ok(())
}

fn generate(bin: &Path, scratch: &Path) -> anyhow::Result<()> {
    let tree = tree::build(scratch, 200, "http://127.0.0.1:1")?;
    tree::remotes(scratch, 200)?;
    let cost = measure::median(RUNS, || {
        let mut command = Command::new(bin.join("generate_all_deployments"));
        command.arg("-d").arg(&tree.soa).env("PAASTA_SYSTEM_CONFIG_DIR", &tree.etc);
        command
    })?;
    told("generate_all_deployments, 200 services over paths", &cost);
    Ok(())
}

/// One pass over instances that need nothing, over loopback HTTP against an engine of idle tasks.
fn no_op_pass(bin: &Path, scratch: &Path, services: usize) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new().context("could not start the async runtime")?;
    std::fs::create_dir_all(scratch)?;
    let (_engine, address) = runtime.block_on(idle::start(&scratch.join("engine")))?;
    let tree = tree::build(scratch, services, &format!("http://{address}"))?;
    let pass = || {
        let mut command = Command::new(bin.join("deploy_marathon_services"));
        command.arg("-d").arg(&tree.soa).env("PAASTA_SYSTEM_CONFIG_DIR", &tree.etc);
        command
    };
    // The first pass creates, the second sees all of it run.
    for _ in 0..2 {
        let output = pass().output().context("could not start deploy_marathon_services")?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    told(&format!("no-op pass over {} instances", services * 2), &measure::median(RUNS, pass)?);
    Ok(())
}
