//! The pass against Marathon, in every order in which its calls, the engine's steps and faults can come.
//!
//! `stateright` visits every state that can be reached from the beginning of a bounce with at most two faults: tasks
//! die, checks flap, answers get lost, calls are refused, drains expire, hosts are about to leave, somebody wants
//! another version, the pass is killed between two calls. In each state the promises of marathon-and-bounce.md §4.8
//! must hold, and from each the world must come to rest, once nothing goes wrong any more.
//!
//! Calls that a pass makes at once are made here in one order: each concerns an app or a task of its own.
//!
//! Two things are no promise, as nobody can keep them. A task that an old app started after the pass looked may go, as
//! it is first to go when that app's slack is taken up. And a task whose hacheck does not answer makes the count of
//! what serves wrong by one: it may have been drained by a pass before (marathon-and-bounce.md §6.4).

mod defects;
mod pass;
mod world;

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use paasta_bounce::{Promise, plan};
use stateright::{Checker, HasDiscoveries, Model, Property};

use defects::Defect;
use pass::{Answer, Habit, NOW, Setting};
use world::{Broken, Life, Traffic, World};

/// Rounds until all is at rest. In a round everything that can go on in the engine goes on by one step, and a pass is
/// run; the pass under way is finished first.
///
/// A task comes in three rounds (launched, started, healthy) and goes in two (its drain is over, so that it is killed;
/// it is gone). The longest way has one going and one coming after each other, which makes five, one round in which
/// the app between them is created, and one in which a task is told something else than the last pass told it. Fewer
/// are not enough for `crossover`, so a planner that grew slower by one round would be found.
const ROUNDS_MAX: usize = 7;

struct Bounce {
    setting: Setting,
    faults: u8,
    /// The last version that may be wanted.
    versions: u8,
    /// Per state without a pass under way, the rounds until all is at rest, for each order of a round.
    rest: [Mutex<HashMap<World, usize>>; 2],
    rounds: AtomicUsize,
}

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Observe,
    /// Nothing comes back from this task's hacheck.
    ObserveUnanswered(u8),
    Call(Answer),
    Launch(u8),
    Advance(u8),
    DelayOver(u8),
    Die(u8),
    Flap(u8),
    Expire(u8),
    Leave(u8),
    Retarget(u8),
    Crash,
}

impl Model for Bounce {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        vec![World::before_a_bounce(self.setting.instances, self.faults)]
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        if world.broken.is_some() {
            return;
        }
        match &world.pass {
            None => steps.push(Step::Observe),
            Some(_) => steps.push(Step::Call(Answer::Done)),
        }
        steps.extend(world.apps.iter().filter(|app| World::can_launch(app)).map(|a| Step::Launch(a.version)));
        for task in world.tasks() {
            if task.life != Life::Healthy {
                steps.push(Step::Advance(task.id));
            }
            if task.traffic == Traffic::Draining {
                steps.push(Step::DelayOver(task.id));
            }
        }
        if world.faults_left > 0 {
            self.faults(world, steps);
        }
    }

    fn next_state(&self, world: &World, step: Step) -> Option<World> {
        let mut next = world.clone();
        match step {
            Step::Observe => self.setting.observe(&mut next, None),
            Step::Call(Answer::Done) => self.setting.call(&mut next, Answer::Done),
            Step::Launch(version) => next.launch(version),
            Step::Advance(id) => next.advance(id),
            Step::DelayOver(id) => next.task(id)?.traffic = Traffic::Drained,
            _ => {
                next.faults_left -= 1;
                self.fault(&mut next, step);
            }
        }
        next.tidy();
        (next != *world).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut all = vec![
            Property::<Self>::always("the plan checker agrees", |_, world| kept(world, Broken::Checker)),
            Property::<Self>::always("capacity stays above the floor", |_, world| kept(world, Broken::Floor)),
            Property::<Self>::always("nothing that may serve is killed", |_, world| {
                kept(world, Broken::KilledUndrained)
            }),
            Property::<Self>::always("what is wanted is not killed", |_, world| {
                kept(world, Broken::KilledWanted)
            }),
            Property::<Self>::always("an app with tasks is not deleted", |_, world| {
                kept(world, Broken::DeletedWithTasks)
            }),
            Property::<Self>::always("an app is created once", |_, world| kept(world, Broken::CreatedTwice)),
            Property::<Self>::always("downthenup creates when all is gone", |_, world| {
                kept(world, Broken::CreatedTooEarly)
            }),
            Property::<Self>::always("two versions live at most", |_, world| {
                world.live_versions() <= if world.target > 1 { 3 } else { 2 }
            }),
            Property::<Self>::always("it comes to rest", |model, world| {
                world.broken.is_some() || model.comes_to_rest(world)
            }),
        ];
        if self.setting.promise() == Promise::NeverCreates {
            all.push(Property::<Self>::always("nothing is created", |_, world| {
                world.apps.iter().all(|app| app.version == 0)
            }));
        }
        if self.setting.method == "downthenup" {
            all.push(Property::<Self>::always("downthenup has one version at a time", |_, world| {
                world.apps.iter().filter(|app| !app.tasks.is_empty()).count() <= 1
            }));
        }
        all
    }
}

