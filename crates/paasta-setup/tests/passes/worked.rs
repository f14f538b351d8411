//! The worked passes of marathon-and-bounce.md §5.11, and a few of our own.

use std::collections::BTreeMap;
use std::sync::Arc;

use paasta_bounce::WaitingOn;
use paasta_config::{Node, Value};
use paasta_core::{
    Action, Fleet, Gate, Haste, Health, LockGuard, LogLevel, NoRoom, Reading, Task, TaskId, TaskPhase,
};
use paasta_setup::{Discovery, DiscoveryQuestion, PassAction, PassReport, PassState};

use crate::sim::{Shape, Sim, Want};

const EACH: [Shape; 2] = [Shape::Marathon, Shape::Sets];

fn want(method: &'static str, instances: usize) -> Want {
    Want { method, instances, margin: 1.0 }
}

fn pass(sim: &Sim) -> PassReport {
    sim.run(None).expect("nothing hangs").expect("the settings are good")
}

/// What a pass did, as words without homes.
fn did(report: &PassReport) -> Vec<String> {
    let one = |action: &PassAction| match action {
        PassAction::Create { .. } => "create".to_owned(),
        PassAction::Scale { app, instances, .. } => format!("scale {} {instances}", short(app.as_str())),
        PassAction::Drain { task, renewal: false } => format!("drain {task}"),
        PassAction::Drain { task, renewal: true } => format!("renew {task}"),
        PassAction::Undrain { task } => format!("undrain {task}"),
        PassAction::Kill { tasks, .. } => format!("kill {}", tasks.len()),
        PassAction::Delete { app, .. } => format!("delete {}", short(app.as_str())),
    };
    report.actions.iter().map(|taken| one(&taken.action)).collect()
}

fn short(app: &str) -> &str {
    app.rsplit("config").next().unwrap_or(app)
}

#[test]
fn w1_steady() {
    for shape in EACH {
        let sim = Sim::new(shape, &want("crossover", 2), 0.0);
        sim.seed("new", "current", 2, Health::Alive);
        let report = pass(&sim);
        assert_eq!(did(&report), Vec::<String>::new());
        assert_eq!((report.state, report.look_again_seconds), (PassState::Steady, None));
        assert_eq!(sim.log.records(), []);
    }
}

#[test]
fn w3_the_last_old_tasks_and_their_app_go_in_one_pass_and_it_is_told() {
    for shape in EACH {
        let sim = Sim::new(shape, &want("crossover", 2), 0.0);
        sim.seed("new", "current", 2, Health::Alive);
        sim.seed("old", "current", 2, Health::Alive);
        let report = pass(&sim);
        let actions = did(&report);
        assert_eq!(actions[2..], ["kill 2", "delete old"], "{actions:?}");
        assert!(report.look_again_seconds.is_some(), "that they are gone is seen, not assumed");
        let lines: Vec<_> = sim.log.records().into_iter().filter(|r| r.level == LogLevel::Event).collect();
        assert!(lines.last().is_some_and(|line| line.message.contains("finishing")), "{lines:?}");
        sim.step(1.0);
        sim.step(1.0);
        assert_eq!(pass(&sim).state, PassState::Steady);
    }
}

#[test]
fn w5_a_stop_keeps_the_app() {
    for shape in EACH {
        let sim = Sim::new(shape, &want("crossover", 0), 0.0);
        sim.seed("new", "current", 3, Health::Alive);
        assert_eq!(did(&pass(&sim)).last().map(String::as_str), Some("kill 3"));
        sim.step(1.0);
        sim.step(1.0);
        assert_eq!(pass(&sim).state, PassState::Steady);
        assert_eq!(sim.engine.truth().iter().map(|app| app.instances).collect::<Vec<_>>(), [0]);
    }
}

#[test]
fn w6_to_w8_a_leaving_host_grows_the_app_until_its_task_is_replaced() {
    for shape in EACH {
        let sim = Sim::new(shape, &want("crossover", 3), 0.0);
        sim.seed("new", "current", 3, Health::Alive);
        sim.engine.world().set_leaving(["h0"]);
        assert_eq!(did(&pass(&sim)), ["scale new 4"]);
        // Mended B4: while the replacement is not there or starts, nothing goes and nothing shrinks.
        for _ in 0..2 {
            assert_eq!(did(&pass(&sim)), Vec::<String>::new());
            sim.step(1.0);
        }
        sim.step(1.0);
        assert_eq!(did(&pass(&sim)), ["drain new-current-0", "kill 1"]);
        sim.step(1.0);
        sim.step(1.0);
        assert_eq!(pass(&sim).state, PassState::Steady);
        assert_eq!(sim.serving().len(), 3);
    }
}

