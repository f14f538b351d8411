//! Watches every autoscaled count there is.

use std::time::Duration;

use futures_core::stream::BoxStream;
use futures_util::stream;
use paasta_core::{InstanceId, InstanceName, ServiceName};
use tokio::time::sleep;
use zookeeper_client::{AddWatchMode, Error, EventType, PersistentWatcher, SessionState};

use super::counts::ZkCounts;
use super::handle::ZooKeeper;
use super::session::Problem;
use crate::{CountChange, CountChanges};

/// Where all counts are.
const TREE: &str = "/autoscaling";
/// Part of the paths of the autoscaler's own locks.
const LOCK: &str = "autoscaling.lock";
/// Milliseconds between two attempts to watch.
const AGAIN_MILLIS: u64 = 500;
/// Seconds between two readings of all, with servers before 3.6: they cannot watch a tree.
const SWEEP_SECONDS: u64 = 30;

/// The instance whose count stands at this path.
fn instance(path: &str) -> Option<InstanceId> {
    if path.contains(LOCK) {
        return None;
    }
    let mut parts = path.strip_prefix(TREE)?.strip_prefix('/')?.split('/');
    let (service, instance, leaf) = (parts.next()?, parts.next()?, parts.next()?);
    if leaf != "instances" || parts.next().is_some() {
        return None;
    }
    Some(InstanceId::new(ServiceName::new(service).ok()?, InstanceName::new(instance).ok()?))
}

impl CountChanges for ZkCounts {
    fn changes(&self) -> BoxStream<'static, CountChange> {
        let watch = Watch { zookeeper: self.zookeeper.clone(), stage: Stage::None };
        Box::pin(stream::unfold(watch, |mut watch| async move {
            let change = watch.next().await;
            Some((change, watch))
        }))
    }
}

struct Watch {
    zookeeper: ZooKeeper,
    stage: Stage,
}

enum Stage {
    /// No watch is set.
    None,
    /// One watch on the whole tree; it outlives a lost connection.
    Tree(PersistentWatcher),
    /// Servers that know no such watch.
    Sweep,
}

impl Watch {
    async fn next(&mut self) -> CountChange {
        loop {
            match &mut self.stage {
                Stage::None => return self.begin().await,
                Stage::Sweep => {
                    sleep(Duration::from_secs(SWEEP_SECONDS)).await;
                    return CountChange::Missed("these servers cannot watch a tree".to_owned());
                }
                Stage::Tree(watcher) => {
                    let event = watcher.changed().await;
                    match (event.event_type, event.session_state) {
                        (EventType::Session, SessionState::SyncConnected) => {
                            return CountChange::Missed("the connection to ZooKeeper was lost".to_owned());
                        }
                        (EventType::Session, state) if state.is_terminated() => self.stage = Stage::None,
                        (EventType::Session, _) => {}
                        _ => {
                            if let Some(instance) = instance(&event.path) {
                                return CountChange::Of(instance);
                            }
                        }
                    }
                }
            }
        }
    }

    /// Watches from here on. What changed before is for the reader to find.
    async fn begin(&mut self) -> CountChange {
        loop {
            let session = self.zookeeper.session_at_last().await;
            let mode = AddWatchMode::PersistentRecursive;
            match session.ask(|client| async move { client.watch(TREE, mode).await }).await {
                Ok(watcher) => {
                    self.stage = Stage::Tree(watcher);
                    return CountChange::Missed("the watch on counts began".to_owned());
                }
                Err(Problem::Told(Error::Unimplemented)) => {
                    tracing::warn!("ZooKeeper is older than 3.6: counts are read again twice a minute");
                    self.stage = Stage::Sweep;
                    return CountChange::Missed("these servers cannot watch a tree".to_owned());
                }
                Err(problem) => {
                    tracing::debug!(%problem, "could not watch autoscaled counts yet");
                    sleep(Duration::from_millis(AGAIN_MILLIS)).await;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_counts_of_instances_are_told() {
        let cases = [
            ("/autoscaling/my_svc/main/instances", Some("my_svc.main")),
            ("/autoscaling/my_svc/main", None),
            ("/autoscaling/my_svc/main/cpu_data", None),
            ("/autoscaling/my_svc/main/instances/x", None),
            ("/autoscaling/my_svc/autoscaling.lock/instances", None),
            ("/autoscaling/instances", None),
            ("/autoscaling/paused", None),
            ("/autoscalingx/a/b/instances", None),
            ("/autoscaling//b/instances", None),
            ("", None),
        ];
        for (path, wanted) in cases {
            assert_eq!(instance(path).map(|id| id.to_string()).as_deref(), wanted, "{path}");
        }
    }
}
