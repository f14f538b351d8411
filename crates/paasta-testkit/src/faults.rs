//! What goes wrong, one entry per call.

use std::collections::VecDeque;
use std::sync::Mutex;

use paasta_core::HomeId;

use crate::lock;

/// How one change misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Refused with a status; nothing changes.
    Refused,
    /// Nobody was reached; nothing changes.
    Unreachable,
    /// The engine takes no change now.
    Busy,
    /// Somebody else was quicker.
    Conflict,
    /// The answer is lost; whether it was done is this flag.
    LostReply {
        /// Whether it was done.
        done: bool,
    },
    /// The call never ends, as if the caller were killed in it; whether it was done is this flag.
    Hang {
        /// Whether it was done.
        done: bool,
    },
}

/// How one listing misbehaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListFault {
    /// This home does not answer.
    Home(HomeId),
    /// Nobody knows which hosts are about to leave.
    LeavingHosts,
    /// It never ends.
    Hang,
}

/// Faults to come; a call without an entry goes well.
#[derive(Debug, Default)]
pub struct Faults {
    changes: Mutex<VecDeque<Option<Fault>>>,
    listings: Mutex<VecDeque<Option<ListFault>>>,
}

impl Faults {
    /// What happens to the next changes, one entry each.
    pub fn plan_changes(&self, faults: impl IntoIterator<Item = Option<Fault>>) {
        lock(&self.changes).extend(faults);
    }

    /// What happens to the next listings of single instances, one entry each.
    pub fn plan_listings(&self, faults: impl IntoIterator<Item = Option<ListFault>>) {
        lock(&self.listings).extend(faults);
    }

    /// From now on all goes well.
    pub fn clear(&self) {
        lock(&self.changes).clear();
        lock(&self.listings).clear();
    }

    pub(crate) fn next_change(&self) -> Option<Fault> {
        lock(&self.changes).pop_front().flatten()
    }

    pub(crate) fn next_listing(&self) -> Option<ListFault> {
        lock(&self.listings).pop_front().flatten()
    }
}
