//! What must always hold, judged by the truth. What a fault took away since a pass had looked is not blamed on the
//! pass; everything else is.

use paasta_core::{Action, AppId};

use crate::config::{DrainKind, Goal};
use crate::marathon::MApp;
use crate::trace::ALL;
use crate::world::{BY_HAND, EPOCH, Loss, World, tell};
use paasta_bounce::MarginFactor;

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Milliseconds since the beginning of the run.
    pub at: i64,
    /// Which instance, by number; [`usize::MAX`] for none.
    pub instance: usize,
    /// Which promise.
    pub rule: &'static str,
    /// How.
    pub what: String,
}

/// What a listing was worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Not asked in this pass.
    #[default]
    Not,
    Fresh,
    Stale,
    Empty,
    Failed,
}

/// What a pass goes by.
#[derive(Clone, Debug, Default)]
pub(crate) struct Look {
    /// It is under way.
    pub(crate) open: bool,
    pub(crate) started: i64,
    /// How old what it knows is.
    pub(crate) at: i64,
    /// The same of each home.
    pub(crate) read_at: [i64; 2],
    pub(crate) seen: [Seen; 2],
    /// Whether the wanted app was in its listing.
    pub(crate) saw_wanted: bool,
    pub(crate) created: bool,
    pub(crate) goal: Goal,
}

/// Tasks that serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Serving {
    new: usize,
    old: usize,
}

impl World {
    /// The tasks of an instance that serve, as far as an actor has to reckon with them: tasks of other versions that it
    /// could not ask are no capacity (marathon-and-bounce.md §6.4), nor are those that were drained when it looked and
    /// got their traffic back by a fault, nor those that began to serve after it had looked: what nobody could see
    /// nobody decides by, and the floor is that of what was seen (§4.8, 4 and 17).
    pub(crate) fn serving(&self, actor: usize, instance: usize) -> Serving {
        let Some(look) = self.actors[actor].looks.get(instance) else { return Serving { new: 0, old: 0 } };
        let mut serving = Serving { new: 0, old: 0 };
        for (home, apps) in self.homes.iter().enumerate() {
            for app in apps.iter().filter(|app| app.instance == instance) {
                let new = app.id == look.goal.app && home == look.goal.home;
                for task in &app.tasks {
                    let drain_lost = self.drain_lost_at(task) > look.at;
                    // One that cannot be reached counts for the wanted version by its last results (§4.4).
                    let unreachable =
                        new && task.is_unreachable() && app.healthy(task) && !self.is_drained(task);
                    let counts = unreachable || self.serves(app, task);
                    let asked = new || task.unanswered[actor] < look.started;
                    let unseen = task.serves_since() > look.read_at[home];
                    if counts && asked && !drain_lost && !unseen {
                        *(if new { &mut serving.new } else { &mut serving.old }) += 1;
                    }
                }
            }
        }
        serving
    }

    /// When a drain last ended by no doing of ours: it was forgotten, or ran out.
    fn drain_lost_at(&self, task: &crate::marathon::MTask) -> i64 {
        let ran_out = task
            .drain
            .map(|spool| spool.until - EPOCH - self.hosts[task.host].skew)
            .filter(|at| *at <= self.now)
            .unwrap_or(-1);
        ran_out.max(task.drain_lost_at)
    }

    /// After something that an actor did: whether more serving tasks went than the method allows.
    pub(crate) fn judge_capacity(&mut self, actor: usize, instance: usize, before: Serving, by: &str) {
        let after = self.serving(actor, instance);
        if after.new >= before.new && after.old >= before.old {
            return;
        }
        let Some(look) = self.actors[actor].looks.get(instance) else { return };
        let lost = |new: bool| {
            let seen = |loss: &&Loss| loss.at > look.at && loss.served_since <= look.read_at[loss.home];
            let losses = self.instances[instance].losses.iter().filter(seen);
            let lost = losses.filter(|loss| !new || self.is_wanted(loss.app, &look.goal)).count();
            // A stale listing shows tasks that were killed since: nobody can tell them from tasks that serve.
            // Also those that went in the very millisecond in which it was taken.
            let shown = self.instances[instance].ends.iter().filter(|at| **at >= look.at).count();
            lost + if look.seen.contains(&Seen::Stale) { shown } else { 0 }
        };
        let goal = look.goal.clone();
        let broken = match goal.method {
            "crossover" => {
                let needed = MarginFactor::new(goal.margin).unwrap_or_default().needed(goal.instances);
                (after.new + after.old + lost(false) < needed).then_some(needed)
            }
            "upthendown" => (after.new + lost(true) < goal.instances).then_some(goal.instances),
            _ => None,
        };
        if let Some(needed) = broken {
            let what = format!(
                "{} new and {} old tasks serve after a task was {by}, {} and {} before; {} of {needed} lost otherwise",
                after.new,
                after.old,
                before.new,
                before.old,
                lost(goal.method == "upthendown")
            );
            self.violate(
                instance,
                "healthy capacity never below the method's floor through our own doing",
                what,
            );
        }
    }

