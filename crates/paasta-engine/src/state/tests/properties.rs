//! What holds of the state machine whatever happens.

use std::collections::BTreeSet;

use paasta_core::{TaskId, Timestamp};
use proptest::prelude::*;
use serde_json::json;

use super::super::*;
use super::{Rig, id, patch};

/// One thing that may happen; numbers choose among what there is.
#[derive(Clone, Debug)]
enum Happening {
    Create(u8, u8),
    Scale(u8, u8),
    Change(u8, u8),
    Delete(u8),
    Kill(u8, bool),
    Start(u8),
    FailLaunch(u8),
    Exit(u8),
    Check(u8, bool),
    Pass(u8),
    Restart(bool),
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let one = prop_oneof![
        (0..3u8, 0..5u8).prop_map(|(app, n)| Happening::Create(app, n)),
        (0..3u8, 0..6u8).prop_map(|(app, n)| Happening::Scale(app, n)),
        (0..3u8, 0..5u8).prop_map(|(app, n)| Happening::Change(app, n)),
        (0..3u8).prop_map(Happening::Delete),
        (any::<u8>(), any::<bool>()).prop_map(|(task, scale)| Happening::Kill(task, scale)),
        any::<u8>().prop_map(Happening::Start),
        any::<u8>().prop_map(Happening::Start),
        any::<u8>().prop_map(Happening::FailLaunch),
        any::<u8>().prop_map(Happening::Exit),
        (any::<u8>(), any::<bool>()).prop_map(|(task, well)| Happening::Check(task, well)),
        (1..30u8).prop_map(Happening::Pass),
        any::<bool>().prop_map(Happening::Restart),
    ];
    prop::collection::vec(one, 1..80)
}

impl Rig {
    fn happen(&mut self, happening: &Happening) {
        let names = ["a", "a.b", "c"];
        let tasks = self.tasks();
        let pick = |number: u8| (!tasks.is_empty()).then(|| tasks[usize::from(number) % tasks.len()].clone());
        match happening {
            Happening::Create(app, n) => {
                let checks =
                    json!([{"protocol": "TCP", "gracePeriodSeconds": 3, "maxConsecutiveFailures": 2}]);
                let checks = if *app == 0 { json!([]) } else { checks };
                let app = json!({"id": names[usize::from(*app)], "cmd": "x", "instances": n,
                                 "healthChecks": checks, "backoffSeconds": 1, "backoffFactor": 2});
                let _ = self.create(app);
            }
            Happening::Scale(app, n) => {
                drop(self.ask(patch(names[usize::from(*app)], json!({"instances": n}), true)));
            }
            Happening::Change(app, n) => {
                let cmd = format!("v{n}");
                drop(self.ask(patch(names[usize::from(*app)], json!({"cmd": cmd}), true)));
            }
            Happening::Delete(app) => {
                drop(self.ask(Command::DeleteApp { id: id(names[usize::from(*app)]), force: true }));
            }
            Happening::Kill(task, scale) => {
                let which = Victims::Ids(pick(*task).into_iter().collect());
                drop(self.ask(Command::KillTasks { which, scale: *scale, force: true }));
            }
            Happening::Start(task) => {
                if let Some(task) = pick(*task) {
                    self.start(&task);
                }
            }
            Happening::FailLaunch(task) => {
                if let Some(task) = pick(*task)
                    && self.engine.memory().tasks[&task].started_at().is_none()
                {
                    drop(self.ask(Command::LaunchFailed { task, message: "no".to_owned() }));
                }
            }
            Happening::Exit(task) => {
                if let Some(task) = pick(*task) {
                    self.exit(&task);
                }
            }
            Happening::Check(task, well) => {
                if let Some(task) = pick(*task) {
                    self.check(&task, *well);
                }
            }
            Happening::Pass(seconds) => self.pass(f64::from(*seconds)),
            Happening::Restart(all_alive) => {
                let memory = self.engine.memory().clone();
                let alive = memory.tasks.keys().filter(|_| *all_alive);
                let alive = alive.map(|task| (task.clone(), RunRef(format!("run-{task}")))).collect();
                self.engine = Engine::new(self.engine.settings().clone(), memory).expect("reads");
                drop(self.ask(Command::Recover { alive }));
            }
        }
    }
}

/// What must hold after every step.
fn assert_sound(rig: &Rig, launched: &BTreeSet<TaskId>) {
    let memory = rig.engine.memory();
    let mut ports = BTreeSet::new();
    for task in memory.tasks.values() {
        assert!(memory.apps.contains_key(&task.app), "task {} without its app", task.id);
        assert!(launched.contains(&task.id), "task {} was never launched", task.id);
        for port in &task.ports {
            assert!(ports.insert(*port), "port {port} was handed out twice");
        }
    }
    for app in memory.apps.values() {
        let live = memory.tasks.values().filter(|task| task.app == app.id && task.is_live());
        let (new, old): (Vec<&Task>, Vec<&Task>) = live.partition(|task| task.version >= app.config_version);
        let wanted = app.definition.instances as usize;
        assert!(new.len() <= wanted, "{} has {} of {wanted} tasks", app.id, new.len());
        assert!(old.len() <= wanted, "{} has {} old tasks, wants {wanted}", app.id, old.len());
        assert!(memory.deployments.iter().filter(|d| d.app == app.id).count() <= 1);
        let missing = wanted - new.len();
        assert_eq!(app.retry_at.is_some(), missing > 0, "{} has a time to try again", app.id);
        assert_eq!(app.queued_since.is_some(), missing > 0, "{} is queued exactly if it lacks tasks", app.id);
        assert!(!app.deleting || wanted == 0);
    }
    for deployment in &memory.deployments {
        assert!(memory.apps.contains_key(&deployment.app), "deployment of an app that is gone");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_state_is_sound(story in happenings()) {
        let mut rig = Rig::new((31000, 31020));
        let mut launched = BTreeSet::new();
        for happening in &story {
            let before: BTreeSet<TaskId> = rig.tasks().into_iter().collect();
            rig.happen(happening);
            for task in rig.tasks() {
                // An id is new exactly when the task is.
                prop_assert!(before.contains(&task) || launched.insert(task));
            }
            assert_sound(&rig, &launched);
        }
        // Left alone with tasks that do what they are told, every app gets what it wants.
        for _ in 0..40 {
            rig.pass(4000.0);
            rig.start_all();
            for task in rig.tasks() {
                rig.check(&task, true);
            }
            rig.bury();
        }
        prop_assert_eq!(rig.deployments(), 0);
        let wanted: u64 = rig.engine.memory().apps.values().map(|app| app.definition.instances).sum();
        prop_assert_eq!(rig.tasks().len() as u64, wanted);
    }

    #[test]
    fn delays_never_shrink_while_failures_go_on(
        seconds in 0.0..100.0f64, factor in 1.0..10.0f64, max_seconds in 0.0..1000.0f64, failures in 1..60u32,
    ) {
        let backoff = Backoff { seconds, factor, max_seconds };
        let mut delay = LaunchDelay::default();
        let mut last = 0.0;
        for _ in 0..failures {
            let next = delay.next_seconds(&backoff);
            prop_assert!(next >= last && next <= max_seconds);
            last = next;
            delay.failed(Timestamp::from_millis(0), &backoff);
        }
    }
}
