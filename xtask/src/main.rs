//! Development tasks. `cargo xtask --help` lists them.

mod bench;
mod ci;
mod demo;
mod fuzz;

use clap::{Parser, Subcommand};
use xtask::tidy;

/// Development tasks of this workspace.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Command {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build the workspace and run the demo: a service deployed, bounced, drained, stopped and healed
    Demo {
        /// Arguments for `paasta demo`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Run what CI runs, in its order, without installing anything
    Ci,
    /// Feed made-up input to everything that reads what others wrote
    Fuzz(fuzz::Options),
    /// Measure the optimised binaries against their limits
    Bench(bench::Options),
    /// Hold the tree against its own rules (ARCHITECTURE.md)
    Tidy,
}

fn main() -> anyhow::Result<()> {
    match Command::parse().task {
        Task::Demo { args } => demo::run(&args),
        Task::Bench(options) => bench::run(&options),
        Task::Ci => ci::run(),
        Task::Fuzz(options) => fuzz::run(&options),
        Task::Tidy => {
            let complaints = tidy::complaints(&tidy::workspace_root())?;
            for complaint in &complaints {
                eprintln!("tidy: {complaint}");
            }
            anyhow::ensure!(complaints.is_empty(), "{} complaints", complaints.len());
            eprintln!("tidy: nothing to complain about");
            Ok(())
        }
    }
}
