//! What deployd is doing, as data for status pages.

use paasta_core::{Haste, InstanceId, ServiceName, Standing, Timestamp};
use serde::Serialize;

use super::event::Because;
use super::queue::Lane;
use super::record::{Next, Record, Stage};
use super::{Deployd, Due};
use crate::ports::PassReport;

/// Queue, passes under way and what failed, at one moment. Its times are by the clock of deployd's loop, which does not
/// follow a wall clock that is set forward or back: how far they are from `at` always holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Snapshot {
    /// When.
    pub at: Timestamp,
    /// `leading`, `waiting`, `doubtful` or `lost`.
    pub standing: &'static str,
    /// Who leads where this process does not, as far as that is known; why it is in doubt, or led and does no longer.
    pub standing_detail: Option<String>,
    /// How many passes may run at once.
    pub workers: usize,
    /// How many more, if they are urgent.
    pub urgent_workers: usize,
    /// Instances that are looked after.
    pub instances: usize,
    /// Services, with and without instances here.
    pub services: usize,
    /// Passes under way, by instance.
    pub running: Vec<RunningEntry>,
    /// Everything that waits: what is available first, by lane, in the order of its turns; then by time.
    pub queue: Vec<QueueEntry>,
    /// Services whose deployments.json could not be regenerated.
    pub regenerations_failing: Vec<RegenerationEntry>,
    /// How many regenerations are under way.
    pub regenerations_running: usize,
    /// Services whose instances could not be read, with the reason.
    pub unreadable: Vec<(ServiceName, String)>,
    /// Hosts that are known to be about to leave.
    pub leaving_hosts: Vec<String>,
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
    /// What the original's record would name as its watcher.
    pub watcher: &'static str,
    /// Until when it could have stood back.
    pub bounce_by: Timestamp,
    /// Since when it had waited.
    pub queued_at: Timestamp,
    /// Whether it may take the places of those that hurry.
    pub urgent: bool,
    /// Whether it was told to end.
    pub abandoned: bool,
    /// Whether something happened since, so that another follows.
    pub again: bool,
    /// Passes that failed in a row before it.
    pub failures: u32,
    /// Passes that ended before it.
    pub passes: u64,
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
    /// Whether its turn may come now.
    pub available: bool,
    /// The line it stands in.
    pub lane: Lane,
    /// Until then it may stand back; of those in one lane the smallest goes first.
    pub bounce_by: Timestamp,
    /// Since when it waits.
    pub queued_at: Timestamp,
    /// Why it waits here.
    pub because: Because,
    /// What the original's record would name as its watcher.
    pub watcher: &'static str,
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
            .filter_map(|(instance, due)| Some(entry(at, instance, due, self.records.get(instance)?)))
            .collect();
        queue.sort_by_key(|entry| match (entry.available, entry.lane) {
            (true, Lane::Urgent) => {
                (false, entry.lane, entry.bounce_by.max(entry.wait_until), entry.bounce_by)
            }
            (true, Lane::Retry) => (false, entry.lane, entry.wait_until, entry.bounce_by),
            (true, lane) => (false, lane, entry.bounce_by, entry.wait_until),
            (false, _) => (true, Lane::Urgent, entry.wait_until, entry.bounce_by),
        });
        let (standing, standing_detail) = match &self.standing {
            Standing::Waiting { leader } => ("waiting", leader.clone()),
            Standing::Leading => ("leading", None),
            Standing::Doubtful(why) => ("doubtful", Some(why.clone())),
            Standing::Lost(why) => ("lost", Some(why.clone())),
        };
        Snapshot {
            at,
            standing,
            standing_detail,
            workers: self.settings.workers,
            urgent_workers: self.settings.urgent_workers,
            instances: self.records.len(),
            services: self.services.len(),
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
            leaving_hosts: self.leaving.iter().cloned().collect(),
        }
    }
}

fn entry(at: Timestamp, instance: &InstanceId, due: &Due, record: &Record) -> QueueEntry {
    QueueEntry {
        instance: instance.clone(),
        wait_until: due.wait_until,
        available: due.wait_until <= at,
        lane: due.lane(at),
        bounce_by: due.bounce_by,
        queued_at: due.queued_at,
        because: due.because,
        watcher: due.because.watcher(),
        failures: record.failures,
        passes: record.passes,
        last_at: record.last.as_ref().map(|last| last.at),
        last: record.last.as_ref().map(|last| last.report()),
    }
}

fn running(instance: &InstanceId, record: &Record) -> Option<RunningEntry> {
    let Stage::Running(running) = &record.stage else { return None };
    Some(RunningEntry {
        instance: instance.clone(),
        since: running.since,
        because: running.due.because,
        watcher: running.due.because.watcher(),
        bounce_by: running.due.bounce_by,
        queued_at: running.due.queued_at,
        urgent: running.haste == Haste::Urgent,
        abandoned: running.abandoned,
        again: matches!(running.next, Next::Again(_)),
        failures: record.failures,
        passes: record.passes,
        last: record.last.as_ref().map(|last| last.report()),
    })
}
