//! Everything that is not ours: Marathon, agents, hacheck, ZooKeeper, files, and what people do to them. One value,
//! moved on by its own events and by what daemons ask of it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use paasta_core::{App, AppId, Change as EngineChange, Standing};
use paasta_deployd::CountChange;
use tokio::sync::mpsc;

use crate::bounds::Bounds;
use crate::config::Conf;
use crate::daemon::settings;
use crate::judge::{Look, Violation};
use crate::kinds::{Change, Fault, Tally};
use crate::marathon::{MApp, Spool};
use crate::rng::Rng;
use crate::schedule::Item;
use crate::trace::{ALL, Trace};
use crate::zookeeper::Zk;

/// What a virtual clock shows at the beginning, in milliseconds since 1970.
pub(crate) const EPOCH: i64 = 1_700_000_000_000;
/// The Marathon servers.
pub(crate) const HOMES: [&str; 2] = ["a", "b"];
/// The agents.
pub(crate) const HOSTS: usize = 8;
/// Two daemons, and whoever runs a pass by hand.
pub(crate) const ACTORS: usize = 3;
/// The actor that runs passes by hand.
pub(crate) const BY_HAND: usize = 2;
/// The instance of apps that are nobody's.
pub(crate) const FOREIGN: usize = usize::MAX - 1;

/// Something that will happen by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    /// The `n`th entry of the schedule.
    Item(usize),
    Launch {
        home: usize,
        app: u32,
    },
    Started {
        home: usize,
        app: u32,
        task: u64,
    },
    Checked {
        home: usize,
        app: u32,
        task: u64,
    },
    Gone {
        home: usize,
        app: u32,
        task: u64,
    },
    FlapEnds {
        home: usize,
        app: u32,
        task: u64,
    },
    HostReplaced {
        host: usize,
    },
    HostBack {
        host: usize,
    },
    HostStays {
        host: usize,
    },
    /// The session ends unless it was heard of again.
    Expire {
        actor: usize,
        session: u64,
    },
    Doubt {
        actor: usize,
        since: i64,
    },
    Contact {
        actor: usize,
    },
    Elect,
    Resume {
        actor: usize,
    },
    ClockRight {
        actor: usize,
    },
    LockFree {
        instance: usize,
        holder: u64,
    },
    Dirty {
        service: usize,
    },
    /// Whoever pushed a tag tells all daemons.
    Nudge {
        service: usize,
    },
    Mended {
        instance: usize,
    },
    /// Somebody notices that a version does not become healthy.
    Noticed {
        instance: usize,
    },
    EventsBack,
    JudgeReported {
        instance: usize,
        since: i64,
    },
    JudgeTags,
    Judge,
}

/// One machine with its hacheck.
#[derive(Clone, Debug, Default)]
pub(crate) struct Host {
    pub(crate) name: String,
    /// How far its clock is from the true time, in milliseconds.
    pub(crate) skew: i64,
    pub(crate) leaving: bool,
    pub(crate) unreachable: bool,
    pub(crate) down_until: i64,
    pub(crate) slow_until: i64,
}

/// One process that acts.
#[derive(Debug, Default)]
pub(crate) struct Actor {
    /// Which life of it this is; what an earlier one still asks is never answered.
    pub(crate) life: u64,
    pub(crate) frozen: bool,
    /// How far its wall clock is from the true time, in milliseconds.
    pub(crate) clock_offset: i64,
    pub(crate) clock_jumped_at: i64,
    /// Services whose files changed since its last sweep.
    pub(crate) dirty: BTreeSet<usize>,
    /// It has not been told yet that there are any.
    pub(crate) files_stirred: bool,
    pub(crate) changes: Option<mpsc::UnboundedSender<EngineChange>>,
    pub(crate) standing: Option<mpsc::UnboundedSender<Standing>>,
    pub(crate) counts: Option<mpsc::UnboundedSender<CountChange>>,
    /// Per instance, what its pass under way, or its last one, went by.
    pub(crate) looks: Vec<Look>,
}

/// A task that served, and was lost by no doing of ours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loss {
    pub(crate) at: i64,
    pub(crate) home: usize,
    /// Of which app.
    pub(crate) app: u32,
    pub(crate) served_since: i64,
}

/// One instance as it is configured, and what is remembered of it to judge by.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) conf: Conf,
    /// What app ids of it begin with.
    pub(crate) prefix: String,
    /// Versions wanted since it last had converged.
    pub(crate) targets: BTreeSet<AppId>,
    /// Tasks that served and were lost by no doing of ours.
    pub(crate) losses: Vec<Loss>,
    /// When tasks of it were killed, by whomever.
    pub(crate) ends: Vec<i64>,
    /// Per home, an earlier listing.
    pub(crate) earlier: [Option<(i64, Vec<App>)>; 2],
    /// Since when all is as wanted.
    pub(crate) converged_at: Option<i64>,
    /// When what is wanted last changed.
    pub(crate) retargeted_at: i64,
    /// When its settings were broken last.
    pub(crate) broken_since: i64,
}

