//! What can go wrong, what people change, and how often each has.

use std::fmt;

macro_rules! kinds {
    ($(#[$doc:meta])* $name:ident { $($(#[$kind_doc:meta])* $kind:ident => $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $($(#[$kind_doc])* $kind,)* }

        impl $name {
            /// Every kind.
            pub const ALL: &[$name] = &[$($name::$kind,)*];

            /// Its name in reports.
            pub fn name(self) -> &'static str {
                match self { $($name::$kind => $text,)* }
            }
        }
    };
}

kinds! {
    /// What can go wrong.
    Fault {
        /// A change was carried out and its answer is lost.
        LostDone => "reply lost, done",
        /// A change was lost with its answer.
        LostUndone => "request lost",
        /// A change arrived twice.
        Duplicated => "request duplicated",
        /// An answer took long.
        Slow => "reply slow",
        /// Marathon answered 409.
        Status409 => "status 409",
        /// Marathon answered 422.
        Status422 => "status 422",
        /// Marathon answered 500.
        Status500 => "status 500",
        /// Marathon answered 503.
        Status503 => "status 503",
        /// A Marathon does not answer for minutes.
        MarathonDown => "marathon down for long",
        /// A listing shows how things stood before.
        ListingStale => "listing stale",
        /// A listing shows nothing, as after a restart.
        ListingEmpty => "listing empty",
        /// A listing failed.
        ListingFailed => "listing failed",
        /// A task died.
        TaskDied => "task died",
        /// The checks of a task failed for a while.
        TaskFlapped => "task flapped",
        /// A version never becomes healthy.
        NeverHealthy => "version never healthy",
        /// The next launches of an app take long.
        LaunchDelayed => "launch delayed",
        /// An agent cannot be reached for a while.
        AgentUnreachable => "agent unreachable",
        /// An agent never came back.
        AgentGone => "agent gone",
        /// The hacheck of a host does not answer.
        HacheckDown => "hacheck down",
        /// A hacheck answers too late.
        HacheckSlow => "hacheck slow",
        /// A hacheck forgot what was drained.
        HacheckForgot => "hacheck forgot",
        /// Somebody else holds a bounce lock.
        LockHeld => "lock held by others",
        /// Whether a lock is held cannot be known.
        LockUnavailable => "lock unavailable",
        /// The autoscaled count cannot be read.
        CountUnknown => "count unknown",
        /// Which hosts leave cannot be read.
        LeavingUnknown => "leaving hosts unknown",
        /// A daemon cannot reach ZooKeeper.
        ZkPartition => "zookeeper unreachable",
        /// A leader's session ended while it lived, and it may not know that another leads.
        Contended => "leadership contended",
        /// A daemon does not run for a while.
        Paused => "daemon paused",
        /// A daemon died before a call took effect.
        CrashBefore => "crash before a call",
        /// A daemon died after a call took effect.
        CrashAfter => "crash after a call",
        /// The wall clock of a daemon jumped.
        ClockJump => "clock jump",
        /// Nothing can be written.
        DiskFull => "disk full",
        /// Events of the engine were lost.
        EventsLost => "engine events lost",
        /// Changes of files were not told.
        FilesMissed => "file events lost",
        /// Instances could not be listed.
        ListFailed => "configuration unreadable",
        /// The settings of an instance cannot be used.
        Broken => "configuration broken",
        /// The settings of an instance make the renderer panic.
        Poison => "configuration poison",
    }
}

kinds! {
    /// What people change.
    Change {
        /// Another commit.
        Deploy => "deploy",
        /// Another commit while the one before is under way.
        Retarget => "re-target mid-bounce",
        /// Back to the commit before.
        Revert => "roll back",
        /// Other settings.
        Edit => "config edit",
        /// `paasta stop`.
        Stop => "stop",
        /// `paasta start`.
        Start => "start",
        /// More instances.
        ScaleUp => "scale up",
        /// Fewer instances.
        ScaleDown => "scale down",
        /// Another autoscaled count.
        Autoscale => "autoscaled count",
        /// Another bounce method.
        Method => "bounce method",
        /// Another margin.
        Margin => "margin",
        /// Another Marathon.
        Move => "move to another shard",
        /// Taken out of soa-configs.
        Remove => "instance removed",
        /// Put back into soa-configs.
        Add => "instance added",
        /// A host is about to leave, or stays after all.
        Maintenance => "host maintenance",
        /// `setup_marathon_job` by hand.
        ByHand => "pass by hand",
        /// The hook for pushed tags.
        Nudge => "nudge",
    }
}

/// How often each kind happened.
#[derive(Clone, Debug)]
pub struct Tally {
    faults: Vec<u64>,
    changes: Vec<u64>,
    /// Passes that were run.
    pub passes: u64,
    /// Steps of the trace.
    pub steps: u64,
}

impl Default for Tally {
    fn default() -> Self {
        Self { faults: vec![0; Fault::ALL.len()], changes: vec![0; Change::ALL.len()], passes: 0, steps: 0 }
    }
}

impl Tally {
    pub(crate) fn fault(&mut self, fault: Fault) {
        if let Some(count) = self.faults.get_mut(fault as usize) {
            *count += 1;
        }
    }

    pub(crate) fn change(&mut self, change: Change) {
        if let Some(count) = self.changes.get_mut(change as usize) {
            *count += 1;
        }
    }

    /// Adds what happened elsewhere.
    pub fn add(&mut self, other: &Tally) {
        self.faults.iter_mut().zip(&other.faults).for_each(|(mine, theirs)| *mine += theirs);
        self.changes.iter_mut().zip(&other.changes).for_each(|(mine, theirs)| *mine += theirs);
        self.passes += other.passes;
        self.steps += other.steps;
    }

    /// How many faults and how many changes of what is wanted.
    pub fn sums(&self) -> (u64, u64) {
        let wanted = |kind: &Change| !matches!(kind, Change::Nudge | Change::ByHand | Change::Maintenance);
        let changes = Change::ALL.iter().zip(&self.changes).filter(|(kind, _)| wanted(kind));
        (self.faults.iter().sum(), changes.map(|(_, count)| count).sum())
    }

    /// The kinds that never happened.
    pub fn never(&self) -> Vec<&'static str> {
        let faults =
            Fault::ALL.iter().zip(&self.faults).filter(|(_, n)| **n == 0).map(|(kind, _)| kind.name());
        let changes =
            Change::ALL.iter().zip(&self.changes).filter(|(_, n)| **n == 0).map(|(kind, _)| kind.name());
        faults.chain(changes).collect()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (faults, changes) = self.sums();
        writeln!(f, "{changes} changes of what is wanted, and what else people do:")?;
        for (kind, count) in Change::ALL.iter().zip(&self.changes) {
            writeln!(f, "  {count:>9}  {}", kind.name())?;
        }
        writeln!(f, "{faults} faults:")?;
        for (kind, count) in Fault::ALL.iter().zip(&self.faults) {
            writeln!(f, "  {count:>9}  {}", kind.name())?;
        }
        write!(f, "{} passes, {} steps", self.passes, self.steps)
    }
}
