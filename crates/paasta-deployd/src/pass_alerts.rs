//! [`PassAlerts`] by `paasta-alerts`: who is told is read from soa-configs, in a thread of its own.

use std::sync::Arc;
use std::time::Duration;

use paasta_alerts::{Counts, News, Reporter, Sinks, Sources};
use paasta_config::{Soa, SystemConfig};
use paasta_core::{Clock, InstanceId, chain};

use crate::ports::{PassAlerts, PassReport, PassResult};

/// Alerts that were not sent yet are waited for so long at the end, after all else.
pub(crate) const END_PATIENCE: Duration = Duration::from_millis(300);

/// Alerts of passes, to where the system config says.
struct SinkAlerts {
    reporter: Reporter,
    clock: Arc<dyn Clock>,
}

/// Those of the system config; nobody is told anything where it names no sink, or a wrong one, which is warned of. What
/// failed is tried again after `longest_wait` at the latest.
pub(crate) fn from_system(
    soa: Soa,
    system: &SystemConfig,
    longest_wait: Duration,
    clock: Arc<dyn Clock>,
) -> Option<Arc<dyn PassAlerts>> {
    let sinks = match Sinks::of_retries(system, longest_wait) {
        Ok(sinks) if sinks.is_empty() => return None,
        Ok(sinks) => sinks,
        Err(error) => {
            tracing::warn!(error = %chain(&error), "nobody is alerted");
            return None;
        }
    };
    match Reporter::start(Sources { soa, system: system.clone() }, sinks) {
        Ok(reporter) => {
            let reporter = reporter.with_patience_at_the_end(END_PATIENCE);
            Some(Arc::new(SinkAlerts { reporter, clock }))
        }
        Err(error) => {
            tracing::warn!(%error, "nobody is alerted: could not start a thread");
            None
        }
    }
}

impl PassAlerts for SinkAlerts {
    fn pass_ended(&self, instance: &InstanceId, report: &PassReport) {
        if let Some(news) = news(&report.result) {
            self.reporter.tell(self.clock.now(), instance, news);
        }
    }

    fn counts(&self) -> Option<Counts> {
        Some(self.reporter.counts())
    }
}

/// Nothing where a pass says nothing of the instance: what was not seen is no fault of it, and ends none either.
fn news(result: &PassResult) -> Option<News> {
    match result {
        PassResult::Steady | PassResult::LookAgain { .. } => Some(News::SetUp(Ok(()))),
        PassResult::Failed(reason) => Some(News::SetUp(Err(reason.clone()))),
        PassResult::NotDeployed(_)
        | PassResult::LockHeld
        | PassResult::Unseen { .. }
        | PassResult::Stopped(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_nothing_of_the_instance_is_not_told() {
        let well = Some(News::SetUp(Ok(())));
        assert_eq!(news(&PassResult::Steady), well);
        assert_eq!(news(&PassResult::LookAgain { seconds: 1.0 }), well);
        let failed = news(&PassResult::Failed("boom".to_owned()));
        assert_eq!(failed, Some(News::SetUp(Err("boom".to_owned()))));
        let reason = || "x".to_owned();
        for silent in [
            PassResult::NotDeployed(reason()),
            PassResult::LockHeld,
            PassResult::Unseen { reason: reason() },
            PassResult::Stopped(reason()),
        ] {
            assert_eq!(news(&silent), None, "{silent:?}");
        }
    }
}
