//! What goes wrong with tasks, agents and their hachecks.

use paasta_core::{Health, TaskPhase};

use crate::kinds::Fault;
use crate::marathon::Cause;
use crate::world::{Event, FOREIGN, HOMES, HOSTS, Loss, World, tell};

impl World {
    /// Notes that a task was lost by no doing of ours, if it served.
    pub(crate) fn lose(&mut self, home: usize, app: usize, task: usize) {
        let it = &self.homes[home][app];
        let counted = self.serves(it, &it.tasks[task]) || it.tasks[task].is_unreachable();
        let (instance, app, served_since) = (it.instance, it.serial, it.tasks[task].serves_since());
        if counted && let Some(own) = self.instances.get_mut(instance) {
            let now = self.now;
            own.losses.retain(|loss| now - loss.at < 300_000);
            own.losses.push(Loss { at: now, home, app, served_since });
        }
    }

    /// A task anywhere, by luck; ours only.
    fn any_task(&mut self) -> Option<(usize, usize, usize)> {
        let mut all = Vec::new();
        for home in 0..HOMES.len() {
            for (app, it) in self.homes[home].iter().enumerate().filter(|(_, it)| it.instance != FOREIGN) {
                let runs = it.tasks.iter().enumerate().filter(|(_, task)| task.is_running());
                all.extend(runs.map(|(task, _)| (home, app, task)));
            }
        }
        if all.is_empty() { None } else { Some(all[self.rng.below(all.len())]) }
    }

    pub(crate) fn task_dies(&mut self) {
        let Some((home, app, task)) = self.any_task() else { return };
        if !self.fault(Fault::TaskDied) {
            return;
        }
        self.lose(home, app, task);
        let back_off = self.rng.within(1000, 20_000);
        let it = &mut self.homes[home][app];
        let dead = it.tasks.remove(task);
        it.back_off_until = self.now + back_off;
        let instance = it.instance;
        tell!(self, instance, "task {} died", dead.wire.id);
        self.resize(home, app, Cause::Fault);
    }

    pub(crate) fn task_flaps(&mut self) {
        let Some((home, app, task)) = self.any_task() else { return };
        if !self.homes[home][app].has_checks || !self.fault(Fault::TaskFlapped) {
            return;
        }
        self.lose(home, app, task);
        let length = self.rng.within(3000, 60_000);
        let it = &mut self.homes[home][app];
        it.tasks[task].wire.health = Health::Dead;
        let (serial, number, instance, id) =
            (it.serial, it.tasks[task].number, it.instance, it.tasks[task].wire.id.clone());
        tell!(self, instance, "task {id} fails its checks");
        self.after(length, Event::FlapEnds { home, app: serial, task: number });
        let id = self.homes[home][app].id.clone();
        self.tell_engine_change(&id);
    }

    pub(crate) fn flap_ends(&mut self, home: usize, serial: u32, number: u64) {
        let Some((app, task)) = self.find_task(home, serial, number) else { return };
        let it = &mut self.homes[home][app];
        if !it.sick && !it.tasks[task].is_dying() {
            it.tasks[task].wire.health = Health::Alive;
            it.tasks[task].healthy_since = self.now;
            let id = it.id.clone();
            self.tell_engine_change(&id);
        }
    }

    pub(crate) fn host_fails(&mut self, for_good: bool) {
        let host = self.rng.below(HOSTS);
        let others = self.hosts.iter().filter(|host| host.unreachable || host.leaving).count();
        let kind = if for_good { Fault::AgentGone } else { Fault::AgentUnreachable };
        if self.hosts[host].unreachable || others > 1 || !self.fault(kind) {
            return;
        }
        tell!(self, crate::trace::ALL, "host h{host} cannot be reached");
        self.hosts[host].unreachable = true;
        self.each_on(host, |world, home, app, task| {
            world.lose(home, app, task);
            let it = &mut world.homes[home][app].tasks[task];
            if it.is_running() {
                it.wire.phase = TaskPhase::Unreachable;
            }
        });
        self.after(20_000, Event::HostReplaced { host });
        let back = self.rng.within(10_000, 300_000);
        if !for_good {
            self.after(back, Event::HostBack { host });
        } else {
            self.after(240_000, Event::HostStays { host });
        }
    }

    fn each_on(&mut self, host: usize, mut act: impl FnMut(&mut World, usize, usize, usize)) {
        for home in 0..HOMES.len() {
            for app in 0..self.homes[home].len() {
                for task in 0..self.homes[home][app].tasks.len() {
                    if self.homes[home][app].tasks[task].host == host {
                        act(self, home, app, task);
                    }
                }
            }
        }
    }

    /// Marathon starts tasks in the place of those that cannot be reached.
    pub(crate) fn host_replaced(&mut self, host: usize) {
        if !self.hosts[host].unreachable {
            return;
        }
        for home in 0..HOMES.len() {
            for app in 0..self.homes[home].len() {
                self.resize(home, app, Cause::Fault);
            }
        }
    }

    pub(crate) fn host_back(&mut self, host: usize) {
        if !self.hosts[host].unreachable {
            return;
        }
        tell!(self, crate::trace::ALL, "host h{host} is back");
        self.hosts[host].unreachable = false;
        self.each_on(host, |world, home, app, task| {
            let now = world.now;
            let it = &mut world.homes[home][app].tasks[task];
            if it.is_unreachable() {
                it.wire.phase = TaskPhase::Running;
                it.running_since = now;
            }
        });
        for home in 0..HOMES.len() {
            for app in 0..self.homes[home].len() {
                self.resize(home, app, Cause::Fault);
            }
        }
    }

    /// A host that was lost for good is replaced by an empty one of the same name.
    pub(crate) fn host_stays(&mut self, host: usize) {
        if !self.hosts[host].unreachable {
            return;
        }
        tell!(self, crate::trace::ALL, "host h{host} is replaced");
        self.hosts[host].unreachable = false;
        for home in 0..HOMES.len() {
            for app in 0..self.homes[home].len() {
                let lost: Vec<usize> = (0..self.homes[home][app].tasks.len())
                    .rev()
                    .filter(|task| self.homes[home][app].tasks[*task].host == host)
                    .filter(|task| self.homes[home][app].tasks[*task].is_unreachable())
                    .collect();
                for task in lost {
                    self.lose(home, app, task);
                    self.homes[home][app].tasks.remove(task);
                }
                self.resize(home, app, Cause::Fault);
            }
        }
    }

    pub(crate) fn hacheck_forgets(&mut self) {
        let host = self.rng.below(HOSTS);
        if !self.fault(Fault::HacheckForgot) {
            return;
        }
        tell!(self, crate::trace::ALL, "the hacheck of h{host} forgot what was drained");
        let now = self.now;
        self.each_on(host, |world, home, app, task| {
            let it = &mut world.homes[home][app].tasks[task];
            if it.drain.take().is_some() {
                it.drain_lost_at = now;
            }
        });
    }
}
