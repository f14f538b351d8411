//! Simulates days of a cluster: the real loop of deployd, the real pass, planner and drain decisions, around a model of
//! Marathon, agents, hacheck, ZooKeeper, files and clocks. One thread, one seed, virtual time.
//!
//! ```
//! use paasta_sim::{Options, simulate};
//!
//! let outcome = simulate(&Options { seed: 1, days: 0, ..Options::default() }).expect("a runtime");
//! assert_eq!(outcome.violation, None);
//! ```

mod bounds;
mod breakage;
mod config;
mod daemon;
mod judge;
mod kinds;
mod link;
mod marathon;
mod mutants;
mod ports;
mod reported;
mod rng;
mod run;
mod schedule;
mod shrink;
mod trace;
mod world;
mod zookeeper;

pub use config::POISON;
pub use judge::Violation;
pub use kinds::{Change, Fault, Tally};
pub use mutants::Mutant;
pub use run::{Options, Outcome, simulate};
pub use shrink::shrink;
