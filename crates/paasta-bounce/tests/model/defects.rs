//! Defects of other planners, planted on purpose: the model has to find each of them.

use paasta_bounce::{Desired, Drain, DrainState, Observed, Place, Plan, Scale};
use paasta_core::{App, TaskPhase};

/// A defect of marathon-and-bounce.md §11, or one of our own making.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    /// `downthenup` creates while old tasks drain.
    B1,
    /// Old tasks on leaving hosts are asked, and killed, without having been chosen.
    B2,
    /// Slack is removed below what stands in for tasks on leaving hosts.
    B4,
    /// Tasks of the wanted version are never told to take traffic again.
    NoUndrain,
    /// All that is old is drained at once.
    AllAtOnce,
}

impl Defect {
    /// The plan as a planner with this defect would have made it.
    pub(crate) fn plant(self, mut plan: Plan, desired: &Desired, observed: &Observed) -> Plan {
        let is_new = |app: &App| app.id == desired.app;
        let new = observed.sighting.apps().find(|app| is_new(app));
        let counts = plan.why.counts;
        match self {
            Defect::B1 => {
                let serving = counts.old_happy + counts.old_unhappy + counts.old_at_risk;
                if new.is_none() && serving == 0 {
                    plan.create =
                        Some(Place { home: desired.homes.current.clone(), app: desired.app.clone() });
                }
            }
            Defect::B2 => {
                let olds = observed.sighting.apps().filter(|app| !is_new(app));
                let at_risk = olds.flat_map(|app| &app.tasks).filter(|task| {
                    task.host == "leaving"
                        && task.phase == TaskPhase::Running
                        && observed.drains.get(&task.id) == Some(&DrainState::Serving)
                });
                for task in at_risk {
                    if !plan.ask_safe.contains(&task.id) {
                        plan.ask_safe.push(task.id.clone());
                    }
                }
            }
            Defect::B4 => {
                if let Some(new) = new
                    && new.instances > desired.instances
                    && new.tasks.len() < new.instances
                    && plan.scale.is_empty()
                {
                    let instances = new.tasks.len().max(desired.instances);
                    let place = Place { home: new.home.clone(), app: new.id.clone() };
                    plan.scale.push(Scale { place, instances });
                }
            }
            Defect::NoUndrain => plan.undrain.clear(),
            Defect::AllAtOnce => {
                let olds = observed.sighting.apps().filter(|app| !is_new(app));
                for task in olds.flat_map(|app| &app.tasks).filter(|t| t.phase == TaskPhase::Running) {
                    if !plan.ask_safe.contains(&task.id) {
                        plan.ask_safe.push(task.id.clone());
                        plan.drain.push(Drain { task: task.id.clone(), renewal: false });
                    }
                }
            }
        }
        plan
    }
}
