//! Changes that clients ask for.

use std::collections::BTreeMap;

use paasta_core::{TaskId, Timestamp};
use serde_json::{Map, Value};

use super::command::{Refusal, Reply, Supply, Victims};
use super::definition::{Definition, DefinitionError, Problem, id_of};
use super::deployment::{Deployment, DeploymentKind};
use super::outcome::Outcome;
use super::{APPS_MAX, App, Embed, Engine, KillReason, PathId};

/// Members that the engine makes; what a client sends of them is thrown away.
const READ_ONLY: &[&str] = &[
    "deployments",
    "lastTaskFailure",
    "readinessCheckResults",
    "taskStats",
    "tasks",
    "tasksHealthy",
    "tasksRunning",
    "tasksStaged",
    "tasksUnhealthy",
    "version",
    "versionInfo",
];

impl Engine {
    pub(super) fn create_app(
        &mut self,
        now: Timestamp,
        supply: &mut dyn Supply,
        mut raw: Map<String, Value>,
        out: &mut Outcome,
    ) -> Result<Reply, Refusal> {
        let id = id_of(&raw).map_err(Refusal::Invalid)?;
        tidy(&mut raw, &id);
        let definition = Definition::read(&raw).map_err(Refusal::Invalid)?;
        if self.memory.apps.contains_key(&id) {
            return Err(Refusal::AppExists(id));
        }
        self.insert_app(now, supply, &id, raw, definition, out)?;
        let view = self.app_json(&id, Embed::default()).unwrap_or_default();
        Ok(Reply::Created(view))
    }

    fn insert_app(
        &mut self,
        now: Timestamp,
        supply: &mut dyn Supply,
        id: &PathId,
        raw: Map<String, Value>,
        definition: Definition,
        out: &mut Outcome,
    ) -> Result<Reply, Refusal> {
        if self.memory.apps.len() >= APPS_MAX {
            return Err(Refusal::Full("10000 apps"));
        }
        let version = self.next_version(now);
        out.note_app(now, "app_created", id, Some(definition.instances));
        self.memory.apps.insert(id.clone(), App::new(id.clone(), raw, definition, version));
        let deployment = Deployment {
            id: String::new(),
            version,
            app: id.clone(),
            kind: DeploymentKind::Start,
            before: None,
        };
        Ok(self.deploy(now, supply, deployment, out))
    }

    pub(super) fn update_app(
        &mut self,
        now: Timestamp,
        supply: &mut dyn Supply,
        id: &PathId,
        patch: Map<String, Value>,
        force: bool,
        out: &mut Outcome,
    ) -> Result<Reply, Refusal> {
        let Some(app) = self.memory.apps.get(id) else {
            let mut raw = patch;
            tidy(&mut raw, id);
            let definition = Definition::read(&raw).map_err(Refusal::Invalid)?;
            return self.insert_app(now, supply, id, raw, definition, out);
        };
        let raw = patched(app, patch)?;
        let definition = Definition::read(&raw).map_err(Refusal::Invalid)?;
        self.check_lock(id, force)?;
        self.change_app(now, supply, id, raw, definition, out)
    }

    /// Gives an app new JSON: scales it if only the number changed, replaces its tasks otherwise.
    fn change_app(
        &mut self,
        now: Timestamp,
        supply: &mut dyn Supply,
        id: &PathId,
        raw: Map<String, Value>,
        definition: Definition,
        out: &mut Outcome,
    ) -> Result<Reply, Refusal> {
        let version = self.next_version(now);
        let app = self.memory.apps.get_mut(id).ok_or_else(|| Refusal::NoApp(id.clone()))?;
        let before = app.raw.clone();
        app.deleting = false;
        let only_scaled = differs_in_instances_only(&before, &raw);
        let instances = definition.instances;
        let kind = if only_scaled {
            app.scale(instances, version);
            DeploymentKind::Scale
        } else {
            app.redefine(raw, definition, version);
            DeploymentKind::Restart
        };
        out.note_app(now, if only_scaled { "app_scaled" } else { "app_changed" }, id, Some(instances));
        let deployment =
            Deployment { id: String::new(), version, app: id.clone(), kind, before: Some(before) };
        Ok(self.deploy(now, supply, deployment, out))
    }

