//! Ports to whatever is not an engine.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{InstanceId, Reading, Timestamp};

/// Tells the time. State machines and decisions take it as an argument instead; only shells hold a clock.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// The clock of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that comes in")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// A clock that shows the time of day at which it was made, and from then on moves with this machine's monotonic
/// clock: a wall clock that is set forward or back does not move it. For whoever only measures waits; what it shows is
/// the time of day as long as nobody sets the wall clock, and it stands still while the machine sleeps.
///
/// ```
/// use paasta_core::{Clock, SteadyClock, SystemClock};
///
/// let clock = SteadyClock::from(SystemClock.now());
/// let earlier = clock.now();
/// assert!(clock.now() >= earlier);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SteadyClock {
    anchor: Timestamp,
    made: Instant,
}

impl From<Timestamp> for SteadyClock {
    /// A clock that shows `now` now.
    fn from(now: Timestamp) -> Self {
        Self { anchor: now, made: Instant::now() }
    }
}

impl Clock for SteadyClock {
    fn now(&self) -> Timestamp {
        self.anchor.plus(self.made.elapsed())
    }
}

/// Locks that whoever changes an instance takes first, by name: `/bounce/<short id>`.
#[async_trait]
pub trait Locks: Send + Sync {
    /// Waits at most `wait` for the lock. Dropping the guard releases it, as does the end of the process.
    async fn acquire(&self, name: &str, wait: Duration) -> Result<LockGuard, LockError>;
}

/// Holds a lock until it is dropped.
pub struct LockGuard(#[expect(dead_code, reason = "held for its drop")] Box<dyn Send + Sync>);

impl LockGuard {
    /// Wraps whatever releases the lock when it is dropped.
    pub fn new(held: impl Send + Sync + 'static) -> Self {
        Self(Box::new(held))
    }
}

impl std::fmt::Debug for LockGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LockGuard")
    }
}

/// Why a lock was not had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// Somebody else holds it.
    #[error("lock `{name}` is held by somebody else")]
    Held {
        /// The lock.
        name: String,
    },
    /// Whether it is held cannot be known.
    #[error("could not take lock `{name}`: {reason}")]
    Unavailable {
        /// The lock.
        name: String,
        /// What happened.
        reason: String,
    },
}

/// Autoscaled counts: what `/autoscaling/<service>/<instance>/instances` holds.
#[async_trait]
pub trait Counts: Send + Sync {
    /// The count, `None` where nothing is written, unknown where that cannot be read.
    async fn count(&self, instance: &InstanceId) -> Reading<Option<i64>>;
}

/// Where log lines for a service's people go. Never fails and never waits: a sink that is down loses lines.
pub trait LogSink: Send + Sync {
    /// Writes one record.
    fn log(&self, record: &LogRecord);

    /// Writes down a change that was made. By whom is the sink's business.
    fn audit(&self, deed: &Deed);
}

impl<T: LogSink + ?Sized> LogSink for Arc<T> {
    fn log(&self, record: &LogRecord) {
        (**self).log(record);
    }

    fn audit(&self, deed: &Deed) {
        (**self).audit(deed);
    }
}

/// Throws every record away.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoLog;

impl LogSink for NoLog {
    fn log(&self, _record: &LogRecord) {}

    fn audit(&self, _deed: &Deed) {}
}

/// One line for a service's people (monitoring.md §7.1). Times and order of members are the writer's business.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRecord {
    /// When.
    pub at: Timestamp,
    /// Of which service.
    pub service: String,
    /// Of which instance; `None` is written `N/A`.
    pub instance: Option<String>,
    /// In which cluster; `None` is written `N/A`.
    pub cluster: Option<String>,
    /// What kind of work: `deploy`, `build`, `monitoring`, ….
    pub component: String,
    /// Whether people want it without asking.
    pub level: LogLevel,
    /// The line.
    pub message: String,
}

/// One change that somebody answers for (monitoring.md §7.7): what an audit line is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    /// When.
    pub at: Timestamp,
    /// What: `start`, `mark-for-deployment`, `delete-app`, ….
    pub action: String,
    /// To which service, if to one.
    pub service: Option<String>,
    /// To which instance, if to one.
    pub instance: Option<String>,
    /// In which cluster, if in one.
    pub cluster: Option<String>,
    /// What else is to be known of it. No secrets.
    pub details: BTreeMap<String, String>,
}

/// Who wants to read a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Whoever looks at the service.
    Event,
    /// Whoever looks for a fault.
    Debug,
}

/// Why another machine did not answer a port.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not reach {endpoint}: {reason}")]
pub struct PortError {
    /// Who was called.
    pub endpoint: String,
    /// What happened.
    pub reason: String,
}
