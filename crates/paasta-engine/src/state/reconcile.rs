//! Brings an app's tasks nearer to what is wanted: kills the surplus, launches what is missing, ends
//! deployments that are done.

use std::collections::BTreeSet;

use paasta_core::{TaskId, Timestamp};
use serde_json::json;

use super::command::{Effect, LaunchOrder, Supply};
use super::outcome::Outcome;
use super::{App, Engine, KillReason, PathId, Phase, TASKS_MAX, Task};

/// Between two tries to find a port for a task, in seconds.
const PORT_RETRY_SECONDS: f64 = 1.0;

impl Engine {
    pub(super) fn reconcile(
        &mut self,
        now: Timestamp,
        supply: &mut dyn Supply,
        id: &PathId,
        out: &mut Outcome,
    ) {
        let Some(app) = self.memory.apps.get(id) else { return };
        if app.deleting {
            self.kill_all(now, id, out);
            self.forget_if_empty(now, id, out);
            return;
        }
        self.kill_surplus(now, id, out);
        self.launch_missing(now, supply, id, out);
        if self.is_as_wanted(id) {
            self.finish_deployments(now, id, out);
        }
    }

    /// Tells a task to go. Repeating it changes nothing.
    pub(super) fn kill(&mut self, now: Timestamp, id: &TaskId, reason: KillReason, out: &mut Outcome) {
        let Some(task) = self.memory.tasks.get_mut(id) else { return };
        let (started_at, run) = match &task.phase {
            Phase::Staging => (None, None),
            Phase::Running { started_at, run } => (Some(*started_at), Some(run.clone())),
            Phase::Killing { .. } => return,
        };
        task.phase = Phase::Killing { since: now, reason, started_at, run: run.clone() };
        let app = task.app.clone();
        let grace_seconds = self.grace_seconds(&app);
        out.note_task(now, "task_killing", &app, id, Some(reason.as_str().to_owned()));
        out.push(Effect::StopChecks { task: id.clone() });
        out.push(Effect::Kill { task: id.clone(), run, grace_seconds });
        self.touched.insert(app);
    }

    /// Seconds between SIGTERM and SIGKILL for an app's tasks.
    pub(super) fn grace_seconds(&self, app: &PathId) -> f64 {
        let named = self.memory.apps.get(app).and_then(|app| app.definition.kill_grace_seconds);
        named.unwrap_or(self.settings.kill_grace_seconds)
    }

    fn kill_all(&mut self, now: Timestamp, id: &PathId, out: &mut Outcome) {
        let live: Vec<TaskId> = self.tasks_of(id).filter(|t| t.is_live()).map(|t| t.id.clone()).collect();
        for task in live {
            self.kill(now, &task, KillReason::AppDeleted, out);
        }
    }

    fn forget_if_empty(&mut self, now: Timestamp, id: &PathId, out: &mut Outcome) {
        if self.tasks_of(id).next().is_some() {
            return;
        }
        self.finish_deployments(now, id, out);
        self.memory.apps.remove(id);
        out.must_save = true;
        out.note_app(now, "app_gone", id, None);
        out.publish(now, "app_terminated_event", json!({"appId": id}));
    }

    /// Old versions go as ready tasks of the present one take their place; then whatever is too many.
    fn kill_surplus(&mut self, now: Timestamp, id: &PathId, out: &mut Outcome) {
        let Some(app) = self.memory.apps.get(id) else { return };
        let wanted = usize::try_from(app.definition.instances).unwrap_or(usize::MAX);
        let (old, new): (Vec<&Task>, Vec<&Task>) =
            self.tasks_of(id).filter(|t| t.is_live()).partition(|t| t.version < app.config_version);
        let ready = new.iter().filter(|t| t.is_ready(&app.definition.checks)).count();
        let old_too_many = old.len().saturating_sub(wanted.saturating_sub(ready));
        let new_too_many = new.len().saturating_sub(wanted);
        let replaced = victims(app, old, old_too_many);
        let surplus = victims(app, new, new_too_many);
        for task in replaced {
            self.kill(now, &task, KillReason::Replaced, out);
        }
        for task in surplus {
            self.kill(now, &task, KillReason::OverCapacity, out);
        }
    }

