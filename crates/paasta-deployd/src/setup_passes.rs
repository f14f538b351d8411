//! [`RunPass`] by `paasta-setup`: configuration is read anew for each pass, as the original does.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use paasta_config::{LoadError, Soa, SystemConfig, Wanted};
use paasta_core::{Clock, Counts, InstanceId, Reading, chain};
use paasta_setup::{Pass, PassState};

use crate::ports::{PassReport, PassResult, RunPass};
use crate::shared_fleet::SharedFleet;
use crate::state::Wake;

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
        let fleet = Arc::new(SharedFleet::new(pass.engine.clone(), wakes));
        Self { soa_dir, system_config_dir, counts, pass, fleet }
    }

    /// What is wanted of one instance now; `None` if it is not deployed.
    pub async fn wanted(&self, instance: &InstanceId) -> Result<Option<Wanted>, String> {
        match self.read(instance).await {
            Ok(Ok(wanted)) => Ok(Some(wanted)),
            Ok(Err(error)) if error.is_no_deployments() => Ok(None),
            Ok(Err(error)) => Err(chain(&error)),
            Err(reason) => Err(reason),
        }
    }

    async fn read(&self, instance: &InstanceId) -> Result<Result<Wanted, LoadError>, String> {
        let unread = Reading::Unknown("it was not asked for".to_owned());
        let (soa_dir, system_config_dir) = (self.soa_dir.clone(), self.system_config_dir.clone());
        let id = instance.clone();
        let read = move || -> Result<Wanted, LoadError> {
            let system = SystemConfig::load(system_config_dir)?;
            let soa = Soa::open(soa_dir);
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
    /// An instance that is looked at together with many others first looks where they all look, so that those with
    /// nothing to do cost one listing per home together (design decision 5).
    async fn run_pass(&self, instance: &InstanceId, wake: Wake) -> PassReport {
        let wanted = match self.read(instance).await {
            Ok(Ok(wanted)) => wanted,
            Ok(Err(error)) if error.is_no_deployments() => return PassReport::new(PassResult::Steady),
            Ok(Err(error)) => return PassReport::failed(chain(&error)),
            Err(reason) => return PassReport::failed(reason),
        };
        let fleet = match wake.because.concerns_many() {
            true => self.fleet.after(wake.at).await,
            false => None,
        };
        match self.pass.run(&wanted, fleet.as_deref()).await {
            Ok(report) => told(report),
            Err(error) => PassReport::failed(chain(&error)),
        }
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

/// A pass that only met problems has failed, and is tried again after the back-off; one that did something, or was
/// told to come back, comes back when it said.
fn told(report: paasta_setup::PassReport) -> PassReport {
    let did_something = report.actions.iter().any(|taken| taken.outcome.is_done());
    let result = match report.state {
        PassState::LockHeld => PassResult::LockHeld,
        PassState::Steady => PassResult::Steady,
        PassState::Working if !report.problems.is_empty() && !did_something => {
            PassResult::Failed(report.problems.join("; "))
        }
        PassState::Working => {
            PassResult::LookAgain { seconds: report.look_again_seconds.unwrap_or_default() }
        }
    };
    PassReport { result, why: Some(report.why) }
}
