//! `cargo xtask bench`: what is promised of speed, from optimised binaries, each figure beside its limit.

mod big_bounce;
mod crossover;
mod deployd;
mod engine;
pub(crate) mod idle;
mod measure;
mod replication;
mod starts;
mod tags;
mod tree;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use measure::Cost;
use tree::Tree;
use xtask::tidy::workspace_root;

/// How often each is run; the median wall time and the mean CPU time are told.
const RUNS: usize = 5;

/// How often what takes milliseconds is run.
const SHORT_RUNS: usize = 20;

/// No engine is there: what is measured asks none.
const NOWHERE: &str = "http://127.0.0.1:1";

#[derive(Args)]
pub(crate) struct Options {
    /// Folder of binaries that are built already, such as target/release; otherwise they are built first
    #[arg(long)]
    bin: Option<PathBuf>,
    /// Only figures whose name contains this
    #[arg(long, default_value = "")]
    only: String,
}

/// What a figure may come to.
#[derive(Clone, Copy)]
enum Limit {
    Wall(u64),
    Cpu(u64),
    None,
}

type Measure = fn(&Bench, &Path) -> anyhow::Result<Cost>;

/// Every figure: its name, its limit in milliseconds, and how it is taken.
const FIGURES: &[(&str, Limit, Measure)] = &[
    ("paasta --version", Limit::None, version),
    ("paasta list, 200 services", Limit::None, |bench, scratch| bench.list(scratch, 200)),
    ("paasta list, 1,000 services", Limit::Wall(60), |bench, scratch| bench.list(scratch, 1_000)),
    ("paasta validate, one service", Limit::Wall(30), validate),
    ("read and render 1,000 instances, whole process", Limit::None, |bench, scratch| {
        bench.dry_run(scratch, 500)
    }),
    ("read and render 2,000 instances, whole process", Limit::Cpu(400), |bench, scratch| {
        bench.dry_run(scratch, 1_000)
    }),
    ("render example, 2,000 instances, each body parsed again", Limit::None, render),
    ("no-op pass over 200 instances", Limit::None, |bench, scratch| bench.no_op_pass(scratch, 100)),
    ("no-op pass over 1,000 instances", Limit::None, |bench, scratch| bench.no_op_pass(scratch, 500)),
    // One second of a core, and each load balancer asked once.
    ("replication check, 1,000 services in three regions", Limit::Cpu(1_000), replication::measure),
    // 20 apps a second.
    ("start 500 apps through the gate", Limit::Wall(25_000), starts::apps),
    ("crossover of 20 processes, beyond 1.05 x physics", Limit::Wall(2_000), crossover::beyond_physics),
    ("deployd: a person's first request, 1,000 others bounce, p99", Limit::Wall(1_000), big_bounce::measure),
    ("generate_all_deployments, 200 services over paths", Limit::None, |bench, scratch| {
        bench.generate(scratch, 200)
    }),
    ("generate_all_deployments, 1,000 services over paths", Limit::Cpu(5_000), |bench, scratch| {
        bench.generate(scratch, 1_000)
    }),
    ("generate_deployments_for_service, 100,000 tags over a path", Limit::None, tags::over_a_path),
    ("generate_deployments_for_service, 100,000 tags over git://", Limit::None, tags::over_git),
    ("deployd: edit to engine call, p99, 5,000 instances", Limit::Wall(250), deployd::edit_to_call),
    ("deployd: nudge to engine call, p99, 5,000 instances", Limit::Wall(2_000), deployd::nudge_to_call),
    // 0.5 % of a core.
    ("deployd: ten minutes of nothing to do, 5,000 instances", Limit::Cpu(3_000), deployd::nothing_to_do),
    // 1.05 times nothing, and 2 s.
    ("deployd: crossover of 20 tasks that take no time", Limit::Wall(2_000), deployd::crossover),
];

struct Bench {
    bin: PathBuf,
}

/// Measures everything, prints a table, and fails where a figure is over its limit.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    // What is measured runs in a directory of its own.
    let given = |bin: PathBuf| {
        std::path::absolute(&bin).with_context(|| format!("{} is no place for binaries", bin.display()))
    };
    let bench = Bench { bin: options.bin.clone().map_or_else(build, given)? };
    println!("{:<60} {:>10} {:>10} {:>16}", "", "wall", "cpu", "limit");
    let mut failed = Vec::new();
    for (name, limit, measure) in FIGURES.iter().filter(|(name, ..)| name.contains(&options.only)) {
        let scratch = tempfile::tempdir().context("could not make a directory")?;
        match measure(&bench, scratch.path()) {
            Ok(cost) => {
                println!("{name:<60} {:>10} {:>10} {:>16}", shown(cost.wall), shown(cost.cpu), limit.shown());
                failed.extend((!limit.holds(&cost)).then(|| format!("{name} is over its limit")));
            }
            Err(error) => failed.push(format!("{name} could not be measured: {error:#}")),
        }
    }
    ensure!(failed.is_empty(), "{}", failed.join("; "));
    Ok(())
}

