use paasta_core::CheckStatus::{Critical, Ok, Unknown};
use proptest::prelude::*;

use super::*;

fn copies(expected: u64) -> Copies {
    Copies { instance: "web.main".parse().unwrap(), expected, threshold: 50.0 }
}

/// `a=3 b=?`: `?` could not be asked.
fn locations(text: &str) -> Locations {
    let one = |part: &str| {
        let (name, count) = part.split_once('=').unwrap();
        let count = match count {
            "?" => Reading::Unknown("no answer".to_owned()),
            count => Reading::Known(count.parse().unwrap()),
        };
        (name.to_owned(), count)
    };
    text.split_whitespace().map(one).collect()
}

fn observed(providers: &[(&str, &str)]) -> BTreeMap<String, Reading<Locations>> {
    providers.iter().map(|(name, text)| ((*name).to_owned(), Reading::Known(locations(text)))).collect()
}

/// As `is_under_replicated` of the original's replication utilities.
#[test]
fn the_threshold() {
    for (available, expected, threshold, under, ratio) in [
        (5, 10, 50.0, false, 50.0),
        (4, 10, 50.0, true, 40.0),
        (0, 0, 50.0, false, 100.0),
        (89, 100, 90.0, true, 89.0),
        (9, 10, 90.9, false, 90.0),
        (0, 1, 0.0, false, 0.0),
    ] {
        assert_eq!(is_under_replicated(available, expected, threshold), under, "{available}/{expected}");
        assert_eq!(percent(available, expected), ratio);
    }
}

#[track_caller]
fn check(expected: u64, counts: &str, status: CheckStatus, says: &[&str]) {
    let verdict = Replication::decide(&copies(expected), &observed(&[("Smartstack", counts)]));
    assert_eq!(verdict.status, status, "{}", verdict.output);
    let mut rest = verdict.output.as_str();
    for part in says {
        let at = rest.find(part).unwrap_or_else(|| panic!("`{part}` is not (left) in {:?}", verdict.output));
        rest = &rest[at + part.len()..];
    }
}

/// The worked examples of monitoring.md §2.5.
#[test]
fn locations_of_one_provider() {
    check(6, "a=3 b=0", Critical, &["0/3 in b", "(0.0%)", "the rest is fine", "3/3 in a", "(100.0%)"]);
    check(
        7,
        "a=3 b=2",
        Ok,
        &["3/3 in a by Smartstack: OK (100.0%)\n", "2/3 in b by Smartstack: OK (66.7%)\n"],
    );
    check(7, "a=1 b=2", Critical, &["1/3 in a", "(33.3%)"]);
    check(2, "", Critical, &["no data", "`discover`"]);
    check(4, "a=4", Ok, &["4/4"]);
    check(4, "a=0", Critical, &["0/4"]);
}

/// A row of docs/differences.md (monitoring.md §10, 3).
#[test]
fn mended_fewer_copies_than_locations_can_alert() {
    check(2, "a=0 b=0 c=0", Critical, &["0/2 in all of a, b, c together"]);
    check(2, "a=0 b=1 c=0", Ok, &["1/2"]);
    check(1, "a=0 b=0", Critical, &["0/1"]);
    check(1, "a=1 b=0", Ok, &["1/1"]);
}

/// A row of docs/differences.md (monitoring.md §10, 2).
#[test]
fn mended_what_is_stopped_is_well_with_no_copies() {
    check(0, "a=0 b=0", Ok, &["0 copies are expected"]);
    check(0, "a=?", Ok, &[]);
    check(0, "", Ok, &[]);
}

