//! Promises of the machine, held by driving it through random lives.

use std::collections::{BTreeMap, BTreeSet};

use paasta_core::{AppId, Change, InstanceId, ServiceName, Standing, Timestamp};
use proptest::prelude::*;

use super::super::record::backoff_seconds;
use super::{at, finished, id, machine, passes, service};
use crate::Settings;
use crate::ports::{CountChange, HostsLooked, PassReport, PassResult, RegenerateResult};
use crate::state::{Action, Deployd, Event, Lane, Listed, Listing, Scope};

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
    Stand(u8),
    Count(u8),
    Hosts { which: u8, well: bool },
    Reload,
    List { present: u8, unreadable: u8 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => any::<u16>().prop_map(Step::Wait),
        6 => (any::<u8>(), 0..9u8).prop_map(|(which, how)| Step::End { which, how }),
        2 => any::<u8>().prop_map(Step::Engine),
        2 => any::<u8>().prop_map(Step::Files),
        1 => Just(Step::Everything),
        1 => Just(Step::Lost),
        1 => any::<u8>().prop_map(Step::Nudge),
        2 => (any::<u8>(), 0..3u8).prop_map(|(which, how)| Step::Regenerated { which, how }),
        2 => (0..5u8).prop_map(Step::Stand),
        1 => any::<u8>().prop_map(Step::Count),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(which, well)| Step::Hosts { which, well }),
        1 => Just(Step::Reload),
        1 => (any::<u8>(), any::<u8>()).prop_map(|(present, unreadable)| Step::List { present, unreadable }),
    ];
    proptest::collection::vec(step, 1..120)
}

/// Drives a machine and keeps its own books of what must hold.
struct Life {
    deployd: Deployd,
    now: Timestamp,
    workers: usize,
    standing: Standing,
    configured: BTreeSet<InstanceId>,
    running: BTreeSet<InstanceId>,
    abandoned: BTreeSet<InstanceId>,
    /// Until when each bounce could stand back, as it was last seen.
    deadlines: BTreeMap<InstanceId, Timestamp>,
    looking_at_hosts: bool,
    reading: bool,
    regenerating: BTreeSet<ServiceName>,
    asked: BTreeMap<InstanceId, Timestamp>,
    happened: BTreeMap<InstanceId, Timestamp>,
    listings: Vec<Scope>,
    trace: Vec<Action>,
}

const INSTANCES: [&str; 8] = ["a.one", "a.two", "b.one", "c_d.one", "c--d.one", "e.x", "e.y", "f.main"];

/// Places that only urgent passes may take.
const URGENT: usize = 1;

