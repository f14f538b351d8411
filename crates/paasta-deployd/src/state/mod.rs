//! The state machine: what deployd knows and decides. No clock, no files, no tasks.

mod event;
mod queue;
mod record;
mod regeneration;
mod snapshot;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use paasta_core::{Change, InstanceId, ServiceName, Timestamp};

pub use event::{Action, Because, Event, Listed, Listing, Scope, Wake};
pub use snapshot::{QueueEntry, RegenerationEntry, RunningEntry, Snapshot};

use crate::Settings;
use crate::ports::{PassReport, RegenerateResult};
use queue::{Due, Queue};
use record::{Next, Record, Stage};
use regeneration::Regeneration;

/// Everything deployd knows. Same events at the same times, same actions.
///
/// Promises, each with a property test: an instance that is listed is queued or running until it is no longer
/// listed; never two passes of one instance at once; never more passes than workers; what happens during a
/// pass leads to another one; a failing instance does not delay others.
#[derive(Debug)]
pub struct Deployd {
    settings: Settings,
    phase: Phase,
    records: BTreeMap<InstanceId, Record>,
    by_short_id: BTreeMap<String, BTreeSet<InstanceId>>,
    queue: Queue,
    running: usize,
    regeneration: Regeneration,
    services: BTreeSet<ServiceName>,
    unreadable: BTreeMap<ServiceName, String>,
    listing: ListingStage,
    next_sweep: SweepStage,
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
    Running,
    At(Timestamp),
}

