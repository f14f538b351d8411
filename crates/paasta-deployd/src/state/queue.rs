//! Instances that wait for their turn: one entry each, available at a time, ordered by deadline.

use std::collections::{BTreeMap, BTreeSet};

use paasta_core::{InstanceId, Timestamp};

use super::event::{Because, Wake};

/// When an instance's turn comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    /// Not before.
    pub(crate) wait_until: Timestamp,
    /// Of those available, the smallest goes first.
    pub(crate) bounce_by: Timestamp,
    /// Since when it waits.
    pub(crate) queued_at: Timestamp,
    /// What put it here.
    pub(crate) because: Because,
    /// What happened last.
    pub(crate) wake: Wake,
}

impl Due {
    /// Both wishes in one: the earlier of each time, the later wake. The reason is that of the earlier start.
    pub(crate) fn merge(self, other: Due) -> Due {
        let first = if other.wait_until < self.wait_until { other } else { self };
        Due {
            wait_until: first.wait_until,
            bounce_by: self.bounce_by.min(other.bounce_by),
            queued_at: self.queued_at.min(other.queued_at),
            because: first.because,
            wake: self.wake.or_later(other.wake),
        }
    }
}

/// The queue. Every entry is in exactly one of `later` and `available`.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    entries: BTreeMap<InstanceId, Due>,
    later: BTreeSet<(Timestamp, InstanceId)>,
    available: BTreeSet<(Timestamp, Timestamp, InstanceId)>,
}

impl Queue {
    /// Puts an instance in, in the place of its old entry if it has one.
    pub(crate) fn put(&mut self, instance: InstanceId, due: Due) {
        self.remove(&instance);
        self.later.insert((due.wait_until, instance.clone()));
        self.entries.insert(instance, due);
    }

    /// Takes an instance out.
    pub(crate) fn remove(&mut self, instance: &InstanceId) -> Option<Due> {
        let due = self.entries.remove(instance)?;
        self.later.remove(&(due.wait_until, instance.clone()));
        self.available.remove(&(due.bounce_by, due.wait_until, instance.clone()));
        Some(due)
    }

    /// Takes out the available instance whose deadline is the earliest (ties: that waits longest, then by name).
    pub(crate) fn pop(&mut self, now: Timestamp) -> Option<(InstanceId, Due)> {
        while let Some((wait_until, _)) = self.later.first()
            && *wait_until <= now
        {
            if let Some((wait_until, instance)) = self.later.pop_first()
                && let Some(due) = self.entries.get(&instance)
            {
                self.available.insert((due.bounce_by, wait_until, instance));
            }
        }
        let (_, _, instance) = self.available.pop_first()?;
        let due = self.entries.remove(&instance)?;
        Some((instance, due))
    }

    /// When the next instance becomes available, if none is yet.
    pub(crate) fn next_at(&self) -> Option<Timestamp> {
        self.later.first().map(|(at, _)| *at)
    }

    /// The entry of one instance.
    pub(crate) fn get(&self, instance: &InstanceId) -> Option<&Due> {
        self.entries.get(instance)
    }

    /// All entries, by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&InstanceId, &Due)> {
        self.entries.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(wait_until: i64, bounce_by: i64) -> Due {
        let at = Timestamp::from_millis;
        Due {
            wait_until: at(wait_until),
            bounce_by: at(bounce_by),
            queued_at: at(0),
            because: Because::Startup,
            wake: Wake { at: at(0), because: Because::Startup },
        }
    }

    fn id(text: &str) -> InstanceId {
        text.parse().expect("an instance")
    }

    #[test]
    fn order_is_deadline_then_waiting_time_then_name() {
        let mut queue = Queue::default();
        queue.put(id("s.late"), due(0, 9));
        queue.put(id("s.b"), due(1, 5));
        queue.put(id("s.a"), due(1, 5));
        queue.put(id("s.first"), due(0, 5));
        queue.put(id("s.future"), due(100, 0));
        let popped: Vec<String> = std::iter::from_fn(|| queue.pop(Timestamp::from_millis(50)))
            .map(|(id, _)| id.to_string())
            .collect();
        assert_eq!(popped, ["s.first", "s.a", "s.b", "s.late"]);
        assert_eq!(queue.next_at(), Some(Timestamp::from_millis(100)));
    }

    #[test]
    fn an_instance_has_one_entry() {
        let mut queue = Queue::default();
        queue.put(id("s.a"), due(0, 1));
        assert!(queue.pop(Timestamp::from_millis(-1)).is_none());
        queue.put(id("s.a"), due(0, 2));
        assert!(queue.pop(Timestamp::from_millis(0)).is_some());
        assert!(queue.pop(Timestamp::from_millis(0)).is_none());
    }
    #[test]
    fn the_last_thing_that_happened_is_kept() {
        let wake = |millis, because| Wake { at: Timestamp::from_millis(millis), because };
        let waits = Due { wake: wake(5, Because::EngineChanged), ..due(0, 9) };
        let later = Due { wake: wake(7, Because::EngineLost), ..due(3, 3) };
        let earlier = Due { wake: wake(3, Because::EngineLost), ..due(3, 3) };
        assert_eq!(waits.merge(later).wake, later.wake);
        assert_eq!(waits.merge(earlier).wake, waits.wake);
        assert_eq!(waits.merge(later).because, Because::Startup);
    }
}
