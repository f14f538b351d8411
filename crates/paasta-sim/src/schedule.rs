//! A day: what people change and what breaks when, and what each of that does.

use paasta_core::Health;
use paasta_deployd::CountChange;

use crate::bounds::FILES_LATE_MILLIS;
use crate::config::Broken;
use crate::kinds::{Change, Fault};
use crate::rng::Rng;
use crate::trace::ALL;
use crate::world::{Event, HOMES, World, tell};

/// Milliseconds of a day.
pub(crate) const DAY: i64 = 86_400_000;
/// Blocks of a day; in each there is a time of changes and faults, and then a time of calm.
const BLOCKS: i64 = 6;
/// How long the calm of a block is.
const CALM: i64 = 2_000_000;
/// Changes of a day.
const CHANGES: usize = 250;
/// Things that break in a day, besides the calls that go wrong.
const BREAKAGES: usize = 200;

/// So many of a thousand tags are told to the daemons.
const NUDGED: u64 = 700;

/// Something that happens in a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) at: i64,
    pub(crate) what: What,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Change { instance: usize, change: Change },
    Fault(Fault, usize),
    Calm,
    Storm,
}

/// The schedule of so many days.
pub(crate) fn schedule(seed: u64, days: u32, instances: usize) -> Vec<Item> {
    let mut rng = Rng::new(seed, 3);
    let mut items = Vec::new();
    for day in 0..i64::from(days) {
        let begin = day * DAY;
        let block = DAY / BLOCKS;
        for number in 0..BLOCKS {
            items.push(Item { at: begin + number * block, what: What::Storm });
            let calm = begin + (number + 1) * block - CALM;
            items.push(Item { at: calm, what: What::Calm });
            // A last change, to an instance that somebody else works on at that moment.
            let instance = rng.below(instances);
            items.push(Item { at: calm - 6000, what: What::Fault(Fault::LockHeld, instance) });
            items.push(Item { at: calm - 5000, what: What::Change { instance, change: Change::Edit } });
        }
        let any_time = |rng: &mut Rng| {
            let number = rng.within(0, BLOCKS);
            begin + number * block + rng.within(100_000, block - CALM - 1000)
        };
        for _ in 0..CHANGES {
            let at = any_time(&mut rng);
            let instance = rng.below(instances);
            let change = change(&mut rng);
            items.push(Item { at, what: What::Change { instance, change } });
            if matches!(change, Change::Deploy) && rng.chance(400) {
                let at = at + rng.within(62_000, 130_000);
                items.push(Item { at, what: What::Change { instance, change: Change::Retarget } });
            }
        }
        for _ in 0..BREAKAGES {
            let at = any_time(&mut rng);
            let (fault, which) = (breakage(&mut rng), rng.below(instances));
            items.push(Item { at, what: What::Fault(fault, which) });
        }
    }
    items.sort_by_key(|item| item.at);
    items
}

fn change(rng: &mut Rng) -> Change {
    use Change::*;
    let all = [
        Deploy,
        Deploy,
        Deploy,
        Deploy,
        Deploy,
        Deploy,
        Revert,
        Edit,
        Edit,
        Edit,
        Stop,
        Start,
        ScaleUp,
        ScaleDown,
        Autoscale,
        Method,
        Margin,
        Move,
        Remove,
        Add,
        Maintenance,
        Maintenance,
        ByHand,
        ByHand,
    ];
    all[rng.below(all.len())]
}

fn breakage(rng: &mut Rng) -> Fault {
    use Fault::*;
    let all = [
        TaskDied,
        TaskDied,
        TaskDied,
        TaskFlapped,
        TaskFlapped,
        NeverHealthy,
        LaunchDelayed,
        MarathonDown,
        AgentUnreachable,
        AgentUnreachable,
        AgentGone,
        HacheckDown,
        HacheckDown,
        HacheckSlow,
        HacheckForgot,
        HacheckForgot,
        LockHeld,
        LockHeld,
        LockHeld,
        ZkPartition,
        ZkPartition,
        Paused,
        Paused,
        ClockJump,
        ClockJump,
        DiskFull,
        EventsLost,
        EventsLost,
        FilesMissed,
        Broken,
        Poison,
    ];
    all[rng.below(all.len())]
}

