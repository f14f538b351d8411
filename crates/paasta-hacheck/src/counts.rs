//! How often the server was asked, for tests that hold a bound and for `/status/count`.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// Requests since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Questions about spool state alone.
    pub spool_reads: u64,
    /// Orders to take out of traffic or back.
    pub spool_changes: u64,
    /// Questions that want a check, answered from the spool and the cache included.
    pub checks: u64,
    /// Checks carried out.
    pub checks_run: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) spool_reads: AtomicU64,
    pub(crate) spool_changes: AtomicU64,
    pub(crate) checks: AtomicU64,
    pub(crate) checks_run: AtomicU64,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            spool_reads: read(&self.spool_reads),
            spool_changes: read(&self.spool_changes),
            checks: read(&self.checks),
            checks_run: read(&self.checks_run),
        }
    }
}
