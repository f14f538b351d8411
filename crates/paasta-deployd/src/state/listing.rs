//! Which instances there are.

use std::collections::BTreeSet;

use paasta_core::{InstanceId, Timestamp};

use super::event::{Action, Because, Listed, Listing, Scope};
use super::record::{Next, Record, Stage};
use super::wakes::{FEW_SERVICES, due};
use super::{Deployd, ListingStage, consume};

impl Deployd {
    /// Asks for a listing; one at a time, so that answers come in the order of the questions.
    pub(super) fn list(&mut self, scope: Scope, actions: &mut Vec<Action>) {
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

    pub(super) fn listed(&mut self, now: Timestamp, listing: Listing, actions: &mut Vec<Action>) {
        let first = !self.listed_once;
        self.listed_once |= listing.scope == Scope::All;
        if let ListingStage::Running { and_then } = std::mem::replace(&mut self.listing, ListingStage::Idle)
            && let Some(scope) = and_then
        {
            self.list(scope, actions);
        }
        self.take_services(now, &listing, first);
        self.forget_missing(&listing, actions);
        let new = listing.instances.keys().filter(|id| !self.records.contains_key(id));
        let many = new.map(InstanceId::service).collect::<BTreeSet<_>>().len() > FEW_SERVICES;
        for (instance, listed) in listing.instances {
            match self.records.get_mut(&instance) {
                Some(record) => record.listed_again(listed),
                None => self.add(now, instance, listed, first, many),
            }
        }
        for entry in std::mem::take(&mut self.early_entries) {
            self.entry_taken(now, entry, actions);
        }
    }

    pub(super) fn listing_failed(&mut self, now: Timestamp, scope: Scope) {
        let scope = match std::mem::replace(&mut self.listing, ListingStage::Idle) {
            ListingStage::Running { and_then: Some(more) } => scope.and(more),
            ListingStage::Retry { scope: earlier, .. } => scope.and(earlier),
            ListingStage::Running { and_then: None } | ListingStage::Idle => scope,
        };
        let at = now.plus_seconds(self.settings.listing_retry_seconds);
        self.listing = ListingStage::Retry { at, scope };
    }

    fn take_services(&mut self, now: Timestamp, listing: &Listing, first: bool) {
        self.unreadable.retain(|service, _| !listing.scope.holds(service));
        self.unreadable.extend(listing.unreadable.clone());
        self.services.retain(|service| {
            !listing.scope.holds(service)
                || listing.services.contains(service)
                || listing.unreadable.contains_key(service)
        });
        self.services.extend(listing.services.iter().chain(listing.unreadable.keys()).cloned());
        self.regeneration.list(now, &self.services, first, &self.settings);
    }

    /// Drops what is no longer configured. What could not be read is not missing.
    fn forget_missing(&mut self, listing: &Listing, actions: &mut Vec<Action>) {
        let known: Vec<&InstanceId> = match &listing.scope {
            Scope::All => self.records.keys().collect(),
            Scope::Services(services) => self.instances_of(services).collect(),
        };
        let missing: Vec<InstanceId> = known
            .into_iter()
            .filter(|id| !listing.unreadable.contains_key(id.service()))
            .filter(|id| !listing.instances.contains_key(id))
            .cloned()
            .collect();
        if !missing.is_empty() {
            actions.push(Action::TellGone(missing.clone()));
        }
        for instance in missing {
            if let Some(Record { stage: Stage::Running(running), .. }) = self.records.get_mut(&instance) {
                running.next = Next::Forget;
                continue;
            }
            self.queue.remove(&instance);
            self.forget(&instance, actions);
        }
    }

    pub(super) fn forget(&mut self, instance: &InstanceId, actions: &mut Vec<Action>) {
        if let Some(record) = self.records.remove(instance) {
            consume(record.entries, actions);
        }
        if let Some(same) = self.by_short_id.get_mut(&instance.short_id()) {
            same.remove(instance);
            if same.is_empty() {
                self.by_short_id.remove(&instance.short_id());
            }
        }
        if let Some(theirs) = self.by_service.get_mut(instance.service()) {
            theirs.remove(instance);
            if theirs.is_empty() {
                self.by_service.remove(instance.service());
            }
        }
    }

    /// What the first listing holds was there before this process, and may stand back; whatever appears later is a change
    /// of files that somebody waits for, unless instances of many services appear at once.
    fn add(&mut self, now: Timestamp, instance: InstanceId, listed: Listed, first: bool, many: bool) {
        let due = match (first, many) {
            (true, _) => due(now, Because::Startup, self.settings.startup_deadline_seconds),
            (false, true) => due(now, Because::FilesChanged, self.settings.big_bounce_deadline_seconds),
            (false, false) => due(now, Because::FilesChanged, listed.bounce_start_deadline_seconds),
        };
        self.by_short_id.entry(instance.short_id()).or_default().insert(instance.clone());
        self.by_service.entry(instance.service().clone()).or_default().insert(instance.clone());
        self.records.insert(instance.clone(), Record::new(listed));
        self.queue.put(instance, due);
    }
}
