//! What happens to tasks.

use std::collections::BTreeMap;

use paasta_core::{TaskId, Timestamp};
use serde_json::json;

use super::command::{Effect, Exit, Refusal, Reply};
use super::outcome::Outcome;
use super::{App, CheckState, Engine, KillReason, Phase, RunRef, STABLE_SECONDS, Task, TaskFailure};

/// How a task came to its end.
struct End<'a> {
    state: &'static str,
    note: &'static str,
    message: &'a str,
    /// Whether the engine was there when it happened. What was lost while it was away says nothing of the app.
    seen: bool,
}

impl Engine {
    pub(super) fn started(
        &mut self,
        now: Timestamp,
        id: &TaskId,
        run: RunRef,
        out: &mut Outcome,
    ) -> Result<Reply, Refusal> {
        let Some(task) = self.memory.tasks.get_mut(id) else {
            // Nobody knows this task any more: it must not live on.
            out.push(Effect::Watch { task: id.clone(), run: run.clone() });
            out.push(Effect::Kill { task: id.clone(), run: Some(run), grace_seconds: 0.0 });
            return Err(Refusal::NoTask(id.clone()));
        };
        match &mut task.phase {
            Phase::Staging => {
                task.phase = Phase::Running { started_at: now, run: run.clone() };
                let task = task.clone();
                self.touched.insert(task.app.clone());
                out.note_task(now, "task_started", &task.app, id, None);
                self.publish_status(now, &task, "TASK_RUNNING", "", out);
                out.push(Effect::Watch { task: id.clone(), run });
                self.start_checks(&task, out);
            }
            Phase::Killing { run: known @ None, started_at, .. } => {
                *known = Some(run.clone());
                *started_at = Some(now);
                let app = task.app.clone();
                let grace_seconds = self.grace_seconds(&app);
                out.push(Effect::Watch { task: id.clone(), run: run.clone() });
                out.push(Effect::Kill { task: id.clone(), run: Some(run), grace_seconds });
            }
            Phase::Running { .. } | Phase::Killing { .. } => {}
        }
        Ok(Reply::Done)
    }

    pub(super) fn launch_failed(
        &mut self,
        now: Timestamp,
        id: &TaskId,
        message: &str,
        out: &mut Outcome,
    ) -> Result<Reply, Refusal> {
        let killing = self.memory.tasks.get(id).is_some_and(|task| !task.is_live());
        let end = if killing {
            End { state: "TASK_KILLED", note: "task_killed", message, seen: true }
        } else {
            End { state: "TASK_FAILED", note: "task_failed_to_start", message, seen: true }
        };
        self.end(now, id, &end, out)
    }

    pub(super) fn exited(
        &mut self,
        now: Timestamp,
        id: &TaskId,
        exit: &Exit,
        out: &mut Outcome,
    ) -> Result<Reply, Refusal> {
        let killing = self.memory.tasks.get(id).is_some_and(|task| !task.is_live());
        let message = exit.message();
        let message = message.as_str();
        let end = match exit {
            _ if killing => End { state: "TASK_KILLED", note: "task_killed", message, seen: true },
            Exit::Code(0) => End { state: "TASK_FINISHED", note: "task_exited", message, seen: true },
            _ => End { state: "TASK_FAILED", note: "task_exited", message, seen: true },
        };
        self.end(now, id, &end, out)
    }

    /// Forgets a task. One that ended by itself before the engine's eyes delays the app's next launch.
    fn end(
        &mut self,
        now: Timestamp,
        id: &TaskId,
        end: &End<'_>,
        out: &mut Outcome,
    ) -> Result<Reply, Refusal> {
        let Some(task) = self.memory.tasks.remove(id) else { return Err(Refusal::NoTask(id.clone())) };
        self.touched.insert(task.app.clone());
        out.push(Effect::StopChecks { task: id.clone() });
        out.push(Effect::Ended { task: id.clone() });
        out.note_task(now, end.note, &task.app, id, Some(end.message.to_owned()));
        self.publish_status(now, &task, end.state, end.message, out);
        let reason = match &task.phase {
            Phase::Killing { reason, .. } => Some(*reason),
            Phase::Staging | Phase::Running { .. } => None,
        };
        if matches!(reason, None | Some(KillReason::Unhealthy))
            && let Some(app) = self.memory.apps.get_mut(&task.app)
        {
            record_failure(app, now, &task, end);
            // A kill for bad health has delayed the next launch already, when it was ordered.
            if reason.is_none() && end.seen {
                delay_after(app, now, &task);
            }
        }
        Ok(Reply::Done)
    }

