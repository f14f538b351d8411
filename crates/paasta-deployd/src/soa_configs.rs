//! [`Configs`] over real files and real git remotes.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use paasta_config::{InstanceType, LoadError, Soa, SystemConfig};
use paasta_core::{
    Clock as _, ClusterName, Fence, InstanceId, LogSink, NoFence, NoLog, ServiceName, SystemClock, chain,
};
use paasta_deployments::{
    FileChange, Limits, generate_for_service_if, unattended_refs_for_url, wrote_deployments,
};

use crate::Settings;
use crate::ports::{Configs, RegenerateResult};
use crate::start_keys::StartKeys;
use crate::state::{Listed, Listing, Scope};

/// soa-configs below one directory, for the cluster of one system config. Both are read anew on each call.
#[derive(Clone)]
pub struct SoaConfigs {
    /// One folder per service.
    pub soa_dir: PathBuf,
    /// Where `*.json` of the system config are.
    pub system_config_dir: PathBuf,
    /// What listing a remote's refs may take.
    pub limits: Limits,
    start_keys: StartKeys,
    fence: Arc<dyn Fence>,
    log: Arc<dyn LogSink>,
}

impl SoaConfigs {
    /// The services below `soa_dir`, for a deployd that was set up by `system`.
    pub fn new(soa_dir: PathBuf, system_config_dir: PathBuf, limits: Limits, system: &SystemConfig) -> Self {
        let start_keys = StartKeys::of(system.map());
        Self {
            soa_dir,
            system_config_dir,
            limits,
            start_keys,
            fence: Arc::new(NoFence),
            log: Arc::new(NoLog),
        }
    }

    /// Lets this be asked right before a deployments.json is written.
    #[must_use]
    pub fn with_fence(self, fence: Arc<dyn Fence>) -> Self {
        Self { fence, ..self }
    }

    /// Lets each deployments.json that is written be written down there.
    #[must_use]
    pub fn with_log(self, log: Arc<dyn LogSink>) -> Self {
        Self { log, ..self }
    }

    fn system(&self) -> Result<SystemConfig, String> {
        SystemConfig::load(&self.system_config_dir).map_err(|error| chain(&error))
    }

    fn services(&self, soa: &Soa, scope: &Scope) -> Result<Vec<ServiceName>, LoadError> {
        let mut services = soa.services()?;
        services.retain(|service| {
            scope.holds(service) && is_service(service) && self.soa_dir.join(service.as_str()).is_dir()
        });
        Ok(services)
    }
}

/// Hidden folders and those of many services' things are none.
fn is_service(name: &ServiceName) -> bool {
    !name.as_str().starts_with(['.', '_'])
}

impl SoaConfigs {
    fn read_list(&self, scope: &Scope) -> Result<Listing, String> {
        let system = self.system()?;
        self.start_keys.warn(system.map());
        let cluster = system.cluster().map_err(|error| chain(&error))?;
        let services = self.services(&Soa::open(&self.soa_dir), scope).map_err(|error| chain(&error))?;
        let mut listing = Listing::of(scope.clone(), []);
        for service in services {
            // Documents are parsed once: every instance of a service reads the same ones. Those of all services together
            // would take much room.
            let soa = Soa::open(&self.soa_dir).cached();
            match instances(&soa, &system, &cluster, &service) {
                Ok(instances) => listing.instances.extend(instances),
                Err(error) => {
                    listing.unreadable.insert(service.clone(), chain(&error));
                }
            }
            listing.services.insert(service);
        }
        Ok(listing)
    }

    fn regenerate_now(&self, service: &ServiceName) -> RegenerateResult {
        let system = match self.system() {
            Ok(system) => system,
            Err(reason) => return RegenerateResult::Failed(reason),
        };
        let soa = Soa::open(&self.soa_dir);
        let connect = |url: &str| unattended_refs_for_url(url, self.limits);
        let fenced = OnceLock::new();
        let may_write = || {
            self.fence.check().map_err(|reason| {
                let reason = reason.to_string();
                let _ = fenced.set(reason.clone());
                reason
            })
        };
        let done = generate_for_service_if(&self.soa_dir, &soa, &system, service, &connect, &may_write);
        match done {
            Err(_) if fenced.get().is_some() => {
                RegenerateResult::Stopped(fenced.into_inner().unwrap_or_default())
            }
            Ok(done) => match done.change {
                FileChange::Written => {
                    self.log.audit(&wrote_deployments(&self.soa_dir, service, SystemClock.now()));
                    RegenerateResult::Changed
                }
                FileChange::Unchanged => RegenerateResult::Unchanged,
            },
            Err(error) => RegenerateResult::Failed(chain(&error)),
        }
    }
}

#[async_trait]
impl Configs for SoaConfigs {
    async fn list(&self, scope: &Scope) -> Result<Listing, String> {
        // Reading files blocks.
        let (configs, scope) = (self.clone(), scope.clone());
        let listed = tokio::task::spawn_blocking(move || configs.read_list(&scope)).await;
        listed.unwrap_or_else(|error| Err(format!("listing instances broke off: {error}")))
    }

