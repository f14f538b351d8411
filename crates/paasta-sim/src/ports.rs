//! The ports of passes over the world: engine, drains, locks, fence.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream, StreamExt};
use paasta_config::Map;
use paasta_core::{
    Action, App, Applied, Change, Engine, EngineError, Fence, Fenced, Fleet, HomeId, Homes, InstanceId,
    LockError, LockGuard, Locks, LogStream, LogTail, NoLog, Reading, Sighting, Task, TaskId, TaskLog,
    Timestamp,
};
use paasta_drain::{
    DrainConfigError, DrainError, DrainMethod, DrainPlace, DrainState, DrainStatus, DrainTiming, REASON,
    SafeToKill, SpoolAnswer, SpoolEntry, summarize,
};
use paasta_marathon::{Answer, NoAnswer, Transport, Verb, apply_over};
use paasta_setup::{Drains, Leave, Limits, Pass};
use tokio::time::{Instant, sleep, timeout_at};

use crate::bounds::HACHECK_MILLIS;
use crate::config::{DrainKind, SimRenderer};
use crate::judge::Seen;
use crate::link::{Class, Fate, Link};
use crate::marathon::Spool;
use crate::world::{FOREIGN, HOMES, World, tell};

/// Everything a pass of that actor works with.
pub(crate) fn pass(link: &Link) -> Pass {
    Pass {
        engine: Arc::new(SimMarathon(link.clone())),
        renderer: Arc::new(SimRenderer),
        locks: Arc::new(SimLocks(link.clone())),
        drains: Arc::new(SimDrains(link.clone())),
        log: Arc::new(NoLog),
        clock: Arc::new(link.wall()),
        history: None,
        discovery: None,
        leave: Leave { fence: Arc::new(SimFence(link.clone())), ..Leave::default() },
        limits: Limits::default(),
    }
}

fn home_index(home: &HomeId) -> usize {
    usize::from(home.as_str() != HOMES[0])
}

/// Marathon as an actor reaches it. Changes go the way of `paasta-marathon`, below which is the model.
struct SimMarathon(Link);

impl SimMarathon {
    async fn list(&self, instance: usize, home: usize) -> (Reading<Vec<App>>, Seen, i64, bool) {
        let fate = self.0.call(Class::List).await;
        let (reading, seen, at) = self.0.with(|world| {
            let fate = if world.is_home_down(home) { Fate::Failed } else { fate };
            listing(world, instance, home, fate)
        });
        self.0.answered(fate).await;
        (reading, seen, at, fate == Fate::Status(0))
    }
}

fn listing(world: &mut World, instance: usize, home: usize, fate: Fate) -> (Reading<Vec<App>>, Seen, i64) {
    let now = world.now;
    match fate {
        Fate::Failed => (Reading::Unknown("it does not answer".to_owned()), Seen::Failed, now),
        Fate::Empty => (Reading::Known(Vec::new()), Seen::Empty, now),
        Fate::Stale
            if let Some((at, apps)) = world.instances[instance].earlier[home].clone()
                && now - at < 60_000 =>
        {
            (Reading::Known(apps), Seen::Stale, at)
        }
        _ => {
            let apps = world.list(home, |app| app.instance == instance);
            if now & 3 == 0 && !world.calm {
                world.instances[instance].earlier[home] = Some((now, apps.clone()));
            }
            (Reading::Known(apps), Seen::Fresh, now)
        }
    }
}

