//! Who goes before whom.

use std::collections::BTreeSet;

use paasta_core::{AppId, Change, Haste};
use proptest::prelude::*;

use super::{at, finished, id, machine_with, passes, service};
use crate::Settings;
use crate::ports::PassResult;
use crate::state::{Action, Because, Deployd, Event, Lane, Listed, Listing, Scope};

fn files(name: &str) -> Event {
    Event::FilesSwept { services: BTreeSet::from([service(name)]), everything: false, rest_seconds: None }
}

fn everything() -> Event {
    Event::FilesSwept { services: BTreeSet::new(), everything: true, rest_seconds: None }
}

fn settings(workers: usize, urgent_workers: usize) -> Settings {
    Settings { workers, urgent_workers, regenerate_seconds: 0.0, ..Settings::default() }
}

/// A machine with that many instances `big.i0` … and one `person.main`, on which everything is being bounced.
fn big_bounce(settings: Settings, count: usize) -> (Deployd, Vec<String>) {
    let names: Vec<String> =
        (0..count).map(|n| format!("big.i{n}")).chain(["person.main".to_owned()]).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (mut deployd, started) = machine_with(settings, &names);
    let more = passes(&deployd.handle(at(0.0), everything()));
    (deployd, started.into_iter().chain(more).collect())
}

fn look_again(instance: &str) -> Event {
    finished(instance, PassResult::LookAgain { seconds: 0.0 })
}

#[test]
fn a_look_again_keeps_the_deadline_of_its_bounce() {
    //! `PaastaDeployWorker` of the original gives it a new one: the time of the look.
    let (mut deployd, _) = big_bounce(settings(1, 0), 0);
    let deadline = Settings::default().big_bounce_deadline_seconds;
    for round in 0..5 {
        let now = at(f64::from(round) * 10.0);
        let noise = Event::EngineChanged(Change::App(AppId::new("/person.main.gitx.configy")));
        deployd.handle(now, noise.clone());
        deployd.handle(now, look_again("person.main"));
        deployd.handle(now, noise);
        let entry = deployd.snapshot(now).queue.remove(0);
        assert_eq!(entry.bounce_by, at(deadline));
        deployd.handle(now.plus_seconds(5.0), Event::Tick);
    }
    deployd.handle(at(50.0), finished("person.main", PassResult::Steady));
    assert!(deployd.snapshot(at(50.0)).queue[0].bounce_by > at(deadline), "the next bounce has its own");
}

#[test]
fn a_deadline_that_has_come_is_urgent() {
    let (mut deployd, started) = big_bounce(settings(1, 1), 3);
    assert_eq!(started, ["big.i0"]);
    let deadline = Settings::default().big_bounce_deadline_seconds;
    let actions = deployd.handle(at(deadline), Event::Tick);
    assert_eq!(passes(&actions), ["big.i1"]);
    let haste = actions.iter().find_map(|action| match action {
        Action::StartPass { wake, .. } => Some(wake.haste),
        _ => None,
    });
    assert_eq!(haste, Some(Haste::Urgent));
    let snapshot = deployd.snapshot(at(deadline));
    assert!(snapshot.queue.iter().all(|entry| entry.lane == Lane::Urgent));
    assert!(snapshot.running.iter().any(|pass| pass.urgent));
}

#[test]
fn an_instance_may_let_its_deploys_wait() {
    let (mut deployd, _) = machine_with(settings(1, 1), &["slow.main", "z.main"]);
    let mut listing = Listing::of(Scope::All, [id("slow.main"), id("z.main")]);
    listing.instances.insert(id("z.main"), Listed { bounce_start_deadline_seconds: 60.0, autoscaled: false });
    deployd.handle(at(1.0), Event::InstancesListed(listing));
    assert_eq!(passes(&deployd.handle(at(2.0), files("z"))), Vec::<String>::new());
    let entry = deployd.snapshot(at(2.0)).queue.remove(0);
    assert_eq!((entry.lane, entry.bounce_by, entry.because), (Lane::Waiting, at(62.0), Because::Startup));
    assert_eq!(passes(&deployd.handle(at(61.0), Event::Tick)), Vec::<String>::new());
    assert_eq!(passes(&deployd.handle(at(62.0), Event::Tick)), ["z.main"]);
}

#[test]
fn failing_instances_take_half_of_the_workers_at_most() {
    let names = ["p.a", "p.b", "p.c", "p.d", "p.e"];
    let (mut deployd, _) = machine_with(settings(4, 0), &names);
    for name in ["p.a", "p.b", "p.c", "p.d", "p.e"] {
        deployd.handle(at(0.0), finished(name, PassResult::Failed("hangs".into())));
    }
    assert_eq!(passes(&deployd.handle(at(6000.0), Event::Tick)).len(), 2);
    let snapshot = deployd.snapshot(at(6000.0));
    assert!(snapshot.queue.iter().all(|entry| entry.lane == Lane::Retry && entry.available));
    assert_eq!(
        passes(&deployd.handle(at(6001.0), files("p"))).len(),
        2,
        "who was changed is tried as any other"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// All workers busy with bounces that may stand back, and many more that wait: a person's deploy starts at once.
    #[test]
    fn an_urgent_wake_waits_for_no_bounce_that_may_stand_back(
        workers in 1..6usize, urgent in 1..4usize, many in 1..1200usize, rounds in 0..40usize
    ) {
        let (mut deployd, mut running) = big_bounce(settings(workers, urgent), many);
        let mut now = at(1.0);
        for _ in 0..rounds {
            if running.iter().any(|name| name == "person.main") {
                let actions = deployd.handle(now, finished("person.main", PassResult::Steady));
                running.retain(|name| name != "person.main");
                running.extend(passes(&actions));
                continue;
            }
            let ended = running.remove(0);
            running.extend(passes(&deployd.handle(now, look_again(&ended))));
            now = now.plus_seconds(0.25);
            running.extend(passes(&deployd.handle(now, Event::Tick)));
        }
        prop_assert!(running.len() <= workers);
        if running.iter().any(|name| name == "person.main") {
            return Ok(());
        }
        let started = passes(&deployd.handle(now, files("person")));
        prop_assert_eq!(started, ["person.main"]);
    }

    /// Bounces that never end, urgent or not, keep nobody out for ever.
    #[test]
    fn bounces_that_never_end_keep_nobody_out(workers in 1..4usize, stuck in 1..60usize, hurried in any::<bool>()) {
        let (mut deployd, mut running) = big_bounce(settings(workers, 1), stuck);
        if hurried {
            running.extend(passes(&deployd.handle(at(0.0), files("big"))));
        }
        let mut now = at(0.0);
        for _ in 0..40 * (stuck + 1) {
            if running.iter().any(|name| name == "person.main") {
                return Ok(());
            }
            now = now.plus_seconds(0.3);
            for ended in std::mem::take(&mut running) {
                running.extend(passes(&deployd.handle(now, look_again(&ended))));
            }
            running.extend(passes(&deployd.handle(now, Event::Tick)));
        }
        prop_assert!(false, "person.main never had its turn");
    }
}