pub(crate) struct World {
    /// Milliseconds since the beginning.
    pub(crate) now: i64,
    /// Lets the world vary.
    pub(crate) rng: Rng,
    /// Says which calls go wrong.
    pub(crate) luck: Rng,
    /// Faults that are left out.
    pub(crate) without: BTreeSet<Fault>,
    pub(crate) schedule: Vec<Item>,
    pub(crate) calm: bool,
    pub(crate) calm_since: i64,
    pub(crate) judged: bool,
    pub(crate) trace: Trace,
    pub(crate) tally: Tally,
    pub(crate) homes: [Vec<MApp>; 2],
    pub(crate) hosts: Vec<Host>,
    pub(crate) instances: Vec<Instance>,
    pub(crate) actors: [Actor; ACTORS],
    pub(crate) zk: Zk,
    /// What hachecks still hold of tasks that are gone: host and entry.
    pub(crate) spools: BTreeMap<u64, (usize, Spool)>,
    /// Per home, until when it does not answer.
    pub(crate) home_down_until: [i64; 2],
    pub(crate) disk_full_until: i64,
    pub(crate) events_lost_until: i64,
    pub(crate) files_missed_until: i64,
    pub(crate) launch_slow_until: i64,
    pub(crate) violation: Option<Violation>,
    pub(crate) bounds: Bounds,
    /// Passes by hand that are asked for.
    pub(crate) by_hand: Vec<usize>,
    /// Files changed, and whoever waits for that is to be told.
    pub(crate) files_stirred: bool,
    /// A daemon runs again.
    pub(crate) stirred: bool,
    /// Per daemon, what it tells of itself.
    pub(crate) shown: [Option<paasta_deployd::Handle>; 2],
    pub(crate) serial: u32,
    pub(crate) task_serial: u64,
    heap: BinaryHeap<Reverse<(i64, u64, Event)>>,
    sequence: u64,
    /// Whether something happens earlier than was known.
    pub(crate) sooner: bool,
    pub(crate) longest_convergence: i64,
}

/// One line of the trace.
macro_rules! tell {
    ($world:expr, $instance:expr, $($text:tt)*) => {
        $world.trace.line($world.now, $instance, format_args!($($text)*))
    };
}
pub(crate) use tell;

impl World {
    pub(crate) fn new(seed: u64, instances: Vec<Instance>, schedule: Vec<Item>) -> Self {
        let mut rng = Rng::new(seed, 1);
        let hosts = (0..HOSTS)
            .map(|n| Host { name: format!("h{n}"), skew: rng.within(-300, 300), ..Host::default() })
            .collect();
        let looks = vec![Look::default(); instances.len()];
        let actor = || Actor { looks: looks.clone(), clock_jumped_at: -1, ..Actor::default() };
        let mut world = Self {
            now: 0,
            rng,
            luck: Rng::new(seed, 2),
            without: BTreeSet::new(),
            schedule,
            calm: false,
            calm_since: 0,
            judged: false,
            trace: Trace::new(),
            tally: Tally::default(),
            homes: [Vec::new(), Vec::new()],
            hosts,
            zk: Zk::new(instances.len()),
            instances,
            spools: BTreeMap::new(),
            actors: [actor(), actor(), actor()],
            home_down_until: [0, 0],
            disk_full_until: 0,
            events_lost_until: 0,
            files_missed_until: 0,
            launch_slow_until: 0,
            violation: None,
            bounds: Bounds::of(&settings()),
            by_hand: Vec::new(),
            files_stirred: false,
            stirred: false,
            shown: [None, None],
            serial: 0,
            task_serial: 0,
            heap: BinaryHeap::new(),
            sequence: 0,
            sooner: false,
            longest_convergence: 0,
        };
        for index in 0..world.schedule.len() {
            let at = world.schedule[index].at;
            world.at(at, Event::Item(index));
        }
        world.add_foreign_apps();
        world
    }

    /// Lets something happen then.
    pub(crate) fn at(&mut self, at: i64, event: Event) {
        self.sequence += 1;
        self.sooner |= self.heap.peek().is_none_or(|Reverse((first, _, _))| at < *first);
        self.heap.push(Reverse((at, self.sequence, event)));
    }

    pub(crate) fn after(&mut self, millis: i64, event: Event) {
        self.at(self.now + millis, event);
    }

