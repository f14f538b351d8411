//! Tests of the machine: what single events lead to. Its promises are held by random lives, next door.

mod arrivals;
mod lanes;
mod leading;
mod life;
mod regenerating;
mod take_over;

use std::collections::BTreeSet;

use paasta_core::{AppId, Change, InstanceId, ServiceName, Standing, Timestamp};

use super::{Action, Because, Deployd, Event, Lane, Listing, Scope};
use crate::Settings;
use crate::ports::{PassReport, PassResult, RegenerateResult};

fn id(text: &str) -> InstanceId {
    text.parse().expect("an instance")
}

fn service(text: &str) -> ServiceName {
    ServiceName::new(text).expect("a service")
}

fn at(seconds: f64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn finished(instance: &str, result: PassResult) -> Event {
    Event::PassFinished { instance: id(instance), report: PassReport::new(result) }
}

fn passes(actions: &[Action]) -> Vec<String> {
    let started = actions.iter().filter_map(|action| match action {
        Action::StartPass { instance, .. } => Some(instance.to_string()),
        _ => None,
    });
    started.collect()
}

fn regenerated(actions: &[Action]) -> Vec<String> {
    let started = actions.iter().filter_map(|action| match action {
        Action::Regenerate(service) => Some(service.to_string()),
        _ => None,
    });
    started.collect()
}

fn wake_at(actions: &[Action]) -> Option<Timestamp> {
    actions.iter().rev().find_map(|action| match action {
        Action::WakeAt(at) => Some(*at),
        _ => None,
    })
}

/// A machine that knows these instances; its first passes are not started yet if `workers` is zero.
fn machine(workers: usize, instances: &[&str]) -> (Deployd, Vec<String>) {
    let settings = Settings { workers, urgent_workers: 0, regenerate_seconds: 0.0, ..Settings::default() };
    machine_with(settings, instances)
}

fn machine_with(settings: Settings, instances: &[&str]) -> (Deployd, Vec<String>) {
    let mut deployd = Deployd::new(settings);
    deployd.handle(at(0.0), Event::Started);
    deployd.handle(at(0.0), Event::Stands(Standing::Leading));
    let listing = Listing::of(Scope::All, instances.iter().map(|text| id(text)));
    let actions = deployd.handle(at(0.0), Event::InstancesListed(listing));
    (deployd, passes(&actions))
}

#[test]
fn every_instance_is_queued_at_start_and_workers_are_the_bound() {
    let (mut deployd, started) = machine(2, &["a.one", "a.two", "b.one"]);
    assert_eq!(started, ["a.one", "a.two"]);
    let actions = deployd.handle(at(1.0), finished("a.two", PassResult::Steady));
    assert_eq!(passes(&actions), ["b.one"]);
}

#[test]
fn an_event_during_a_pass_leads_to_another_one() {
    let (mut deployd, _) = machine(1, &["a.main"]);
    deployd.handle(at(1.0), Event::EngineChanged(Change::App(AppId::new("/a.main.gitx.configy"))));
    let actions = deployd.handle(at(2.0), finished("a.main", PassResult::Steady));
    assert_eq!(passes(&actions), Vec::<String>::new());
    let again = wake_at(&actions).expect("a time");
    assert_eq!(passes(&deployd.handle(again, Event::Tick)), ["a.main"]);
    assert!(again <= at(2.0).plus_seconds(Settings::default().pass_gap_seconds));
}

#[test]
fn a_held_lock_queues_again_and_is_no_failure() {
    //! `deploy_marathon_service` of the original consumes the entry (defect B6).
    let (mut deployd, _) = machine(1, &["a.main"]);
    deployd.handle(at(0.0), finished("a.main", PassResult::LockHeld));
    let entry = deployd.snapshot(at(0.0)).queue.remove(0);
    assert_eq!((entry.wait_until, entry.because, entry.failures), (at(5.0), Because::LockHeld, 0));
}

#[test]
fn backoff_doubles_to_its_maximum_and_ends_with_success() {
    //! `PaastaDeployWorker.process_service_instance`: 60, 120, … 6000; never dropped (defect B7).
    let (mut deployd, _) = machine(1, &["a.main"]);
    let mut now = at(0.0);
    let mut waits = Vec::new();
    for _ in 0..30 {
        deployd.handle(now, finished("a.main", PassResult::Failed("poison".into())));
        let next = deployd.snapshot(now).queue.first().expect("never dropped").wait_until;
        waits.push(next.since(now).as_secs());
        now = next;
        assert_eq!(passes(&deployd.handle(now, Event::Tick)), ["a.main"]);
    }
    assert_eq!(waits[..8], [60, 120, 240, 480, 960, 1920, 3840, 6000]);
    assert!(waits[8..].iter().all(|wait| *wait == 6000));
    deployd.handle(now, finished("a.main", PassResult::Steady));
    assert_eq!(deployd.snapshot(now).queue.first().expect("queued").failures, 0);
}

#[test]
fn what_could_not_be_seen_is_looked_at_again_within_seconds_and_is_no_failure() {
    let (mut deployd, _) = machine(1, &["a.main"]);
    let unseen = || finished("a.main", PassResult::Unseen { reason: "home: status 503".into() });
    let mut now = at(0.0);
    let mut waits = Vec::new();
    for _ in 0..8 {
        deployd.handle(now, unseen());
        let entry = deployd.snapshot(now).queue.remove(0);
        assert_eq!((entry.because, entry.lane, entry.failures), (Because::Unseen, Lane::Retry, 0));
        waits.push(entry.wait_until.since(now).as_secs());
        now = entry.wait_until;
        assert_eq!(passes(&deployd.handle(now, Event::Tick)), ["a.main"]);
    }
    assert_eq!(waits, [1, 2, 4, 8, 15, 15, 15, 15]);
    assert_eq!(deployd.settled(), None, "there is something to wait for");
    deployd.handle(now, unseen());
    let back = now.plus_seconds(2.0);
    assert_eq!(passes(&deployd.handle(back, Event::EngineChanged(Change::Lost))), ["a.main"]);
    deployd.handle(back, finished("a.main", PassResult::Steady));
    deployd.handle(back.plus_seconds(1.0), Event::EngineChanged(Change::Lost));
    deployd.handle(back.plus_seconds(1.0), unseen());
    let first = deployd.snapshot(back).queue.remove(0).wait_until;
    assert_eq!(first, back.plus_seconds(2.0), "counted anew");
}

#[test]
fn engine_noise_does_not_cut_a_backoff_short_but_people_do() {
    let (mut deployd, _) = machine(1, &["a.main"]);
    deployd.handle(at(0.0), finished("a.main", PassResult::Failed("no".into())));
    let noise = Event::EngineChanged(Change::App(AppId::new("a.main.git.config")));
    assert_eq!(passes(&deployd.handle(at(5.0), noise)), Vec::<String>::new());
    let swept =
        Event::FilesSwept { services: BTreeSet::from([service("a")]), everything: false, rest_seconds: None };
    assert_eq!(passes(&deployd.handle(at(6.0), swept)), ["a.main"]);
}

#[test]
fn what_cannot_be_read_stays_and_what_is_gone_goes() {
    let (mut deployd, _) = machine(1, &["a.main", "b.main", "c.main"]);
    let mut listing = Listing::of(Scope::All, [id("c.main")]);
    listing.unreadable.insert(service("b"), "broken YAML".into());
    let actions = deployd.handle(at(1.0), Event::InstancesListed(listing));
    assert!(actions.contains(&Action::TellGone(vec![id("a.main")])), "{actions:?}");
    let snapshot = deployd.snapshot(at(1.0));
    let queued: Vec<String> = snapshot.queue.iter().map(|entry| entry.instance.to_string()).collect();
    assert_eq!(queued, ["b.main", "c.main"]);
    assert_eq!(snapshot.unreadable.len(), 1);
    assert_eq!(snapshot.running.len(), 1, "a pass under way ends by itself");
    deployd.handle(at(2.0), finished("a.main", PassResult::Steady));
    let left = deployd.snapshot(at(2.0));
    assert!(left.queue.iter().all(|entry| entry.instance != id("a.main")));
}

#[test]
fn an_urgent_change_goes_before_a_big_bounce() {
    let (mut deployd, _) = machine(1, &["a.main", "b.main", "z.main"]);
    let everything = Event::FilesSwept { services: BTreeSet::new(), everything: true, rest_seconds: None };
    deployd.handle(at(1.0), everything);
    let urgent =
        Event::FilesSwept { services: BTreeSet::from([service("z")]), everything: false, rest_seconds: None };
    deployd.handle(at(2.0), urgent);
    let actions = deployd.handle(at(3.0), finished("a.main", PassResult::Steady));
    assert_eq!(passes(&actions), ["z.main"]);
}

#[test]
fn nudges_regenerate_at_once_and_what_changed_is_looked_at() {
    let (mut deployd, _) = machine(4, &["a.main"]);
    deployd
        .handle(at(0.0), Event::Regenerated { service: service("a"), result: RegenerateResult::Unchanged });
    deployd.handle(at(0.0), finished("a.main", PassResult::Steady));
    let actions = deployd.handle(at(9.0), Event::Nudged(service("a")));
    assert_eq!(regenerated(&actions), ["a"]);
    // A nudge while it runs is not lost: the listing under way may not hold the new tag yet.
    assert_eq!(regenerated(&deployd.handle(at(9.1), Event::Nudged(service("a")))), Vec::<String>::new());
    let changed = Event::Regenerated { service: service("a"), result: RegenerateResult::Changed };
    let actions = deployd.handle(at(9.2), changed);
    assert_eq!(regenerated(&actions), ["a"]);
    assert_eq!(passes(&actions), ["a.main"]);
}

#[test]
fn a_nudge_for_a_service_nobody_knows_lists_it() {
    let (mut deployd, _) = machine(4, &[]);
    let actions = deployd.handle(at(1.0), Event::Nudged(service("new")));
    let scope = Scope::Services(BTreeSet::from([service("new")]));
    assert!(actions.contains(&Action::ListInstances(scope.clone())));
    let actions = deployd.handle(at(1.0), Event::InstancesListed(Listing::of(scope, [id("new.main")])));
    assert_eq!(regenerated(&actions), ["new"]);
    assert_eq!(passes(&actions), ["new.main"]);
}

#[test]
fn regenerations_are_bounded_and_a_dead_remote_backs_off() {
    let settings =
        Settings { regenerations_at_once: 4, workers: 1, regenerate_seconds: 2.0, ..Settings::default() };
    let mut deployd = Deployd::new(settings);
    deployd.handle(at(0.0), Event::Started);
    deployd.handle(at(0.0), Event::Stands(Standing::Leading));
    let listing = Listing::of(Scope::All, ["a.m", "b.m", "c.m"].map(id));
    let actions = deployd.handle(at(0.0), Event::InstancesListed(listing));
    assert_eq!(regenerated(&actions), ["a"], "more than run at once are spread");
    assert_eq!(regenerated(&deployd.handle(at(0.7), Event::Tick)), ["b"]);
    assert_eq!(regenerated(&deployd.handle(at(1.0), Event::Tick)), Vec::<String>::new());
    let failed =
        |name| Event::Regenerated { service: service(name), result: RegenerateResult::Failed("gone".into()) };
    assert_eq!(regenerated(&deployd.handle(at(1.4), failed("a"))), ["c"]);
    deployd
        .handle(at(1.4), Event::Regenerated { service: service("c"), result: RegenerateResult::Unchanged });
    assert_eq!(regenerated(&deployd.handle(at(3.5), Event::Tick)), ["c"], "a waits twice as long");
    assert_eq!(deployd.snapshot(at(3.5)).regenerations_failing[0].failures, 1);
}

#[test]
fn a_failed_listing_is_tried_again() {
    let mut deployd = Deployd::new(Settings::default());
    deployd.handle(at(0.0), Event::Started);
    deployd.handle(at(0.0), Event::Stands(Standing::Leading));
    deployd.handle(at(0.0), Event::ListingFailed(Scope::All));
    let actions = deployd.handle(at(5.0), Event::Tick);
    assert!(actions.contains(&Action::ListInstances(Scope::All)));
}

#[test]
fn shutdown_waits_for_passes_but_not_for_ever() {
    let (mut deployd, _) = machine(1, &["a.main", "b.main"]);
    let actions = deployd.handle(at(1.0), Event::Shutdown);
    assert_eq!(actions, [Action::WakeAt(at(4.8))]);
    let ended = deployd.handle(at(2.0), finished("a.main", PassResult::Steady));
    assert_eq!(ended.last(), Some(&Action::Stop));
    let (mut deployd, _) = machine(1, &["a.main"]);
    deployd.handle(at(1.0), Event::Shutdown);
    assert_eq!(deployd.handle(at(5.0), Event::Tick), [Action::Stop]);
}
