//! From utilization to a count (marathon-and-bounce.md §10.1 steps 3 to 7, §10.3).

use std::fmt;

use crate::autoscaling::{Forecast, History, Point};

/// The part of the current count that always stays, and that has to be healthy for a count to go down.
const KEPT: f64 = 0.7;
/// The part of the current count by which `threshold` goes up or down.
const STEP: f64 = 0.1;

/// How an instance stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Situation {
    /// How many tasks it is to have now, at least one.
    pub current: i64,
    /// How many are healthy.
    pub healthy: usize,
    /// `min_instances`.
    pub min: i64,
    /// `max_instances`. Where it is below the minimum, the minimum counts.
    pub max: i64,
    /// The utilization to aim at, above 0.
    pub setpoint: f64,
    /// The mean utilization of its tasks.
    pub utilization: f64,
    /// Seconds since 1970.
    pub now_seconds: f64,
}

/// `decision_policy`.
#[derive(Clone, Debug, PartialEq)]
pub enum Policy {
    /// A tenth up or down.
    Threshold,
    /// As many as the load needs.
    Proportional(Proportional),
    /// Somebody else writes the count.
    Bespoke,
}

/// The parameters of `proportional`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Proportional {
    /// The utilization of a task that does nothing.
    pub offset: f64,
    /// Between these utilizations, the ends included, the count stays.
    pub good_enough_window: Option<(f64, f64)>,
    /// How the load is told.
    pub forecast: Forecast,
}

/// What to do about the count.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The count as it is.
    pub from: i64,
    /// The count as it should be.
    pub to: i64,
    /// How far from what is aimed at.
    pub strain: Strain,
    /// Whether too few tasks are healthy for their utilization to mean much: the count does not go down then.
    pub insufficient_data: bool,
    /// The history to save, if any.
    pub history: Option<History>,
}

impl Decision {
    /// The count to write, if it is another than now.
    pub fn write(&self) -> Option<i64> {
        (self.to != self.from).then_some(self.to)
    }
}

/// The utilization above what is aimed at, or below what one task fewer would have; negative is below, zero between.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Strain(pub f64);

impl Strain {
    fn of(situation: &Situation) -> Self {
        let Situation { setpoint, utilization, .. } = *situation;
        let current = situation.current as f64;
        let least = setpoint * (current - 1.0) / current;
        if utilization < least {
            Self(utilization - least)
        } else if utilization > setpoint {
            Self(utilization - setpoint)
        } else {
            Self(0.0)
        }
    }
}

impl fmt::Display for Strain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 0.0 {
            write!(f, "{}% underutilized", (-self.0 * 100.0).floor())
        } else if self.0 > 0.0 {
            write!(f, "{}% overutilized", (self.0 * 100.0).ceil())
        } else {
            f.write_str("well utilized")
        }
    }
}

/// Why there is no decision; the count stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoDecision {
    /// The policy is `bespoke`.
    Bespoke,
    /// There is no count above 0 to start from.
    NoCount,
    /// The setpoint is not a number above the offset.
    Setpoint,
    /// The utilization, or the load that follows from it and the history, is not a number.
    Load,
    /// The forecast has no point in its window, or nothing to tell.
    Forecast,
}

impl fmt::Display for NoDecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NoDecision::Bespoke => "decision_policy is `bespoke`: somebody else writes the count",
            NoDecision::NoCount => "the current count is not above 0: write a first count",
            NoDecision::Setpoint => "setpoint is not a number above 0 and above offset",
            NoDecision::Load => "the load is not a number: look at the metrics and at the saved history",
            NoDecision::Forecast => {
                "the forecast has nothing to tell: its window is negative or linreg_extrapolation_seconds is empty"
            }
        })
    }
}

impl std::error::Error for NoDecision {}

/// Whether autoscaling is paused, of the text at `/autoscaling/paused`: a time in seconds since 1970 that has not gone
/// by. Missing and unreadable texts pause nothing.
pub fn is_paused(text: Option<&str>, now_seconds: f64) -> bool {
    text.and_then(|text| text.trim().parse::<f64>().ok()).is_some_and(|until| until >= now_seconds)
}

