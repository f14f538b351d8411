//! Which deployments.json is regenerated when: from time to time, and at once after a nudge.

use std::collections::{BTreeMap, BTreeSet};

use paasta_core::{ServiceName, Timestamp};

use crate::Settings;
use crate::ports::RegenerateResult;

/// So many places are for what somebody asked for, where there are more than that.
const PLACES_OF_NUDGES: usize = 2;

/// One schedule for all services.
#[derive(Debug, Default)]
pub(crate) struct Regeneration {
    services: BTreeMap<ServiceName, Record>,
    /// Those that wait, by when.
    nudged: BTreeSet<(Timestamp, ServiceName)>,
    regular: BTreeSet<(Timestamp, ServiceName)>,
    retries: BTreeSet<(Timestamp, ServiceName)>,
    running: usize,
    /// Of those, the ones that came from the line of retries.
    retrying: usize,
}

/// Where a service waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    /// Somebody waits for it: before the others.
    Nudged,
    Regular,
    /// It failed before. Such take at most half of the places, so that a git server that does not answer keeps no others out.
    Retry,
}

#[derive(Debug)]
struct Record {
    stage: Stage,
    failures: u32,
    last_error: Option<String>,
    /// Somebody asked for it, and it has not been done since.
    asked: bool,
    /// Whether one has begun since files of the service changed last.
    fresh: bool,
    /// Whether it has been done, or tried, since this process began to lead.
    tried: bool,
    /// Until then the file of whoever led before is not to be acted on, unless it was tried.
    hold_until: Timestamp,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// Nobody asked and nothing is periodic.
    Idle,
    Waiting {
        at: Timestamp,
        line: Line,
    },
    Running {
        line: Line,
        nudged_again: bool,
        /// It began before this process began to lead, so that it says nothing of the tags as they are now.
        outdated: bool,
    },
}

impl Record {
    fn new(hold_until: Timestamp) -> Self {
        Self {
            stage: Stage::Idle,
            failures: 0,
            last_error: None,
            asked: false,
            fresh: false,
            tried: false,
            hold_until,
        }
    }
}

impl Regeneration {
    /// Takes in which services there are; the ones no longer there are forgotten once they do not run. Many new ones
    /// have their turns one after the other. What the `first` listing holds was there before this process, and so were
    /// its files.
    pub(crate) fn list(
        &mut self,
        now: Timestamp,
        services: &BTreeSet<ServiceName>,
        first: bool,
        settings: &Settings,
    ) {
        let hold_until =
            if first { now.plus_seconds(settings.take_over_seconds) } else { Timestamp::default() };
        let gone: Vec<ServiceName> =
            self.services.keys().filter(|service| !services.contains(*service)).cloned().collect();
        for service in &gone {
            self.forget(service);
        }
        let new: Vec<&ServiceName> =
            services.iter().filter(|service| !self.services.contains_key(*service)).collect();
        for (service, at) in spread(now, new, settings) {
            self.services.insert(service.clone(), Record::new(hold_until));
            self.set(&service, Stage::Waiting { at, line: Line::Regular });
        }
    }

    /// This process begins to lead: nobody knows what was regenerated until now.
    pub(crate) fn take_over(&mut self, now: Timestamp, settings: &Settings) {
        for record in self.services.values_mut() {
            record.hold_until = now.plus_seconds(settings.take_over_seconds);
            if let Stage::Running { outdated, .. } = &mut record.stage {
                *outdated = true;
            }
        }
        self.begin(now, settings);
    }

    /// All tags are to be looked at anew, once at least, also where nobody polls: what was pushed while nobody led, or
    /// was asked of a leader that ended, is found in no other way. What failed before stays in the line of such.
    pub(crate) fn begin(&mut self, now: Timestamp, settings: &Settings) {
        for record in self.services.values_mut() {
            record.tried = false;
            record.fresh = false;
        }
        let due = |record: &Record| match record.stage {
            Stage::Waiting { line, .. } => line != Line::Nudged,
            Stage::Idle => true,
            Stage::Running { .. } => false,
        };
        let services = self.services.iter().filter(|(_, record)| due(record));
        let services: Vec<ServiceName> = services.map(|(service, _)| service.clone()).collect();
        for (service, at) in spread(now, services.iter().collect(), settings) {
            let stage = match self.services.get(&service) {
                Some(Record { stage: Stage::Waiting { at: retry_at, line }, asked: true, .. })
                    if *line == Line::Retry =>
                {
                    Stage::Waiting { at: at.min(*retry_at), line: Line::Retry }
                }
                Some(record) if record.failures > 0 => Stage::Waiting { at, line: Line::Retry },
                _ => Stage::Waiting { at, line: Line::Regular },
            };
            self.set(&service, stage);
        }
    }

