//! What waits for a thread: bounded, and of each name only the latest.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Entries that wait, the oldest first. An entry whose name waits already takes its place; where there is no room the oldest
/// goes, as it says the least about now.
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    room: usize,
}

struct State<T> {
    next: u64,
    waiting: BTreeMap<u64, (String, T)>,
    places: HashMap<String, u64>,
    /// Entries that the thread took and is not done with.
    taken: usize,
    closed: bool,
}

impl<T> Queue<T> {
    pub(crate) fn new(room: usize) -> Self {
        let state =
            State { next: 0, waiting: BTreeMap::new(), places: HashMap::new(), taken: 0, closed: false };
        Self { state: Mutex::new(state), changed: Condvar::new(), room }
    }

    /// Held for moments only: nobody sends or sleeps with it.
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there was room.
    pub(crate) fn put(&self, name: String, entry: T) -> bool {
        let mut state = self.state();
        if let Some(place) = state.places.get(&name).copied() {
            state.waiting.insert(place, (name, entry));
            return true;
        }
        let had_room = state.waiting.len() < self.room;
        if !had_room && let Some((_, (oldest, _))) = state.waiting.pop_first() {
            state.places.remove(&oldest);
        }
        let place = state.next;
        state.next += 1;
        state.places.insert(name.clone(), place);
        state.waiting.insert(place, (name, entry));
        drop(state);
        self.changed.notify_all();
        had_room
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.state().waiting.is_empty()
    }

    /// The next entries, at most so many, once there are any; none when it is closed. What was taken before is done.
    pub(crate) fn take(&self, at_most: usize) -> Vec<T> {
        self.state().taken = 0;
        self.changed.notify_all();
        let idle = |state: &mut State<T>| state.waiting.is_empty() && !state.closed;
        let state = self.changed.wait_while(self.state(), idle);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        let mut entries = Vec::new();
        while entries.len() < at_most
            && !state.closed
            && let Some((_, (name, entry))) = state.waiting.pop_first()
        {
            state.places.remove(&name);
            entries.push(entry);
        }
        state.taken = entries.len();
        entries
    }

    /// Whether everything is done within so long.
    pub(crate) fn wait_until_done(&self, patience: Duration) -> bool {
        let busy = |state: &mut State<T>| state.taken > 0 || !state.waiting.is_empty();
        let waited = self.changed.wait_timeout_while(self.state(), patience, busy);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Ends the thread; how many entries it will not get to.
    pub(crate) fn close(&self) -> usize {
        let mut state = self.state();
        state.closed = true;
        let left = state.waiting.len() + state.taken;
        drop(state);
        self.changed.notify_all();
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_of_a_name_takes_its_place() {
        let queue = Queue::new(10);
        for (name, entry) in [("a", 1), ("b", 2), ("a", 3)] {
            assert!(queue.put(name.to_owned(), entry));
        }
        assert_eq!(queue.take(10), [3, 2]);
        assert!(!queue.wait_until_done(Duration::ZERO), "what is taken is not done");
    }

    #[test]
    fn without_room_the_oldest_goes() {
        let queue = Queue::new(2);
        let room: Vec<bool> = (0..4).map(|entry| queue.put(entry.to_string(), entry)).collect();
        assert_eq!(room, [true, true, false, false]);
        assert_eq!(queue.take(1), [2]);
        assert_eq!(queue.close(), 2);
        assert!(queue.take(1).is_empty());
    }
}