impl Limit {
    fn holds(self, cost: &Cost) -> bool {
        match self {
            Limit::Wall(milliseconds) => cost.wall <= Duration::from_millis(milliseconds),
            Limit::Cpu(milliseconds) => cost.cpu <= Duration::from_millis(milliseconds),
            Limit::None => true,
        }
    }

    fn shown(self) -> String {
        match self {
            Limit::Wall(milliseconds) => format!("wall {milliseconds} ms"),
            Limit::Cpu(milliseconds) => format!("cpu {milliseconds} ms"),
            Limit::None => String::new(),
        }
    }
}

fn shown(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1000.0)
}

fn build() -> anyhow::Result<PathBuf> {
    let root = workspace_root();
    let built = Command::new(env!("CARGO"))
        .args(["build", "--release", "--bins", "--example", "render"])
        .args(["-p", "paasta-cli", "-p", "paasta-tools", "-p", "paasta-marathon", "-p", "paasta-deployd"])
        .args(["-p", "paasta-engine"])
        .current_dir(&root)
        .status()
        .context("could not start cargo")?;
    ensure!(built.success(), "the workspace does not build");
    // Beside our own `debug`, wherever the target folder is.
    let own = std::env::current_exe().context("could not find our own binary")?;
    let target = own.parent().and_then(Path::parent).context("our own binary is in no target folder")?;
    Ok(target.join("release"))
}

fn version(bench: &Bench, scratch: &Path) -> anyhow::Result<Cost> {
    let tree = tree::build(scratch, 1, NOWHERE)?;
    measure::median(SHORT_RUNS, || bench.command("paasta", &["--version"], &tree))
}

fn validate(bench: &Bench, scratch: &Path) -> anyhow::Result<Cost> {
    let tree = tree::build(scratch, 1, NOWHERE)?;
    measure::median(SHORT_RUNS, || {
        bench.command("paasta", &["validate", "-y", ".", "-s", "service-0000"], &tree)
    })
}

/// The library alone, from a program that does nothing else.
fn render(bench: &Bench, scratch: &Path) -> anyhow::Result<Cost> {
    let tree = tree::build(scratch, 1_000, NOWHERE)?;
    measure::median(RUNS, || {
        let mut command = Command::new(bench.bin.join("examples/render"));
        command.arg(&tree.soa).arg(&tree.etc);
        command
    })
}

impl Bench {
    fn command(&self, program: &str, arguments: &[&str], tree: &Tree) -> Command {
        let mut command = Command::new(self.bin.join(program));
        command.args(arguments).env("PAASTA_SYSTEM_CONFIG_DIR", &tree.etc).current_dir(&tree.soa);
        command
    }

    fn list(&self, scratch: &Path, services: usize) -> anyhow::Result<Cost> {
        let tree = tree::build(scratch, services, NOWHERE)?;
        measure::median(SHORT_RUNS, || self.command("paasta", &["list", "-y", "."], &tree))
    }

    fn dry_run(&self, scratch: &Path, services: usize) -> anyhow::Result<Cost> {
        let tree = tree::build(scratch, services, NOWHERE)?;
        let arguments = ["--dry-run", "--json", "--all", "-d", "."];
        measure::median(RUNS, || self.command("setup_marathon_job", &arguments, &tree))
    }

    fn generate(&self, scratch: &Path, services: usize) -> anyhow::Result<Cost> {
        let tree = tree::build(scratch, services, NOWHERE)?;
        tree::remotes(scratch, services)?;
        measure::median(RUNS, || self.command("generate_all_deployments", &["-d", "."], &tree))
    }

    /// One pass over instances that need nothing, over loopback HTTP against an engine of idle tasks.
    fn no_op_pass(&self, scratch: &Path, services: usize) -> anyhow::Result<Cost> {
        let runtime = tokio::runtime::Runtime::new().context("could not start the async runtime")?;
        let (_engine, address) = runtime.block_on(idle::start(&scratch.join("engine")))?;
        let tree = tree::build(scratch, services, &format!("http://{address}"))?;
        let pass = || self.command("deploy_marathon_services", &["-d", "."], &tree);
        // The first pass creates, the second sees all of it run.
        for _ in 0..2 {
            let output = pass().output().context("could not start deploy_marathon_services")?;
            ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        measure::median(RUNS, pass)
    }
}