    /// Forgets a service, unless it runs.
    pub(crate) fn forget(&mut self, service: &ServiceName) {
        if let Some(Record { stage: Stage::Idle | Stage::Waiting { .. }, .. }) = self.services.get(service) {
            self.set(service, Stage::Idle);
            self.services.remove(service);
        }
    }

    /// Moves a service, and its place among those that wait.
    fn set(&mut self, service: &ServiceName, stage: Stage) {
        let Some(record) = self.services.get_mut(service) else { return };
        let was = std::mem::replace(&mut record.stage, stage);
        if let Stage::Waiting { at, line } = was {
            self.line(line).remove(&(at, service.clone()));
        }
        if let Stage::Waiting { at, line } = stage {
            self.line(line).insert((at, service.clone()));
        }
    }

    fn line(&mut self, line: Line) -> &mut BTreeSet<(Timestamp, ServiceName)> {
        match line {
            Line::Nudged => &mut self.nudged,
            Line::Regular => &mut self.regular,
            Line::Retry => &mut self.retries,
        }
    }

    /// Until when nobody is to act on the file; none where it may be believed as far as it can be.
    pub(crate) fn held_until(
        &self,
        now: Timestamp,
        service: &ServiceName,
        settings: &Settings,
    ) -> Option<Timestamp> {
        let record = self.services.get(service)?;
        let held = !record.tried && now < record.hold_until && settings.regenerate_seconds_of(service) > 0.0;
        held.then_some(record.hold_until)
    }

    /// Whether it has been done, or tried, since this process began to lead.
    pub(crate) fn is_tried(&self, service: &ServiceName) -> bool {
        self.services.get(service).is_none_or(|record| record.tried)
    }

    /// A pass waits for it: it goes before those that nobody waits for.
    pub(crate) fn want(&mut self, now: Timestamp, service: &ServiceName) {
        if let Some(Record { stage: Stage::Waiting { line, .. }, tried: false, .. }) =
            self.services.get(service)
            && *line != Line::Nudged
        {
            self.set(service, Stage::Waiting { at: now, line: Line::Nudged });
        }
    }

    /// Somebody pushed a tag: it is tried until it has been done. False if there is no such service.
    pub(crate) fn nudge(&mut self, now: Timestamp, service: &ServiceName) -> bool {
        let Some(record) = self.services.get_mut(service) else { return false };
        record.asked = true;
        let stage = match record.stage {
            Stage::Running { line, outdated, .. } => Stage::Running { line, nudged_again: true, outdated },
            Stage::Waiting { at, line: Line::Nudged } => {
                Stage::Waiting { at: at.min(now), line: Line::Nudged }
            }
            Stage::Idle | Stage::Waiting { .. } => Stage::Waiting { at: now, line: Line::Nudged },
        };
        self.set(service, stage);
        true
    }

    /// Files of these services changed, their deployments.json perhaps.
    pub(crate) fn files_changed(&mut self, services: &BTreeSet<ServiceName>) {
        for service in services {
            if let Some(record) = self.services.get_mut(service) {
                record.fresh = false;
            }
        }
    }

    /// An instance found nothing of itself in the file. Its tags may be older than what wants them: they are looked at
    /// once, and after that when files change.
    pub(crate) fn lacks(&mut self, now: Timestamp, service: &ServiceName) {
        if self.services.get(service).is_some_and(|record| !record.fresh) {
            self.nudge(now, service);
        }
    }

    /// One has ended.
    pub(crate) fn finished(
        &mut self,
        now: Timestamp,
        service: &ServiceName,
        result: &RegenerateResult,
        settings: &Settings,
    ) {
        let Some(record) = self.services.get_mut(service) else { return };
        let Stage::Running { line, nudged_again, outdated } = record.stage else { return };
        self.running = self.running.saturating_sub(1);
        self.retrying = self.retrying.saturating_sub(usize::from(line == Line::Retry));
        if let RegenerateResult::Stopped(_) = result {
            let at = if outdated { now } else { now.plus_seconds(settings.stopped_seconds) };
            return self.set(service, Stage::Waiting { at, line: Line::Nudged });
        }
        if outdated {
            return self.set(service, Stage::Waiting { at: now, line: Line::Nudged });
        }
        record.tried = true;
        let usual = settings.regenerate_seconds_of(service);
        let next = match result {
            RegenerateResult::Failed(reason) => {
                record.failures = record.failures.saturating_add(1);
                record.last_error = Some(reason.clone());
                let asked = record.asked || settings.once_tries.is_some();
                let wait = backoff_seconds(usual, settings, record.failures, asked);
                // Without polling nobody waits for what nobody asked for.
                (asked || usual > 0.0).then_some((wait, Line::Retry))
            }
            _ => {
                record.failures = 0;
                record.last_error = None;
                record.asked = nudged_again;
                (usual > 0.0).then_some((usual, Line::Regular))
            }
        };
        let stage = match next {
            _ if nudged_again => Stage::Waiting { at: now, line: Line::Nudged },
            None => Stage::Idle,
            Some((wait, line)) => Stage::Waiting { at: now.plus_seconds(wait), line },
        };
        self.set(service, stage);
    }

