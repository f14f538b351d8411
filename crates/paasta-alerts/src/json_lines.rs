//! Lines of JSON, for scripts and dry runs.

use std::io::Write;
use std::sync::{Mutex, PoisonError};

use paasta_core::{Alert, AlertSink};

/// Writes each alert as a line: `{"at": …, "cluster": …, "instance": …, "check": …, "event": {…}}`, with the event as Sensu
/// gets it.
///
/// ```
/// use paasta_alerts::JsonLines;
///
/// let lines = JsonLines::new(std::io::stdout());
/// ```
#[derive(Debug)]
pub struct JsonLines<W>(Mutex<W>);

impl<W: Write + Send> JsonLines<W> {
    /// Onto that.
    pub fn new(writer: W) -> Self {
        Self(Mutex::new(writer))
    }
}

impl<W: Write + Send> AlertSink for JsonLines<W> {
    fn alert(&self, alert: &Alert) {
        let Ok(mut line) = serde_json::to_string(alert) else { return };
        line.push('\n');
        let mut writer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Who closed the pipe wants no more.
        let _ = writer.write_all(line.as_bytes()).and_then(|()| writer.flush());
    }
}
