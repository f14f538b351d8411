//! One run: a world, two daemons, and the clock that goes from event to event.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::time::sleep_until;

use crate::config;
use crate::daemon::{pass_by_hand, supervise};
use crate::judge::Violation;
use crate::kinds::{Fault, Tally};
use crate::link::Shared;
use crate::mutants::Mutant;
use crate::schedule::{DAY, schedule};
use crate::world::{Instance, World};

/// What to simulate.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Everything that varies follows from it.
    pub seed: u64,
    /// How many days.
    pub days: u32,
    /// A known defect to put in.
    pub mutant: Option<Mutant>,
    /// Kinds of faults that are left out.
    pub without: BTreeSet<Fault>,
    /// Entries of the schedule that are left out, by number.
    pub skip: BTreeSet<usize>,
    /// Hears each line of the trace as it comes.
    pub hears: Option<fn(&str)>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The first promise that was broken.
    pub violation: Option<Violation>,
    /// The name of the instance it is about.
    pub about: String,
    /// How often what happened.
    pub tally: Tally,
    /// The hash over the whole trace.
    pub hash: u64,
    /// The last lines that concern the instance of the violation, or all.
    pub trace: Vec<String>,
    /// How many entries the schedule has.
    pub items: usize,
    /// The longest time until all was as wanted after the faults had stopped, in milliseconds.
    pub longest_convergence: i64,
}

/// Runs one seed.
///
/// # Errors
/// A name of the simulated cluster is none, or there is no runtime.
pub fn simulate(options: &Options) -> anyhow::Result<Outcome> {
    let instances = config::instances()?
        .into_iter()
        .map(|conf| Instance {
            prefix: format!("{}.", conf.id.short_id()),
            targets: BTreeSet::from([conf.app()]),
            conf,
            losses: Vec::new(),
            ends: Vec::new(),
            earlier: [None, None],
            converged_at: None,
            retargeted_at: 0,
            broken_since: -1,
        })
        .collect::<Vec<_>>();
    let names: Vec<String> = instances.iter().map(|it| it.conf.id.to_string()).collect();
    let mut items = schedule(options.seed, options.days, instances.len());
    let count = items.len();
    let mut number = 0;
    items.retain(|item| {
        number += 1;
        let frame = matches!(item.what, crate::schedule::What::Calm | crate::schedule::What::Storm);
        frame || !options.skip.contains(&(number - 1))
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    let end = i64::from(options.days) * DAY;
    let mut outcome = runtime.block_on(async {
        let mut world = World::new(options.seed, instances, items);
        world.trace.hears = options.hears;
        world.without = options.without.clone();
        let shared = Arc::new(Shared::new(world));
        for actor in 0..2 {
            tokio::spawn(supervise(shared.clone(), actor, options.mutant));
        }
        drive(&shared, end).await;
        shared.with(|world| {
            // Their clock holds the world, which would hold them for ever.
            world.shown = [None, None];
            outcome(world, count)
        })
    });
    if let Some(violation) = &outcome.violation {
        outcome.about = names.get(violation.instance).cloned().unwrap_or_else(|| "all".to_owned());
    }
    Ok(outcome)
}

/// Lets the world go on until the end, or until a promise is broken.
async fn drive(shared: &Arc<Shared>, end: i64) {
    loop {
        let sooner = shared.sooner.notified();
        let (next, over, by_hand, files, stirred) = shared.with(|world| {
            world.go_on();
            let over = world.violation.is_some() || world.now >= end;
            let by_hand = std::mem::take(&mut world.by_hand);
            let (files, stirred) =
                (std::mem::take(&mut world.files_stirred), std::mem::take(&mut world.stirred));
            (world.next_at().unwrap_or(end).min(end), over, by_hand, files, stirred)
        });
        for instance in by_hand {
            tokio::spawn(pass_by_hand(shared.clone(), instance));
        }
        if files {
            shared.files.notify_waiters();
        }
        if stirred {
            shared.stirred.notify_waiters();
        }
        if over {
            return;
        }
        tokio::select! {
            biased;
            () = sooner => {}
            () = sleep_until(shared.instant(next)) => {}
        }
    }
}

fn outcome(world: &mut World, items: usize) -> Outcome {
    let (steps, hash) = world.trace.print();
    let mut tally = world.tally.clone();
    tally.steps = steps;
    let instance = world.violation.as_ref().map_or(crate::trace::ALL, |violation| violation.instance);
    Outcome {
        violation: world.violation.clone(),
        about: String::new(),
        tally,
        hash,
        trace: world.trace.about(instance, 400),
        items,
        longest_convergence: world.longest_convergence,
    }
}
