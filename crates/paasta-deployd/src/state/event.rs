//! What the state machine hears, and what it asks for.

use std::collections::{BTreeMap, BTreeSet};

use paasta_core::{Change, Haste, InstanceId, ServiceName, Standing, Timestamp};
use serde::Serialize;

use crate::Settings;
use crate::ports::{CountChange, HostsLooked, InboxEntry, PassReport, RegenerateResult};

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The process is up. Said once, first.
    Started,
    /// Where it stands among others like it. Nothing is begun before it leads.
    Stands(Standing),
    /// Files may have changed.
    FilesStirred,
    /// The answer to [`Action::ListInstances`].
    InstancesListed(Listing),
    /// The instances of that scope could not be listed at all.
    ListingFailed(Scope),
    /// The answer to [`Action::SweepFiles`]: the files of these services differ from the last sweep.
    FilesSwept {
        /// Their own files changed.
        services: BTreeSet<ServiceName>,
        /// Something changed that may concern every instance: system config, shared secrets, a namespace.
        everything: bool,
        /// So long the next sweep has nothing to find unless files are stirred, where that is known.
        rest_seconds: Option<f64>,
    },
    /// The engine says that something of ours changed, or that it may have missed saying so.
    EngineChanged(Change),
    /// A pass ended, by itself or by force.
    PassFinished {
        /// Whose.
        instance: InstanceId,
        /// How.
        report: PassReport,
    },
    /// A regeneration of deployments.json ended.
    Regenerated {
        /// Whose.
        service: ServiceName,
        /// How.
        result: RegenerateResult,
    },
    /// Somebody pushed a tag of this service.
    Nudged(ServiceName),
    /// An autoscaled count was written anew, or may have been.
    CountChanged(CountChange),
    /// The answer to [`Action::LookAtHosts`].
    HostsLooked(Result<HostsLooked, String>),
    /// Somebody put an instance into the queue that programs share.
    EntryTaken(InboxEntry),
    /// Settings are to be read anew, and everything looked at.
    Reload,
    /// The answer to [`Action::ReadSettings`]; an error leaves the old ones.
    SettingsRead(Result<Box<Settings>, String>),
    /// The time asked for by [`Action::WakeAt`] has come, or any other.
    Tick,
    /// The process is to end.
    Shutdown,
}

/// Something to be done by the loop.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Run one pass; answered by [`Event::PassFinished`], whatever happens to it.
    StartPass {
        /// Over this instance.
        instance: InstanceId,
        /// What it has to take into account.
        wake: Wake,
    },
    /// End this pass at once; it answers all the same, by [`PassResult::Stopped`](crate::PassResult::Stopped) or by what
    /// it came to before.
    AbandonPass(InstanceId),
    /// Tell people how a pass ended for which its instance can be blamed, or praised. Needs no answer.
    TellEnd {
        /// Over this instance.
        instance: InstanceId,
        /// How it ended.
        report: PassReport,
    },
    /// List instances; answered by [`Event::InstancesListed`] or [`Event::ListingFailed`].
    ListInstances(Scope),
    /// Compare the files with the last sweep; answered by [`Event::FilesSwept`].
    SweepFiles,
    /// Regenerate this deployments.json; answered by [`Event::Regenerated`], whatever happens.
    Regenerate(ServiceName),
    /// See which hosts are about to leave, and what runs on those that are not among these; answered by
    /// [`Event::HostsLooked`].
    LookAtHosts(BTreeSet<String>),
    /// Take these entries out of the shared queue: they are done. Needs no answer.
    ConsumeEntries(BTreeSet<String>),
    /// Take this entry out of the shared queue, and say that its instance is in no file. Needs no answer.
    DropEntry(InboxEntry),
    /// Leave every entry of the shared queue to others. Needs no answer.
    ReleaseEntries,
    /// Take entries out of the shared queue, from now on; each is told by [`Event::EntryTaken`].
    TakeEntries,
    /// Read the settings anew; answered by [`Event::SettingsRead`].
    ReadSettings,
    /// Go by these settings from now on.
    UseSettings(Box<Settings>),
    /// Say so where anything runs of these instances, which are in no file any more. Needs no answer.
    TellGone(Vec<InstanceId>),
    /// Send [`Event::Tick`] then. Replaces any earlier wish.
    WakeAt(Timestamp),
    /// End now; what still runs is abandoned.
    Stop,
}

/// Which instances are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those of all services.
    All,
    /// Those of these services.
    Services(BTreeSet<ServiceName>),
}

impl Scope {
    /// Whether it holds that service.
    pub fn holds(&self, service: &ServiceName) -> bool {
        match self {
            Scope::All => true,
            Scope::Services(services) => services.contains(service),
        }
    }

    /// Both together.
    pub fn and(self, other: Scope) -> Scope {
        match (self, other) {
            (Scope::Services(mut mine), Scope::Services(theirs)) => {
                mine.extend(theirs);
                Scope::Services(mine)
            }
            _ => Scope::All,
        }
    }
}

/// What soa-configs hold, as far as it could be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Listing {
    /// What was asked for.
    pub scope: Scope,
    /// Every service in scope, whether or not it has instances in this cluster.
    pub services: BTreeSet<ServiceName>,
    /// Every instance in scope.
    pub instances: BTreeMap<InstanceId, Listed>,
    /// Services whose instances could not be read, with the reason. What was known of them stays.
    pub unreadable: BTreeMap<ServiceName, String>,
}