    fn launch_missing(&mut self, now: Timestamp, supply: &mut dyn Supply, id: &PathId, out: &mut Outcome) {
        let Some(app) = self.memory.apps.get(id) else { return };
        let wanted = usize::try_from(app.definition.instances).unwrap_or(usize::MAX);
        let live = self.tasks_of(id).filter(|t| t.is_live() && t.version >= app.config_version).count();
        let mut missing = wanted.saturating_sub(live);
        let mut lacks_port = false;
        if app.delay.left_seconds(now) == 0.0 {
            while missing > 0 && !lacks_port {
                lacks_port = !self.launch_one(now, supply, id, out);
                missing -= usize::from(!lacks_port);
            }
        }
        let Some(app) = self.memory.apps.get_mut(id) else { return };
        app.lacks_port = lacks_port;
        app.queued_since = if missing > 0 { app.queued_since.or(Some(now)) } else { None };
        // A fixed time, not one that moves on with every look.
        let delayed = app.delay.until.filter(|until| *until > now);
        let retry_at = delayed.unwrap_or_else(|| now.plus_seconds(PORT_RETRY_SECONDS));
        app.retry_at = (missing > 0).then_some(retry_at);
    }

    /// Stages one task; false if there is no room for it.
    fn launch_one(
        &mut self,
        now: Timestamp,
        supply: &mut dyn Supply,
        id: &PathId,
        out: &mut Outcome,
    ) -> bool {
        if self.memory.tasks.len() >= TASKS_MAX {
            return false;
        }
        let Some(agent) = self.memory.apps.get(id).and_then(|app| self.pick_agent(app)) else { return false };
        let Some(ports) = self.pick_ports(supply, id) else { return false };
        let Some(app) = self.memory.apps.get(id) else { return false };
        let task = TaskId::new(format!("{}.{}", id.task_prefix(), supply.unique()));
        let staged = Task {
            id: task.clone(),
            app: id.clone(),
            version: app.version,
            ports,
            agent,
            staged_at: now,
            phase: Phase::Staging,
            health: Vec::new(),
        };
        out.push(Effect::Launch(Box::new(self.order(app, &staged))));
        out.note_task(now, "task_staged", id, &task, Some(format!("ports {:?}", staged.ports)));
        self.publish_status(now, &staged, "TASK_STAGING", "", out);
        self.memory.tasks.insert(task, staged);
        true
    }

    pub(super) fn order(&self, app: &App, task: &Task) -> LaunchOrder {
        LaunchOrder {
            task: task.id.clone(),
            app: app.id.clone(),
            version: app.version,
            ports: task.ports.clone(),
            definition: app.definition.clone(),
            host: self.settings.fleet.get(task.agent).host.clone(),
        }
    }

    /// A port for each that the app wants: the fixed one, or the next free one of the range. Ports of tasks that
    /// are not gone yet are never handed out again.
    fn pick_ports(&mut self, supply: &mut dyn Supply, id: &PathId) -> Option<Vec<u16>> {
        let wishes = self.memory.apps.get(id)?.definition.ports.clone();
        let mut taken: BTreeSet<u16> =
            self.memory.tasks.values().flat_map(|t| t.ports.iter().copied()).collect();
        let mut picked = Vec::with_capacity(wishes.len());
        for wish in wishes {
            let port = match wish.fixed {
                Some(port) => (!taken.contains(&port) && supply.port_is_free(port)).then_some(port)?,
                None => self.next_port(supply, &taken)?,
            };
            taken.insert(port);
            picked.push(port);
        }
        Some(picked)
    }

    fn next_port(&mut self, supply: &mut dyn Supply, taken: &BTreeSet<u16>) -> Option<u16> {
        let (first, last) = self.settings.ports;
        let start = self.memory.port_cursor.clamp(first, last);
        let port =
            (start..=last).chain(first..start).find(|p| !taken.contains(p) && supply.port_is_free(*p))?;
        self.memory.port_cursor = port.checked_add(1).filter(|next| *next <= last).unwrap_or(first);
        Some(port)
    }

    /// Whether the app has exactly the tasks it wants, all of the present version and ready, and none going.
    fn is_as_wanted(&self, id: &PathId) -> bool {
        let Some(app) = self.memory.apps.get(id) else { return false };
        let mut count = 0;
        for task in self.tasks_of(id) {
            if task.version < app.config_version || !task.is_ready(&app.definition.checks) {
                return false;
            }
            count += 1;
        }
        count == app.definition.instances
    }
}

/// `count` tasks to give up: not yet running first, then unhealthy ones, then the youngest (or the oldest, if
/// the app says so).
fn victims(app: &App, mut tasks: Vec<&Task>, count: usize) -> Vec<TaskId> {
    tasks.sort_by_key(|task| {
        let worth = match task.phase {
            Phase::Staging => 0,
            _ if task.is_unhealthy() || !task.is_healthy(&app.definition.checks) => 1,
            _ => 2,
        };
        let age = task.staged_at.millis();
        (worth, if app.definition.kill_oldest_first { age } else { -age }, task.id.clone())
    });
    tasks.into_iter().take(count).map(|task| task.id.clone()).collect()
}
