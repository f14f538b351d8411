//! Looks at one instance all the time, through the cluster's API and through hacheck, and remembers the worst it saw.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::cluster::Cluster;

/// How often an instance is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// An instance as it stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct View {
    /// Tasks by version: short git sha → healthy and all.
    pub(super) versions: BTreeMap<String, Tally>,
    /// The ports that a load balancer would send to: healthy, and up by hacheck's word.
    pub(super) rotation: Vec<u16>,
    /// Whether nothing is left to do.
    pub(super) settled: bool,
    /// Why it is not, in the API's words.
    pub(super) why: Option<String>,
}

/// Tasks of one version.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Tally {
    pub(super) healthy: usize,
    pub(super) tasks: usize,
}

impl View {
    /// Whether `sha` is all that runs, `count` times and healthy, with nothing left to do.
    pub(super) fn runs_only(&self, sha: &str, count: usize) -> bool {
        let running: Vec<_> = self.versions.iter().filter(|(_, tally)| tally.tasks > 0).collect();
        let right = matches!(running[..], [(short, tally)] if sha.starts_with(short.as_str()) && tally.healthy == count);
        right && self.settled && self.rotation.len() == count
    }

    /// How many tasks there are of any version.
    pub(super) fn tasks(&self) -> usize {
        self.versions.values().map(|tally| tally.tasks).sum()
    }

    /// The tasks of one version.
    pub(super) fn of(&self, sha: &str) -> Tally {
        let found = self.versions.iter().find(|(short, _)| sha.starts_with(short.as_str()));
        found.map(|(_, tally)| *tally).unwrap_or_default()
    }
}

impl std::fmt::Display for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (version, Tally { healthy, tasks }) in &self.versions {
            write!(f, "{tasks} tasks of {version}, {healthy} of them healthy; ")?;
        }
        write!(f, "{} in rotation", self.rotation.len())?;
        self.why.iter().try_for_each(|why| write!(f, "; waiting for {why}"))
    }
}

/// What was seen since it was last asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// The fewest tasks in rotation.
    pub(super) lowest: Option<usize>,
    /// The most versions that had tasks at one moment.
    pub(super) versions: usize,
}

/// What one instance's watch collects over the whole demo.
#[derive(Default)]
struct Memory {
    seen: Seen,
    drained: BTreeSet<String>,
    tasks: BTreeSet<String>,
}

/// A running watch over one instance; it ends when it is dropped.
pub(super) struct Watch {
    pub(super) views: watch::Receiver<View>,
    memory: Arc<Mutex<Memory>>,
    _looker: JoinSet<()>,
}

impl Watch {
    pub(super) fn start(cluster: &Arc<Cluster>, instance: &'static str) -> Self {
        let (send, views) = watch::channel(View::default());
        let memory = Arc::new(Mutex::new(Memory::default()));
        let mut looker = JoinSet::new();
        looker.spawn(look_for_ever(Arc::clone(cluster), instance, send, Arc::clone(&memory)));
        Self { views, memory, _looker: looker }
    }

    /// Forgets the worst seen so far.
    pub(super) fn begin(&self) {
        lock(&self.memory).seen = Seen::default();
    }

    /// The worst seen since [`Watch::begin`].
    pub(super) fn seen(&self) -> Seen {
        lock(&self.memory).seen.clone()
    }

    /// How many tasks PaaSTA's hand took out of rotation.
    pub(super) fn drained(&self) -> usize {
        lock(&self.memory).drained.len()
    }

    /// How many tasks there have been.
    pub(super) fn tasks(&self) -> usize {
        lock(&self.memory).tasks.len()
    }
}

fn lock(memory: &Mutex<Memory>) -> MutexGuard<'_, Memory> {
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn look_for_ever(
    cluster: Arc<Cluster>,
    instance: &'static str,
    send: watch::Sender<View>,
    memory: Arc<Mutex<Memory>>,
) {
    loop {
        // A look that fails tells nothing; the next one will.
        if let Ok(look) = cluster.look(instance).await {
            let mut memory = lock(&memory);
            // A task that was drained since the listing makes the look older than itself: what stood in for it may be
            // missing there. It is looked at again.
            let drained_meanwhile = !look.drained.is_subset(&memory.drained);
            if drained_meanwhile {
                memory.drained.extend(look.drained);
                continue;
            }
            let rotation = look.view.rotation.len();
            memory.seen.lowest = Some(memory.seen.lowest.map_or(rotation, |lowest| lowest.min(rotation)));
            let versions = look.view.versions.values().filter(|tally| tally.tasks > 0).count();
            memory.seen.versions = memory.seen.versions.max(versions);
            memory.drained.extend(look.drained);
            memory.tasks.extend(look.tasks);
            drop(memory);
            let _ = send.send(look.view);
        }
        tokio::time::sleep(LOOK).await;
    }
}