fn kept(world: &World, broken: Broken) -> bool {
    world.broken != Some(broken)
}

impl Bounce {
    fn new(method: &'static str, habit: Habit) -> Self {
        let setting = Setting { method, instances: 2, margin: 1.0, habit, defect: None };
        Self { setting, faults: 2, versions: 1, rest: Default::default(), rounds: AtomicUsize::new(0) }
    }

    fn faults(&self, world: &World, steps: &mut Vec<Step>) {
        if world.pass.is_some() {
            steps.extend([Answer::LostAfter, Answer::LostBefore, Answer::Refused].map(Step::Call));
            steps.push(Step::Crash);
        }
        let leaving = world.tasks().any(|task| task.leaving);
        for task in world.tasks().filter(|task| task.life != Life::Killing) {
            steps.push(Step::Die(task.id));
            if task.life == Life::Healthy {
                steps.push(Step::Flap(task.id));
            }
            if task.traffic != Traffic::Serving {
                steps.push(Step::Expire(task.id));
            }
            if !leaving {
                steps.push(Step::Leave(task.id));
            }
            if world.pass.is_none() && self.setting.habit == Habit::Hacheck {
                steps.push(Step::ObserveUnanswered(task.id));
            }
        }
        // Back to the version before, or on to the next one.
        let others = if self.versions > 1 { 2..=self.versions } else { 0..=1 };
        steps.extend(others.filter(|version| *version != world.target).map(Step::Retarget));
    }

    fn fault(&self, world: &mut World, step: Step) {
        match step {
            Step::ObserveUnanswered(id) => self.setting.observe(world, Some(id)),
            Step::Call(answer) => self.setting.call(world, answer),
            Step::Die(id) => world.die(id),
            Step::Flap(id) => world.flap(id),
            Step::Expire(id) => world.expire(id),
            Step::Leave(id) => world.leave(id),
            Step::Retarget(version) => world.target = version,
            Step::Crash => world.end_pass(),
            Step::Observe | Step::Launch(_) | Step::Advance(_) | Step::DelayOver(_) => {}
        }
    }

    /// Lets the world go on without faults in two fair orders: a pass per round, and two passes before the engine gets
    /// to anything.
    fn comes_to_rest(&self, world: &World) -> bool {
        let mut calm = World { faults_left: 0, ..world.clone() };
        self.finish_pass(&mut calm);
        calm.broken.is_none()
            && [1, 2].into_iter().zip(&self.rest).all(|(passes, known)| {
                let rounds = self.rounds_to_rest(calm.clone(), passes, known);
                self.rounds.fetch_max(rounds, Ordering::Relaxed);
                rounds <= ROUNDS_MAX
            })
    }

    fn rounds_to_rest(&self, mut world: World, passes: usize, known: &Mutex<HashMap<World, usize>>) -> usize {
        let mut known = known.lock().expect("no thread panics with it");
        let mut way = vec![];
        let last = loop {
            if let Some(rounds) = known.get(&world) {
                break *rounds;
            }
            if way.len() > ROUNDS_MAX {
                break ROUNDS_MAX + 1;
            }
            if self.at_rest(&world) {
                known.insert(world, 0);
                break 0;
            }
            way.push(world.clone());
            world.advance_all();
            for _ in 0..passes {
                self.setting.observe(&mut world, None);
                self.finish_pass(&mut world);
            }
        };
        let total = last + way.len();
        for (steps, world) in way.into_iter().enumerate() {
            known.insert(world, total - steps);
        }
        total
    }

