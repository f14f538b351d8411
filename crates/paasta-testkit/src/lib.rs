//! Builders and fakes for tests: two engines of different shape, drains, locks and a clock that a test owns, and
//! soa-configs in memory. Nothing here is for use outside tests.
//!
//! * [`RecordingEngine`] has Marathon's habits: one app, one count, kill-and-shrink in one call.
//! * [`SetsEngine`] has Kubernetes's: versioned sets, no call that both kills and shrinks, a controller that does the
//!   work later, list and watch. What is above the engine seam must not notice the difference.
//!
//! Both are driven by [`SimEngine::tick`], misbehave as [`Faults`] tell them, and count what was asked of them.
//!
//! ```
//! use paasta_core::{Clock, Engine, Timestamp};
//! use paasta_testkit::{RecordingEngine, SimClock, SimEngine};
//!
//! let clock = SimClock::at(Timestamp::from_millis(0));
//! let engine = RecordingEngine::new(["current"]);
//! engine.tick(clock.advance(1.0));
//! assert!(engine.truth().is_empty());
//! ```

mod clock;
mod drain;
mod faults;
mod locks;
mod log;
mod recording_engine;
mod sets_engine;
mod sim;
mod soa;
mod wanted;

pub use clock::SimClock;
pub use drain::{SimDrain, SimDrains};
pub use faults::{Fault, Faults, ListFault};
pub use locks::MemoryLocks;
pub use log::MemoryLog;
pub use recording_engine::RecordingEngine;
pub use sets_engine::SetsEngine;
pub use sim::{Audit, CallCounts, SimEngine, World, serving};
pub use soa::SoaBuilder;
pub use wanted::{SimRenderer, WantedBuilder};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A test that panicked has failed already; its state is still of use to the message.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
