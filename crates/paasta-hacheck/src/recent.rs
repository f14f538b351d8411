//! What was asked of late, and what was answered.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use paasta_core::Timestamp;
use serde::Serialize;

use crate::Target;

/// Services that are remembered at most.
const SERVICES_MAX: usize = 1000;

/// The last answer about one service, port and kind of check.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Recent {
    pub(crate) check: String,
    pub(crate) service: String,
    pub(crate) port: u16,
    pub(crate) code: u16,
    pub(crate) at: Timestamp,
}

/// The last answer about each service, the latest first.
#[derive(Debug, Default)]
pub(crate) struct RecentAnswers(Mutex<VecDeque<Recent>>);

impl RecentAnswers {
    pub(crate) fn note(&self, target: &Target, code: u16, at: Timestamp) {
        let new = Recent {
            check: target.kind.to_string(),
            service: target.name.to_string(),
            port: target.port,
            code,
            at,
        };
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same =
            |old: &Recent| (&old.check, &old.service, old.port) == (&new.check, &new.service, new.port);
        if let Some(index) = answers.iter().position(same) {
            answers.remove(index);
        }
        answers.push_front(new);
        answers.truncate(SERVICES_MAX);
    }

    pub(crate) fn list(&self) -> Vec<Recent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
