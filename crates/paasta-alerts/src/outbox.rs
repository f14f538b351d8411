//! A thread that sends alerts, so that whoever alerts never waits for a network.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use paasta_core::{Alert, AlertSink};

use crate::queue::Queue;

/// Alerts that may wait to be sent.
const WAITING_ALERTS_MAX: usize = 10_000;
/// Failures are told at most this often.
const TELL_AGAIN: Duration = Duration::from_secs(60);
/// Who drops an outbox waits this long for what still waits.
const DROP_PATIENCE: Duration = Duration::from_secs(5);

/// Sends alerts somewhere. Each call has to end by itself, within seconds.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// Where it sends, for messages: `Sensu at localhost:3030`.
    fn place(&self) -> String;

    /// How many alerts go in one call, at most.
    fn at_once(&self) -> usize {
        1
    }

    /// Sends these.
    ///
    /// # Errors
    /// Why they are lost.
    async fn deliver(&self, alerts: &[Alert]) -> Result<(), String>;
}

/// What became of alerts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Those sent.
    pub sent: u64,
    /// Those lost, since the receiver was down or too many waited.
    pub lost: u64,
}

/// Sends through a [`Transport`] in a thread of its own. Of the alerts of one name only the latest waits. When it is dropped
/// it sends what still waits, for at most five seconds.
pub struct Outbox {
    shared: Arc<Shared>,
}

struct Shared {
    queue: Queue<Alert>,
    place: String,
    sent: AtomicU64,
    lost: AtomicU64,
    told: Mutex<Told>,
}

#[derive(Default)]
struct Told {
    at: Option<Instant>,
    /// How many were lost when it was told.
    lost: u64,
}

impl Outbox {
    /// Starts the thread; an error means that the system gives none.
    pub fn start(transport: impl Transport) -> io::Result<Self> {
        Self::with_room(transport, WAITING_ALERTS_MAX)
    }

    fn with_room(transport: impl Transport, room: usize) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            queue: Queue::new(room),
            place: transport.place(),
            sent: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            told: Mutex::default(),
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let in_thread = Arc::clone(&shared);
        thread::Builder::new().name("paasta-alerts".to_owned()).spawn(move || {
            in_thread.work(&transport, &runtime);
            // A name that is being looked up holds nobody up.
            runtime.shutdown_background();
        })?;
        Ok(Self { shared })
    }

    /// Waits until all is sent or lost, at most so long; whether it is.
    pub fn flush(&self, patience: Duration) -> bool {
        self.shared.queue.wait_until_done(patience)
    }

    /// What became of alerts so far.
    pub fn counts(&self) -> Counts {
        Counts {
            sent: self.shared.sent.load(Ordering::Relaxed),
            lost: self.shared.lost.load(Ordering::Relaxed),
        }
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("place", &self.shared.place).finish_non_exhaustive()
    }
}

impl AlertSink for Outbox {
    fn alert(&self, alert: &Alert) {
        if !self.shared.queue.put(alert.event.name.clone(), alert.clone()) {
            self.shared.lose(1, "too many alerts wait to be sent");
        }
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.flush(DROP_PATIENCE);
        let left = self.shared.queue.close();
        if left > 0 {
            self.shared.told.lock().unwrap_or_else(PoisonError::into_inner).at = None;
            self.shared.lose(left as u64, "they were not sent before the end");
        }
    }
}

impl Shared {
    fn work(&self, transport: &impl Transport, runtime: &tokio::runtime::Runtime) {
        loop {
            let alerts = self.queue.take(transport.at_once().max(1));
            if alerts.is_empty() {
                return;
            }
            match runtime.block_on(transport.deliver(&alerts)) {
                Ok(()) => {
                    self.sent.fetch_add(alerts.len() as u64, Ordering::Relaxed);
                }
                Err(reason) => self.lose(alerts.len() as u64, &reason),
            }
        }
    }

    fn lose(&self, count: u64, reason: &str) {
        let lost = self.lost.fetch_add(count, Ordering::Relaxed) + count;
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.at.is_none_or(|at| at.elapsed() >= TELL_AGAIN) {
            let since = lost - told.lost;
            *told = Told { at: Some(Instant::now()), lost };
            tracing::warn!(place = %self.place, lost = since, %reason, "could not send alerts; all else goes on");
        }
    }
}

#[cfg(test)]
#[path = "outbox_tests.rs"]
mod tests;