    /// Those that start now: nudged ones first, then the longest overdue, as far as there is room.
    pub(crate) fn start(&mut self, now: Timestamp, settings: &Settings) -> Vec<ServiceName> {
        let mut started = Vec::new();
        while let Some((line, service)) = self.due(now, settings) {
            self.set(&service, Stage::Running { line, nudged_again: false, outdated: false });
            if let Some(record) = self.services.get_mut(&service) {
                record.fresh = true;
            }
            self.running += 1;
            self.retrying += usize::from(line == Line::Retry);
            started.push(service);
        }
        started
    }

    /// When the next one is due, if there is room for it.
    pub(crate) fn next_at(&self, settings: &Settings) -> Option<Timestamp> {
        let lines = [Line::Nudged, Line::Regular, Line::Retry];
        lines.into_iter().filter_map(|line| Some(self.first(line, settings)?.0)).min()
    }

    fn due(&self, now: Timestamp, settings: &Settings) -> Option<(Line, ServiceName)> {
        let first = |line| self.first(line, settings).filter(|(at, _)| *at <= now).map(|first| (first, line));
        let others =
            || [first(Line::Regular), first(Line::Retry)].into_iter().flatten().min_by_key(|it| it.0);
        let (first, line) = first(Line::Nudged).or_else(others)?;
        Some((line, first.1.clone()))
    }

    /// Who is next of that line, if there is room. What nobody waits for leaves some places free.
    fn first(&self, line: Line, settings: &Settings) -> Option<&(Timestamp, ServiceName)> {
        let places = settings.regenerations_at_once;
        let room = if line == Line::Nudged { places } else { unasked_places(settings) };
        let full = self.running >= room || (line == Line::Retry && self.retrying >= (places / 2).max(1));
        let waiting = match line {
            Line::Nudged => &self.nudged,
            Line::Regular => &self.regular,
            Line::Retry => &self.retries,
        };
        waiting.first().filter(|_| !full)
    }

    /// Whether each of them has been done since this process began to lead, or has failed so often in a row, which may go
    /// on for ever.
    pub(crate) fn is_settled(&self, tries: u32) -> bool {
        self.services.values().all(|record| {
            let given_up = record.failures >= tries;
            record.tried
                && match record.stage {
                    Stage::Running { nudged_again, .. } => given_up && !nudged_again,
                    Stage::Waiting { line: Line::Nudged, .. } => false,
                    Stage::Waiting { .. } | Stage::Idle => given_up || record.failures == 0,
                }
        })
    }

    /// How many run.
    pub(crate) fn running(&self) -> usize {
        self.running
    }

    /// Services whose last regeneration failed: how often in a row, and why.
    pub(crate) fn failing(&self) -> impl Iterator<Item = (&ServiceName, u32, &str)> {
        self.services.iter().filter_map(|(service, record)| {
            record.last_error.as_deref().map(|error| (service, record.failures, error))
        })
    }
}

/// So many places may be taken when one begins that nobody asked for: a git server that hangs keeps no nudge waiting.
fn unasked_places(settings: &Settings) -> usize {
    settings.regenerations_at_once.saturating_sub(PLACES_OF_NUDGES).max(1)
}

/// When each of these has its first turn: a few at once, many over a part of the usual time between two.
fn spread(now: Timestamp, services: Vec<&ServiceName>, settings: &Settings) -> Vec<(ServiceName, Timestamp)> {
    let count = services.len();
    let over = settings.regenerate_seconds.min(settings.first_regenerations_seconds);
    let step = if count <= unasked_places(settings) { 0.0 } else { over / count as f64 };
    let turn =
        |(index, service): (usize, &ServiceName)| (service.clone(), now.plus_seconds(step * index as f64));
    services.into_iter().enumerate().map(turn).collect()
}

/// Two seconds after the first failure of one that somebody asked for; of any other, twice the usual wait. Doubled with
/// each.
fn backoff_seconds(usual: f64, settings: &Settings, failures: u32, asked: bool) -> f64 {
    let factor = 2f64.powi(i32::try_from(failures.min(40)).unwrap_or(40));
    match asked {
        true => factor.min(settings.regenerate_backoff_seconds_max),
        false => (usual * factor).min(settings.regenerate_backoff_seconds_max.max(usual)),
    }
}
