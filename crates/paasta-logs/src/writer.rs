//! What every writer is, and the one that drops everything.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use paasta_core::{Deed, LogRecord, LogSink};

use crate::audit::AuditRecord;

/// Takes log lines and audit lines. Never fails and never waits: what cannot be written is lost, loudly.
pub trait LogWriter: LogSink {
    /// Waits until all lines so far are written, at most `patience`; whether they are.
    fn flush(&self, patience: Duration) -> bool;
}

impl<T: LogWriter + ?Sized> LogWriter for Arc<T> {
    fn flush(&self, patience: Duration) -> bool {
        (**self).flush(patience)
    }
}

/// Writes a line while its caller waits for it, for a second at most; [`BackgroundWriter`](crate::BackgroundWriter) spares
/// callers that. Never fails: what cannot be written is [`Lost`].
pub trait LineWriter: Send + Sync {
    /// Writes one log line.
    fn write(&self, record: &LogRecord);

    /// Writes one audit line.
    fn write_audit(&self, record: &AuditRecord);

    /// Tells people of a line that could not be written.
    fn tell_lost(&self, lost: &Lost<'_>);
}

/// Drops every line.
#[derive(Clone, Copy, Debug, Default)]
pub struct NullWriter;

impl LogSink for NullWriter {
    fn log(&self, _record: &LogRecord) {}

    fn audit(&self, _deed: &Deed) {}
}

impl LogWriter for NullWriter {
    fn flush(&self, _patience: Duration) -> bool {
        true
    }
}

/// A line that could not be written.
#[derive(Debug)]
pub struct Lost<'a> {
    /// Where it should have gone: a file, a socket, an address; none if its record named no place.
    pub place: Option<&'a str>,
    /// The line, or the message of a record that has none.
    pub line: &'a str,
    /// Why it was lost.
    pub reason: String,
}

impl fmt::Display for Lost<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.place.map(|place| format!(" to `{place}`")).unwrap_or_default();
        write!(f, "could not write log line{place}: {}; line: {}", self.reason, self.line)
    }
}

/// Whom to tell of lost lines: whoever reads standard error, unless somebody else wants to know.
#[derive(Clone)]
pub(crate) struct OnLost(Arc<dyn Fn(&Lost<'_>) + Send + Sync>);

impl OnLost {
    pub(crate) fn new(tell: impl Fn(&Lost<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    pub(crate) fn tell(&self, lost: &Lost<'_>) {
        (self.0)(lost);
    }
}

impl Default for OnLost {
    fn default() -> Self {
        Self::new(|lost| drop(writeln!(io::stderr(), "{lost}")))
    }
}
