//! Decisions compared with those of PaaSTA 0.99 (`get_happy_tasks`, `deploy_service`), on recorded inputs. Every
//! difference has a named reason.

use std::collections::{BTreeMap, BTreeSet};

use paasta_bounce::*;
use paasta_core::*;
use serde_json::Value;

const LINES: &str = include_str!("golden.jsonl");

fn cases(kind: &str) -> Vec<Value> {
    let lines = LINES.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON"));
    let cases: Vec<_> = lines.filter(|case| case["in"]["kind"] == kind).collect();
    assert!(!cases.is_empty());
    cases
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn count(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap_or(0)).expect("a count")
}

fn time(value: &Value) -> Option<Timestamp> {
    value.as_str().map(|text| text.parse().expect("a time"))
}

fn texts(value: &Value) -> BTreeSet<String> {
    value.as_array().into_iter().flatten().map(|one| text(one).to_owned()).collect()
}

fn task(value: &Value, app: &AppId) -> Task {
    let results: Vec<_> =
        value["healthCheckResults"].as_array().into_iter().flatten().filter(|one| !one.is_null()).collect();
    Task {
        id: TaskId::new(text(&value["id"])),
        app: app.clone(),
        host: text(&value["host"]).to_owned(),
        ports: vec![],
        phase: match text(&value["state"]) {
            "TASK_RUNNING" => TaskPhase::Running,
            "TASK_STAGING" => TaskPhase::Staging,
            "TASK_UNREACHABLE" => TaskPhase::Unreachable,
            other => TaskPhase::Other(other.to_owned()),
        },
        staged_at: time(&value["stagedAt"]),
        started_at: time(&value["startedAt"]),
        health: match results.is_empty() {
            true => Health::NoResults,
            false if results.iter().any(|one| one["alive"] == true) => Health::Alive,
            false => Health::Dead,
        },
    }
}

fn app(value: &Value, home: HomeId) -> App {
    let id = AppId::new(text(&value["id"]));
    let timing = |check: &Value| CheckTiming {
        grace_seconds: check["gracePeriodSeconds"].as_f64().unwrap_or(0.0),
        interval_seconds: check["intervalSeconds"].as_f64().unwrap_or(0.0),
    };
    App {
        instances: count(&value["instances"]),
        tasks: value["tasks"].as_array().into_iter().flatten().map(|one| task(one, &id)).collect(),
        checks: value["healthChecks"].as_array().and_then(|checks| checks.first()).map(timing),
        deploying: false,
        launch: None,
        last_failure: None,
        home,
        id,
    }
}

fn params(value: &Value) -> HealthParams {
    HealthParams {
        min_task_uptime_seconds: value["min_task_uptime"].as_f64(),
        check_haproxy: value["check_haproxy"] == true,
        haproxy_min_fraction_up: 1.0,
    }
}

/// `bounce_lib.get_happy_tasks`. What load balancers say is the discovery's part; without them the verdict must be
/// the original's, with them no unhappy task may become happy.
#[test]
fn happy_tasks_are_those_of_the_original() {
    for case in cases("happy") {
        let input = &case["in"];
        let now = time(&input["now"]).expect("a time");
        let app = app(&input["app"], HomeId::new("0"));
        let params = params(&input["params"]);
        let want = texts(&case["out"]["happy"]);
        let seen = Reading::Known(true);
        let happy = |task: &&Task| happiness(task, app.checks, &params, Some(&seen), now) == Happiness::Happy;
        let got: BTreeSet<_> = app.tasks.iter().filter(happy).map(|task| task.id.to_string()).collect();
        if params.check_haproxy {
            assert!(want.is_subset(&got), "case {}: {want:?} {got:?}", case["case"]);
        } else {
            assert_eq!(got, want, "case {}", case["case"]);
        }
    }
}

/// `setup_marathon_job.deploy_service`.
#[test]
fn passes_do_what_the_original_does_but_for_named_reasons() {
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for case in cases("deploy") {
        let Some(pass) = Pass::of(&case) else { continue };
        let (got, want) = (pass.got(), want(&case));
        let reason = match got == want {
            true => "same",
            false => {
                pass.reason().unwrap_or_else(|| panic!("case {}:\n got {got:?}\nwant {want:?}", case["case"]))
            }
        };
        *reasons.entry(reason).or_default() += 1;
    }
    assert!(reasons["same"] * 2 > reasons.values().sum(), "{reasons:?}");
}