/// A row of docs/differences.md (monitoring.md §10, 20).
#[test]
fn what_could_not_be_asked_is_unknown_and_never_zero() {
    check(6, "a=3 b=?", Unknown, &["b could not be asked", "no answer", "3/3 in a"]);
    check(6, "a=0 b=?", Critical, &["0/3 in a", "b could not be asked"]);
    check(6, "a=? b=?", Unknown, &[]);
    // Fewer copies than locations: what is known may be enough, else nobody knows.
    check(2, "a=2 b=? c=?", Ok, &["2/2"]);
    check(2, "a=0 b=? c=0", Unknown, &["0/2", "b"]);
    let silent = BTreeMap::from([("Envoy".to_owned(), Reading::Unknown("refused".to_owned()))]);
    assert_eq!(Replication::decide(&copies(6), &silent).status, Unknown);
    assert_eq!(Replication::decide(&copies(6), &BTreeMap::new()).status, Unknown);
    assert_eq!(Replication::judge(&copies(6), &Reading::Unknown("x".to_owned())).status, Unknown);
}

/// A row of docs/differences.md (monitoring.md §10, 4).
#[test]
fn mended_every_provider_has_its_say() {
    let verdict = Replication::decide(&copies(4), &observed(&[("Smartstack", "a=0"), ("Envoy", "a=4")]));
    assert_eq!(verdict.status, Critical);
    assert!(verdict.output.contains("0/4 in a by Smartstack: CRITICAL"), "{}", verdict.output);
    assert!(verdict.output.contains("4/4 in a by Envoy: OK"), "{}", verdict.output);
}

fn task(app: &str, started: Option<&str>, results: &[bool]) -> CountedTask {
    let started_at = started.map(|text| format!("2021-04-01T{text}Z").parse().unwrap());
    CountedTask { app: AppId::new(app), started_at, results: results.to_vec() }
}

/// Monitoring.md §2.6.
#[test]
fn tasks_that_count() {
    let now: Timestamp = "2021-04-01T12:00:00Z".parse().unwrap();
    let instance: InstanceId = "web.main_2".parse().unwrap();
    let own = "/web.main--2.gita.configb";
    for (task, counts) in [
        (task(own, Some("11:00:00"), &[true]), true),
        (task(own, Some("11:00:00"), &[]), true),
        (task(own, Some("11:00:00"), &[true, false]), false),
        (task(own, Some("11:00:00"), &[false]), false),
        (task(own, Some("11:59:00"), &[true]), false),
        (task(own, Some("11:58:59.999"), &[true]), true),
        (task(own, None, &[true]), false),
        (task("/web.main.gita.configb", Some("11:00:00"), &[true]), false),
    ] {
        assert_eq!(available_tasks(&instance, [&task], now), u64::from(counts), "{task:?}");
    }
}

/// A row of docs/differences.md (monitoring.md §10, 9).
#[test]
fn mended_tasks_of_an_instance_with_a_longer_name_do_not_count() {
    let now: Timestamp = "2021-04-01T12:00:00Z".parse().unwrap();
    let tasks = ["/web.main2.gita.configb", "/web.main--x.gita.configb", "/web.main.gita.configb"]
        .map(|app| task(app, Some("11:00:00"), &[true]));
    assert_eq!(available_tasks(&"web.main".parse().unwrap(), &tasks, now), 1);
}

#[test]
fn healthy_tasks() {
    let verdict = HealthyTasks::decide(&copies(10), &4);
    assert_eq!(verdict.status, Critical);
    for fact in ["web.main", "4/10", "50%"] {
        assert!(verdict.output.contains(fact), "{}", verdict.output);
    }
    assert_eq!(HealthyTasks::decide(&copies(10), &5).status, Ok);
    assert_eq!(HealthyTasks::decide(&copies(0), &0).status, Ok);
    let silent = HealthyTasks::judge(&copies(10), &Reading::Unknown("Marathon is silent".to_owned()));
    assert_eq!(silent.status, Unknown);
    assert!(silent.output.contains("Marathon is silent"));
}

