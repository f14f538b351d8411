//! One test per promise of the machine; most drive it through a random life.

use std::collections::{BTreeMap, BTreeSet};

use paasta_core::{AppId, Change, InstanceId, ServiceName, Timestamp};
use proptest::prelude::*;

use super::record::backoff_seconds;
use super::{Action, Because, Deployd, Event, Listing, Scope};
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
    let settings = Settings { workers, regenerate_seconds: 0.0, ..Settings::default() };
    let mut deployd = Deployd::new(settings);
    deployd.handle(at(0.0), Event::Started);
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
fn engine_noise_does_not_cut_a_backoff_short_but_people_do() {
    let (mut deployd, _) = machine(1, &["a.main"]);
    deployd.handle(at(0.0), finished("a.main", PassResult::Failed("no".into())));
    let noise = Event::EngineChanged(Change::App(AppId::new("a.main.git.config")));
    assert_eq!(passes(&deployd.handle(at(5.0), noise)), Vec::<String>::new());
    let swept = Event::FilesSwept { services: BTreeSet::from([service("a")]), everything: false };
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
    let everything = Event::FilesSwept { services: BTreeSet::new(), everything: true };
    deployd.handle(at(1.0), everything);
    let urgent = Event::FilesSwept { services: BTreeSet::from([service("z")]), everything: false };
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
        Settings { regenerations_at_once: 2, workers: 1, regenerate_seconds: 2.0, ..Settings::default() };
    let mut deployd = Deployd::new(settings);
    deployd.handle(at(0.0), Event::Started);
    let listing = Listing::of(Scope::All, ["a.m", "b.m", "c.m"].map(id));
    let actions = deployd.handle(at(0.0), Event::InstancesListed(listing));
    assert_eq!(regenerated(&actions), ["a", "b"]);
    let failed =
        |name| Event::Regenerated { service: service(name), result: RegenerateResult::Failed("gone".into()) };
    assert_eq!(regenerated(&deployd.handle(at(1.0), failed("a"))), ["c"]);
    deployd
        .handle(at(1.0), Event::Regenerated { service: service("c"), result: RegenerateResult::Unchanged });
    assert_eq!(regenerated(&deployd.handle(at(3.0), Event::Tick)), ["c"], "a waits twice as long");
    assert_eq!(deployd.snapshot(at(3.0)).regenerations_failing[0].failures, 1);
}

#[test]
fn a_failed_listing_is_tried_again() {
    let mut deployd = Deployd::new(Settings::default());
    deployd.handle(at(0.0), Event::Started);
    deployd.handle(at(0.0), Event::ListingFailed(Scope::All));
    let actions = deployd.handle(at(5.0), Event::Tick);
    assert!(actions.contains(&Action::ListInstances(Scope::All)));
}

#[test]
fn shutdown_waits_for_passes_but_not_for_ever() {
    let (mut deployd, _) = machine(1, &["a.main", "b.main"]);
    let actions = deployd.handle(at(1.0), Event::Shutdown);
    assert_eq!(actions, [Action::WakeAt(at(5.5))]);
    let ended = deployd.handle(at(2.0), finished("a.main", PassResult::Steady));
    assert_eq!(ended, [Action::Stop]);
    let (mut deployd, _) = machine(1, &["a.main"]);
    deployd.handle(at(1.0), Event::Shutdown);
    assert_eq!(deployd.handle(at(5.5), Event::Tick), [Action::Stop]);
}

/// One step of a random life.
#[derive(Clone, Debug)]
enum Step {
    Wait(u16),
    End { which: u8, how: u8 },
    Engine(u8),
    Files(u8),
    Everything,
    Lost,
    Nudge(u8),
    Regenerated { which: u8, how: u8 },
    List { present: u8, unreadable: u8 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => any::<u16>().prop_map(Step::Wait),
        6 => (any::<u8>(), 0..6u8).prop_map(|(which, how)| Step::End { which, how }),
        2 => any::<u8>().prop_map(Step::Engine),
        2 => any::<u8>().prop_map(Step::Files),
        1 => Just(Step::Everything),
        1 => Just(Step::Lost),
        1 => any::<u8>().prop_map(Step::Nudge),
        2 => (any::<u8>(), 0..3u8).prop_map(|(which, how)| Step::Regenerated { which, how }),
        1 => (any::<u8>(), any::<u8>()).prop_map(|(present, unreadable)| Step::List { present, unreadable }),
    ];
    proptest::collection::vec(step, 1..120)
}

/// Drives a machine and keeps its own books of what must hold.
struct Life {
    deployd: Deployd,
    now: Timestamp,
    workers: usize,
    configured: BTreeSet<InstanceId>,
    running: BTreeSet<InstanceId>,
    regenerating: BTreeSet<ServiceName>,
    asked: BTreeMap<InstanceId, Timestamp>,
    happened: BTreeMap<InstanceId, Timestamp>,
    listings: Vec<Scope>,
    trace: Vec<Action>,
}

