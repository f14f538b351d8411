//! A client that asks one instance all the time, as a load balancer does: only backends in rotation, one after
//! the other.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::on_this_machine;
use super::watch::View;
use crate::http;

/// How many requests may be under way at once.
const WORKERS: usize = 6;
/// How long one worker rests between two requests.
const PAUSE: Duration = Duration::from_millis(8);

/// A running client; it stops when it is dropped.
pub(super) struct Load {
    counts: Arc<Counts>,
    _workers: JoinSet<()>,
}

#[derive(Default)]
struct Counts {
    sent: AtomicU64,
    failed: AtomicU64,
    turn: AtomicUsize,
    first_failure: Mutex<Option<String>>,
}

impl Load {
    /// Starts asking whatever is in rotation in `views`. While nothing is, it waits and asks nobody.
    pub(super) fn start(views: &watch::Receiver<View>) -> Self {
        let counts = Arc::new(Counts::default());
        let mut workers = JoinSet::new();
        for _ in 0..WORKERS {
            workers.spawn(ask_for_ever(views.clone(), Arc::clone(&counts)));
        }
        Self { counts, _workers: workers }
    }

    /// How many requests were sent.
    pub(super) fn sent(&self) -> u64 {
        self.counts.sent.load(Ordering::Relaxed)
    }

    /// How many of them got no good answer.
    pub(super) fn failed(&self) -> u64 {
        self.counts.failed.load(Ordering::Relaxed)
    }

    /// What became of the first that failed.
    pub(super) fn first_failure(&self) -> Option<String> {
        self.counts.first_failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn ask_for_ever(views: watch::Receiver<View>, counts: Arc<Counts>) {
    loop {
        let backend = pick(&views.borrow().rotation, counts.turn.fetch_add(1, Ordering::Relaxed));
        if let Some(port) = backend {
            counts.sent.fetch_add(1, Ordering::Relaxed);
            if let Err(what) = ask(port).await {
                counts.failed.fetch_add(1, Ordering::Relaxed);
                let mut first = counts.first_failure.lock().unwrap_or_else(PoisonError::into_inner);
                first.get_or_insert(format!("port {port}: {what}"));
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn pick(rotation: &[u16], turn: usize) -> Option<u16> {
    rotation.get(turn.checked_rem(rotation.len())?).copied()
}

async fn ask(port: u16) -> Result<(), String> {
    match http::get(on_this_machine(port), "/version").await?.status {
        200 => Ok(()),
        status => Err(format!("status {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::pick;

    #[test]
    fn backends_take_turns_and_none_is_nobody() {
        assert_eq!(pick(&[], 7), None);
        assert_eq!([0, 1, 2].map(|turn| pick(&[5, 6], turn)), [Some(5), Some(6), Some(5)]);
    }
}
