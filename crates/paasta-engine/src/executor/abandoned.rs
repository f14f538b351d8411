//! Ending tasks without an engine: where its state cannot be read, its processes are still found by their marks.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::inspect::{self, Identity};

/// Between two looks at what is on its way out.
const LOOK_EVERY: Duration = Duration::from_millis(40);
/// What was told to die at once is waited for no longer than this.
const KILL_SECONDS_MAX: u64 = 10;

/// Ends every process of a task or check whose directory is below `sandboxes`: asks first, kills after `grace`.
/// Says how many there were, and how many are still there.
pub(crate) async fn end_all(sandboxes: &Path, grace: Duration) -> (usize, usize) {
    let first = inspect::living_in(sandboxes);
    first.iter().for_each(|process| inspect::signal(process, Signal::TERM));
    let kill_at = Instant::now() + grace;
    let give_up_at = kill_at + Duration::from_secs(KILL_SECONDS_MAX);
    loop {
        let mut left: Vec<Identity> = inspect::living_in(sandboxes);
        // One that has taken its mark off since is still one of them.
        left.extend(first.iter().filter(|process| process.is_alive()).cloned());
        left.sort_by_key(|process| process.pid);
        left.dedup();
        if left.is_empty() || Instant::now() >= give_up_at {
            return (first.len(), left.len());
        }
        if Instant::now() >= kill_at {
            left.iter().for_each(|process| inspect::signal(process, Signal::KILL));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
