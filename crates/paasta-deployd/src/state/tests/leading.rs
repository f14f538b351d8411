//! Leadership, hosts, counts, the shared queue, settings read anew.

use std::collections::BTreeSet;

use paasta_core::{AppId, ServiceName, Standing};

use super::{at, finished, id, machine_with, passes, regenerated, service, wake_at};
use crate::Settings;
use crate::ports::{CountChange, HostsLooked, InboxEntry, PassReport, PassResult};
use crate::state::{Action, Because, Deployd, Event, Listed, Listing, Scope};

fn settings() -> Settings {
    Settings { workers: 2, urgent_workers: 0, regenerate_seconds: 0.0, ..Settings::default() }
}

fn lost() -> Event {
    Event::Stands(Standing::Lost("the session ended".into()))
}

fn stopped(instance: &str) -> Event {
    finished(instance, PassResult::Stopped("no longer".into()))
}

#[test]
fn whoever_stands_by_lists_and_begins_at_once_when_it_leads() {
    let mut deployd = Deployd::new(settings());
    deployd.handle(at(0.0), Event::Started);
    deployd.handle(at(0.0), Event::Stands(Standing::Waiting { leader: Some("other".into()) }));
    let listing = Listing::of(Scope::All, [id("a.main"), id("b.main")]);
    let mut actions = deployd.handle(at(0.0), Event::InstancesListed(listing));
    let swept =
        Event::FilesSwept { services: BTreeSet::from([service("a")]), everything: false, rest_seconds: None };
    actions.extend(deployd.handle(at(1.0), swept));
    assert!(actions.iter().any(|action| matches!(action, Action::ListInstances(_))));
    actions.extend(deployd.handle(at(2.0), Event::Nudged(service("a"))));
    assert_eq!((passes(&actions), regenerated(&actions)), (vec![], vec![]));
    let actions = deployd.handle(at(9.0), Event::Stands(Standing::Leading));
    assert_eq!(passes(&actions), ["a.main", "b.main"]);
    assert_eq!(regenerated(&actions), ["a", "b"]);
    let snapshot = deployd.snapshot(at(9.0));
    assert_eq!((snapshot.standing, snapshot.running.len()), ("leading", 2));
}

#[test]
fn in_doubt_nothing_is_begun_and_nothing_is_blamed() {
    let (mut deployd, started) = machine_with(settings(), &["a.main", "b.main", "c.main"]);
    assert_eq!(started, ["a.main", "b.main"]);
    let doubt = Event::Stands(Standing::Doubtful("no answer".into()));
    let actions = deployd.handle(at(1.0), doubt);
    assert!(!actions.iter().any(|action| matches!(action, Action::AbandonPass(_))), "they ask the fence");
    let fenced = PassResult::Failed("instance `a.main` needs leave to act".into());
    assert_eq!(passes(&deployd.handle(at(2.0), finished("a.main", fenced))), Vec::<String>::new());
    let actions = deployd.handle(at(3.0), Event::Stands(Standing::Leading));
    assert_eq!(passes(&actions), ["c.main"], "it never ended to lead: nothing is queued anew");
    let entry = deployd.snapshot(at(3.0)).queue.remove(0);
    assert_eq!((entry.because, entry.failures, entry.wait_until), (Because::Stopped, 0, at(3.0)));
}

#[test]
fn what_runs_without_leadership_is_ended_and_everything_is_looked_at_by_the_next() {
    let (mut deployd, _) = machine_with(settings(), &["a.main", "b.main", "c.main"]);
    let actions = deployd.handle(at(1.0), lost());
    assert!(actions.contains(&Action::AbandonPass(id("a.main"))));
    assert!(actions.contains(&Action::AbandonPass(id("b.main"))));
    assert!(actions.contains(&Action::ReleaseEntries));
    assert_eq!(passes(&deployd.handle(at(1.0), stopped("a.main"))), Vec::<String>::new());
    // It leads again before the other one has ended.
    let actions = deployd.handle(at(2.0), Event::Stands(Standing::Leading));
    assert_eq!(passes(&actions), ["c.main"], "the other place is still taken");
    let actions = deployd.handle(at(2.5), stopped("b.main"));
    assert_eq!(passes(&actions), ["a.main"]);
    let mut now = at(2.5);
    let mut seen = BTreeSet::from(["a.main".to_owned(), "c.main".to_owned()]);
    for name in ["a.main", "c.main"] {
        seen.extend(passes(&deployd.handle(now, finished(name, PassResult::Steady))));
        now = now.plus_seconds(0.5);
        seen.extend(passes(&deployd.handle(now, Event::Tick)));
    }
    assert!(seen.contains("b.main"), "{seen:?}");
    assert!(deployd.snapshot(now).queue.iter().all(|entry| entry.failures == 0));
}

