//! What a check is: expected and observed in, a verdict out.

use paasta_core::{CheckStatus, Reading};
use serde::Serialize;

use crate::{
    ActiveFrameworks, Capacity, DuplicateFrameworks, HasApps, HealthyTasks, OrphanedContainers,
    OutdatedTasks, Quorum, Replication,
};

/// What a check found, and how it says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// What was found; also what the check exits with.
    pub status: CheckStatus,
    /// What there is to say, the most important line first.
    pub output: String,
}

impl Verdict {
    /// That was found.
    pub fn new(status: CheckStatus, output: impl Into<String>) -> Self {
        Self { status, output: output.into() }
    }

    /// All is well.
    pub fn ok(output: impl Into<String>) -> Self {
        Self::new(CheckStatus::Ok, output)
    }

    /// Something is wrong.
    pub fn critical(output: impl Into<String>) -> Self {
        Self::new(CheckStatus::Critical, output)
    }

    /// It could not be told. That is no finding about what was to be checked.
    pub fn unknown(output: impl Into<String>) -> Self {
        Self::new(CheckStatus::Unknown, output)
    }

    /// One verdict of several: critical if any is, else unknown if any is, else a warning, else well.
    pub fn worst(statuses: impl IntoIterator<Item = CheckStatus>) -> CheckStatus {
        let weight = |status: &CheckStatus| match status {
            CheckStatus::Ok => 0,
            CheckStatus::Warning => 1,
            CheckStatus::Unknown => 2,
            CheckStatus::Critical => 3,
        };
        statuses.into_iter().max_by_key(weight).unwrap_or(CheckStatus::Ok)
    }
}

/// A check: a pure function of what is expected and what was observed.
///
/// ```
/// use paasta_core::{CheckStatus, Reading};
/// use paasta_monitoring::{Check, Verdict};
///
/// /// A stranger's check: enough disk is free.
/// struct FreeDisk;
///
/// impl Check for FreeDisk {
///     type Expected = u64;
///     type Observed = u64;
///     const NAME: &str = "check_free_disk";
///     const ASKS: &str = "whether enough disk is free";
///
///     fn decide(expected: &u64, observed: &u64) -> Verdict {
///         match observed >= expected {
///             true => Verdict::ok(format!("{observed} GB are free")),
///             false => Verdict::critical(format!("{observed} of {expected} GB are free")),
///         }
///     }
/// }
///
/// assert_eq!(FreeDisk::judge(&10, &Reading::Known(12)).status, CheckStatus::Ok);
/// let unknown = FreeDisk::judge(&10, &Reading::Unknown("no answer".to_owned()));
/// assert_eq!(unknown.status, CheckStatus::Unknown);
/// ```
pub trait Check {
    /// What should be.
    type Expected;
    /// What is.
    type Observed;
    /// Its name: that of its program, or of its events.
    const NAME: &str;
    /// What it asks, as a phrase.
    const ASKS: &str;

    /// The verdict over what was observed.
    fn decide(expected: &Self::Expected, observed: &Self::Observed) -> Verdict;

    /// The verdict, where it may be that nothing could be observed: what is unknown is never taken for absent.
    fn judge(expected: &Self::Expected, observed: &Reading<Self::Observed>) -> Verdict {
        match observed {
            Reading::Known(observed) => Self::decide(expected, observed),
            Reading::Unknown(reason) => {
                Verdict::unknown(format!("UNKNOWN: could not tell {}: {reason}", Self::ASKS))
            }
        }
    }
}

/// A row of [`CHECKS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CheckInfo {
    /// [`Check::NAME`].
    pub name: &'static str,
    /// [`Check::ASKS`].
    pub asks: &'static str,
}

const fn row<C: Check>() -> CheckInfo {
    CheckInfo { name: C::NAME, asks: C::ASKS }
}

/// Every check, sorted by name; a new one is a file and a line here. The parts of `paasta_metastatus` are in
/// [`crate::metastatus`], the decision about killed tasks in [`crate::oom`].
pub const CHECKS: &[CheckInfo] = &[
    row::<Capacity>(),
    row::<HealthyTasks>(),
    row::<HasApps>(),
    row::<ActiveFrameworks>(),
    row::<DuplicateFrameworks>(),
    row::<OutdatedTasks>(),
    row::<Quorum>(),
    row::<Replication>(),
    row::<OrphanedContainers>(),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_says_what_each_asks() {
        assert!(CHECKS.is_sorted_by_key(|check| check.name));
        for check in CHECKS {
            assert!(check.asks.starts_with("whether "), "{}", check.name);
        }
    }

    #[test]
    fn the_worst_of_several() {
        use CheckStatus::{Critical, Ok, Unknown, Warning};
        assert_eq!(Verdict::worst([]), Ok);
        assert_eq!(Verdict::worst([Ok, Warning]), Warning);
        assert_eq!(Verdict::worst([Unknown, Warning, Ok]), Unknown);
        assert_eq!(Verdict::worst([Unknown, Critical]), Critical);
    }
}