#[test]
fn descriptions_say_what_helps() {
    let verdict = Verdict::critical("x");
    let text = description(&verdict, &copies(4), "prod", &["Smartstack", "Envoy"]);
    for fact in ["Smartstack and Envoy", "503", "paasta logs -s web -i main -c prod", "-vv", "`discover`"] {
        assert!(text.contains(fact), "{text}");
    }
    assert!(!description(&verdict, &copies(4), "prod", &[]).contains("discover"));
    assert!(description(&Verdict::ok(""), &copies(4), "prod", &[]).contains("50%"));
}

#[test]
fn the_whole_cluster() {
    let verdict = |good, bad, unknown| overall(Totals { good, bad, unknown }, Limits::default()).status;
    assert_eq!(verdict(0, 0, 0), Ok);
    assert_eq!(verdict(45, 5, 0), Critical);
    assert_eq!(verdict(46, 5, 0), Ok);
    assert_eq!(verdict(0, 4, 0), Ok);
    assert_eq!(verdict(8, 7, 0), Critical);
    // A row of docs/differences.md: nothing could be told, or what could not be told would make the difference.
    assert_eq!(verdict(0, 0, 3), Unknown);
    assert_eq!(verdict(10, 4, 1), Unknown);
    assert_eq!(verdict(100, 4, 1), Ok);
    assert_eq!(verdict(8, 7, 3), Critical);
}

fn counts() -> impl Strategy<Value = Locations> {
    let count = prop_oneof![
        4 => (0_u64..20).prop_map(Reading::Known),
        1 => Just(Reading::Unknown("no answer".to_owned())),
    ];
    proptest::collection::btree_map("[a-e]", count, 0..5)
}

proptest! {
    /// More copies never turn a verdict for the worse.
    #[test]
    fn more_copies_are_never_worse(expected in 0_u64..40, threshold in 0.0_f64..120.0, counts in counts(), more in 0_u64..20) {
        let copies = Copies { threshold, ..copies(expected) };
        let judge = |locations: &Locations| {
            Replication::decide(&copies, &BTreeMap::from([("P".to_owned(), Reading::Known(locations.clone()))])).status
        };
        let grown: Locations =
            counts.iter().map(|(name, count)| (name.clone(), count.clone().map(|count| count + more))).collect();
        if judge(&counts) == Ok {
            prop_assert_eq!(judge(&grown), Ok);
        }
    }

    /// Whatever the silent ones would have said: a verdict that is told in spite of them would have been the same.
    #[test]
    fn what_is_unknown_never_decides(expected in 0_u64..40, counts in counts(), would in proptest::collection::vec(0_u64..40, 5)) {
        let judge = |locations: &Locations| {
            Replication::decide(&copies(expected), &BTreeMap::from([("P".to_owned(), Reading::Known(locations.clone()))])).status
        };
        let told = judge(&counts);
        let silent = counts.values().any(|count| count.unknown().is_some());
        let mut would = would.into_iter().cycle();
        let asked: Locations = counts
            .iter()
            .map(|(name, count)| match count {
                Reading::Known(count) => (name.clone(), Reading::Known(*count)),
                Reading::Unknown(_) => (name.clone(), Reading::Known(would.next().unwrap_or(0))),
            })
            .collect();
        if told != Unknown {
            prop_assert_eq!(judge(&asked), told);
        } else {
            prop_assert!(silent);
        }
    }

    #[test]
    fn a_stopped_instance_never_alerts(counts in counts()) {
        let observed = BTreeMap::from([("P".to_owned(), Reading::Known(counts))]);
        prop_assert_eq!(Replication::decide(&copies(0), &observed).status, Ok);
    }

    #[test]
    fn unknown_ones_never_hide_a_critical_whole(good in 0_u64..50, bad in 0_u64..50, unknown in 0_u64..50) {
        let known = overall(Totals { good, bad, unknown: 0 }, Limits::default()).status;
        let all = overall(Totals { good, bad, unknown }, Limits::default()).status;
        prop_assert!(known != Critical || all == Critical);
    }
}
