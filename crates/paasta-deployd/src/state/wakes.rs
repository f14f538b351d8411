//! What happened in the world, and whose pass it leads to.

use std::collections::BTreeSet;

use paasta_core::{AppId, Change, InstanceId, ServiceName, Timestamp};

use super::event::{Action, Because, Scope, Wake};
use super::queue::Due;
use super::record::Stage;
use super::{Deployd, HostsStage, SweepStage};
use crate::ports::{CountChange, HostsLooked, InboxEntry};
use crate::settings::AUTOSCALER_WATCHER;

/// A change of more services than these is nobody's deploy: each of them may stand back like after a change of everything.
pub(super) const FEW_SERVICES: usize = 20;
/// A commit that touches many services is written, and found, in several bursts.
const BURSTS_SECONDS: f64 = 2.0;

impl Deployd {
    pub(super) fn swept(
        &mut self,
        now: Timestamp,
        services: BTreeSet<ServiceName>,
        everything: bool,
        rest_seconds: f64,
        actions: &mut Vec<Action>,
    ) {
        self.next_sweep = match self.next_sweep {
            SweepStage::Running { again: true } => SweepStage::At(now),
            _ => SweepStage::At(now.plus_seconds(rest_seconds)),
        };
        if !std::mem::replace(&mut self.swept_once, true) {
            self.list(Scope::All, actions);
        }
        if services.is_empty() && !everything {
            return;
        }
        self.regeneration.files_changed(&services);
        if everything {
            let deadline = self.settings.big_bounce_deadline_seconds;
            self.wake_all(now, Because::EverythingChanged, deadline);
        }
        self.changed_lately.retain(|_, at| at.plus_seconds(BURSTS_SECONDS) > now);
        self.changed_lately.extend(services.iter().map(|service| (service.clone(), now)));
        if self.changed_lately.len() > FEW_SERVICES {
            let theirs: Vec<InstanceId> = self.instances_of(&services).cloned().collect();
            for instance in theirs {
                let deadline = self.settings.big_bounce_deadline_seconds;
                self.wake(now, &instance, Because::FilesChanged, deadline);
            }
        } else {
            self.wake_services(now, &services, Because::FilesChanged);
        }
        self.list(if everything { Scope::All } else { Scope::Services(services) }, actions);
    }

    pub(super) fn engine_changed(&mut self, now: Timestamp, change: &Change) {
        match change {
            Change::App(app) => self.wake_app(now, app, Because::EngineChanged),
            Change::Lost => {
                let deadline = self.settings.big_bounce_deadline_seconds;
                self.wake_all(now, Because::EngineLost, deadline);
            }
        }
    }

    pub(super) fn count_changed(&mut self, now: Timestamp, change: &CountChange) {
        if !self.settings.watches(AUTOSCALER_WATCHER) {
            return;
        }
        match change {
            CountChange::Of(instance) => self.wake(now, instance, Because::CountChanged, 0.0),
            CountChange::Lost => {
                let autoscaled = self.records.iter().filter(|(_, record)| record.listed.autoscaled);
                let autoscaled: Vec<InstanceId> = autoscaled.map(|(id, _)| id.clone()).collect();
                for instance in autoscaled {
                    let deadline = self.settings.big_bounce_deadline_seconds;
                    self.wake(now, &instance, Because::CountsLost, deadline);
                }
            }
        }
    }

    /// What could not be looked at stays as it was known, so that a host that begins to leave meanwhile is new
    /// when it is seen.
    pub(super) fn hosts_looked(&mut self, now: Timestamp, looked: Result<HostsLooked, String>) {
        self.hosts = HostsStage::At(now.plus_seconds(self.settings.maintenance_polling_seconds));
        let Ok(looked) = looked else { return };
        for app in &looked.apps {
            self.wake_app(now, app, Because::HostLeaves);
        }
        self.leaving = looked.leaving;
    }

    /// An entry of an instance that is in no file is done by being told.
    pub(super) fn entry_taken(&mut self, now: Timestamp, entry: InboxEntry, actions: &mut Vec<Action>) {
        if !self.leads() {
            return;
        }
        let Some(record) = self.records.get_mut(&entry.instance) else {
            // What cannot be read may be there.
            let unsure = !self.listed_once || self.unreadable.contains_key(entry.instance.service());
            return match unsure {
                true => self.early_entries.push(entry),
                false => actions.push(Action::DropEntry(entry)),
            };
        };
        record.entries.insert(entry.key);
        let wait_until = entry.wait_until.max(now);
        let due = Due { wait_until, bounce_by: entry.bounce_by, ..due(now, Because::Queued, 0.0) };
        self.wake_at(&entry.instance, due);
    }