    pub(super) fn checked(
        &mut self,
        now: Timestamp,
        id: &TaskId,
        check: usize,
        result: Result<(), String>,
        out: &mut Outcome,
    ) -> Result<Reply, Refusal> {
        let Some(task) = self.memory.tasks.get_mut(id) else { return Err(Refusal::NoTask(id.clone())) };
        let Phase::Running { started_at, .. } = task.phase else { return Ok(Reply::Done) };
        let app = self.memory.apps.get_mut(&task.app);
        let Some(rule) = app.as_ref().and_then(|app| app.definition.checks.get(check)).cloned() else {
            return Ok(Reply::Done);
        };
        let before = task.health.get(check).and_then(Option::as_ref);
        let was_alive = before.map(CheckState::alive);
        let never_well = before.is_none_or(|state| state.first_success.is_none());
        let in_grace = now < started_at.plus_seconds(rule.grace_seconds);
        if result.is_err() && never_well && in_grace {
            return Ok(Reply::Done);
        }
        if task.health.len() <= check {
            task.health.resize(check + 1, None);
        }
        let Some(slot) = task.health.get_mut(check) else { return Ok(Reply::Done) };
        let state = slot.get_or_insert_with(CheckState::default);
        record_result(state, now, result);
        let (alive, failures, cause) =
            (state.alive(), state.consecutive_failures, state.last_failure_cause.clone());
        let task = task.clone();
        if was_alive != Some(alive) {
            self.health_changed(now, &task, alive, cause.clone(), out);
        }
        if !alive {
            out.publish(now, "failed_health_check_event", failed_check(&task, check));
            if rule.failures_max > 0 && failures >= rule.failures_max {
                self.kill_unhealthy(now, &task, &cause.unwrap_or_default(), out);
            }
        }
        Ok(Reply::Done)
    }

    fn health_changed(
        &mut self,
        now: Timestamp,
        task: &Task,
        alive: bool,
        cause: Option<String>,
        out: &mut Outcome,
    ) {
        out.must_save = true;
        self.touched.insert(task.app.clone());
        let cause = if alive { None } else { cause };
        out.note_task(now, if alive { "task_healthy" } else { "task_unhealthy" }, &task.app, &task.id, cause);
        let instance = super::view::instance_id(&task.id);
        out.publish(
            now,
            "health_status_changed_event",
            json!({"appId": task.app, "taskId": task.id, "instanceId": instance, "version": task.version,
                   "alive": alive}),
        );
        out.publish(
            now,
            "instance_health_changed_event",
            json!({"instanceId": instance, "runSpecId": task.app, "runSpecVersion": task.version,
                   "healthy": alive}),
        );
    }

    fn kill_unhealthy(&mut self, now: Timestamp, task: &Task, cause: &str, out: &mut Outcome) {
        let (instance, agent) = (super::view::instance_id(&task.id), self.settings.fleet.get(task.agent));
        out.publish(
            now,
            "unhealthy_instance_kill_event",
            json!({"appId": task.app, "taskId": task.id, "instanceId": instance, "version": task.version,
                   "reason": cause, "host": agent.host, "slaveId": agent.id}),
        );
        if let Some(app) = self.memory.apps.get_mut(&task.app) {
            delay_after(app, now, task);
        }
        self.kill(now, &task.id, KillReason::Unhealthy, out);
    }

    /// Takes up what was under way: watches what still runs, tells of what ended meanwhile, launches what was
    /// about to be, goes on killing.
    pub(super) fn recover(
        &mut self,
        now: Timestamp,
        alive: &BTreeMap<TaskId, RunRef>,
        out: &mut Outcome,
    ) -> Result<Reply, Refusal> {
        let known: Vec<TaskId> = self.memory.tasks.keys().cloned().collect();
        for id in known {
            match alive.get(&id) {
                Some(run) => self.recover_alive(now, &id, run.clone(), out),
                None => self.recover_gone(now, &id, out),
            }
        }
        self.touched.extend(self.memory.apps.keys().cloned());
        Ok(Reply::Done)
    }