/// Says how many tasks an instance should have. The count never falls below seven tenths of the current one, cut down
/// to a whole number, unless the bounds ask for that.
///
/// # Errors
/// Anything that cannot be computed with.
pub fn decide(policy: &Policy, situation: &Situation, history: &History) -> Result<Decision, NoDecision> {
    let current = situation.current;
    if current < 1 {
        return Err(NoDecision::NoCount);
    }
    if !(situation.setpoint.is_finite() && situation.setpoint > 0.0) {
        return Err(NoDecision::Setpoint);
    }
    if !situation.utilization.is_finite() {
        return Err(NoDecision::Load);
    }
    let strain = Strain::of(situation);
    let (want, history) = match policy {
        Policy::Bespoke => return Err(NoDecision::Bespoke),
        Policy::Threshold => (threshold(current, strain), None),
        Policy::Proportional(proportional) => {
            let (want, history) = proportional.want(situation, history)?;
            (want, Some(history))
        }
    };
    let kept = part(current, KEPT);
    let to = want.max(kept).min(situation.max).max(situation.min);
    let insufficient_data = i64::try_from(situation.healthy).is_ok_and(|healthy| healthy < kept);
    Ok(Decision {
        from: current,
        to: if insufficient_data { to.max(current) } else { to },
        strain,
        insufficient_data,
        history: history.filter(|_| !insufficient_data),
    })
}

/// Part of a count, cut down to a whole number.
fn part(count: i64, part: f64) -> i64 {
    (count as f64 * part) as i64
}

fn threshold(current: i64, strain: Strain) -> i64 {
    let step = part(current, STEP).max(1);
    if strain.0 > 0.0 {
        current.saturating_add(step)
    } else if strain.0 < 0.0 {
        current - step
    } else {
        current
    }
}

