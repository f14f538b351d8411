//! [`RunPass`] by `paasta-setup`: configuration is read anew for each pass, as the original does.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use paasta_config::{LoadError, Wanted};
use paasta_core::{Clock, Counts, Fence, Fenced, InstanceId, Reading, chain};
use paasta_setup::{Decide, Need, Pass, PassError, PassState, Planner};

use crate::ports::{PassReport, PassResult, RunPass};
use crate::shared_fleet::SharedFleet;
use crate::shared_soa::SharedSoa;
use crate::shared_system::SharedSystem;
use crate::state::{Tags, Wake};

/// Passes over real instances.
#[derive(Clone)]
pub struct SetupPasses {
    /// One folder per service.
    pub soa_dir: PathBuf,
    /// Where `*.json` of the system config are.
    pub system_config_dir: PathBuf,
    /// Autoscaled counts.
    pub counts: Arc<dyn Counts>,
    /// Everything the pass works with.
    pub pass: Pass,
    fleet: Arc<SharedFleet>,
    system: Arc<SharedSystem>,
    soa: Arc<SharedSoa>,
}

/// Passes over whatever is wanted by somebody's account: what [`SetupPasses`] does once it has read its files.
#[derive(Clone)]
pub struct Passes {
    pass: Pass,
    fleet: Arc<SharedFleet>,
    decide: Arc<dyn Decide>,
}

impl Passes {
    /// Passes with this in their hands. `wakes` is the clock by which they are told when they were woken; the pass has
    /// its own.
    pub fn new(pass: Pass, wakes: Arc<dyn Clock>) -> Self {
        let fleet = Arc::new(SharedFleet::new(pass.engine.clone(), wakes));
        Self { pass, fleet, decide: Arc::new(Planner) }
    }

    /// With somebody else to decide.
    #[must_use]
    pub fn deciding(mut self, decide: Arc<dyn Decide>) -> Self {
        self.decide = decide;
        self
    }

    /// One pass. An instance that is looked at together with many others first looks where they all look, so that those
    /// with nothing to do cost one listing per home together (design decision 5).
    pub async fn run(&self, wanted: &Wanted, wake: Wake) -> PassReport {
        let fleet = match wake.because.concerns_many() {
            true => self.fleet.after(wake.at, &wanted.id).await,
            false => None,
        };
        let mut pass = self.pass.clone();
        pass.leave.haste = wake.haste;
        if wake.tags == Tags::Awaited {
            pass.leave.fence = Arc::new(TagsFirst);
        }
        match pass.run_by(self.decide.as_ref(), wanted, fleet.as_ref()).await {
            Ok(report) => told(report),
            Err(PassError::Needs { need: Need::Leave, reason, .. }) => {
                PassReport::new(PassResult::Stopped(reason))
            }
            Err(PassError::Needs { need, reason, .. }) => {
                PassReport::new(PassResult::Unseen { reason: format!("{need} cannot be had: {reason}") })
            }
            Err(error) => PassReport::failed(chain(&error)),
        }
    }
}

impl SetupPasses {
    /// Passes that read their configuration below these two directories. `wakes` is the clock by which they are told
    /// when they were woken; the pass has its own.
    pub fn new(
        soa_dir: PathBuf,
        system_config_dir: PathBuf,
        counts: Arc<dyn Counts>,
        pass: Pass,
        wakes: Arc<dyn Clock>,
    ) -> Self {
        let fleet = Arc::new(SharedFleet::new(pass.engine.clone(), wakes.clone()));
        let system = Arc::new(SharedSystem::new(system_config_dir.clone(), wakes.clone()));
        let soa = Arc::new(SharedSoa::new(soa_dir.clone(), wakes));
        Self { soa_dir, system_config_dir, counts, pass, fleet, system, soa }
    }