    async fn regenerate(&self, service: &ServiceName) -> RegenerateResult {
        let (configs, service) = (self.clone(), service.clone());
        let done = tokio::task::spawn_blocking(move || configs.regenerate_now(&service)).await;
        done.unwrap_or_else(|error| RegenerateResult::Failed(format!("it broke off: {error}")))
    }

    async fn settings(&self) -> Result<Option<Settings>, String> {
        let configs = self.clone();
        let read = move || {
            let system = configs.system()?;
            let settings = Settings::from_system(system.map()).map_err(|error| chain(&error))?;
            configs.start_keys.reloaded(system.map());
            configs.start_keys.warn(system.map());
            Ok(Some(settings))
        };
        let read = tokio::task::spawn_blocking(read).await;
        read.unwrap_or_else(|error| Err(format!("reading the settings broke off: {error}")))
    }
}

fn instances(
    soa: &Soa,
    system: &SystemConfig,
    cluster: &ClusterName,
    service: &ServiceName,
) -> Result<Vec<(InstanceId, Listed)>, LoadError> {
    let names = soa.instances(service, cluster, InstanceType::Marathon)?;
    let ids = names.into_iter().map(|name| InstanceId::new(service.clone(), name));
    Ok(ids.map(|id| (id.clone(), listed(soa, system, cluster, &id))).collect())
}

/// An instance whose settings are wrong is still one: its pass says what is wrong with it.
fn listed(soa: &Soa, system: &SystemConfig, cluster: &ClusterName, id: &InstanceId) -> Listed {
    let Ok(instance) = soa.instance(id, InstanceType::Marathon, cluster, system) else {
        return Listed::default();
    };
    let deadline = instance.config().bounce_start_deadline().ok();
    let deadline = deadline.filter(|seconds| seconds.is_finite() && *seconds >= 0.0);
    Listed {
        bounce_start_deadline_seconds: deadline.unwrap_or_default(),
        autoscaled: instance.config().is_autoscaled(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Closed;

    impl Fence for Closed {
        fn check(&self) -> Result<(), paasta_core::Fenced> {
            Err(paasta_core::Fenced("leads no longer".to_owned()))
        }
    }

    #[test]
    fn whoever_leads_no_longer_writes_no_deployments() {
        let root = tempfile::tempdir().expect("a folder");
        let (soa_dir, etc) = (root.path().join("soa"), root.path().join("etc"));
        std::fs::create_dir_all(soa_dir.join("svc")).expect("made");
        std::fs::create_dir(&etc).expect("made");
        std::fs::write(etc.join("a.json"), r#"{"cluster": "here", "clusters": ["here"]}"#).expect("written");
        let system = SystemConfig::load(&etc).expect("readable");
        let log = paasta_testkit::MemoryLog::default();
        let open = SoaConfigs::new(soa_dir.clone(), etc, Limits::default(), &system);
        let open = open.with_log(Arc::new(log.clone()));
        let service = ServiceName::new("svc").expect("a name");
        let file = soa_dir.join("svc/deployments.json");
        let fenced = open.clone().with_fence(Arc::new(Closed));
        let stopped = || RegenerateResult::Stopped("leads no longer".to_owned());
        assert_eq!((fenced.regenerate_now(&service), file.exists()), (stopped(), false));
        assert_eq!((open.regenerate_now(&service), file.exists()), (RegenerateResult::Changed, true));
        assert_eq!(fenced.regenerate_now(&service), RegenerateResult::Unchanged);
        let deeds: Vec<_> = log.deeds().into_iter().map(|deed| (deed.action, deed.service)).collect();
        assert_eq!(deeds, [("write-deployments".to_owned(), Some("svc".to_owned()))], "written once");
    }

    #[test]
    fn one_broken_service_is_named_and_the_others_are_listed() {
        let root = tempfile::tempdir().expect("a folder");
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().expect("below the root")).expect("made");
            std::fs::write(path, text).expect("written");
        };
        write("etc/a.json", r#"{"cluster": "here", "clusters": ["here"]}"#);
        write("soa/good/marathon-here.yaml", "main: {bounce_start_deadline: 5}\n_template: {}\nside: {}\n");
        write("soa/bad/marathon-here.yaml", "main: {a: [\n");
        write("soa/elsewhere/marathon-there.yaml", "main: {}\n");
        write("soa/_shared/marathon-here.yaml", "main: {}\n");
        write("soa/README", "not a service");
        let (soa_dir, etc) = (root.path().join("soa"), root.path().join("etc"));
        let system = SystemConfig::load(&etc).expect("readable");
        let configs = SoaConfigs::new(soa_dir, etc, Limits::default(), &system);
        let listing = configs.read_list(&Scope::All).expect("listed");
        let found: Vec<(String, f64)> = listing
            .instances
            .iter()
            .map(|(id, listed)| (id.to_string(), listed.bounce_start_deadline_seconds))
            .collect();
        assert_eq!(found, [("good.main".to_owned(), 5.0), ("good.side".to_owned(), 0.0)]);
        assert_eq!(listing.services.len(), 3, "{:?}", listing.services);
        let reason = listing.unreadable.values().next().expect("one is broken");
        assert!(reason.contains("bad/marathon-here.yaml"), "{reason}");
    }
}
