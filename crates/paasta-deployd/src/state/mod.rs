//! The state machine: what deployd knows and decides. No clock, no files, no tasks.

mod event;
mod listing;
mod once;
mod pace;
mod queue;
mod record;
mod regeneration;
mod snapshot;
#[cfg(test)]
mod tests;
mod wakes;

use std::collections::{BTreeMap, BTreeSet};

use paasta_core::{InstanceId, ServiceName, Standing, Timestamp};

pub use event::{Action, Because, Event, Listed, Listing, Scope, Tags, Wake};
pub use once::Unsettled;
pub use queue::Lane;
pub use snapshot::{QueueEntry, RegenerationEntry, RunningEntry, Snapshot};

use crate::ports::{InboxEntry, PassReport, PassResult, RegenerateResult};
use crate::{NudgeRefused, Settings};
use queue::{Due, Queue};
use record::{Record, Stage};
use regeneration::Regeneration;

/// Everything deployd knows. Same events at the same times, same actions.
///
/// Promises, each with a property test:
/// - an instance that is listed is queued or running until it is no longer listed;
/// - never two passes of one instance at once;
/// - never more passes than workers, but for urgent ones, which have some places more;
/// - what happens during a pass leads to another one;
/// - a failing instance does not delay others, and is tried for ever;
/// - nothing starts before it leads, nor while it cannot tell; when it leads no longer, what runs is told to end;
/// - whoever begins to lead looks at every instance, and believes no deployments.json before it has looked at the tags,
///   or tried to for a few seconds;
/// - a bounce keeps its deadline until it has ended, and one whose deadline has come waits for no other.
#[derive(Debug)]
pub struct Deployd {
    settings: Settings,
    phase: Phase,
    standing: Standing,
    records: BTreeMap<InstanceId, Record>,
    by_short_id: BTreeMap<String, BTreeSet<InstanceId>>,
    by_service: BTreeMap<ServiceName, BTreeSet<InstanceId>>,
    queue: Queue,
    running: Places,
    regeneration: Regeneration,
    services: BTreeSet<ServiceName>,
    unreadable: BTreeMap<ServiceName, String>,
    listing: ListingStage,
    listed_once: bool,
    next_sweep: SweepStage,
    swept_once: bool,
    /// Services whose files changed within the last seconds, and when.
    changed_lately: BTreeMap<ServiceName, Timestamp>,
    hosts: HostsStage,
    leaving: BTreeSet<String>,
    /// Entries of the shared queue whose instances are not known, and may yet be.
    early_entries: Vec<InboxEntry>,
}

/// How many passes run, by what they may take.
#[derive(Clone, Copy, Debug, Default)]
struct Places {
    urgent: usize,
    usual: usize,
    /// Of the usual ones, those that failed before.
    retries: usize,
}

impl Places {
    fn all(self) -> usize {
        self.urgent + self.usual
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Before [`Event::Started`].
    New,
    Working,
    Stopping {
        give_up_at: Timestamp,
    },
}

#[derive(Debug)]
enum ListingStage {
    Idle,
    /// One is under way; meanwhile this was asked for too.
    Running {
        and_then: Option<Scope>,
    },
    /// It failed; the next attempt.
    Retry {
        at: Timestamp,
        scope: Scope,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SweepStage {
    /// One is under way; files may have changed since it began.
    Running {
        again: bool,
    },
    At(Timestamp),
}

/// Looks at hosts that are about to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HostsStage {
    Running,
    At(Timestamp),
}

impl Deployd {
    /// A machine that knows nothing yet; [`Event::Started`] sets it going.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            phase: Phase::New,
            standing: Standing::Waiting { leader: None },
            records: BTreeMap::new(),
            by_short_id: BTreeMap::new(),
            by_service: BTreeMap::new(),
            queue: Queue::default(),
            running: Places::default(),
            regeneration: Regeneration::default(),
            services: BTreeSet::new(),
            unreadable: BTreeMap::new(),
            listing: ListingStage::Idle,
            listed_once: false,
            next_sweep: SweepStage::At(Timestamp::default()),
            swept_once: false,
            changed_lately: BTreeMap::new(),
            hosts: HostsStage::At(Timestamp::default()),
            leaving: BTreeSet::new(),
            early_entries: Vec::new(),
        }
    }