impl Life {
    fn new(workers: usize) -> Self {
        let deployd = Deployd::new(Settings {
            workers,
            urgent_workers: URGENT,
            regenerations_at_once: 2,
            regenerate_seconds: 2.0,
            resync_seconds: 20.0,
            maintenance_polling_seconds: 5.0,
            ..Settings::default()
        });
        let mut life = Self {
            deployd,
            now: at(1000.0),
            workers,
            standing: Standing::Leading,
            configured: BTreeSet::new(),
            running: BTreeSet::new(),
            abandoned: BTreeSet::new(),
            deadlines: BTreeMap::new(),
            looking_at_hosts: false,
            reading: false,
            regenerating: BTreeSet::new(),
            asked: BTreeMap::new(),
            happened: BTreeMap::new(),
            listings: Vec::new(),
            trace: Vec::new(),
        };
        life.send(Event::Started);
        life.send(Event::Stands(Standing::Leading));
        life.send(Event::FilesSwept { services: BTreeSet::new(), everything: false, rest_seconds: None });
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
                    assert_eq!(self.standing, Standing::Leading, "{instance} has a pass without leadership");
                    assert!(self.running.insert(instance.clone()), "two passes of {instance} at once");
                    assert!(self.running.len() <= self.workers + URGENT, "more passes than places");
                    self.asked.remove(instance);
                }
                Action::AbandonPass(instance) => {
                    assert!(self.running.contains(instance), "{instance} does not run");
                    assert!(self.abandoned.insert(instance.clone()), "{instance} is abandoned twice");
                }
                Action::LookAtHosts(_) => {
                    assert_eq!(self.standing, Standing::Leading);
                    assert!(!std::mem::replace(&mut self.looking_at_hosts, true), "two looks at once");
                }
                Action::ReadSettings => self.reading = true,
                Action::Regenerate(service) => {
                    assert_eq!(
                        self.standing,
                        Standing::Leading,
                        "{service} is regenerated without leadership"
                    );
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

    /// Nothing is lost: whatever is configured waits or runs, and nothing waits twice. Nobody waits while there is a
    /// place, and nobody is put off.
    fn check(&mut self) {
        let snapshot = self.deployd.snapshot(self.now);
        let queued: Vec<&InstanceId> = snapshot.queue.iter().map(|entry| &entry.instance).collect();
        let running: BTreeSet<&InstanceId> = snapshot.running.iter().map(|entry| &entry.instance).collect();
        assert_eq!(running, self.running.iter().collect());
        let known: BTreeSet<&InstanceId> = queued.iter().copied().chain(running.iter().copied()).collect();
        assert_eq!(known.len(), queued.len() + running.len(), "queued twice, or queued and running");
        for instance in &self.configured {
            assert!(known.contains(instance), "{instance} is lost");
        }
        let leads = self.standing == Standing::Leading;
        let full = self.running.len() >= self.workers + URGENT;
        let usual = snapshot.running.iter().filter(|pass| !pass.urgent);
        let retries = usual.clone().filter(|pass| pass.because.is_retry()).count();
        let usual = usual.count();
        assert!(usual <= self.workers, "passes that may stand back take places of urgent ones");
        assert!(retries <= (self.workers / 2).max(1), "failing instances take too many places");
        for entry in snapshot.queue.iter().filter(|entry| leads && !full && entry.available) {
            let may_wait = match entry.lane {
                Lane::Urgent => false,
                Lane::UnderWay | Lane::Waiting => usual >= self.workers,
                Lane::Retry => usual >= self.workers || retries >= (self.workers / 2).max(1),
            };
            assert!(may_wait, "a place is free while {entry:?} waits");
        }
        let queued = snapshot.queue.iter().map(|entry| (&entry.instance, entry.bounce_by));
        let running = snapshot.running.iter().map(|pass| (&pass.instance, pass.bounce_by));
        let deadlines: BTreeMap<InstanceId, Timestamp> =
            queued.chain(running).map(|(id, bounce_by)| (id.clone(), bounce_by)).collect();
        for (instance, bounce_by) in &deadlines {
            let before = self.deadlines.get(instance).copied();
            assert!(before.is_none_or(|before| *bounce_by <= before), "{instance} was put off");
        }
        self.deadlines = deadlines;
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
                let listed = Listed { autoscaled: index % 2 == 0, ..Listed::default() };
                listing.instances.insert(instance, listed);
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

    fn stand(&mut self, standing: Standing) {
        let led = matches!(self.standing, Standing::Leading | Standing::Doubtful(_));
        self.standing = standing.clone();
        match &standing {
            Standing::Leading if !led => {
                self.asked.extend(self.configured.iter().map(|id| (id.clone(), self.now)));
                self.happens(|_| true);
            }
            _ => {}
        }
        self.send(Event::Stands(standing.clone()));
        if !matches!(standing, Standing::Leading | Standing::Doubtful(_)) {
            assert_eq!(self.abandoned, self.running, "something goes on without leadership");
        }
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
                if matches!(how, 0 | 1 | 8) {
                    // Its bounce is over.
                    self.deadlines.remove(&instance);
                }
                let result = match how {
                    _ if self.abandoned.remove(&instance) => PassResult::Stopped("no longer".into()),
                    6 => PassResult::Stopped("fenced".into()),
                    0 | 1 => PassResult::Steady,
                    2 => PassResult::LookAgain { seconds: 1.0 },
                    3 => PassResult::LookAgain { seconds: 0.0 },
                    4 => PassResult::LockHeld,
                    7 => PassResult::Unseen { reason: "status 503".into() },
                    8 => PassResult::NotDeployed("no entry".into()),
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
                self.send(Event::FilesSwept { services, everything: false, rest_seconds: None });
            }
            Step::Everything => {
                self.happens(|_| true);
                self.send(Event::FilesSwept {
                    services: BTreeSet::new(),
                    everything: true,
                    rest_seconds: None,
                });
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
            Step::Stand(how) => {
                let standing = match how {
                    0 | 1 => Standing::Leading,
                    2 => Standing::Doubtful("no answer".into()),
                    3 => Standing::Lost("the session ended".into()),
                    _ => Standing::Waiting { leader: None },
                };
                self.stand(standing);
            }
            Step::Count(which) => {
                let instance = id(INSTANCES[usize::from(which) % INSTANCES.len()]);
                let change =
                    if which % 3 == 0 { CountChange::Lost } else { CountChange::Of(instance.clone()) };
                if which % 3 != 0 {
                    self.happens(|id| *id == instance);
                }
                self.send(Event::CountChanged(change));
            }
            Step::Hosts { which, well } => {
                if !std::mem::take(&mut self.looking_at_hosts) {
                    return;
                }
                let instance = id(INSTANCES[usize::from(which) % INSTANCES.len()]);
                let app = AppId::new(format!("/{}.gitx.configy", instance.short_id()));
                let looked = HostsLooked { leaving: ["h".to_owned()].into(), apps: [app].into() };
                if well {
                    self.happens(|id| id.short_id() == instance.short_id());
                }
                self.send(Event::HostsLooked(if well { Ok(looked) } else { Err("no answer".into()) }));
            }
            Step::Reload => {
                self.send(Event::Reload);
                if std::mem::take(&mut self.reading) {
                    self.happens(|_| true);
                    let settings = Box::new(self.deployd.settings().clone());
                    self.send(Event::SettingsRead(Ok(settings)));
                }
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
        life.stand(Standing::Leading);
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
                let swept = Event::FilesSwept { services: BTreeSet::from([service("good")]), everything: false, rest_seconds: None };
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
