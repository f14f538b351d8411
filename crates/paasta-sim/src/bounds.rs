//! By when things have to have happened: from the settings of deployd and the longest times of the model.

use paasta_deployd::Settings;

use crate::config::DrainKind;
use crate::zookeeper::SESSION_MILLIS;

/// Until a daemon that died is started again, at most.
pub(crate) const RESTART_MILLIS: i64 = 20_000;
/// How long others hold a bounce lock, at most.
pub(crate) const OTHERS_LOCK_MILLIS: i64 = 40_000;
/// How late a lost event about files is made good, at most.
pub(crate) const FILES_LATE_MILLIS: i64 = 60_000;
/// After how long a call of a hacheck that hangs ends.
pub(crate) const HACHECK_MILLIS: i64 = 15_000;
/// From a request to a task that serves: back-off and delay of the launch, launch, start, first check. All that ends
/// with the faults may still be ahead of it.
const TASK_MILLIS: i64 = 20_000 + 20_000 + 4000 + 6000 + 10_000;
/// From the signal until a task is gone.
const KILL_MILLIS: i64 = 3000;
/// From one look to the next where something is waited for, at most: for launches.
const LOOK_AGAIN_MILLIS: i64 = 10_000;
/// What else happens in between: elections, calls that take their time, sweeps.
const SLACK_MILLIS: i64 = 5000;

/// Bounds in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// After the last fault: until every tag is in its deployments.json, told or not.
    pub(crate) regenerated: i64,
    /// After the last fault and change: until all is as wanted, but for the drain.
    converged: i64,
    /// Until what is wrong with the settings of an instance shows.
    pub(crate) reported: i64,
}

fn millis(seconds: f64) -> i64 {
    (seconds * 1000.0) as i64
}

impl Bounds {
    pub(crate) fn of(settings: &Settings) -> Self {
        let backoff = millis(settings.failure_backoff_seconds_max);
        // Whoever led may have died at the last moment, and the other too.
        let led = RESTART_MILLIS + SESSION_MILLIS;
        let locked = OTHERS_LOCK_MILLIS + millis(settings.lock_held_seconds);
        // A pass asks hachecks for the state of drains, drains, and asks what is safe.
        let pass = 3 * HACHECK_MILLIS;
        let tags = settings.regenerate_seconds.max(settings.regenerate_backoff_seconds_max);
        let first = led + millis(settings.first_regenerations_seconds);
        let turn = backoff.max(locked).max(led);
        Self {
            regenerated: millis(tags).max(first) + SLACK_MILLIS,
            converged: turn + pass + TASK_MILLIS + KILL_MILLIS + 2 * LOOK_AGAIN_MILLIS + SLACK_MILLIS,
            reported: FILES_LATE_MILLIS
                + millis(settings.file_sweep_seconds)
                + millis(settings.pass_seconds_max)
                + backoff
                + SLACK_MILLIS,
        }
    }

    /// After the last fault and change: until an instance with such drains is as wanted.
    pub(crate) fn converged(&self, drain: DrainKind) -> i64 {
        match drain {
            DrainKind::Noop => self.converged,
            DrainKind::Hacheck { delay, .. } => self.converged + millis(delay),
        }
    }

    /// After the last fault and change: until everything is as wanted.
    pub(crate) fn all(&self, drains: impl Iterator<Item = DrainKind>) -> i64 {
        self.regenerated + drains.map(|drain| self.converged(drain)).max().unwrap_or(self.converged)
    }
}