#[test]
fn w9_mended_b2_an_old_task_at_risk_stays_while_the_margin_needs_it() {
    for shape in EACH {
        let sim = Sim::new(shape, &want("crossover", 3), 0.0);
        sim.seed("new", "current", 0, Health::Alive);
        sim.seed("old", "current", 3, Health::Alive);
        sim.engine.world().set_leaving(["h0"]);
        assert_eq!(did(&pass(&sim)), ["scale new 3"]);
        assert_eq!(sim.serving().len(), 3);
    }
}

#[test]
fn w11_mended_b1_downthenup_waits_until_draining_tasks_are_gone() {
    for shape in EACH {
        let sim = Sim::new(shape, &want("downthenup", 2), 10.0);
        sim.seed("old", "current", 2, Health::Alive);
        let report = pass(&sim);
        assert_eq!(report.actions.len(), 2, "both drain: {report:?}");
        assert_eq!(report.look_again_seconds, Some(1.0));
        sim.step(5.0);
        let report = pass(&sim);
        assert_eq!(did(&report), Vec::<String>::new());
        let wait = report.look_again_seconds.expect("it waits");
        assert!((4.9..5.1).contains(&wait), "until the drain is safe: {wait}");
        sim.step(5.1);
        assert_eq!(did(&pass(&sim)), ["kill 2", "delete old"]);
        sim.step(1.0);
        sim.step(1.0);
        assert_eq!(did(&pass(&sim)), ["create"]);
    }
}

#[test]
fn w12_a_broken_drain_does_not_stop_a_bounce() {
    for shape in EACH {
        let sim = Sim::new(shape, &want("crossover", 2), 10.0);
        sim.seed("new", "current", 1, Health::Alive);
        sim.seed("old", "current", 2, Health::Alive);
        sim.drains.break_hosts(["h0", "h1", "h2", "h3"]);
        let report = pass(&sim);
        assert_eq!(did(&report).last().map(String::as_str), Some("kill 1"));
        assert!(!report.problems.is_empty());
        let told = sim.log.records().iter().filter(|r| r.message.contains("could not ask")).count();
        assert_eq!(told, 3);
    }
}

/// An engine that takes no change now is waited for, whatever was to be done; nothing failed.
#[test]
fn a_busy_engine_is_waited_for() {
    let busy = |sim: &Sim| {
        sim.engine.world().faults.plan_changes([Some(paasta_testkit::Fault::Busy)]);
        let report = pass(sim);
        assert_eq!(report.problems, [""; 0], "{report:?}");
        assert_eq!((report.state, report.look_again_seconds), (PassState::Working, Some(1.0)));
        let told = report.why.waiting.iter().filter(|one| matches!(one, WaitingOn::EngineBusy(_))).count();
        assert_eq!(told, 1, "{report:?}");
        assert!(sim.log.records().iter().any(|line| line.message.ends_with("yet: the engine is busy")));
        did(&report)
    };
    for shape in EACH {
        let sim = Sim::new(shape, &want("crossover", 2), 0.0);
        assert_eq!(busy(&sim), ["create"]);

        let sim = Sim::new(shape, &want("crossover", 2), 0.0);
        sim.seed("new", "current", 1, Health::Alive);
        assert_eq!(busy(&sim), ["scale new 2"]);

        let sim = Sim::new(shape, &want("crossover", 1), 0.0);
        sim.seed("new", "current", 1, Health::Alive);
        sim.seed("old", "current", 0, Health::Alive);
        assert_eq!(busy(&sim), ["delete old"]);
        assert_eq!(did(&pass(&sim)), ["delete old"]);
        sim.step(1.0);
        assert_eq!(sim.engine.truth().len(), 1);
    }
    let sim = Sim::new(Shape::Marathon, &want("downthenup", 1), 100.0);
    sim.seed("old", "current", 1, Health::Alive);
    pass(&sim);
    sim.clock.advance(200.0);
    assert_eq!(busy(&sim), ["kill 1"]);
}

