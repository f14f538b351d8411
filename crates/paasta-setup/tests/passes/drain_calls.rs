//! Exactly which calls a pass makes to a drain method, and with what.

use std::sync::Arc;

use paasta_config::Map;
use paasta_core::{Health, Task};
use paasta_drain::{
    DrainConfigError, DrainError, DrainMethod, DrainPlace, DrainStatus, DrainTiming, MockDrainMethod,
};
use paasta_setup::{Drains, PassReport};

use crate::sim::{Shape, Sim, Want};

const TIMING: DrainTiming = DrainTiming { delay_seconds: Some(10.0), expiration_seconds: Some(100.0) };

/// One pass over two happy new tasks and two old ones, with a method whose calls are expected by `expect`.
fn pass(expect: impl Fn(&mut MockDrainMethod) + Send + Sync + 'static) -> (Sim, PassReport) {
    struct Mocked<F>(F);
    impl<F: Fn(&mut MockDrainMethod) + Send + Sync> Drains for Mocked<F> {
        fn build(
            &self,
            _: &Map,
            _: bool,
            place: &DrainPlace,
        ) -> Result<Box<dyn DrainMethod>, DrainConfigError> {
            assert_eq!(place.registrations[0].to_string(), "svc.main");
            let mut method = MockDrainMethod::new();
            method.expect_timing().return_const(TIMING);
            (self.0)(&mut method);
            Ok(Box::new(method))
        }
    }
    let mut sim = Sim::new(Shape::Marathon, &Want { method: "crossover", instances: 2, margin: 1.0 }, 10.0);
    sim.seed("new", "current", 2, Health::Alive);
    sim.seed("old", "current", 2, Health::Alive);
    sim.pass.drains = Arc::new(Mocked(expect));
    let report = sim.run(None).expect("nothing hangs").expect("the settings are good");
    (sim, report)
}

fn is_old(task: &Task) -> bool {
    task.id.as_str().starts_with("old")
}

/// A mock panics at a call that it does not expect and, when it is dropped, over one that did not come.
#[test]
fn each_task_is_asked_once_and_only_old_ones_are_drained() {
    let (sim, report) = pass(|method| {
        method.expect_status().times(4).returning(|_| Ok(DrainStatus::SERVING));
        method.expect_drain().withf(|task, _| is_old(task)).times(2).returning(|_, _| Ok(()));
        method.expect_stop_draining().never();
        method.expect_is_draining().never();
        method.expect_is_safe_to_kill().never();
    });
    assert_eq!(report.look_again_seconds, Some(1.0));
    assert_eq!(sim.engine.world().calls().writes, 0, "nothing dies before its drain is safe");
}

/// §6.4: a task whose drain fails is killed all the same, for a bounce must not hang on a broken drain.
#[test]
fn a_drain_that_fails_is_told_and_its_task_goes() {
    let (sim, report) = pass(|method| {
        method.expect_status().times(4).returning(|_| Ok(DrainStatus::SERVING));
        method.expect_drain().times(2).returning(|_, _| Err(DrainError::Other("no answer".to_owned())));
    });
    assert!(report.problems.iter().any(|problem| problem.contains("no answer")), "{report:?}");
    assert_eq!(sim.engine.world().calls().writes, 2, "one kill, and the old app is deleted");
}
