//! A log in memory.

use std::sync::{Arc, Mutex};

use paasta_core::{LogRecord, LogSink};

use crate::lock;

/// Keeps every record. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct MemoryLog(Arc<Mutex<Vec<LogRecord>>>);

impl MemoryLog {
    /// What was written so far.
    pub fn records(&self) -> Vec<LogRecord> {
        lock(&self.0).clone()
    }
}

impl LogSink for MemoryLog {
    fn log(&self, record: &LogRecord) {
        lock(&self.0).push(record.clone());
    }
}