    pub(super) fn restart_app(
        &mut self,
        now: Timestamp,
        supply: &mut dyn Supply,
        id: &PathId,
        force: bool,
        out: &mut Outcome,
    ) -> Result<Reply, Refusal> {
        self.check_lock(id, force)?;
        let version = self.next_version(now);
        let app = self.memory.apps.get_mut(id).ok_or_else(|| Refusal::NoApp(id.clone()))?;
        let before = app.raw.clone();
        app.redefine(before.clone(), app.definition.clone(), version);
        out.note_app(now, "app_changed", id, Some(app.definition.instances));
        let kind = DeploymentKind::Restart;
        let deployment =
            Deployment { id: String::new(), version, app: id.clone(), kind, before: Some(before) };
        Ok(self.deploy(now, supply, deployment, out))
    }

    /// The app stays visible, with no instances wanted, until its last task is gone.
    pub(super) fn delete_app(
        &mut self,
        now: Timestamp,
        supply: &mut dyn Supply,
        id: &PathId,
        force: bool,
        out: &mut Outcome,
    ) -> Result<Reply, Refusal> {
        if !self.memory.apps.contains_key(id) {
            return Err(Refusal::NoApp(id.clone()));
        }
        self.check_lock(id, force)?;
        let version = self.next_version(now);
        let app = self.memory.apps.get_mut(id).ok_or_else(|| Refusal::NoApp(id.clone()))?;
        let before = app.raw.clone();
        if !app.deleting {
            out.note_app(now, "app_deleted", id, None);
        }
        app.deleting = true;
        (app.queued_since, app.retry_at, app.lacks_port) = (None, None, false);
        app.scale(0, version);
        let kind = DeploymentKind::Stop;
        let deployment =
            Deployment { id: String::new(), version, app: id.clone(), kind, before: Some(before) };
        Ok(self.deploy(now, supply, deployment, out))
    }

    pub(super) fn kill_tasks(
        &mut self,
        now: Timestamp,
        supply: &mut dyn Supply,
        which: &Victims,
        scale: bool,
        force: bool,
        out: &mut Outcome,
    ) -> Result<Reply, Refusal> {
        let victims = self.victims(which)?;
        let shown: Vec<Value> = victims.iter().filter_map(|task| self.task_json(task)).collect();
        let deployed = if scale { self.shrink(now, supply, &victims, force, out)? } else { None };
        for task in &victims {
            self.kill(now, task, KillReason::Asked, out);
        }
        Ok(deployed.unwrap_or(Reply::Killed(shown)))
    }

    /// Live tasks meant by `which`, each once.
    fn victims(&self, which: &Victims) -> Result<Vec<TaskId>, Refusal> {
        let live = |task: &TaskId| self.memory.tasks.get(task).is_some_and(|task| task.is_live());
        Ok(match which {
            Victims::Ids(ids) => {
                let unique: std::collections::BTreeSet<&TaskId> =
                    ids.iter().filter(|task| live(task)).collect();
                unique.into_iter().cloned().collect()
            }
            Victims::One(app, task) => {
                self.must_exist(app)?;
                let owner = self.memory.tasks.get(task).map(|task| &task.app);
                if owner != Some(app) {
                    return Err(Refusal::NoTask(task.clone()));
                }
                if live(task) { vec![task.clone()] } else { Vec::new() }
            }
            Victims::AllOf(app, host) => {
                self.must_exist(app)?;
                let is_meant = |task: &super::Task| {
                    let at = &self.settings.fleet.get(task.agent).host;
                    task.is_live() && host.as_ref().is_none_or(|host| host == at)
                };
                self.tasks_of(app).filter(|task| is_meant(task)).map(|t| t.id.clone()).collect()
            }
        })
    }