impl Proportional {
    fn want(&self, situation: &Situation, history: &History) -> Result<(i64, History), NoDecision> {
        let Situation { current, setpoint, utilization, .. } = *situation;
        let per_task = setpoint - self.offset;
        if !(per_task.is_finite() && per_task > 0.0) {
            return Err(NoDecision::Setpoint);
        }
        let load = (utilization - self.offset) * situation.healthy as f64;
        let history = history.with(Point { at_seconds: situation.now_seconds, load });
        let predicted = self.forecast.predict(&history).ok_or(NoDecision::Forecast)?;
        if !predicted.is_finite() {
            return Err(NoDecision::Load);
        }
        let want = (predicted / per_task).round_ties_even() as i64;
        let (low, high) = self.good_enough_window.unzip();
        // Fewer tasks where those that run are busy enough would be a mistake of the forecast.
        let busy = utilization >= setpoint || high.is_some_and(|high| utilization >= high);
        let then = predicted / current as f64 + self.offset;
        let good_enough = low.is_some_and(|low| low <= then) && high.is_some_and(|high| then <= high);
        let stays = good_enough || (want < current && busy);
        Ok((if stays { current } else { want }, history))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(current: i64, utilization: f64) -> Situation {
        Situation {
            current,
            healthy: usize::try_from(current).unwrap_or(0),
            min: 1,
            max: 1000,
            setpoint: 0.8,
            utilization,
            now_seconds: 1_600_000_000.0,
        }
    }

    fn to(policy: &Policy, situation: Situation) -> i64 {
        decide(policy, &situation, &History::default()).expect("a decision").to
    }

    #[test]
    fn strain_is_what_is_above_the_setpoint_or_below_one_task_fewer() {
        for (utilization, want, text) in [
            (0.9, 0.1, "10% overutilized"),
            (0.75, 0.0, "well utilized"),
            (0.72, 0.0, "well utilized"),
            (0.8, 0.0, "well utilized"),
            // As doubles: 0.72 - 0.5 is a little less than 0.22, and the original cuts it down too.
            (0.5, -0.22, "21% underutilized"),
        ] {
            let strain = Strain::of(&at(10, utilization));
            assert!((strain.0 - want).abs() < 1e-12, "{utilization}: {strain:?}");
            assert_eq!(strain.to_string(), text);
        }
    }

    #[test]
    fn threshold_goes_by_a_tenth_and_by_one_at_least() {
        for (current, up, down) in [(5, 6, 4), (9, 10, 8), (10, 11, 9), (25, 27, 23)] {
            assert_eq!(to(&Policy::Threshold, at(current, 0.9)), up);
            assert_eq!(to(&Policy::Threshold, at(current, 0.1)), down);
            assert_eq!(to(&Policy::Threshold, at(current, 0.8)), current);
        }
        assert_eq!(to(&Policy::Threshold, at(1, 0.0)), 1);
    }

    #[test]
    fn proportional_wants_what_the_load_needs_rounded_half_to_even() {
        let policy = |offset| Policy::Proportional(Proportional { offset, ..Proportional::default() });
        assert_eq!(to(&policy(0.0), at(10, 0.96)), 12);
        assert_eq!(to(&policy(0.0), at(10, 0.64)), 8);
        assert_eq!(to(&policy(0.4), at(10, 1.0)), 15);
        for (utilization, want) in [(0.625, 2), (0.875, 4)] {
            // 2.5 and 3.5 tasks.
            let half = Situation { setpoint: 0.5, ..at(2, utilization) };
            assert_eq!(to(&policy(0.0), half), want);
        }
        assert_eq!(to(&policy(0.0), at(10, 0.1)), 7, "never less than seven tenths at once");
        assert_eq!(to(&policy(0.0), Situation { max: 11, ..at(10, 2.0) }), 11);
        assert_eq!(to(&policy(0.0), Situation { min: 9, ..at(10, 0.1) }), 9);
    }

    #[test]
    fn busy_tasks_are_not_made_fewer_and_good_enough_is_left_alone() {
        let policy = Policy::Proportional(Proportional::default());
        assert_eq!(to(&policy, Situation { healthy: 8, ..at(10, 0.8) }), 10);
        assert_eq!(to(&policy, Situation { healthy: 8, ..at(10, 0.79) }), 8);
        let window = |low, high| {
            let good_enough_window = Some((low, high));
            Policy::Proportional(Proportional { good_enough_window, ..Proportional::default() })
        };
        assert_eq!(to(&window(0.5, 1.0), at(10, 1.0)), 10);
        assert_eq!(to(&window(0.5, 1.0), at(10, 0.5)), 10);
        assert_eq!(to(&window(0.5, 1.0), at(10, 0.49)), 7);
        assert_eq!(to(&window(0.5, 1.0), at(10, 1.01)), 13);
        assert_eq!(to(&window(0.6, 0.7), Situation { healthy: 7, ..at(10, 0.75) }), 10);
    }

    #[test]
    fn too_few_healthy_tasks_save_no_history_and_make_nothing_less() {
        let policy = Policy::Proportional(Proportional::default());
        let decide = |healthy, utilization| {
            let situation = Situation { healthy, ..at(10, utilization) };
            decide(&policy, &situation, &History::default()).expect("a decision")
        };
        let few = decide(6, 0.1);
        assert!(few.insufficient_data && few.history.is_none());
        assert_eq!(few.write(), None);
        assert_eq!(decide(6, 2.0).write(), Some(15), "more may still be asked for");
        let enough = decide(7, 0.1);
        assert_eq!(enough.write(), Some(7));
        assert_eq!(enough.history.map(|history| history.points().len()), Some(1));
    }

    #[test]
    fn nonsense_is_no_decision() {
        let policy = Policy::Proportional(Proportional { offset: 0.8, ..Proportional::default() });
        let decide = |policy: &Policy, situation| decide(policy, &situation, &History::default());
        assert_eq!(decide(&policy, at(10, 0.5)), Err(NoDecision::Setpoint));
        assert_eq!(decide(&Policy::Bespoke, at(10, 0.5)), Err(NoDecision::Bespoke));
        assert_eq!(decide(&Policy::Threshold, at(0, 0.5)), Err(NoDecision::NoCount));
        assert_eq!(decide(&Policy::Threshold, at(5, f64::NAN)), Err(NoDecision::Load));
        let nowhere = Situation { setpoint: 0.0, ..at(5, 0.5) };
        assert_eq!(decide(&Policy::Threshold, nowhere), Err(NoDecision::Setpoint));
    }

    #[test]
    fn a_pause_lasts_until_its_time() {
        assert!(is_paused(Some("100.5\n"), 100.0));
        assert!(is_paused(Some("100"), 100.0));
        assert!(!is_paused(Some("99.9"), 100.0));
        assert!(!is_paused(Some("soon"), 100.0));
        assert!(!is_paused(Some("nan"), 100.0));
        assert!(!is_paused(None, 100.0));
    }
}
