//! Tables of the state machine; its properties are in a file of their own.

mod agents;
mod properties;

use std::collections::{BTreeMap, BTreeSet};

use paasta_core::{TaskId, Timestamp};
use serde_json::{Map, Value, json};

use super::*;

/// Hands out numbers; every port is free.
#[derive(Default)]
struct Numbers(u32);

impl Supply for Numbers {
    fn unique(&mut self) -> String {
        self.0 += 1;
        format!("u{:05}", self.0)
    }

    fn port_is_free(&mut self, _port: u16) -> bool {
        true
    }
}

/// An engine with a simulated clock and world.
struct Rig {
    engine: Engine,
    now: Timestamp,
    numbers: Numbers,
    events: Vec<&'static str>,
}

impl Rig {
    fn new(ports: (u16, u16)) -> Self {
        let agent = Agent { id: "S0".to_owned(), host: "here".to_owned(), ..Agent::default() };
        Self::of(Fleet::single(agent), ports)
    }

    fn of(fleet: Fleet, ports: (u16, u16)) -> Self {
        let settings = Settings { fleet, ports, kill_grace_seconds: 5.0 };
        let engine = Engine::new(settings, Memory::default()).expect("nothing to read");
        Self { engine, now: Timestamp::from_millis(0), numbers: Numbers::default(), events: Vec::new() }
    }

    fn step(&mut self, command: Command) -> Step {
        let step = self.engine.handle(self.now, &mut self.numbers, command);
        for effect in &step.effects {
            if let Effect::Publish { kind, .. } = effect {
                self.events.push(kind);
            }
        }
        step
    }

    fn ask(&mut self, command: Command) -> Result<Reply, Refusal> {
        self.step(command).reply
    }

    fn create(&mut self, app: Value) -> Result<Reply, Refusal> {
        self.ask(Command::CreateApp { raw: object(app) })
    }

    fn pass(&mut self, seconds: f64) {
        self.now = self.now.plus_seconds(seconds);
        self.step(Command::Tick);
    }

    fn tasks(&self) -> Vec<TaskId> {
        self.engine.memory().tasks.keys().cloned().collect()
    }

    fn start_all(&mut self) {
        for task in self.tasks() {
            if self.engine.memory().tasks[&task].phase == Phase::Staging {
                self.start(&task);
            }
        }
    }

    fn start(&mut self, task: &TaskId) {
        let run = RunRef(format!("run-{task}"));
        let _ = self.ask(Command::Started { task: task.clone(), run });
    }

    fn exit(&mut self, task: &TaskId) {
        let _ = self.ask(Command::Exited { task: task.clone(), exit: Exit::Code(1) });
    }

    fn check(&mut self, task: &TaskId, well: bool) {
        let result = if well { Ok(()) } else { Err("HTTP status 500".to_owned()) };
        let _ = self.ask(Command::Checked { task: task.clone(), check: 0, result });
    }

    /// Ends every task that was told to go.
    fn bury(&mut self) {
        for task in self.tasks() {
            if !self.engine.memory().tasks[&task].is_live() {
                self.exit(&task);
            }
        }
    }

    fn live(&self) -> usize {
        self.engine.memory().tasks.values().filter(|task| task.is_live()).count()
    }

    fn deployments(&self) -> usize {
        self.engine.memory().deployments.len()
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is not an object"),
    }
}

fn id(text: &str) -> PathId {
    PathId::parse(text).expect("an id")
}

fn patch(app: &str, patch: Value, force: bool) -> Command {
    Command::UpdateApp { id: id(app), patch: object(patch), force }
}

const PORTS: (u16, u16) = (31000, 31009);

#[test]
fn an_app_is_deployed_when_all_its_tasks_run() {
    let mut rig = Rig::new(PORTS);
    rig.create(json!({"id": "a", "cmd": "x", "instances": 2})).expect("creates");
    assert_eq!((rig.live(), rig.deployments()), (2, 1));
    rig.start_all();
    assert_eq!((rig.live(), rig.deployments()), (2, 0));
    assert!(rig.events.ends_with(&["deployment_step_success", "deployment_success"]), "{:?}", rig.events);
}

