//! What starts when.

use paasta_core::{Haste, InstanceId, Timestamp};

use super::event::{Action, Tags, Wake};
use super::queue::{Due, Lane};
use super::record::{Next, Running, Stage};
use super::{Deployd, HostsStage, ListingStage, Phase, Places, SweepStage};
use crate::settings::MAINTENANCE_WATCHER;

impl Places {
    fn enter(&mut self, running: &Running) {
        match running.haste {
            Haste::Urgent => self.urgent += 1,
            Haste::Usual => self.usual += 1,
        }
        self.retries += usize::from(running.retry);
    }

    pub(super) fn leave(&mut self, running: &Running) {
        let place = match running.haste {
            Haste::Urgent => &mut self.urgent,
            Haste::Usual => &mut self.usual,
        };
        *place = place.saturating_sub(1);
        self.retries = self.retries.saturating_sub(usize::from(running.retry));
    }
}

impl Deployd {
    /// Starts what may start, and says when to come back.
    pub(super) fn go_on(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
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
                let over = self.running.all() == 0 || now >= give_up_at;
                actions.push(if over { Action::Stop } else { Action::WakeAt(give_up_at) });
            }
        }
    }

    fn start_due(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        if let SweepStage::At(at) = self.next_sweep
            && at <= now
        {
            self.next_sweep = SweepStage::Running { again: false };
            actions.push(Action::SweepFiles);
        }
        if let ListingStage::Retry { at, scope } = &self.listing
            && *at <= now
        {
            actions.push(Action::ListInstances(scope.clone()));
            self.listing = ListingStage::Running { and_then: None };
        }
        if !self.leads() {
            return;
        }
        if let HostsStage::At(at) = self.hosts
            && at <= now
            && self.settings.watches(MAINTENANCE_WATCHER)
        {
            self.hosts = HostsStage::Running;
            actions.push(Action::LookAtHosts(self.leaving.clone()));
        }
        actions.extend(self.regeneration.start(now, &self.settings).into_iter().map(Action::Regenerate));
        self.queue.advance(now);
        while let Some((instance, due)) = self.next_pass() {
            self.start_pass(now, instance, due, actions);
        }
    }

    /// Whose turn it is, if there is a place: urgent ones may take any but the last, if others wait, and some that are
    /// theirs alone; those that failed take at most half of the usual ones, so that the others always find some.
    fn next_pass(&mut self) -> Option<(InstanceId, Due)> {
        let places = self.settings.workers.saturating_add(self.settings.urgent_workers);
        if self.running.all() >= places {
            return None;
        }
        let last_for_others = places > 1 && self.running.urgent + 1 >= places && self.queue.has_usual();
        if !last_for_others && let Some(next) = self.queue.pop_urgent() {
            return Some(next);
        }
        if self.running.usual >= self.settings.workers {
            return None;
        }
        if let Some(next) = self.queue.pop_usual() {
            return Some(next);
        }
        let retries = (self.settings.workers / 2).max(1);
        if self.running.retries >= retries { None } else { self.queue.pop_retry() }
    }

    fn start_pass(&mut self, now: Timestamp, instance: InstanceId, due: Due, actions: &mut Vec<Action>) {
        let Some(record) = self.records.get_mut(&instance) else { return };
        let haste = match due.lane(now) {
            Lane::Urgent => Haste::Urgent,
            Lane::UnderWay | Lane::Waiting | Lane::Retry => Haste::Usual,
        };
        let service = instance.service();
        let tags = match self.regeneration.held_until(now, service, &self.settings) {
            Some(_) => Tags::Awaited,
            None if record.held && !self.regeneration.is_tried(service) => Tags::GivenUp,
            None => Tags::Known,
        };
        record.held = false;
        let running = Running {
            since: now,
            due,
            haste,
            retry: due.because.is_retry(),
            tags,
            abandoned: false,
            doubted: false,
            entries: std::mem::take(&mut record.entries),
            next: Next::AsReported,
        };
        self.running.enter(&running);
        record.stage = Stage::Running(Box::new(running));
        actions.push(Action::StartPass { instance, wake: Wake { haste, tags, ..due.wake } });
    }

    fn next_wake(&self) -> Option<Timestamp> {
        let sweep = match self.next_sweep {
            SweepStage::At(at) => Some(at),
            SweepStage::Running { .. } => None,
        };
        let listing = match &self.listing {
            ListingStage::Retry { at, .. } => Some(*at),
            _ => None,
        };
        let mut times = vec![sweep, listing];
        if self.leads() {
            let places = self.settings.workers.saturating_add(self.settings.urgent_workers);
            if self.running.all() < places {
                times.push(self.queue.next_at());
            }
            if let HostsStage::At(at) = self.hosts
                && self.settings.watches(MAINTENANCE_WATCHER)
            {
                times.push(Some(at));
            }
            times.push(self.regeneration.next_at(&self.settings));
        }
        times.into_iter().flatten().min()
    }
}
