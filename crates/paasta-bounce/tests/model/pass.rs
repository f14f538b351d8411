//! A pass of `paasta-setup`, one remote call at a time, around the real decisions.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use paasta_bounce::*;
use paasta_core::*;

use crate::defects::Defect;
use crate::world::{AppModel, Broken, Ids, Life, TaskModel, Traffic, World};

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_600_000_000_000);

/// How tasks lose traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Habit {
    /// Down, and safe some time after that.
    Hacheck,
    /// Nothing is told, and killing is always safe.
    Noop,
}

/// What every pass of one model works with.
pub(crate) struct Setting {
    pub(crate) method: &'static str,
    pub(crate) instances: u8,
    pub(crate) margin: f64,
    pub(crate) habit: Habit,
    pub(crate) defect: Option<Defect>,
}

/// How a call was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Answer {
    Done,
    /// It took effect, and nobody heard.
    LostAfter,
    /// It never arrived, and nobody heard.
    LostBefore,
    Refused,
}

impl Answer {
    fn takes_effect(self) -> bool {
        matches!(self, Answer::Done | Answer::LostAfter)
    }

    fn outcome(self) -> Outcome {
        match self {
            Answer::Done => Outcome::Applied(Applied::Done),
            Answer::LostAfter | Answer::LostBefore => {
                Outcome::Applied(Applied::Unknown("no answer".to_owned()))
            }
            Answer::Refused => Outcome::Failed("refused".to_owned()),
        }
    }
}

/// A remote call that is still to be made.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Call {
    Create(u8),
    Scale(u8, u8),
    Drain(u8),
    Undrain(u8),
    /// Per version, the tasks.
    Kill(Vec<(u8, Vec<u8>)>),
    Delete(u8),
}

/// A plan that is being carried out. Two plans that do the same are the same.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    plan: Arc<Plan>,
    key: u64,
}

