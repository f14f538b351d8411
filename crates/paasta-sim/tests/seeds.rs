//! A run follows from its seed, and seeds that once failed stay well.

use paasta_sim::{Options, Outcome, simulate};

fn day(seed: u64) -> Outcome {
    simulate(&Options { seed, days: 1, ..Options::default() }).expect("a runtime")
}

#[test]
fn the_same_seed_makes_the_same_trace() {
    let (first, second) = (day(7), day(7));
    assert!(first.tally.steps > 1000, "{}", first.tally);
    assert_eq!((first.hash, first.trace, first.violation), (second.hash, second.trace, second.violation));
}

#[test]
fn a_day_has_at_least_200_changes_and_300_faults() {
    let (faults, changes) = day(11).tally.sums();
    assert!(faults >= 300 && changes >= 200, "{faults} faults, {changes} changes");
}

#[track_caller]
fn is_well(seed: u64) {
    let outcome = day(seed);
    assert_eq!(outcome.violation, None, "{}: {}", outcome.about, outcome.trace.join("\n"));
}

/// A drain that ends sooner than a task is safe to kill was renewed once, and then slept over.
#[test]
fn seed_4_short_drains_are_renewed_until_the_end() {
    is_well(4);
}

/// Poisoned settings whose last failure had another reason: the judge asked for the poison alone.
#[test]
fn seed_38_a_failure_for_another_reason_is_told_too() {
    is_well(38);
}

/// A stale listing of one home hid what the fresh one of the other had shown: the judge took the older time for both.
#[test]
fn seed_7_a_stale_listing_of_one_home_does_not_age_the_other() {
    is_well(7);
}

/// A stale listing was taken in the millisecond in which one of its tasks was killed: the judge took that as known.
#[test]
fn seed_43_a_stale_listing_may_show_a_task_that_was_killed_at_that_moment() {
    is_well(43);
}

/// A task that was not healthy when a pass looked became so before the pass drained it: the judge counted what nobody
/// could have seen.
#[test]
fn seed_114_a_task_that_became_healthy_after_the_look_is_no_capacity_yet() {
    is_well(114);
}

/// The drain of a task ended while other hachecks kept the pass waiting, and the task was killed right after a renewal
/// that had begun the drain anew.
#[test]
fn seed_10117_a_drain_that_ended_during_the_look_makes_nothing_safe() {
    is_well(10117);
}