impl World {
    pub(crate) fn carry_out(&mut self, index: usize) {
        match self.schedule[index].what {
            What::Calm => self.calm_begins(),
            What::Storm => self.storm_begins(),
            What::Change { instance, change } if !self.calm => self.change(instance, change),
            What::Fault(fault, which) if !self.calm => self.break_something(fault, which),
            What::Change { .. } | What::Fault(..) => {}
        }
    }

    fn change(&mut self, instance: usize, change: Change) {
        let bouncing = self.instances[instance].converged_at.is_none();
        let is_present = self.instances[instance].conf.present;
        let mut done = change;
        let conf = &mut self.instances[instance].conf;
        match change {
            Change::Add | Change::Remove => {
                done = if is_present { Change::Remove } else { Change::Add };
                conf.present = !is_present;
            }
            _ if !is_present => {
                done = Change::Add;
                conf.present = true;
            }
            Change::Deploy | Change::Retarget => {
                done = if bouncing { Change::Retarget } else { Change::Deploy };
                conf.tagged += 1;
            }
            Change::Revert => conf.tagged = conf.tagged.saturating_sub(1).max(1),
            Change::Edit => conf.edit += 1,
            Change::Stop | Change::Start => {
                done = if conf.stop_tagged { Change::Start } else { Change::Stop };
                conf.stop_tagged = !conf.stop_tagged;
            }
            Change::ScaleUp => conf.instances = (conf.instances + 1).min(7),
            Change::ScaleDown => conf.instances = (conf.instances - 1).max(1),
            Change::Autoscale => match conf.count {
                Some(count) => conf.count = Some(1 + (count + 2) % 6),
                None => conf.instances = 1 + (conf.instances + 2) % 6,
            },
            Change::Method => {
                // One instance is taken down by its method from time to time.
                let all = ["brutal", "crossover", "downthenup", "upthendown", "down"];
                let methods = if conf.service == 5 { &all[..] } else { &all[..4] };
                let at = methods.iter().position(|method| *method == conf.method).unwrap_or(0);
                conf.method = methods[(at + 1) % methods.len()];
            }
            Change::Margin => conf.margin = if conf.margin == 1.0 { 0.6 } else { 1.0 },
            Change::Move => {
                if !conf.moves {
                    return;
                }
                conf.home = 1 - conf.home;
            }
            Change::Maintenance => return self.maintain(),
            // Comes with the change that pushes a tag, below.
            Change::Nudge => return,
            Change::ByHand => {
                self.changed(Change::ByHand);
                return self.by_hand.push(instance);
            }
        }
        self.changed(done);
        self.instances[instance].conf.wanted = None;
        tell!(self, instance, "change: {}", done.name());
        self.retargeted(instance);
        let tags =
            matches!(done, Change::Deploy | Change::Retarget | Change::Revert | Change::Stop | Change::Start);
        if done == Change::Autoscale && self.instances[instance].conf.count.is_some() {
            self.count_change(instance);
        } else if !tags {
            self.files_change(instance);
        } else if self.rng.chance(NUDGED) {
            let (service, late) = (self.instances[instance].conf.service, self.rng.within(50, 3000));
            self.after(late, Event::Nudge { service });
        }
    }

    /// Both daemons hear of an autoscaled count, unless that is lost.
    fn count_change(&mut self, instance: usize) {
        let id = &self.instances[instance].conf.id;
        if self.now >= self.events_lost_until {
            for counts in self.actors.iter().filter_map(|actor| actor.counts.as_ref()) {
                // Nobody listens while a daemon is down.
                let _ = counts.send(CountChange::Of(id.clone()));
            }
        }
    }

