//! What is kept of one instance.

use std::collections::BTreeSet;

use paasta_core::{Haste, Timestamp};

use super::event::{Because, Listed, Tags, Wake};
use super::queue::Due;
use crate::Settings;
use crate::ports::{PassReport, PassResult};

/// The longest wait after passes that could not see what they need.
const UNSEEN_SECONDS_MAX: f64 = 15.0;

/// One instance.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) listed: Listed,
    pub(crate) stage: Stage,
    /// Passes that failed in a row.
    pub(crate) failures: u32,
    /// Passes in a row that could not see what they need.
    pub(crate) unseen: u32,
    pub(crate) passes: u64,
    pub(crate) last: Option<LastPass>,
    /// Its entries in the shared queue that no pass has seen to yet.
    pub(crate) entries: BTreeSet<String>,
    /// Its last pass wanted to change something and waits for the tags.
    pub(crate) held: bool,
}

/// Where an instance stands. One that is queued has its entry in the queue.
#[derive(Debug)]
pub(crate) enum Stage {
    Queued,
    Running(Box<Running>),
}

/// A pass under way.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) since: Timestamp,
    /// As it stood in the queue.
    pub(crate) due: Due,
    pub(crate) haste: Haste,
    /// It takes a place that is for those that failed.
    pub(crate) retry: bool,
    /// What it was told of the tags.
    pub(crate) tags: Tags,
    /// It was told to end.
    pub(crate) abandoned: bool,
    /// For a while it was not certain who leads.
    pub(crate) doubted: bool,
    /// Entries in the shared queue that it sees to.
    pub(crate) entries: BTreeSet<String>,
    pub(crate) next: Next,
}

/// What happens when the pass has ended.
#[derive(Debug)]
pub(crate) enum Next {
    AsReported,
    /// Something happened meanwhile: at the latest as said here.
    Again(Due),
    /// The instance is no longer configured.
    Forget,
}

/// The last pass that ended.
#[derive(Clone, Debug)]
pub(crate) struct LastPass {
    pub(crate) at: Timestamp,
    /// What it said; nothing where all was as wanted, which most say most of the time.
    pub(crate) report: Option<Box<PassReport>>,
}

/// What the end of a pass leads to.
pub(crate) struct Finished {
    /// Where in the queue the instance goes; nothing if it is to be forgotten.
    pub(crate) due: Option<Due>,
    /// Entries in the shared queue that are done.
    pub(crate) entries: BTreeSet<String>,
}

impl Next {
    /// Something happened during the pass.
    pub(crate) fn again(&mut self, due: Due) {
        *self = match std::mem::replace(self, Next::Forget) {
            Next::AsReported => Next::Again(due),
            Next::Again(earlier) if due.because.ends_backoff() == earlier.because.ends_backoff() => {
                Next::Again(earlier.merge(due))
            }
            // The reason decides whether a back-off is cut short, so the stronger one stays.
            Next::Again(earlier) if earlier.because.ends_backoff() => {
                Next::Again(Due { because: earlier.because, ..earlier.merge(due) })
            }
            Next::Again(earlier) => Next::Again(Due { because: due.because, ..earlier.merge(due) }),
            Next::Forget => Next::Forget,
        }
    }
}

impl LastPass {
    /// What the pass said.
    pub(crate) fn report(&self) -> PassReport {
        self.report.as_deref().cloned().unwrap_or_else(|| PassReport::new(PassResult::Steady))
    }
}

impl Record {
    /// One that has not had a pass.
    pub(crate) fn new(listed: Listed) -> Self {
        Self {
            listed,
            stage: Stage::Queued,
            failures: 0,
            unseen: 0,
            passes: 0,
            last: None,
            entries: BTreeSet::new(),
            held: false,
        }
    }

    /// It is (still, or again) configured.
    pub(crate) fn listed_again(&mut self, listed: Listed) {
        self.listed = listed;
        if let Stage::Running(running) = &mut self.stage
            && let Next::Forget = running.next
        {
            // It went and came back during one pass: look again as soon as that has ended.
            let (since, because) = (running.since, running.due.because);
            let wake = Wake::new(since, because);
            running.next =
                Next::Again(Due { wait_until: since, queued_at: since, because, wake, ..running.due });
        }
    }

    /// When its next pass may start at the earliest.
    pub(crate) fn rested_at(&self, gap_seconds: f64) -> Timestamp {
        self.last.as_ref().map(|last| last.at.plus_seconds(gap_seconds)).unwrap_or_default()
    }

    /// Whether its last pass found that all is as wanted, or that nothing is.
    pub(crate) fn wants_nothing(&self) -> bool {
        self.last.as_ref().is_some_and(|last| match last.report.as_deref() {
            None => true,
            Some(report) => matches!(report.result, PassResult::NotDeployed(_)),
        })
    }