#[test]
fn health_decides_when_there_are_checks() {
    let mut rig = Rig::new(PORTS);
    let checks = json!([{"protocol": "TCP", "gracePeriodSeconds": 10, "maxConsecutiveFailures": 2}]);
    rig.create(json!({"id": "a", "cmd": "x", "healthChecks": checks})).expect("creates");
    rig.start_all();
    assert_eq!(rig.deployments(), 1, "no result yet");
    let task = rig.tasks()[0].clone();
    rig.check(&task, false);
    assert!(rig.engine.memory().tasks[&task].health.is_empty(), "failures in the grace period are ignored");
    rig.check(&task, true);
    assert_eq!(rig.deployments(), 0);
    // After the first success the grace period is over.
    rig.check(&task, false);
    assert!(rig.engine.memory().tasks[&task].is_live());
    rig.check(&task, true);
    rig.check(&task, false);
    rig.check(&task, false);
    assert!(!rig.engine.memory().tasks[&task].is_live(), "two in a row");
    assert!(rig.events.contains(&"unhealthy_instance_kill_event"));
    assert_eq!(rig.live(), 0, "the next launch waits");
    rig.bury();
    let memory = rig.engine.memory();
    let failures: Vec<_> = memory.apps.values().filter_map(|app| app.last_failure.as_ref()).collect();
    assert_eq!(failures[0].message, "Health checks failed: HTTP status 500", "not the signal that ended it");
    rig.pass(2.0);
    assert_eq!(rig.live(), 1);
}

#[test]
fn failures_after_the_grace_period_count_without_any_success() {
    let mut rig = Rig::new(PORTS);
    let checks = json!([{"protocol": "TCP", "gracePeriodSeconds": 10, "maxConsecutiveFailures": 1}]);
    rig.create(json!({"id": "a", "cmd": "x", "healthChecks": checks})).expect("creates");
    rig.start_all();
    let task = rig.tasks()[0].clone();
    rig.pass(11.0);
    rig.check(&task, false);
    assert!(!rig.engine.memory().tasks[&task].is_live());
}

#[test]
fn failing_tasks_come_back_with_growing_delays() {
    let mut rig = Rig::new(PORTS);
    let backoff = json!({"id": "a", "cmd": "x", "backoffSeconds": 2, "backoffFactor": 2,
                         "maxLaunchDelaySeconds": 5});
    rig.create(backoff).expect("creates");
    let mut delays = Vec::new();
    for _ in 0..4 {
        rig.start_all();
        let task = rig.tasks()[0].clone();
        rig.exit(&task);
        assert_eq!(rig.live(), 0);
        let queue = rig.engine.queue_json(rig.now, false);
        assert_eq!(queue["queue"][0]["count"], json!(1));
        let left = queue["queue"][0]["delay"]["timeLeftSeconds"].as_u64().expect("a number");
        assert_eq!(queue["queue"][0]["delay"]["overdue"], json!(left == 0));
        delays.push(left);
        assert_eq!(rig.engine.next_wakeup(), Some(rig.now.plus_seconds(left as f64)));
        rig.pass(left as f64);
        assert_eq!(rig.live(), 1);
    }
    assert_eq!(delays, [2, 4, 5, 5]);
    // A long run makes the count start over.
    rig.start_all();
    rig.pass(STABLE_SECONDS);
    let task = rig.tasks()[0].clone();
    rig.exit(&task);
    assert_eq!(rig.engine.memory().apps[&id("a")].delay.left_seconds(rig.now), 2.0);
    // And it can be reset by hand.
    rig.ask(Command::ResetDelay { id: id("a") }).expect("resets");
    assert_eq!(rig.live(), 1);
    assert_eq!(rig.ask(Command::ResetDelay { id: id("a") }), Err(Refusal::NotQueued(id("a"))));
}

#[test]
fn scaling_down_takes_staging_then_unhealthy_then_youngest() {
    let mut rig = Rig::new(PORTS);
    let checks = json!([{"protocol": "TCP", "gracePeriodSeconds": 0, "maxConsecutiveFailures": 9}]);
    rig.create(json!({"id": "a", "cmd": "x", "instances": 2, "healthChecks": checks})).expect("creates");
    rig.start_all();
    let old = rig.tasks();
    rig.check(&old[0], true);
    rig.check(&old[1], false);
    rig.pass(5.0);
    rig.ask(patch("a", json!({"instances": 4}), true)).expect("scales");
    let young: Vec<TaskId> = rig.tasks().into_iter().filter(|task| !old.contains(task)).collect();
    rig.start(&young[0]);
    rig.check(&young[0], true);
    let mut order = Vec::new();
    for instances in [3, 2, 1] {
        let before: BTreeSet<TaskId> = rig.tasks().into_iter().collect();
        rig.ask(patch("a", json!({"instances": instances}), true)).expect("scales");
        rig.bury();
        order.extend(before.into_iter().filter(|task| !rig.tasks().contains(task)));
    }
    assert_eq!(order, [young[1].clone(), old[1].clone(), young[0].clone()]);
    assert_eq!(rig.tasks(), [old[0].clone()]);
}

