//! An engine with Marathon's habits.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use futures_util::StreamExt;
use paasta_core::{
    Action, App, AppId, Applied, Change, CheckTiming, Engine, EngineError, Fleet, HomeId, Homes, InstanceId,
    Kill, LogStream, LogTail, Sighting, TaskId, TaskLog, TaskPhase, Timestamp,
};
use serde_json::Value;
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;

use crate::lock;
use crate::sim::{SimEngine, World};

/// An engine with Marathon's habits, in memory: an app is a count and its tasks, and tasks are killed and the count
/// lowered in one call. Health checks count from the first second.
#[derive(Debug)]
pub struct RecordingEngine {
    world: World,
    homes: Mutex<BTreeMap<HomeId, BTreeMap<AppId, App>>>,
    actions: Mutex<Vec<Action>>,
    changes: broadcast::Sender<Change>,
}

impl RecordingEngine {
    /// An empty engine with these homes.
    pub fn new<'a>(homes: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            world: World::default(),
            homes: Mutex::new(homes.into_iter().map(|home| (HomeId::new(home), BTreeMap::new())).collect()),
            actions: Mutex::default(),
            changes: broadcast::channel(64).0,
        }
    }

    /// Every change that was carried out, in order.
    pub fn actions(&self) -> Vec<Action> {
        lock(&self.actions).clone()
    }

    fn list(&self, home: &HomeId) -> Vec<App> {
        lock(&self.homes).get(home).map(|apps| apps.values().cloned().collect()).unwrap_or_default()
    }

    fn carry_out(&self, action: &Action) -> Result<Applied, EngineError> {
        self.world.saw(action, &self.truth());
        lock(&self.actions).push(action.clone());
        let mut homes = lock(&self.homes);
        let apps = |home: &HomeId| EngineError::NotFound { what: format!("home `{home}`") };
        let changed = match action {
            Action::Create { home, app, body } => {
                let there = homes.get_mut(home).ok_or_else(|| apps(home))?;
                if there.contains_key(app) {
                    return Ok(Applied::Conflict(format!("{app} exists")));
                }
                there.insert(app.clone(), new_app(app, home, wanted_count(body)));
                app
            }
            Action::Scale { home, app, instances } => {
                let there = homes.get_mut(home).ok_or_else(|| apps(home))?;
                let found = there
                    .get_mut(app)
                    .ok_or_else(|| EngineError::NotFound { what: format!("app `{app}`") })?;
                found.instances = *instances;
                app
            }
            Action::KillAndShrink { home, kills } => {
                let there = homes.get_mut(home).ok_or_else(|| apps(home))?;
                kills.iter().for_each(|kill| kill_and_shrink(there, kill));
                return Ok(Applied::Done);
            }
            Action::Delete { home, app } => {
                homes.get_mut(home).ok_or_else(|| apps(home))?.remove(app);
                app
            }
        };
        // Nobody need listen.
        let _ = self.changes.send(Change::App(changed.clone()));
        Ok(Applied::Done)
    }
}

pub(crate) fn new_app(id: &AppId, home: &HomeId, instances: usize) -> App {
    App {
        id: id.clone(),
        home: home.clone(),
        instances,
        tasks: vec![],
        checks: Some(CheckTiming { grace_seconds: 3600.0, interval_seconds: 10.0 }),
        deploying: false,
        launch: None,
        last_failure: None,
    }
}

/// `instances` of a body made by [`crate::SimRenderer`].
pub(crate) fn wanted_count(body: &str) -> usize {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    body.get("instances").and_then(Value::as_u64).and_then(|count| usize::try_from(count).ok()).unwrap_or(0)
}

/// As Marathon does it: the count falls by as many as are killed, whatever the caller thinks remains.
fn kill_and_shrink(apps: &mut BTreeMap<AppId, App>, kill: &Kill) {
    let Some(app) = apps.get_mut(&kill.app) else { return };
    for task in app.tasks.iter_mut().filter(|task| kill.tasks.contains(&task.id)) {
        task.phase = TaskPhase::Killing;
        app.instances = app.instances.saturating_sub(1);
    }
}

impl SimEngine for RecordingEngine {
    fn tick(&self, now: Timestamp) {
        for app in lock(&self.homes).values_mut().flat_map(BTreeMap::values_mut) {
            app.tasks.retain(|task| task.phase != TaskPhase::Killing);
            app.tasks.iter_mut().for_each(|task| self.world.age(task, now));
            // The newest go first when there are too many.
            app.tasks.truncate(app.instances);
            while app.tasks.len() < app.instances {
                app.tasks.push(self.world.new_task(&app.id, now));
            }
        }
    }

    fn truth(&self) -> Vec<App> {
        lock(&self.homes).values().flat_map(BTreeMap::values).cloned().collect()
    }

    fn seed(&self, app: App) {
        lock(&self.homes).entry(app.home.clone()).or_default().insert(app.id.clone(), app);
    }

    fn world(&self) -> &World {
        &self.world
    }
}

#[async_trait]
impl Engine for RecordingEngine {
    async fn observe(&self, instance: &InstanceId, homes: &Homes) -> Sighting {
        self.world.sighting(instance, homes, |home| self.list(home)).await
    }

    async fn observe_all(&self) -> Fleet {
        let homes: Vec<_> = lock(&self.homes).keys().cloned().collect();
        self.world.fleet(homes.iter(), |home| self.list(home))
    }

    async fn apply(&self, action: &Action) -> Result<Applied, EngineError> {
        self.world.change(|| self.carry_out(action)).await
    }

    fn changes(&self) -> BoxStream<'static, Change> {
        BroadcastStream::new(self.changes.subscribe()).map(|change| change.unwrap_or(Change::Lost)).boxed()
    }

    async fn task_log(
        &self,
        task: &TaskId,
        _stream: LogStream,
        _tail: LogTail,
    ) -> Result<TaskLog, EngineError> {
        Err(EngineError::NotFound { what: format!("output of task `{task}`") })
    }
}
