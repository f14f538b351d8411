//! Judges a plan by what no plan may do, without having made it. Used in tests, and before acting.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use paasta_core::{App, Task, TaskId, TaskPhase, Timestamp};

use crate::{
    Desired, DrainState, Happiness, Observed, Outcomes, Place, Plan, Promise, Safety, Settled, happiness,
};

/// A promise that a plan would break.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation(pub String);

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Violation {}

/// Whether a plan keeps the promises of its method and of [`crate::plan`] (marathon-and-bounce.md §4.8).
pub fn check(desired: &Desired, observed: &Observed, plan: &Plan, now: Timestamp) -> Result<(), Violation> {
    let view = View::new(desired, observed, now);
    let fresh: BTreeSet<_> =
        plan.drain.iter().filter(|drain| !drain.renewal).map(|drain| &drain.task).collect();
    view.unread(plan)?;
    view.creates(plan)?;
    view.scales(plan)?;
    view.takes_only_what_is_old_or_too_many(plan)?;
    let both = plan.undrain.iter().find(|task| plan.drain.iter().any(|drain| drain.task == **task));
    rule(both.is_none(), "a task is drained and undrained at once")?;
    let out: BTreeSet<_> = fresh.into_iter().chain(&plan.not_running).collect();
    view.capacity(&out)
}

/// Whether what was settled kills and deletes only what the plan took out.
pub fn check_settled(plan: &Plan, outcomes: &Outcomes, settled: &Settled) -> Result<(), Violation> {
    let refused = |task: &TaskId| matches!(outcomes.drain.get(task), Some(Err(_)));
    let safe = |task: &TaskId| matches!(outcomes.safety.get(task), Some(Safety::Safe | Safety::Failed(_)));
    let mut killed = BTreeSet::new();
    for (home, kill) in settled.kill.iter().flat_map(|home| home.kills.iter().map(move |kill| (home, kill))) {
        let place = Place { home: home.home.clone(), app: kill.app.clone() };
        let book = plan.apps.iter().find(|app| app.place == place);
        let known = book.is_some_and(|app| kill.tasks.iter().all(|task| app.tasks.contains(task)));
        rule(known, "a task is killed in an app that does not have it")?;
        for task in &kill.tasks {
            let asked = plan.ask_safe.contains(task) && (safe(task) || refused(task));
            rule(asked || plan.not_running.contains(task), "a task is killed that may still serve")?;
            killed.insert(task);
        }
    }
    let left_out =
        plan.create.is_some() && !outcomes.create.as_ref().is_some_and(|outcome| outcome.is_done());
    rule(!left_out || killed.is_empty(), "a task is killed although the new app could not be created")?;
    for place in &settled.delete {
        let book = plan.apps.iter().find(|app| app.place == *place);
        let empty = book.is_some_and(|app| app.old && app.tasks.iter().all(|task| killed.contains(task)));
        rule(empty, "an app is deleted that is wanted or still has tasks")?;
    }
    Ok(())
}

fn rule(holds: bool, broken: &str) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation(broken.to_owned())) }
}

/// What stands there, read independently of the planner.
struct View<'a> {
    desired: &'a Desired,
    observed: &'a Observed,
    new: Option<&'a App>,
    tasks: BTreeMap<&'a TaskId, (&'a App, &'a Task)>,
    serving: BTreeSet<&'a TaskId>,
}

impl<'a> View<'a> {
    fn new(desired: &'a Desired, observed: &'a Observed, now: Timestamp) -> Self {
        let apps = || observed.sighting.apps();
        let tasks: BTreeMap<_, _> =
            apps().flat_map(|app| app.tasks.iter().map(move |task| (&task.id, (app, task)))).collect();
        let serves = |(id, (app, task)): (&&'a TaskId, &(&App, &Task))| {
            let seen = happiness(task, app.checks, &desired.health, observed.discovery.get(*id), now);
            let takes_traffic = match observed.drains.get(*id) {
                Some(DrainState::Serving) => true,
                Some(DrainState::Draining | DrainState::DrainedByOthers) => false,
                // Old tasks that cannot be asked are no capacity; new ones are, as long as their engine says so.
                Some(DrainState::Unknown(_)) | None => is_new(app, desired),
            };
            (seen == Happiness::Happy && takes_traffic).then_some(*id)
        };
        Self {
            desired,
            observed,
            new: apps().find(|app| is_new(app, desired)),
            serving: tasks.iter().filter_map(serves).collect(),
            tasks,
        }
    }

