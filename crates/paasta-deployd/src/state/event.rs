//! What the state machine hears, and what it asks for.

use std::collections::{BTreeMap, BTreeSet};

use paasta_core::{Change, InstanceId, ServiceName, Timestamp};
use serde::Serialize;

use crate::ports::{PassReport, RegenerateResult};

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The process is up (and leads). Said once, first.
    Started,
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
    /// The time asked for by [`Action::WakeAt`] has come, or any other.
    Tick,
    /// The process is to end.
    Shutdown,
}

/// Something to be done by the loop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Run one pass; answered by [`Event::PassFinished`], whatever happens to it.
    StartPass {
        /// Over this instance.
        instance: InstanceId,
        /// What it has to take into account.
        wake: Wake,
    },
    /// List instances; answered by [`Event::InstancesListed`] or [`Event::ListingFailed`].
    ListInstances(Scope),
    /// Compare the files with the last sweep; answered by [`Event::FilesSwept`].
    SweepFiles,
    /// Regenerate this deployments.json; answered by [`Event::Regenerated`], whatever happens.
    Regenerate(ServiceName),
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
}

/// The last thing that happened to an instance before its pass: what was seen of the engine earlier may be out of date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wake {
    /// When deployd heard of it, by the clock that [`crate::Deployd::handle`] is told.
    pub at: Timestamp,
    /// What it was.
    pub because: Because,
}

impl Wake {
    /// The later of both.
    pub(crate) fn or_later(self, other: Wake) -> Wake {
        if other.at >= self.at { other } else { self }
    }
}

/// Why an instance stands in the queue. Its text is what people see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Because {
    /// Deployd started, or the instance is new.
    Startup,
    /// Files of its service changed.
    FilesChanged,
    /// Something changed that concerns every instance.
    EverythingChanged,
    /// Its deployments.json was written anew.
    DeploymentsChanged,
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
    /// Somebody else held its bounce lock.
    LockHeld,
}

impl Because {
    /// A phrase for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Because::Startup => "first look",
            Because::FilesChanged => "its files changed",
            Because::EverythingChanged => "configuration of all instances changed",
            Because::DeploymentsChanged => "a tag was pushed",
            Because::EngineChanged => "the engine reported a change",
            Because::EngineLost => "the engine's event stream was lost",
            Because::LookAgain => "the last pass asked to look again",
            Because::Resync => "regular look",
            Because::Failed => "the last pass failed",
            Because::LockHeld => "somebody else held the bounce lock",
        }
    }

    /// Whether it is said of many instances at once, so that their passes may share one look at the engine.
    pub fn concerns_many(self) -> bool {
        matches!(self, Because::Startup | Because::EverythingChanged | Because::EngineLost | Because::Resync)
    }

    /// Whether people had a hand in it, so that a failing instance gets a try before its back-off ends.
    pub fn ends_backoff(self) -> bool {
        matches!(self, Because::FilesChanged | Because::DeploymentsChanged | Because::EverythingChanged)
    }
}