#[test]
fn a_pass_that_ends_by_itself_after_leadership_was_lost_is_not_blamed_either() {
    let (mut deployd, _) = machine_with(settings(), &["a.main"]);
    deployd.handle(at(1.0), lost());
    deployd.handle(at(1.0), Event::Stands(Standing::Leading));
    deployd.handle(at(1.0), finished("a.main", PassResult::Failed("it broke off".into())));
    assert_eq!(deployd.snapshot(at(1.0)).queue[0].failures, 0);
}

#[test]
fn files_that_stir_during_a_sweep_are_swept_again() {
    let (mut deployd, _) = machine_with(settings(), &[]);
    deployd.handle(
        at(0.0),
        Event::FilesSwept { services: BTreeSet::new(), everything: false, rest_seconds: None },
    );
    assert!(deployd.handle(at(0.1), Event::FilesStirred).contains(&Action::SweepFiles));
    assert!(!deployd.handle(at(0.2), Event::FilesStirred).contains(&Action::SweepFiles));
    let nothing = Event::FilesSwept { services: BTreeSet::new(), everything: false, rest_seconds: None };
    assert!(deployd.handle(at(0.2), nothing.clone()).contains(&Action::SweepFiles));
    assert!(!deployd.handle(at(0.2), nothing).contains(&Action::SweepFiles));
}

#[test]
fn files_that_are_watched_are_swept_when_there_is_something_to_find() {
    let (mut deployd, _) = machine_with(settings(), &[]);
    let sweeps = |actions: Vec<Action>| actions.contains(&Action::SweepFiles);
    let nothing =
        |rest_seconds| Event::FilesSwept { services: BTreeSet::new(), everything: false, rest_seconds };
    deployd.handle(at(0.0), nothing(Some(30.0)));
    assert!(!sweeps(deployd.handle(at(29.0), Event::Tick)));
    assert!(sweeps(deployd.handle(at(30.0), Event::Tick)));
    deployd.handle(at(30.0), nothing(Some(30.0)));
    assert!(sweeps(deployd.handle(at(31.0), Event::FilesStirred)));
    deployd.handle(at(31.0), nothing(None));
    assert!(sweeps(deployd.handle(at(31.5), Event::Tick)), "nobody tells");
}

#[test]
fn instances_are_listed_after_the_first_sweep_so_that_no_change_falls_between_both() {
    let mut deployd = Deployd::new(settings());
    let lists = |actions: Vec<Action>| actions.contains(&Action::ListInstances(Scope::All));
    assert!(!lists(deployd.handle(at(0.0), Event::Started)));
    let nothing = Event::FilesSwept { services: BTreeSet::new(), everything: false, rest_seconds: None };
    assert!(lists(deployd.handle(at(0.1), nothing.clone())));
    deployd.handle(at(0.2), Event::InstancesListed(Listing::of(Scope::All, [])));
    assert!(!lists(deployd.handle(at(0.6), nothing)));
}

fn looks(actions: &[Action]) -> Option<BTreeSet<String>> {
    actions.iter().find_map(|action| match action {
        Action::LookAtHosts(known) => Some(known.clone()),
        _ => None,
    })
}

#[test]
fn tasks_on_a_host_that_begins_to_leave_wake_their_instance_once() {
    let settings = Settings { workers: 4, ..settings() };
    let (mut deployd, started) = machine_with(settings, &["a_b.main", "c.main"]);
    for name in &started {
        deployd.handle(at(0.0), finished(name, PassResult::Steady));
    }
    let host = || BTreeSet::from(["h1".to_owned()]);
    let app = AppId::new("/a--b.main.gitx.configy");
    let looked = HostsLooked { leaving: host(), apps: [app].into() };
    assert_eq!(passes(&deployd.handle(at(1.0), Event::HostsLooked(Ok(looked)))), ["a_b.main"]);
    deployd.handle(at(1.0), finished("a_b.main", PassResult::Steady));
    assert_eq!(looks(&deployd.handle(at(30.9), Event::Tick)), None);
    assert_eq!(looks(&deployd.handle(at(31.0), Event::Tick)), Some(host()));
    let unread = deployd.handle(at(32.0), Event::HostsLooked(Err("no answer".into())));
    assert_eq!(passes(&unread), Vec::<String>::new());
    assert_eq!(looks(&deployd.handle(at(62.0), Event::Tick)), Some(host()), "what was known stays");
    assert_eq!(deployd.snapshot(at(62.0)).leaving_hosts, ["h1"]);
}