    fn unread(&self, plan: &Plan) -> Result<(), Violation> {
        let homes = self.desired.homes.all();
        let read = homes
            .into_iter()
            .all(|home| self.observed.sighting.homes.get(home).is_some_and(|apps| apps.known().is_some()));
        rule(read || plan.is_empty(), "something is done although a home could not be read")
    }

    fn creates(&self, plan: &Plan) -> Result<(), Violation> {
        let Some(place) = &plan.create else { return Ok(()) };
        let own = place.app == self.desired.app && place.home == self.desired.homes.current;
        rule(own, "an app is created that is not wanted there")?;
        rule(self.new.is_none(), "an app is created that exists")?;
        match self.desired.method.promise() {
            Promise::NeverCreates => rule(false, "an app is created by a method that never does"),
            Promise::OldFirst => {
                let idle = self.observed.sighting.apps().all(|app| app.instances == 0);
                rule(self.tasks.is_empty() && idle, "an app is created while old tasks exist or may start")
            }
            Promise::Nothing | Promise::Floor | Promise::NewFirst => Ok(()),
        }
    }

    fn scales(&self, plan: &Plan) -> Result<(), Violation> {
        for scale in &plan.scale {
            let app = self
                .observed
                .sighting
                .apps()
                .find(|app| app.id == scale.place.app && app.home == scale.place.home);
            let Some(app) = app else { return rule(false, "an app is scaled that does not exist") };
            if is_new(app, self.desired) {
                rule(
                    scale.instances >= self.desired.instances,
                    "the wanted app is scaled below what is wanted",
                )?;
            } else {
                rule(scale.instances <= app.instances, "an old app is scaled up")?;
                let alive = app.tasks.iter().filter(|task| task.phase != TaskPhase::Killing).count();
                rule(scale.instances >= alive, "an old app is scaled below its tasks")?;
            }
        }
        Ok(())
    }

    fn takes_only_what_is_old_or_too_many(&self, plan: &Plan) -> Result<(), Violation> {
        let out: BTreeSet<_> = plan.ask_safe.iter().chain(&plan.not_running).collect();
        let mut new_out = 0;
        for task in &out {
            let Some((app, _)) = self.tasks.get(*task) else {
                return rule(false, "a task is taken out that does not exist");
            };
            new_out += usize::from(is_new(app, self.desired));
        }
        let stays = plan.drain.iter().find(|drain| !out.contains(&drain.task));
        rule(stays.is_none(), "a task is drained that is not taken out")?;
        let Some(new) = self.new else { return Ok(()) };
        let most = new.instances.min(new.tasks.len()).saturating_sub(self.desired.instances);
        rule(new_out <= most, "more tasks of the wanted version are taken out than are too many")
    }

    /// What serves after the fresh drains, against what the method promises.
    fn capacity(&self, out: &BTreeSet<&TaskId>) -> Result<(), Violation> {
        let wanted = self.desired.instances;
        let lost = self.serving.iter().filter(|id| out.contains(**id)).count();
        let left = self.serving.len() - lost;
        match self.desired.method.promise() {
            Promise::Floor => {
                let floor = self.desired.margin.needed(wanted).min(self.serving.len());
                rule(left >= floor, "fewer tasks would serve than the margin allows")
            }
            Promise::NewFirst => {
                let new =
                    |id: &&&TaskId| self.tasks.get(**id).is_some_and(|(app, _)| is_new(app, self.desired));
                let new_left = self.serving.iter().filter(new).filter(|id| !out.contains(**id)).count();
                rule(lost == 0 || new_left >= wanted, "old tasks would go before all new ones are happy")
            }
            Promise::Nothing | Promise::OldFirst | Promise::NeverCreates => Ok(()),
        }
    }
}

fn is_new(app: &App, desired: &Desired) -> bool {
    app.id == desired.app && app.home == desired.homes.current
}
