//! Carries out what the machine asks for: every task that is started answers with one event.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::stream::BoxStream;
use paasta_core::{InstanceId, ServiceName, Standing, Timestamp};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinHandle, JoinSet};
use tokio::time::Instant;

use crate::ports::{
    Configs, Files, Inbox, InboxEntry, Maintenance, PassAlerts, PassReport, PassResult, RegenerateResult,
    RunPass,
};
use crate::settings::{SOA_WATCHER, SYSTEM_CONFIG_WATCHER};
use crate::state::{Action, Event, Scope, Tags, Wake};
use crate::told::Told;
use crate::{Settings, Swept};

/// A look at hosts that are about to leave takes no longer.
const HOSTS_PATIENCE: Duration = Duration::from_secs(60);

/// What is told when passes lack what they need.
const UNSEEN: &str = "a pass could not see what it needs, and looks again until it can";

/// Told once for many.
const TAGS_GIVEN_UP: &str = "the tags of a service could not be looked at in time after the take-over: its deployments.json \
                             is acted on as it is, and so are those of others";

/// What carries actions out. Every task that it starts answers with one event.
pub(crate) struct Shell {
    events: mpsc::Sender<Event>,
    settings: Settings,
    configs: Arc<dyn Configs>,
    passes: Arc<dyn RunPass>,
    files: Arc<dyn Files>,
    maintenance: Option<Arc<dyn Maintenance>>,
    inbox: Option<Arc<dyn Inbox>>,
    regenerating: Arc<Mutex<BTreeSet<ServiceName>>>,
    running: BTreeMap<InstanceId, AbortHandle>,
    told: Arc<Told>,
    /// Who tells people how passes ended.
    pub(crate) alerts: Option<Arc<dyn PassAlerts>>,
    /// Everything that is under way.
    pub(crate) tasks: JoinSet<()>,
    /// Entries of the shared queue, while they are taken.
    pub(crate) entries: Option<BoxStream<'static, InboxEntry>>,
    /// When the machine wants to be woken.
    pub(crate) wake_at: Option<Timestamp>,
    /// Whether it is over.
    pub(crate) stop: bool,
}

impl Shell {
    /// One that has done nothing yet.
    pub(crate) fn new(
        events: mpsc::Sender<Event>,
        settings: Settings,
        configs: Arc<dyn Configs>,
        passes: Arc<dyn RunPass>,
        files: Arc<dyn Files>,
        maintenance: Option<Arc<dyn Maintenance>>,
        inbox: Option<Arc<dyn Inbox>>,
    ) -> Self {
        Self {
            events,
            settings,
            configs,
            passes,
            files,
            maintenance,
            inbox,
            regenerating: Arc::default(),
            running: BTreeMap::new(),
            told: Arc::default(),
            alerts: None,
            tasks: JoinSet::new(),
            entries: None,
            wake_at: None,
            stop: false,
        }
    }

    /// What is told to people of an event, and kept of it here.
    pub(crate) fn hears(&mut self, event: &Event) {
        match event {
            Event::PassFinished { instance, .. } => drop(self.running.remove(instance)),
            Event::Stands(Standing::Leading) => tracing::info!("leads"),
            Event::Stands(Standing::Waiting { leader: Some(leader) }) => {
                tracing::info!(%leader, "another deployd leads; standing by");
            }
            Event::Stands(Standing::Waiting { leader: None }) => tracing::info!("standing by"),
            Event::Stands(Standing::Doubtful(reason)) => {
                tracing::warn!(%reason, "cannot tell whether it still leads: nothing is begun until it can");
            }
            Event::Stands(Standing::Lost(reason)) => {
                tracing::warn!(%reason, "leads no longer: what was under way is stopped, and it stands by");
            }
            Event::SettingsRead(Err(reason)) => {
                tracing::warn!(%reason, "could not read the settings anew; the old ones stay");
            }
            Event::HostsLooked(Err(reason)) if self.told.is_due("hosts", &"all", reason, Instant::now()) => {
                tracing::warn!(%reason, "could not tell which hosts are about to leave");
            }
            Event::HostsLooked(Ok(_)) => self.told.is_well("hosts", &"all"),
            _ => {}
        }
    }

