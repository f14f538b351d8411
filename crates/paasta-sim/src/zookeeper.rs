//! A model of ZooKeeper: sessions that end, an election, locks that end with their session.

use std::time::Duration;

use paasta_core::Standing;
use paasta_zookeeper::Pulse;

use crate::bounds::OTHERS_LOCK_MILLIS;
use crate::kinds::Fault;
use crate::trace::ALL;
use crate::world::{BY_HAND, Event, World, tell};

/// How long a session lives without being heard of.
pub(crate) const SESSION_MILLIS: i64 = 10_000;
/// How long before its session ends a daemon begins no change any more; as by default, half of it.
const MARGIN_MILLIS: i64 = SESSION_MILLIS / 2;
/// After how long without an answer a daemon doubts.
const DOUBT_MILLIS: i64 = SESSION_MILLIS / 3;

#[derive(Debug)]
pub(crate) struct Zk {
    pub(crate) members: [Member; 2],
    /// Per instance, who holds its bounce lock.
    locks: Vec<Option<Holder>>,
    holders: u64,
    sessions: u64,
    /// Whom the last election chose, to tell each once.
    elected: Option<(usize, u64)>,
}

/// A daemon as ZooKeeper and itself see it.
#[derive(Debug)]
pub(crate) struct Member {
    session: u64,
    alive: bool,
    expires_at: Option<i64>,
    /// It and ZooKeeper hear of each other.
    pub(crate) contact: bool,
    partitioned: bool,
    last_contact: i64,
    believes: bool,
    /// What the daemon knows of its session; the fence of the real one.
    pulse: Pulse,
    /// Since when nothing has come between it and its work.
    pub(crate) unhindered_since: i64,
}

impl Member {
    fn new(session: u64, alive: bool, now: i64) -> Self {
        let mut pulse = Pulse::new(millis(SESSION_MILLIS), millis(MARGIN_MILLIS));
        pulse.confirm(millis(now));
        Self {
            session,
            alive,
            expires_at: None,
            contact: alive,
            partitioned: false,
            last_contact: now,
            believes: false,
            pulse,
            unhindered_since: now,
        }
    }
}

