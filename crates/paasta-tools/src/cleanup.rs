//! Apps of instances that are configured no more: which they are, whether so many may go, and their end
//! (marathon-and-bounce.md §8.1).

use std::collections::BTreeMap;
use std::fmt;

use paasta_bounce::{Outcome, Place};
use paasta_core::{App, AppId, HomeId, Reading};
use serde::Serialize;

mod removed;
mod run;

pub use removed::removed;
pub use run::run;

use crate::configured::{Configured, Standing};

/// What keeps a mistake from ending a cluster.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Guard {
    /// A larger part of all apps than this is not deleted.
    pub kill_threshold: f64,
    /// The part does not matter.
    pub force: bool,
}

/// An app that is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doomed {
    /// Which app, and where.
    pub place: Place,
    /// How many tasks it has.
    pub tasks: usize,
}

/// What is to become of the apps of a cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judgement {
    /// How many apps are ours.
    pub ours: usize,
    /// Those whose instances are configured no more.
    pub doomed: Vec<Doomed>,
    /// Those that stay because their service could not be read.
    pub unknown: usize,
    /// Those that PaaSTA did not make. They are nobody's business here.
    pub foreign: Vec<AppId>,
    /// Why none is to go nevertheless.
    pub refusal: Option<Refusal>,
}

/// Why nothing is deleted.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// soa-configs holds no service at all.
    NoServices,
    /// No service has an instance in this cluster.
    NoInstances,
    /// A Marathon did not answer, so that the part that would go is not known.
    Silent {
        /// Which.
        home: HomeId,
        /// Why.
        reason: String,
    },
    /// Too many would go.
    TooMany {
        /// So many.
        doomed: usize,
        /// Of so many.
        ours: usize,
        /// More than this part.
        kill_threshold: f64,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::NoServices => f.write_str("soa-configs holds no service"),
            Refusal::NoInstances => f.write_str("soa-configs names no Marathon instance of this cluster"),
            Refusal::Silent { reason, .. } => {
                write!(f, "what part of all apps would go is not known: {reason}")
            }
            Refusal::TooMany { doomed, ours, kill_threshold } => write!(
                f,
                "{doomed} of {ours} apps are of instances that are not configured, more than the part of {kill_threshold} \
                 that may go at once"
            ),
        }
    }
}

impl Refusal {
    /// What to do about it, as a full sentence.
    pub fn hint(&self) -> &'static str {
        match self {
            Refusal::NoServices => "Name the directory that has one folder per service with -d DIR.",
            Refusal::NoInstances => {
                "Check the soa-configs and the `cluster` of the system configuration; if no instance is wanted any more, \
                 say --force."
            }
            Refusal::Silent { .. } => {
                "Try again when it answers, or say --force to clean up where the apps can be listed."
            }
            Refusal::TooMany { .. } => {
                "Check the soa-configs with --dry-run; if all of these are to go, say --force."
            }
        }
    }
}

/// Judges what every home lists by what soa-configs names, which must have been read later: an instance that came in
/// between is then known. Pure.
///
/// An app goes only if its id has the form of ours, its service could be read, and its instance is not there. Without any
/// service nothing goes, forced or not.
pub fn judge(
    listed: &BTreeMap<HomeId, Reading<Vec<App>>>,
    configured: &Configured,
    guard: Guard,
) -> Judgement {
    let mut judgement = Judgement::default();
    for app in listed.values().filter_map(Reading::known).flatten() {
        if !app.id.has_our_form() {
            judgement.foreign.push(app.id.clone());
            continue;
        }
        judgement.ours += 1;
        match configured.standing(&app.id) {
            Standing::Configured => {}
            Standing::Unknown(_) => judgement.unknown += 1,
            Standing::Gone => judgement.doomed.push(Doomed {
                place: Place { home: app.home.clone(), app: app.id.clone() },
                tasks: app.tasks.len(),
            }),
        }
    }
    judgement.doomed.sort_by(|a, b| a.place.cmp(&b.place));
    judgement.refusal = refusal(listed, configured, guard, &judgement);
    judgement
}

fn refusal(
    listed: &BTreeMap<HomeId, Reading<Vec<App>>>,
    configured: &Configured,
    guard: Guard,
    judgement: &Judgement,
) -> Option<Refusal> {
    let (doomed, ours) = (judgement.doomed.len(), judgement.ours);
    let mut silent = listed.iter().filter_map(|(home, apps)| Some((home, apps.unknown()?)));
    if configured.services() == 0 {
        return Some(Refusal::NoServices);
    }
    if guard.force {
        return None;
    }
    if configured.is_empty() && doomed > 0 {
        return Some(Refusal::NoInstances);
    }
    if let Some((home, reason)) = silent.next() {
        let reason = match reason.contains(home.as_str()) {
            true => reason.to_owned(),
            false => format!("{home}: {reason}"),
        };
        return Some(Refusal::Silent { home: home.clone(), reason });
    }
    let kill_threshold = guard.kill_threshold;
    let is_too_many = doomed as f64 > ours as f64 * kill_threshold;
    (doomed > 0 && is_too_many).then_some(Refusal::TooMany { doomed, ours, kill_threshold })
}

/// What became of an app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// It is gone, or will be.
    Deleted,
    /// It would be deleted.
    WouldDelete,
    /// Somebody works on its instance: it stays until next time.
    LockHeld,
    /// Its instance is configured again, or its service cannot be read any more.
    Kept,
    /// It could not be deleted, for this reason.
    Failed(String),
}

impl End {
    /// As the engine took it.
    pub(crate) fn of(outcome: Outcome) -> Self {
        use paasta_core::Applied;
        match outcome {
            Outcome::Applied(Applied::Done) => End::Deleted,
            Outcome::Applied(
                Applied::Conflict(reason) | Applied::Busy(reason) | Applied::Unknown(reason),
            )
            | Outcome::Failed(reason) => End::Failed(reason),
        }
    }
}

/// What became of one app, for people and for machines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Which app.
    pub app: AppId,
    /// Where.
    pub home: HomeId,
    /// How many tasks it had.
    pub tasks: usize,
    /// What became of it.
    pub end: End,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { app, home, tasks, end } = self;
        let s = if *tasks == 1 { "" } else { "s" };
        match end {
            End::Deleted => write!(f, "{app} in {home}: deleted with {tasks} task{s}"),
            End::WouldDelete => write!(f, "{app} in {home}: would delete it with {tasks} task{s}"),
            End::LockHeld => write!(f, "{app} in {home}: left for now, somebody works on this instance"),
            End::Kept => write!(f, "{app} in {home}: kept, its instance may be configured again"),
            End::Failed(reason) => write!(f, "{app} in {home}: could not be deleted: {reason}"),
        }
    }
}

#[cfg(test)]
mod tests;