    /// What is wanted of one instance now; `None` if it is not deployed.
    pub async fn wanted(&self, instance: &InstanceId) -> Result<Option<Wanted>, String> {
        match self.read(instance, None).await {
            Ok(Ok(wanted)) => Ok(Some(wanted)),
            Ok(Err(error)) if error.is_no_deployments() => Ok(None),
            Ok(Err(error)) => Err(chain(&error)),
            Err(reason) => Err(reason),
        }
    }

    /// With a wake, a system config that was read after it may serve.
    async fn read(
        &self,
        instance: &InstanceId,
        wake: Option<Wake>,
    ) -> Result<Result<Wanted, LoadError>, String> {
        let unread = Reading::Unknown("it was not asked for".to_owned());
        let (soa, system) = (self.soa.clone(), self.system.clone());
        let id = instance.clone();
        let read = move || -> Result<Wanted, LoadError> {
            let system = system.after(wake.map(|wake| wake.at))?;
            let soa = soa.after(id.service(), wake.map(|wake| wake.at));
            let wanted = soa.wanted(&id, &system, unread)?;
            for missing in soa.missing_signatures(&wanted) {
                tracing::warn!(instance = %id, "{missing}");
            }
            Ok(wanted)
        };
        let read = tokio::task::spawn_blocking(read).await;
        let mut read = read.map_err(|error| format!("reading its configuration broke off: {error}"))?;
        if let Ok(wanted) = &mut read
            && wanted.instance().is_autoscaled()
        {
            wanted.autoscaled_count = self.counts.count(instance).await;
        }
        Ok(read)
    }
}

#[async_trait]
impl RunPass for SetupPasses {
    async fn run_pass(&self, instance: &InstanceId, wake: Wake) -> PassReport {
        let wanted = match self.read(instance, Some(wake)).await {
            Ok(Ok(wanted)) => wanted,
            Ok(Err(LoadError::NoDeployments { missing, .. })) => {
                return PassReport::new(PassResult::NotDeployed(missing));
            }
            Ok(Err(error)) => return PassReport::failed(chain(&error)),
            Err(reason) => return PassReport::failed(reason),
        };
        let (pass, fleet) = (self.pass.clone(), self.fleet.clone());
        Passes { pass, fleet, decide: Arc::new(Planner) }.run(&wanted, wake).await
    }

    async fn going_on(&self, gone: &[InstanceId]) -> Vec<(InstanceId, String)> {
        let fleet = self.pass.engine.observe_all().await;
        let apps: Vec<_> = fleet.homes.values().filter_map(Reading::known).flatten().collect();
        let advice = |instance: &InstanceId| {
            let own = apps.iter().filter(|app| app.id.belongs_to(instance));
            let tasks: usize = own.map(|app| app.tasks.len()).sum();
            let (service, name) = (instance.service(), instance.instance());
            (tasks > 0).then(|| {
                format!(
                    "it still runs, with {tasks} tasks, and goes on although its configuration is gone: put that back, \
                     run `paasta stop -s {service} -i {name}`, and remove it when nothing runs any more"
                )
            })
        };
        gone.iter().filter_map(|instance| Some((instance.clone(), advice(instance)?))).collect()
    }
}

/// Stops a pass before its first change.
struct TagsFirst;

impl Fence for TagsFirst {
    fn check(&self) -> Result<(), Fenced> {
        let reason =
            "its tags are looked at first, as another process may have written deployments.json last";
        Err(Fenced(reason.to_owned()))
    }
}

/// A pass whose create, scale, kill or delete failed has failed, and so has one that only met problems; it is tried again
/// after the back-off. One that did something else, or was told to come back, comes back when it said. An engine that
/// takes no change now is no problem, and one that cannot be looked at says nothing of the instance.
fn told(report: paasta_setup::PassReport) -> PassReport {
    let did_something = report.actions.iter().any(|taken| taken.outcome.is_done());
    let result = match report.state {
        PassState::LockHeld => PassResult::LockHeld,
        PassState::Steady => PassResult::Steady,
        PassState::Working if report.is_failure() => PassResult::Failed(report.problems.join("; ")),
        PassState::Working if !report.problems.is_empty() && !did_something => {
            PassResult::Unseen { reason: report.problems.join("; ") }
        }
        PassState::Working => {
            PassResult::LookAgain { seconds: report.look_again_seconds.unwrap_or_default() }
        }
    };
    PassReport { result, why: Some(report.why) }
}