    fn finish_pass(&self, world: &mut World) {
        while world.pass.is_some() {
            self.setting.call(world, Answer::Done);
        }
    }

    /// Only the wanted version, whole and serving, and nothing to do. A method that never creates may end with nothing.
    fn at_rest(&self, world: &World) -> bool {
        if world.apps.is_empty() {
            return self.setting.promise() == Promise::NeverCreates;
        }
        let [app] = &world.apps[..] else { return false };
        let wanted = self.setting.instances;
        let whole = app.version == world.target
            && app.instances == wanted
            && app.tasks.len() == usize::from(wanted)
            && app.tasks.iter().all(|task| task.serves());
        whole
            && plan(&self.setting.desired(world.target), &self.setting.observed(world, None), NOW).is_empty()
    }
}

/// Visits everything; nothing may be found.
fn holds(model: Bounce) {
    let setting = &model.setting;
    let name = format!(
        "{} of {} at {} with {:?}, {} versions",
        setting.method,
        setting.instances,
        setting.margin,
        setting.habit,
        model.versions + 1
    );
    let checker = model.checker().spawn_bfs().join();
    println!(
        "{name}: {} states, {} steps, depth {}, at rest within {} rounds",
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth(),
        checker.model().rounds.load(Ordering::Relaxed),
    );
    assert!(checker.is_done());
    checker.assert_properties();
}

#[test]
fn brutal_keeps_its_promises_in_every_order() {
    holds(Bounce::new("brutal", Habit::Hacheck));
}

#[test]
fn crossover_keeps_its_promises_in_every_order() {
    holds(Bounce::new("crossover", Habit::Hacheck));
}

#[test]
fn crossover_with_a_margin_keeps_its_promises_in_every_order() {
    let mut model = Bounce::new("crossover", Habit::Hacheck);
    model.setting.margin = 0.5;
    holds(model);
}

#[test]
fn upthendown_keeps_its_promises_in_every_order() {
    holds(Bounce::new("upthendown", Habit::Hacheck));
}

#[test]
fn downthenup_keeps_its_promises_in_every_order() {
    holds(Bounce::new("downthenup", Habit::Hacheck));
}

#[test]
fn down_keeps_its_promises_in_every_order() {
    holds(Bounce::new("down", Habit::Hacheck));
}

#[test]
fn methods_keep_their_promises_where_nothing_is_drained() {
    for method in ["brutal", "crossover", "down", "downthenup", "upthendown"] {
        holds(Bounce::new(method, Habit::Noop));
    }
}

#[test]
fn methods_keep_their_promises_when_a_third_version_comes_in_between() {
    for method in ["brutal", "crossover", "down", "downthenup", "upthendown"] {
        let mut model = Bounce::new(method, Habit::Hacheck);
        model.setting.instances = 1;
        model.versions = 2;
        holds(model);
    }
}

/// The model finds what a defect leads to, and names the promise that it breaks.
#[track_caller]
fn finds(method: &'static str, habit: Habit, defect: Defect, property: &'static str) {
    let mut model = Bounce::new(method, habit);
    model.setting.defect = Some(defect);
    model.faults = 1;
    let checker = model.checker().finish_when(HasDiscoveries::Any).spawn_bfs().join();
    let found: Vec<_> = checker.discoveries().into_keys().collect();
    assert!(found.contains(&property), "{defect:?} under {method}: found {found:?}");
}

#[test]
fn the_model_finds_planted_defects() {
    finds("downthenup", Habit::Hacheck, Defect::B1, "downthenup creates when all is gone");
    finds("crossover", Habit::Noop, Defect::B2, "nothing that may serve is killed");
    finds("crossover", Habit::Hacheck, Defect::B4, "it comes to rest");
    finds("crossover", Habit::Hacheck, Defect::NoUndrain, "it comes to rest");
    for (method, habit) in [("crossover", Habit::Hacheck), ("upthendown", Habit::Noop)] {
        finds(method, habit, Defect::AllAtOnce, "capacity stays above the floor");
    }
}
