//! Planners and queues with one known defect each (marathon-and-bounce.md §11), to see that the simulator notices.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use paasta_bounce::{
    Desired, DrainState, Observed, Outcomes, Place, Plan, Promise, Scale, Settled, Violation,
};
use paasta_core::{InstanceId, TaskPhase, Timestamp};
use paasta_deployd::{Because, PassReport, PassResult, RunPass, Wake};
use paasta_setup::Decide;

use crate::daemon::SimPasses;

/// Failures after which the original dropped an instance.
const FAILURES_MAX: u32 = 20;

/// A known defect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mutant {
    /// downthenup creates while old tasks still drain.
    B1,
    /// Old tasks at risk are killed although not chosen, where a drain is always safe.
    B2,
    /// What stands in for tasks on leaving hosts is taken away as slack.
    B4,
    /// A held lock uses up the entry of the queue.
    B6,
    /// Failures are never reset, and after twenty the instance is dropped.
    B7,
    /// Drains are not renewed.
    B12,
    /// A failed delete is forgotten.
    B13,
}

impl Mutant {
    /// Every known defect.
    pub const ALL: &[Mutant] =
        &[Mutant::B1, Mutant::B2, Mutant::B4, Mutant::B6, Mutant::B7, Mutant::B12, Mutant::B13];

    /// Its number in the specification.
    pub fn name(self) -> &'static str {
        match self {
            Mutant::B1 => "B1",
            Mutant::B2 => "B2",
            Mutant::B4 => "B4",
            Mutant::B6 => "B6",
            Mutant::B7 => "B7",
            Mutant::B12 => "B12",
            Mutant::B13 => "B13",
        }
    }

    pub(crate) fn is_of_the_queue(self) -> bool {
        matches!(self, Mutant::B6 | Mutant::B7)
    }

    pub(crate) fn decide(self) -> Arc<dyn Decide> {
        Arc::new(MutantPlanner { mutant: self, deleted: Mutex::default() })
    }
}

struct MutantPlanner {
    mutant: Mutant,
    deleted: Mutex<BTreeSet<Place>>,
}

impl Decide for MutantPlanner {
    fn plan(&self, desired: &Desired, observed: &Observed, now: Timestamp) -> Plan {
        let mut plan = paasta_bounce::plan(desired, observed, now);
        match self.mutant {
            Mutant::B1 => {
                let counts = plan.why.counts;
                let drained = counts.old_draining > 0 && counts.old_tasks() == counts.old_draining;
                if desired.method.promise() == Promise::OldFirst && !counts.new_app_exists && drained {
                    plan.create =
                        Some(Place { home: desired.homes.current.clone(), app: desired.app.clone() });
                }
            }
            Mutant::B2 => {
                let leaving = observed.sighting.leaving_hosts.known();
                let old = observed.sighting.apps().filter(|app| app.id != desired.app);
                for task in old.flat_map(|app| &app.tasks) {
                    let at_risk = leaving.is_some_and(|hosts| hosts.contains(&task.host));
                    let serves = observed.drains.get(&task.id) == Some(&DrainState::Serving);
                    let chosen = plan.ask_safe.contains(&task.id);
                    if at_risk && serves && !chosen && task.phase == TaskPhase::Running {
                        plan.ask_safe.push(task.id.clone());
                    }
                }
            }
            Mutant::B4 => {
                let new = observed.sighting.apps().find(|app| app.id == desired.app);
                if let Some(new) = new
                    && plan.scale.is_empty()
                    && new.instances > desired.instances
                {
                    let place = Place { home: new.home.clone(), app: new.id.clone() };
                    plan.scale.push(Scale { place, instances: desired.instances });
                }
            }
            Mutant::B12 => plan.drain.retain(|drain| !drain.renewal),
            Mutant::B6 | Mutant::B7 | Mutant::B13 => {}
        }
        plan
    }

    fn check(&self, _: &Desired, _: &Observed, _: &Plan, _: Timestamp) -> Result<(), Violation> {
        Ok(())
    }

    fn settle(&self, plan: &Plan, outcomes: &Outcomes, now: Timestamp) -> Settled {
        let mut settled = paasta_bounce::settle(plan, outcomes, now);
        if self.mutant == Mutant::B13 {
            let mut deleted = self.deleted.lock().unwrap_or_else(PoisonError::into_inner);
            settled.delete.retain(|place| deleted.insert(place.clone()));
        }
        settled
    }

    fn check_settled(&self, _: &Plan, _: &Outcomes, _: &Settled) -> Result<(), Violation> {
        Ok(())
    }
}

/// The passes below a queue with a defect.
pub(crate) struct MutantPasses {
    mutant: Mutant,
    passes: SimPasses,
    failures: Mutex<BTreeMap<InstanceId, u32>>,
}

impl MutantPasses {
    pub(crate) fn new(mutant: Mutant, passes: SimPasses) -> Self {
        Self { mutant, passes, failures: Mutex::default() }
    }

    fn failures(&self, instance: &InstanceId, more: u32) -> u32 {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(instance.clone()).or_default();
        *count += more;
        *count
    }
}

#[async_trait]
impl RunPass for MutantPasses {
    async fn run_pass(&self, instance: &InstanceId, wake: Wake) -> PassReport {
        let event = matches!(
            wake.because,
            Because::FilesChanged
                | Because::DeploymentsChanged
                | Because::EverythingChanged
                | Because::Startup
        );
        if self.mutant == Mutant::B7 && self.failures(instance, 0) >= FAILURES_MAX && !event {
            return PassReport::new(PassResult::Steady);
        }
        let report = self.passes.run_pass(instance, wake).await;
        match (&report.result, self.mutant) {
            (PassResult::LockHeld, Mutant::B6) => PassReport::new(PassResult::Steady),
            (PassResult::Failed(_), Mutant::B7) => {
                self.failures(instance, 1);
                report
            }
            _ => report,
        }
    }
}
