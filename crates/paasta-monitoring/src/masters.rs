//! Whether the masters are there: Mesos's quorum, and Marathon with apps (monitoring.md §3).

use crate::{Check, Verdict};

/// The check that enough Mesos masters are registered. Expected is the quorum, observed their number.
#[derive(Clone, Copy, Debug)]
pub struct Quorum;

impl Check for Quorum {
    type Expected = u64;
    type Observed = u64;
    const NAME: &str = "check_mesos_quorum";
    const ASKS: &str = "whether enough Mesos masters are there";

    fn decide(expected: &u64, observed: &u64) -> Verdict {
        match observed >= expected {
            true => Verdict::ok(format!("OK: quorum: masters: {observed} configured quorum: {expected}")),
            false => Verdict::critical(format!(
                "CRITICAL: quorum: masters: {observed} configured quorum: {expected}"
            )),
        }
    }
}

/// The check that Marathon has apps: none at all means that it forgot them. Expected is how many at least.
#[derive(Clone, Copy, Debug)]
pub struct HasApps;

impl Check for HasApps {
    type Expected = u64;
    type Observed = u64;
    const NAME: &str = "check_marathon_has_apps";
    const ASKS: &str = "whether Marathon has apps";

    fn decide(expected: &u64, observed: &u64) -> Verdict {
        match observed >= expected {
            true => Verdict::ok(format!("OK: marathon apps: {observed}")),
            false => Verdict::critical(format!(
                "CRITICAL: marathon apps: {observed}, expected at least {expected}"
            )),
        }
    }
}

impl HasApps {
    /// Whether an app counts: those inside of groups do not.
    pub fn counts(id: &str) -> bool {
        id.matches('/').count() <= 1
    }
}

#[cfg(test)]
mod tests {
    use paasta_core::CheckStatus::{Critical, Ok};

    use super::*;

    #[test]
    fn enough_masters() {
        assert_eq!(Quorum::decide(&2, &2).status, Ok);
        let few = Quorum::decide(&3, &2);
        assert_eq!(few.status, Critical);
        assert!(few.output.contains('2') && few.output.contains('3'), "{}", few.output);
    }

    #[test]
    fn apps_at_the_top() {
        assert!(HasApps::counts("/a.b.c.d") && HasApps::counts("a") && !HasApps::counts("/group/a"));
        assert_eq!(HasApps::decide(&1, &0).status, Critical);
        assert_eq!(HasApps::decide(&1, &1).status, Ok);
    }
}
