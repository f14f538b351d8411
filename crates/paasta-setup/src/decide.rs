//! Who decides what a pass does.

use paasta_bounce::{Desired, Observed, Outcomes, Plan, Settled, Violation};
use paasta_core::Timestamp;

/// Decides what a pass does. [`Planner`] does it for everybody; the simulator puts planners with known defects in its
/// place, to see that it would notice them. Nothing here waits or looks anything up.
pub trait Decide: Send + Sync {
    /// What to do first.
    fn plan(&self, desired: &Desired, observed: &Observed, now: Timestamp) -> Plan {
        paasta_bounce::plan(desired, observed, now)
    }

    /// Whether that may be done.
    fn check(
        &self,
        desired: &Desired,
        observed: &Observed,
        plan: &Plan,
        now: Timestamp,
    ) -> Result<(), Violation> {
        paasta_bounce::check(desired, observed, plan, now)
    }

    /// What to do second.
    fn settle(&self, plan: &Plan, outcomes: &Outcomes, now: Timestamp) -> Settled {
        paasta_bounce::settle(plan, outcomes, now)
    }

    /// Whether that may be done.
    fn check_settled(&self, plan: &Plan, outcomes: &Outcomes, settled: &Settled) -> Result<(), Violation> {
        paasta_bounce::check_settled(plan, outcomes, settled)
    }
}

/// Decides by `paasta-bounce`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Planner;

impl Decide for Planner {}
