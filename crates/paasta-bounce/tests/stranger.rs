//! A bounce method as another crate would write it.

use std::collections::{BTreeMap, BTreeSet};

use paasta_bounce::*;
use paasta_core::*;

/// Takes out one old task at a time.
#[derive(Debug)]
struct OneByOne;

impl BounceMethod for OneByOne {
    fn name(&self) -> &'static str {
        "onebyone"
    }
    fn summary(&self) -> &'static str {
        "Takes out one old task at a time."
    }
    fn promise(&self) -> Promise {
        Promise::Nothing
    }
    fn decide(&self, input: &BounceInput<'_>) -> BounceDecision {
        let drain = match input.old_draining {
            0 => input.old_serving.last().cloned().into_iter().collect(),
            _ => vec![],
        };
        BounceDecision { create_app: !input.new_app_exists, drain }
    }
}

#[test]
fn a_method_of_another_crate_is_planned_with() {
    let home = HomeId::new("home");
    let id = AppId::new("s.i.old.c");
    let started = Timestamp::from_millis(0);
    let task = |name: &str| Task {
        id: TaskId::new(name),
        app: id.clone(),
        host: "h".to_owned(),
        ports: vec![31000],
        phase: TaskPhase::Running,
        staged_at: None,
        started_at: Some(started),
        health: Health::NoResults,
    };
    let old = App {
        id: id.clone(),
        home: home.clone(),
        instances: 2,
        tasks: vec![task("a"), task("b")],
        checks: None,
        deploying: false,
        launch: None,
        last_failure: None,
    };
    let observed = Observed {
        sighting: Sighting {
            homes: BTreeMap::from([(home.clone(), Reading::Known(vec![old]))]),
            leaving_hosts: Reading::Known(BTreeSet::new()),
        },
        drains: ["a", "b"].map(|name| (TaskId::new(name), DrainState::Serving)).into(),
        discovery: BTreeMap::new(),
    };
    let desired = Desired {
        app: AppId::new("s.i.new.c"),
        homes: Homes { current: home, previous: vec![] },
        instances: 2,
        method: &OneByOne,
        margin: MarginFactor::default(),
        health: HealthParams::default(),
    };
    let plan = plan(&desired, &observed, started);
    assert_eq!(check(&desired, &observed, &plan, started), Ok(()));
    assert!(plan.create.is_some());
    assert_eq!(plan.drain, [Drain { task: TaskId::new("b"), renewal: false }]);
}