    /// Notes what is wanted now.
    pub(crate) fn retargeted(&mut self, instance: usize) {
        let app = self.instances[instance].conf.app();
        self.instances[instance].targets.insert(app);
        self.instances[instance].converged_at = None;
        self.instances[instance].retargeted_at = self.now;
    }

    /// Sooner or later both daemons find that files changed.
    fn files_change(&mut self, instance: usize) {
        let service = self.instances[instance].conf.service;
        if self.now < self.files_missed_until {
            let late = self.rng.within(5_000, FILES_LATE_MILLIS);
            return self.after(late, Event::Dirty { service });
        }
        self.dirty_now(service);
    }

    pub(crate) fn dirty_now(&mut self, service: usize) {
        for actor in &mut self.actors {
            actor.dirty.insert(service);
            actor.files_stirred = true;
        }
        self.files_stirred = true;
    }

    fn maintain(&mut self) {
        let host = self.rng.below(self.hosts.len());
        let others = self.hosts.iter().filter(|host| host.unreachable || host.leaving).count();
        let it = &mut self.hosts[host];
        if it.leaving {
            it.leaving = false;
        } else if others < 2 && !it.unreachable {
            it.leaving = true;
        } else {
            return;
        }
        let leaving = it.leaving;
        self.changed(Change::Maintenance);
        tell!(self, ALL, "host h{host} {}", if leaving { "is about to leave" } else { "stays" });
        for instance in 0..self.instances.len() {
            self.instances[instance].converged_at = None;
        }
    }

    fn break_something(&mut self, fault: Fault, which: usize) {
        let length = self.rng.within(5_000, 120_000);
        let (host, actor) = (which % self.hosts.len(), which % 2);
        let until = self.now + length;
        match fault {
            Fault::TaskDied => self.task_dies(),
            Fault::TaskFlapped => self.task_flaps(),
            Fault::AgentUnreachable => self.host_fails(false),
            Fault::AgentGone => self.host_fails(true),
            Fault::HacheckForgot => self.hacheck_forgets(),
            Fault::LockHeld => self.hold_lock(which),
            Fault::ZkPartition => self.partition(actor),
            Fault::Paused => self.pause(actor),
            Fault::NeverHealthy => self.make_sick(which),
            Fault::Broken => self.break_config(which, Broken::Unreadable),
            Fault::Poison => self.break_config(which, Broken::Poison),
            _ if !self.fault(fault) => {}
            Fault::MarathonDown => self.home_fails(which % 2),
            Fault::HacheckDown => self.hosts[host].down_until = until,
            Fault::HacheckSlow => self.hosts[host].slow_until = until,
            Fault::LaunchDelayed => self.launch_slow_until = until,
            Fault::DiskFull => self.disk_full_until = until,
            Fault::FilesMissed => self.files_missed_until = until,
            Fault::EventsLost => {
                self.events_lost_until = until;
                self.after(length, Event::EventsBack);
            }
            Fault::ClockJump => {
                let by = self.rng.within(-40_000, 40_000);
                self.set_clock(actor, by);
                self.after(length, Event::ClockRight { actor });
            }
            _ => {}
        }
        if matches!(fault, Fault::HacheckDown | Fault::HacheckSlow | Fault::DiskFull | Fault::FilesMissed) {
            tell!(self, ALL, "{} for {length} ms (h{host})", fault.name());
        }
    }

    /// A Marathon is away for minutes: nothing is listed, changed or told meanwhile, and tasks live on.
    fn home_fails(&mut self, home: usize) {
        let length = self.rng.within(60_000, 900_000);
        tell!(self, ALL, "Marathon {} is away for {length} ms", HOMES[home]);
        self.home_down_until[home] = self.now + length;
        self.events_lost_until = self.events_lost_until.max(self.now + length);
        self.after(length, Event::EventsBack);
    }

