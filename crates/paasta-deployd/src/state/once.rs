//! Whether everything has converged, for whoever waits for that.

use paasta_core::InstanceId;
use serde::Serialize;

use super::event::Because;
use super::record::{Next, Record, Stage};
use super::{Deployd, ListingStage};
use crate::ports::PassResult;

/// Something that has not converged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unsettled {
    /// An instance, or a service whose instances could not be read.
    pub what: String,
    /// Why.
    pub reason: String,
}

impl Deployd {
    /// From now on everything is to be converged once: what failed so often in a row is given up.
    pub(crate) fn converge_once(&mut self, tries: u32) {
        self.settings.once_tries = Some(tries.max(1));
    }

    /// Whether everything has been looked at since this process began to lead, and nothing is left but to wait for what
    /// may happen next: then what was given up ([`crate::Settings::once_tries`], or one try). None while there is work.
    pub fn settled(&self) -> Option<Vec<Unsettled>> {
        let tries = self.settings.once_tries.unwrap_or(1);
        let listed = self.listed_once && matches!(self.listing, ListingStage::Idle);
        let regenerated = self.regeneration.is_settled(tries);
        // What was given up goes on all the same, and is not waited for.
        let rests = |(id, record): (&InstanceId, &Record)| {
            let given_up = record.failures >= tries;
            match &record.stage {
                Stage::Queued => self.queue.get(id).is_some_and(|due| match due.because {
                    Because::Resync => true,
                    because => because == Because::Failed && given_up,
                }),
                Stage::Running(running) => {
                    let again = !matches!(running.next, Next::AsReported);
                    running.due.because == Because::Failed && given_up && !again
                }
            }
        };
        let settled = self.leads() && listed && regenerated && self.records.iter().all(rests);
        settled.then(|| self.unsettled())
    }

    /// Everything that is not as wanted, or is not known to be, and why.
    pub fn unsettled(&self) -> Vec<Unsettled> {
        let unreadable = self.unreadable.iter();
        let services = unreadable.map(|(service, why)| (service.to_string(), why.clone()));
        let failing = self.regeneration.failing();
        let regenerations = failing.map(|(service, _, why)| {
            (service.to_string(), format!("its deployments.json could not be regenerated: {why}"))
        });
        let instances =
            self.records.iter().filter_map(|(id, record)| Some((id.to_string(), self.why(id, record)?)));
        let all = services.chain(regenerations).chain(instances);
        all.map(|(what, reason)| Unsettled { what, reason }).collect()
    }

    fn why(&self, id: &InstanceId, record: &Record) -> Option<String> {
        let resting = self.queue.get(id).is_some_and(|due| due.because == Because::Resync);
        if let Stage::Queued = record.stage
            && record.wants_nothing()
            && resting
        {
            return None;
        }
        let Some(last) = &record.last else { return Some("no pass has ended yet".to_owned()) };
        let report = last.report();
        Some(match report.result {
            PassResult::Failed(reason) | PassResult::Stopped(reason) | PassResult::Unseen { reason } => {
                reason
            }
            PassResult::LockHeld => "somebody else holds its bounce lock".to_owned(),
            PassResult::Steady | PassResult::NotDeployed(_) => "it is about to be looked at again".to_owned(),
            PassResult::LookAgain { .. } => match report.why {
                Some(why) => why.to_string(),
                None => "its bounce is under way".to_owned(),
            },
        })
    }
}