impl PartialEq for Planned {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Planned {}

impl Hash for Planned {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}

impl Planned {
    fn new(plan: Plan) -> Self {
        let mut hasher = DefaultHasher::new();
        plan.create.is_some().hash(&mut hasher);
        for scale in &plan.scale {
            (scale.place.app.as_str(), scale.instances).hash(&mut hasher);
        }
        for drain in &plan.drain {
            (drain.task.as_str(), drain.renewal).hash(&mut hasher);
        }
        for tasks in [&plan.undrain, &plan.ask_safe, &plan.not_running] {
            tasks.iter().map(TaskId::as_str).collect::<Vec<_>>().hash(&mut hasher);
        }
        for app in &plan.apps {
            (app.place.app.as_str(), app.old, app.instances).hash(&mut hasher);
            app.tasks.iter().map(TaskId::as_str).collect::<Vec<_>>().hash(&mut hasher);
        }
        Self { key: hasher.finish(), plan: Arc::new(plan) }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PassUnderWay {
    /// What this pass wants, whatever is wanted by now.
    target: u8,
    pub(crate) calls: Vec<Call>,
    /// Until it is settled.
    planned: Option<Planned>,
    scaled: Vec<Answer>,
    /// Tasks that are safe to kill as far as this pass knows.
    safe: Ids,
    not_running: Ids,
    /// Tasks that were told to drain, and those whose call failed.
    told: Ids,
    failed: Ids,
    pub(crate) expired: Ids,
    pub(crate) seen: Ids,
    /// What has to serve, less what others took since this pass looked; zero where nothing is promised of it.
    pub(crate) floor: u8,
    /// Old tasks that serve and have to go on doing so.
    to_stay: Ids,
}

impl PassUnderWay {
    /// Whether the plan is still needed, and with it the names in it.
    pub(crate) fn is_planned(&self) -> bool {
        self.planned.is_some()
    }

    /// All that tells a task from others for the rest of this pass.
    pub(crate) fn marks(&self, id: u8) -> [bool; 7] {
        let killed = self.calls.iter().any(|call| match call {
            Call::Kill(kills) => kills.iter().any(|(_, ids)| ids.contains(&id)),
            _ => false,
        });
        let sets = [self.not_running, self.told, self.failed, self.expired, self.seen, self.to_stay];
        let [a, b, c, d, e, f] = sets.map(|set| set.has(id));
        [a, b, c, d, e, f, killed]
    }

    /// Gives tasks new names; a task without one is gone.
    pub(crate) fn rename(&mut self, name: impl Fn(u8) -> Option<u8>) {
        let sets = [
            &mut self.not_running,
            &mut self.told,
            &mut self.failed,
            &mut self.expired,
            &mut self.seen,
            &mut self.to_stay,
        ];
        sets.into_iter().for_each(|set| *set = set.iter().filter_map(&name).collect());
        for call in &mut self.calls {
            if let Call::Kill(kills) = call {
                for (_, ids) in kills {
                    *ids = ids.iter().copied().filter_map(&name).collect();
                    ids.sort_unstable();
                }
            }
        }
    }
}

fn task_id(id: u8) -> TaskId {
    TaskId::new(format!("t{id:02}"))
}

fn number(id: &TaskId) -> u8 {
    id.as_str().trim_start_matches('t').parse().expect("our own name")
}

fn app_id(version: u8) -> AppId {
    AppId::new(format!("svc.main.git{version}.config{version}"))
}

fn version(app: &AppId) -> u8 {
    app.as_str().bytes().last().map(|digit| digit - b'0').expect("our own name")
}

impl Setting {
    pub(crate) fn desired(&self, target: u8) -> Desired {
        Desired {
            app: app_id(target),
            homes: Homes { current: HomeId::new("home"), previous: vec![] },
            instances: usize::from(self.instances),
            method: method(self.method).expect("a method"),
            margin: MarginFactor::new(self.margin).expect("a margin"),
            health: HealthParams::default(),
        }
    }

    pub(crate) fn promise(&self) -> Promise {
        method(self.method).expect("a method").promise()
    }

    fn needed(&self) -> u8 {
        let needed = MarginFactor::new(self.margin).expect("a margin").needed(usize::from(self.instances));
        u8::try_from(needed).expect("a small number")
    }

    pub(crate) fn observed(&self, world: &World, unanswered: Option<u8>) -> Observed {
        let home = HomeId::new("home");
        let apps = world.apps.iter().map(|app| app_seen(app, &home)).collect();
        let state = |task: &TaskModel| match task.traffic {
            _ if unanswered == Some(task.id) => DrainState::Unknown("no answer".to_owned()),
            Traffic::Serving => DrainState::Serving,
            Traffic::Draining | Traffic::Drained => DrainState::Draining,
        };
        Observed {
            sighting: Sighting {
                homes: BTreeMap::from([(home, Reading::Known(apps))]),
                leaving_hosts: Reading::Known(BTreeSet::from(["leaving".to_owned()])),
            },
            drains: world.tasks().map(|task| (task_id(task.id), state(task))).collect(),
            discovery: BTreeMap::new(),
        }
    }

    /// Looks, decides, and begins. Nothing begins where there is nothing to call.
    pub(crate) fn observe(&self, world: &mut World, unanswered: Option<u8>) {
        let desired = self.desired(world.target);
        let observed = self.observed(world, unanswered);
        let plan = plan(&desired, &observed, NOW);
        let plan = match self.defect {
            None => {
                if check(&desired, &observed, &plan, NOW).is_err() {
                    world.broken = Some(Broken::Checker);
                }
                plan
            }
            // The checker is left out: the model has to see it by itself.
            Some(defect) => defect.plant(plan, &desired, &observed),
        };
        let fresh = |id: u8| plan.drain.iter().any(|drain| !drain.renewal && drain.task == task_id(id));
        let drained = |task: &&TaskModel| {
            self.habit == Habit::Noop || (task.traffic == Traffic::Drained && !fresh(task.id))
        };
        // An old task that does not answer is no capacity to the method, and a wanted one is (marathon-and-bounce.md
        // §6.4); either way the count may be wrong by that one.
        let unheard = u8::from(unanswered.is_some());
        let (new, serving) = (world.serving(Some(world.target)), world.serving(None));
        let floor = if self.promise() == Promise::Floor { self.needed().min(serving) } else { 0 };
        let stay = self.promise() == Promise::NewFirst && new + unheard < self.instances;
        let old = world.apps.iter().filter(|app| stay && app.version != world.target);
        let to_stay = old.flat_map(|app| &app.tasks).filter(|t| t.serves()).map(|t| t.id).collect();
        let mut calls = vec![];
        calls.extend(plan.create.as_ref().map(|place| Call::Create(version(&place.app))));
        let count = |count| u8::try_from(count).expect("a small number");
        calls.extend(plan.scale.iter().map(|s| Call::Scale(version(&s.place.app), count(s.instances))));
        calls.extend(plan.drain.iter().filter(|drain| !drain.renewal).map(|d| Call::Drain(number(&d.task))));
        calls.extend(plan.undrain.iter().map(|task| Call::Undrain(number(task))));
        let pass = PassUnderWay {
            target: world.target,
            calls,
            scaled: vec![],
            safe: world.tasks().filter(drained).map(|task| task.id).collect(),
            not_running: plan.not_running.iter().map(number).collect(),
            told: Ids::default(),
            failed: Ids::default(),
            expired: Ids::default(),
            seen: world.tasks().map(|task| task.id).collect(),
            floor: floor.saturating_sub(unheard),
            to_stay,
            planned: Some(Planned::new(plan)),
        };
        world.pass = Some(pass);
        self.go_on(world);
    }

    /// Makes the next call of the pass.
    pub(crate) fn call(&self, world: &mut World, answer: Answer) {
        let Some(pass) = &mut world.pass else { return };
        let call = pass.calls.remove(0);
        let before = world.clone();
        if answer.takes_effect() {
            self.take_effect(world, &call);
            self.judge_capacity(world, &before);
        }
        let Some(pass) = &mut world.pass else { return };
        match call {
            Call::Create(_) | Call::Kill(_) if answer != Answer::Done => world.end_pass(),
            Call::Scale(..) => pass.scaled.push(answer),
            Call::Drain(id) => {
                pass.told.insert(id);
                if answer != Answer::Done {
                    pass.failed.insert(id);
                }
            }
            Call::Create(_) | Call::Kill(_) | Call::Undrain(_) | Call::Delete(_) => {}
        }
        self.go_on(world);
    }

    /// Settles once the first half is through, and ends the pass once nothing is left.
    fn go_on(&self, world: &mut World) {
        if let Some(pass) = &mut world.pass
            && pass.calls.is_empty()
            && let Some(planned) = pass.planned.take()
            && !settle_pass(pass, &planned.plan, self.habit, self.defect.is_none())
        {
            world.broken = Some(Broken::Checker);
        }
        if world.pass.as_ref().is_some_and(|pass| pass.calls.is_empty()) {
            world.end_pass();
        }
        world.tidy();
    }

    fn take_effect(&self, world: &mut World, call: &Call) {
        match call {
            Call::Create(version) => self.create(world, *version),
            Call::Scale(version, instances) => {
                let seen = world.pass.as_ref().map(|pass| pass.seen).unwrap_or_default();
                let Some(app) = world.app(*version).filter(|app| !app.deleting) else { return };
                let running = |app: &AppModel| {
                    let seen = app.tasks.iter().filter(|task| seen.has(task.id));
                    seen.filter(|task| matches!(task.life, Life::Running | Life::Healthy)).count()
                };
                let before = running(app);
                app.instances = *instances;
                app.shrink();
                if running(app) < before {
                    world.broken = Some(Broken::KilledUndrained);
                }
            }
            Call::Drain(id) => {
                if self.habit == Habit::Hacheck
                    && let Some(task) = world.task(*id).filter(|task| task.life != Life::Killing)
                {
                    task.traffic = Traffic::Draining;
                }
            }
            Call::Undrain(id) => {
                if let Some(task) = world.task(*id) {
                    task.traffic = Traffic::Serving;
                }
            }
            Call::Kill(kills) => {
                for (version, ids) in kills {
                    ids.iter().for_each(|id| self.kill(world, *version, *id));
                }
            }
            Call::Delete(version) => {
                let seen = world.pass.as_ref().map(|pass| pass.seen).unwrap_or_default();
                let Some(app) = world.app(*version) else { return };
                let left = app.tasks.iter().any(|task| task.life != Life::Killing && seen.has(task.id));
                (app.deleting, app.instances) = (true, 0);
                app.shrink();
                if left {
                    world.broken = Some(Broken::DeletedWithTasks);
                }
            }
        }
    }

    fn create(&self, world: &mut World, version: u8) {
        if world.apps.iter().any(|app| app.version == version) {
            world.broken = Some(Broken::CreatedTwice);
            return;
        }
        let old = world.apps.iter().any(|app| app.instances > 0 || !app.tasks.is_empty());
        if old && self.promise() == Promise::OldFirst {
            world.broken = Some(Broken::CreatedTooEarly);
        }
        world.apps.push(AppModel { version, instances: self.instances, deleting: false, tasks: vec![] });
        world.apps.sort();
    }

    fn kill(&self, world: &mut World, version: u8, id: u8) {
        let Some(pass) = world.pass.clone() else { return };
        let Some(app) = world.app(version) else { return };
        let Some(task) = app.tasks.iter_mut().find(|task| task.id == id && task.life != Life::Killing) else {
            return;
        };
        let runs = matches!(task.life, Life::Running | Life::Healthy);
        let drained = match self.habit {
            Habit::Hacheck => task.traffic == Traffic::Drained || pass.expired.has(id),
            Habit::Noop => pass.told.has(id),
        };
        *task = TaskModel::killed(id);
        app.instances = app.instances.saturating_sub(1);
        let wanted = version == pass.target && app.instances < self.instances;
        if runs && !drained && !pass.failed.has(id) && !pass.not_running.has(id) {
            world.broken = Some(Broken::KilledUndrained);
        }
        if wanted {
            world.broken = Some(Broken::KilledWanted);
        }
    }

    /// Holds what serves after a call of ours against what served when the pass looked. What came after that is nothing
    /// that the pass could count on.
    fn judge_capacity(&self, world: &mut World, before: &World) {
        let Some(pass) = &world.pass else { return };
        let staying =
            |world: &World| world.tasks().filter(|task| pass.to_stay.has(task.id) && task.serves()).count();
        let serving = world.serving(None);
        let below = serving < before.serving(None) && serving < pass.floor;
        if below || staying(world) < staying(before) {
            world.broken = Some(Broken::Floor);
        }
    }
}

/// The second half: what is killed and deleted. False if the checker refuses it.
fn settle_pass(pass: &mut PassUnderWay, plan: &Plan, habit: Habit, checked: bool) -> bool {
    let safety = |task: &TaskId| {
        let id = number(task);
        // A drain that failed is not asked further; after one that went well only time makes a task safe.
        match (pass.failed.has(id), habit) {
            (true, _) => None,
            (false, Habit::Noop) => Some(Safety::Safe),
            (false, Habit::Hacheck) if pass.safe.has(id) => Some(Safety::Safe),
            (false, Habit::Hacheck) => Some(Safety::NotYet { until: None }),
        }
    };
    let told = |drain: &&Drain| pass.told.has(number(&drain.task));
    let drained = |drain: &Drain| match pass.failed.has(number(&drain.task)) {
        true => (drain.task.clone(), Err("no answer".to_owned())),
        false => (drain.task.clone(), Ok(())),
    };
    let outcomes = Outcomes {
        create: plan.create.as_ref().map(|_| Outcome::Applied(Applied::Done)),
        scale: pass.scaled.iter().map(|answer| answer.outcome()).collect(),
        drain: plan.drain.iter().filter(told).map(drained).collect(),
        safety: plan.ask_safe.iter().filter_map(|task| Some((task.clone(), safety(task)?))).collect(),
    };
    let settled = settle(plan, &outcomes, NOW);
    for home in &settled.kill {
        let kills = home.kills.iter().map(|k| (version(&k.app), k.tasks.iter().map(number).collect()));
        pass.calls.push(Call::Kill(kills.collect()));
    }
    pass.calls.extend(settled.delete.iter().map(|place| Call::Delete(version(&place.app))));
    pass.scaled.clear();
    pass.safe = Ids::default();
    !checked || check_settled(plan, &outcomes, &settled).is_ok()
}

fn app_seen(app: &AppModel, home: &HomeId) -> App {
    let id = app_id(app.version);
    let task = |task: &TaskModel| Task {
        id: task_id(task.id),
        app: id.clone(),
        host: if task.leaving { "leaving" } else { "host" }.to_owned(),
        ports: vec![31000],
        phase: match task.life {
            Life::Staging => TaskPhase::Staging,
            Life::Running | Life::Healthy => TaskPhase::Running,
            Life::Killing => TaskPhase::Killing,
        },
        staged_at: None,
        started_at: (task.life != Life::Staging).then_some(NOW),
        health: if task.life == Life::Healthy { Health::Alive } else { Health::Dead },
    };
    App {
        tasks: app.tasks.iter().map(task).collect(),
        id: app_id(app.version),
        home: home.clone(),
        instances: usize::from(app.instances),
        checks: Some(CheckTiming { grace_seconds: 60.0, interval_seconds: 10.0 }),
        deploying: app.deleting,
        launch: None,
        last_failure: None,
    }
}
