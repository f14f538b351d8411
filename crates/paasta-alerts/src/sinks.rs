//! The sinks that the system configuration names.

use std::io;
use std::time::{Duration, Instant};

use paasta_config::{SystemConfig, SystemError};
use paasta_core::{Alert, AlertSink};

use crate::{Alertmanager, Counts, JsonLines, Outbox, Sensu};

/// No alert is held for longer, however long somebody waits: a year.
const HELD_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

/// Why there are no sinks.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// A key of the system configuration is wrong.
    #[error("could not tell where alerts go")]
    System(#[from] SystemError),
    /// The address of the Alertmanager is none.
    #[error("system config key `alertmanager_url`: `{address}` cannot be used: {reason}")]
    Address {
        /// The address, without passwords.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The system gives no thread.
    #[error("could not start a thread that sends alerts")]
    Thread(#[from] io::Error),
}

/// Every sink of a host: Sensu unless `sensu_host` is empty, an Alertmanager where `alertmanager_url` names one, stdout where
/// `alerts_to_stdout` asks for it.
#[derive(Debug, Default)]
pub struct Sinks {
    outboxes: Vec<Outbox>,
    lines: Option<JsonLines<io::Stdout>>,
}

impl Sinks {
    /// Those of the system configuration.
    ///
    /// # Errors
    /// A key is wrong.
    pub fn from_system(system: &SystemConfig) -> Result<Self, SinkError> {
        Self::of_retries(system, Duration::ZERO)
    }

    /// The same, for whoever may wait so long before it tries again what went wrong: until twice that is over, no alert ends
    /// just because nobody tells of it.
    ///
    /// # Errors
    /// A key is wrong.
    pub fn of_retries(system: &SystemConfig, longest_wait: Duration) -> Result<Self, SinkError> {
        let mut sinks = Self::default();
        if let Some(host) = system.sensu_host()? {
            sinks.outboxes.push(Outbox::start(Sensu::new(host, system.sensu_port()?))?);
        }
        if let Some(address) = system.alertmanager_url()? {
            let held = longest_wait.saturating_mul(2).min(HELD_MAX);
            let alertmanager = Alertmanager::new(&address)?.held_at_least(held);
            sinks.outboxes.push(Outbox::start(alertmanager)?);
        }
        if system.alerts_to_stdout()? {
            sinks.lines = Some(JsonLines::new(io::stdout()));
        }
        Ok(sinks)
    }

    /// Whether nobody is told anything.
    pub fn is_empty(&self) -> bool {
        self.outboxes.is_empty() && self.lines.is_none()
    }

    /// Waits until all is sent or lost, at most so long; whether it is.
    pub fn flush(&self, patience: Duration) -> bool {
        let begin = Instant::now();
        self.outboxes.iter().all(|outbox| outbox.flush(patience.saturating_sub(begin.elapsed())))
    }

    /// What became of alerts so far, per sink and alert.
    pub fn counts(&self) -> Counts {
        self.outboxes.iter().map(Outbox::counts).fold(Counts::default(), |all, one| Counts {
            sent: all.sent + one.sent,
            lost: all.lost + one.lost,
        })
    }
}

impl AlertSink for Sinks {
    fn alert(&self, alert: &Alert) {
        self.outboxes.iter().for_each(|outbox| outbox.alert(alert));
        if let Some(lines) = &self.lines {
            lines.alert(alert);
        }
    }
}
