//! One app is taken out of service, and nothing else.

use std::time::Duration;

use paasta_core::*;
use paasta_setup::{Need, PassAction, PassError, PassState};
use paasta_testkit::ListFault;

use crate::sim::{Shape, Sim, Want, app_id};

const STEPS_MAX: usize = 60;

fn sim(shape: Shape, delay_seconds: f64) -> Sim {
    Sim::new(shape, &Want { method: "crossover", instances: 2, margin: 1.0 }, delay_seconds)
}

fn homes() -> Homes {
    Homes { current: HomeId::new("current"), previous: vec![HomeId::new("previous")] }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime").block_on(work)
}

fn left(sim: &Sim) -> Vec<(String, String, usize)> {
    let left = sim.engine.truth().into_iter();
    left.map(|app| (app.home.to_string(), app.id.to_string(), app.tasks.len())).collect()
}

/// Steps until the app is gone; what was done in all.
fn drain(sim: &Sim, version: &str) -> Vec<PassAction> {
    run(async {
        let drain = sim.pass.drain_app(&sim.wanted, &app_id(version), homes()).expect("good settings");
        assert_eq!(drain.wanted_version(), &app_id("new"));
        let drain = drain.begin().await.expect("nobody else works on it");
        let mut done = vec![];
        for _ in 0..STEPS_MAX {
            let held = sim.locks.acquire("/bounce/svc.main", Duration::ZERO).await;
            assert!(matches!(held, Err(LockError::Held { .. })), "the lock is held between the steps, too");
            let report = drain.step().await.expect("all can be read");
            assert_eq!((report.app, report.problems.as_slice()), (app_id(version), &[][..]));
            done.extend(report.actions.into_iter().map(|taken| taken.action));
            if report.state == PassState::Steady {
                return done;
            }
            sim.step(1.0);
        }
        panic!("it does not end: {:?}", left(sim));
    })
}

#[test]
fn an_app_loses_its_traffic_before_its_tasks_end_and_others_stay() {
    for shape in [Shape::Marathon, Shape::Sets] {
        for delay_seconds in [0.0, 3.0] {
            let sim = sim(shape, delay_seconds);
            for (version, home) in
                [("old", "current"), ("old", "previous"), ("new", "current"), ("other", "previous")]
            {
                sim.seed(version, home, 2, Health::Alive);
            }
            let others = |sim: &Sim| -> Vec<_> {
                left(sim).into_iter().filter(|(_, id, _)| *id != app_id("old").to_string()).collect()
            };
            let before = others(&sim);
            let done = drain(&sim, "old");
            let drained = done.iter().filter(|one| matches!(one, PassAction::Drain { renewal: false, .. }));
            assert_eq!(drained.count(), 4, "{done:?}");
            assert!(
                !done.iter().any(|one| matches!(one, PassAction::Create { .. } | PassAction::Undrain { .. }))
            );
            assert_eq!(left(&sim), before);
            let (creates, _, violations) = sim.take_audit();
            assert_eq!((creates, violations), (0, vec![]), "no task was killed that may serve");
            run(async { sim.locks.acquire("/bounce/svc.main", Duration::ZERO).await })
                .expect("it is free again");
        }
    }
}

/// Tasks that fail their checks are drained as well: they may serve all the same.
#[test]
fn the_wanted_version_goes_too_and_is_not_created_by_us() {
    for health in [Health::Alive, Health::Dead] {
        let sim = sim(Shape::Marathon, 0.0);
        sim.seed("new", "current", 2, health);
        drain(&sim, "new");
        assert_eq!(left(&sim), vec![]);
        assert_eq!(sim.take_audit().0, 0);
    }
}

#[test]
fn a_look_says_what_the_first_step_does_and_changes_nothing() {
    let sim = sim(Shape::Marathon, 3.0);
    sim.seed("old", "current", 2, Health::Alive);
    let drain = sim.pass.drain_app(&sim.wanted, &app_id("old"), homes()).expect("good settings");
    let actions = run(drain.look()).actions;
    assert!(matches!(&actions[..], [PassAction::Drain { .. }, PassAction::Drain { .. }]), "{actions:?}");
    assert_eq!((sim.engine.world().calls().writes, sim.locks.taken()), (0, 0));
}

#[test]
fn a_held_lock_and_a_silent_home_stop_it_by_name() {
    let sim = sim(Shape::Marathon, 0.0);
    sim.seed("old", "current", 2, Health::Alive);
    let begin = || async {
        let drain = sim.pass.drain_app(&sim.wanted, &app_id("old"), homes()).expect("good settings");
        drain.begin().await
    };
    run(async {
        let guard = sim.locks.acquire("/bounce/svc.main", Duration::ZERO).await.expect("it is free");
        let error = begin().await.map(drop).expect_err("somebody else works on it");
        assert!(matches!(error, PassError::Needs { need: Need::Lock, .. }), "{error}");
        drop(guard);
        let drain = begin().await.expect("it is free");
        sim.engine.world().faults.plan_listings([Some(ListFault::Home(HomeId::new("previous")))]);
        let report = drain.step().await.expect("it is told in the report");
        assert!(report.problems[0].contains("could not see what runs"), "{:?}", report.problems);
        assert_eq!(sim.engine.world().calls().writes, 0);
    });
}