#[async_trait]
impl Engine for SimMarathon {
    async fn observe(&self, instance: &InstanceId, homes: &Homes) -> Sighting {
        let prefix = format!("{}.", instance.short_id());
        let index =
            self.0.with(|world| world.instances.iter().position(|it| it.prefix == prefix)).unwrap_or(0);
        let mut known = std::collections::BTreeMap::new();
        let mut unknown_leaving = false;
        let (mut seen, mut at, mut saw_wanted) = ([Seen::Not; 2], i64::MAX, false);
        let mut read_at = [0; 2];
        for home in homes.all() {
            let (reading, how, when, leaving) = self.list(index, home_index(home)).await;
            seen[home_index(home)] = how;
            read_at[home_index(home)] = when;
            at = at.min(when);
            unknown_leaving |= leaving;
            self.0.with(|world| {
                let goal = &world.actors[self.0.actor].looks[index].goal;
                let wanted = reading.known().is_some_and(|apps| apps.iter().any(|app| app.id == goal.app));
                saw_wanted |= wanted && goal.home == home_index(home);
            });
            known.insert(home.clone(), reading);
        }
        let leaving_hosts = self.0.with(|world| {
            let look = &mut world.actors[self.0.actor].looks[index];
            (look.seen, look.at, look.read_at) = (seen, at, read_at);
            (look.saw_wanted, look.created) = (saw_wanted, false);
            leaving_hosts(world, unknown_leaving)
        });
        Sighting { homes: known, leaving_hosts }
    }

    async fn observe_all(&self) -> Fleet {
        let mut homes = std::collections::BTreeMap::new();
        let mut unknown_leaving = false;
        for (index, home) in HOMES.iter().enumerate() {
            let fate = self.0.call(Class::List).await;
            let reading = self.0.with(|world| match fate {
                _ if world.is_home_down(index) => Reading::Unknown("it does not answer".to_owned()),
                Fate::Failed => Reading::Unknown("it does not answer".to_owned()),
                Fate::Empty => Reading::Known(Vec::new()),
                _ => Reading::Known(world.list(index, |_| true)),
            });
            unknown_leaving |= fate == Fate::Status(0);
            self.0.answered(fate).await;
            homes.insert(HomeId::new(*home), reading);
        }
        Fleet { homes, leaving_hosts: self.0.with(|world| leaving_hosts(world, unknown_leaving)) }
    }

    async fn apply(&self, action: &Action) -> Result<Applied, EngineError> {
        self.0.with(|world| world.judge_action(self.0.actor, action));
        let (Action::Create { home, .. }
        | Action::Scale { home, .. }
        | Action::KillAndShrink { home, .. }
        | Action::Delete { home, .. }) = action;
        apply_over(&Wire { link: self.0.clone(), home: home_index(home) }, action).await
    }

    fn changes(&self) -> BoxStream<'static, Change> {
        stream::pending().boxed()
    }

    async fn task_log(&self, _: &TaskId, _: LogStream, _: LogTail) -> Result<TaskLog, EngineError> {
        Err(EngineError::Unsupported("nothing is printed here".to_owned()))
    }
}

fn leaving_hosts(world: &World, unknown: bool) -> Reading<BTreeSet<String>> {
    if unknown {
        return Reading::Unknown("the masters do not answer".to_owned());
    }
    Reading::Known(world.hosts.iter().filter(|host| host.leaving).map(|host| host.name.clone()).collect())
}

/// What Marathon says of an app that a deployment holds.
const LOCKED: &str =
    r#"{"message": "App is locked by one or more deployments", "deployments": [{"id": "d"}]}"#;

/// One Marathon server on the other side of a network.
struct Wire {
    link: Link,
    home: usize,
}

