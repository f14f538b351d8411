//! `cargo xtask sim`.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use clap::Parser;
use mimalloc::MiMalloc;
use paasta_sim::{Fault, Mutant, Options, Outcome, POISON, Tally, shrink, simulate};

/// A run is made of many small values that live shortly.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// From so many days on, a kind of fault or change that never happened is a failure.
const DAYS_FOR_ALL_KINDS: u64 = 50;
/// Lines of a failing run that are printed.
const LINES: usize = 120;

/// Simulates days of a cluster: the real deployd, pass, planner and drains around a model of everything else.
#[derive(Parser)]
#[command(name = "cargo xtask sim")]
struct Arguments {
    /// The first seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seeds
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// Days per seed
    #[arg(long, default_value_t = 1)]
    days: u32,
    /// Seeds at once
    #[arg(long, default_value_t = std::thread::available_parallelism().map_or(1, |cores| cores.get()))]
    jobs: usize,
    /// Put in each known defect in turn and see that it is noticed within these seeds
    #[arg(long)]
    mutants: bool,
    /// Print the whole trace; for one seed
    #[arg(long)]
    print: bool,
    /// Print a failing run as it is
    #[arg(long)]
    no_shrink: bool,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let is_poison = panic.payload().downcast_ref::<String>().is_some_and(|text| text == POISON);
        if !is_poison {
            told(panic);
        }
    }));
    let ok = if arguments.mutants { mutants(&arguments)? } else { seeds(&arguments)? };
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn options(arguments: &Arguments, seed: u64, mutant: Option<Mutant>) -> Options {
    let print: fn(&str) = |line| println!("{line}");
    let hears = arguments.print.then_some(print);
    Options { seed, days: arguments.days, mutant, hears, ..Options::default() }
}

/// Faults and changes of what is wanted that a day has at least.
const FAULTS_MIN: u64 = 300;
const CHANGES_MIN: u64 = 200;

/// What came of many seeds.
#[derive(Default)]
struct Came {
    /// What all did together.
    tally: Tally,
    days: u64,
    /// In milliseconds.
    longest_convergence: i64,
    /// A seed whose days had too few faults or changes: so many a day.
    thin: Option<(u64, (u64, u64))>,
    /// The first seed that failed.
    failed: Option<(u64, Outcome)>,
}

impl Came {
    fn add(&mut self, seed: u64, days: u64, outcome: &Outcome) {
        self.tally.add(&outcome.tally);
        self.days += days;
        self.longest_convergence = i64::max(self.longest_convergence, outcome.longest_convergence);
        let (faults, changes) = outcome.tally.sums();
        let a_day = (faults / days.max(1), changes / days.max(1));
        if outcome.violation.is_none() && (a_day.0 < FAULTS_MIN || a_day.1 < CHANGES_MIN) {
            self.thin = Some((seed, a_day));
        }
    }
}

/// Runs seeds, two or more at once, until one fails: what came of all, and what failed.
fn run(arguments: &Arguments, mutant: Option<Mutant>) -> anyhow::Result<Came> {
    let next = AtomicU64::new(arguments.seed);
    let end = arguments.seed + arguments.seeds;
    let stop = AtomicBool::new(false);
    let sums = Mutex::new(Came::default());
    let failed = Mutex::new(BTreeMap::new());
    let error = Mutex::new(None);
    let work = || {
        while !stop.load(Ordering::SeqCst) {
            let seed = next.fetch_add(1, Ordering::SeqCst);
            if seed >= end {
                return;
            }
            match simulate(&options(arguments, seed, mutant)) {
                Ok(outcome) => {
                    let mut sums = sums.lock().unwrap_or_else(PoisonError::into_inner);
                    sums.add(seed, u64::from(arguments.days), &outcome);
                    if outcome.violation.is_some() {
                        failed.lock().unwrap_or_else(PoisonError::into_inner).insert(seed, outcome);
                        stop.store(true, Ordering::SeqCst);
                    }
                }
                Err(reason) => {
                    *error.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
                    stop.store(true, Ordering::SeqCst);
                }
            }
        }
    };
    std::thread::scope(|scope| (0..arguments.jobs.max(1)).for_each(|_| drop(scope.spawn(work))));
    if let Some(reason) = error.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(reason);
    }
    let mut came = sums.into_inner().unwrap_or_else(PoisonError::into_inner);
    came.failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner).pop_first();
    Ok(came)
}

fn seeds(arguments: &Arguments) -> anyhow::Result<bool> {
    let Came { tally, days, longest_convergence, thin, failed } = run(arguments, None)?;
    println!(
        "{tally}\n{days} days; all was as wanted at most {:.0} s after the last fault",
        longest_convergence as f64 / 1000.0
    );
    if let Some((seed, outcome)) = failed {
        tell(arguments, seed, outcome)?;
        return Ok(false);
    }
    let never = if days >= DAYS_FOR_ALL_KINDS { tally.never() } else { Vec::new() };
    if !never.is_empty() {
        println!("never happened: {}", never.join(", "));
        return Ok(false);
    }
    if let Some((seed, (faults, changes))) = thin {
        println!("a day of seed {seed} had {faults} faults and {changes} changes of what is wanted");
        println!("expected at least {FAULTS_MIN} and {CHANGES_MIN}");
        return Ok(false);
    }
    println!("no promise was broken");
    Ok(true)
}

fn tell(arguments: &Arguments, seed: u64, outcome: Outcome) -> anyhow::Result<()> {
    let all = options(arguments, seed, None);
    let (best, outcome) = if arguments.no_shrink { (all, outcome) } else { shrink(&all, outcome)? };
    println!("\nseed {seed}, as far as {} is concerned:", outcome.about);
    let skip = outcome.trace.len().saturating_sub(LINES);
    for line in outcome.trace.iter().skip(skip) {
        println!("{line}");
    }
    if let Some(violation) = &outcome.violation {
        let day = violation.at / 86_400_000;
        println!("\nbroken on day {day}: {}: {}: {}", outcome.about, violation.rule, violation.what);
    }
    let left = Fault::ALL.iter().filter(|kind| !best.without.contains(kind)).map(|kind| kind.name());
    println!("it needs of the faults: {}", left.collect::<Vec<_>>().join(", "));
    println!("and {} of {} entries of the schedule", outcome.items - best.skip.len(), outcome.items);
    println!("again: cargo xtask sim --seed {seed} --seeds 1 --days {}", arguments.days);
    Ok(())
}

fn mutants(arguments: &Arguments) -> anyhow::Result<bool> {
    let mut all = true;
    for mutant in Mutant::ALL {
        let Came { days, failed, .. } = run(arguments, Some(*mutant))?;
        match failed {
            Some((seed, Outcome { violation: Some(violation), about, .. })) => {
                println!(
                    "{}: noticed within {days} days, by seed {seed}: {about}: {}",
                    mutant.name(),
                    violation.rule
                );
            }
            _ => {
                all = false;
                println!("{}: NOT noticed within {days} days", mutant.name());
            }
        }
    }
    Ok(all)
}