    /// When the next thing happens by itself.
    pub(crate) fn next_at(&self) -> Option<i64> {
        self.heap.peek().map(|Reverse((at, _, _))| *at)
    }

    /// Lets happen what is due.
    pub(crate) fn go_on(&mut self) {
        while let Some(Reverse((at, _, _))) = self.heap.peek()
            && *at <= self.now
            && let Some(Reverse((_, _, event))) = self.heap.pop()
        {
            self.happen(event);
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Item(index) => self.carry_out(index),
            Event::Launch { home, app } => self.launch(home, app),
            Event::Started { home, app, task } => self.started(home, app, task),
            Event::Checked { home, app, task } => self.checked(home, app, task),
            Event::Gone { home, app, task } => self.gone(home, app, task),
            Event::FlapEnds { home, app, task } => self.flap_ends(home, app, task),
            Event::HostReplaced { host } => self.host_replaced(host),
            Event::HostBack { host } => self.host_back(host),
            Event::HostStays { host } => self.host_stays(host),
            Event::Expire { actor, session } => self.expire(actor, session),
            Event::Doubt { actor, since } => self.doubt(actor, since),
            Event::Contact { actor } => self.contact(actor),
            Event::Elect => self.elect(),
            Event::Resume { actor } => self.resume(actor),
            Event::ClockRight { actor } => self.set_clock(actor, 0),
            Event::LockFree { instance, holder } => self.free_lock(instance, holder),
            Event::Dirty { service } => self.dirty_now(service),
            Event::Nudge { service } => self.nudge(service),
            Event::Mended { instance } => self.mend(instance),
            Event::Noticed { instance } => self.notice(instance),
            Event::EventsBack => self.events_back(),
            Event::JudgeReported { instance, since } => self.judge_reported(instance, since),
            Event::JudgeTags => self.judge_tags(),
            Event::Judge => self.judge_convergence(),
        }
    }

    /// Whether a fault may happen, and if so it is counted.
    pub(crate) fn fault(&mut self, fault: Fault) -> bool {
        if self.calm || self.without.contains(&fault) {
            return false;
        }
        self.tally.fault(fault);
        true
    }

    pub(crate) fn changed(&mut self, change: Change) {
        self.tally.change(change);
    }

    /// Tells both daemons that an app changed, unless that is lost.
    pub(crate) fn tell_engine_change(&mut self, app: &AppId) {
        if self.now < self.events_lost_until {
            return;
        }
        for actor in &self.actors {
            if let Some(changes) = &actor.changes {
                // Nobody listens while a daemon is down.
                let _ = changes.send(EngineChange::App(app.clone()));
            }
        }
    }

    /// Keeps the handle of a daemon that runs.
    pub(crate) fn show(&mut self, actor: usize, handle: Option<paasta_deployd::Handle>) {
        self.shown[actor] = handle;
    }

    /// As the hook for pushed tags does. Daemons that are down hear nothing.
    fn nudge(&mut self, service: usize) {
        let Some(name) = self.service_name(service) else { return };
        self.changed(Change::Nudge);
        for handle in self.shown.iter().flatten() {
            // One that has ended, or has too much to do, finds the tag by itself.
            let _ = handle.nudge(name.clone());
        }
    }

    /// Whoever listens hears again, and that something was lost.
    pub(crate) fn events_back(&mut self) {
        for actor in &self.actors {
            if let Some(changes) = &actor.changes {
                let _ = changes.send(EngineChange::Lost);
            }
            if let Some(counts) = &actor.counts {
                let _ = counts.send(CountChange::Lost);
            }
        }
    }

    /// Moves the wall clock of a daemon that many milliseconds away from the true time.
    pub(crate) fn set_clock(&mut self, actor: usize, offset: i64) {
        self.actors[actor].clock_offset = offset;
        self.actors[actor].clock_jumped_at = self.now;
        tell!(self, ALL, "daemon {actor}: its clock is {offset} ms off");
    }

    /// Whether a Marathon does not answer now.
    pub(crate) fn is_home_down(&self, home: usize) -> bool {
        self.now < self.home_down_until[home]
    }

    /// The wall clock of an actor.
    pub(crate) fn wall(&self, actor: usize) -> i64 {
        EPOCH + self.now + self.actors[actor].clock_offset
    }

    /// The first violation is the one that is told.
    pub(crate) fn violate(&mut self, instance: usize, rule: &'static str, what: String) {
        if self.violation.is_none() {
            tell!(self, instance, "VIOLATION: {rule}: {what}");
            self.violation = Some(Violation { at: self.now, instance, rule, what });
        }
    }
}
