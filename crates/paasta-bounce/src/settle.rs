//! What to do second (marathon-and-bounce.md §5.6, steps 5 to 9).

use std::collections::{BTreeMap, BTreeSet};

use paasta_core::{Applied, Kill, TaskId, Timestamp};

use crate::{AppBook, HomeKill, Outcome, Outcomes, Plan, Safety, Settled, WaitingOn, Why};

/// Seconds after an action of ours until its effect is looked for; an event of the engine wakes earlier.
const ACTED_SECONDS: f64 = 1.0;
/// Seconds between two looks at tasks that drain or become happy.
const PROGRESS_SECONDS: f64 = 2.0;
/// The shortest wait for a drain, so that clocks that differ cannot make a pass spin.
const DRAINED_SECONDS_MIN: f64 = 0.1;
/// Seconds until an engine that takes no change is asked again.
const BUSY_SECONDS: f64 = 1.0;
/// Seconds until something that could not be read or done is tried again.
const FAILED_SECONDS: f64 = 5.0;
/// Seconds until room on machines is looked for again, and the longest wait for a launch.
const LAUNCH_SECONDS_MAX: f64 = 10.0;

/// Says what may be killed and deleted now that the plan was carried out, what is still waited for, and when to look
/// again.
///
/// An action that was contradicted, or whose effect is not known, stops all kills of this pass, as does an app that
/// could not be created (a 409 ends the pass, §5.6 step 3).
pub fn settle(plan: &Plan, outcomes: &Outcomes, now: Timestamp) -> Settled {
    let killed = if may_kill(plan, outcomes) { killable(plan, outcomes) } else { BTreeSet::new() };
    let delete: Vec<_> = plan
        .apps
        .iter()
        .filter(|app| {
            app.old && may_kill(plan, outcomes) && app.tasks.iter().all(|task| killed.contains(task))
        })
        .map(|app| app.place.clone())
        .collect();
    let why = why(plan, outcomes, &killed, delete.len());
    let acted = acted(plan) || !killed.is_empty() || !delete.is_empty();
    Settled {
        kill: by_home(&plan.apps, &killed),
        look_again_seconds: look_again(&why, drained_at(plan, outcomes, &killed, now), acted),
        delete,
        why,
    }
}

fn may_kill(plan: &Plan, outcomes: &Outcomes) -> bool {
    let created = plan.create.is_none() || outcomes.create.as_ref().is_some_and(Outcome::is_done);
    created && !outcomes.scale.iter().any(Outcome::contradicts)
}

/// The tasks on their way out that run no more, may be killed, or cannot be asked (§6.4).
fn killable(plan: &Plan, outcomes: &Outcomes) -> BTreeSet<TaskId> {
    let fresh = plan.drain.iter().filter(|drain| !drain.renewal);
    let refused = fresh.filter(|drain| matches!(outcomes.drain.get(&drain.task), Some(Err(_))));
    let safe = plan
        .ask_safe
        .iter()
        .filter(|task| matches!(outcomes.safety.get(*task), Some(Safety::Safe | Safety::Failed(_))));
    plan.not_running.iter().chain(refused.map(|drain| &drain.task)).chain(safe).cloned().collect()
}

fn by_home(apps: &[AppBook], killed: &BTreeSet<TaskId>) -> Vec<HomeKill> {
    let mut homes: BTreeMap<_, Vec<Kill>> = BTreeMap::new();
    for app in apps {
        let tasks: Vec<_> = app.tasks.iter().filter(|task| killed.contains(*task)).cloned().collect();
        if !tasks.is_empty() {
            let instances_after = app.instances.saturating_sub(tasks.len());
            let kill = Kill { app: app.place.app.clone(), tasks, instances_after };
            homes.entry(app.place.home.clone()).or_default().push(kill);
        }
    }
    homes.into_iter().map(|(home, kills)| HomeKill { home, kills }).collect()
}

/// The plan's reasons, less what is done by now, plus what went wrong.
fn why(plan: &Plan, outcomes: &Outcomes, killed: &BTreeSet<TaskId>, deleted: usize) -> Why {
    let going = plan.ask_safe.len() + plan.not_running.len();
    let mut why = plan.why.clone();
    why.waiting.retain(|waiting| !matches!(waiting, WaitingOn::Draining(_) | WaitingOn::OldGone(_)));
    if going > killed.len() {
        why.waiting.push(WaitingOn::Draining(going - killed.len()));
    }
    let gone = plan.why.counts.old_tasks().saturating_sub(going) + killed.len();
    if gone > 0 || deleted > 0 {
        why.waiting.push(WaitingOn::OldGone(gone));
    }
    why.waiting.extend(outcomes.create.iter().chain(&outcomes.scale).filter_map(trouble));
    why
}

fn trouble(outcome: &Outcome) -> Option<WaitingOn> {
    match outcome {
        Outcome::Applied(Applied::Done) => None,
        Outcome::Applied(Applied::Busy(reason)) => Some(WaitingOn::EngineBusy(reason.clone())),
        Outcome::Applied(Applied::Conflict(reason) | Applied::Unknown(reason)) | Outcome::Failed(reason) => {
            Some(WaitingOn::Engine(reason.clone()))
        }
    }
}

fn acted(plan: &Plan) -> bool {
    let fresh_drain = plan.drain.iter().any(|drain| !drain.renewal);
    plan.create.is_some() || !plan.scale.is_empty() || !plan.undrain.is_empty() || fresh_drain
}

/// Seconds until the first of the draining tasks may change by time alone, if that is known of any.
fn drained_at(plan: &Plan, outcomes: &Outcomes, killed: &BTreeSet<TaskId>, now: Timestamp) -> f64 {
    let waiting = plan.ask_safe.iter().filter(|task| !killed.contains(*task));
    let seconds = waiting.map(|task| match outcomes.safety.get(task) {
        Some(Safety::NotYet { until: Some(until) }) => until.since(now).as_secs_f64(),
        _ => PROGRESS_SECONDS,
    });
    seconds.min_by(f64::total_cmp).unwrap_or(PROGRESS_SECONDS)
}

/// The earliest moment at which anything waited for may have come. New tasks that are not happy yet change nothing
/// more once all that is old has gone.
fn look_again(why: &Why, drained_seconds: f64, acted: bool) -> Option<f64> {
    let bouncing = why.counts.old_apps > 0 || why.counts.old_tasks() > 0 || !why.counts.new_app_exists;
    let seconds = |waiting: &WaitingOn| match waiting {
        WaitingOn::NewHappy { .. } => bouncing.then_some(PROGRESS_SECONDS),
        WaitingOn::LaunchBackOff { seconds_left, .. } => {
            bouncing.then_some(seconds_left.clamp(ACTED_SECONDS, LAUNCH_SECONDS_MAX))
        }
        WaitingOn::LaunchResources { .. } => bouncing.then_some(LAUNCH_SECONDS_MAX),
        WaitingOn::Draining(_) => Some(drained_seconds.max(DRAINED_SECONDS_MIN)),
        WaitingOn::OldGone(_) | WaitingOn::AtRisk(_) => Some(PROGRESS_SECONDS),
        WaitingOn::Created | WaitingOn::Undrain(_) => Some(ACTED_SECONDS),
        WaitingOn::EngineBusy(_) => Some(BUSY_SECONDS),
        WaitingOn::Engine(_) | WaitingOn::Unknown(_) => Some(FAILED_SECONDS),
    };
    let waits = why.waiting.iter().filter_map(seconds);
    waits.chain(acted.then_some(ACTED_SECONDS)).min_by(f64::total_cmp)
}
