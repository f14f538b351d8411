//! The clock that heartbeats are measured with.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// It goes on while the machine sleeps, unlike `Instant`: a session ends at the servers meanwhile.
#[cfg(target_os = "linux")]
const CLOCK: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const CLOCK: ClockId = ClockId::Monotonic;

/// How long this machine has run. Never goes back.
pub(crate) fn since_boot() -> Duration {
    let now = clock_gettime(CLOCK);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
}
