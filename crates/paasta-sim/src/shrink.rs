//! Makes a failing run shorter: leaves out whatever it fails without.

use crate::kinds::Fault;
use crate::run::{Options, Outcome, simulate};

/// Runs that are made at most.
const RUNS_MAX: usize = 150;

/// The same failure with as few kinds of faults and as few entries of the schedule as can be found quickly.
///
/// # Errors
/// As [`simulate`].
pub fn shrink(options: &Options, failed: Outcome) -> anyhow::Result<(Options, Outcome)> {
    let Some(rule) = failed.violation.as_ref().map(|violation| violation.rule) else {
        return Ok((options.clone(), failed));
    };
    let (mut best, mut outcome) = (options.clone(), failed);
    let mut runs = 0;
    let mut attempt = |try_out: Options, best: &mut Options, outcome: &mut Outcome| -> anyhow::Result<bool> {
        runs += 1;
        if runs > RUNS_MAX {
            return Ok(false);
        }
        let came = simulate(&try_out)?;
        let same = came.violation.as_ref().is_some_and(|violation| violation.rule == rule);
        if same {
            (*best, *outcome) = (try_out, came);
        }
        Ok(same)
    };
    for kind in Fault::ALL {
        let mut without = best.clone();
        without.without.insert(*kind);
        attempt(without, &mut best, &mut outcome)?;
    }
    let mut size = outcome.items / 2;
    while size > 0 {
        for begin in (0..outcome.items).step_by(size) {
            let part = begin..(begin + size).min(outcome.items);
            if part.clone().all(|item| best.skip.contains(&item)) {
                continue;
            }
            let mut fewer = best.clone();
            fewer.skip.extend(part);
            attempt(fewer, &mut best, &mut outcome)?;
        }
        size /= 2;
    }
    Ok((best, outcome))
}