    /// Does what the machine asks for.
    pub(crate) fn carry_out(&mut self, action: Action) {
        match action {
            Action::StartPass { instance, wake } => self.start_pass(instance, wake),
            Action::AbandonPass(instance) => {
                if let Some(pass) = self.running.get(&instance) {
                    pass.abort();
                }
            }
            Action::TellEnd { instance, report } => {
                if let Some(alerts) = &self.alerts {
                    alerts.pass_ended(&instance, &report);
                }
            }
            Action::LookAtHosts(known) => self.look_at_hosts(known),
            Action::TakeEntries => self.entries = self.inbox.as_ref().map(|inbox| inbox.take()),
            Action::ReleaseEntries => self.entries = None,
            Action::ConsumeEntries(keys) => self.consume(keys),
            Action::DropEntry(entry) => {
                let (key, instance) = (entry.key, entry.instance);
                tracing::warn!(%instance, %key, "took an entry out of the queue in ZooKeeper: its instance is in no file");
                self.consume(BTreeSet::from([key]));
            }
            Action::ReadSettings => self.read_settings(),
            Action::UseSettings(settings) => self.settings = *settings,
            Action::ListInstances(scope) => self.list(scope),
            Action::SweepFiles => self.sweep(),
            Action::Regenerate(service) => self.regenerate(service),
            Action::TellGone(gone) => self.tell_gone(gone),
            Action::WakeAt(at) => self.wake_at = Some(at),
            Action::Stop => self.stop = true,
        }
    }

    /// The pass has a task of its own, so that its panic is its own too.
    fn start_pass(&mut self, instance: InstanceId, wake: Wake) {
        let (events, told) = (self.events.clone(), self.told.clone());
        let patience = seconds(self.settings.pass_seconds_max);
        let pass = tokio::spawn({
            let (passes, instance) = (self.passes.clone(), instance.clone());
            async move { passes.run_pass(&instance, wake).await }
        });
        self.running.insert(instance.clone(), pass.abort_handle());
        if wake.tags == Tags::GivenUp && self.told.is_due("tags", &"all", TAGS_GIVEN_UP, Instant::now()) {
            tracing::warn!(%instance, "{TAGS_GIVEN_UP}");
        }
        self.tasks.spawn(async move {
            let report = guarded_pass(pass, patience).await;
            match &report.result {
                PassResult::Failed(reason) if told.is_due("pass", &instance, reason, Instant::now()) => {
                    tracing::warn!(%instance, %reason, "pass failed");
                }
                PassResult::Failed(_) => {}
                // One of many: the queue shows them all.
                PassResult::Unseen { reason } if told.is_due("unseen", &"all", UNSEEN, Instant::now()) => {
                    tracing::warn!(%instance, %reason, "{UNSEEN}");
                }
                PassResult::Unseen { .. } => {}
                _ => told.is_well("pass", &instance),
            }
            let _ = events.send(Event::PassFinished { instance, report }).await;
        });
    }

    fn look_at_hosts(&mut self, known: BTreeSet<String>) {
        // Without anybody to ask there is no answer, and so no next question either.
        let Some(maintenance) = self.maintenance.clone() else { return };
        let events = self.events.clone();
        self.tasks.spawn(async move {
            let look = tokio::spawn(async move { maintenance.look(&known).await });
            let looked = match tokio::time::timeout(HOSTS_PATIENCE, look).await {
                Ok(Ok(looked)) => looked,
                Ok(Err(error)) => Err(panic_text(error)),
                Err(_) => Err(format!("no answer within {} s", HOSTS_PATIENCE.as_secs())),
            };
            let _ = events.send(Event::HostsLooked(looked)).await;
        });
    }

