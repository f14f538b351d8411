//! A log in memory.

use std::sync::{Arc, Mutex};

use paasta_core::{Deed, LogRecord, LogSink};

use crate::lock;

/// Keeps every record. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct MemoryLog(Arc<Mutex<Written>>);

#[derive(Debug, Default)]
struct Written {
    records: Vec<LogRecord>,
    deeds: Vec<Deed>,
}

impl MemoryLog {
    /// What was written so far.
    pub fn records(&self) -> Vec<LogRecord> {
        lock(&self.0).records.clone()
    }

    /// The changes that were written down so far.
    pub fn deeds(&self) -> Vec<Deed> {
        lock(&self.0).deeds.clone()
    }
}

impl LogSink for MemoryLog {
    fn log(&self, record: &LogRecord) {
        lock(&self.0).records.push(record.clone());
    }

    fn audit(&self, deed: &Deed) {
        lock(&self.0).deeds.push(deed.clone());
    }
}