#[async_trait]
impl Transport for Wire {
    async fn exchange(&self, verb: Verb, path: &str, body: Option<&str>) -> Result<Answer, NoAnswer> {
        let (actor, home) = (self.link.actor, self.home);
        let fate = self.link.call(Class::Write).await;
        let send =
            || self.link.with(|world| world.request(actor, home, verb, path, body.unwrap_or_default()));
        let endpoint = HOMES[home].to_owned();
        let (is_down, is_locked) = self.link.with(|world| (world.is_home_down(home), world.now & 1 == 0));
        let result = match fate {
            _ if is_down => Err(NoAnswer::Unreachable { endpoint, reason: "refused".to_owned() }),
            Fate::Lost { done } => {
                if done {
                    send();
                }
                Err(NoAnswer::Lost { endpoint, reason: "the connection broke".to_owned() })
            }
            Fate::Status(422) => Ok(Answer::of_json(&endpoint, 422, r#"{"message": "Object is not valid"}"#)),
            Fate::Status(409) if is_locked => Ok(Answer::of_json(&endpoint, 409, LOCKED)),
            Fate::Status(status) => Ok(Answer::of_json(&endpoint, status, r#"{"message": "not now"}"#)),
            Fate::Failed => Err(NoAnswer::Unreachable { endpoint, reason: "refused".to_owned() }),
            Fate::Twice => {
                let (status, message) = send();
                self.link.with(|world| world.repeated(actor, home, verb, path, body.unwrap_or_default()));
                Ok(Answer::of_json(&endpoint, status, message))
            }
            _ => {
                let (status, message) = send();
                Ok(Answer::of_json(&endpoint, status, message))
            }
        };
        self.link.answered(fate).await;
        result
    }
}

/// The fence of a daemon.
struct SimFence(Link);

impl Fence for SimFence {
    fn check(&self) -> Result<(), Fenced> {
        match self.0.with(|world| world.may_begin(self.0.actor)) {
            true => Ok(()),
            false => Err(Fenced("this process may lead no longer".to_owned())),
        }
    }
}

/// Bounce locks in ZooKeeper.
struct SimLocks(Link);

struct Held {
    link: Link,
    instance: usize,
    number: u64,
}

impl Drop for Held {
    fn drop(&mut self) {
        let (instance, number) = (self.instance, self.number);
        self.link.with(|world| {
            // A process that died gives nothing back: its session has to end first.
            if world.actors[self.link.actor].life == self.link.life {
                world.free_lock(instance, number);
            }
        });
    }
}

#[async_trait]
impl Locks for SimLocks {
    async fn acquire(&self, name: &str, wait: Duration) -> Result<LockGuard, LockError> {
        let until = Instant::now() + wait;
        let actor = self.0.actor;
        let fate = self.0.call(Class::Lock).await;
        let unavailable = || LockError::Unavailable {
            name: name.to_owned(),
            reason: "ZooKeeper does not answer".to_owned(),
        };
        if fate == Fate::Failed {
            return Err(unavailable());
        }
        let prefix = format!("{}.", name.trim_start_matches("/bounce/"));
        loop {
            let (instance, reaches, taken) = self.0.with(|world| {
                let instance = world.instances.iter().position(|it| it.prefix == prefix).unwrap_or(0);
                let reaches = world.reaches_zk(actor);
                (instance, reaches, if reaches { world.take_lock(actor, instance) } else { None })
            });
            if let Some(number) = taken {
                let held = Held { link: self.0.clone(), instance, number };
                self.0.answered(fate).await;
                return Ok(LockGuard::new(held));
            }
            let slept = timeout_at(until, sleep(Duration::from_millis(250))).await;
            self.0.runs().await;
            if slept.is_err() {
                return Err(if reaches { LockError::Held { name: name.to_owned() } } else { unavailable() });
            }
        }
    }
}

/// Builds the drain methods of the instances.
struct SimDrains(Link);

impl Drains for SimDrains {
    fn build(&self, _: &Map, _: bool, place: &DrainPlace) -> Result<Box<dyn DrainMethod>, DrainConfigError> {
        let id = InstanceId::new(place.service.clone(), place.instance.clone());
        let kind = self.0.with(|world| {
            let index = world.instances.iter().position(|it| it.conf.id == id).unwrap_or(0);
            world.actors[self.0.actor].looks[index].goal.drain
        });
        Ok(match kind {
            DrainKind::Noop => Box::new(Noop),
            DrainKind::Hacheck { delay, expiration } => {
                Box::new(Hacheck { link: self.0.clone(), delay, expiration })
            }
        })
    }
}

/// Says what `noop` of `paasta-drain` says.
struct Noop;

#[async_trait]
impl DrainMethod for Noop {
    fn timing(&self) -> DrainTiming {
        DrainTiming { delay_seconds: Some(0.0), expiration_seconds: None }
    }

    async fn drain(&self, _: &Task, _: Timestamp) -> Result<(), DrainError> {
        Ok(())
    }

    async fn stop_draining(&self, _: &Task) -> Result<(), DrainError> {
        Ok(())
    }

    async fn status(&self, _: &Task) -> Result<DrainStatus, DrainError> {
        Ok(DrainStatus { state: DrainState::Serving, safe: SafeToKill::Now })
    }
}

/// The hachecks of all hosts (marathon-and-bounce.md §6.2, §7).
struct Hacheck {
    link: Link,
    delay: f64,
    expiration: f64,
}

fn refused() -> DrainError {
    DrainError::Other("hacheck does not answer".to_owned())
}

impl Hacheck {
    /// Whether the hacheck of that task answers; if not, that is remembered.
    async fn reach(&self, task: &Task) -> Result<Fate, DrainError> {
        let fate = self.link.call(Class::Hacheck).await;
        let actor = self.link.actor;
        let (down, slow) = self.link.with(|world| {
            let now = world.now;
            let Some(host) = world.hosts.iter().find(|host| host.name == task.host) else {
                return (true, false);
            };
            let (down, slow) = (now < host.down_until, now < host.slow_until || host.unreachable);
            if (down || slow)
                && let Some((home, app, task)) = world.locate(&task.id)
            {
                world.homes[home][app].tasks[task].unanswered[actor] = now;
            }
            (down, slow)
        });
        if slow {
            sleep(Duration::from_millis(HACHECK_MILLIS.unsigned_abs())).await;
        }
        if down || slow { Err(refused()) } else { Ok(fate) }
    }

    fn tell(&self, task: &Task, what: &str, until: Option<i64>) {
        let actor = self.link.actor;
        self.link.with(|world| {
            let Some((home, app, index)) = world.locate(&task.id) else { return };
            let instance = world.homes[home][app].instance;
            if instance == FOREIGN {
                return world.violate(
                    FOREIGN,
                    "no kill of a task not ours",
                    format!("{} is drained", task.id),
                );
            }
            tell!(world, instance, "actor {actor}: {what} {}", task.id);
            world.judge_told(actor, instance, what);
            let before = world.serving(actor, instance);
            let clock = world.agent_clock(world.homes[home][app].tasks[index].host);
            let it = &mut world.homes[home][app].tasks[index];
            // What had run out is forgotten; what had not keeps its beginning.
            let running = it.drain.filter(|spool| spool.until > clock);
            if let (Some(spool), None) = (it.drain, running) {
                it.drain_lost_at = it.drain_lost_at.max(spool.until - clock + world.now);
            }
            let since = running.map_or(clock, |spool| spool.since);
            it.drain = until.map(|until| Spool { since, until });
            world.judge_capacity(actor, instance, before, what);
        });
    }
}

#[async_trait]
impl DrainMethod for Hacheck {
    fn timing(&self) -> DrainTiming {
        DrainTiming { delay_seconds: Some(self.delay), expiration_seconds: Some(self.expiration) }
    }

    async fn drain(&self, task: &Task, now: Timestamp) -> Result<(), DrainError> {
        let fate = self.reach(task).await?;
        self.tell(task, "drained", Some(now.plus_seconds(self.expiration).millis()));
        self.link.answered(fate).await;
        Ok(())
    }

    async fn stop_draining(&self, task: &Task) -> Result<(), DrainError> {
        let fate = self.reach(task).await?;
        self.tell(task, "undrained", None);
        self.link.answered(fate).await;
        Ok(())
    }

    async fn status(&self, task: &Task) -> Result<DrainStatus, DrainError> {
        let fate = self.reach(task).await?;
        let drained = self.link.with(|world| {
            let (host, spool) = match world.locate(&task.id) {
                Some((home, app, index)) => {
                    let it = &world.homes[home][app].tasks[index];
                    (it.host, it.drain?)
                }
                None => *world.spools.get(&task.id.as_str().rsplit('.').next()?.parse().ok()?)?,
            };
            (spool.until > world.agent_clock(host)).then_some(spool)
        });
        self.link.answered(fate).await;
        let seconds = |millis| Some(Timestamp::from_millis(millis).seconds());
        let answer = match drained {
            None => SpoolAnswer::Up,
            Some(spool) => SpoolAnswer::Down(SpoolEntry {
                state: "down".to_owned(),
                since: seconds(spool.since),
                until: seconds(spool.until),
                reason: Some(REASON.to_owned()),
            }),
        };
        Ok(summarize(&[answer], self.delay))
    }
}