    /// What is not taken out now is there after the next start, and leads to one pass too many.
    fn consume(&mut self, keys: BTreeSet<String>) {
        let Some(inbox) = self.inbox.clone() else { return };
        self.tasks.spawn(async move {
            for key in keys {
                if let Err(reason) = inbox.consume(&key).await {
                    tracing::warn!(%key, %reason, "could not take an entry out of the shared queue");
                }
            }
        });
    }

    fn read_settings(&mut self) {
        let (configs, events) = (self.configs.clone(), self.events.clone());
        let old = self.settings.clone();
        self.tasks.spawn(async move {
            let read = match tokio::spawn(async move { configs.settings().await }).await {
                Ok(read) => read.map(|settings| Box::new(settings.unwrap_or(old))),
                Err(error) => Err(panic_text(error)),
            };
            let _ = events.send(Event::SettingsRead(read)).await;
        });
    }

    fn tell_gone(&mut self, gone: Vec<InstanceId>) {
        let passes = self.passes.clone();
        self.tasks.spawn(async move {
            for (instance, reason) in passes.going_on(&gone).await {
                tracing::warn!(%instance, %reason, "an instance is configured no more");
            }
        });
    }

    fn list(&mut self, scope: Scope) {
        let (configs, events, told) = (self.configs.clone(), self.events.clone(), self.told.clone());
        self.tasks.spawn(async move {
            // A task of its own, so that its panic is its own too.
            let asked = scope.clone();
            let listed = tokio::spawn(async move { configs.list(&asked).await }).await;
            let event = match listed {
                Ok(Ok(listing)) => {
                    for service in &listing.services {
                        match listing.unreadable.get(service) {
                            Some(reason) if told.is_due("files", service, reason, Instant::now()) => {
                                tracing::warn!(%service, %reason, "could not read the instances of a service");
                            }
                            Some(_) => {}
                            None => told.is_well("files", service),
                        }
                    }
                    Event::InstancesListed(listing)
                }
                Ok(Err(reason)) => {
                    if told.is_due("listing", &"all", &reason, Instant::now()) {
                        tracing::warn!(%reason, "could not list instances");
                    }
                    Event::ListingFailed(scope)
                }
                Err(error) => {
                    tracing::error!(%error, "listing instances broke off");
                    Event::ListingFailed(scope)
                }
            };
            let _ = events.send(event).await;
        });
    }

    fn sweep(&mut self) {
        let (files, events, settings) = (self.files.clone(), self.events.clone(), self.settings.clone());
        self.tasks.spawn(async move {
            let look = tokio::spawn(async move {
                let swept = files.sweep().await;
                (swept, files.rest())
            });
            let (swept, rest) = match look.await {
                Ok(looked) => looked,
                Err(error) => {
                    tracing::error!(%error, "looking for changed files broke off");
                    (Swept::default(), None)
                }
            };
            let (services, everything) = watched(swept, &settings);
            let rest_seconds = rest.map(|rest| rest.as_secs_f64());
            let _ = events.send(Event::FilesSwept { services, everything, rest_seconds }).await;
        });
    }

    fn regenerate(&mut self, service: ServiceName) {
        let (configs, events, told) = (self.configs.clone(), self.events.clone(), self.told.clone());
        let (busy, patience) = (self.regenerating.clone(), seconds(self.settings.regeneration_seconds_max));
        self.tasks.spawn(async move {
            let result = guarded_regeneration(configs, &service, busy, patience).await;
            match &result {
                RegenerateResult::Failed(reason)
                    if told.is_due("regeneration", &service, reason, Instant::now()) =>
                {
                    tracing::warn!(%service, %reason, "could not regenerate deployments.json");
                }
                RegenerateResult::Failed(_) => {}
                RegenerateResult::Stopped(reason) => {
                    tracing::info!(%service, %reason, "a regeneration of deployments.json was stopped");
                }
                _ => told.is_well("regeneration", &service),
            }
            let _ = events.send(Event::Regenerated { service, result }).await;
        });
    }
}

