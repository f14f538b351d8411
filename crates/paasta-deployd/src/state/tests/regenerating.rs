//! Which deployments.json is looked at when.

use std::collections::BTreeSet;

use paasta_core::{Standing, Timestamp};

use super::{at, finished, id, regenerated, service};
use crate::Settings;
use crate::ports::{PassResult, RegenerateResult};
use crate::state::{Because, Deployd, Event, Listing, Scope};

/// One that leads, and has looked at the tags of these services once.
fn leads(settings: Settings, instances: &[&str]) -> Deployd {
    let mut deployd = Deployd::new(settings);
    deployd.handle(at(0.0), Event::Started);
    deployd.handle(at(0.0), Event::Stands(Standing::Leading));
    let listing = Listing::of(Scope::All, instances.iter().map(|text| id(text)));
    let mut asked = regenerated(&deployd.handle(at(0.0), Event::InstancesListed(listing)));
    while let Some(name) = asked.pop() {
        asked.extend(regenerated(&deployd.handle(at(0.0), told(&name, RegenerateResult::Unchanged))));
    }
    deployd
}

fn settings(regenerate_seconds: f64) -> Settings {
    Settings { regenerate_seconds, ..Settings::default() }
}

fn told(name: &str, result: RegenerateResult) -> Event {
    Event::Regenerated { service: service(name), result }
}

fn failed(name: &str) -> Event {
    told(name, RegenerateResult::Failed("no answer".into()))
}

/// Lets time pass until the service is regenerated; answers when that is.
fn next(deployd: &mut Deployd, mut now: Timestamp, name: &str) -> Option<Timestamp> {
    for _ in 0..2000 {
        if regenerated(&deployd.handle(now, Event::Tick)) == [name] {
            return Some(now);
        }
        now = now.plus_seconds(0.5);
    }
    None
}

#[test]
fn a_nudge_that_failed_is_tried_until_it_has_been_done_whether_or_not_there_is_polling() {
    for usual in [0.0, 300.0] {
        let mut deployd = leads(settings(usual), &["a.main"]);
        let mut now = at(10.0);
        assert_eq!(regenerated(&deployd.handle(now, Event::Nudged(service("a")))), ["a"]);
        let mut waits = Vec::new();
        for _ in 0..10 {
            deployd.handle(now, failed("a"));
            let then = next(&mut deployd, now, "a").expect("it is tried again");
            waits.push(then.since(now).as_secs());
            now = then;
        }
        assert_eq!(waits, [2, 4, 8, 16, 32, 60, 60, 60, 60, 60], "polling every {usual} s");
        let seen = deployd.snapshot(now).regenerations_failing.remove(0);
        assert_eq!((seen.failures, seen.reason.as_str()), (10, "no answer"));
        deployd.handle(now, told("a", RegenerateResult::Unchanged));
        let then = next(&mut deployd, now, "a").map(|then| then.since(now).as_secs());
        assert_eq!(then, (usual > 0.0).then_some(300), "as usual again");
    }
}

#[test]
fn without_polling_the_look_at_the_start_is_tried_again_when_somebody_asks() {
    let mut deployd = Deployd::new(settings(0.0));
    deployd.handle(at(0.0), Event::Started);
    deployd.handle(at(0.0), Event::Stands(Standing::Leading));
    let listing = Listing::of(Scope::All, [id("a.main")]);
    assert_eq!(regenerated(&deployd.handle(at(0.0), Event::InstancesListed(listing))), ["a"]);
    deployd.handle(at(0.0), failed("a"));
    deployd.handle(at(0.0), finished("a.main", PassResult::Steady));
    assert_eq!(next(&mut deployd, at(0.0), "a"), None);
    assert_eq!(deployd.snapshot(at(1000.0)).regenerations_failing.len(), 1, "it is told");
    assert_eq!(regenerated(&deployd.handle(at(1000.0), Event::Nudged(service("a")))), ["a"]);
    deployd.handle(at(1000.0), failed("a"));
    assert!(next(&mut deployd, at(1000.0), "a").is_some());
}

#[test]
fn whoever_begins_anew_looks_at_all_tags_once_also_without_polling() {
    let lost = Event::Stands(Standing::Lost("the session ended".into()));
    let leads_again = [lost, Event::Stands(Standing::Leading)];
    for anew in [&leads_again[..], &[Event::SettingsRead(Err("broken".into()))]] {
        let mut deployd = leads(settings(0.0), &["a.main"]);
        deployd.converge_once(1);
        deployd.handle(at(1.0), finished("a.main", PassResult::Steady));
        assert!(deployd.settled().is_some());
        let actions: Vec<_> = anew.iter().flat_map(|event| deployd.handle(at(9.0), event.clone())).collect();
        assert_eq!(regenerated(&actions), ["a"], "{anew:?}");
        deployd.handle(at(9.0), Event::InstancesListed(Listing::of(Scope::All, [id("a.main")])));
        deployd.handle(at(9.1), told("a", RegenerateResult::Unchanged));
        deployd.handle(at(9.2), finished("a.main", PassResult::Steady));
        assert_eq!(deployd.settled(), Some(Vec::new()), "{anew:?}");

        let mut deployd = leads(settings(0.0), &["a.main"]);
        let actions: Vec<_> = anew.iter().flat_map(|event| deployd.handle(at(9.0), event.clone())).collect();
        assert_eq!(regenerated(&actions), ["a"]);
        deployd.handle(at(9.0), failed("a"));
        assert_eq!(next(&mut deployd, at(9.0), "a"), None, "nobody asked for it");
    }
}