#[cfg(test)]
mod tests {
    use paasta_bounce::{Outcome, Why};
    use paasta_core::{AppId, Applied, HomeId, TaskId};
    use paasta_setup::{PassAction, Taken};

    use super::*;

    /// What deployd makes of a pass that could not create the new version.
    fn result(outcome: Outcome, problems: &[&str]) -> PassResult {
        let action = PassAction::Create { home: HomeId::new("h") };
        of(vec![Taken { action, outcome }], problems)
    }

    fn of(actions: Vec<Taken>, problems: &[&str]) -> PassResult {
        told(paasta_setup::PassReport {
            instance: "s.i".parse().expect("a name"),
            app: AppId::new("s.i.g.c"),
            state: PassState::Working,
            why: Why::default(),
            actions,
            look_again_seconds: Some(1.0),
            problems: problems.iter().map(|problem| (*problem).to_owned()).collect(),
        })
        .result
    }

    #[test]
    fn an_engine_that_takes_no_change_now_is_looked_at_again_without_back_off() {
        let busy = Outcome::Applied(Applied::Busy("97 deployments run".to_owned()));
        assert_eq!(result(busy, &[]), PassResult::LookAgain { seconds: 1.0 });
        let refused = Outcome::Failed("refused with status 422".to_owned());
        let failed = PassResult::Failed("refused with status 422".to_owned());
        assert_eq!(result(refused, &["refused with status 422"]), failed);
    }

    /// Otherwise a bounce whose kills fail each time would look well whenever it renews its drains.
    #[test]
    fn a_failed_change_of_the_engine_fails_the_pass_whatever_else_was_done() {
        let drained =
            |outcome| Taken { action: PassAction::Drain { task: TaskId::new("t"), renewal: true }, outcome };
        let (home, app) = (HomeId::new("h"), AppId::new("s.i.g.c"));
        let done = || Outcome::Applied(Applied::Done);
        for action in [
            PassAction::Create { home: home.clone() },
            PassAction::Scale { home: home.clone(), app: app.clone(), instances: 1 },
            PassAction::Kill { home: home.clone(), tasks: vec![] },
            PassAction::Delete { home, app },
        ] {
            for outcome in [
                Outcome::Failed("status 422".to_owned()),
                Outcome::Applied(Applied::Unknown("status 500".to_owned())),
            ] {
                let failed = Taken { action: action.clone(), outcome };
                let failed = of(vec![drained(done()), failed], &["it failed"]);
                assert_eq!(failed, PassResult::Failed("it failed".to_owned()), "{action:?}");
            }
        }
        let some = vec![drained(done()), drained(Outcome::Failed("no answer".to_owned()))];
        assert_eq!(of(some, &["no answer"]), PassResult::LookAgain { seconds: 1.0 });
    }

    #[test]
    fn what_cannot_be_seen_is_no_failure_but_an_unanswered_change_is() {
        let busy = || Outcome::Applied(Applied::Busy("97 deployments run".to_owned()));
        let unseen = PassResult::Unseen { reason: "h: status 503".to_owned() };
        assert_eq!(result(busy(), &["h: status 503"]), unseen);
        let unknown = Outcome::Applied(Applied::Unknown("status 500".to_owned()));
        assert_eq!(result(unknown, &["status 500"]), PassResult::Failed("status 500".to_owned()));
        let done = Outcome::Applied(Applied::Done);
        assert_eq!(result(done, &["h: status 503"]), PassResult::LookAgain { seconds: 1.0 });
    }
}
