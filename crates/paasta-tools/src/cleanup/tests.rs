use std::sync::Arc;

use paasta_config::{Memory, Soa};
use proptest::prelude::*;

use super::*;

const GUARD: Guard = Guard { kill_threshold: 0.5, force: false };

fn app(home: &str, id: &str) -> App {
    App {
        id: AppId::new(id),
        home: HomeId::new(home),
        instances: 1,
        tasks: vec![],
        checks: None,
        deploying: false,
        launch: None,
        last_failure: None,
    }
}

fn listed(apps: &[(&str, &str)]) -> BTreeMap<HomeId, Reading<Vec<App>>> {
    let home = |name: &str| {
        let own = apps.iter().filter(|(home, _)| *home == name).map(|(home, id)| app(home, id));
        (HomeId::new(name), Reading::Known(own.collect()))
    };
    ["a", "b"].map(home).into()
}

/// `web` and `my_svc` have `main`; `bro_ken` cannot be read.
fn tree() -> Memory {
    Memory::new()
        .with("web/marathon-prod.yaml", "main: {}\n")
        .with("my_svc/marathon-prod.yaml", "main: {}\n")
        .with("bro_ken/marathon-prod.yaml", "main: {\n")
}

fn configured(tree: Memory) -> Configured {
    Configured::read(&Soa::new(Arc::new(tree)), &"prod".parse().unwrap()).unwrap()
}

fn doomed(judgement: &Judgement) -> Vec<&str> {
    judgement.doomed.iter().map(|doomed| doomed.place.app.as_str()).collect()
}

#[test]
fn only_our_apps_of_instances_that_are_gone_go() {
    let apps = [
        ("a", "web.main.gita.configa"),
        ("b", "web.main.gitold.configold"),
        ("a", "my--svc.main.gita.configa"),
        ("a", "web.gone.gita.configa"),
        ("b", "bro--ken.gone.gita.configa"),
        ("b", "gone.main.gita.configa"),
        ("b", "cron.job"),
        ("b", "chronos"),
        ("b", "a.b.c.d"),
    ];
    let judgement = judge(&listed(&apps), &configured(tree()), GUARD);
    assert_eq!(doomed(&judgement), ["web.gone.gita.configa", "gone.main.gita.configa"]);
    assert_eq!((judgement.ours, judgement.unknown, judgement.foreign.len()), (6, 1, 3));
    assert_eq!(judgement.refusal, None);
}

#[test]
fn too_many_are_refused_unless_forced() {
    let apps = [
        ("a", "web.main.gita.configa"),
        ("a", "web.x.gita.configa"),
        ("b", "web.y.gita.configa"),
        ("b", "cron.job"),
    ];
    let refusal = |guard| judge(&listed(&apps), &configured(tree()), guard).refusal;
    assert_eq!(refusal(GUARD), Some(Refusal::TooMany { doomed: 2, ours: 3, kill_threshold: 0.5 }));
    assert_eq!(refusal(Guard { kill_threshold: 0.67, force: false }), None);
    assert_eq!(refusal(Guard { force: true, ..GUARD }), None);
    assert!(refusal(Guard { kill_threshold: 0.0, force: false }).is_some());
    // Exactly the threshold is not more than it.
    let half = judge(&listed(&apps[..2]), &configured(tree()), GUARD);
    assert_eq!((half.doomed.len(), half.ours, half.refusal), (1, 2, None));
}

#[test]
fn what_is_not_known_deletes_nothing() {
    let apps =
        [("a", "web.main.gita.configa"), ("a", "web.gone.gita.configa"), ("a", "my--svc.main.gita.configa")];
    let force = Guard { force: true, ..GUARD };
    let all = Guard { kill_threshold: 1.0, force: false };
    for guard in [GUARD, force, all] {
        assert_eq!(
            judge(&listed(&apps), &configured(Memory::new()), guard).refusal,
            Some(Refusal::NoServices)
        );
    }
    let elsewhere = || configured(Memory::new().with("web/marathon-test.yaml", "main: {}\n"));
    assert_eq!(judge(&listed(&apps), &elsewhere(), all).refusal, Some(Refusal::NoInstances));
    assert_eq!(judge(&listed(&apps), &elsewhere(), force).refusal, None);
    let mut silent = listed(&apps);
    silent.insert(HomeId::new("b"), Reading::Unknown("no answer".to_owned()));
    let refusal = judge(&silent, &configured(tree()), all).refusal.unwrap();
    assert!(refusal.to_string().ends_with("b: no answer"), "{refusal}");
    assert_eq!(doomed(&judge(&silent, &configured(tree()), force)), ["web.gone.gita.configa"]);
}

fn any_id() -> impl Strategy<Value = String> {
    let service =
        prop_oneof![Just("web"), Just("my--svc"), Just("bro--ken"), Just("gone"), Just("[a-z_.-]{0,6}")];
    let instance = prop_oneof![Just("main"), Just("gone")];
    let end = prop_oneof![4 => Just(".gita.configb"), 1 => Just(""), 1 => Just(".a.b"), 1 => Just(".gita.configb.x")];
    (service, instance, end).prop_map(|(service, instance, end)| format!("{service}.{instance}{end}"))
}

proptest! {
    /// Whatever stands there and whatever is allowed: what is configured, unreadable or foreign stays, and without force
    /// no more goes than the threshold allows.
    #[test]
    fn nothing_goes_that_may_be_wanted(
        ids in prop::collection::vec((prop_oneof![Just("a"), Just("b")], any_id()), 0..12),
        kill_threshold in 0.0..=1.0,
        force: bool,
        silent: bool,
        readable: bool,
    ) {
        let apps: Vec<(&str, &str)> = ids.iter().map(|(home, id)| (*home, id.as_str())).collect();
        let mut listed = listed(&apps);
        if silent {
            listed.insert(HomeId::new("b"), Reading::Unknown("no answer".to_owned()));
        }
        let configured = configured(if readable { tree() } else { Memory::new() });
        let judgement = judge(&listed, &configured, Guard { kill_threshold, force });
        for doomed in &judgement.doomed {
            let id = &doomed.place.app;
            prop_assert!(id.has_our_form());
            prop_assert!(!readable || !["web.main", "my--svc.main"].contains(&id.short_id()), "{id}");
            prop_assert!(!readable || !id.as_str().starts_with("bro--ken."), "{id}");
            prop_assert!(!silent || doomed.place.home.as_str() == "a");
        }
        let goes = if judgement.refusal.is_none() { judgement.doomed.len() } else { 0 };
        prop_assert!(readable || goes == 0);
        prop_assert!(force || !silent || goes == 0);
        prop_assert!(force || goes as f64 <= judgement.ours as f64 * kill_threshold);
        prop_assert!(goes == 0 || judgement.ours >= goes);
    }
}