#[test]
fn a_git_server_that_fails_leaves_places_to_others() {
    let settings = Settings { regenerations_at_once: 2, ..settings(0.0) };
    let mut deployd = leads(settings, &["dead.main", "deaf.main", "fine.main"]);
    for name in ["dead", "deaf"] {
        assert_eq!(regenerated(&deployd.handle(at(1.0), Event::Nudged(service(name)))), [name]);
        deployd.handle(at(1.0), failed(name));
    }
    assert_eq!(regenerated(&deployd.handle(at(9.0), Event::Tick)), ["dead"], "and not both");
    assert_eq!(regenerated(&deployd.handle(at(9.1), Event::Nudged(service("fine")))), ["fine"]);
    deployd.handle(at(9.2), told("fine", RegenerateResult::Unchanged));
    assert_eq!(regenerated(&deployd.handle(at(9.3), failed("dead"))), ["deaf"]);
}

#[test]
fn a_git_server_that_hangs_keeps_no_nudge_waiting() {
    let names: Vec<String> = (0..12).map(|number| format!("hung{number}.main")).collect();
    let instances: Vec<&str> = names.iter().map(String::as_str).chain(["zoo.main", "zoo2.main"]).collect();
    for (places, most) in [(8, 6), (3, 1), (2, 1), (1, 1)] {
        let settings = Settings { regenerations_at_once: places, ..settings(0.0) };
        let mut deployd = leads(settings, &instances);
        let hung = regenerated(&deployd.handle(at(9.0), Event::SettingsRead(Err("broken".into()))));
        assert_eq!(hung.len(), most);
        let nudged = ["zoo", "zoo2"].map(|name| deployd.handle(at(9.1), Event::Nudged(service(name))));
        let nudged = nudged.iter().flat_map(|actions| regenerated(actions)).count();
        assert_eq!(nudged, (places - most).min(2), "{places} places");
        if places < 3 {
            let next = if places == 2 { "zoo2" } else { "zoo" };
            assert_eq!(regenerated(&deployd.handle(at(9.2), failed(&hung[0]))), [next]);
        }
    }
}

fn absent(instance: &str) -> Event {
    finished(instance, PassResult::NotDeployed("no such deploy group".into()))
}

fn files(name: &str) -> Event {
    Event::FilesSwept { services: BTreeSet::from([service(name)]), everything: false, rest_seconds: None }
}

#[test]
fn an_instance_that_is_not_deployed_has_its_tags_looked_at_once_per_change_of_its_files() {
    for usual in [0.0, 300.0] {
        let mut deployd = leads(settings(usual), &["a.main", "a.side"]);
        let none = Vec::<String>::new;
        // The look at the start has just been.
        assert_eq!(regenerated(&deployd.handle(at(1.0), absent("a.main"))), none());
        deployd.handle(at(1.0), finished("a.side", PassResult::Steady));
        let entry = deployd.snapshot(at(1.0)).queue.remove(0);
        assert_eq!((entry.because, entry.failures), (Because::Resync, 0));
        let last = entry.last.expect("a report").result;
        assert_eq!(last, PassResult::NotDeployed("no such deploy group".into()));
        // A new deploy group: both are looked at, and ask for one look at the tags together.
        deployd.handle(at(10.0), files("a"));
        assert_eq!(regenerated(&deployd.handle(at(10.1), absent("a.main"))), ["a"]);
        assert_eq!(regenerated(&deployd.handle(at(10.2), absent("a.side"))), none());
        assert_eq!(regenerated(&deployd.handle(at(10.3), told("a", RegenerateResult::Unchanged))), none());
        // It stays so: nobody asks again.
        deployd.handle(at(200.0), Event::Nudged(service("a")));
        deployd.handle(at(200.1), told("a", RegenerateResult::Changed));
        for name in ["a.main", "a.side"] {
            assert_eq!(regenerated(&deployd.handle(at(201.0), absent(name))), none());
        }
        // One that began before the change says nothing of what came with it.
        assert_eq!(regenerated(&deployd.handle(at(300.0), Event::Nudged(service("a")))), ["a"]);
        deployd.handle(at(300.1), files("a"));
        assert_eq!(regenerated(&deployd.handle(at(300.2), absent("a.main"))), none());
        assert_eq!(regenerated(&deployd.handle(at(300.3), told("a", RegenerateResult::Unchanged))), ["a"]);
        assert_eq!(deployd.unsettled().len(), 1, "{:?}", deployd.unsettled());
    }
}