#[test]
fn counts_wake_their_instance_and_lost_ones_all_that_are_autoscaled() {
    let (mut deployd, _) = machine_with(Settings { workers: 9, ..settings() }, &[]);
    let mut listing = Listing::of(Scope::All, [id("a.main"), id("b.main"), id("c.main")]);
    for name in ["b.main", "c.main"] {
        listing.instances.insert(id(name), Listed { autoscaled: true, ..Listed::default() });
    }
    for name in passes(&deployd.handle(at(0.0), Event::InstancesListed(listing))) {
        deployd.handle(at(0.0), finished(&name, PassResult::Steady));
    }
    let of = Event::CountChanged(CountChange::Of(id("b.main")));
    assert_eq!(passes(&deployd.handle(at(1.0), of)), ["b.main"]);
    deployd.handle(at(1.0), finished("b.main", PassResult::Steady));
    let actions = deployd.handle(at(2.0), Event::CountChanged(CountChange::Lost));
    assert_eq!(passes(&actions), ["b.main", "c.main"]);
}

#[test]
fn watchers_that_are_disabled_by_the_originals_names_say_nothing() {
    let disabled_watchers = ["AutoscalerWatcher", "MaintenanceWatcher"].map(str::to_owned).into();
    let (mut deployd, _) = machine_with(Settings { disabled_watchers, ..settings() }, &["a.main"]);
    let mut actions = deployd.handle(at(0.0), finished("a.main", PassResult::Steady));
    actions.extend(deployd.handle(at(5.0), Event::CountChanged(CountChange::Of(id("a.main")))));
    actions.extend(deployd.handle(at(100.0), Event::Tick));
    assert_eq!((passes(&actions), looks(&actions)), (vec![], None));
}

fn entry(key: &str, instance: &str) -> Event {
    let (wait_until, bounce_by) = (at(10.0), at(20.0));
    Event::EntryTaken(InboxEntry { key: key.into(), instance: id(instance), wait_until, bounce_by })
}

fn consumed(actions: &[Action]) -> BTreeSet<String> {
    let keys = actions.iter().filter_map(|action| match action {
        Action::ConsumeEntries(keys) => Some(keys.clone()),
        _ => None,
    });
    keys.flatten().collect()
}

#[test]
fn entries_of_the_shared_queue_are_consumed_after_the_next_successful_pass() {
    let (mut deployd, _) = machine_with(settings(), &["a.main"]);
    deployd.handle(at(0.0), entry("one", "a.main"));
    let actions = deployd.handle(at(1.0), finished("a.main", PassResult::Steady));
    assert_eq!(consumed(&actions), BTreeSet::new(), "that pass began before");
    assert_eq!(wake_at(&actions).expect("a time").min(at(10.0)), wake_at(&actions).expect("a time"));
    assert_eq!(passes(&deployd.handle(at(9.0), Event::Tick)), Vec::<String>::new());
    assert_eq!(passes(&deployd.handle(at(10.0), Event::Tick)), ["a.main"]);
    deployd.handle(at(10.0), entry("two", "a.main"));
    let failed = deployd.handle(at(11.0), finished("a.main", PassResult::Failed("no".into())));
    assert_eq!((consumed(&failed), passes(&failed)), (BTreeSet::new(), vec![]));
    assert_eq!(passes(&deployd.handle(at(12.0), Event::Tick)), ["a.main"]);
    let actions = deployd.handle(at(13.0), finished("a.main", PassResult::LookAgain { seconds: 1.0 }));
    assert_eq!(consumed(&actions), ["one", "two"].map(str::to_owned).into());
}

#[test]
fn an_entry_of_an_instance_in_no_file_is_dropped_but_not_before_that_is_known() {
    let mut deployd = Deployd::new(settings());
    deployd.handle(at(0.0), Event::Started);
    deployd.handle(at(0.0), Event::Stands(Standing::Leading));
    let dropped =
        |actions: &[Action]| actions.iter().filter(|action| matches!(action, Action::DropEntry(_))).count();
    assert_eq!(dropped(&deployd.handle(at(0.0), entry("gone", "gone.main"))), 0);
    deployd.handle(at(0.0), entry("bad", "bad.main"));
    deployd.handle(at(0.0), entry("there", "a.main"));
    let mut listing = Listing::of(Scope::All, [id("a.main")]);
    listing.unreadable.insert(ServiceName::new("bad").expect("a name"), "broken".into());
    let actions = deployd.handle(at(1.0), Event::InstancesListed(listing));
    assert_eq!((dropped(&actions), passes(&actions)), (1, vec!["a.main".to_owned()]));
    let actions = deployd.handle(at(2.0), finished("a.main", PassResult::Steady));
    assert_eq!(consumed(&actions), ["there"].map(str::to_owned).into());
    assert_eq!(dropped(&deployd.handle(at(3.0), Event::InstancesListed(Listing::of(Scope::All, [])))), 1);
}

