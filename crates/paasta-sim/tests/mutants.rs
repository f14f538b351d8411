//! Each known defect (marathon-and-bounce.md §11), put back on purpose, is noticed. `cargo xtask sim --mutants` tells
//! how soon, from the first seed on.

use paasta_sim::{Mutant, Options, simulate};

/// Days that it may take here; the whole simulator has 2,000.
const DAYS_MAX: u64 = 60;

/// A seed by which it is noticed as things stand: begun there, the test is quick.
fn first_seed(mutant: Mutant) -> u64 {
    match mutant {
        Mutant::B2 => 16,
        Mutant::B7 => 42,
        Mutant::B13 => 2,
        Mutant::B1 | Mutant::B4 | Mutant::B6 | Mutant::B12 => 1,
    }
}

#[test]
fn every_known_defect_is_noticed() {
    for mutant in Mutant::ALL {
        let first = first_seed(*mutant);
        let is_noticed = |seed| {
            let options = Options { seed, days: 1, mutant: Some(*mutant), ..Options::default() };
            simulate(&options).expect("a runtime").violation.is_some()
        };
        let seed = (first..first + DAYS_MAX).find(|seed| is_noticed(*seed));
        assert!(
            seed.is_some(),
            "{} is not noticed by seeds {first} to {}",
            mutant.name(),
            first + DAYS_MAX - 1
        );
    }
}