impl Listing {
    /// A listing of these instances, all readable, with default settings.
    pub fn of(scope: Scope, instances: impl IntoIterator<Item = InstanceId>) -> Self {
        let instances: BTreeMap<_, _> = instances.into_iter().map(|id| (id, Listed::default())).collect();
        let services = instances.keys().map(|id| id.service().clone()).collect();
        Self { scope, services, instances, unreadable: BTreeMap::new() }
    }
}

/// What deployd needs to know of an instance besides its name.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Listed {
    /// `bounce_start_deadline`: how long its turn may wait after a change of its files.
    pub bounce_start_deadline_seconds: f64,
    /// Whether its count may be written by an autoscaler.
    pub autoscaled: bool,
}

/// The last thing that happened to an instance before its pass: what was seen of the engine earlier may be out of date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wake {
    /// When deployd heard of it, by the clock that [`crate::Deployd::handle`] is told.
    pub at: Timestamp,
    /// What it was.
    pub because: Because,
    /// How much the pass hurries; known when it starts.
    pub haste: Haste,
    /// What deployments.json is worth; known when it starts.
    pub tags: Tags,
}

/// How deployments.json of a service stands to its tags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tags {
    /// Nobody knows better than the file.
    #[default]
    Known,
    /// Another process wrote the file last, and may have ended before a tag came into it. This one is about to look at
    /// the tags: nothing may be changed before.
    Awaited,
    /// They were awaited and could not be had in time: the file is believed as it is.
    GivenUp,
}

impl Wake {
    /// What happened then.
    pub fn new(at: Timestamp, because: Because) -> Self {
        Self { at, because, haste: Haste::Usual, tags: Tags::Known }
    }

    /// The later of both.
    pub(crate) fn or_later(self, other: Wake) -> Wake {
        if other.at >= self.at { other } else { self }
    }
}

/// Why an instance stands in the queue. Its text is what people see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Because {
    /// Deployd started.
    Startup,
    /// Deployd began to lead.
    BeganToLead,
    /// Files of its service changed, or brought it.
    FilesChanged,
    /// Something changed that concerns every instance.
    EverythingChanged,
    /// Its deployments.json was written anew.
    DeploymentsChanged,
    /// Its autoscaled count was written.
    CountChanged,
    /// Autoscaled counts may have been written unseen.
    CountsLost,
    /// A host that it has a task on is about to leave.
    HostLeaves,
    /// Somebody put it into the queue that programs share.
    Queued,
    /// The engine said that something changed.
    EngineChanged,
    /// The engine's stream was lost for a while.
    EngineLost,
    /// The last pass asked for it.
    LookAgain,
    /// Nothing waits; it is only looked at from time to time.
    Resync,
    /// The last pass failed.
    Failed,
    /// Its last pass could not see what it needs.
    Unseen,
    /// Somebody else held its bounce lock.
    LockHeld,
    /// The last pass was stopped, since this process could not tell that it leads.
    Stopped,
}

impl Because {
    /// A phrase for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Because::Startup => "first look",
            Because::BeganToLead => "this deployd began to lead",
            Because::FilesChanged => "its files changed",
            Because::EverythingChanged => "configuration of all instances changed",
            Because::DeploymentsChanged => "a tag was pushed",
            Because::CountChanged => "the autoscaler wrote a count",
            Because::CountsLost => "autoscaled counts could not be followed",
            Because::HostLeaves => "a host is about to leave",
            Because::Queued => "another program queued it",
            Because::EngineChanged => "the engine reported a change",
            Because::EngineLost => "the engine's event stream was lost",
            Because::LookAgain => "the last pass asked to look again",
            Because::Resync => "regular look",
            Because::Failed => "the last pass failed",
            Because::Unseen => "the last pass could not see what it needs",
            Because::LockHeld => "somebody else held the bounce lock",
            Because::Stopped => "the last pass was stopped",
        }
    }

    /// The name that the original's record of it would carry as `watcher` (marathon-and-bounce.md §9.6).
    pub fn watcher(self) -> &'static str {
        match self {
            Because::Startup | Because::BeganToLead => "daemon_start",
            Because::FilesChanged | Because::DeploymentsChanged => "YelpSoaEventHandler",
            Because::EverythingChanged => "PublicConfigEventHandler",
            Because::CountChanged | Because::CountsLost => "AutoscalerWatcher",
            Because::HostLeaves => "MaintenanceWatcher",
            Because::Queued => "DeployDaemon",
            Because::EngineChanged | Because::EngineLost => "EngineWatcher",
            Because::LookAgain
            | Because::Resync
            | Because::Failed
            | Because::Unseen
            | Because::LockHeld
            | Because::Stopped => "Worker",
        }
    }

    /// Whether it is said of many instances at once, so that their passes may share one look at the engine.
    pub fn concerns_many(self) -> bool {
        use Because::*;
        matches!(self, Startup | BeganToLead | EverythingChanged | EngineLost | CountsLost | Resync | Unseen)
    }

    /// Whether its last pass came to nothing, so that it takes only places that others leave.
    pub(crate) fn is_retry(self) -> bool {
        matches!(self, Because::Failed | Because::Unseen)
    }

    /// Whether people had a hand in it, or much may have changed unseen, so that a failing instance gets a try before
    /// its back-off ends.
    pub fn ends_backoff(self) -> bool {
        use Because::*;
        matches!(self, FilesChanged | DeploymentsChanged | EverythingChanged | BeganToLead | Queued)
    }
}