    /// A service that is not known yet may be new: it is listed, and regenerated at once when it is there.
    pub(super) fn nudged(&mut self, now: Timestamp, service: &ServiceName, actions: &mut Vec<Action>) {
        if !self.regeneration.nudge(now, service) {
            self.list(Scope::Services(BTreeSet::from([service.clone()])), actions);
        }
    }

    fn wake_app(&mut self, now: Timestamp, app: &AppId, because: Because) {
        for instance in self.by_short_id.get(app.short_id()).cloned().unwrap_or_default() {
            self.wake(now, &instance, because, 0.0);
        }
    }

    pub(super) fn wake_all(&mut self, now: Timestamp, because: Because, deadline_seconds: f64) {
        let all: Vec<InstanceId> = self.records.keys().cloned().collect();
        for instance in all {
            self.wake(now, &instance, because, deadline_seconds);
        }
    }

    pub(super) fn wake_services(
        &mut self,
        now: Timestamp,
        services: &BTreeSet<ServiceName>,
        because: Because,
    ) {
        let theirs: Vec<(InstanceId, f64)> = self
            .instances_of(services)
            .filter_map(|id| Some((id.clone(), self.records.get(id)?.listed.bounce_start_deadline_seconds)))
            .collect();
        for (instance, deadline_seconds) in theirs {
            self.wake(now, &instance, because, deadline_seconds);
        }
    }

    /// Every instance of these services.
    pub(super) fn instances_of(&self, services: &BTreeSet<ServiceName>) -> impl Iterator<Item = &InstanceId> {
        services.iter().filter_map(|service| self.by_service.get(service)).flatten()
    }

    /// Whatever waited for the tags of this service need not wait any longer.
    pub(super) fn release(&mut self, now: Timestamp, service: &ServiceName) {
        for instance in self.by_service.get(service).into_iter().flatten() {
            if let Some(record) = self.records.get(instance).filter(|record| record.held)
                && let Some(due) = self.queue.get(instance).copied()
            {
                let wait_until =
                    due.wait_until.min(now.max(record.rested_at(self.settings.pass_gap_seconds)));
                self.queue.put(instance.clone(), Due { wait_until, ..due });
            }
        }
    }

    /// Lets an instance have a pass soon; one that is running has another one.
    fn wake(&mut self, now: Timestamp, instance: &InstanceId, because: Because, deadline_seconds: f64) {
        self.wake_at(instance, due(now, because, deadline_seconds));
    }

    fn wake_at(&mut self, instance: &InstanceId, due: Due) {
        let Some(record) = self.records.get_mut(instance) else { return };
        // What the engine says of a bounce under way is part of that bounce, which must not pass by others for it.
        let echo = due.because == Because::EngineChanged;
        match &mut record.stage {
            Stage::Running(running) => {
                let bounce_by = if echo { running.due.bounce_by } else { due.bounce_by };
                running.next.again(Due { bounce_by, ..due });
            }
            Stage::Queued => {
                let Some(waiting) = self.queue.get(instance).copied() else { return };
                let failed = waiting.because == Because::Failed;
                if failed && !due.because.ends_backoff() {
                    let wake = waiting.wake.or_later(due.wake);
                    let bounce_by =
                        if echo { waiting.bounce_by } else { waiting.bounce_by.min(due.bounce_by) };
                    return self.queue.put(instance.clone(), Due { wake, bounce_by, ..waiting });
                }
                let rested = record.rested_at(self.settings.pass_gap_seconds);
                let bounce_by = if echo && waiting.begun { waiting.bounce_by } else { due.bounce_by };
                let due = Due { wait_until: due.wait_until.max(rested), bounce_by, ..due };
                let mut both = waiting.merge(due);
                if waiting.because.is_retry() {
                    both.because = due.because;
                }
                self.queue.put(instance.clone(), both);
            }
        }
    }
}

/// A place in the queue for what happens now.
pub(super) fn due(now: Timestamp, because: Because, deadline_seconds: f64) -> Due {
    Due {
        wait_until: now,
        bounce_by: now.plus_seconds(deadline_seconds),
        queued_at: now,
        because,
        begun: false,
        wake: Wake::new(now, because),
    }
}
