//! Counting requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use reqwest::{Method, StatusCode};

/// How many requests were sent, by method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestCounts {
    /// Reads.
    pub get: u64,
    /// Creations and kills.
    pub post: u64,
    /// Changes.
    pub put: u64,
    /// Removals.
    pub delete: u64,
}

impl RequestCounts {
    /// All that are not reads.
    pub fn writes(&self) -> u64 {
        self.post + self.put + self.delete
    }
}

/// How many requests ended how. Clones are the same one; both lists are closed, so that they may be labels.
///
/// | outcome | what |
/// |---|---|
/// | `ok` | an answer 2xx |
/// | `busy` | 403, 409 or 503: not now |
/// | `refused` | any other answer below 500 |
/// | `failed` | any other answer |
/// | `unanswered` | none: not reached, or lost on the way |
#[derive(Clone, Debug)]
pub struct RequestTallies(Arc<Counters>);

impl RequestTallies {
    pub(crate) fn of(counters: Arc<Counters>) -> Self {
        Self(counters)
    }

    /// Every method with every outcome, and how many.
    pub fn each(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        METHODS.iter().zip(&self.0.ended).flat_map(|(method, ended)| {
            OUTCOMES
                .iter()
                .zip(ended)
                .map(|(outcome, count)| (*method, *outcome, count.load(Ordering::Relaxed)))
        })
    }
}

const METHODS: [&str; 4] = ["get", "post", "put", "delete"];
const OUTCOMES: [&str; 5] = ["ok", "busy", "refused", "failed", "unanswered"];

#[derive(Debug, Default)]
pub(crate) struct Counters {
    get: AtomicU64,
    post: AtomicU64,
    put: AtomicU64,
    delete: AtomicU64,
    /// By method and outcome.
    ended: [[AtomicU64; OUTCOMES.len()]; METHODS.len()],
}

impl Counters {
    pub(crate) fn snapshot(&self) -> RequestCounts {
        RequestCounts {
            get: self.get.load(Ordering::Relaxed),
            post: self.post.load(Ordering::Relaxed),
            put: self.put.load(Ordering::Relaxed),
            delete: self.delete.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn count(&self, method: &Method) {
        let counter = match *method {
            Method::POST => &self.post,
            Method::PUT => &self.put,
            Method::DELETE => &self.delete,
            _ => &self.get,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// A request ended, without a status where no answer came.
    pub(crate) fn ended(&self, method: &Method, status: Option<StatusCode>) {
        let [get, post, put, delete] = &self.ended;
        let [ok, busy, refused, failed, unanswered] = match *method {
            Method::POST => post,
            Method::PUT => put,
            Method::DELETE => delete,
            _ => get,
        };
        let counter = match status {
            None => unanswered,
            Some(status) if status.is_success() => ok,
            Some(StatusCode::FORBIDDEN | StatusCode::CONFLICT | StatusCode::SERVICE_UNAVAILABLE) => busy,
            Some(status) if status.is_server_error() => failed,
            Some(_) => refused,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}
