//! What holds of passes (marathon-and-bounce.md §4.8, invariants 9 to 18, in the form that design decision 3 gives
//! them), on engines of both shapes, with whatever goes wrong.

use paasta_bounce::{MarginFactor, Outcome};
use paasta_core::{Applied, Health};
use paasta_setup::{PassAction, PassState, Taken};
use paasta_testkit::{Fault, ListFault};
use proptest::prelude::*;
use proptest::sample::select;

use crate::sim::{Shape, Sim, Want, app_id};

/// Passes in which things go wrong, and passes after that until all must be well.
const PASSES_BAD: usize = 14;
const PASSES_GOOD_MAX: usize = 90;
const SECONDS_BETWEEN: f64 = 2.0;

#[derive(Clone, Debug)]
struct Story {
    shape: Shape,
    want: Want,
    /// Version, home, tasks, health.
    apps: Vec<(&'static str, &'static str, usize, Health)>,
    delay_seconds: f64,
    never_happy: bool,
    changes: Vec<Option<Fault>>,
    listings: Vec<Option<ListFault>>,
    leaving: Option<&'static str>,
    broken: Option<&'static str>,
    /// As after a revert, every other seeded task is still drained.
    drained: bool,
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn passes_keep_their_promises_and_converge(story in stories()) {
        tell(&story)?;
    }
}

fn tell(story: &Story) -> Result<(), TestCaseError> {
    let sim = Sim::new(story.shape, &story.want, story.delay_seconds);
    for (version, home, tasks, health) in &story.apps {
        sim.seed(version, home, *tasks, *health);
    }
    let world = sim.engine.world();
    if story.never_happy {
        world.never_happy(app_id("new"));
    }
    if story.drained {
        sim.drain_every_other();
    }
    let served_at_first = sim.serving().len();
    world.faults.plan_changes(story.changes.iter().copied());
    world.faults.plan_listings(story.listings.iter().cloned());
    world.set_leaving(story.leaving);
    sim.drains.break_hosts(story.broken);
    for _ in 0..PASSES_BAD {
        pass(&sim, story)?;
    }
    world.faults.clear();
    world.set_leaving([]);
    sim.drains.break_hosts([]);
    let mut steady = 0;
    for _ in 0..PASSES_GOOD_MAX {
        steady = if pass(&sim, story)? { steady + 1 } else { 0 };
        if steady == 3 {
            break;
        }
    }
    ends_well(&sim, story, steady, served_at_first)
}

/// What an audit line calls it, if anything was changed or may have been.
fn change(taken: &Taken) -> Option<&'static str> {
    let action = match &taken.action {
        PassAction::Create { .. } => "create-app",
        PassAction::Scale { .. } => "scale-app",
        PassAction::Drain { renewal: false, .. } => "drain-task",
        PassAction::Drain { renewal: true, .. } => return None,
        PassAction::Undrain { .. } => "undrain-task",
        PassAction::Kill { .. } => "kill-tasks",
        PassAction::Delete { .. } => "delete-app",
    };
    matches!(taken.outcome, Outcome::Applied(Applied::Done | Applied::Unknown(_))).then_some(action)
}

/// One pass and what must hold of it; whether it found nothing to do.
fn pass(sim: &Sim, story: &Story) -> Result<bool, TestCaseError> {
    sim.step(SECONDS_BETWEEN);
    let before = sim.serving();
    let written = sim.log.deeds().len();
    sim.drains.take_counts();
    let report = sim.run(None);
    if let Some(Ok(report)) = &report {
        let deeds: Vec<_> = sim.log.deeds().split_off(written).into_iter().map(|deed| deed.action).collect();
        let changes: Vec<_> = report.actions.iter().filter_map(change).collect();
        prop_assert_eq!(deeds, changes, "what was changed is written down");
    }
    let (asked, _) = sim.drains.take_counts();
    prop_assert!(asked <= 1, "a task was asked {} times in one pass", asked);
    let (creates, kills, violations) = sim.take_audit();
    prop_assert_eq!(violations, Vec::<String>::new());
    prop_assert!(creates <= 1, "12: {} apps created in one pass", creates);
    if let Some(Ok(report)) = &report {
        let refused = report.actions.iter().any(|taken| {
            matches!(taken.action, paasta_setup::PassAction::Create { .. }) && !taken.outcome.is_done()
        });
        prop_assert!(!refused || kills == 0, "12: kills after a create that failed");
    }
    if let Some(Err(error)) = &report {
        let told = sim.log.records().last().map(|record| record.message.clone());
        prop_assert_eq!(told, Some(paasta_core::chain(error)), "why nothing was done is told");
        prop_assert!(!matches!(error, paasta_setup::PassError::Unsafe { .. }), "{}", error);
    }
    // What was marked for death goes now.
    sim.step(0.0);
    let after = sim.serving();
    capacity(story, &before, &after, sim)?;
    Ok(matches!(report, Some(Ok(report)) if report.state == PassState::Steady && report.actions.is_empty()))
}