    /// The next version of an instance never becomes healthy.
    fn make_sick(&mut self, instance: usize) {
        if !self.instances[instance].conf.present || !self.fault(Fault::NeverHealthy) {
            return;
        }
        let conf = &mut self.instances[instance].conf;
        conf.edit += 1;
        conf.sick = Some(conf.app());
        conf.wanted = None;
        tell!(self, instance, "change: a version that never becomes healthy");
        self.retargeted(instance);
        self.files_change(instance);
        let length = self.rng.within(60_000, 900_000);
        self.after(length, Event::Noticed { instance });
    }

    /// People replace a version that does not become healthy, unless they have already.
    pub(crate) fn notice(&mut self, instance: usize) {
        let conf = &self.instances[instance].conf;
        if conf.sick == Some(conf.app()) && conf.present && !self.calm {
            self.change(instance, Change::Edit);
        }
    }

    fn break_config(&mut self, instance: usize, how: Broken) {
        let fault = if how == Broken::Poison { Fault::Poison } else { Fault::Broken };
        if self.instances[instance].conf.broken.is_some() || !self.fault(fault) {
            return;
        }
        self.instances[instance].conf.broken = Some(how);
        self.instances[instance].broken_since = self.now;
        let (reported, since) = (self.bounds.reported, self.now);
        self.after(reported, Event::JudgeReported { instance, since });
        self.instances[instance].conf.wanted = None;
        self.instances[instance].converged_at = None;
        tell!(self, instance, "its settings are broken: {how:?}");
        self.files_change(instance);
        let length = self.rng.within(60_000, 900_000);
        self.after(length, Event::Mended { instance });
    }

    pub(crate) fn mend(&mut self, instance: usize) {
        if self.instances[instance].conf.broken.take().is_some() {
            tell!(self, instance, "its settings are mended");
            self.instances[instance].conf.wanted = None;
            self.files_change(instance);
        }
    }

    /// The faults stop, and so do the changes: what was broken is mended.
    pub(crate) fn calm_begins(&mut self) {
        tell!(self, ALL, "calm begins");
        self.calm = true;
        self.judged = false;
        self.calm_since = self.now;
        self.home_down_until = [0, 0];
        (self.disk_full_until, self.files_missed_until, self.launch_slow_until) = (0, 0, 0);
        if self.now < self.events_lost_until {
            self.events_lost_until = 0;
            self.events_back();
        }
        for host in 0..self.hosts.len() {
            (self.hosts[host].down_until, self.hosts[host].slow_until) = (0, 0);
            self.hosts[host].leaving = false;
            self.host_back(host);
        }
        for actor in 0..2 {
            self.set_clock(actor, 0);
            self.resume(actor);
            self.contact(actor);
        }
        for instance in 0..self.instances.len() {
            self.mend(instance);
            self.instances[instance].converged_at = None;
            self.heal(instance);
        }
        self.stirred = true;
        self.after(self.bounds.regenerated, Event::JudgeTags);
        let converged = self.bounds.all(self.instances.iter().map(|it| it.conf.drain));
        self.after(converged, Event::Judge);
    }

    /// Checks that failed succeed again, also those of a version that was sick.
    fn heal(&mut self, instance: usize) {
        self.instances[instance].conf.sick = None;
        for home in 0..self.homes.len() {
            for app in 0..self.homes[home].len() {
                if self.homes[home][app].instance != instance {
                    continue;
                }
                self.homes[home][app].sick = false;
                let serial = self.homes[home][app].serial;
                let dead = self.homes[home][app].tasks.iter().filter(|task| task.wire.health == Health::Dead);
                let dead: Vec<u64> = dead.map(|task| task.number).collect();
                for task in dead {
                    self.after(2000, Event::Checked { home, app: serial, task });
                }
            }
        }
    }

    pub(crate) fn storm_begins(&mut self) {
        tell!(self, ALL, "changes and faults begin");
        self.calm = false;
        self.judged = false;
    }
}
