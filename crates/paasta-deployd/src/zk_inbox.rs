//! [`Inbox`] over deployd's queue in ZooKeeper: what programs of the original put there, or an old leader left.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream, StreamExt};
use paasta_core::{Clock, chain};
use paasta_zookeeper::{Take, TakenEntry, ZkQueue};

use crate::ports::{Inbox, InboxEntry};

/// After the queue could not be asked, it is asked again so much later.
const AGAIN: Duration = Duration::from_secs(5);
/// The queue is looked at this often, whatever is heard of it.
const LOOK_AT_LEAST: Duration = Duration::from_secs(3600);

type Held = Arc<Mutex<BTreeMap<String, TakenEntry>>>;

/// The queue, and the entries that this process holds.
pub(crate) struct ZkInbox {
    queue: ZkQueue,
    /// Entries carry times of day.
    wall: Arc<dyn Clock>,
    /// The clock of deployd's loop.
    steady: Arc<dyn Clock>,
    held: Held,
}

impl ZkInbox {
    /// Holds nothing yet.
    pub(crate) fn new(queue: ZkQueue, wall: Arc<dyn Clock>, steady: Arc<dyn Clock>) -> Self {
        Self { queue, wall, steady, held: Held::default() }
    }
}

/// One who takes entries. Dropped, it gives back what is not consumed.
struct Taker {
    queue: ZkQueue,
    wall: Arc<dyn Clock>,
    steady: Arc<dyn Clock>,
    held: Held,
    told: Option<String>,
}

impl Drop for Taker {
    fn drop(&mut self) {
        let held = std::mem::take(&mut *lock(&self.held));
        drop(held);
    }
}

fn lock(held: &Held) -> MutexGuard<'_, BTreeMap<String, TakenEntry>> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Taker {
    async fn next(&mut self) -> InboxEntry {
        loop {
            let now = self.wall.now();
            match self.queue.take(now).await {
                Ok(Take::Entry(entry)) => {
                    self.told = None;
                    return self.hold(*entry);
                }
                Ok(Take::Nothing(idle)) => {
                    self.told = None;
                    let until = idle.until().map_or(LOOK_AT_LEAST, |until| until.since(now));
                    idle.changed(until.min(LOOK_AT_LEAST)).await;
                }
                Err(error) => {
                    let reason = chain(&error);
                    if self.told.as_ref() != Some(&reason) {
                        tracing::warn!(%reason, "could not take entries from the queue in ZooKeeper");
                    }
                    self.told = Some(reason);
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }

    fn hold(&self, entry: TakenEntry) -> InboxEntry {
        let key = entry.name().as_str().to_owned();
        let (wall, steady) = (self.wall.now().seconds(), self.steady.now());
        let bounce_by = steady.plus_seconds(entry.name().bounce_by() - wall);
        let instance = entry.record().instance.clone();
        tracing::info!(%instance, entry = %key, watcher = %entry.record().watcher, "took an entry from the queue in ZooKeeper");
        lock(&self.held).insert(key.clone(), entry);
        InboxEntry { key, instance, wait_until: steady, bounce_by }
    }
}

#[async_trait]
impl Inbox for ZkInbox {
    fn take(&self) -> BoxStream<'static, InboxEntry> {
        let taker = Taker {
            queue: self.queue.clone(),
            wall: self.wall.clone(),
            steady: self.steady.clone(),
            held: self.held.clone(),
            told: None,
        };
        let next = |mut taker: Taker| async move {
            let entry = taker.next().await;
            Some((entry, taker))
        };
        stream::unfold(taker, next).boxed()
    }

    async fn consume(&self, key: &str) -> Result<(), String> {
        let entry = lock(&self.held).remove(key);
        let Some(entry) = entry else { return Err("it was given back meanwhile".to_owned()) };
        entry.consume().await.map_err(|error| chain(&error))
    }
}
