//! Results of checks, kept for a moment so that many load balancers do not ask a service many times.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use paasta_core::Timestamp;

use crate::check::Checked;

/// Results that are kept at most; when more come, the old ones go.
const RESULTS_MAX: usize = 10_000;

/// Results by what was asked.
#[derive(Debug)]
pub(crate) struct Cache {
    keep: Duration,
    results: Mutex<HashMap<String, (Timestamp, Checked)>>,
}

impl Cache {
    pub(crate) fn new(keep: Duration) -> Self {
        Self { keep, results: Mutex::default() }
    }

    /// A result that is still fresh at `now`.
    pub(crate) fn get(&self, key: &str, now: Timestamp) -> Option<Checked> {
        let results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, checked) = results.get(key)?;
        self.fresh(*at, now).then(|| checked.clone())
    }

    pub(crate) fn put(&self, key: String, checked: Checked, now: Timestamp) {
        let mut results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        if results.len() >= RESULTS_MAX {
            results.retain(|_, (at, _)| self.fresh(*at, now));
        }
        if results.len() >= RESULTS_MAX {
            results.clear();
        }
        results.insert(key, (now, checked));
    }

    /// A clock that was set back makes no result immortal.
    fn fresh(&self, at: Timestamp, now: Timestamp) -> bool {
        now >= at && now.since(at) < self.keep
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_kept_for_its_time() {
        let cache = Cache::new(Duration::from_secs(1));
        let at = Timestamp::from_millis;
        cache.put("a".to_owned(), Checked::new(200, ""), at(5000));
        for (now, fresh) in [(4999, false), (5000, true), (5999, true), (6000, false)] {
            assert_eq!(cache.get("a", at(now)).is_some(), fresh, "at {now}");
        }
        assert!(cache.get("b", at(5000)).is_none());
    }

    #[test]
    fn it_does_not_grow_without_end() {
        let cache = Cache::new(Duration::from_secs(1));
        for i in 0..=RESULTS_MAX {
            cache.put(i.to_string(), Checked::new(200, ""), Timestamp::from_millis(0));
        }
        assert!(cache.results.lock().unwrap().len() <= RESULTS_MAX);
    }
}