#[test]
fn killing_with_scale_lowers_the_number_by_what_was_killed() {
    let mut rig = Rig::new(PORTS);
    rig.create(json!({"id": "a", "cmd": "x", "instances": 3})).expect("creates");
    rig.start_all();
    let tasks = rig.tasks();
    let kill =
        |ids: &[TaskId], scale| Command::KillTasks { which: Victims::Ids(ids.to_vec()), scale, force: false };
    let twice = [tasks[0].clone(), tasks[0].clone(), TaskId::new("a.none")];
    assert!(matches!(rig.ask(kill(&twice, true)), Ok(Reply::Deployed { .. })));
    assert_eq!(rig.engine.memory().apps[&id("a")].definition.instances, 2);
    assert_eq!(rig.live(), 2);
    // A task that is going already is not killed again.
    rig.bury();
    assert_eq!(rig.deployments(), 0);
    // Without scale the engine starts another in its place, at once.
    assert!(matches!(rig.ask(kill(&tasks[1..2], false)), Ok(Reply::Killed(shown)) if shown.len() == 1));
    assert_eq!((rig.live(), rig.engine.memory().apps[&id("a")].definition.instances), (2, 2));
}

#[test]
fn an_app_cannot_shrink_below_nothing() {
    let mut rig = Rig::new(PORTS);
    rig.create(json!({"id": "a", "cmd": "x", "instances": 1})).expect("creates");
    rig.start_all();
    // While it is upgraded the app has more tasks than instances.
    rig.ask(patch("a", json!({"cmd": "y"}), true)).expect("changes");
    let which = Victims::Ids(rig.tasks());
    let refused = rig.ask(Command::KillTasks { which, scale: true, force: true });
    assert!(matches!(&refused, Err(Refusal::Invalid(DefinitionError::Value(_)))), "{refused:?}");
    assert_eq!(refused.expect_err("refused").to_string(), "Object is not valid");
    assert_eq!(rig.live(), 2, "nothing was killed");
}

#[test]
fn a_running_deployment_locks_the_app() {
    let mut rig = Rig::new(PORTS);
    rig.create(json!({"id": "a", "cmd": "x"})).expect("creates");
    for command in [
        patch("a", json!({"instances": 2}), false),
        Command::DeleteApp { id: id("a"), force: false },
        Command::RestartApp { id: id("a"), force: false },
        Command::KillTasks { which: Victims::AllOf(id("a"), None), scale: true, force: false },
    ] {
        assert!(matches!(rig.ask(command.clone()), Err(Refusal::Locked { .. })), "{command:?}");
    }
    rig.ask(patch("a", json!({"instances": 2}), true)).expect("force overrides");
    assert!(rig.events.contains(&"deployment_failed"));
    assert_eq!(rig.deployments(), 1);
    rig.start_all();
    rig.ask(patch("a", json!({"instances": 1}), false)).expect("nothing locks it now");
}

#[test]
fn a_deleted_app_is_seen_until_its_last_task_is_gone() {
    let mut rig = Rig::new(PORTS);
    rig.create(json!({"id": "a", "cmd": "x", "instances": 2})).expect("creates");
    rig.start_all();
    rig.ask(Command::DeleteApp { id: id("a"), force: true }).expect("deletes");
    assert!(rig.engine.app_json(&id("a"), Embed::default()).is_some());
    assert!(matches!(rig.create(json!({"id": "a", "cmd": "x"})), Err(Refusal::AppExists(_))));
    rig.ask(Command::DeleteApp { id: id("a"), force: true }).expect("may be repeated");
    rig.bury();
    assert!(rig.engine.memory().apps.is_empty());
    assert_eq!(rig.deployments(), 0);
    assert_eq!(rig.events.last(), Some(&"app_terminated_event"));
    let gone = rig.ask(Command::DeleteApp { id: id("a"), force: true });
    assert_eq!(gone.expect_err("gone").to_string(), "App '/a' does not exist");
}