    fn is_wanted(&self, serial: u32, goal: &Goal) -> bool {
        // An app that is gone was no wanted one, or it does not matter.
        let wanted = |app: &&MApp| app.serial == serial && app.id == goal.app;
        self.homes[goal.home].iter().any(|app| wanted(&app))
    }

    /// Before a task is killed by what an actor asked for.
    pub(crate) fn judge_kill(&mut self, actor: usize, home: usize, app: usize, task: usize) {
        let it = &self.homes[home][app];
        let (instance, victim) = (it.instance, &it.tasks[task]);
        let Some(look) = self.actors[actor].looks.get(instance) else {
            let what = format!("{} was killed by actor {actor}", victim.wire.id);
            return self.violate(ALL, "no kill of a task not ours", what);
        };
        let DrainKind::Hacheck { delay, .. } = look.goal.drain else { return };
        // One that did not run when it was looked at needs no drain (§4.8, 9).
        if !victim.is_running() || victim.running_since > look.at || look.seen[home] == Seen::Stale {
            return;
        }
        let unanswered = victim.unanswered[actor] >= look.started;
        let lost = self.drain_lost_at(victim) > look.at;
        let jumped = self.actors[actor].clock_jumped_at >= look.started;
        let waited = victim.drain.map(|spool| self.wall(actor) - spool.since);
        let drained = waited.is_some_and(|waited| waited as f64 > delay * 1000.0 - 5.0);
        if !(unanswered || lost || jumped || drained) {
            let what = format!("{} of {} was killed after {waited:?} ms of its drain", victim.wire.id, it.id);
            self.violate(instance, "no old task killed undrained unless its drain failed or expired", what);
        }
    }

    /// Before an app is created.
    pub(crate) fn judge_create(&mut self, actor: usize, instance: usize, home: usize, id: &AppId) {
        let look = self.actors[actor].looks[instance].clone();
        let lives = |app: &&MApp| app.instance == instance && (!app.tasks.is_empty() || app.instances > 0);
        let apps: Vec<&MApp> = self.homes.iter().flatten().filter(lives).collect();
        // What a listing hid nobody could spare.
        let misled = look.seen.iter().any(|seen| matches!(seen, Seen::Stale | Seen::Empty));
        if look.goal.method == "downthenup" && !apps.is_empty() && !misled {
            let what = format!("{id} was created while {} has {} tasks", apps[0].id, apps[0].tasks.len());
            return self.violate(instance, "downthenup never overlaps", what);
        }
        let most = self.instances[instance].targets.len().max(1) + 1;
        let count = apps.len() + 1;
        if count > most && !misled {
            let what = format!("{count} versions live, {} were wanted since all was well", most - 1);
            return self.violate(instance, "at most two live versions unless re-targeted", what);
        }
        if *id != look.goal.app || home != look.goal.home {
            let what = format!("{id} was created in the place of {}", look.goal.app);
            self.violate(instance, "only what is wanted is created", what);
        }
    }

