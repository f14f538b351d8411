//! How an actor reaches the world: every call it makes goes through here, and here is where calls go wrong.

use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use paasta_core::{Clock, Timestamp};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::kinds::Fault;
use crate::world::{BY_HAND, EPOCH, World, tell};

/// The world, and what wakes whoever waits for it.
pub(crate) struct Shared {
    world: Mutex<World>,
    began: Instant,
    /// Something happens earlier than was known.
    pub(crate) sooner: Notify,
    /// A daemon runs again, or has died.
    pub(crate) stirred: Notify,
    /// Files changed.
    pub(crate) files: Notify,
}

impl Shared {
    pub(crate) fn new(world: World) -> Self {
        let (sooner, stirred, files) = (Notify::new(), Notify::new(), Notify::new());
        Self { world: Mutex::new(world), began: Instant::now(), sooner, stirred, files }
    }

    pub(crate) fn now(&self) -> i64 {
        i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    /// When that time has come.
    pub(crate) fn instant(&self, at: i64) -> Instant {
        self.began + Duration::from_millis(u64::try_from(at).unwrap_or(0))
    }

    /// Looks at the world, or changes it, at this moment.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        let now = self.now();
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.now = now;
        let out = act(&mut world);
        if std::mem::take(&mut world.sooner) {
            self.sooner.notify_one();
        }
        out
    }
}

/// What becomes of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Fine,
    Lost {
        done: bool,
    },
    Twice,
    Status(u16),
    Stale,
    Empty,
    Failed,
    /// The actor dies when it is done.
    ThenDies,
}

/// What kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Write,
    List,
    Hacheck,
    Lock,
    Count,
    Files,
    Sweep,
    Tags,
    Maintenance,
}

impl Class {
    /// Faults and how often each befalls such a call, of ten thousand.
    fn odds(self) -> &'static [(Fault, u64)] {
        use Fault::*;
        match self {
            Class::Write => &[
                (LostDone, 90),
                (LostUndone, 70),
                (Duplicated, 70),
                (Slow, 90),
                (Status409, 60),
                (Status422, 50),
                (Status500, 60),
                (Status503, 70),
                (CrashBefore, 25),
                (CrashAfter, 50),
            ],
            Class::List => &[
                (ListingStale, 60),
                (ListingEmpty, 50),
                (ListingFailed, 60),
                (Slow, 40),
                (LeavingUnknown, 40),
                (CrashBefore, 3),
                (CrashAfter, 1),
            ],
            Class::Hacheck => &[(CrashBefore, 1), (CrashAfter, 1)],
            Class::Lock => &[(LockUnavailable, 25), (CrashBefore, 1), (CrashAfter, 2)],
            Class::Count => &[(CountUnknown, 150), (CrashBefore, 2), (CrashAfter, 2)],
            Class::Maintenance => &[(LeavingUnknown, 20), (CrashBefore, 2), (CrashAfter, 2)],
            Class::Files => &[(ListFailed, 100), (Slow, 50), (CrashBefore, 10), (CrashAfter, 10)],
            Class::Tags => &[(Slow, 10), (CrashBefore, 2), (CrashAfter, 2)],
            Class::Sweep => &[(CrashBefore, 2), (CrashAfter, 2)],
        }
    }
}

/// One life of one actor.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) shared: Arc<Shared>,
    pub(crate) actor: usize,
    pub(crate) life: u64,
}

impl Link {
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        self.shared.with(act)
    }

    /// Goes on when the actor runs, and never if it is dead.
    pub(crate) async fn runs(&self) {
        loop {
            let stirred = self.shared.stirred.notified();
            let (dead, frozen) = self.with(|world| {
                let actor = &world.actors[self.actor];
                (actor.life != self.life, actor.frozen)
            });
            match (dead, frozen) {
                (true, _) => pending::<()>().await,
                (false, true) => stirred.await,
                (false, false) => return,
            }
        }
    }

    /// The actor dies here and now.
    async fn die(&self) {
        self.with(|world| {
            world.actors[self.actor].life += 1;
            tell!(world, crate::trace::ALL, "daemon {} dies", self.actor);
        });
        self.shared.stirred.notify_waiters();
        pending::<()>().await;
    }

    /// Begins a call: what will become of it.
    pub(crate) async fn call(&self, class: Class) -> Fate {
        self.runs().await;
        let (fate, wait, dies) = self.with(|world| self.draw(world, class));
        if dies {
            self.die().await;
        }
        if wait > 0 {
            sleep(Duration::from_millis(wait)).await;
        }
        fate
    }

    /// Ends a call: the answer is there now.
    pub(crate) async fn answered(&self, fate: Fate) {
        if fate == Fate::ThenDies {
            self.die().await;
        }
        self.runs().await;
    }

    /// The fate, the milliseconds until it strikes, and whether the actor dies first.
    fn draw(&self, world: &mut World, class: Class) -> (Fate, u64, bool) {
        let dice = (world.luck.next() >> 11) % 10_000;
        // One call of four takes its time, so that others come between.
        let wait = if dice.is_multiple_of(4) { 1 + dice % 97 } else { 0 };
        if world.calm {
            return (Fate::Fine, wait, false);
        }
        let mut below = 0;
        for (fault, odds) in class.odds() {
            below += odds;
            if dice >= below {
                continue;
            }
            let crash = matches!(fault, Fault::CrashBefore | Fault::CrashAfter);
            if (crash && self.actor == BY_HAND) || !world.fault(*fault) {
                return (Fate::Fine, wait, false);
            }
            tell!(world, crate::trace::ALL, "actor {}: {} for a call of {class:?}", self.actor, fault.name());
            let fate = match fault {
                Fault::LostDone => Fate::Lost { done: true },
                Fault::LostUndone => Fate::Lost { done: false },
                Fault::Duplicated => Fate::Twice,
                Fault::Status409 => Fate::Status(409),
                Fault::Status422 => Fate::Status(422),
                Fault::Status500 => Fate::Status(500),
                Fault::Status503 => Fate::Status(503),
                Fault::ListingStale => Fate::Stale,
                Fault::ListingEmpty => Fate::Empty,
                Fault::CrashAfter => Fate::ThenDies,
                Fault::Slow => return (Fate::Fine, 500 + dice * 7 % 20_000, false),
                Fault::LeavingUnknown if class == Class::List => Fate::Status(0),
                Fault::CrashBefore => return (Fate::Fine, 0, true),
                _ => Fate::Failed,
            };
            return (fate, wait, false);
        }
        (Fate::Fine, wait, false)
    }

    /// The wall clock, which may jump.
    pub(crate) fn wall(&self) -> WallClock {
        WallClock(self.clone())
    }

    /// The clock that only goes on.
    pub(crate) fn steady(&self) -> SteadyClock {
        SteadyClock(self.shared.clone())
    }
}

/// The wall clock of an actor.
pub(crate) struct WallClock(Link);

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        let actor = self.0.actor;
        Timestamp::from_millis(self.0.with(|world| world.wall(actor)))
    }
}

/// A clock that no jump moves.
pub(crate) struct SteadyClock(Arc<Shared>);

impl Clock for SteadyClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(EPOCH + self.0.now())
    }
}
