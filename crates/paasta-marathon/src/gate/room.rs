//! The decision: how much runs at one Marathon as far as is known, and who may still come in. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use paasta_core::Haste;

/// The running deployments are not read again sooner than this after they were read.
pub(crate) const READ_EVERY: Duration = Duration::from_millis(500);

/// How many deployments may run, by who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shares {
    max: usize,
}

/// One change that asks for room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) haste: Haste,
    /// Deployments that it may start.
    pub(crate) deployments: usize,
    /// Whether it lets tasks start. What ends tasks may free what others wait for.
    pub(crate) starts_tasks: bool,
}

/// What became of an ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Come in, with this ticket.
    Admit(u64),
    /// What is known is too old: read, then ask again.
    Read,
    /// Not now.
    Full {
        /// Why.
        reason: String,
        /// The first moment at which that may have changed.
        again: Duration,
        /// Since when nobody has come in.
        since: Duration,
    },
}

/// Moments are told as time since any one beginning.
#[derive(Debug)]
pub(crate) struct Room {
    place: String,
    shares: Shares,
    /// What was read last, and when that ended.
    read: Option<(Duration, Result<usize, String>)>,
    /// Admitted and not answered yet: deployments by ticket.
    open: BTreeMap<u64, usize>,
    /// Answered, and perhaps not in what was read: deployments by the moment of the answer.
    answered: Vec<(u64, usize)>,
    /// The first ask that found no room since somebody came in.
    full_since: Option<Duration>,
    /// Orders tickets, answers and reads.
    next: u64,
}

impl Shares {
    pub(crate) fn new(max: usize) -> Self {
        Self { max: max.max(1) }
    }

    /// What can wait leaves a fifth to people; and of its part a quarter to what ends tasks: new tasks may wait for
    /// the resources of old ones, and those must have a way to go.
    pub(crate) fn of(self, ask: &Ask) -> usize {
        let usual = part(self.max, 5, 4);
        match (ask.haste, ask.starts_tasks) {
            (Haste::Urgent, _) => self.max,
            (Haste::Usual, false) => usual,
            (Haste::Usual, true) => part(usual, 4, 3),
        }
    }

    fn told(self, ask: &Ask) -> String {
        let (max, share) = (self.max, self.of(ask));
        match (ask.haste, ask.starts_tasks) {
            (Haste::Urgent, _) => format!("at most {max}"),
            (Haste::Usual, false) => format!("at most {max}; {share} for what can wait"),
            (Haste::Usual, true) => format!("at most {max}; {share} for new tasks that can wait"),
        }
    }
}

/// That many `of` the whole's parts, and at least one.
fn part(whole: usize, parts: usize, of: usize) -> usize {
    (whole / parts * of + whole % parts * of / parts).max(1)
}

impl Room {
    pub(crate) fn new(place: String, shares: Shares) -> Self {
        Self {
            place,
            shares,
            read: None,
            open: BTreeMap::new(),
            answered: Vec::new(),
            full_since: None,
            next: 0,
        }
    }

    /// Whether one more change may be sent now. What needs more deployments than its share ever holds is let in alone.
    pub(crate) fn ask(&mut self, now: Duration, ask: &Ask) -> Decision {
        let (at, running) = match &self.read {
            Some((at, running)) if now < *at + READ_EVERY => (*at, running),
            _ => return Decision::Read,
        };
        let again = at + READ_EVERY;
        let running = match running {
            Ok(running) => *running,
            Err(reason) => {
                let reason = format!("could not count the deployments at {}: {reason}", self.place);
                let since = *self.full_since.get_or_insert(now);
                return Decision::Full { reason, again, since };
            }
        };
        let answered = self.answered.iter().map(|(_, deployments)| deployments);
        let count = running + self.open.values().chain(answered).sum::<usize>();
        let share = self.shares.of(ask);
        if count + ask.deployments.min(share) > share {
            let (place, told) = (&self.place, self.shares.told(ask));
            let reason = format!("{count} deployments run at {place} ({told})");
            let since = *self.full_since.get_or_insert(now);
            return Decision::Full { reason, again, since };
        }
        self.full_since = None;
        let ticket = self.number();
        self.open.insert(ticket, ask.deployments);
        Decision::Admit(ticket)
    }

    /// The change of this ticket was answered, or given up: what it started shows in what is read from now on.
    pub(crate) fn answered(&mut self, ticket: u64) {
        if let Some(deployments) = self.open.remove(&ticket) {
            let moment = self.number();
            self.answered.push((moment, deployments));
        }
    }

    /// A read begins; hand the number to [`Room::read`].
    pub(crate) fn begin_read(&mut self) -> u64 {
        self.number()
    }

    /// A read has ended. What was answered before it began is in it.
    pub(crate) fn read(&mut self, begun: u64, now: Duration, running: Result<usize, String>) {
        if running.is_ok() {
            self.answered.retain(|(moment, _)| *moment > begun);
        }
        self.read = Some((now, running));
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

#[cfg(test)]
#[path = "room_tests.rs"]
mod tests;
