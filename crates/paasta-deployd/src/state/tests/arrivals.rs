//! Instances that appear while deployd runs.

use std::collections::BTreeSet;

use super::{at, finished, id, machine, machine_with, passes, service};
use crate::Settings;
use crate::ports::{PassResult, RegenerateResult};
use crate::state::{Because, Event, Lane, Listed, Listing, Scope};

fn listing(scope: Scope, instances: &[(&str, f64)]) -> Event {
    let mut listing = Listing::of(scope, instances.iter().map(|(text, _)| id(text)));
    for (text, seconds) in instances {
        let listed = Listed { bounce_start_deadline_seconds: *seconds, ..Listed::default() };
        listing.instances.insert(id(text), listed);
    }
    Event::InstancesListed(listing)
}

#[test]
fn an_instance_that_appears_later_is_due_at_once_and_one_that_was_there_is_not() {
    let (mut deployd, started) = machine(1, &["a.main", "b.main"]);
    assert_eq!(started, ["a.main"]);
    let startup = Settings::default().startup_deadline_seconds;
    let deadline = |deployd: &crate::Deployd, name: &str| {
        let entry = deployd.snapshot(at(5.0)).queue.into_iter().find(|entry| entry.instance == id(name));
        entry.map(|entry| (entry.lane, entry.because, entry.bounce_by))
    };
    assert_eq!(deadline(&deployd, "b.main"), Some((Lane::Waiting, Because::Startup, at(startup))));
    // A second instance in a known file, and a service that is new, which lets its deploys wait for a minute.
    let both = Scope::Services(BTreeSet::from([service("b"), service("new")]));
    deployd.handle(at(5.0), listing(both, &[("b.main", 0.0), ("b.side", 0.0), ("new.main", 60.0)]));
    assert_eq!(deadline(&deployd, "b.side"), Some((Lane::Urgent, Because::FilesChanged, at(5.0))));
    assert_eq!(deadline(&deployd, "new.main"), Some((Lane::Waiting, Because::FilesChanged, at(65.0))));
    assert_eq!(deadline(&deployd, "b.main"), Some((Lane::Waiting, Because::Startup, at(startup))));
    let actions = deployd.handle(at(6.0), finished("a.main", PassResult::Steady));
    assert_eq!(passes(&actions), ["b.side"]);
}

#[test]
fn a_new_instance_does_not_wait_for_a_bounce_of_everything() {
    let settings = Settings { workers: 1, urgent_workers: 1, regenerate_seconds: 0.0, ..Settings::default() };
    let (mut deployd, started) = machine_with(settings, &["a.main", "b.main"]);
    assert_eq!(started, ["a.main"]);
    let scope = Scope::Services(BTreeSet::from([service("z")]));
    assert_eq!(passes(&deployd.handle(at(1.0), listing(scope, &[("z.main", 0.0)]))), ["z.main"]);
}

#[test]
fn a_commit_to_many_services_lets_a_deploy_pass_and_so_does_its_revert() {
    let names: Vec<String> = (0..30).map(|number| format!("s{number:02}")).collect();
    let instances: Vec<String> = names.iter().map(|name| format!("{name}.main")).collect();
    let listed: Vec<(&str, f64)> = instances.iter().map(|name| (name.as_str(), 0.0)).collect();
    let all = || names.iter().map(|name| service(name));
    let swept =
        |names: BTreeSet<_>| Event::FilesSwept { services: names, everything: false, rest_seconds: None };
    let (mut deployd, _) = machine(1, &["a.main"]);
    let lanes = |deployd: &crate::Deployd, lane: Lane| {
        let queue = deployd.snapshot(at(300.0)).queue.into_iter().filter(|entry| entry.lane == lane);
        queue.map(|entry| entry.instance.to_string()).collect::<Vec<_>>()
    };
    // They come, all at once.
    deployd.handle(at(10.0), swept(all().collect()));
    deployd.handle(at(10.0), listing(Scope::Services(all().collect()), &listed));
    assert_eq!(lanes(&deployd, Lane::Urgent), Vec::<String>::new());
    // They change, in several bursts: the first is small and stays urgent.
    deployd.handle(at(100.0), swept(all().take(5).collect()));
    deployd.handle(at(100.1), swept(all().skip(5).collect()));
    assert_eq!(lanes(&deployd, Lane::Urgent), instances[..5]);
    // A person edits one, and a tag of another is pushed.
    deployd.handle(at(200.0), swept(BTreeSet::from([service("s20")])));
    let result = RegenerateResult::Changed;
    deployd.handle(at(200.0), Event::Regenerated { service: service("s21"), result });
    assert_eq!(lanes(&deployd, Lane::Urgent)[5..], instances[20..=21]);
}