const INSTANCES: [&str; 8] = ["a.one", "a.two", "b.one", "c_d.one", "c--d.one", "e.x", "e.y", "f.main"];

impl Life {
    fn new(workers: usize) -> Self {
        let deployd = Deployd::new(Settings { workers, regenerations_at_once: 2, ..Settings::default() });
        let mut life = Self {
            deployd,
            now: at(1000.0),
            workers,
            configured: BTreeSet::new(),
            running: BTreeSet::new(),
            regenerating: BTreeSet::new(),
            asked: BTreeMap::new(),
            happened: BTreeMap::new(),
            listings: Vec::new(),
            trace: Vec::new(),
        };
        life.send(Event::Started);
        life.list(u8::MAX, 0);
        life
    }

    fn send(&mut self, event: Event) {
        let actions = self.deployd.handle(self.now, event);
        for action in &actions {
            match action {
                Action::StartPass { instance, wake } => {
                    let happened = self.happened.get(instance).copied().unwrap_or_default();
                    let looks = !wake.because.concerns_many();
                    assert!(
                        looks || wake.at >= happened,
                        "{instance} might miss what happened at {happened}"
                    );
                    assert!(self.running.insert(instance.clone()), "two passes of {instance} at once");
                    assert!(self.running.len() <= self.workers, "more passes than workers");
                    self.asked.remove(instance);
                }
                Action::Regenerate(service) => {
                    assert!(self.regenerating.insert(service.clone()), "{service} regenerated twice at once");
                    assert!(self.regenerating.len() <= 2, "more regenerations than allowed");
                }
                Action::ListInstances(scope) => self.listings.push(scope.clone()),
                _ => {}
            }
        }
        self.trace.extend(actions);
        self.check();
    }

    /// Nothing is lost: whatever is configured waits or runs, and nothing waits twice.
    fn check(&self) {
        let snapshot = self.deployd.snapshot(self.now);
        let queued: Vec<&InstanceId> = snapshot.queue.iter().map(|entry| &entry.instance).collect();
        let running: BTreeSet<&InstanceId> = snapshot.running.iter().map(|entry| &entry.instance).collect();
        assert_eq!(running, self.running.iter().collect());
        let known: BTreeSet<&InstanceId> = queued.iter().copied().chain(running.iter().copied()).collect();
        assert_eq!(known.len(), queued.len() + running.len(), "queued twice, or queued and running");
        for instance in &self.configured {
            assert!(known.contains(instance), "{instance} is lost");
        }
        let free = self.workers - self.running.len();
        let overdue = snapshot.queue.iter().filter(|entry| entry.wait_until <= self.now).count();
        assert!(free == 0 || overdue == 0, "a worker idles while {overdue} instances wait");
    }

    fn list(&mut self, present: u8, unreadable: u8) {
        let Some(scope) = self.listings.pop() else { return };
        let bit = |index: usize, bits: u8| bits >> (index % 8) & 1 == 1;
        let in_scope: Vec<(usize, InstanceId)> = INSTANCES
            .iter()
            .map(|text| id(text))
            .enumerate()
            .filter(|(_, id)| scope.holds(id.service()))
            .collect();
        let mut listing = Listing::of(scope.clone(), []);
        for (index, instance) in in_scope {
            if bit(index, unreadable) {
                listing.unreadable.insert(instance.service().clone(), "broken".into());
            } else if bit(index, present) {
                listing.services.insert(instance.service().clone());
                listing.instances.insert(instance, Default::default());
            }
        }
        listing.instances.retain(|id, _| !listing.unreadable.contains_key(id.service()));
        self.configured.retain(|id| {
            !scope.holds(id.service())
                || listing.unreadable.contains_key(id.service())
                || listing.instances.contains_key(id)
        });
        self.configured.extend(listing.instances.keys().cloned());
        self.send(Event::InstancesListed(listing));
    }

