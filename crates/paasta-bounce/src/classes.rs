//! Sorting tasks into classes (marathon-and-bounce.md §4.3, §4.6) and finding those that are too many.

use std::collections::BTreeSet;

use paasta_core::{App, Task, TaskPhase, Timestamp};

use crate::{Desired, DrainState, Happiness, Observed, happiness};

/// The class of a task, in the order in which capacity is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    Happy,
    Unhappy,
    AtRisk,
    Draining,
}

/// A task with what decisions need of it.
#[derive(Clone, Debug)]
pub(crate) struct Classed<'a> {
    pub(crate) task: &'a Task,
    pub(crate) class: Class,
    pub(crate) drain: DrainState,
    pub(crate) on_leaving_host: bool,
    /// Whether it serves, or may, going by its health alone.
    pub(crate) happy: bool,
    /// Whether it serves may be otherwise than its class says.
    pub(crate) uncertain: Option<String>,
}

/// The tasks of one app with their classes.
pub(crate) fn classify<'a>(
    app: &'a App,
    desired: &Desired,
    observed: &Observed,
    now: Timestamp,
) -> Vec<Classed<'a>> {
    let none = BTreeSet::new();
    let leaving = observed.sighting.leaving_hosts.known().unwrap_or(&none);
    let one = |task: &'a Task| {
        let drain = match observed.drains.get(&task.id) {
            Some(state) => state.clone(),
            None => DrainState::Unknown("it was not asked".to_owned()),
        };
        let discovery = observed.discovery.get(&task.id);
        let happiness = happiness(task, app.checks, &desired.health, discovery, now);
        let on_leaving_host = leaving.contains(&task.host);
        Classed {
            happy: happiness != Happiness::Unhappy,
            class: class_of(task, &drain, &happiness, on_leaving_host),
            uncertain: match happiness {
                Happiness::Unknown(reason) => Some(reason),
                _ => None,
            },
            task,
            drain,
            on_leaving_host,
        }
    };
    let mut tasks: Vec<_> = app.tasks.iter().map(one).collect();
    tasks.sort_by(|a, b| a.task.id.cmp(&b.task.id));
    tasks
}

fn class_of(task: &Task, drain: &DrainState, happiness: &Happiness, on_leaving_host: bool) -> Class {
    match (drain, happiness) {
        _ if task.phase == TaskPhase::Killing || drain.is_draining() => Class::Draining,
        // Whoever cannot be asked whether it drains is the first to go (marathon-and-bounce.md §6.4).
        (DrainState::Unknown(_), _) | (_, Happiness::Unhappy) => Class::Unhappy,
        (DrainState::Serving, _) if on_leaving_host => Class::AtRisk,
        _ => Class::Happy,
    }
}

/// Sorts so that the task to keep longest comes first: happy, unhappy, at risk; in each the oldest first.
pub(crate) fn sort_for_keeping(tasks: &mut [Classed<'_>]) {
    tasks.sort_by(|a, b| keep_key(a).cmp(&keep_key(b)));
}

fn keep_key<'a>(classed: &'a Classed<'_>) -> (Class, bool, bool, Timestamp, &'a str) {
    let task = classed.task;
    let started = task.started_at.unwrap_or(Timestamp::from_millis(i64::MAX));
    (classed.class, !classed.happy, task.phase != TaskPhase::Running, started, task.id.as_str())
}

/// Splits the tasks of the wanted version into those it keeps and the `excess` that it has too many
/// (marathon-and-bounce.md §5.5 step 7c): draining first, then unhappy, at risk, happy; the newest first.
///
/// Of the excess, `at_risk_slots` are there only because that many tasks sit on leaving hosts: those slots go to
/// such tasks alone, so that a replacement that still starts is never the one that goes (defect B4).
pub(crate) fn split_excess<'a>(
    mut tasks: Vec<Classed<'a>>,
    excess: usize,
    at_risk_slots: usize,
) -> (Vec<Classed<'a>>, Vec<Classed<'a>>) {
    tasks.sort_by(|a, b| leave_rank(a).cmp(&leave_rank(b)).then_with(|| keep_key(b).cmp(&keep_key(a))));
    let mut anyone = excess.saturating_sub(at_risk_slots);
    let mut leaving_only = excess - anyone;
    let (mut kept, mut moved) = (Vec::new(), Vec::new());
    for classed in tasks {
        let slot = if classed.on_leaving_host && leaving_only > 0 { &mut leaving_only } else { &mut anyone };
        if *slot > 0 {
            *slot -= 1;
            moved.push(classed);
        } else {
            kept.push(classed);
        }
    }
    (kept, moved)
}

fn leave_rank(classed: &Classed<'_>) -> u8 {
    match classed.class {
        Class::Draining => 0,
        Class::Unhappy => 1,
        Class::AtRisk => 2,
        Class::Happy => 3,
    }
}