/// A gate without room is as good as a busy engine, and nothing is sent.
#[test]
fn a_gate_without_room_is_waited_for() {
    struct Shut;
    #[async_trait::async_trait]
    impl Gate for Shut {
        async fn enter(&self, _: &Action, haste: Haste) -> Result<LockGuard, NoRoom> {
            Err(NoRoom(format!("97 deployments run, {haste:?}")))
        }
    }
    let mut sim = Sim::new(Shape::Marathon, &want("crossover", 2), 0.0);
    sim.pass.leave.gate = Arc::new(Shut);
    sim.pass.leave.haste = Haste::Usual;
    let report = pass(&sim);
    assert_eq!((report.problems.len(), report.look_again_seconds), (0, Some(1.0)));
    assert!(report.why.waiting.contains(&WaitingOn::EngineBusy("97 deployments run, Usual".to_owned())));
    assert_eq!(sim.engine.world().calls().writes, 0);
}

/// Our own drains end by themselves; one that is still wanted is sent again before that (defect B12).
#[test]
fn a_drain_that_is_still_wanted_is_renewed_in_time() {
    let sim = Sim::new(Shape::Marathon, &want("downthenup", 1), 100.0);
    sim.seed("old", "current", 1, Health::Alive);
    assert_eq!(did(&pass(&sim)), ["drain old-current-0"]);
    sim.clock.advance(50.0);
    assert_eq!(did(&pass(&sim)), Vec::<String>::new());
    // Safe, but the engine takes nothing for a long time.
    sim.clock.advance(451.0);
    sim.engine.world().faults.plan_changes([Some(paasta_testkit::Fault::Busy)]);
    let report = pass(&sim);
    assert_eq!(did(&report), ["renew old-current-0", "kill 1"]);
    sim.clock.advance(600.0);
    assert!(sim.drains.drained().contains(&TaskId::new("old-current-0")), "it did not end unseen");
}

#[test]
fn what_somebody_else_drained_is_theirs_to_undo() {
    let sim = Sim::new(Shape::Marathon, &want("crossover", 2), 10.0);
    sim.seed("new", "current", 2, Health::Alive);
    sim.drains.drain_by_hand(&TaskId::new("new-current-1"));
    assert_eq!(did(&pass(&sim)), Vec::<String>::new());
    assert_eq!(sim.drains.drained().len(), 1);
}

#[test]
fn after_a_revert_the_wanted_tasks_get_traffic_before_the_others_lose_it() {
    let sim = Sim::new(Shape::Marathon, &want("crossover", 2), 10.0);
    sim.seed("new", "current", 2, Health::Alive);
    sim.seed("other", "current", 1, Health::Alive);
    sim.drain_every_other();
    let first = did(&pass(&sim));
    assert_eq!(first, ["undrain new-current-0"], "{first:?}");
    assert_eq!(sim.serving().len(), 2);
}

/// 200 instances that need nothing: one listing per home, no lock, no change, one question per task.
#[test]
fn a_no_op_pass_over_many_instances_costs_one_listing_per_home() {
    let sim = Sim::new(Shape::Marathon, &want("crossover", 2), 10.0);
    sim.seed("new", "current", 2, Health::Alive);
    let before = sim.engine.world().calls();
    let fleet: Fleet = sim.fleet();
    for _ in 0..200 {
        let report = sim.run(Some(&fleet)).expect("nothing hangs").expect("good settings");
        assert!(report.is_steady());
        assert_eq!(sim.drains.take_counts(), (1, 0));
    }
    let after = sim.engine.world().calls();
    assert_eq!((after.reads - before.reads, after.writes), (2, 0));
    assert_eq!(sim.locks.taken(), 0);
}

/// A 409 ends the pass: somebody else was quicker, so nothing that was seen can be trusted.
#[test]
fn a_conflict_ends_the_pass_without_kills() {
    let sim = Sim::new(Shape::Marathon, &want("brutal", 2), 0.0);
    sim.seed("old", "current", 2, Health::Alive);
    sim.engine.world().faults.plan_changes([Some(paasta_testkit::Fault::Conflict)]);
    let report = pass(&sim);
    assert_eq!(did(&report), ["create"]);
    assert_eq!(sim.serving().len(), 2);
    assert_eq!(report.state, PassState::Working);
}

