//! Alerts of passes and clean-ups, sent while the program goes on (marathon-and-bounce.md §5.8).

use std::time::Duration;

use paasta_alerts::{News, Reporter, Sinks, Sources};
use paasta_config::{LoadError, Soa, SystemConfig};
use paasta_core::{Clock, InstanceId, SystemClock};
use paasta_setup::{PassError, PassReport, PassState};

/// How long the end of a program waits for alerts that were not sent yet.
const FLUSH_PATIENCE: Duration = Duration::from_secs(5);

/// Who tells people how their instances fare. Nothing waits for it, and it fails nothing.
#[derive(Debug, Default)]
pub struct Alerts {
    reporter: Option<Reporter>,
}

impl Alerts {
    /// To where the system configuration says. What is wrong with that is warned of; nobody is told anything then.
    pub fn from_system(soa: &Soa, system: &SystemConfig) -> Self {
        let sinks = match Sinks::from_system(system) {
            Ok(sinks) if sinks.is_empty() => return Self::default(),
            Ok(sinks) => sinks,
            Err(error) => {
                tracing::warn!(error = %paasta_core::chain(&error), "nobody is alerted");
                return Self::default();
            }
        };
        let sources = Sources { soa: soa.clone(), system: system.clone() };
        match Reporter::start(sources, sinks) {
            Ok(reporter) => Self { reporter: Some(reporter) },
            Err(error) => {
                tracing::warn!(%error, "nobody is alerted: could not start a thread");
                Self::default()
            }
        }
    }

    /// A pass over the instance came to its end.
    pub fn pass_ended(&self, instance: &InstanceId, result: &anyhow::Result<PassReport>) {
        if let Some(news) = news(result) {
            self.tell(instance, news);
        }
    }

    /// The instance is configured no more, and nothing of it is left.
    pub fn removed(&self, instance: &InstanceId) {
        self.tell(instance, News::Removed);
    }

    fn tell(&self, instance: &InstanceId, news: News) {
        if let Some(reporter) = &self.reporter {
            reporter.tell(SystemClock.now(), instance, news);
        }
    }

    /// Waits for what was not sent yet, for at most five seconds.
    pub fn flush(&self) {
        if let Some(reporter) = &self.reporter
            && !reporter.flush(FLUSH_PATIENCE)
        {
            tracing::warn!("not all alerts were sent within {} s", FLUSH_PATIENCE.as_secs());
        }
    }
}

/// What to tell of a pass: nothing where it was somebody else's turn, where nothing is deployed, or where what it needs could
/// not be seen, which is no fault of the instance and ends none either.
fn news(result: &anyhow::Result<PassReport>) -> Option<News> {
    let report = match result {
        Ok(report) => report,
        Err(error) => {
            let says_nothing = error.chain().any(|cause| {
                cause.downcast_ref().is_some_and(LoadError::is_no_deployments)
                    || matches!(cause.downcast_ref(), Some(PassError::Needs { .. }))
            });
            let text = || error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ");
            return (!says_nothing).then(|| News::SetUp(Err(text())));
        }
    };
    let did_something = report.actions.iter().any(|taken| taken.outcome.is_done());
    match report.state {
        PassState::LockHeld => None,
        PassState::Working if report.is_failure() => Some(News::SetUp(Err(report.problems.join("; ")))),
        PassState::Working if !report.problems.is_empty() && !did_something => None,
        PassState::Working | PassState::Steady => Some(News::SetUp(Ok(()))),
    }
}

#[cfg(test)]
mod tests {
    use paasta_bounce::{Outcome, Why};
    use paasta_core::{AppId, Applied, HomeId};
    use paasta_setup::{Need, PassAction, Taken};

    use super::*;

    fn report(state: PassState, outcome: Option<Outcome>, problems: &[&str]) -> anyhow::Result<PassReport> {
        let action = PassAction::Create { home: HomeId::new("h") };
        Ok(PassReport {
            instance: "s.i".parse()?,
            app: AppId::new("s.i.g.c"),
            state,
            why: Why::default(),
            actions: outcome.into_iter().map(|outcome| Taken { action: action.clone(), outcome }).collect(),
            look_again_seconds: None,
            problems: problems.iter().map(|problem| (*problem).to_owned()).collect(),
        })
    }

    #[test]
    fn what_is_told_of_a_pass() {
        let failed = |reason: &str| Some(News::SetUp(Err(reason.to_owned())));
        let well = Some(News::SetUp(Ok(())));
        let refused = Outcome::Failed("status 422".to_owned());
        assert_eq!(news(&report(PassState::Steady, None, &[])), well);
        assert_eq!(news(&report(PassState::Working, Some(Outcome::Applied(Applied::Done)), &["x"])), well);
        assert_eq!(news(&report(PassState::Working, None, &[])), well);
        assert_eq!(news(&report(PassState::Working, Some(refused), &["status 422"])), failed("status 422"));
        assert_eq!(news(&report(PassState::LockHeld, None, &[])), None);
        // A Marathon that is silent is nothing that the owner of an instance can mend.
        assert_eq!(news(&report(PassState::Working, None, &["h: no answer"])), None);
        let instance: InstanceId = "s.i".parse().unwrap();
        let needs = PassError::Needs { instance, need: Need::Lock, reason: "no session".to_owned() };
        assert_eq!(news(&Err(needs.into())), None);
        assert_eq!(news(&Err(anyhow::anyhow!("a").context("b"))), failed("b: a"));
    }
}
