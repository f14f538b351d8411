//! Alerts about instances: what happened, to whoever soa-configs say is to be told.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use paasta_config::{InstanceType, LoadError, Map, Soa, SystemConfig};
use paasta_core::{Alert, AlertSink, CheckStatus, InstanceId, ServiceName, Timestamp};
use paasta_monitoring::{Finding, Layers, Sender, compose, senders};

use crate::queue::Queue;
use crate::{Counts, Sinks};

/// News that may wait.
const WAITING_NEWS_MAX: usize = 10_000;
/// The files of the service that news came of last are read anew after that long.
const REMEMBERED: Duration = Duration::from_secs(5);
/// Who drops a reporter waits this long for what still waits.
const DROP_PATIENCE: Duration = Duration::from_secs(5);
/// Wrong settings that are remembered as told.
const TOLD_MAX: usize = 10_000;

/// What happened to an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// A pass over it came to its end: well, or with that failure.
    SetUp(Result<(), String>),
    /// It is configured no more, and what ran of it is gone.
    Removed,
}

/// What alerts are made from.
#[derive(Clone, Debug)]
pub struct Sources {
    /// Where services say who is to be told. It should keep nothing: that is done here, of one service at a
    /// time, for five seconds, while news of it go on.
    pub soa: Soa,
    /// This host's own configuration.
    pub system: SystemConfig,
}

/// Makes alerts of news, in a thread of its own, and hands them to [`Sinks`]. Who tells it never waits. When it is dropped it
/// is done with what still waits, for at most some seconds.
#[derive(Debug)]
pub struct Reporter {
    shared: Arc<Shared>,
    patience: Duration,
}

struct Shared {
    queue: Queue<(Timestamp, InstanceId, News)>,
    sinks: Sinks,
    /// News that were lost before anybody made an alert of them.
    lost: AtomicU64,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("sinks", &self.sinks).finish_non_exhaustive()
    }
}

impl Reporter {
    /// Starts the thread; an error means that the system gives none.
    pub fn start(sources: Sources, sinks: Sinks) -> io::Result<Self> {
        let shared = Arc::new(Shared { queue: Queue::new(WAITING_NEWS_MAX), sinks, lost: AtomicU64::new(0) });
        let in_thread = Arc::clone(&shared);
        let mut desk = Desk::new(sources);
        thread::Builder::new().name("paasta-reports".to_owned()).spawn(move || {
            loop {
                if in_thread.queue.is_empty() {
                    desk.forget();
                }
                let news = in_thread.queue.take(1);
                if news.is_empty() {
                    return;
                }
                for (at, instance, news) in news {
                    for alert in desk.alerts(at, &instance, &news) {
                        in_thread.sinks.alert(&alert);
                    }
                }
            }
        })?;
        Ok(Self { shared, patience: DROP_PATIENCE })
    }

    /// The same, but when it is dropped it waits for at most so long instead of five seconds.
    #[must_use]
    pub fn with_patience_at_the_end(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Tells what happened at that time.
    pub fn tell(&self, at: Timestamp, instance: &InstanceId, news: News) {
        if !self.shared.queue.put(instance.to_string(), (at, instance.clone(), news)) {
            self.shared.lost.fetch_add(1, Ordering::Relaxed);
            tracing::warn!("an alert is lost: too many wait");
        }
    }

    /// Waits until all is sent or lost, at most so long; whether it is.
    pub fn flush(&self, patience: Duration) -> bool {
        let begin = Instant::now();
        self.shared.queue.wait_until_done(patience)
            && self.shared.sinks.flush(patience.saturating_sub(begin.elapsed()))
    }

    /// What became of alerts so far: those of each sink, and news that were lost on the way there.
    pub fn counts(&self) -> Counts {
        let Counts { sent, lost } = self.shared.sinks.counts();
        Counts { sent, lost: lost + self.shared.lost.load(Ordering::Relaxed) }
    }

    /// Where alerts go.
    pub fn sinks(&self) -> &Sinks {
        &self.shared.sinks
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        self.flush(self.patience);
        self.shared.queue.close();
    }
}

/// The layers of monitoring values of a service, and what of its files cannot be read: that holds nothing, since an alert goes
/// out as well as it can. `instance` is the instance's own `monitoring`.
pub fn layers(soa: &Soa, service: &ServiceName, instance: Option<&Map>) -> (Layers, Vec<LoadError>) {
    let mut problems = Vec::new();
    let mut file = |name: &str| {
        soa.file(service, name).unwrap_or_else(|error| {
            problems.push(error);
            Map::new()
        })
    };
    let (monitoring, service) = (file("monitoring.yaml"), file("service.yaml"));
    (Layers { instance: instance.cloned().unwrap_or_default(), monitoring, service }, problems)
}

/// The files of one service, as they were read then.
struct Kept {
    at: Instant,
    service: ServiceName,
    soa: Soa,
}

/// What the thread works with.
struct Desk {
    sources: Sources,
    /// Of one service alone: there may be thousands, each with much to say.
    read: Option<Kept>,
    told: BTreeSet<String>,
}

impl Desk {
    fn new(sources: Sources) -> Self {
        Self { sources, read: None, told: BTreeSet::new() }
    }

    /// The files of that service, each read once in a while.
    fn soa(&mut self, service: &ServiceName) -> Soa {
        match &self.read {
            Some(kept) if kept.service == *service && kept.at.elapsed() < REMEMBERED => kept.soa.clone(),
            _ => {
                let soa = self.sources.soa.clone().cached();
                self.read = Some(Kept { at: Instant::now(), service: service.clone(), soa: soa.clone() });
                soa
            }
        }
    }

