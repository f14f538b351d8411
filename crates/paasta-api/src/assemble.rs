//! From what is wanted and what was seen to the answer. Pure.

use std::collections::BTreeMap;

use paasta_api_client::{
    AppStatus, Bounce, DeployStatus, FailureStatus, InstanceStatus, MarathonStatus, TaskHealth, TaskStatus,
    WantedState, Why,
};
use paasta_bounce::DrainState;
use paasta_config::{DeploymentRecord, DesiredState};
use paasta_core::{
    App, AppId, Health, InstanceId, LaunchWait, Reading, Rendered, Sighting, Task, TaskFailure, TaskId,
    TaskPhase, Timestamp,
};

/// Everything an instance's status is made of.
#[derive(Clone, Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) instance: &'a InstanceId,
    pub(crate) deployment: &'a DeploymentRecord,
    pub(crate) bounce_method: &'a str,
    /// What would run now, or why nothing can.
    pub(crate) rendered: Result<&'a Rendered, String>,
    /// What runs; none where it was not looked for.
    pub(crate) seen: Option<Seen<'a>>,
    /// Whether tasks are listed one by one.
    pub(crate) list_tasks: bool,
}

/// What was seen of an instance, and what the next pass makes of it.
#[derive(Clone, Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) sighting: &'a Sighting,
    pub(crate) drains: &'a BTreeMap<TaskId, DrainState>,
    pub(crate) why: &'a paasta_bounce::Why,
    pub(crate) look_again_at: Option<Timestamp>,
}

pub(crate) fn status(facts: &Facts<'_>) -> InstanceStatus {
    InstanceStatus {
        service: facts.instance.service().clone(),
        instance: facts.instance.instance().clone(),
        git_sha: facts.deployment.git_sha.chars().take(8).collect(),
        marathon: Some(marathon(facts)),
    }
}

fn marathon(facts: &Facts<'_>) -> MarathonStatus {
    let rendered = facts.rendered.as_ref().ok();
    let desired = rendered.map(|rendered| &rendered.app);
    let apps = apps_wanted_first(facts, desired);
    let new = apps.iter().find(|app| Some(&app.id) == desired);
    let statuses: Vec<AppStatus> = apps.iter().map(|app| app_status(app, facts)).collect();
    MarathonStatus {
        desired_state: match facts.deployment.desired_state {
            DesiredState::Start => WantedState::Start,
            DesiredState::Stop => WantedState::Stop,
        },
        app_count: app_count(facts, apps.len()),
        desired_app_id: desired.cloned(),
        bounce_method: facts.bounce_method.to_owned(),
        deploy_status: rendered.and_then(|rendered| match new {
            Some(app) => Some(deploy_status(app)),
            None if !everything_known(facts) => None,
            None if rendered.instances > 0 => Some(DeployStatus::WaitingForBounce),
            None => Some(DeployStatus::NotRunning),
        }),
        backoff_seconds: new.and_then(|app| backoff_seconds(app)),
        running_instance_count: Some(statuses.iter().map(|app| app.tasks_running).sum()),
        expected_instance_count: rendered.map(|rendered| rendered.instances),
        autoscaling_info: None,
        active_shas: apps.iter().map(|app| shas(&app.id)).collect(),
        app_statuses: statuses,
        error_message: facts.rendered.as_ref().err().cloned().or_else(|| nothing_seen(facts)),
        bounce: facts.seen.as_ref().map(|seen| bounce(facts, seen)),
    }
}

/// Two versions under one id in two homes are two apps.
fn apps_wanted_first<'a>(facts: &Facts<'a>, desired: Option<&AppId>) -> Vec<&'a App> {
    let mut apps: Vec<&App> = facts.seen.iter().flat_map(|seen| seen.sighting.apps()).collect();
    apps.sort_by_key(|app| (Some(&app.id) != desired, app.id.clone(), app.home.clone()));
    apps
}

/// −1 where that is not known, as the original has it.
fn app_count(facts: &Facts<'_>, seen: usize) -> i64 {
    if everything_known(facts) { i64::try_from(seen).unwrap_or(i64::MAX) } else { -1 }
}

fn everything_known(facts: &Facts<'_>) -> bool {
    facts.seen.as_ref().is_some_and(|seen| seen.sighting.homes.values().all(is_known))
}

fn is_known<T>(reading: &Reading<T>) -> bool {
    reading.known().is_some()
}

/// Where no home answered there is nothing to show but that.
fn nothing_seen(facts: &Facts<'_>) -> Option<String> {
    let sighting = facts.seen.as_ref()?.sighting;
    match sighting.homes.values().any(is_known) {
        true => None,
        false => Some(format!("could not see what runs: {}", sighting.unknown()?)),
    }
}

fn deploy_status(app: &App) -> DeployStatus {
    match &app.launch {
        Some(LaunchWait::BackOff { seconds_left }) if *seconds_left > 0.0 => DeployStatus::Delayed,
        Some(LaunchWait::Resources { .. }) => DeployStatus::Waiting,
        _ if app.deploying => DeployStatus::Deploying,
        _ if app.instances == 0 && running(app) == 0 => DeployStatus::Stopped,
        _ => DeployStatus::Running,
    }
}

fn backoff_seconds(app: &App) -> Option<f64> {
    match &app.launch {
        Some(LaunchWait::BackOff { seconds_left }) => Some(*seconds_left),
        _ => None,
    }
}

