//! What whoever begins to lead believes of the files of the leader before.

use paasta_core::Standing;

use super::{at, finished, id, machine_with, regenerated, service};
use crate::Settings;
use crate::ports::{PassResult, RegenerateResult};
use crate::state::{Action, Because, Deployd, Event, Listing, Scope, Tags};

fn settings() -> Settings {
    Settings { workers: 2, urgent_workers: 0, regenerate_seconds: 0.0, ..Settings::default() }
}

fn lost() -> Event {
    Event::Stands(Standing::Lost("the session ended".into()))
}

fn stopped(instance: &str) -> Event {
    finished(instance, PassResult::Stopped("no leave".into()))
}

fn tags(actions: &[Action]) -> Vec<(String, Tags)> {
    let started = actions.iter().filter_map(|action| match action {
        Action::StartPass { instance, wake } => Some((instance.to_string(), wake.tags)),
        _ => None,
    });
    started.collect()
}

fn told(name: &str, result: RegenerateResult) -> Event {
    Event::Regenerated { service: service(name), result }
}

/// One of three instances that stands by, and looks at the tags of one service at a time.
fn stands_by(regenerate_seconds: f64) -> Deployd {
    let settings = Settings { workers: 3, regenerate_seconds, regenerations_at_once: 1, ..settings() };
    let mut deployd = Deployd::new(settings);
    deployd.handle(at(0.0), Event::Started);
    let listing = Listing::of(Scope::All, ["a.main", "b.main", "z.main"].map(id));
    deployd.handle(at(0.0), Event::InstancesListed(listing));
    deployd
}

#[test]
fn after_a_take_over_nothing_is_changed_before_the_tags_were_looked_at() {
    let mut deployd = stands_by(300.0);
    let actions = deployd.handle(at(9.0), Event::Stands(Standing::Leading));
    assert!(tags(&actions).iter().all(|(_, tags)| *tags == Tags::Awaited), "{actions:?}");
    assert_eq!(regenerated(&actions), ["a"]);
    // Whoever has nothing to do is done; whoever has something is next in the line for tags.
    deployd.handle(at(9.1), finished("b.main", PassResult::Steady));
    deployd.handle(at(9.1), stopped("z.main"));
    deployd.handle(at(9.1), stopped("a.main"));
    let waits = deployd.snapshot(at(9.1)).queue.iter().map(|entry| entry.wait_until).min();
    assert_eq!(waits, Some(at(12.0)));
    let actions = deployd.handle(at(9.5), told("a", RegenerateResult::Unchanged));
    assert_eq!(tags(&actions), [("a.main".to_owned(), Tags::Known)]);
    assert_eq!(regenerated(&actions), ["z"]);
    let actions = deployd.handle(at(9.9), told("z", RegenerateResult::Failed("unreachable".into())));
    assert_eq!(tags(&actions), [("z.main".to_owned(), Tags::Known)], "it was tried");
    assert!(deployd.snapshot(at(9.9)).queue.iter().all(|entry| entry.failures == 0));
}

#[test]
fn a_git_server_that_does_not_answer_holds_nobody_for_long() {
    let mut deployd = stands_by(300.0);
    deployd.handle(at(9.0), Event::Stands(Standing::Leading));
    deployd.handle(at(9.1), stopped("z.main"));
    let actions = deployd.handle(at(12.0), Event::Tick);
    assert_eq!(tags(&actions), [("z.main".to_owned(), Tags::GivenUp)]);
    // Where nobody looks at tags nobody waits for them.
    let actions = stands_by(0.0).handle(at(9.0), Event::Stands(Standing::Leading));
    assert_eq!(tags(&actions).len(), 3);
    assert!(tags(&actions).iter().all(|(_, tags)| *tags == Tags::Known));
}

#[test]
fn a_regeneration_from_an_earlier_leadership_says_nothing_of_this_one() {
    let mut deployd = stands_by(300.0);
    assert_eq!(regenerated(&deployd.handle(at(9.0), Event::Stands(Standing::Leading))), ["a"]);
    deployd.handle(at(9.1), stopped("a.main"));
    deployd.handle(at(9.2), lost());
    deployd.handle(at(9.3), Event::Stands(Standing::Leading));
    let actions = deployd.handle(at(9.4), told("a", RegenerateResult::Unchanged));
    assert_eq!(regenerated(&actions), ["a"]);
    assert!(tags(&actions).iter().all(|(_, tags)| *tags == Tags::Awaited), "{actions:?}");
    deployd.handle(at(9.5), told("a", RegenerateResult::Stopped("leads no longer".into())));
    assert!(deployd.snapshot(at(9.5)).regenerations_failing.is_empty(), "it is nobody's fault");
}

#[test]
fn what_fails_after_a_doubt_that_is_over_is_not_blamed() {
    let (mut deployd, _) = machine_with(settings(), &["a.main"]);
    deployd.handle(at(1.0), Event::Stands(Standing::Doubtful("no answer".into())));
    deployd.handle(at(1.5), Event::Stands(Standing::Leading));
    let fenced = PassResult::Failed("its lock could not be had".into());
    deployd.handle(at(2.0), finished("a.main", fenced));
    let entry = deployd.snapshot(at(2.0)).queue.remove(0);
    assert_eq!((entry.because, entry.failures), (Because::Stopped, 0));
    deployd.handle(at(3.0), Event::Tick);
    deployd.handle(at(3.0), finished("a.main", PassResult::Failed("no".into())));
    assert_eq!(deployd.snapshot(at(3.0)).queue[0].failures, 1);
}

#[test]
fn people_are_told_of_no_end_that_nobody_is_blamed_for() {
    let tells = |actions: Vec<Action>| actions.iter().any(|action| matches!(action, Action::TellEnd { .. }));
    let failed = || finished("a.main", PassResult::Failed("its lock could not be had".into()));
    let doubt = || Event::Stands(Standing::Doubtful("no answer".into()));
    for stands in [vec![doubt()], vec![doubt(), Event::Stands(Standing::Leading)], vec![lost()]] {
        let (mut deployd, _) = machine_with(settings(), &["a.main"]);
        for standing in stands.clone() {
            deployd.handle(at(1.0), standing);
        }
        assert!(!tells(deployd.handle(at(2.0), failed())), "{stands:?}");
    }
    let (mut deployd, _) = machine_with(settings(), &["a.main"]);
    assert!(tells(deployd.handle(at(2.0), failed())));
}