#[test]
fn an_upgrade_kills_old_tasks_as_new_ones_are_ready() {
    let mut rig = Rig::new(PORTS);
    rig.create(json!({"id": "a", "cmd": "x", "instances": 2})).expect("creates");
    rig.start_all();
    let old = rig.tasks();
    rig.now = rig.now.plus_seconds(1.0);
    rig.ask(patch("a", json!({"cmd": "y"}), false)).expect("changes");
    assert_eq!(rig.live(), 4, "nothing old goes before something new is ready");
    let new: Vec<TaskId> = rig.tasks().into_iter().filter(|task| !old.contains(task)).collect();
    rig.start(&new[0]);
    assert_eq!(rig.live(), 3);
    rig.start(&new[1]);
    rig.bury();
    assert_eq!(rig.tasks(), new);
    assert_eq!(rig.deployments(), 0);
    let versions = &rig.engine.memory().apps[&id("a")].versions;
    let first = versions.keys().next().expect("a version").to_string();
    rig.ask(patch("a", json!({"version": first}), false)).expect("goes back");
    assert_eq!(rig.engine.memory().apps[&id("a")].definition.cmd.as_deref(), Some("x"));
}

#[test]
fn a_cancelled_deployment_goes_back() {
    let mut rig = Rig::new(PORTS);
    rig.create(json!({"id": "a", "cmd": "x", "instances": 1})).expect("creates");
    rig.start_all();
    rig.ask(patch("a", json!({"instances": 3}), false)).expect("scales");
    let deployment = rig.engine.memory().deployments[0].id.clone();
    rig.ask(Command::CancelDeployment { id: deployment.clone(), force: false }).expect("cancels");
    rig.bury();
    assert_eq!((rig.live(), rig.deployments()), (1, 0));
    let unknown = rig.ask(Command::CancelDeployment { id: deployment.clone(), force: false });
    assert_eq!(unknown, Err(Refusal::NoDeployment(deployment)));
}

#[test]
fn ports_are_never_handed_out_twice() {
    let mut rig = Rig::new((31000, 31002));
    rig.create(json!({"id": "a", "cmd": "x", "instances": 4})).expect("creates");
    let ports: BTreeSet<u16> =
        rig.engine.memory().tasks.values().flat_map(|task| task.ports.clone()).collect();
    assert_eq!((rig.live(), ports.len()), (3, 3));
    let queue = rig.engine.queue_json(rig.now, true);
    assert_eq!(queue["queue"][0]["lastUnusedOffers"][0]["reason"], json!(["InsufficientPorts"]));
    assert_eq!(queue["queue"][0]["delay"]["overdue"], json!(true));
    // A task that is going still holds its port.
    let first = rig.tasks()[0].clone();
    rig.ask(Command::KillTasks { which: Victims::Ids(vec![first.clone()]), scale: false, force: false })
        .expect("kills");
    rig.pass(1.0);
    assert_eq!(rig.live(), 2);
    rig.exit(&first);
    assert_eq!(rig.live(), 3);
}

#[test]
fn fixed_ports_are_honoured() {
    let mut rig = Rig::new(PORTS);
    let fixed = json!({"id": "a", "cmd": "x", "instances": 2, "requirePorts": true,
                       "portDefinitions": [{"port": 4711, "protocol": "tcp"}]});
    rig.create(fixed).expect("creates");
    assert_eq!(rig.live(), 1, "there is only one such port");
    let mapped = json!({"id": "b", "cmd": "x", "container": {"type": "DOCKER", "docker": {"image": "i",
        "portMappings": [{"containerPort": 8888, "hostPort": 4712}]}}});
    rig.create(mapped).expect("creates");
    let ports: Vec<Vec<u16>> = rig.engine.memory().tasks.values().map(|task| task.ports.clone()).collect();
    assert_eq!(ports, [[4711], [4712]]);
}

