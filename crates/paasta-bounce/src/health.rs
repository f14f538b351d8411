//! Which tasks are happy (marathon-and-bounce.md §4.4).

use paasta_core::{CheckTiming, Health, Reading, Task, TaskPhase, Timestamp};
use serde::{Deserialize, Serialize};

/// Missing results mean this many intervals after the grace period that the engine forgot them.
const FORGOTTEN_AFTER_INTERVALS: f64 = 5.0;

/// `bounce_health_params`: what besides its health checks makes a task happy.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HealthParams {
    /// Seconds since its start that a task must have run.
    pub min_task_uptime_seconds: Option<f64>,
    /// Whether load balancers must see it.
    pub check_haproxy: bool,
    /// Of the load balancers asked, the part that must see it.
    pub haproxy_min_fraction_up: f64,
}

impl Default for HealthParams {
    fn default() -> Self {
        Self { min_task_uptime_seconds: None, check_haproxy: false, haproxy_min_fraction_up: 1.0 }
    }
}

/// Whether a task serves, as far as can be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happiness {
    /// It serves.
    Happy,
    /// It does not.
    Unhappy,
    /// Its engine says yes, and whether load balancers see it could not be read.
    Unknown(String),
}

/// Whether a task serves. `discovery` is what load balancers say, asked only of tasks that are happy without it;
/// `None` where they were not asked although they should have been.
pub fn happiness(
    task: &Task,
    checks: Option<CheckTiming>,
    params: &HealthParams,
    discovery: Option<&Reading<bool>>,
    now: Timestamp,
) -> Happiness {
    if !happy_by_engine(task, checks, params, now) {
        return Happiness::Unhappy;
    }
    if !params.check_haproxy {
        return Happiness::Happy;
    }
    match discovery {
        Some(Reading::Known(true)) => Happiness::Happy,
        Some(Reading::Known(false)) => Happiness::Unhappy,
        Some(Reading::Unknown(reason)) => Happiness::Unknown(reason.clone()),
        None => Happiness::Unknown("no load balancer was asked".to_owned()),
    }
}

/// Everything but the load balancers.
fn happy_by_engine(task: &Task, checks: Option<CheckTiming>, params: &HealthParams, now: Timestamp) -> bool {
    let Some(started) = task.started_at else { return false };
    if task.phase == TaskPhase::Killing {
        return false;
    }
    let uptime_millis = now.millis().saturating_sub(started.millis()) as f64;
    if params.min_task_uptime_seconds.is_some_and(|least| uptime_millis < least * 1000.0) {
        return false;
    }
    match (task.health, checks) {
        (Health::Alive, _) | (Health::NoResults, None) => true,
        (Health::Dead, _) => false,
        (Health::NoResults, Some(timing)) => started.plus_seconds(forgotten_after_seconds(timing)) < now,
    }
}

/// Seconds after its start from which a task without any result counts as forgotten by its engine, not as new.
pub(crate) fn forgotten_after_seconds(timing: CheckTiming) -> f64 {
    timing.grace_seconds + FORGOTTEN_AFTER_INTERVALS * timing.interval_seconds
}

#[cfg(test)]
mod tests {
    use paasta_core::{AppId, TaskId};

    use super::*;

    fn task(started: Option<i64>, health: Health) -> Task {
        Task {
            id: TaskId::new("t"),
            app: AppId::new("s.i.g.c"),
            host: "h".to_owned(),
            ports: vec![31000],
            phase: TaskPhase::Running,
            staged_at: None,
            started_at: started.map(|s| Timestamp::from_millis(s * 1000)),
            health,
        }
    }

    #[track_caller]
    fn check(started: Option<i64>, health: Health, uptime: Option<f64>, want: bool) {
        let timing = CheckTiming { grace_seconds: 60.0, interval_seconds: 10.0 };
        let params = HealthParams { min_task_uptime_seconds: uptime, ..HealthParams::default() };
        let got =
            happiness(&task(started, health), Some(timing), &params, None, Timestamp::from_seconds(1000.0));
        assert_eq!(got == Happiness::Happy, want);
    }

    #[test]
    fn happy_tasks_started_ran_long_enough_and_are_alive() {
        check(None, Health::Alive, None, false);
        check(Some(999), Health::Alive, None, true);
        check(Some(999), Health::Dead, None, false);
        check(Some(940), Health::Alive, Some(60.0), true);
        check(Some(941), Health::Alive, Some(60.0), false);
    }

    #[test]
    fn results_that_should_long_be_there_are_forgotten_not_missing() {
        check(Some(890), Health::NoResults, None, false);
        check(Some(889), Health::NoResults, None, true);
    }

    #[test]
    fn unread_load_balancers_leave_it_unknown() {
        let params = HealthParams { check_haproxy: true, ..HealthParams::default() };
        let task = task(Some(1), Health::Alive);
        let now = Timestamp::from_seconds(1000.0);
        let ask = |answer: Option<&Reading<bool>>| happiness(&task, None, &params, answer, now);
        assert_eq!(ask(Some(&Reading::Known(true))), Happiness::Happy);
        assert_eq!(ask(Some(&Reading::Known(false))), Happiness::Unhappy);
        assert!(matches!(ask(None), Happiness::Unknown(_)));
        assert!(matches!(ask(Some(&Reading::Unknown("x".into()))), Happiness::Unknown(_)));
    }
}