fn millis(millis: i64) -> Duration {
    Duration::from_millis(millis.unsigned_abs())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Holder {
    actor: usize,
    session: u64,
    number: u64,
}

impl Zk {
    pub(crate) fn new(instances: usize) -> Self {
        Self {
            members: [Member::new(0, false, 0), Member::new(0, false, 0)],
            locks: vec![None; instances],
            holders: 0,
            sessions: 0,
            elected: None,
        }
    }

    /// Whoever leads by the truth: the oldest session that lives.
    pub(crate) fn leader(&self) -> Option<usize> {
        let living = self.members.iter().enumerate().filter(|(_, member)| member.alive);
        living.min_by_key(|(_, member)| member.session).map(|(actor, _)| actor)
    }
}

impl World {
    /// A daemon connects anew.
    pub(crate) fn join(&mut self, actor: usize) {
        self.zk.sessions += 1;
        let session = self.zk.sessions;
        if self.zk.members[actor].alive {
            // Two sessions of one daemon are not worth a table: the one of its life before is closed now.
            self.close_session(actor);
        }
        let now = self.now;
        self.zk.members[actor] = Member::new(session, true, now);
        tell!(self, ALL, "daemon {actor} has session {session}");
        self.tell_standing(actor, Standing::Waiting { leader: None });
        let delay = self.rng.within(20, 400);
        self.after(delay, Event::Elect);
    }

    fn tell_standing(&mut self, actor: usize, standing: Standing) {
        self.zk.members[actor].believes = standing == Standing::Leading;
        self.zk.members[actor].unhindered_since = self.now;
        tell!(self, ALL, "daemon {actor} hears {standing:?}");
        if let Some(to) = &self.actors[actor].standing {
            // Nobody listens while a daemon is down.
            let _ = to.send(standing);
        }
    }

    /// Whoever leads hears of it, once it can.
    pub(crate) fn elect(&mut self) {
        let Some(actor) = self.zk.leader() else { return };
        let member = &self.zk.members[actor];
        let chosen = (actor, member.session);
        if member.contact && !self.actors[actor].frozen && self.zk.elected != Some(chosen) {
            self.zk.elected = Some(chosen);
            self.tell_standing(actor, Standing::Leading);
        }
    }

    /// ZooKeeper and a daemon hear no more of each other.
    pub(crate) fn lose_contact(&mut self, actor: usize) {
        let now = self.now;
        let member = &mut self.zk.members[actor];
        if !member.contact {
            return;
        }
        member.contact = false;
        member.last_contact = now;
        member.expires_at = Some(now + SESSION_MILLIS);
        member.unhindered_since = now;
        let session = member.session;
        // The last heartbeat that was answered was sent some time before.
        let beat = i64::try_from(member.pulse.beat().as_millis()).unwrap_or(0);
        let age = self.rng.within(0, beat.min(now) + 1);
        self.zk.members[actor].pulse.confirm(millis(now - age));
        self.after(SESSION_MILLIS, Event::Expire { actor, session });
        self.after(DOUBT_MILLIS, Event::Doubt { actor, since: now });
    }

    pub(crate) fn doubt(&mut self, actor: usize, since: i64) {
        let member = &self.zk.members[actor];
        if !member.contact && member.last_contact == since && member.believes && !self.actors[actor].frozen {
            self.tell_standing(actor, Standing::Doubtful("no answer of ZooKeeper".to_owned()));
        }
    }

    pub(crate) fn expire(&mut self, actor: usize, session: u64) {
        let member = &self.zk.members[actor];
        if member.session == session && member.alive && member.expires_at.is_some_and(|at| at <= self.now) {
            self.close_session(actor);
        }
    }

    fn close_session(&mut self, actor: usize) {
        let session = self.zk.members[actor].session;
        tell!(self, ALL, "session {session} of daemon {actor} has ended");
        if self.zk.leader() == Some(actor) && self.actors[actor].standing.is_some() {
            self.tally.fault(Fault::Contended);
        }
        self.zk.members[actor].alive = false;
        let theirs =
            |lock: &Option<Holder>| lock.is_some_and(|held| held.actor == actor && held.session == session);
        self.zk.locks.iter_mut().filter(|lock| theirs(lock)).for_each(|lock| *lock = None);
        let delay = self.rng.within(20, 400);
        self.after(delay, Event::Elect);
    }

    /// A daemon reaches ZooKeeper again.
    pub(crate) fn contact(&mut self, actor: usize) {
        let now = self.now;
        let member = &mut self.zk.members[actor];
        if member.contact || self.actors[actor].frozen || self.actors[actor].standing.is_none() {
            return;
        }
        member.partitioned = false;
        if !member.alive {
            self.tell_standing(actor, Standing::Lost("the session has ended".to_owned()));
            return self.join(actor);
        }
        member.contact = true;
        member.last_contact = now;
        member.expires_at = None;
        member.unhindered_since = now;
        member.pulse.confirm(millis(now));
        let session = member.session;
        if self.zk.leader() == Some(actor) && self.zk.elected == Some((actor, session)) {
            if !self.zk.members[actor].believes {
                self.tell_standing(actor, Standing::Leading);
            }
        } else {
            self.elect();
        }
    }

    pub(crate) fn partition(&mut self, actor: usize) {
        if !self.zk.members[actor].contact || !self.fault(Fault::ZkPartition) {
            return;
        }
        tell!(self, ALL, "daemon {actor} cannot reach ZooKeeper");
        self.zk.members[actor].partitioned = true;
        self.lose_contact(actor);
        let length = self.rng.within(500, 30_000);
        self.after(length, Event::Contact { actor });
    }

    /// A daemon does not run for a while; its sockets are silent.
    pub(crate) fn pause(&mut self, actor: usize) {
        if self.actors[actor].frozen || self.actors[actor].standing.is_none() || !self.fault(Fault::Paused) {
            return;
        }
        tell!(self, ALL, "daemon {actor} does not run");
        self.actors[actor].frozen = true;
        self.lose_contact(actor);
        let length = self.rng.within(200, 25_000);
        self.after(length, Event::Resume { actor });
    }

    pub(crate) fn resume(&mut self, actor: usize) {
        if !self.actors[actor].frozen {
            return;
        }
        tell!(self, ALL, "daemon {actor} runs again");
        self.actors[actor].frozen = false;
        self.stirred = true;
        if !self.zk.members[actor].partitioned {
            let delay = self.rng.within(1, 50);
            self.after(delay, Event::Contact { actor });
        }
    }

    /// Whether a daemon may begin a change, by what it can know itself.
    pub(crate) fn may_begin(&self, actor: usize) -> bool {
        if actor == BY_HAND {
            return true;
        }
        let member = &self.zk.members[actor];
        let heard = member.contact || member.pulse.check(millis(self.now)).is_ok();
        member.believes && heard && !self.actors[actor].frozen
    }

    /// Whether an actor can reach ZooKeeper.
    pub(crate) fn reaches_zk(&self, actor: usize) -> bool {
        actor == BY_HAND || self.zk.members[actor].contact
    }

    /// Takes a bounce lock if it is free: a number to give it back with.
    pub(crate) fn take_lock(&mut self, actor: usize, instance: usize) -> Option<u64> {
        let lock = self.zk.locks.get_mut(instance)?;
        if lock.is_some() {
            return None;
        }
        self.zk.holders += 1;
        let session = self.zk.members.get(actor).map_or(0, |member| member.session);
        *lock = Some(Holder { actor, session, number: self.zk.holders });
        Some(self.zk.holders)
    }

    pub(crate) fn free_lock(&mut self, instance: usize, number: u64) {
        if let Some(lock) = self.zk.locks.get_mut(instance)
            && lock.is_some_and(|held| held.number == number)
        {
            *lock = None;
        }
    }

    /// Somebody who is none of us works on an instance.
    pub(crate) fn hold_lock(&mut self, instance: usize) {
        if self.without.contains(&Fault::LockHeld) || self.calm {
            return;
        }
        if let Some(holder) = self.take_lock(BY_HAND, instance)
            && self.fault(Fault::LockHeld)
        {
            tell!(self, instance, "somebody else holds the bounce lock");
            let length = self.rng.within(2000, OTHERS_LOCK_MILLIS);
            self.after(length, Event::LockFree { instance, holder });
        }
    }
}
