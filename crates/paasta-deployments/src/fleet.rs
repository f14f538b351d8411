//! Many services at once, none of which waits for a slow one.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use paasta_core::ServiceName;

use crate::GenerateError;

/// What takes longer waits for its remote and does nothing: somebody else may work meanwhile.
const SLOW: Duration = Duration::from_secs(2);
/// How many may wait, for each that works.
const WAITING_PER_JOB_MAX: usize = 8;
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Does [`crate::generate_for_service`] for many services, at most `jobs` at once, and tells of each as it is done. One
/// that fails hinders no other. One that takes longer than two seconds gives its place to the next; up to `8 * jobs`
/// may so wait for their remotes.
///
/// `one` may as well be [`crate::preview_for_service`].
pub fn generate_for_services<T>(
    services: &[ServiceName],
    jobs: NonZeroUsize,
    one: impl Fn(&ServiceName) -> Result<T, GenerateError> + Sync,
    done: impl Fn(&ServiceName, Result<T, GenerateError>) + Sync,
) {
    run_all(services, jobs.get(), SLOW, &|service| done(service, one(service)));
}

/// The work and who is at it.
struct Fleet<'a> {
    services: &'a [ServiceName],
    next: AtomicUsize,
    slow: Duration,
    /// By place in `services`: since when, and whether somebody else has taken over.
    running: Mutex<HashMap<usize, (Instant, bool)>>,
}

fn run_all(services: &[ServiceName], jobs: usize, slow: Duration, one: &(dyn Fn(&ServiceName) + Sync)) {
    let fleet = Fleet { services, next: AtomicUsize::new(0), slow, running: Mutex::default() };
    thread::scope(|scope| {
        let (ends, ended) = channel::<()>();
        let spawn = |ends: Sender<()>| {
            let fleet = &fleet;
            scope.spawn(move || {
                fleet.work(one);
                // Nobody needs to hear it once all is given out.
                let _ = ends.send(());
            });
        };
        for _ in 0..jobs.min(services.len()) {
            spawn(ends.clone());
        }
        while fleet.next.load(Ordering::Relaxed) < services.len() {
            // Wakes early when a worker finds nothing more to do.
            let _ = ended.recv_timeout(LOOK_AGAIN);
            for _ in 0..fleet.take_over(jobs.saturating_mul(WAITING_PER_JOB_MAX)) {
                spawn(ends.clone());
            }
        }
    });
}

impl Fleet<'_> {
    /// One service after the other, until there are no more, or somebody else has taken over.
    fn work(&self, one: &(dyn Fn(&ServiceName) + Sync)) {
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(service) = self.services.get(index) else { return };
            self.running().insert(index, (Instant::now(), false));
            one(service);
            if self.running().remove(&index).is_some_and(|(_, taken_over)| taken_over) {
                return;
            }
        }
    }

    /// How many are slow and were not seen to be so before, if no more than `waiting_max` are slow.
    fn take_over(&self, waiting_max: usize) -> usize {
        let mut running = self.running();
        let waiting = running.values().filter(|(_, taken_over)| *taken_over).count();
        let slow = running.values_mut().filter(|(since, over)| !over && since.elapsed() >= self.slow);
        slow.take(waiting_max.saturating_sub(waiting)).map(|(_, taken_over)| *taken_over = true).count()
    }

    fn running(&self) -> MutexGuard<'_, HashMap<usize, (Instant, bool)>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Condvar;

    use super::*;

    fn names(count: usize) -> Vec<ServiceName> {
        (0..count).map(|i| format!("s{i}").parse().unwrap()).collect()
    }

    #[test]
    fn what_hangs_holds_up_nobody() {
        let services = names(40);
        let (done, changed) = (Mutex::new(BTreeSet::new()), Condvar::new());
        // More hang than there are jobs, and they do so until all others are done.
        let hangs = |service: &ServiceName| matches!(service.as_str(), "s0" | "s1" | "s2" | "s5" | "s9");
        run_all(&services, 2, Duration::ZERO, &|service| {
            let mut all = done.lock().unwrap();
            if hangs(service) {
                let wait = changed.wait_timeout_while(all, Duration::from_secs(60), |all| all.len() < 35);
                let (all, waited) = wait.unwrap();
                assert!(!waited.timed_out(), "only {} of 35 are done", all.len());
            } else {
                all.insert(service.clone());
                changed.notify_all();
            }
        });
        assert_eq!(done.into_inner().unwrap().len(), 35);
    }

    #[test]
    fn no_more_work_at_once_than_said() {
        let services = names(30);
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        run_all(&services, 3, Duration::from_secs(60), &|_| {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            thread::yield_now();
            now.fetch_sub(1, Ordering::SeqCst);
        });
        assert!((1..=3).contains(&most.into_inner()));
        run_all(&[], 3, Duration::ZERO, &|_| panic!("there is nothing to do"));
    }
}