    /// Takes in one event and says what is to be done now.
    pub fn handle(&mut self, now: Timestamp, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Started => self.start(),
            Event::Stands(standing) => self.stands(now, standing, &mut actions),
            Event::FilesStirred => self.sweep_soon(now),
            Event::InstancesListed(listing) => self.listed(now, listing, &mut actions),
            Event::ListingFailed(scope) => self.listing_failed(now, scope),
            Event::FilesSwept { services, everything, rest_seconds } => {
                let rest_seconds = rest_seconds.unwrap_or(self.settings.file_sweep_seconds);
                self.swept(now, services, everything, rest_seconds, &mut actions);
            }
            Event::EngineChanged(change) => self.engine_changed(now, &change),
            Event::PassFinished { instance, report } => {
                self.pass_finished(now, instance, report, &mut actions);
            }
            Event::Regenerated { service, result } => self.regenerated(now, &service, &result),
            Event::Nudged(service) => self.nudged(now, &service, &mut actions),
            Event::CountChanged(change) => self.count_changed(now, &change),
            Event::HostsLooked(looked) => self.hosts_looked(now, looked),
            Event::EntryTaken(entry) => self.entry_taken(now, entry, &mut actions),
            Event::Reload => self.reload(&mut actions),
            Event::SettingsRead(read) => self.settings_read(now, read, &mut actions),
            Event::Tick => {}
            Event::Shutdown => self.shut_down(now),
        }
        self.go_on(now, &mut actions);
        actions
    }

    /// How it paces itself.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether a nudge is taken: one that stands by would keep it to itself, and whoever leads next looks at all tags
    /// anyway.
    pub(crate) fn takes_nudges(&self) -> Result<(), NudgeRefused> {
        match self.phase {
            Phase::Stopping { .. } => Err(NudgeRefused::Ending),
            Phase::Working if self.leads() => Ok(()),
            Phase::New | Phase::Working => Err(NudgeRefused::NotLeading(self.standing.clone())),
        }
    }

    /// Instances are listed when the first sweep has ended: what changes before that is in the listing, and what changes
    /// after it is found by the next sweep.
    fn start(&mut self) {
        if self.phase == Phase::New {
            self.phase = Phase::Working;
        }
    }

    fn leads(&self) -> bool {
        self.standing == Standing::Leading
    }

    /// Whoever begins to lead looks at every instance, as nobody knows what the leader before left half done. Coming
    /// out of doubt is no beginning. Whoever leads no longer ends what is under way, at once: another may have begun.
    fn stands(&mut self, now: Timestamp, standing: Standing, actions: &mut Vec<Action>) {
        let led = matches!(self.standing, Standing::Leading | Standing::Doubtful(_));
        let ends = matches!(standing, Standing::Waiting { .. } | Standing::Lost(_));
        self.standing = standing;
        if self.leads() && !led {
            self.regeneration.take_over(now, &self.settings);
            self.hosts = match self.hosts {
                HostsStage::Running => HostsStage::Running,
                HostsStage::At(_) => HostsStage::At(now),
            };
            let deadline = self.settings.startup_deadline_seconds;
            self.wake_all(now, Because::BeganToLead, deadline);
            actions.push(Action::TakeEntries);
        }
        if let Standing::Doubtful(_) = self.standing {
            for record in self.records.values_mut() {
                if let Stage::Running(running) = &mut record.stage {
                    running.doubted = true;
                }
            }
        }
        if led && ends {
            for (instance, record) in &mut self.records {
                record.entries.clear();
                if let Stage::Running(running) = &mut record.stage {
                    running.entries.clear();
                    if !std::mem::replace(&mut running.abandoned, true) {
                        actions.push(Action::AbandonPass(instance.clone()));
                    }
                }
            }
            self.early_entries.clear();
            actions.push(Action::ReleaseEntries);
        }
    }

    fn sweep_soon(&mut self, now: Timestamp) {
        self.next_sweep = match self.next_sweep {
            SweepStage::At(at) => SweepStage::At(at.min(now)),
            SweepStage::Running { .. } => SweepStage::Running { again: true },
        };
    }

    fn reload(&mut self, actions: &mut Vec<Action>) {
        if self.phase == Phase::Working {
            actions.push(Action::ReadSettings);
        }
    }

    /// Somebody asked for everything to be read anew: what could not be read before is no reason to leave the rest.
    fn settings_read(
        &mut self,
        now: Timestamp,
        read: Result<Box<Settings>, String>,
        actions: &mut Vec<Action>,
    ) {
        if let Ok(settings) = read {
            let once_tries = self.settings.once_tries;
            self.settings = Settings { once_tries, ..(*settings).clone() };
            actions.push(Action::UseSettings(settings));
        }
        self.regeneration.begin(now, &self.settings);
        let deadline = self.settings.big_bounce_deadline_seconds;
        self.wake_all(now, Because::EverythingChanged, deadline);
        self.list(Scope::All, actions);
    }

    fn regenerated(&mut self, now: Timestamp, service: &ServiceName, result: &RegenerateResult) {
        let stopped = match result {
            RegenerateResult::Failed(reason) if !self.leads() => {
                Some(RegenerateResult::Stopped(reason.clone()))
            }
            _ => None,
        };
        self.regeneration.finished(now, service, stopped.as_ref().unwrap_or(result), &self.settings);
        if !self.services.contains(service) {
            self.regeneration.forget(service);
        }
        if *result == RegenerateResult::Changed {
            self.wake_services(now, &BTreeSet::from([service.clone()]), Because::DeploymentsChanged);
        }
        if self.leads() && self.regeneration.held_until(now, service, &self.settings).is_none() {
            self.release(now, service);
        }
    }

    fn pass_finished(
        &mut self,
        now: Timestamp,
        instance: InstanceId,
        report: PassReport,
        actions: &mut Vec<Action>,
    ) {
        let leads = self.leads();
        let Some(record) = self.records.get_mut(&instance) else { return };
        let running = match std::mem::replace(&mut record.stage, Stage::Queued) {
            Stage::Running(running) => *running,
            Stage::Queued => return,
        };
        self.running.leave(&running);
        let blamed = leads && !running.abandoned && !running.doubted;
        if blamed {
            actions.push(Action::TellEnd { instance: instance.clone(), report: report.clone() });
        }
        let report = if blamed { report } else { without_blame(report) };
        // Whatever it wanted to change waits for the tags.
        let held = running.tags == Tags::Awaited && matches!(report.result, PassResult::Stopped(_));
        record.held = leads && held;
        if leads && matches!(report.result, PassResult::NotDeployed(_)) {
            self.regeneration.lacks(now, instance.service());
        }
        let finished = record.finish(now, report, running, &self.settings);
        consume(finished.entries, actions);
        let Some(mut due) = finished.due else { return self.forget(&instance, actions) };
        if held && leads {
            let soon = now.plus_seconds(self.settings.pass_gap_seconds);
            let until = self.regeneration.held_until(now, instance.service(), &self.settings);
            due.wait_until = until.map_or(soon, |until| until.max(soon));
            self.regeneration.want(now, instance.service());
        }
        self.queue.put(instance, due);
    }

    fn shut_down(&mut self, now: Timestamp) {
        if let Phase::New | Phase::Working = self.phase {
            let give_up_at = now.plus_seconds(self.settings.shutdown_seconds_max);
            self.phase = Phase::Stopping { give_up_at };
        }
    }
}

/// A pass that failed while it might not act says nothing of its instance.
fn without_blame(report: PassReport) -> PassReport {
    match report.result {
        PassResult::Failed(reason) => PassReport { result: PassResult::Stopped(reason), why: report.why },
        _ => report,
    }
}

fn consume(entries: BTreeSet<String>, actions: &mut Vec<Action>) {
    if !entries.is_empty() {
        actions.push(Action::ConsumeEntries(entries));
    }
}
