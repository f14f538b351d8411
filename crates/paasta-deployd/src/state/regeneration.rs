//! Which deployments.json is regenerated when: from time to time, and at once after a nudge.

use std::collections::{BTreeMap, BTreeSet};

use paasta_core::{ServiceName, Timestamp};

use crate::Settings;
use crate::ports::RegenerateResult;

/// One schedule for all services.
#[derive(Debug, Default)]
pub(crate) struct Regeneration {
    services: BTreeMap<ServiceName, Record>,
    running: usize,
}

#[derive(Debug)]
struct Record {
    stage: Stage,
    failures: u32,
    last_error: Option<String>,
}

#[derive(Debug)]
enum Stage {
    /// Nobody asked and nothing is periodic.
    Idle,
    Waiting {
        at: Timestamp,
        nudged: bool,
    },
    Running {
        nudged_again: bool,
    },
}

impl Regeneration {
    /// Takes in which services there are; the ones no longer there are forgotten once they do not run.
    pub(crate) fn list(&mut self, now: Timestamp, services: &BTreeSet<ServiceName>) {
        self.services.retain(|service, record| {
            services.contains(service) || matches!(record.stage, Stage::Running { .. })
        });
        for service in services {
            if !self.services.contains_key(service) {
                let stage = Stage::Waiting { at: now, nudged: false };
                self.services.insert(service.clone(), Record { stage, failures: 0, last_error: None });
            }
        }
    }

    /// Forgets a service, unless it runs.
    pub(crate) fn forget(&mut self, service: &ServiceName) {
        if let Some(Record { stage: Stage::Idle | Stage::Waiting { .. }, .. }) = self.services.get(service) {
            self.services.remove(service);
        }
    }

    /// Somebody pushed a tag. False if there is no such service.
    pub(crate) fn nudge(&mut self, now: Timestamp, service: &ServiceName) -> bool {
        let Some(record) = self.services.get_mut(service) else { return false };
        record.stage = match record.stage {
            Stage::Running { .. } => Stage::Running { nudged_again: true },
            Stage::Idle | Stage::Waiting { .. } => Stage::Waiting { at: now, nudged: true },
        };
        true
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
        let Stage::Running { nudged_again } = record.stage else { return };
        self.running = self.running.saturating_sub(1);
        let wait = match result {
            RegenerateResult::Changed | RegenerateResult::Unchanged => {
                record.failures = 0;
                record.last_error = None;
                settings.regenerate_seconds
            }
            RegenerateResult::Failed(reason) => {
                record.failures = record.failures.saturating_add(1);
                record.last_error = Some(reason.clone());
                backoff_seconds(settings, record.failures)
            }
        };
        record.stage = match nudged_again {
            true => Stage::Waiting { at: now, nudged: true },
            false => after(now, wait, settings),
        };
    }

    /// Those that start now: nudged ones first, then the longest overdue, as far as there is room.
    pub(crate) fn start(&mut self, now: Timestamp, settings: &Settings) -> Vec<ServiceName> {
        let room = settings.regenerations_at_once.saturating_sub(self.running);
        if room == 0 {
            return Vec::new();
        }
        let mut due: Vec<(bool, Timestamp, ServiceName)> = self
            .services
            .iter()
            .filter_map(|(service, record)| match record.stage {
                Stage::Waiting { at, nudged } if at <= now => Some((!nudged, at, service.clone())),
                _ => None,
            })
            .collect();
        due.sort();
        due.truncate(room);
        for (_, _, service) in &due {
            if let Some(record) = self.services.get_mut(service) {
                record.stage = Stage::Running { nudged_again: false };
                self.running += 1;
            }
        }
        due.into_iter().map(|(_, _, service)| service).collect()
    }

    /// When the next one is due, if there is room for it.
    pub(crate) fn next_at(&self, settings: &Settings) -> Option<Timestamp> {
        if self.running >= settings.regenerations_at_once {
            return None;
        }
        let times = self.services.values().filter_map(|record| match record.stage {
            Stage::Waiting { at, .. } => Some(at),
            _ => None,
        });
        times.min()
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

/// Where a service stands that is due in `seconds`.
fn after(now: Timestamp, seconds: f64, settings: &Settings) -> Stage {
    if settings.regenerate_seconds == 0.0 {
        return Stage::Idle;
    }
    Stage::Waiting { at: now.plus_seconds(seconds), nudged: false }
}

/// Doubles with each failure in a row, from twice the usual wait.
fn backoff_seconds(settings: &Settings, failures: u32) -> f64 {
    let factor = 2f64.powi(i32::try_from(failures.min(40)).unwrap_or(40));
    (settings.regenerate_seconds * factor)
        .min(settings.regenerate_backoff_seconds_max.max(settings.regenerate_seconds))
}