    /// Before an actor begins a change.
    pub(crate) fn judge_action(&mut self, actor: usize, action: &Action) {
        let (home, apps): (_, Vec<&AppId>) = match action {
            Action::Create { home, app, .. }
            | Action::Scale { home, app, .. }
            | Action::Delete { home, app } => (home, vec![app]),
            Action::KillAndShrink { home, kills } => (home, kills.iter().map(|kill| &kill.app).collect()),
        };
        let home = usize::from(home.as_str() != crate::world::HOMES[0]);
        for app in apps {
            let Some(instance) = self.owner(app) else {
                return self.violate(
                    ALL,
                    "no kill of a task not ours",
                    format!("{app} is changed by actor {actor}"),
                );
            };
            let look = self.actors[actor].looks[instance].clone();
            if !look.open {
                let what = format!("actor {actor} changes {app} outside of a pass");
                return self.violate(instance, "no kill of a task not ours", what);
            }
            if actor != BY_HAND && self.zk.leader() != Some(actor) {
                let what = format!("daemon {actor} changes {app}, and {:?} leads", self.zk.leader());
                return self.violate(instance, "one acting leader", what);
            }
            if self.calm
                && self.instances[instance].converged_at.is_some_and(|at| at > self.calm_since)
                && self.judged
            {
                let what = format!("actor {actor}: {action:?}");
                return self.violate(instance, "stable inputs, zero mutations", what);
            }
            match action {
                Action::Create { .. } => {
                    if look.created {
                        self.violate(
                            instance,
                            "at most one create per id and decision",
                            format!("{app} again"),
                        );
                    } else if look.saw_wanted && look.seen[home] == Seen::Fresh {
                        let what = format!("{app} was listed and is created");
                        self.violate(instance, "at most one create per id and decision", what);
                    }
                    self.actors[actor].looks[instance].created = true;
                }
                Action::Scale { instances, .. } => {
                    let there = self.homes[home].iter().find(|it| it.id == *app).map(|it| it.instances);
                    let shrinks = there.is_some_and(|there| *instances < there);
                    self.judge_blind(&look, instance, home, shrinks, app);
                }
                _ => self.judge_blind(&look, instance, home, true, app),
            }
        }
    }

    /// Whether an app is made smaller by a pass that saw nothing of its home.
    fn judge_blind(&mut self, look: &Look, instance: usize, home: usize, shrinks: bool, app: &AppId) {
        let blind = matches!(look.seen[home], Seen::Empty | Seen::Failed | Seen::Not);
        let failed = look.seen.contains(&Seen::Failed);
        if shrinks && (blind || failed) {
            let what = format!("{app} is made smaller after {:?}", look.seen);
            self.violate(instance, "an empty or failed read never shrinks a fleet", what);
        }
    }

    /// A drain call in a time in which nothing changes.
    pub(crate) fn judge_told(&mut self, actor: usize, instance: usize, what: &str) {
        if self.calm && self.judged {
            let what = format!("actor {actor}: {what}");
            self.violate(instance, "stable inputs, zero mutations", what);
        }
    }

    /// Notes which instances are as wanted, so that versions are counted anew.
    pub(crate) fn note_convergence(&mut self, instance: usize) {
        let it = &self.instances[instance];
        if it.converged_at.is_some() || !it.conf.present || it.conf.broken.is_some() {
            return;
        }
        let goal = it.conf.goal();
        if self.has_converged(instance, &goal).is_ok() {
            tell!(self, instance, "as wanted: {} x {}", goal.app, goal.instances);
            self.instances[instance].converged_at = Some(self.now);
            self.instances[instance].targets.clear();
            if self.calm {
                self.judge_time(instance);
            }
            self.instances[instance].targets.insert(goal.app);
        }
    }

    /// The time is up by which everything has to be as wanted.
    pub(crate) fn judge_convergence(&mut self) {
        for instance in 0..self.instances.len() {
            let conf = &self.instances[instance].conf;
            if !conf.present || conf.broken.is_some() {
                continue;
            }
            let goal = conf.goal();
            self.note_convergence(instance);
            if let Err(what) = self.has_converged(instance, &goal) {
                let after = (self.now - self.calm_since) / 1000;
                let what = format!("{after} s after the last fault and change: {what}");
                self.violate(instance, "after faults stop, everything converges", what);
            }
        }
        self.judge_shown();
        self.judged = true;
    }

    /// How long it took after the last fault and change until all was as wanted.
    fn judge_time(&mut self, instance: usize) {
        let it = &self.instances[instance];
        let took = self.now - self.calm_since.max(it.retargeted_at);
        let most = self.bounds.converged(it.conf.drain);
        self.longest_convergence = self.longest_convergence.max(took);
        if took > most {
            let what = format!("it took {took} ms, and {most} are enough");
            self.violate(instance, "after faults stop, everything converges", what);
        }
    }
}