#[test]
fn recovery_takes_up_every_phase() {
    let mut rig = Rig::new(PORTS);
    rig.create(json!({"id": "a", "cmd": "x", "instances": 5})).expect("creates");
    let tasks = rig.tasks();
    for task in &tasks[..4] {
        rig.start(task);
    }
    let kill = Victims::Ids(tasks[2..4].to_vec());
    rig.ask(Command::KillTasks { which: kill, scale: true, force: true }).expect("kills");
    // 0 runs, 1 ended meanwhile, 2 is still going, 3 is gone, 4 was never spawned.
    let run = |task: &TaskId| (task.clone(), RunRef(format!("run-{task}")));
    let alive = BTreeMap::from([run(&tasks[0]), run(&tasks[2])]);
    let text = serde_json::to_string(rig.engine.memory()).expect("writes");
    let memory: Memory = serde_json::from_str(&text).expect("reads");
    rig.engine = Engine::new(rig.engine.settings().clone(), memory).expect("reads");
    let step = rig.step(Command::Recover { alive });
    let name = |task: &TaskId| tasks.iter().position(|one| one == task).map_or(9, |index| index);
    let mut did: Vec<String> = step
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Launch(order) => Some(format!("launch {}", name(&order.task))),
            Effect::Watch { task, .. } => Some(format!("watch {}", name(task))),
            Effect::Kill { task, .. } => Some(format!("kill {}", name(task))),
            Effect::Ended { task } => Some(format!("ended {}", name(task))),
            _ => None,
        })
        .collect();
    did.sort();
    let launched = "launch 9"; // In place of task 1, at once: what is lost while the engine is away is no crash.
    assert_eq!(did, ["ended 1", "ended 3", "kill 2", "launch 4", launched, "watch 0", "watch 2"]);
    assert_eq!(rig.live(), 3);
}

#[test]
fn a_task_killed_while_it_starts_does_not_live_on() {
    let mut rig = Rig::new(PORTS);
    rig.create(json!({"id": "a", "cmd": "x"})).expect("creates");
    let task = rig.tasks()[0].clone();
    rig.ask(Command::DeleteApp { id: id("a"), force: true }).expect("deletes");
    let step = rig.step(Command::Started { task: task.clone(), run: RunRef("r".to_owned()) });
    assert!(step.effects.iter().any(|effect| matches!(effect, Effect::Kill { run: Some(_), .. })));
    rig.exit(&task);
    assert!(rig.engine.memory().apps.is_empty());
}

#[test]
fn definitions() {
    for (app, want) in [
        (json!({}), "type /id error.path.missing"),
        (json!({"id": 5}), "type /id error.expected.jsstring"),
        (json!({"id": "A", "cmd": "x"}), "value /id must"),
        (json!({"id": "a"}), "value  AppDefinition must"),
        (json!({"id": "a", "cmd": 1}), "type /cmd error.expected.jsstring"),
        (json!({"id": "a", "cmd": "x", "instances": -1}), "value /instances error.min"),
        (json!({"id": "a", "cmd": "x", "instances": "2"}), "type /instances error.expected.jsnumber"),
        (json!({"id": "a", "cmd": "x", "env": {"A": 1}}), "type /env/A error.expected.jsstring"),
        (json!({"id": "a", "cmd": "x", "backoffFactor": 0.5}), "value /backoffFactor must"),
        (
            json!({"id": "a", "cmd": "x", "healthChecks": [{"protocol": "X"}]}),
            "value /healthChecks(0)/protocol is",
        ),
        (
            json!({"id": "a", "cmd": "x", "healthChecks": [1]}),
            "type /healthChecks(0) error.expected.jsobject",
        ),
        (json!({"id": "a", "cmd": "x", "ports": [70000]}), "value /ports(0) must"),
    ] {
        let mut rig = Rig::new(PORTS);
        let refused = rig.create(app.clone()).expect_err("refused");
        let text = match &refused {
            Refusal::Invalid(DefinitionError::Type(problems)) => format!("type {}", shown(problems)),
            Refusal::Invalid(DefinitionError::Value(problems)) => format!("value {}", shown(problems)),
            other => other.to_string(),
        };
        assert!(text.starts_with(want), "{app}: {text}");
    }
    let mut rig = Rig::new(PORTS);
    let odd = json!({"id": "a", "cmd": "x", "constraints": [["pool", "LIKE", "default"]], "unknown": {"kept": 1.0},
                     "args": null, "uris": ["file:///x"]});
    rig.create(odd).expect("unknown members are kept");
    let shown = rig.engine.app_json(&id("a"), Embed::default()).expect("there");
    assert_eq!(shown["unknown"], json!({"kept": 1.0}));
}

fn shown(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("{} {}", problem.path, problem.errors.join(" "))).collect()
}