/// A new task that load balancers do not see is no capacity; one that nobody could be asked about holds the bounce.
#[test]
fn load_balancers_have_a_say_where_the_settings_ask_for_it() {
    struct See(Reading<bool>);
    #[async_trait::async_trait]
    impl Discovery for See {
        async fn seen(&self, question: &DiscoveryQuestion<'_>) -> BTreeMap<TaskId, Reading<bool>> {
            let old = |task: &Task| task.id.as_str().starts_with("old");
            let see = |task: &Task| if old(task) { Reading::Known(true) } else { self.0.clone() };
            question.tasks.iter().map(|task| (task.id.clone(), see(task))).collect()
        }
    }
    let unread = Reading::Unknown("no answer".to_owned());
    for (answer, drained) in [(Reading::Known(true), 2), (Reading::Known(false), 0), (unread, 0)] {
        let mut sim = Sim::new(Shape::Marathon, &want("crossover", 2), 10.0);
        sim.seed("new", "current", 2, Health::Alive);
        sim.seed("old", "current", 2, Health::Alive);
        let params = [(Node::text("check_haproxy"), Node::new(Value::Bool(true)))].into_iter().collect();
        sim.wanted.settings.insert(Node::text("bounce_health_params"), Node::new(Value::Map(params)));
        sim.pass.discovery = Some(Arc::new(See(answer)));
        assert_eq!(pass(&sim).actions.len(), drained);
    }
}

/// A task that is not happy anyway, and a broken host with it, is no reason to ask.
#[test]
fn load_balancers_are_asked_of_tasks_that_are_happy_without_them() {
    #[derive(Default)]
    struct Asked(std::sync::Mutex<Vec<Vec<String>>>);
    #[async_trait::async_trait]
    impl Discovery for Asked {
        async fn seen(&self, question: &DiscoveryQuestion<'_>) -> BTreeMap<TaskId, Reading<bool>> {
            let ids = question.tasks.iter().map(|task| task.id.as_str().to_owned()).collect();
            self.0.lock().expect("no panic").push(ids);
            BTreeMap::new()
        }
    }
    let mut sim = Sim::new(Shape::Marathon, &want("crossover", 2), 10.0);
    sim.seed("new", "current", 2, Health::Dead);
    let params = [(Node::text("check_haproxy"), Node::new(Value::Bool(true)))].into_iter().collect();
    sim.wanted.settings.insert(Node::text("bounce_health_params"), Node::new(Value::Map(params)));
    let asked = Arc::new(Asked::default());
    sim.pass.discovery = Some(asked.clone());
    pass(&sim);
    assert!(asked.0.lock().expect("no panic").is_empty());
    sim.seed("old", "current", 2, Health::Alive);
    pass(&sim);
    let asked = asked.0.lock().expect("no panic");
    assert!(!asked.is_empty() && asked.iter().flatten().all(|id| id.starts_with("old")), "{asked:?}");
}

/// What `delete_app` of the original raises ends its pass; here it is told, and the app goes with the next pass.
#[test]
fn mended_b13_a_failed_delete_is_told_and_tried_again() {
    for shape in EACH {
        let sim = Sim::new(shape, &want("crossover", 1), 0.0);
        sim.seed("new", "current", 1, Health::Alive);
        sim.seed("old", "current", 0, Health::Alive);
        sim.engine.world().faults.plan_changes([Some(paasta_testkit::Fault::Refused)]);
        let report = pass(&sim);
        assert_eq!(did(&report), ["delete old"]);
        assert!(!report.problems.is_empty() && report.look_again_seconds.is_some(), "{report:?}");
        let told = sim.log.records();
        assert!(told.iter().any(|line| line.message.starts_with("could not remove the old version")));
        assert_eq!(sim.engine.truth().len(), 2);
        pass(&sim);
        sim.step(1.0);
        assert_eq!(sim.engine.truth().len(), 1);
    }
}

/// A host that is away costs a pass no time (defect B11).
#[test]
fn mended_b11_tasks_on_unreachable_hosts_are_not_asked() {
    let sim = Sim::new(Shape::Marathon, &want("crossover", 1), 10.0);
    sim.seed("old", "current", 1, Health::Alive);
    let mut app = sim.engine.truth().remove(0);
    app.tasks.iter_mut().for_each(|task| task.phase = TaskPhase::Unreachable);
    sim.engine.seed(app);
    assert_eq!(did(&pass(&sim)), ["create"]);
    assert_eq!(sim.drains.take_counts(), (0, 0));
}
