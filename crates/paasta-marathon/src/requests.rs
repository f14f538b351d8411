//! Counting requests.

use std::sync::atomic::{AtomicU64, Ordering};

use reqwest::Method;

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

#[derive(Debug, Default)]
pub(crate) struct Counters {
    get: AtomicU64,
    post: AtomicU64,
    put: AtomicU64,
    delete: AtomicU64,
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
}
