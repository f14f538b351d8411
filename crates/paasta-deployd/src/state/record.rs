//! What is kept of one instance.

use paasta_core::Timestamp;

use super::event::{Because, Listed, Wake};
use super::queue::Due;
use crate::Settings;
use crate::ports::{PassReport, PassResult};

/// One instance.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) listed: Listed,
    pub(crate) stage: Stage,
    /// Passes that failed in a row.
    pub(crate) failures: u32,
    pub(crate) passes: u64,
    pub(crate) last: Option<LastPass>,
}

/// Where an instance stands. One that is queued has its entry in the queue.
#[derive(Debug)]
pub(crate) enum Stage {
    Queued,
    Running { since: Timestamp, because: Because, next: Next },
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
    pub(crate) report: PassReport,
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

impl Record {
    /// One that has not had a pass.
    pub(crate) fn new(listed: Listed) -> Self {
        Self { listed, stage: Stage::Queued, failures: 0, passes: 0, last: None }
    }

    /// It is (still, or again) configured.
    pub(crate) fn listed_again(&mut self, listed: Listed) {
        self.listed = listed;
        if let Stage::Running { next: next @ Next::Forget, since, because } = &mut self.stage {
            // It went and came back during one pass: look again as soon as that has ended.
            *next = Next::Again(Due {
                wait_until: *since,
                bounce_by: *since,
                queued_at: *since,
                because: *because,
                wake: Wake { at: *since, because: *because },
            });
        }
    }

    /// When its next pass may start at the earliest.
    pub(crate) fn rested_at(&self, gap_seconds: f64) -> Timestamp {
        self.last.as_ref().map(|last| last.at.plus_seconds(gap_seconds)).unwrap_or_default()
    }

    /// The pass has ended: where in the queue it goes; `None` if it is to be forgotten.
    pub(crate) fn finish(&mut self, now: Timestamp, report: PassReport, settings: &Settings) -> Option<Due> {
        let next = match std::mem::replace(&mut self.stage, Stage::Queued) {
            Stage::Running { next, .. } => next,
            Stage::Queued => Next::AsReported,
        };
        self.failures = match &report.result {
            PassResult::Failed(_) => self.failures.saturating_add(1),
            PassResult::LockHeld => self.failures,
            PassResult::Steady | PassResult::LookAgain { .. } => 0,
        };
        self.passes = self.passes.saturating_add(1);
        let reported = self.after(now, &report.result, settings);
        self.last = Some(LastPass { at: now, report });
        match next {
            Next::AsReported => Some(reported),
            Next::Again(due) if reported.because == Because::Failed && !due.because.ends_backoff() => {
                Some(reported)
            }
            Next::Again(due) => {
                let soon = now.plus_seconds(settings.pass_gap_seconds);
                // The next pass has to see what this one did as well.
                let wake = Wake { at: now, because: due.wake.because };
                Some(Due { wake, ..reported.merge(Due { wait_until: due.wait_until.max(soon), ..due }) })
            }
            Next::Forget => None,
        }
    }

    /// When the next pass is due if nothing happens.
    fn after(&self, now: Timestamp, result: &PassResult, settings: &Settings) -> Due {
        let regular = now.plus_seconds(settings.resync_seconds);
        let soonest = now.plus_seconds(settings.pass_gap_seconds);
        let (at, because) = match result {
            PassResult::Steady => (regular, Because::Resync),
            PassResult::LookAgain { seconds } => {
                (now.plus_seconds(*seconds).min(regular), Because::LookAgain)
            }
            PassResult::LockHeld => (now.plus_seconds(settings.lock_held_seconds), Because::LockHeld),
            PassResult::Failed(_) => {
                (now.plus_seconds(backoff_seconds(settings, self.failures)), Because::Failed)
            }
        };
        let at = at.max(soonest);
        Due { wait_until: at, bounce_by: at, queued_at: now, because, wake: Wake { at: now, because } }
    }
}

/// Twice the factor after the first failure, doubled with each, up to the maximum (marathon-and-bounce.md §9.7).
pub(crate) fn backoff_seconds(settings: &Settings, failures: u32) -> f64 {
    let doublings = i32::try_from(failures.min(60)).unwrap_or(60);
    (settings.failure_backoff_factor_seconds * 2f64.powi(doublings)).min(settings.failure_backoff_seconds_max)
}
