//! Asks every task once how it stands with its traffic, and load balancers once what they see.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use paasta_bounce::{DrainState, Happiness, HealthParams, Observed, happiness};
use paasta_core::{Reading, Sighting, Task, TaskId, TaskPhase, Timestamp, chain};
use paasta_drain::{DrainMethod, DrainStatus};
use tokio::time::Instant;

use crate::{Discovery, DiscoveryQuestion, Limits, Target};

/// What tasks answered in this pass. Each is asked at most once, however often the engine is listed.
#[derive(Debug, Default)]
pub(crate) struct Statuses(BTreeMap<TaskId, Result<DrainStatus, String>>);

impl Statuses {
    /// The answer, if the task was asked and gave one.
    pub(crate) fn get(&self, task: &TaskId) -> Option<&DrainStatus> {
        self.0.get(task)?.as_ref().ok()
    }

    /// Why tasks that were asked gave no answer.
    pub(crate) fn failures(&self) -> impl Iterator<Item = (&TaskId, &String)> {
        self.0.iter().filter_map(|(task, answer)| Some((task, answer.as_ref().err()?)))
    }

    fn states(&self) -> BTreeMap<TaskId, DrainState> {
        let state = |answer: &Result<DrainStatus, String>| match answer {
            Err(reason) => DrainState::Unknown(reason.clone()),
            Ok(status) if status.is_ours() => DrainState::Draining,
            Ok(status) if status.is_draining() => DrainState::DrainedByOthers,
            Ok(_) => DrainState::Serving,
        };
        self.0.iter().map(|(task, answer)| (task.clone(), state(answer))).collect()
    }
}

/// Completes what an engine told by what tasks and load balancers answer.
pub(crate) async fn observe(
    sighting: Sighting,
    target: &Target,
    discovery: Option<&dyn Discovery>,
    statuses: &mut Statuses,
    limits: &Limits,
    now: Timestamp,
) -> Observed {
    ask_tasks(&sighting, target.drain.as_ref(), statuses, limits).await;
    let seen = match discovery {
        Some(discovery) if target.desired.health.check_haproxy => {
            ask_load_balancers(&sighting, target, discovery, limits, now).await
        }
        _ => BTreeMap::new(),
    };
    Observed { drains: statuses.states(), discovery: seen, sighting }
}

async fn ask_tasks(sighting: &Sighting, drain: &dyn DrainMethod, statuses: &mut Statuses, limits: &Limits) {
    let tasks = sighting.apps().flat_map(|app| &app.tasks);
    let unasked: Vec<&Task> =
        tasks.filter(|task| !statuses.0.contains_key(&task.id) && can_answer(task)).collect();
    let deadline = limits.deadline();
    let calls = unasked
        .into_iter()
        .map(|task| async move { (task.id.clone(), limits.call(deadline, drain.status(task)).await) });
    // Collected first, so that the closure does not live across the wait: such a pass could not be spawned.
    let calls: Vec<_> = calls.collect();
    let answers: Vec<_> = stream::iter(calls).buffer_unordered(limits.calls_at_once.max(1)).collect().await;
    let answer = |answer: Option<Result<DrainStatus, String>>| {
        answer.unwrap_or_else(|| Err("the pass had no time left to ask".to_owned()))
    };
    statuses.0.extend(answers.into_iter().map(|(task, given)| (task, answer(given))));
}

/// A task without a host, or on one that cannot be reached, is not asked (defect B11).
fn can_answer(task: &Task) -> bool {
    !task.host.is_empty() && task.phase != TaskPhase::Unreachable
}

async fn ask_load_balancers(
    sighting: &Sighting,
    target: &Target,
    discovery: &dyn Discovery,
    limits: &Limits,
    now: Timestamp,
) -> BTreeMap<TaskId, Reading<bool>> {
    let tasks = candidates(sighting, &target.desired.health, now);
    if tasks.is_empty() {
        return BTreeMap::new();
    }
    let question = DiscoveryQuestion {
        registration: &target.registration,
        tasks: &tasks,
        min_fraction_up: target.desired.health.haproxy_min_fraction_up,
    };
    let limit = Duration::from_secs_f64(limits.discovery_seconds_max);
    match tokio::time::timeout(limit, discovery.seen(&question)).await {
        Ok(seen) => seen,
        Err(_) => {
            let reason = format!("load balancers gave no answer within {} s", limits.discovery_seconds_max);
            tasks.iter().map(|task| (task.id.clone(), Reading::Unknown(reason.clone()))).collect()
        }
    }
}

/// The tasks that are happy but for load balancers: of others their say would change nothing, and a broken host is not
/// asked for them.
fn candidates<'a>(sighting: &'a Sighting, params: &HealthParams, now: Timestamp) -> Vec<&'a Task> {
    let without = HealthParams { check_haproxy: false, ..*params };
    let mut seen = BTreeSet::new();
    let tasks = sighting.apps().flat_map(|app| app.tasks.iter().map(move |task| (app, task)));
    let happy = tasks.filter(|(app, task)| {
        can_answer(task) && happiness(task, app.checks, &without, None, now) == Happiness::Happy
    });
    happy.map(|(_, task)| task).filter(|task| seen.insert(&task.id)).collect()
}

impl Limits {
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + Duration::from_secs_f64(self.stage_seconds_max)
    }

    /// One bounded call; `None` if there was no time left even to begin, so that it was not tried.
    pub(crate) async fn call<T, E: std::error::Error>(
        &self,
        deadline: Instant,
        call: impl Future<Output = Result<T, E>>,
    ) -> Option<Result<T, String>> {
        if Instant::now() >= deadline {
            return None;
        }
        let most = Duration::from_secs_f64(self.call_seconds_max);
        Some(match tokio::time::timeout(most, call).await {
            Ok(answer) => answer.map_err(|error| chain(&error)),
            Err(_) => Err(format!("no answer within {} s", self.call_seconds_max)),
        })
    }
}