    /// Keeps no files.
    fn forget(&mut self) {
        self.read = None;
    }

    fn alerts(&mut self, at: Timestamp, instance: &InstanceId, news: &News) -> Vec<Alert> {
        let soa = self.soa(instance.service());
        let own = match news {
            News::Removed => None,
            News::SetUp(_) => match self.own(&soa, instance) {
                Ok(own) => own,
                Err(NotConfigured) => return vec![],
            },
        };
        let (layers, problems) = layers(&soa, instance.service(), own.as_ref());
        for problem in problems {
            self.warn(instance, &paasta_core::chain(&problem));
        }
        let (senders, status, output) = match news {
            News::SetUp(Ok(())) => (vec![senders::setup()], CheckStatus::Ok, senders::DEPLOYED.to_owned()),
            News::SetUp(Err(failure)) => (vec![senders::setup()], CheckStatus::Critical, failure.clone()),
            News::Removed => (senders::removed().into(), CheckStatus::Ok, senders::REMOVED.to_owned()),
        };
        let one = |sender: &Sender| self.alert(at, instance, sender, &layers, status, &output);
        senders.iter().filter_map(one).collect()
    }

    fn alert(
        &mut self,
        at: Timestamp,
        instance: &InstanceId,
        sender: &Sender,
        layers: &Layers,
        status: CheckStatus,
        output: &str,
    ) -> Option<Alert> {
        let cluster = self.sources.system.cluster().ok().map(|cluster| cluster.to_string());
        let finding = Finding::about(instance, sender, cluster.as_deref(), status, output);
        let composed = match compose(sender, layers, finding) {
            Ok(composed) => composed,
            Err(reason) => {
                tracing::debug!(%instance, check = sender.check, %reason, "nothing is sent");
                return None;
            }
        };
        for problem in &composed.problems {
            self.warn(instance, &problem.to_string());
        }
        Some(Alert {
            at,
            cluster,
            instance: instance.clone(),
            check: sender.check.to_owned(),
            event: composed.event,
        })
    }

    /// The instance's own `monitoring`; none where it cannot be read.
    fn own(&mut self, soa: &Soa, instance: &InstanceId) -> Result<Option<Map>, NotConfigured> {
        let system = &self.sources.system;
        let Ok(cluster) = system.cluster() else { return Ok(None) };
        let loaded = soa.instance(instance, InstanceType::Marathon, &cluster, system);
        let problem = match loaded {
            Err(LoadError::NoSuchInstance { .. }) => return Err(NotConfigured),
            // Why is what the alert itself tells.
            Err(_) => return Ok(None),
            Ok(loaded) => match loaded.config().monitoring() {
                Ok(own) => return Ok(own.cloned()),
                Err(error) => error.to_string(),
            },
        };
        self.warn(instance, &problem);
        Ok(None)
    }

    /// Warns of each thing once.
    fn warn(&mut self, instance: &InstanceId, problem: &str) {
        if self.told.len() >= TOLD_MAX {
            self.told.clear();
        }
        if self.told.insert(problem.to_owned()) {
            tracing::warn!(%instance, %problem, "a setting of alerts cannot be used; its default is");
        }
    }
}

/// No file has the instance: nobody is told about it.
struct NotConfigured;

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use paasta_config::{ConfigSource, Memory, SourceError};

    use super::*;

    /// Notes what is read.
    #[derive(Debug)]
    struct Noted(Memory, Mutex<Vec<String>>);

    impl ConfigSource for Noted {
        fn read(&self, path: &str) -> Result<Option<Vec<u8>>, SourceError> {
            self.1.lock().unwrap_or_else(PoisonError::into_inner).push(path.to_owned());
            self.0.read(path)
        }

        fn list(&self, directory: &str) -> Result<Vec<String>, SourceError> {
            self.0.list(directory)
        }
    }

    #[test]
    fn the_files_of_one_service_are_kept_and_of_none_while_nothing_happens() {
        let files = ["a", "b"].into_iter().fold(Memory::new(), |files, service| {
            let files = files.with(format!("{service}/marathon-prod.yaml"), "main: {}\nmore: {}");
            files.with(format!("{service}/monitoring.yaml"), "team: t")
        });
        let noted = Arc::new(Noted(files, Mutex::default()));
        let system = SystemConfig::from_json(r#"{"cluster": "prod"}"#).expect("a system config");
        let mut desk = Desk::new(Sources { soa: Soa::new(noted.clone()), system });
        let tell = |desk: &mut Desk, instance: &str| {
            let instance = instance.parse().expect("an instance");
            let alerts = desk.alerts(Timestamp::from_millis(0), &instance, &News::SetUp(Ok(())));
            assert_eq!(alerts.len(), 1, "{instance}");
            let read = noted.1.lock().unwrap_or_else(PoisonError::into_inner);
            read.iter().filter(|path| *path == "a/marathon-prod.yaml").count()
        };
        let reads = ["a.main", "a.more", "b.main", "a.main"].map(|instance| tell(&mut desk, instance));
        assert_eq!(reads, [1, 1, 1, 2]);
        assert_eq!(desk.read.as_ref().map(|kept| kept.service.as_str()), Some("a"));
        desk.forget();
        assert!(desk.read.is_none());
        assert_eq!(tell(&mut desk, "a.main"), 3);
    }
}
