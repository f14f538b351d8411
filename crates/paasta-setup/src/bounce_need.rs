//! Whether an instance needs a bounce, from one listing of everything (marathon-and-bounce.md §8.3). Pure.

use std::collections::BTreeSet;
use std::fmt;

use paasta_core::{App, Fleet, InstanceId, Reading, Rendered, TaskPhase};
use serde::Serialize;

/// Why an instance needs a bounce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BounceReason {
    /// The wanted version is not where it belongs.
    NotThere,
    /// So many other apps of the instance are there: other versions, or the wanted one elsewhere.
    OldApps(usize),
    /// The wanted version has another size.
    Size {
        /// How many tasks it is to have.
        wanted: usize,
        /// How many its engine means to run.
        is: usize,
    },
    /// So many of its tasks are on hosts that are about to leave.
    OnLeavingHosts(usize),
}

impl fmt::Display for BounceReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = |count: usize| if count == 1 { "" } else { "s" };
        match self {
            BounceReason::NotThere => f.write_str("the wanted version is not there"),
            BounceReason::OldApps(n) => write!(f, "{n} other app{} of it", s(*n)),
            BounceReason::Size { wanted, is } => write!(f, "{is} instance{}, wanted {wanted}", s(*is)),
            BounceReason::OnLeavingHosts(n) => write!(f, "{n} task{} on hosts about to leave", s(*n)),
        }
    }
}

/// Whether an instance needs a bounce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BounceNeed {
    /// All is as wanted.
    None,
    /// For these reasons.
    Needed(Vec<BounceReason>),
    /// Nothing that was read says so, and this could not be read.
    Unknown(String),
}

/// Whether what stands there is anything else than what is rendered: the question behind `list_marathon_service_instances
/// -m`, and what a daemon asks for all instances at its start. Every home is looked at, also those in which a pass would
/// not look.
pub fn bounce_need(instance: &InstanceId, rendered: &Rendered, fleet: &Fleet) -> BounceNeed {
    let sighting =
        fleet.of(instance, fleet.homes.keys().chain(rendered.homes.all()).collect::<BTreeSet<_>>());
    let is_new = |app: &&App| app.id == rendered.app && app.home == rendered.homes.current;
    let mut reasons = vec![];
    match sighting.apps().find(is_new) {
        Some(new) if new.instances == rendered.instances => {}
        Some(new) => reasons.push(BounceReason::Size { wanted: rendered.instances, is: new.instances }),
        None if sighting.homes.get(&rendered.homes.current).is_some_and(|home| home.known().is_some()) => {
            reasons.push(BounceReason::NotThere);
        }
        None => {}
    }
    let old = sighting.apps().filter(|app| !is_new(app)).count();
    if old > 0 {
        reasons.push(BounceReason::OldApps(old));
    }
    if let Reading::Known(leaving) = &sighting.leaving_hosts {
        let tasks = sighting.apps().flat_map(|app| &app.tasks);
        let at_risk = tasks.filter(|task| task.phase != TaskPhase::Killing && leaving.contains(&task.host));
        match at_risk.count() {
            0 => {}
            count => reasons.push(BounceReason::OnLeavingHosts(count)),
        }
    }
    match (reasons.is_empty(), sighting.unknown()) {
        (false, _) => BounceNeed::Needed(reasons),
        (true, Some(reason)) => BounceNeed::Unknown(reason),
        (true, None) => BounceNeed::None,
    }
}
