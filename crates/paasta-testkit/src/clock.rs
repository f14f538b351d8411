//! A clock that only moves when told.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use paasta_core::{Clock, Timestamp};

/// A clock that only moves when told. Clones show the same time.
#[derive(Clone, Debug)]
pub struct SimClock(Arc<AtomicI64>);

impl SimClock {
    /// A clock that shows `now`.
    pub fn at(now: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(now.millis())))
    }

    /// Moves on by `seconds` and says what it shows then.
    pub fn advance(&self, seconds: f64) -> Timestamp {
        let moved = self.now().plus_seconds(seconds);
        self.0.store(moved.millis(), Ordering::SeqCst);
        moved
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}