#[test]
fn a_reload_takes_new_settings_and_looks_at_everything() {
    let (mut deployd, started) = machine_with(Settings { workers: 1, ..settings() }, &["a.main", "b.main"]);
    assert_eq!(started, ["a.main"]);
    assert!(deployd.handle(at(1.0), Event::Reload).contains(&Action::ReadSettings));
    let new = Box::new(Settings { workers: 2, ..settings() });
    let actions = deployd.handle(at(1.0), Event::SettingsRead(Ok(new.clone())));
    assert!(actions.contains(&Action::UseSettings(new)));
    assert!(actions.contains(&Action::ListInstances(Scope::All)));
    assert_eq!(passes(&actions), ["b.main"]);
    deployd.handle(at(1.0), Event::InstancesListed(Listing::of(Scope::All, ["a.main", "b.main"].map(id))));
    let actions = deployd.handle(at(2.0), Event::SettingsRead(Err("broken".into())));
    assert_eq!(deployd.settings().workers, 2);
    assert!(actions.contains(&Action::ListInstances(Scope::All)));
}

#[test]
fn whoever_converges_once_waits_seconds_and_gives_up_after_so_many_tries() {
    let (mut deployd, _) = machine_with(Settings { workers: 4, ..settings() }, &["a.main"]);
    deployd.converge_once(4);
    let read = Settings { workers: 4, ..settings() };
    deployd.handle(at(0.0), Event::SettingsRead(Ok(Box::new(read))));
    deployd.handle(at(0.0), Event::InstancesListed(Listing::of(Scope::All, [id("a.main")])));
    let tags = |result| Event::Regenerated { service: service("a"), result };
    deployd.handle(at(0.0), tags(crate::ports::RegenerateResult::Unchanged));
    deployd.handle(at(0.0), finished("a.main", PassResult::Steady));
    assert_eq!(passes(&deployd.handle(at(1.0), Event::Tick)), ["a.main"], "that pass was from before");
    let (mut now, mut waits) = (at(1.0), Vec::new());
    while deployd.settled().is_none() {
        deployd.handle(now, finished("a.main", PassResult::Failed("no".into())));
        let next = deployd.snapshot(now).queue[0].wait_until;
        waits.push(next.since(now).as_secs());
        now = next;
        if deployd.settled().is_none() {
            assert_eq!(passes(&deployd.handle(now, Event::Tick)), ["a.main"]);
        }
    }
    assert_eq!(waits, [2, 4, 8, 16], "the last one is not waited for");
    assert_eq!(deployd.settled().expect("given up")[0].reason, "no");
}

#[test]
fn settled_says_what_failed_and_is_silent_while_there_is_work() {
    let (mut deployd, _) = machine_with(Settings { workers: 4, ..settings() }, &["a.main", "b.main"]);
    let regenerated = |name| Event::Regenerated {
        service: service(name),
        result: crate::ports::RegenerateResult::Unchanged,
    };
    deployd.handle(at(0.0), regenerated("a"));
    deployd.handle(at(0.0), regenerated("b"));
    deployd.handle(at(1.0), finished("a.main", PassResult::Steady));
    assert_eq!(deployd.settled(), None);
    deployd.handle(at(1.0), finished("b.main", PassResult::LookAgain { seconds: 2.0 }));
    assert_eq!(deployd.settled(), None);
    assert_eq!(deployd.unsettled().len(), 1);
    deployd.handle(at(3.0), Event::Tick);
    let report = PassReport::failed("no such bounce method");
    deployd.handle(at(4.0), Event::PassFinished { instance: id("b.main"), report });
    let unsettled = deployd.settled().expect("nothing is left to do");
    assert_eq!(
        (unsettled[0].what.as_str(), unsettled[0].reason.as_str()),
        ("b.main", "no such bounce method")
    );
    deployd.handle(at(64.0), Event::Tick);
    deployd.handle(at(65.0), finished("b.main", PassResult::Steady));
    assert_eq!(deployd.settled(), Some(vec![]));
}