    fn must_exist(&self, app: &PathId) -> Result<(), Refusal> {
        if self.memory.apps.contains_key(app) { Ok(()) } else { Err(Refusal::NoApp(app.clone())) }
    }

    /// Lowers each app's instances by the number of its tasks among `victims`; all apps or none.
    fn shrink(
        &mut self,
        now: Timestamp,
        supply: &mut dyn Supply,
        victims: &[TaskId],
        force: bool,
        out: &mut Outcome,
    ) -> Result<Option<Reply>, Refusal> {
        let mut counts: BTreeMap<PathId, u64> = BTreeMap::new();
        for task in victims.iter().filter_map(|task| self.memory.tasks.get(task)) {
            *counts.entry(task.app.clone()).or_default() += 1;
        }
        for (id, count) in &counts {
            self.check_lock(id, force)?;
            if self.memory.apps.get(id).is_some_and(|app| app.definition.instances < *count) {
                let errors = vec!["error.min".to_owned()];
                let problem = Problem { path: format!("{id}/instances"), errors };
                return Err(Refusal::Invalid(DefinitionError::Value(vec![problem])));
            }
        }
        let mut last = None;
        for (id, count) in counts {
            let version = self.next_version(now);
            let Some(app) = self.memory.apps.get_mut(&id) else { continue };
            let before = app.raw.clone();
            app.scale(app.definition.instances.saturating_sub(count), version);
            out.note_app(now, "app_scaled", &id, Some(app.definition.instances));
            let (kind, before) = (DeploymentKind::Scale, Some(before));
            let kind = if app.deleting { DeploymentKind::Stop } else { kind };
            let deployment = Deployment { id: String::new(), version, app: id, kind, before };
            last = Some(self.deploy(now, supply, deployment, out));
        }
        Ok(last)
    }

    pub(super) fn reset_delay(&mut self, id: &PathId, out: &mut Outcome) -> Result<Reply, Refusal> {
        let app = self.memory.apps.get_mut(id).ok_or_else(|| Refusal::NotQueued(id.clone()))?;
        if app.queued_since.is_none() {
            return Err(Refusal::NotQueued(id.clone()));
        }
        app.delay = super::LaunchDelay::default();
        out.must_save = true;
        self.touched.insert(id.clone());
        Ok(Reply::Done)
    }
}

/// Puts the full id in and takes out nulls and what only the engine says.
fn tidy(raw: &mut Map<String, Value>, id: &PathId) {
    raw.retain(|key, value| !value.is_null() && !READ_ONLY.contains(&key.as_str()));
    raw.shift_remove("id");
    raw.shift_insert(0, "id".to_owned(), Value::String(id.to_string()));
}

/// The app's JSON with `patch` laid over it. A patch that only names a version goes back to that version.
fn patched(app: &App, mut patch: Map<String, Value>) -> Result<Map<String, Value>, Refusal> {
    patch.retain(|_, value| !value.is_null());
    if patch.len() == 1
        && let Some(Value::String(version)) = patch.get("version")
    {
        let wanted = version.parse::<Timestamp>().ok().and_then(|version| app.at(version));
        return wanted.cloned().ok_or_else(|| Refusal::NoVersion(app.id.clone(), version.clone()));
    }
    if patch.contains_key("id") {
        let named = id_of(&patch).map_err(Refusal::Invalid)?;
        if named != app.id {
            let problem = Problem { path: "/id".to_owned(), errors: vec!["cannot be changed".to_owned()] };
            return Err(Refusal::Invalid(DefinitionError::Value(vec![problem])));
        }
    }
    tidy(&mut patch, &app.id);
    let mut raw = app.raw.clone();
    raw.extend(patch);
    Ok(raw)
}

fn differs_in_instances_only(before: &Map<String, Value>, after: &Map<String, Value>) -> bool {
    let rest = |raw: &Map<String, Value>| {
        let mut raw = raw.clone();
        raw.shift_remove("instances");
        raw
    };
    rest(before) == rest(after)
}
