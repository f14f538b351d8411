//! The verdict over a whole cluster, from both ways of counting copies.

use paasta_core::CheckStatus;

use crate::{Limits, Totals, Verdict, overall};

/// The verdict over a cluster: that over the instances that load balancers know ([`overall`]). Where it would be well, it is
/// unknown all the same if nothing could be told of the others, which are judged by their tasks, or if there are services
/// (`unread`) and none of them could be read.
pub fn whole(by_balancers: Totals, by_tasks: Totals, unread: u64, limits: Limits) -> Verdict {
    let verdict = overall(by_balancers, limits);
    if verdict.status != CheckStatus::Ok {
        return verdict;
    }
    let is_silent = by_tasks.unknown > 0 && by_tasks.told() == 0;
    if is_silent {
        let count = by_tasks.unknown;
        let text =
            format!("UNKNOWN: nothing could be told of {count} instances that are judged by their tasks");
        return Verdict::unknown(text);
    }
    if unread > 0 && by_balancers.told() + by_balancers.unknown + by_tasks.told() == 0 {
        return Verdict::unknown("UNKNOWN: no instance could be judged, since none could be read");
    }
    verdict
}

#[cfg(test)]
mod tests {
    use paasta_core::CheckStatus::{Critical, Ok, Unknown};

    use super::*;

    fn totals(good: u64, bad: u64, unknown: u64) -> Totals {
        Totals { good, bad, unknown }
    }

    #[test]
    fn who_is_judged_by_tasks_counts_only_where_nobody_can_be_judged() {
        let verdict = |balancers, tasks, unread| whole(balancers, tasks, unread, Limits::default()).status;
        let none = totals(0, 0, 0);
        assert_eq!(
            verdict(totals(9, 0, 0), totals(0, 9, 0), 0),
            Ok,
            "as ever, these have events of their own"
        );
        assert_eq!(verdict(none, totals(0, 0, 3), 0), Unknown);
        assert_eq!(verdict(totals(9, 0, 0), totals(0, 0, 3), 0), Unknown);
        assert_eq!(verdict(totals(9, 0, 0), totals(1, 0, 3), 0), Ok);
        assert_eq!(verdict(totals(0, 9, 0), totals(0, 0, 3), 0), Critical);
        assert_eq!(verdict(none, none, 0), Ok, "nothing is there to be judged");
        assert_eq!(verdict(none, none, 2), Unknown);
        assert_eq!(verdict(none, totals(1, 0, 0), 2), Ok);
        assert_eq!(verdict(totals(0, 0, 1), none, 2), Unknown);
    }
}
