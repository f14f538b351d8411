//! Keeps frequent passes from saying the same again and again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use paasta_core::{Deed, LogRecord, LogSink, Timestamp};

/// Seconds for which a line is not repeated: passes used to be this far apart (marathon-and-bounce.md §5.6).
const SILENT_SECONDS: f64 = 60.0;

/// Writes each line of an instance at most once a minute. A long-running program puts it before its log, for it
/// looks at a bounce every few seconds.
pub struct OnceAMinute {
    inner: Arc<dyn LogSink>,
    written: Mutex<BTreeMap<Line, Timestamp>>,
}

type Line = (String, Option<String>, String);

impl OnceAMinute {
    /// Before this log.
    pub fn new(inner: Arc<dyn LogSink>) -> Self {
        Self { inner, written: Mutex::default() }
    }

    fn is_new(&self, record: &LogRecord) -> bool {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.retain(|_, at| record.at < at.plus_seconds(SILENT_SECONDS));
        let line = (record.service.clone(), record.instance.clone(), record.message.clone());
        if written.contains_key(&line) {
            return false;
        }
        written.insert(line, record.at);
        true
    }
}

impl std::fmt::Debug for OnceAMinute {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OnceAMinute").finish_non_exhaustive()
    }
}

impl LogSink for OnceAMinute {
    fn log(&self, record: &LogRecord) {
        if self.is_new(record) {
            self.inner.log(record);
        }
    }

    /// Each change is one of its own.
    fn audit(&self, deed: &Deed) {
        self.inner.audit(deed);
    }
}

#[cfg(test)]
mod tests {
    use paasta_core::LogLevel;

    use super::*;

    struct Count(Mutex<usize>);

    impl LogSink for Count {
        fn log(&self, _record: &LogRecord) {
            *self.0.lock().unwrap() += 1;
        }

        fn audit(&self, _deed: &Deed) {}
    }

    #[test]
    fn a_line_is_repeated_after_a_minute() {
        let count = Arc::new(Count(Mutex::new(0)));
        let log = OnceAMinute::new(count.clone());
        let say = |seconds: f64, message: &str| {
            log.log(&LogRecord {
                at: Timestamp::from_seconds(seconds),
                service: "svc".to_owned(),
                instance: None,
                cluster: None,
                component: "deploy".to_owned(),
                level: LogLevel::Event,
                message: message.to_owned(),
            });
            *count.0.lock().unwrap()
        };
        assert_eq!(
            [say(0.0, "a"), say(2.0, "a"), say(2.0, "b"), say(59.0, "a"), say(60.0, "a")],
            [1, 1, 2, 2, 3]
        );
    }
}
