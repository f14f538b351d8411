//! Instances that wait for their turn: one entry each, available at a time, in lanes.

use std::collections::{BTreeMap, BTreeSet};

use paasta_core::{InstanceId, Timestamp};
use serde::Serialize;

use super::event::{Because, Wake};

/// How often in a row a bounce under way goes before one that is not begun while both wait.
const UNDER_WAY_IN_A_ROW: u32 = 3;

/// When an instance's turn comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    /// Not before.
    pub(crate) wait_until: Timestamp,
    /// Until then it may stand back. Kept from the first wake of a bounce until that has ended.
    pub(crate) bounce_by: Timestamp,
    /// Since when it waits.
    pub(crate) queued_at: Timestamp,
    /// What put it here.
    pub(crate) because: Because,
    /// Whether its bounce is under way.
    pub(crate) begun: bool,
    /// What happened last.
    pub(crate) wake: Wake,
}

/// In which line an instance stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// Its deadline has come: it goes first, and has places of its own.
    Urgent,
    /// It may stand back, and something is under way.
    UnderWay,
    /// It may stand back, and nothing has begun.
    Waiting,
    /// Its last pass failed, or could not see what it needs: such never take more than half of the workers.
    Retry,
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
            begun: self.begun || other.begun,
            wake: self.wake.or_later(other.wake),
        }
    }

    /// Where it stands at that time.
    pub(crate) fn lane(&self, now: Timestamp) -> Lane {
        match self.because {
            because if because.is_retry() => Lane::Retry,
            _ if self.bounce_by <= now => Lane::Urgent,
            _ if self.begun => Lane::UnderWay,
            _ => Lane::Waiting,
        }
    }
}

