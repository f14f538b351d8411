//! What a bounce method is, and the table of all of them.

use std::fmt;

use paasta_core::TaskId;

use crate::MarginFactor;
use crate::methods::{Brutal, Crossover, Down, DownThenUp, UpThenDown};

/// Every bounce method. Sorted by name; a new one is one file and one line here.
pub const METHODS: &[&dyn BounceMethod] = &[&Brutal, &Crossover, &Down, &DownThenUp, &UpThenDown];

/// The method of that name, as in `bounce_method` (marathon-and-bounce.md §4.1).
pub fn method(name: &str) -> Result<&'static dyn BounceMethod, UnknownMethod> {
    METHODS
        .iter()
        .copied()
        .find(|method| method.name() == name)
        .ok_or_else(|| UnknownMethod { name: name.to_owned() })
}

/// Replaces old tasks by new ones. Pure; asking twice gives the same answer.
pub trait BounceMethod: fmt::Debug + Send + Sync {
    /// Its name in soa-configs.
    fn name(&self) -> &'static str;

    /// One sentence for service authors.
    fn summary(&self) -> &'static str;

    /// What it never does; [`crate::check`] holds plans against it.
    fn promise(&self) -> Promise;

    /// Whether to create the new app, and which old tasks may stop serving now.
    fn decide(&self, input: &BounceInput<'_>) -> BounceDecision;
}

/// What a bounce method is asked. Counts only: no clock, no engine.
#[derive(Clone, Copy, Debug)]
pub struct BounceInput<'a> {
    /// How many tasks are wanted.
    pub instances: usize,
    /// Whether the new app stands in its home.
    pub new_app_exists: bool,
    /// New tasks that serve.
    pub happy_new: usize,
    /// Old tasks that still count as capacity, the one to keep longest first.
    pub old_serving: &'a [TaskId],
    /// Old tasks on their way out; no capacity any more, but not gone either.
    pub old_draining: usize,
    /// Tasks that old apps have not started yet and still may.
    pub old_pending: usize,
    /// The part of `instances` that must be up.
    pub margin: MarginFactor,
}

/// What a bounce method answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BounceDecision {
    /// Create the new app now.
    pub create_app: bool,
    /// Which of the old serving tasks to drain, in the order of the input.
    pub drain: Vec<TaskId>,
}

/// What a bounce method never does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// It takes care of nothing.
    Nothing,
    /// Serving tasks never fall below the smaller of the margin and what served before.
    Floor,
    /// Old tasks stay until all new ones are happy.
    NewFirst,
    /// No new app while an old task of any class exists or may still start.
    OldFirst,
    /// It never creates.
    NeverCreates,
}

/// A name that no bounce method has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownMethod {
    /// The name as given.
    pub name: String,
}

impl fmt::Display for UnknownMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = METHODS.iter().map(|method| method.name()).collect();
        write!(f, "unknown bounce method `{}`, expected one of: {}", self.name, names.join(", "))
    }
}

impl std::error::Error for UnknownMethod {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_documented() {
        assert!(METHODS.is_sorted_by_key(|method| method.name()));
        assert!(METHODS.iter().all(|method| method.summary().ends_with('.')));
        let error = method("croosover").expect_err("no such method");
        assert!(error.to_string().contains("crossover, down"), "{error}");
    }

    /// One line: method | new app | happy/wanted at margin | old | draining,pending | decision.
    #[track_caller]
    fn check(line: &str) {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let [name, app, counts, old, leaving, want] = cells[..] else { panic!("six cells: {line}") };
        let (counts, margin) = counts.split_once(" at ").unwrap_or((counts, "1"));
        let (happy, wanted) = counts.split_once('/').expect("happy/wanted");
        let (draining, pending) = leaving.split_once(',').expect("draining,pending");
        let old: Vec<_> = old.split_whitespace().map(TaskId::new).collect();
        let decision = method(name).expect("a method").decide(&BounceInput {
            instances: wanted.parse().expect("a count"),
            new_app_exists: app == "exists",
            happy_new: happy.parse().expect("a count"),
            old_serving: &old,
            old_draining: draining.parse().expect("a count"),
            old_pending: pending.parse().expect("a count"),
            margin: MarginFactor::new(margin.parse().expect("a number")).expect("a margin"),
        });
        let mut words = vec![];
        words.extend(decision.create_app.then_some("create"));
        words.extend(decision.drain.iter().map(TaskId::as_str));
        assert_eq!(words.join(" "), want, "{line}");
    }

    #[test]
    fn decisions_follow_the_table_of_the_specification() {
        check("brutal     | absent | 0/2        | a b       | 0,0 | create a b");
        check("brutal     | exists | 0/2        | a b       | 0,0 | a b");
        check("crossover  | absent | 0/3        | a b c     | 0,0 | create");
        check("crossover  | exists | 1/5        | a b c d e | 0,0 | e");
        check("crossover  | exists | 3/5        | a b c d e | 0,0 | c d e");
        check("crossover  | exists | 0/5 at 0.5 | a b c d e | 0,0 | d e");
        check("crossover  | absent | 0/3        | a b c d e | 0,0 | create d e");
        check("crossover  | exists | 0/0        | a b       | 0,0 | a b");
        check("crossover  | exists | 12/10      | a b       | 0,0 | a b");
        check("down       | absent | 0/2        | a b       | 0,0 | a b");
        check("downthenup | absent | 0/2        | a b       | 0,0 | a b");
        check("downthenup | absent | 0/2        |           | 0,0 | create");
        check("upthendown | absent | 0/2        | a b       | 0,0 | create");
        check("upthendown | exists | 1/2        | a b       | 0,0 |");
        check("upthendown | exists | 2/2        | a b       | 0,0 | a b");
    }

    #[test]
    fn mended_b1_downthenup_waits_for_draining_and_pending_old_tasks() {
        check("downthenup | absent | 0/2 | | 1,0 |");
        check("downthenup | absent | 0/2 | | 0,1 |");
    }

    #[test]
    fn mended_b5_upthendown_needs_at_least_n() {
        check("upthendown | exists | 3/2 | a b | 0,0 | a b");
    }
}
