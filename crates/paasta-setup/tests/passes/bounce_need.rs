//! Which instances a listing shows to be other than wanted.

use std::collections::BTreeSet;

use paasta_bounce::{Desired, DrainState, HealthParams, MarginFactor, Observed, method, plan};
use paasta_core::*;
use paasta_setup::{BounceNeed, BounceReason, bounce_need};
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_millis(1_600_000_000_000);

fn instance() -> InstanceId {
    "s_v.main".parse().expect("an id")
}

fn id(version: &str) -> AppId {
    AppId::new(format!("s--v.main.git{version}.config{version}"))
}

fn app(version: &str, home: &str, instances: usize, hosts: &[&str]) -> App {
    let task = |(index, host): (usize, &&str)| Task {
        id: TaskId::new(format!("{version}-{home}-{index}")),
        app: id(version),
        host: (*host).to_owned(),
        ports: vec![1],
        phase: TaskPhase::Running,
        staged_at: Some(NOW.plus_seconds(-1000.0)),
        started_at: Some(NOW.plus_seconds(-1000.0)),
        health: Health::Alive,
    };
    App {
        id: id(version),
        home: HomeId::new(home),
        instances,
        tasks: hosts.iter().enumerate().map(task).collect(),
        checks: None,
        deploying: false,
        launch: None,
        last_failure: None,
    }
}

fn rendered(instances: usize) -> Rendered {
    Rendered {
        app: id("new"),
        config_hash: "confignew".to_owned(),
        hash_input: String::new(),
        body: String::new(),
        instances,
        homes: Homes { current: HomeId::new("a"), previous: vec![HomeId::new("b")] },
    }
}

/// Homes `a`, `b` and `c`, of which a pass looks at the first two; the host `leaving` leaves.
fn fleet(apps: &[App]) -> Fleet {
    let home = |name: &str| {
        let home = HomeId::new(name);
        let own = apps.iter().filter(|app| app.home == home).cloned().collect();
        (home, Reading::Known(own))
    };
    Fleet {
        homes: ["a", "b", "c"].map(home).into(),
        leaving_hosts: Reading::Known(["leaving".to_owned()].into()),
    }
}

fn need(apps: &[App]) -> BounceNeed {
    bounce_need(&instance(), &rendered(2), &fleet(apps))
}

#[test]
fn reasons() {
    let new = || app("new", "a", 2, &["h1", "h2"]);
    let stranger = App { id: AppId::new("s--v.main2.gitx.configx"), ..app("x", "a", 9, &["leaving"]) };
    assert_eq!(need(&[new(), stranger]), BounceNeed::None);
    for (apps, reasons) in [
        (vec![], vec![BounceReason::NotThere]),
        (vec![app("new", "a", 3, &["h1"])], vec![BounceReason::Size { wanted: 2, is: 3 }]),
        (vec![new(), app("old", "b", 0, &[])], vec![BounceReason::OldApps(1)]),
        (vec![new(), app("new", "c", 1, &["h1"])], vec![BounceReason::OldApps(1)]),
        (vec![app("new", "b", 2, &["h1"])], vec![BounceReason::NotThere, BounceReason::OldApps(1)]),
        (vec![app("new", "a", 2, &["h1", "leaving"])], vec![BounceReason::OnLeavingHosts(1)]),
    ] {
        assert_eq!(need(&apps), BounceNeed::Needed(reasons), "{apps:?}");
    }
}

#[test]
fn what_could_not_be_read_is_neither_yes_nor_no() {
    let silent = || Reading::Unknown("no answer".to_owned());
    let need = |fleet: &Fleet| bounce_need(&instance(), &rendered(2), fleet);
    let new = || app("new", "a", 2, &["h1", "h2"]);
    for home in ["a", "b", "c"] {
        let mut fleet = fleet(&[new()]);
        fleet.homes.insert(HomeId::new(home), silent());
        assert!(matches!(need(&fleet), BounceNeed::Unknown(_)), "{home}");
    }
    let without_hosts =
        |apps: &[App]| Fleet { leaving_hosts: Reading::Unknown("no answer".to_owned()), ..fleet(apps) };
    assert!(matches!(need(&without_hosts(&[new()])), BounceNeed::Unknown(_)));
    assert_eq!(need(&without_hosts(&[])), BounceNeed::Needed(vec![BounceReason::NotThere]));
    let mut elsewhere = fleet(&[app("old", "b", 1, &["h1"])]);
    elsewhere.homes.insert(HomeId::new("a"), silent());
    assert_eq!(
        need(&elsewhere),
        BounceNeed::Needed(vec![BounceReason::OldApps(1)]),
        "it is wanted in no case"
    );
    let mut unlisted = fleet(&[]);
    unlisted.homes.clear();
    assert!(matches!(need(&unlisted), BounceNeed::Unknown(_)));
}

fn any_app() -> impl Strategy<Value = App> {
    let host = prop_oneof![Just("h1"), Just("h2"), Just("leaving")];
    let version = prop_oneof![3 => Just("new"), 1 => Just("old")];
    let home = prop_oneof![3 => Just("a"), 1 => Just("b")];
    (version, home, 0..4_usize, prop::collection::vec(host, 0..4)).prop_map(
        |(version, home, instances, hosts)| {
            app(version, home, instances, &hosts[..hosts.len().min(instances)])
        },
    )
}

proptest! {
    /// Where no bounce is needed a pass has nothing to do, whatever the method; where a pass has something to do with
    /// tasks that all take traffic, a bounce is needed.
    #[test]
    fn where_no_bounce_is_needed_a_pass_does_nothing(
        mut apps in prop::collection::vec(any_app(), 0..3),
        wanted in 0..4_usize,
        name in prop_oneof![Just("crossover"), Just("upthendown"), Just("downthenup"), Just("brutal")],
    ) {
        let mut seen = BTreeSet::new();
        apps.retain(|app| seen.insert((app.home.clone(), app.id.clone())));
        let (fleet, rendered) = (fleet(&apps), rendered(wanted));
        let sighting = fleet.of(&instance(), rendered.homes.all());
        let serving = sighting.apps().flat_map(|app| &app.tasks).map(|task| (task.id.clone(), DrainState::Serving));
        let observed = Observed { drains: serving.collect(), discovery: Default::default(), sighting };
        let desired = Desired {
            app: rendered.app.clone(),
            homes: rendered.homes.clone(),
            instances: wanted,
            method: method(name).expect("known"),
            margin: MarginFactor::default(),
            health: HealthParams::default(),
        };
        let plan = plan(&desired, &observed, NOW);
        match bounce_need(&instance(), &rendered, &fleet) {
            BounceNeed::None => prop_assert!(plan.is_empty(), "{plan:?}"),
            BounceNeed::Needed(reasons) => prop_assert!(!reasons.is_empty()),
            BounceNeed::Unknown(reason) => prop_assert!(false, "all was read: {reason}"),
        }
    }
}
