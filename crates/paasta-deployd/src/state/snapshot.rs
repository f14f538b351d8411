//! What deployd is doing, as data for status pages.

use paasta_core::{InstanceId, ServiceName, Timestamp};
use serde::Serialize;

use super::event::Because;
use super::record::{Next, Record, Stage};
use super::{Deployd, Due};
use crate::ports::PassReport;

/// Queue, passes under way and what failed, at one moment. Its times are by the clock of deployd's loop, which does not
/// follow a wall clock that is set forward or back: how far they are from `at` always holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Snapshot {
    /// When.
    pub at: Timestamp,
    /// How many passes may run at once.
    pub workers: usize,
    /// Passes under way, by instance.
    pub running: Vec<RunningEntry>,
    /// Everything that waits: what is available first, in the order of its turns; then by time.
    pub queue: Vec<QueueEntry>,
    /// Services whose deployments.json could not be regenerated.
    pub regenerations_failing: Vec<RegenerationEntry>,
    /// How many regenerations are under way.
    pub regenerations_running: usize,
    /// Services whose instances could not be read, with the reason.
    pub unreadable: Vec<(ServiceName, String)>,
}

/// A pass under way.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunningEntry {
    /// Whose.
    pub instance: InstanceId,
    /// Since when.
    pub since: Timestamp,
    /// Why it was started.
    pub because: Because,
    /// Whether something happened since, so that another follows.
    pub again: bool,
    /// Passes that failed in a row before it.
    pub failures: u32,
    /// What the pass before it said.
    pub last: Option<PassReport>,
}

/// An instance that waits for its turn.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct QueueEntry {
    /// Which.
    pub instance: InstanceId,
    /// Its turn comes not before.
    pub wait_until: Timestamp,
    /// Of those available the smallest goes first.
    pub bounce_by: Timestamp,
    /// Since when it waits.
    pub queued_at: Timestamp,
    /// Why it waits here.
    pub because: Because,
    /// Passes that failed in a row.
    pub failures: u32,
    /// Passes so far.
    pub passes: u64,
    /// When its last pass ended.
    pub last_at: Option<Timestamp>,
    /// What its last pass said: how it ended and what the instance waits for.
    pub last: Option<PassReport>,
}

/// A service whose deployments.json could not be regenerated.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RegenerationEntry {
    /// Which.
    pub service: ServiceName,
    /// How often in a row.
    pub failures: u32,
    /// Why, the last time.
    pub reason: String,
}

impl Deployd {
    /// What it is doing. Costs a walk over all instances.
    pub fn snapshot(&self, at: Timestamp) -> Snapshot {
        let mut queue: Vec<QueueEntry> = self
            .queue
            .iter()
            .filter_map(|(instance, due)| Some(entry(instance, due, self.records.get(instance)?)))
            .collect();
        queue.sort_by_key(|entry| match entry.wait_until <= at {
            true => (false, entry.bounce_by, entry.wait_until),
            false => (true, entry.wait_until, entry.bounce_by),
        });
        Snapshot {
            at,
            workers: self.settings.workers,
            running: self.records.iter().filter_map(|(id, record)| running(id, record)).collect(),
            queue,
            regenerations_failing: self
                .regeneration
                .failing()
                .map(|(service, failures, reason)| RegenerationEntry {
                    service: service.clone(),
                    failures,
                    reason: reason.to_owned(),
                })
                .collect(),
            regenerations_running: self.regeneration.running(),
            unreadable: self.unreadable.iter().map(|(name, why)| (name.clone(), why.clone())).collect(),
        }
    }
}

fn entry(instance: &InstanceId, due: &Due, record: &Record) -> QueueEntry {
    QueueEntry {
        instance: instance.clone(),
        wait_until: due.wait_until,
        bounce_by: due.bounce_by,
        queued_at: due.queued_at,
        because: due.because,
        failures: record.failures,
        passes: record.passes,
        last_at: record.last.as_ref().map(|last| last.at),
        last: record.last.as_ref().map(|last| last.report.clone()),
    }
}

fn running(instance: &InstanceId, record: &Record) -> Option<RunningEntry> {
    let Stage::Running { since, because, next } = &record.stage else { return None };
    Some(RunningEntry {
        instance: instance.clone(),
        since: *since,
        because: *because,
        again: matches!(next, Next::Again(_)),
        failures: record.failures,
        last: record.last.as_ref().map(|last| last.report.clone()),
    })
}