/// What a pass did, by class of task: within a class any choice of the same size is as good.
#[derive(Debug, PartialEq)]
struct Done {
    created: bool,
    scaled: BTreeSet<(String, String, usize)>,
    deleted: BTreeSet<(String, String)>,
    drained: BTreeMap<String, usize>,
    killed: BTreeMap<String, usize>,
}

fn want(case: &Value) -> Done {
    let calls: Vec<_> = case["out"]["calls"].as_array().into_iter().flatten().collect();
    let place = |call: &Value| (call[0].to_string(), text(&call[2]).trim_start_matches('/').to_owned());
    let of = |name: &'static str| calls.iter().filter(move |call| call[1] == name);
    let deleted: BTreeSet<_> = of("delete").map(|call| place(call)).collect();
    let counts = |key: &str| {
        let counts = case["out"]["counts"][key].as_object().into_iter().flatten();
        counts.map(|(class, n)| (class.clone(), count(n))).filter(|(_, n)| *n > 0).collect()
    };
    Done {
        created: of("create").next().is_some(),
        // Apps that go are scaled to nothing first, sometimes twice.
        scaled: of("scale")
            .map(|call| (place(call), count(&call[3])))
            .filter(|(place, _)| !deleted.contains(place))
            .map(|((home, app), n)| (home, app, n))
            .collect(),
        drained: counts("drained"),
        killed: counts("killed"),
        deleted,
    }
}

struct Pass {
    desired: Desired,
    observed: Observed,
    now: Timestamp,
    method: String,
    states: BTreeMap<String, String>,
    classes: BTreeMap<String, String>,
}

impl Pass {
    /// None for names that are refused before anything is done.
    fn of(case: &Value) -> Option<Self> {
        let input = &case["in"];
        let method = method(text(&input["bounce_method"])).ok()?;
        let drain = text(&input["drain_method"]).to_owned();
        if drain == "nonsense" {
            return None;
        }
        let home = |shard: &Value| HomeId::new(shard.to_string());
        let apps: Vec<_> = input["apps"].as_array().into_iter().flatten().collect();
        let apps: Vec<_> = apps.into_iter().map(|one| app(&one["app"], home(&one["shard"]))).collect();
        let id = InstanceId::new(
            ServiceName::new(text(&input["service"])).expect("a name"),
            InstanceName::new(text(&input["instance"])).expect("a name"),
        );
        let homes: Vec<_> =
            (0..count(&input["shards"])).map(|shard| HomeId::new(shard.to_string())).collect();
        let own = |home: &HomeId| {
            apps.iter().filter(|app| app.home == *home && app.id.belongs_to(&id)).cloned().collect::<Vec<_>>()
        };
        let current = home(&input["current_shard"]);
        let states: BTreeMap<_, _> = input["drain_state"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(task, state)| (task.clone(), text(state).to_owned()))
            .collect();
        let state = |task: &Task| match drain.as_str() {
            "crashy_drain" => DrainState::Unknown("it crashes".to_owned()),
            "noop" => DrainState::Serving,
            _ => match states.get(task.id.as_str()).map(String::as_str) {
                Some("down" | "safe") => DrainState::Draining,
                _ => DrainState::Serving,
            },
        };
        let tasks: Vec<_> = homes.iter().flat_map(own).flat_map(|app| app.tasks).collect();
        let categories = case["out"]["categories"].as_object().into_iter().flatten();
        Some(Self {
            desired: Desired {
                app: AppId::new(text(&input["app_id"])),
                homes: Homes {
                    previous: homes.iter().filter(|h| **h != current).cloned().collect(),
                    current,
                },
                instances: count(&input["instances"]),
                method,
                margin: MarginFactor::new(input["margin_factor"].as_f64().expect("a number")).ok()?,
                health: params(&input["bounce_health_params"]),
            },
            observed: Observed {
                drains: tasks.iter().map(|task| (task.id.clone(), state(task))).collect(),
                sighting: Sighting {
                    homes: homes.iter().map(|home| (home.clone(), Reading::Known(own(home)))).collect(),
                    leaving_hosts: Reading::Known(texts(&input["draining_hosts"])),
                },
                discovery: BTreeMap::new(),
            },
            now: time(&input["now"]).expect("a time"),
            method: drain,
            states,
            classes: categories
                .flat_map(|(class, tasks)| texts(tasks).into_iter().map(move |task| (task, class.clone())))
                .collect(),
        })
    }

