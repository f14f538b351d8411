//! What holds of every method and every plan (marathon-and-bounce.md §4.8, invariants 1 to 8, and the checker's).

use std::collections::{BTreeMap, BTreeSet};

use paasta_bounce::*;
use paasta_core::*;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

const NOW: Timestamp = Timestamp::from_millis(1_600_000_000_000);

fn ids(prefix: &str, count: usize) -> Vec<TaskId> {
    (0..count).map(|index| TaskId::new(format!("{prefix}{index}"))).collect()
}

fn margins() -> impl Strategy<Value = MarginFactor> {
    select(vec![0.01, 0.07, 0.29, 0.5, 0.9, 0.999, 1.0])
        .prop_map(|value| MarginFactor::new(value).expect("a margin"))
}

#[derive(Clone, Debug)]
struct Case {
    instances: usize,
    exists: bool,
    happy: usize,
    old: usize,
    margin: MarginFactor,
}

fn cases() -> impl Strategy<Value = Case> {
    (0..120usize, any::<bool>(), 0..130usize, 0..130usize, margins()).prop_map(
        |(instances, exists, happy, old, margin)| Case {
            instances,
            exists,
            happy: if exists { happy } else { 0 },
            old,
            margin,
        },
    )
}

fn decide(name: &str, case: &Case, old_draining: usize) -> BounceDecision {
    method(name).expect("a method").decide(&BounceInput {
        instances: case.instances,
        new_app_exists: case.exists,
        happy_new: case.happy,
        old_serving: &ids("o", case.old),
        old_draining,
        old_pending: 0,
        margin: case.margin,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn invariants_1_and_2_every_method(case in cases(), draining in 0..3usize) {
        let old = ids("o", case.old);
        for method in METHODS {
            let decision = decide(method.name(), &case, draining);
            prop_assert!(decision.drain.iter().all(|task| old.contains(task)));
            prop_assert!(!decision.create_app || !case.exists);
            if ["brutal", "down", "downthenup"].contains(&method.name()) {
                prop_assert_eq!(&decision.drain, &old);
            }
            prop_assert!(method.name() != "down" || !decision.create_app);
            prop_assert_eq!(&decision, &decide(method.name(), &case, draining));
        }
    }

    #[test]
    fn invariant_3_upthendown_all_or_nothing(case in cases()) {
        let drained = decide("upthendown", &case, 0).drain.len();
        prop_assert!(drained == 0 || drained == case.old);
        prop_assert!(drained == 0 || (case.exists && case.happy >= case.instances));
    }

    #[test]
    fn invariants_4_6_and_8_crossover_keeps_the_margin(case in cases()) {
        let drained = decide("crossover", &case, 0).drain;
        let needed = case.margin.needed(case.instances);
        let kept = case.old - drained.len();
        prop_assert_eq!(&drained, &ids("o", case.old)[kept..].to_vec());
        prop_assert_eq!(kept, case.old.min(needed.saturating_sub(case.happy)));
        prop_assert!(kept + case.happy >= needed.min(case.old + case.happy));
        prop_assert!(case.happy < needed || kept == 0);
        let full = Case { margin: MarginFactor::default(), ..case.clone() };
        let kept = case.old - decide("crossover", &full, 0).drain.len();
        prop_assert!(kept + case.happy >= case.instances.min(case.old + case.happy));
    }

    #[test]
    fn invariant_5_crossover_is_monotone(case in cases(), more in 0..5usize, margin in margins()) {
        let drained = |case: &Case| decide("crossover", case, 0).drain.len();
        let happier = Case { happy: case.happy + more, ..case.clone() };
        prop_assert!(drained(&happier) >= drained(&case));
        let (low, high) = if margin < case.margin { (margin, case.margin) } else { (case.margin, margin) };
        let at = |margin| drained(&Case { margin, ..case.clone() });
        prop_assert!(at(high) <= at(low));
    }

    #[test]
    fn invariant_7_downthenup_waits_for_all_that_is_old(case in cases(), draining in 0..3usize) {
        prop_assert!(!decide("downthenup", &case, draining).create_app || (case.old == 0 && draining == 0));
    }

    #[test]
    fn no_plan_breaks_a_promise(world in worlds(), refuse in 0..4usize) {
        let (desired, observed) = world;
        let plan = plan(&desired, &observed, NOW);
        prop_assert_eq!(check(&desired, &observed, &plan, NOW), Ok(()));
        let outcomes = outcomes(&plan, refuse);
        let settled = settle(&plan, &outcomes, NOW);
        prop_assert_eq!(check_settled(&plan, &outcomes, &settled), Ok(()));
        let creates = desired.method.promise() != Promise::NeverCreates;
        let old = plan.why.counts.old_apps > 0 || (creates && !plan.why.counts.new_app_exists);
        prop_assert!(!old || settled.look_again_seconds.is_some(), "a bounce that nobody looks at again");
    }

    #[test]
    fn the_order_of_tasks_does_not_matter(world in worlds()) {
        let (desired, observed) = world;
        let mut turned = observed.clone();
        for apps in turned.sighting.homes.values_mut() {
            if let Reading::Known(apps) = apps {
                apps.iter_mut().for_each(|app| app.tasks.reverse());
            }
        }
        let names = |observed: &Observed| {
            let plan = plan(&desired, observed, NOW);
            let drains: BTreeSet<_> = plan.drain.into_iter().map(|drain| drain.task).collect();
            (drains, plan.undrain.into_iter().collect::<BTreeSet<_>>(), plan.scale, plan.why)
        };
        prop_assert_eq!(names(&observed), names(&turned));
    }

    #[test]
    fn what_is_unknown_takes_nothing_away(world in worlds()) {
        let (desired, mut observed) = world;
        observed.sighting.homes.insert(HomeId::new("previous"), Reading::Unknown("no answer".to_owned()));
        let plan = plan(&desired, &observed, NOW);
        prop_assert!(plan.is_empty());
        prop_assert!(matches!(plan.why.waiting[..], [WaitingOn::Unknown(_)]));
    }
}

/// Answers to everything the plan asks; `refuse` chooses what goes wrong.
fn outcomes(plan: &Plan, refuse: usize) -> Outcomes {
    let engine = match refuse {
        0 => Outcome::Applied(Applied::Done),
        1 => Outcome::Applied(Applied::Conflict("exists".to_owned())),
        2 => Outcome::Applied(Applied::Unknown("no answer".to_owned())),
        _ => Outcome::Failed("refused".to_owned()),
    };
    let safety = |index: usize| match index % 3 {
        0 => Safety::Safe,
        1 => Safety::NotYet { until: None },
        _ => Safety::Failed("no answer".to_owned()),
    };
    Outcomes {
        create: plan.create.as_ref().map(|_| engine.clone()),
        scale: plan.scale.iter().map(|_| engine.clone()).collect(),
        drain: plan
            .drain
            .iter()
            .enumerate()
            .map(|(index, drain)| {
                (
                    drain.task.clone(),
                    if (index + refuse) % 3 == 1 { Err("no answer".to_owned()) } else { Ok(()) },
                )
            })
            .collect(),
        safety: plan
            .ask_safe
            .iter()
            .enumerate()
            .map(|(index, task)| (task.clone(), safety(index + refuse)))
            .collect(),
    }
}

fn worlds() -> impl Strategy<Value = (Desired, Observed)> {
    let leaving = prop_oneof![
        4 => subsequence(vec!["h0", "h1", "h2"], 0..=2).prop_map(|hosts| {
            Reading::Known(hosts.into_iter().map(str::to_owned).collect())
        }),
        1 => Just(Reading::Unknown("the masters do not answer".to_owned())),
    ];
    let apps = (
        proptest::option::weighted(0.7, app("new", "current")),
        proptest::option::of(app("old1", "current")),
        proptest::option::of(app("old2", "previous")),
        proptest::option::weighted(0.2, app("new", "previous")),
    );
    (0..6usize, select(METHODS.to_vec()), margins(), any::<bool>(), leaving, apps).prop_flat_map(
        |(instances, method, margin, check_haproxy, leaving_hosts, apps)| {
            let (current, previous) = (HomeId::new("current"), HomeId::new("previous"));
            let apps: Vec<App> = [apps.0, apps.1, apps.2, apps.3].into_iter().flatten().collect();
            let tasks: Vec<TaskId> =
                apps.iter().flat_map(|app| &app.tasks).map(|task| task.id.clone()).collect();
            let at = |home: &HomeId| {
                Reading::Known(apps.iter().filter(|app| app.home == *home).cloned().collect::<Vec<_>>())
            };
            let homes = BTreeMap::from([(current.clone(), at(&current)), (previous.clone(), at(&previous))]);
            let desired = Desired {
                app: AppId::new("s.i.new.c"),
                homes: Homes { current, previous: vec![previous] },
                instances,
                method,
                margin,
                health: HealthParams { check_haproxy, ..HealthParams::default() },
            };
            let count = tasks.len();
            let drains = proptest::collection::vec(drain_state(), count);
            let seen = proptest::collection::vec(seen(), count);
            (drains, seen).prop_map(move |(drains, seen)| {
                let observed = Observed {
                    sighting: Sighting { homes: homes.clone(), leaving_hosts: leaving_hosts.clone() },
                    drains: tasks.iter().cloned().zip(drains).collect(),
                    discovery: tasks.iter().cloned().zip(seen).collect(),
                };
                (desired.clone(), observed)
            })
        },
    )
}

fn drain_state() -> impl Strategy<Value = DrainState> {
    prop_oneof![
        6 => Just(DrainState::Serving),
        2 => Just(DrainState::Draining),
        1 => Just(DrainState::DrainedByOthers),
        1 => Just(DrainState::Unknown("no answer".to_owned())),
    ]
}

fn seen() -> impl Strategy<Value = Reading<bool>> {
    prop_oneof![
        6 => Just(Reading::Known(true)),
        2 => Just(Reading::Known(false)),
        1 => Just(Reading::Unknown("no answer".to_owned())),
    ]
}

fn app(version: &'static str, home: &'static str) -> impl Strategy<Value = App> {
    (proptest::collection::vec(task(), 0..7), 0..3usize, any::<bool>(), any::<bool>()).prop_map(
        move |(mut tasks, slack, checked, fewer)| {
            let id = AppId::new(format!("s.i.{version}.c"));
            for (index, task) in tasks.iter_mut().enumerate() {
                task.id = TaskId::new(format!("{version}-{home}-{index}"));
                task.app = id.clone();
            }
            App {
                id,
                home: HomeId::new(home),
                instances: if fewer { tasks.len().saturating_sub(slack) } else { tasks.len() + slack },
                tasks,
                checks: checked.then_some(CheckTiming { grace_seconds: 60.0, interval_seconds: 10.0 }),
                deploying: false,
                launch: None,
                last_failure: None,
            }
        },
    )
}

fn task() -> impl Strategy<Value = Task> {
    let phase = prop_oneof![
        8 => Just(TaskPhase::Running),
        1 => Just(TaskPhase::Staging),
        1 => Just(TaskPhase::Unreachable),
        1 => Just(TaskPhase::Killing),
        1 => Just(TaskPhase::Other("TASK_LOST".to_owned())),
    ];
    let health = prop_oneof![
        4 => Just(Health::Alive),
        1 => Just(Health::Dead),
        1 => Just(Health::NoResults),
    ];
    let started = proptest::option::weighted(0.9, 0..1000i64);
    (phase, health, started, select(vec!["h0", "h1", "h2"])).prop_map(|(phase, health, started, host)| Task {
        id: TaskId::new(""),
        app: AppId::new(""),
        host: host.to_owned(),
        ports: vec![31000],
        phase,
        staged_at: None,
        started_at: started.map(|seconds| NOW.plus_seconds(-(seconds as f64))),
        health,
    })
}
