//! Development tasks. `cargo xtask --help` lists them.

mod bench;
mod ci;
mod demo;
mod failover;
mod fuzz;
mod ground;
mod recorder;
mod sim;
mod wire;
mod zero_loss;

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
    /// Lose leaders and ZooKeeper in the middle of bounces, with real processes
    Failover(failover::Options),
    /// Simulate days of a cluster with everything that can go wrong, from a seed
    Sim {
        /// Arguments for `paasta-sim`, such as --seed S, --seeds N, --days D, --mutants
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Bounce a service under load behind a real HAProxy, and count the requests that were lost
    ZeroLoss(zero_loss::Options),
    /// Hold the tree against its own rules (ARCHITECTURE.md)
    Tidy,
}

fn main() -> anyhow::Result<()> {
    match Command::parse().task {
        Task::Demo { args } => demo::run(&args),
        Task::Bench(options) => bench::run(&options),
        Task::Ci => ci::run(),
        Task::Failover(options) => failover::run(&options),
        Task::Sim { args } => sim::run(&args),
        Task::ZeroLoss(options) => zero_loss::run(&options),
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