fn running(app: &App) -> usize {
    app.tasks.iter().filter(|task| task.phase == TaskPhase::Running).count()
}

fn app_status(app: &App, facts: &Facts<'_>) -> AppStatus {
    let (git_sha, config_sha) = shas(&app.id);
    let listed = if facts.list_tasks { app.tasks.as_slice() } else { &[] };
    let mut tasks: Vec<TaskStatus> = listed.iter().map(|task| task_status(task, app, facts)).collect();
    tasks.sort_by(|a, b| {
        a.deployed_timestamp.unwrap_or(f64::MAX).total_cmp(&b.deployed_timestamp.unwrap_or(f64::MAX))
    });
    AppStatus {
        id: Some(app.id.clone()),
        git_sha,
        config_sha,
        instances: Some(app.instances),
        tasks_running: running(app),
        tasks_healthy: app.tasks.iter().filter(|task| is_healthy(task, app) == Some(true)).count(),
        tasks_staged: app.tasks.iter().filter(|task| task.phase == TaskPhase::Staging).count(),
        tasks_total: app.tasks.len(),
        create_timestamp: None,
        deploy_status: Some(deploy_status(app)),
        dashboard_url: None,
        backoff_seconds: backoff_seconds(app),
        unused_offer_reason_counts: BTreeMap::new(),
        last_failure: app.last_failure.as_ref().map(failure_status),
        tasks,
    }
}

fn failure_status(failure: &TaskFailure) -> FailureStatus {
    FailureStatus {
        task_id: failure.task.clone(),
        message: failure.message.clone(),
        timestamp: failure.at.map(Timestamp::seconds),
    }
}

fn task_status(task: &Task, app: &App, facts: &Facts<'_>) -> TaskStatus {
    let drain = facts.seen.as_ref().and_then(|seen| seen.drains.get(&task.id));
    let is_healthy = is_healthy(task, app);
    TaskStatus {
        id: short_id(&task.id).to_owned(),
        task_id: Some(task.id.clone()),
        host: Some(task.host.clone()).filter(|host| !host.is_empty()),
        port: task.ports.first().copied(),
        deployed_timestamp: task.staged_at.or(task.started_at).map(Timestamp::seconds),
        is_healthy,
        phase: Some(phase(&task.phase)),
        health: Some(match (drain.is_some_and(DrainState::is_draining), is_healthy) {
            (true, _) => TaskHealth::Draining,
            (false, Some(true)) => TaskHealth::Healthy,
            (false, Some(false)) => TaskHealth::Unhealthy,
            (false, None) => TaskHealth::Unchecked,
        }),
    }
}

/// A task without checks is well as long as it runs.
pub(crate) fn is_healthy(task: &Task, app: &App) -> Option<bool> {
    match (task.health, &app.checks) {
        (Health::Alive, _) => Some(true),
        (Health::Dead, _) => Some(false),
        (Health::NoResults, None) if task.phase == TaskPhase::Running => Some(true),
        (Health::NoResults, _) => None,
    }
}

pub(crate) fn phase(phase: &TaskPhase) -> paasta_api_client::TaskPhase {
    use paasta_api_client::TaskPhase as Shown;
    match phase {
        TaskPhase::Staging => Shown::Staging,
        TaskPhase::Running => Shown::Running,
        TaskPhase::Unreachable => Shown::Unreachable,
        TaskPhase::Killing => Shown::Killing,
        TaskPhase::Other(_) => Shown::Other,
    }
}

fn bounce(facts: &Facts<'_>, seen: &Seen<'_>) -> Bounce {
    let counts = &seen.why.counts;
    let wanted = facts.rendered.as_ref().map_or(counts.wanted, |rendered| rendered.instances);
    let others = counts.old_tasks() > 0 || counts.old_apps > 0;
    Bounce {
        in_progress: others || counts.happy_new < wanted || !seen.why.waiting.is_empty(),
        wanted,
        happy_new: counts.happy_new,
        old_happy: counts.old_happy,
        old_unhappy: counts.old_unhappy,
        old_draining: counts.old_draining,
        old_at_risk: counts.old_at_risk,
        old_apps: counts.old_apps,
        why: seen.why.waiting.iter().map(why).collect(),
        look_again_at: seen.look_again_at,
    }
}

/// The reason as a phrase, and as the decision gave it.
fn why(waiting: &paasta_bounce::WaitingOn) -> Why {
    let data = serde_json::to_value(waiting).unwrap_or_default();
    let (kind, detail) = match data {
        serde_json::Value::String(kind) => (kind, serde_json::Value::Null),
        serde_json::Value::Object(map) => map.into_iter().next().unwrap_or_default(),
        other => (String::new(), other),
    };
    Why { kind, message: waiting.to_string(), detail }
}

/// Commit and config hash of an app id, without the words before them.
fn shas(app: &AppId) -> (Option<String>, Option<String>) {
    let part = |index, word| {
        let part = app.as_str().split('.').nth(index)?;
        Some(part.strip_prefix(word).unwrap_or(part).to_owned())
    };
    (part(2, "git"), part(3, "config"))
}

/// What follows the last dot (config.md: short task ids).
pub(crate) fn short_id(task: &TaskId) -> &str {
    task.as_str().rsplit('.').next().unwrap_or_default()
}
