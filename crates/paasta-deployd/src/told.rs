//! What the log was told already: what stays wrong is told once, and then at most once a minute.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Between two lines that say the same of the same thing.
const AGAIN_SECONDS: u64 = 60;

/// The last words on each thing that is not well.
#[derive(Debug, Default)]
pub(crate) struct Told(Mutex<BTreeMap<String, (String, Instant)>>);

impl Told {
    /// Whether `reason` is to be told of the thing now: it is new, or was last told a minute ago.
    pub(crate) fn is_due(&self, what: &str, of: &dyn Display, reason: &str, now: Instant) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = key(what, of);
        let said = told.get(&key).is_some_and(|(said, at)| {
            said == reason && now.duration_since(*at) < Duration::from_secs(AGAIN_SECONDS)
        });
        if !said {
            told.insert(key, (reason.to_owned(), now));
        }
        !said
    }

    /// It is well: what goes wrong next is news again.
    pub(crate) fn is_well(&self, what: &str, of: &dyn Display) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&key(what, of));
    }
}

fn key(what: &str, of: &dyn Display) -> String {
    format!("{what} {of}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_told_once_a_minute_and_news_at_once() {
        let (told, begin) = (Told::default(), Instant::now());
        let due = |of: &str, reason: &str, seconds| {
            told.is_due("pass", &of, reason, begin + Duration::from_secs(seconds))
        };
        assert!(due("a", "x", 0));
        assert!(!due("a", "x", 59));
        assert!(due("b", "x", 59));
        assert!(due("a", "x", 60));
        assert!(due("a", "y", 61));
        told.is_well("pass", &"a");
        assert!(due("a", "y", 62));
    }
}