/// Invariant 17, and its like for upthendown.
fn capacity(
    story: &Story,
    before: &std::collections::BTreeSet<paasta_core::TaskId>,
    after: &std::collections::BTreeSet<paasta_core::TaskId>,
    sim: &Sim,
) -> Result<(), TestCaseError> {
    if story.broken.is_some() {
        // Tasks that cannot be asked are no capacity to the method (§6.4).
        return Ok(());
    }
    let wanted = story.want.instances;
    match story.want.method {
        "crossover" => {
            let floor =
                MarginFactor::new(story.want.margin).expect("a margin").needed(wanted).min(before.len());
            prop_assert!(
                after.len() >= floor,
                "17: {} serve, {} before, floor {}",
                after.len(),
                before.len(),
                floor
            );
        }
        "upthendown" => {
            let apps = sim.engine.truth();
            let new = apps.iter().filter(|app| app.id == app_id("new") && app.home.as_str() == "current");
            let new = new.flat_map(|app| &app.tasks).filter(|task| after.contains(&task.id)).count();
            prop_assert!(
                after.len() >= before.len() || new >= wanted,
                "old tasks went before new ones were happy"
            );
        }
        _ => {}
    }
    Ok(())
}

/// Invariants 13 to 16.
fn ends_well(sim: &Sim, story: &Story, steady: usize, served_at_first: usize) -> Result<(), TestCaseError> {
    let apps = sim.engine.truth();
    let wanted = story.want.instances;
    let waits_for_ever =
        story.never_happy && wanted > 0 && ["crossover", "upthendown"].contains(&story.want.method);
    if waits_for_ever {
        let floor = match story.want.method {
            "crossover" => MarginFactor::new(story.want.margin).expect("a margin").needed(wanted),
            _ => served_at_first,
        };
        if story.broken.is_none() {
            prop_assert!(
                sim.serving().len() >= floor.min(served_at_first),
                "a bad version took capacity away"
            );
        }
        return Ok(());
    }
    prop_assert_eq!(steady, 3, "15: not steady at the end: {:#?}", apps);
    let (new, old): (Vec<_>, Vec<_>) =
        apps.iter().partition(|app| app.id == app_id("new") && app.home.as_str() == "current");
    prop_assert!(old.is_empty(), "15: old apps remain");
    if story.want.method != "down" {
        prop_assert_eq!(new.iter().map(|app| app.instances).sum::<usize>(), wanted);
        prop_assert_eq!(new.len(), 1);
        prop_assert!(story.never_happy || sim.serving().len() == wanted);
    }
    no_op(sim)
}

/// Invariant 14: nothing is changed, no lock is taken and no task is told anything; over a listing, nothing more is
/// asked of the engine.
fn no_op(sim: &Sim) -> Result<(), TestCaseError> {
    let fleet = sim.fleet();
    sim.drains.take_counts();
    let (calls, locks) = (sim.engine.world().calls(), sim.locks.taken());
    let report = sim.run(Some(&fleet));
    prop_assert!(matches!(report, Some(Ok(report)) if report.state == PassState::Steady));
    prop_assert_eq!(sim.engine.world().calls(), calls);
    prop_assert_eq!(sim.locks.taken(), locks);
    let (asked, told) = sim.drains.take_counts();
    prop_assert!(asked <= 1 && told == 0);
    Ok(())
}

fn stories() -> impl Strategy<Value = Story> {
    let want = (
        select(vec!["brutal", "crossover", "crossover", "down", "downthenup", "upthendown", "upthendown"]),
        0..5usize,
        select(vec![0.3, 0.5, 0.9, 1.0]),
    )
        .prop_map(|(method, instances, margin)| Want { method, instances, margin });
    let health = || prop_oneof![4 => Just(Health::Alive), 1 => Just(Health::Dead)];
    let apps = (
        proptest::option::of((Just("old1"), Just("current"), 0..5usize, health())),
        proptest::option::of((Just("old2"), Just("previous"), 0..4usize, health())),
        proptest::option::weighted(0.3, (Just("new"), Just("current"), 0..7usize, Just(Health::Alive))),
        proptest::option::weighted(0.2, (Just("new"), Just("previous"), 0..3usize, Just(Health::Alive))),
    )
        .prop_map(|apps| [apps.0, apps.1, apps.2, apps.3].into_iter().flatten().collect::<Vec<_>>());
    (
        select(vec![Shape::Marathon, Shape::Sets]),
        want,
        apps,
        select(vec![0.0, 3.0, 12.0]),
        proptest::bool::weighted(0.2),
        proptest::collection::vec(proptest::option::weighted(0.4, fault()), 0..25),
        proptest::collection::vec(proptest::option::weighted(0.2, list_fault()), 0..12),
        proptest::option::weighted(0.3, select(vec!["h0", "h1", "h2"])),
        proptest::option::weighted(0.2, select(vec!["h0", "h1", "h2"])),
        proptest::bool::weighted(0.3),
    )
        .prop_map(
            |(shape, want, apps, delay_seconds, never_happy, changes, listings, leaving, broken, drained)| {
                Story {
                    shape,
                    want,
                    // Tasks of the wanted version that never were happy were never there.
                    apps: apps.into_iter().filter(|app| !never_happy || app.0 != "new").collect(),
                    delay_seconds,
                    never_happy,
                    changes,
                    listings,
                    leaving,
                    broken,
                    drained,
                }
            },
        )
}

fn fault() -> impl Strategy<Value = Fault> {
    select(vec![
        Fault::Refused,
        Fault::Unreachable,
        Fault::Busy,
        Fault::Conflict,
        Fault::LostReply { done: true },
        Fault::LostReply { done: false },
        Fault::Hang { done: true },
        Fault::Hang { done: false },
    ])
}

fn list_fault() -> impl Strategy<Value = ListFault> {
    select(vec![
        ListFault::Home(paasta_core::HomeId::new("current")),
        ListFault::Home(paasta_core::HomeId::new("previous")),
        ListFault::LeavingHosts,
        ListFault::Hang,
    ])
}
