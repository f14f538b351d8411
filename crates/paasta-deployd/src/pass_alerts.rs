//! [`PassAlerts`] by `paasta-alerts`: who is told is read from soa-configs, in a thread of its own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use paasta_alerts::{Counts, News, Reporter, Sinks, Sources};
use paasta_config::{Soa, SystemConfig};
use paasta_core::{Clock, InstanceId, Timestamp, chain};

use crate::ports::{PassAlerts, PassReport, PassResult};

/// Alerts that were not sent yet are waited for so long at the end, after all else.
pub(crate) const END_PATIENCE: Duration = Duration::from_millis(300);

/// That an instance is well is told so often, besides at once after it was not: a receiver may have lost it.
const WELL_AGAIN_SECONDS: f64 = 3600.0;

/// Alerts of passes, to where the system config says.
struct SinkAlerts {
    reporter: Reporter,
    clock: Arc<dyn Clock>,
    well: Mutex<WellSince>,
}

/// When instances were last told to be well. Each time costs a look at the files that say who is told.
#[derive(Debug, Default)]
struct WellSince {
    told: BTreeMap<InstanceId, Timestamp>,
    lost: u64,
}

impl WellSince {
    /// Whether that is news, where so many alerts were lost by now: what was told before one of them may not have come.
    fn is_news(&mut self, instance: &InstanceId, news: &News, now: Timestamp, lost: u64) -> bool {
        if std::mem::replace(&mut self.lost, lost) != lost {
            self.told.clear();
        }
        match news {
            News::SetUp(Ok(())) => {
                let told = self.told.get(instance).is_some_and(|told| {
                    let ago = now.since(*told).as_secs_f64();
                    *told <= now && ago < WELL_AGAIN_SECONDS
                });
                if !told {
                    self.told.insert(instance.clone(), now);
                }
                !told
            }
            News::SetUp(Err(_)) | News::Removed => {
                self.told.remove(instance);
                true
            }
        }
    }
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
            Some(Arc::new(SinkAlerts { reporter, clock, well: Mutex::default() }))
        }
        Err(error) => {
            tracing::warn!(%error, "nobody is alerted: could not start a thread");
            None
        }
    }
}

impl PassAlerts for SinkAlerts {
    fn pass_ended(&self, instance: &InstanceId, report: &PassReport) {
        let Some(news) = news(&report.result) else { return };
        let now = self.clock.now();
        let lost = self.reporter.counts().lost;
        if self.well.lock().unwrap_or_else(PoisonError::into_inner).is_news(instance, &news, now, lost) {
            self.reporter.tell(now, instance, news);
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
    fn an_instance_that_stays_well_is_told_once_an_hour() {
        let (mut well, instance) = (WellSince::default(), "s.i".parse().expect("an instance"));
        let mut is_news = |news: Result<(), &str>, seconds| {
            let news = News::SetUp(news.map_err(str::to_owned));
            well.is_news(&instance, &news, Timestamp::from_seconds(seconds), 0)
        };
        assert!(is_news(Ok(()), 10_000.0));
        assert!(!is_news(Ok(()), 13_599.0));
        assert!(is_news(Ok(()), 13_600.0));
        assert!(is_news(Err("boom"), 13_601.0) && is_news(Err("boom"), 13_602.0));
        assert!(is_news(Ok(()), 13_603.0), "it is well again");
        assert!(is_news(Ok(()), 5_000.0), "the clock was set back");
        assert!(!is_news(Ok(()), 5_001.0));
        let mut well_again =
            |lost| well.is_news(&instance, &News::SetUp(Ok(())), Timestamp::from_seconds(5_002.0), lost);
        assert_eq!(
            [well_again(0), well_again(1), well_again(1)],
            [false, true, false],
            "some alert was lost"
        );
    }

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
