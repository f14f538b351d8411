//! The writer `stdout`, for programs whose output is collected, as in a container.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use paasta_core::LogRecord;

use crate::audit::AuditRecord;
use crate::line::format_record;
use crate::writer::{LineWriter, Lost, OnLost};

/// Writes each line to standard output, in one piece. Audit lines are those with the key `action`.
pub struct StdoutWriter {
    to: Mutex<Box<dyn Write + Send>>,
    on_lost: OnLost,
}

impl StdoutWriter {
    /// To this process's standard output. Lost lines go to standard error.
    pub fn new() -> Self {
        Self::to(io::stdout())
    }

    /// To something else than standard output.
    ///
    /// ```
    /// use paasta_logs::{Actor, BackgroundWriter, StdoutWriter};
    ///
    /// let actor = Actor::of_this_process(|_| None);
    /// let writer = BackgroundWriter::start(StdoutWriter::to(std::io::sink()), actor)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn to(place: impl Write + Send + 'static) -> Self {
        Self { to: Mutex::new(Box::new(place)), on_lost: OnLost::default() }
    }

    /// Calls `tell` with each lost line instead of writing it to standard error.
    pub fn on_lost(mut self, tell: impl Fn(&Lost<'_>) + Send + Sync + 'static) -> Self {
        self.on_lost = OnLost::new(tell);
        self
    }

    fn write_line(&self, line: &str) {
        let mut to = self.to.lock().unwrap_or_else(PoisonError::into_inner);
        let written = to.write_all(format!("{line}\n").as_bytes()).and_then(|()| to.flush());
        drop(to);
        if let Err(error) = written {
            self.tell_lost(&Lost { place: Some("standard output"), line, reason: error.to_string() });
        }
    }
}

impl Default for StdoutWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl LineWriter for StdoutWriter {
    fn write(&self, record: &LogRecord) {
        match format_record(record) {
            Ok(line) => self.write_line(&line),
            Err(error) => {
                self.tell_lost(&Lost { place: None, line: &record.message, reason: error.to_string() });
            }
        }
    }

    fn write_audit(&self, record: &AuditRecord) {
        self.write_line(&record.line());
    }

    fn tell_lost(&self, lost: &Lost<'_>) {
        self.on_lost.tell(lost);
    }
}

impl fmt::Debug for StdoutWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StdoutWriter").finish_non_exhaustive()
    }
}