    /// The pass has ended.
    pub(crate) fn finish(
        &mut self,
        now: Timestamp,
        report: PassReport,
        running: Running,
        settings: &Settings,
    ) -> Finished {
        use PassResult::{LookAgain, NotDeployed, Steady};
        let well = matches!(report.result, Steady | NotDeployed(_) | LookAgain { .. });
        self.failures = match &report.result {
            PassResult::Failed(_) => self.failures.saturating_add(1),
            PassResult::LockHeld | PassResult::Unseen { .. } | PassResult::Stopped(_) => self.failures,
            Steady | NotDeployed(_) | LookAgain { .. } => 0,
        };
        self.unseen = match &report.result {
            PassResult::Unseen { .. } => self.unseen.saturating_add(1),
            _ => 0,
        };
        self.passes = self.passes.saturating_add(1);
        let reported = self.after(now, &report.result, &running.due, settings);
        let steady = report.result == PassResult::Steady;
        self.last = Some(LastPass { at: now, report: (!steady).then(|| Box::new(report)) });
        let mut entries = running.entries;
        if !well {
            self.entries.append(&mut entries);
        }
        let due = match running.next {
            Next::AsReported => Some(reported),
            Next::Again(due) if reported.because == Because::Failed && !due.because.ends_backoff() => {
                Some(reported)
            }
            Next::Again(due) => {
                let soon = now.plus_seconds(settings.pass_gap_seconds);
                // The next pass has to see what this one did as well.
                let wake = Wake::new(now, due.wake.because);
                Some(Due { wake, ..reported.merge(Due { wait_until: due.wait_until.max(soon), ..due }) })
            }
            Next::Forget => {
                entries.append(&mut self.entries);
                None
            }
        };
        Finished { due, entries }
    }

    /// When the next pass is due if nothing happens. The deadline of a bounce stays until that has ended: one that is
    /// looked at again must not pass by those that hurry.
    fn after(&self, now: Timestamp, result: &PassResult, was: &Due, settings: &Settings) -> Due {
        let regular = next_resync(now, settings.resync_seconds);
        let (at, because) = match result {
            PassResult::Steady | PassResult::NotDeployed(_) => (regular, Because::Resync),
            PassResult::LookAgain { seconds } => {
                (now.plus_seconds(*seconds).min(regular), Because::LookAgain)
            }
            PassResult::LockHeld => (now.plus_seconds(settings.lock_held_seconds), Because::LockHeld),
            PassResult::Unseen { .. } => (now.plus_seconds(unseen_seconds(self.unseen)), Because::Unseen),
            PassResult::Failed(_) => {
                (now.plus_seconds(backoff_seconds(settings, self.failures)), Because::Failed)
            }
            PassResult::Stopped(_) => (now.plus_seconds(settings.stopped_seconds), Because::Stopped),
        };
        let at = at.max(now.plus_seconds(settings.pass_gap_seconds));
        let (bounce_by, begun) = match result {
            PassResult::Steady | PassResult::NotDeployed(_) => {
                (at.plus_seconds(settings.big_bounce_deadline_seconds), false)
            }
            PassResult::LookAgain { .. } => (was.bounce_by, true),
            _ => (was.bounce_by, was.begun),
        };
        let wake = Wake::new(now, because);
        Due { wait_until: at, bounce_by, queued_at: now, because, begun, wake }
    }
}

/// The next of the moments at which everything that is not looked at otherwise is looked at, all together: they share
/// one look at the engine.
fn next_resync(now: Timestamp, seconds: f64) -> Timestamp {
    let period = Timestamp::from_seconds(seconds).millis().max(1);
    let begun = now.millis().div_euclid(period);
    Timestamp::from_millis(begun.saturating_add(1).saturating_mul(period))
}

/// A second after the first pass that could not see what it needs, doubled with each. What cannot be seen comes back at
/// any moment, so nobody waits long for it.
pub(crate) fn unseen_seconds(in_a_row: u32) -> f64 {
    let doublings = i32::try_from(in_a_row.saturating_sub(1).min(10)).unwrap_or(10);
    2f64.powi(doublings).min(UNSEEN_SECONDS_MAX)
}

/// Twice the factor after the first failure, doubled with each, up to the maximum (marathon-and-bounce.md §9.7). Whoever
/// converges once has a factor of one second at most.
pub(crate) fn backoff_seconds(settings: &Settings, failures: u32) -> f64 {
    let doublings = i32::try_from(failures.min(60)).unwrap_or(60);
    let usual = settings.failure_backoff_factor_seconds;
    let factor = settings.once_tries.map_or(usual, |_| usual.min(1.0));
    (factor * 2f64.powi(doublings)).min(settings.failure_backoff_seconds_max)
}