async fn guarded_pass(mut pass: JoinHandle<PassReport>, patience: Duration) -> PassReport {
    let _abort = AbortOnDrop(pass.abort_handle());
    match tokio::time::timeout(patience, &mut pass).await {
        Ok(Ok(report)) => report,
        Ok(Err(error)) if error.is_cancelled() => {
            PassReport::new(PassResult::Stopped("this deployd leads no longer".to_owned()))
        }
        Ok(Err(error)) => PassReport::failed(panic_text(error)),
        Err(_) => {
            pass.abort();
            // It ends at its next await; until then its instance must not get another pass.
            let _ = pass.await;
            PassReport::failed(format!("the pass took longer than {} s", patience.as_secs_f64()))
        }
    }
}

/// Ends a pass together with the task that waits for it.
struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What a sweep found, without what nobody wants to follow.
fn watched(swept: Swept, settings: &Settings) -> (BTreeSet<ServiceName>, bool) {
    let soa = settings.watches(SOA_WATCHER);
    let services = if soa { swept.services } else { BTreeSet::new() };
    let system = swept.system && settings.watches(SYSTEM_CONFIG_WATCHER);
    let elsewhere = swept.everything && !swept.system && !swept.shared;
    (services, system || (swept.shared && soa) || elsewhere)
}

async fn guarded_regeneration(
    configs: Arc<dyn Configs>,
    service: &ServiceName,
    busy: Arc<Mutex<BTreeSet<ServiceName>>>,
    patience: Duration,
) -> RegenerateResult {
    if !busy.lock().unwrap_or_else(PoisonError::into_inner).insert(service.clone()) {
        return RegenerateResult::Failed("an earlier attempt has not come back yet".to_owned());
    }
    let name = service.clone();
    // It may not be possible to end it, so it ends by itself, and the service stays busy until then.
    let work = tokio::spawn(async move {
        let _busy = NoLongerBusy { name: &name, busy: &busy };
        configs.regenerate(&name).await
    });
    match tokio::time::timeout(patience, work).await {
        Ok(Ok(result)) => result,
        Ok(Err(error)) => RegenerateResult::Failed(panic_text(error)),
        Err(_) => RegenerateResult::Failed(format!("it took longer than {} s", patience.as_secs_f64())),
    }
}

/// Takes a service off the list of busy ones, also when the work on it panics.
struct NoLongerBusy<'a> {
    name: &'a ServiceName,
    busy: &'a Mutex<BTreeSet<ServiceName>>,
}

impl Drop for NoLongerBusy<'_> {
    fn drop(&mut self) {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner).remove(self.name);
    }
}

fn panic_text(error: tokio::task::JoinError) -> String {
    match error.try_into_panic() {
        Ok(panic) => {
            let text = panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned());
            format!("it panicked: {}", text.unwrap_or_else(|| "no message".to_owned()))
        }
        Err(_) => "it was abandoned".to_owned(),
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_nobody_wants_to_follow_are_left_out() {
        let swept = |system, shared| Swept {
            services: BTreeSet::from([ServiceName::new("a").expect("a name")]),
            everything: system || shared,
            system,
            shared,
        };
        let told = |disabled: &[&str], swept| {
            let disabled_watchers = disabled.iter().map(|name| (*name).to_owned()).collect();
            let (services, everything) =
                watched(swept, &Settings { disabled_watchers, ..Settings::default() });
            (services.len(), everything)
        };
        assert_eq!(told(&[], swept(true, false)), (1, true));
        assert_eq!(told(&["PublicConfigFileWatcher"], swept(true, false)), (1, false));
        assert_eq!(told(&["PublicConfigFileWatcher"], swept(true, true)), (1, true));
        assert_eq!(told(&["SoaFileWatcher"], swept(false, true)), (0, false));
        assert_eq!(told(&["SoaFileWatcher"], swept(true, true)), (0, true));
    }
}