    fn got(&self) -> Done {
        let plan = plan(&self.desired, &self.observed, self.now);
        assert_eq!(check(&self.desired, &self.observed, &plan, self.now), Ok(()));
        let crashes = self.method == "crashy_drain";
        let fresh: Vec<_> =
            plan.drain.iter().filter(|drain| !drain.renewal).map(|drain| drain.task.clone()).collect();
        let drained = |task: &TaskId| match crashes {
            true => (task.clone(), Err("it crashes".to_owned())),
            false => (task.clone(), Ok(())),
        };
        let safety = |task: &TaskId| match self.method.as_str() {
            "crashy_drain" => Safety::Failed("it crashes".to_owned()),
            "noop" => Safety::Safe,
            _ if self.states.get(task.as_str()).is_some_and(|state| state == "safe") => Safety::Safe,
            _ => Safety::NotYet { until: None },
        };
        let outcomes = Outcomes {
            create: plan.create.as_ref().map(|_| Outcome::Applied(Applied::Done)),
            scale: plan.scale.iter().map(|_| Outcome::Applied(Applied::Done)).collect(),
            drain: fresh.iter().map(drained).collect(),
            safety: plan.ask_safe.iter().map(|task| (task.clone(), safety(task))).collect(),
        };
        let settled = settle(&plan, &outcomes, self.now);
        assert_eq!(check_settled(&plan, &outcomes, &settled), Ok(()));
        let class =
            |task: &TaskId| self.classes.get(task.as_str()).cloned().unwrap_or_else(|| "none".to_owned());
        let tally = |tasks: &mut dyn Iterator<Item = &TaskId>| {
            let mut counts = BTreeMap::new();
            tasks.for_each(|task| *counts.entry(class(task)).or_default() += 1);
            counts
        };
        let place = |place: &Place| (place.home.to_string(), place.app.to_string());
        let deleted: BTreeSet<_> = settled.delete.iter().map(place).collect();
        let kills = settled.kill.iter().flat_map(|home| &home.kills).flat_map(|kill| &kill.tasks);
        let taken = |task: &&TaskId| self.method == "test" && self.takes_a_drain(task);
        Done {
            created: plan.create.is_some(),
            scaled: plan
                .scale
                .iter()
                .map(|scale| (place(&scale.place), scale.instances))
                .filter(|(place, _)| !deleted.contains(place))
                .map(|((home, app), n)| (home, app, n))
                .collect(),
            drained: tally(&mut fresh.iter().filter(taken)),
            killed: tally(&mut kills.into_iter()),
            deleted,
        }
    }

    /// The recorded counts hold only what changed something: unreachable tasks are not told.
    fn takes_a_drain(&self, task: &TaskId) -> bool {
        let mut tasks = self.observed.sighting.apps().flat_map(|app| &app.tasks);
        tasks.any(|one| one.id == *task && one.phase != TaskPhase::Unreachable)
    }

    /// Why ours may differ (docs/differences.md).
    fn reason(&self) -> Option<&'static str> {
        let plan = plan(&self.desired, &self.observed, self.now);
        let leaving = self.observed.sighting.leaving_hosts.known().expect("it is known");
        let is_new = |app: &App| app.id == self.desired.app && app.home == self.desired.homes.current;
        let new = self.observed.sighting.apps().find(|app| is_new(app));
        let at_risk = new.is_some_and(|app| app.tasks.iter().any(|task| leaving.contains(&task.host)));
        let drained = |task: &Task| self.observed.drains.get(&task.id).is_some_and(DrainState::is_draining);
        let waiting = plan.why.counts.old_draining > 0
            || self.observed.sighting.apps().any(|app| !is_new(app) && app.instances > app.tasks.len());
        match self.desired.method.name() {
            "downthenup" if new.is_none() && waiting => Some("B1: waits for all that is old"),
            "upthendown" if plan.why.counts.happy_new > self.desired.instances => Some("B5: at least N"),
            _ if plan.why.counts.old_at_risk > 0 => Some("B2: at risk only within the margin"),
            _ if at_risk => Some("B4: slack stays for tasks at risk"),
            _ if new.is_some_and(|app| app.tasks.iter().any(drained)) => {
                Some("wanted tasks that are drained do not count until they serve again")
            }
            _ => None,
        }
    }
}