    fn recover_alive(&mut self, now: Timestamp, id: &TaskId, run: RunRef, out: &mut Outcome) {
        let Some(task) = self.memory.tasks.get(id).cloned() else { return };
        match &task.phase {
            Phase::Staging | Phase::Killing { run: None, .. } => {
                // It was started and then the engine died before it could be written down.
                let _ = self.started(now, id, run, out);
            }
            Phase::Running { .. } => {
                out.note_task(now, "task_adopted", &task.app, id, None);
                out.push(Effect::Watch { task: id.clone(), run });
                self.start_checks(&task, out);
            }
            Phase::Killing { .. } => {
                let grace_seconds = self.grace_seconds(&task.app);
                out.push(Effect::Watch { task: id.clone(), run: run.clone() });
                out.push(Effect::Kill { task: id.clone(), run: Some(run), grace_seconds });
            }
        }
    }

    fn recover_gone(&mut self, now: Timestamp, id: &TaskId, out: &mut Outcome) {
        let Some(task) = self.memory.tasks.get(id).cloned() else { return };
        match (&task.phase, self.memory.apps.get(&task.app)) {
            (Phase::Staging, Some(app)) => {
                let order = self.order(app, &task);
                out.push(Effect::Launch(Box::new(order)));
            }
            _ if !task.is_live() => drop(self.exited(now, id, &Exit::Unknown, out)),
            _ => {
                let message = "Command ended while the engine was away";
                let end = End { state: "TASK_FAILED", note: "task_exited", message, seen: false };
                drop(self.end(now, id, &end, out));
            }
        }
    }

    fn start_checks(&self, task: &Task, out: &mut Outcome) {
        let checks = self.memory.apps.get(&task.app).map(|app| app.definition.checks.clone());
        let checks = checks.unwrap_or_default();
        if !checks.is_empty() {
            out.push(Effect::StartChecks { task: task.id.clone(), ports: task.ports.clone(), checks });
        }
    }

    pub(super) fn publish_status(
        &self,
        now: Timestamp,
        task: &Task,
        state: &str,
        message: &str,
        out: &mut Outcome,
    ) {
        let agent = self.settings.fleet.get(task.agent);
        out.publish(
            now,
            "status_update_event",
            json!({
                "slaveId": agent.id,
                "taskId": task.id,
                "taskStatus": state,
                "message": message,
                "appId": task.app,
                "host": agent.host,
                "ipAddresses": [],
                "ports": task.ports,
                "version": task.version,
            }),
        );
    }
}

fn record_result(state: &mut CheckState, now: Timestamp, result: Result<(), String>) {
    match result {
        Ok(()) => {
            state.first_success.get_or_insert(now);
            state.last_success = Some(now);
            state.consecutive_failures = 0;
        }
        Err(cause) => {
            state.last_failure = Some(now);
            state.last_failure_cause = Some(cause);
            state.consecutive_failures = state.consecutive_failures.saturating_add(1);
        }
    }
}

fn failed_check(task: &Task, check: usize) -> serde_json::Value {
    let instance = super::view::instance_id(&task.id);
    json!({"appId": task.app, "taskId": task.id, "instanceId": instance, "checkIndex": check})
}

fn record_failure(app: &mut App, now: Timestamp, task: &Task, end: &End<'_>) {
    app.last_failure = Some(TaskFailure {
        agent: task.agent,
        task: task.id.clone(),
        state: end.state.to_owned(),
        message: message_of(task, end),
        at: now,
        version: task.version,
    });
}

/// A task that was killed for bad health did not fail by the signal that ended it.
fn message_of(task: &Task, end: &End<'_>) -> String {
    let killed_for_health = matches!(task.phase, Phase::Killing { reason: KillReason::Unhealthy, .. });
    let results = task.health.iter().flatten();
    let bad = results.filter(|state| !state.alive()).find_map(|state| state.last_failure_cause.as_deref());
    match bad {
        Some(cause) if killed_for_health => format!("Health checks failed: {cause}"),
        None if killed_for_health => "Health checks failed".to_owned(),
        _ => end.message.to_owned(),
    }
}

/// A task that had run for long was well: counting starts over.
fn delay_after(app: &mut App, now: Timestamp, task: &Task) {
    let ran_seconds = task.started_at().map_or(0.0, |start| now.since(start).as_secs_f64());
    if ran_seconds >= STABLE_SECONDS {
        app.delay.failures = 0;
    }
    app.delay.failed(now, &app.definition.backoff);
}
