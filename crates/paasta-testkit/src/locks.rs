//! Locks in memory.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use paasta_core::{LockError, LockGuard, Locks};

use crate::lock;

/// Locks in memory; they never wait. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct MemoryLocks {
    held: Arc<Mutex<BTreeSet<String>>>,
    taken: Arc<Mutex<usize>>,
}

impl MemoryLocks {
    /// How often a lock was taken.
    pub fn taken(&self) -> usize {
        *lock(&self.taken)
    }
}

struct Held {
    name: String,
    held: Arc<Mutex<BTreeSet<String>>>,
}

impl Drop for Held {
    fn drop(&mut self) {
        lock(&self.held).remove(&self.name);
    }
}

#[async_trait]
impl Locks for MemoryLocks {
    async fn acquire(&self, name: &str, _wait: Duration) -> Result<LockGuard, LockError> {
        if !lock(&self.held).insert(name.to_owned()) {
            return Err(LockError::Held { name: name.to_owned() });
        }
        *lock(&self.taken) += 1;
        Ok(LockGuard::new(Held { name: name.to_owned(), held: self.held.clone() }))
    }
}