    fn happens(&mut self, to: impl Fn(&InstanceId) -> bool) {
        let theirs = INSTANCES.iter().map(|text| id(text)).filter(|id| to(id));
        self.happened.extend(theirs.map(|id| (id, self.now)));
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Wait(millis) => {
                self.now = Timestamp::from_millis(self.now.millis() + i64::from(millis));
                self.send(Event::Tick);
            }
            Step::End { which, how } => {
                let Some(instance) = pick(&self.running, which) else { return };
                self.running.remove(&instance);
                let result = match how {
                    0 | 1 => PassResult::Steady,
                    2 => PassResult::LookAgain { seconds: 1.0 },
                    3 => PassResult::LookAgain { seconds: 0.0 },
                    4 => PassResult::LockHeld,
                    _ => PassResult::Failed("poison".into()),
                };
                self.send(Event::PassFinished { instance, report: PassReport::new(result) });
            }
            Step::Engine(which) => {
                let instance = id(INSTANCES[usize::from(which) % INSTANCES.len()]);
                let app = AppId::new(format!("/{}.gitx.configy", instance.short_id()));
                self.happens(|id| id.short_id() == instance.short_id());
                self.send(Event::EngineChanged(Change::App(app)));
            }
            Step::Files(which) => {
                let instance = id(INSTANCES[usize::from(which) % INSTANCES.len()]);
                let services = BTreeSet::from([instance.service().clone()]);
                let theirs = self.configured.iter().filter(|id| id.service() == instance.service());
                self.asked.extend(theirs.map(|id| (id.clone(), self.now)));
                self.happens(|id| id.service() == instance.service());
                self.send(Event::FilesSwept { services, everything: false });
            }
            Step::Everything => {
                self.happens(|_| true);
                self.send(Event::FilesSwept { services: BTreeSet::new(), everything: true });
            }
            Step::Lost => {
                self.happens(|_| true);
                self.send(Event::EngineChanged(Change::Lost));
            }
            Step::Nudge(which) => {
                let instance = id(INSTANCES[usize::from(which) % INSTANCES.len()]);
                self.send(Event::Nudged(instance.service().clone()));
            }
            Step::Regenerated { which, how } => {
                let Some(service) = pick(&self.regenerating, which) else { return };
                self.regenerating.remove(&service);
                let result = match how {
                    0 => RegenerateResult::Changed,
                    1 => RegenerateResult::Unchanged,
                    _ => RegenerateResult::Failed("unreachable".into()),
                };
                self.send(Event::Regenerated { service, result });
            }
            Step::List { present, unreadable } => self.list(present, unreadable),
        }
    }
}

fn pick<T: Clone + Ord>(from: &BTreeSet<T>, which: u8) -> Option<T> {
    from.iter().nth(usize::from(which) % from.len().max(1)).cloned()
}

fn live(workers: usize, steps: &[Step]) -> Life {
    let mut life = Life::new(workers);
    for step in steps {
        life.step(step);
    }
    life
}

proptest! {
    #[test]
    fn nothing_is_lost_and_bounds_hold(workers in 1..4usize, steps in steps()) {
        live(workers, &steps);
    }

    #[test]
    fn the_same_life_makes_the_same_actions(steps in steps()) {
        prop_assert_eq!(live(2, &steps).trace, live(2, &steps).trace);
    }

    /// Once passes end again, whoever's files changed gets a pass that started after the change.
    #[test]
    fn every_change_leads_to_a_pass(workers in 1..4usize, steps in steps()) {
        let mut life = live(workers, &steps);
        for _ in 0..10_000 {
            if life.asked.keys().all(|id| !life.configured.contains(id)) {
                return Ok(());
            }
            match life.running.first().cloned() {
                Some(_) => life.step(&Step::End { which: 0, how: 0 }),
                None => life.step(&Step::Wait(250)),
            }
        }
        prop_assert!(false, "still waiting for a pass: {:?}", life.asked);
    }

    /// However many instances fail for ever, one that is changed gets its pass within one round of the workers.
    #[test]
    fn poison_does_not_delay_others(workers in 1..4usize, poison in 1..40usize) {
        let mut names: Vec<String> = (0..poison).map(|n| format!("poison.i{n}")).collect();
        names.push("good.main".to_owned());
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let (mut deployd, mut running) = machine(workers, &names);
        let mut now = at(0.0);
        let mut good_passes = 0;
        for round in 0..400 {
            now = now.plus_seconds(1.0);
            let mut started = passes(&deployd.handle(now, Event::Tick));
            if round % 20 == 19 {
                let swept = Event::FilesSwept { services: BTreeSet::from([service("good")]), everything: false };
                started.extend(passes(&deployd.handle(now, swept)));
            }
            for instance in std::mem::take(&mut running) {
                let result = match instance.as_str() {
                    "good.main" => { good_passes += 1; PassResult::Steady }
                    _ => PassResult::Failed("always".into()),
                };
                started.extend(passes(&deployd.handle(now, finished(&instance, result))));
            }
            running = started;
        }
        prop_assert!(good_passes >= 15, "only {good_passes} passes of 20 changes");
    }

    #[test]
    fn backoff_never_shrinks_and_never_passes_its_maximum(failures in 0..u32::MAX) {
        let settings = Settings::default();
        let wait = backoff_seconds(&settings, failures);
        prop_assert!(wait <= settings.failure_backoff_seconds_max);
        prop_assert!(backoff_seconds(&settings, failures.saturating_add(1)) >= wait);
    }
}