/// The queue. Every entry is in exactly one of its sets.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    entries: BTreeMap<InstanceId, Due>,
    later: BTreeSet<(Timestamp, InstanceId)>,
    /// By the time since which it is both available and urgent: whoever comes back stands behind whoever waits, so
    /// that many that never end cannot keep one out.
    urgent: BTreeSet<(Timestamp, InstanceId)>,
    under_way: BTreeSet<(Timestamp, Timestamp, InstanceId)>,
    waiting: BTreeSet<(Timestamp, Timestamp, InstanceId)>,
    retries: BTreeSet<(Timestamp, InstanceId)>,
    under_way_in_a_row: u32,
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
        let alone = (due.wait_until, instance.clone());
        let usual = (due.bounce_by, due.wait_until, instance.clone());
        let _ = self.later.remove(&alone)
            || self.retries.remove(&alone)
            || self.under_way.remove(&usual)
            || self.waiting.remove(&usual)
            || self.urgent.remove(&(urgent_since(&due), instance.clone()));
        Some(due)
    }

    /// Lets those become available, or urgent, whose time has come.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        while self.later.first().is_some_and(|(wait_until, _)| *wait_until <= now)
            && let Some((wait_until, instance)) = self.later.pop_first()
        {
            let Some(due) = self.entries.get(&instance) else { continue };
            match due.lane(now) {
                Lane::Urgent => self.urgent.insert((urgent_since(due), instance)),
                Lane::UnderWay => self.under_way.insert((due.bounce_by, wait_until, instance)),
                Lane::Waiting => self.waiting.insert((due.bounce_by, wait_until, instance)),
                Lane::Retry => self.retries.insert((wait_until, instance)),
            };
        }
        for usual in [&mut self.under_way, &mut self.waiting] {
            while usual.first().is_some_and(|(bounce_by, ..)| *bounce_by <= now)
                && let Some((bounce_by, wait_until, instance)) = usual.pop_first()
            {
                self.urgent.insert((bounce_by.max(wait_until), instance));
            }
        }
    }

    /// Takes out the next one whose deadline has come.
    pub(crate) fn pop_urgent(&mut self) -> Option<(InstanceId, Due)> {
        let (_, instance) = self.urgent.pop_first()?;
        self.taken(instance)
    }

    /// Takes out the next one that may stand back: those under way before the others, so that a bounce of everything
    /// ends what it began; but not without end, as some are under way for ever.
    pub(crate) fn pop_usual(&mut self) -> Option<(InstanceId, Due)> {
        let fair = self.under_way_in_a_row >= UNDER_WAY_IN_A_ROW && !self.waiting.is_empty();
        let under_way = if fair { None } else { self.under_way.pop_first() };
        self.under_way_in_a_row =
            if under_way.is_some() { self.under_way_in_a_row.saturating_add(1) } else { 0 };
        let (_, _, instance) = under_way.or_else(|| self.waiting.pop_first())?;
        self.taken(instance)
    }

    /// Takes out the next one whose last pass failed.
    pub(crate) fn pop_retry(&mut self) -> Option<(InstanceId, Due)> {
        let (_, instance) = self.retries.pop_first()?;
        self.taken(instance)
    }

    /// Whether anybody is available that may stand back.
    pub(crate) fn has_usual(&self) -> bool {
        !(self.under_way.is_empty() && self.waiting.is_empty() && self.retries.is_empty())
    }

    fn taken(&mut self, instance: InstanceId) -> Option<(InstanceId, Due)> {
        let due = self.entries.remove(&instance)?;
        Some((instance, due))
    }

    /// When the next instance becomes available or urgent.
    pub(crate) fn next_at(&self) -> Option<Timestamp> {
        let later = self.later.first().map(|(at, _)| *at);
        let deadlines = [&self.under_way, &self.waiting].map(|set| set.first().map(|(at, ..)| *at));
        deadlines.into_iter().chain([later]).flatten().min()
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

fn urgent_since(due: &Due) -> Timestamp {
    due.bounce_by.max(due.wait_until)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn due(wait_until: i64, bounce_by: i64) -> Due {
        Due {
            wait_until: at(wait_until),
            bounce_by: at(bounce_by),
            queued_at: at(0),
            because: Because::Startup,
            begun: false,
            wake: Wake::new(at(0), Because::Startup),
        }
    }

    fn id(text: &str) -> InstanceId {
        text.parse().expect("an instance")
    }

    fn names(popped: impl FnMut() -> Option<(InstanceId, Due)>) -> Vec<String> {
        std::iter::from_fn(popped).map(|(id, _)| id.to_string()).collect()
    }

    #[test]
    fn order_is_deadline_then_waiting_time_then_name() {
        let mut queue = Queue::default();
        queue.put(id("s.late"), due(0, 99));
        queue.put(id("s.b"), due(1, 95));
        queue.put(id("s.a"), due(1, 95));
        queue.put(id("s.first"), due(0, 95));
        queue.put(id("s.future"), due(100, 0));
        queue.advance(at(50));
        assert_eq!(names(|| queue.pop_usual()), ["s.first", "s.a", "s.b", "s.late"]);
        assert_eq!(queue.next_at(), Some(at(100)));
    }

    #[test]
    fn whoever_comes_back_urgent_stands_behind_whoever_waits() {
        let mut queue = Queue::default();
        queue.put(id("s.stuck"), due(30, 1));
        queue.put(id("s.person"), due(20, 20));
        queue.put(id("s.overdue"), due(0, 25));
        queue.advance(at(10));
        assert_eq!(names(|| queue.pop_urgent()), Vec::<String>::new());
        assert_eq!(queue.next_at(), Some(at(20)));
        queue.advance(at(50));
        assert_eq!(names(|| queue.pop_urgent()), ["s.person", "s.overdue", "s.stuck"]);
    }

    #[test]
    fn bounces_under_way_go_first_but_keep_nobody_out() {
        let mut queue = Queue::default();
        for name in ["s.u1", "s.u2", "s.u3", "s.u4", "s.u5"] {
            queue.put(id(name), Due { begun: true, ..due(0, 99) });
        }
        queue.put(id("s.new"), due(0, 98));
        queue.put(id("s.failed"), Due { because: Because::Failed, ..due(0, 1) });
        queue.advance(at(50));
        assert_eq!(names(|| queue.pop_usual()), ["s.u1", "s.u2", "s.u3", "s.new", "s.u4", "s.u5"]);
        assert_eq!(names(|| queue.pop_retry()), ["s.failed"]);
    }

    #[test]
    fn an_instance_has_one_entry() {
        for (because, begun, bounce_by) in [
            (Because::Startup, false, 9),
            (Because::Startup, true, 9),
            (Because::Startup, false, 1),
            (Because::Failed, false, 1),
        ] {
            let mut queue = Queue::default();
            queue.put(id("s.a"), Due { because, begun, ..due(0, bounce_by) });
            queue.advance(at(5));
            queue.put(id("s.a"), due(20, 90));
            queue.advance(at(10));
            assert!(queue.pop_urgent().or(queue.pop_usual()).or(queue.pop_retry()).is_none());
            queue.advance(at(20));
            assert!(queue.pop_usual().is_some());
            assert_eq!((queue.next_at(), queue.iter().count()), (None, 0));
        }
    }

    #[test]
    fn the_last_thing_that_happened_is_kept() {
        let wake = |millis, because| Wake::new(at(millis), because);
        let waits = Due { wake: wake(5, Because::EngineChanged), ..due(0, 9) };
        let later = Due { wake: wake(7, Because::EngineLost), ..due(3, 3) };
        let earlier = Due { wake: wake(3, Because::EngineLost), ..due(3, 3) };
        assert_eq!(waits.merge(later).wake, later.wake);
        assert_eq!(waits.merge(earlier).wake, waits.wake);
        assert_eq!(waits.merge(later).because, Because::Startup);
    }
}