impl Deployd {
    /// A machine that knows nothing yet; [`Event::Started`] sets it going.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            phase: Phase::New,
            records: BTreeMap::new(),
            by_short_id: BTreeMap::new(),
            queue: Queue::default(),
            running: 0,
            regeneration: Regeneration::default(),
            services: BTreeSet::new(),
            unreadable: BTreeMap::new(),
            listing: ListingStage::Idle,
            next_sweep: SweepStage::At(Timestamp::default()),
        }
    }

    /// Takes in one event and says what is to be done now.
    pub fn handle(&mut self, now: Timestamp, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Started => self.start(&mut actions),
            Event::InstancesListed(listing) => self.listed(now, listing, &mut actions),
            Event::ListingFailed(scope) => self.listing_failed(now, scope),
            Event::FilesSwept { services, everything } => self.swept(now, services, everything, &mut actions),
            Event::EngineChanged(change) => self.engine_changed(now, &change),
            Event::PassFinished { instance, report } => self.pass_finished(now, instance, report),
            Event::Regenerated { service, result } => self.regenerated(now, &service, &result),
            Event::Nudged(service) => self.nudged(now, &service, &mut actions),
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

    fn start(&mut self, actions: &mut Vec<Action>) {
        if self.phase == Phase::New {
            self.phase = Phase::Working;
            self.list(Scope::All, actions);
        }
    }

    /// Asks for a listing; one at a time, so that answers come in the order of the questions.
    fn list(&mut self, scope: Scope, actions: &mut Vec<Action>) {
        let scope = match std::mem::replace(&mut self.listing, ListingStage::Idle) {
            ListingStage::Idle => scope,
            ListingStage::Retry { scope: failed, .. } => failed.and(scope),
            ListingStage::Running { and_then } => {
                let both = match and_then {
                    Some(earlier) => earlier.and(scope),
                    None => scope,
                };
                self.listing = ListingStage::Running { and_then: Some(both) };
                return;
            }
        };
        self.listing = ListingStage::Running { and_then: None };
        actions.push(Action::ListInstances(scope));
    }

    fn listed(&mut self, now: Timestamp, listing: Listing, actions: &mut Vec<Action>) {
        if let ListingStage::Running { and_then } = std::mem::replace(&mut self.listing, ListingStage::Idle)
            && let Some(scope) = and_then
        {
            self.list(scope, actions);
        }
        self.take_services(now, &listing);
        self.forget_missing(&listing, actions);
        for (instance, listed) in listing.instances {
            match self.records.get_mut(&instance) {
                Some(record) => record.listed_again(listed),
                None => self.add(now, instance, listed),
            }
        }
    }

    fn listing_failed(&mut self, now: Timestamp, scope: Scope) {
        let scope = match std::mem::replace(&mut self.listing, ListingStage::Idle) {
            ListingStage::Running { and_then: Some(more) } => scope.and(more),
            ListingStage::Retry { scope: earlier, .. } => scope.and(earlier),
            ListingStage::Running { and_then: None } | ListingStage::Idle => scope,
        };
        let at = now.plus_seconds(self.settings.listing_retry_seconds);
        self.listing = ListingStage::Retry { at, scope };
    }

    fn take_services(&mut self, now: Timestamp, listing: &Listing) {
        self.unreadable.retain(|service, _| !listing.scope.holds(service));
        self.unreadable.extend(listing.unreadable.clone());
        self.services.retain(|service| {
            !listing.scope.holds(service)
                || listing.services.contains(service)
                || listing.unreadable.contains_key(service)
        });
        self.services.extend(listing.services.iter().chain(listing.unreadable.keys()).cloned());
        self.regeneration.list(now, &self.services);
    }

    /// Drops what is no longer configured. What could not be read is not missing.
    fn forget_missing(&mut self, listing: &Listing, actions: &mut Vec<Action>) {
        let missing: Vec<InstanceId> = self
            .records
            .keys()
            .filter(|id| listing.scope.holds(id.service()))
            .filter(|id| !listing.unreadable.contains_key(id.service()))
            .filter(|id| !listing.instances.contains_key(id))
            .cloned()
            .collect();
        if !missing.is_empty() {
            actions.push(Action::TellGone(missing.clone()));
        }
        for instance in missing {
            if let Some(Record { stage: Stage::Running { next, .. }, .. }) = self.records.get_mut(&instance) {
                *next = Next::Forget;
                continue;
            }
            self.queue.remove(&instance);
            self.forget(&instance);
        }
    }

    fn forget(&mut self, instance: &InstanceId) {
        self.records.remove(instance);
        if let Some(same) = self.by_short_id.get_mut(&instance.short_id()) {
            same.remove(instance);
            if same.is_empty() {
                self.by_short_id.remove(&instance.short_id());
            }
        }
    }

    fn add(&mut self, now: Timestamp, instance: InstanceId, listed: Listed) {
        let due = self.due(now, Because::Startup, self.settings.startup_deadline_seconds);
        self.by_short_id.entry(instance.short_id()).or_default().insert(instance.clone());
        self.records.insert(instance.clone(), Record::new(listed));
        self.queue.put(instance, due);
    }

    fn swept(
        &mut self,
        now: Timestamp,
        services: BTreeSet<ServiceName>,
        everything: bool,
        actions: &mut Vec<Action>,
    ) {
        self.next_sweep = SweepStage::At(now.plus_seconds(self.settings.file_sweep_seconds));
        if services.is_empty() && !everything {
            return;
        }
        if everything {
            let deadline = self.settings.big_bounce_deadline_seconds;
            self.wake_all(now, Because::EverythingChanged, deadline);
        }
        self.wake_services(now, &services, Because::FilesChanged);
        self.list(if everything { Scope::All } else { Scope::Services(services) }, actions);
    }

    fn engine_changed(&mut self, now: Timestamp, change: &Change) {
        match change {
            Change::App(app) => {
                for instance in self.by_short_id.get(app.short_id()).cloned().unwrap_or_default() {
                    self.wake(now, &instance, Because::EngineChanged, 0.0);
                }
            }
            Change::Lost => {
                let deadline = self.settings.big_bounce_deadline_seconds;
                self.wake_all(now, Because::EngineLost, deadline);
            }
        }
    }

    fn regenerated(&mut self, now: Timestamp, service: &ServiceName, result: &RegenerateResult) {
        self.regeneration.finished(now, service, result, &self.settings);
        if !self.services.contains(service) {
            self.regeneration.forget(service);
        }
        if *result == RegenerateResult::Changed {
            self.wake_services(now, &BTreeSet::from([service.clone()]), Because::DeploymentsChanged);
        }
    }

    /// A service that is not known yet may be new: it is listed, and regenerated at once when it is there.
    fn nudged(&mut self, now: Timestamp, service: &ServiceName, actions: &mut Vec<Action>) {
        if !self.regeneration.nudge(now, service) {
            self.list(Scope::Services(BTreeSet::from([service.clone()])), actions);
        }
    }

    fn wake_all(&mut self, now: Timestamp, because: Because, deadline_seconds: f64) {
        let all: Vec<InstanceId> = self.records.keys().cloned().collect();
        for instance in all {
            self.wake(now, &instance, because, deadline_seconds);
        }
    }

    fn wake_services(&mut self, now: Timestamp, services: &BTreeSet<ServiceName>, because: Because) {
        let theirs: Vec<(InstanceId, f64)> = self
            .records
            .iter()
            .filter(|(id, _)| services.contains(id.service()))
            .map(|(id, record)| (id.clone(), record.listed.bounce_start_deadline_seconds))
            .collect();
        for (instance, deadline_seconds) in theirs {
            self.wake(now, &instance, because, deadline_seconds);
        }
    }

    /// Lets an instance have a pass soon; one that is running has another one.
    fn wake(&mut self, now: Timestamp, instance: &InstanceId, because: Because, deadline_seconds: f64) {
        let due = self.due(now, because, deadline_seconds);
        let Some(record) = self.records.get_mut(instance) else { return };
        match &mut record.stage {
            Stage::Running { next, .. } => next.again(due),
            Stage::Queued => {
                let Some(waiting) = self.queue.get(instance).copied() else { return };
                if waiting.because == Because::Failed && !because.ends_backoff() {
                    let wake = waiting.wake.or_later(due.wake);
                    return self.queue.put(instance.clone(), Due { wake, ..waiting });
                }
                let rested = record.rested_at(self.settings.pass_gap_seconds);
                let due = Due { wait_until: due.wait_until.max(rested), ..due };
                self.queue.put(instance.clone(), waiting.merge(due));
            }
        }
    }

    fn due(&self, now: Timestamp, because: Because, deadline_seconds: f64) -> Due {
        Due {
            wait_until: now,
            bounce_by: now.plus_seconds(deadline_seconds),
            queued_at: now,
            because,
            wake: Wake { at: now, because },
        }
    }

    fn pass_finished(&mut self, now: Timestamp, instance: InstanceId, report: PassReport) {
        let Some(record) = self.records.get_mut(&instance) else { return };
        if let Stage::Queued = record.stage {
            return;
        }
        self.running = self.running.saturating_sub(1);
        match record.finish(now, report, &self.settings) {
            Some(due) => self.queue.put(instance, due),
            None => self.forget(&instance),
        }
    }

    fn shut_down(&mut self, now: Timestamp) {
        if let Phase::New | Phase::Working = self.phase {
            let give_up_at = now.plus_seconds(self.settings.shutdown_seconds_max);
            self.phase = Phase::Stopping { give_up_at };
        }
    }

    /// Starts what may start, and says when to come back.
    fn go_on(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        match self.phase {
            Phase::New => {}
            Phase::Working => {
                self.start_due(now, actions);
                if let Some(at) = self.next_wake() {
                    actions.push(Action::WakeAt(at));
                }
            }
            Phase::Stopping { give_up_at } => {
                actions.retain(|action| !matches!(action, Action::ListInstances(_)));
                let over = self.running == 0 || now >= give_up_at;
                actions.push(if over { Action::Stop } else { Action::WakeAt(give_up_at) });
            }
        }
    }

    fn start_due(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        if let SweepStage::At(at) = self.next_sweep
            && at <= now
        {
            self.next_sweep = SweepStage::Running;
            actions.push(Action::SweepFiles);
        }
        if let ListingStage::Retry { at, scope } = &self.listing
            && *at <= now
        {
            actions.push(Action::ListInstances(scope.clone()));
            self.listing = ListingStage::Running { and_then: None };
        }
        actions.extend(self.regeneration.start(now, &self.settings).into_iter().map(Action::Regenerate));
        while self.running < self.settings.workers
            && let Some((instance, due)) = self.queue.pop(now)
        {
            if let Some(record) = self.records.get_mut(&instance) {
                record.stage = Stage::Running { since: now, because: due.because, next: Next::AsReported };
                self.running += 1;
                actions.push(Action::StartPass { instance, wake: due.wake });
            }
        }
    }

    fn next_wake(&self) -> Option<Timestamp> {
        let sweep = match self.next_sweep {
            SweepStage::At(at) => Some(at),
            SweepStage::Running => None,
        };
        let listing = match &self.listing {
            ListingStage::Retry { at, .. } => Some(*at),
            _ => None,
        };
        let queue = if self.running < self.settings.workers { self.queue.next_at() } else { None };
        [sweep, listing, queue, self.regeneration.next_at(&self.settings)].into_iter().flatten().min()
    }
}
