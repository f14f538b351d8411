//! Simulates one day, and says what happened in it.

use std::collections::BTreeSet;

use paasta_sim::{Fault, Options, simulate};

fn main() -> anyhow::Result<()> {
    // A day in which nobody else holds bounce locks.
    let without = BTreeSet::from([Fault::LockHeld]);
    let outcome = simulate(&Options { seed: 1, days: 1, without, ..Options::default() })?;
    println!("{}", outcome.tally);
    match outcome.violation {
        None => println!("no promise was broken"),
        Some(violation) => println!("{}: {}: {}", outcome.about, violation.rule, violation.what),
    }
    Ok(())
}
