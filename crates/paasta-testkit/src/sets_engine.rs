//! An engine with Kubernetes's habits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use futures_util::StreamExt;
use paasta_core::{
    Action, App, AppId, Applied, Change, Engine, EngineError, Fleet, HomeId, Homes, InstanceId, Kill,
    LogStream, LogTail, Sighting, Task, TaskId, TaskLog, TaskPhase, Timestamp,
};
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;

use crate::lock;
use crate::recording_engine::{new_app, wanted_count};
use crate::sim::{SimEngine, World};

/// An engine with Kubernetes's habits, in memory.
///
/// A version is a set with a number of replicas and a generation; pods exist beside it. Nothing can kill chosen pods
/// and lower the replicas in one call: the victims are marked as the cheapest to lose and then the replicas are
/// lowered, under the generation that was read. A controller, here [`SimEngine::tick`], makes the pods follow, the
/// marked ones first. Listings come from a cache that watch events keep up to date; it is brought up to the caller's
/// own last write before it answers.
#[derive(Debug)]
pub struct SetsEngine {
    world: World,
    homes: Vec<HomeId>,
    store: Mutex<Store>,
    cache: Mutex<Cache>,
    changes: broadcast::Sender<Change>,
}

/// What the API server holds.
#[derive(Debug, Default)]
struct Store {
    version: u64,
    sets: BTreeMap<Key, Set>,
    pods: Vec<Pod>,
}

type Key = (HomeId, AppId);

#[derive(Clone, Debug)]
struct Set {
    replicas: usize,
    generation: u64,
    deleting: bool,
}

#[derive(Clone, Debug)]
struct Pod {
    home: HomeId,
    task: Task,
    cheap_to_lose: bool,
    deleting: bool,
}

/// What watchers have told so far.
#[derive(Debug, Default)]
struct Cache {
    version: u64,
    apps: Vec<App>,
}

impl SetsEngine {
    /// An empty engine with these homes.
    pub fn new<'a>(homes: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            world: World::default(),
            homes: homes.into_iter().map(HomeId::new).collect(),
            store: Mutex::default(),
            cache: Mutex::default(),
            changes: broadcast::channel(64).0,
        }
    }

    /// From the cache, once it has caught up.
    fn list(&self, home: &HomeId) -> Vec<App> {
        let store = lock(&self.store);
        let mut cache = lock(&self.cache);
        if cache.version < store.version {
            *cache = Cache { version: store.version, apps: store.apps() };
        }
        cache.apps.iter().filter(|app| app.home == *home).cloned().collect()
    }

    fn carry_out(&self, action: &Action) -> Result<Applied, EngineError> {
        self.world.saw(action, &self.truth());
        let mut store = lock(&self.store);
        let applied = match action {
            Action::Create { home, app, body } => store.create(home, app, wanted_count(body)),
            Action::Scale { home, app, instances } => store.scale(home, app, *instances)?,
            Action::KillAndShrink { home, kills } => kills
                .iter()
                .map(|kill| store.shrink(home, kill))
                .find(|done| !done.is_done())
                .unwrap_or(Applied::Done),
            Action::Delete { home, app } => store.delete(home, app),
        };
        store.version += 1;
        // Nobody need listen.
        let _ = self.changes.send(Change::Lost);
        Ok(applied)
    }
}

impl Store {
    fn create(&mut self, home: &HomeId, app: &AppId, replicas: usize) -> Applied {
        let key = (home.clone(), app.clone());
        if self.sets.contains_key(&key) {
            return Applied::Conflict(format!("{app} exists"));
        }
        self.sets.insert(key, Set { replicas, generation: 1, deleting: false });
        Applied::Done
    }

    fn scale(&mut self, home: &HomeId, app: &AppId, replicas: usize) -> Result<Applied, EngineError> {
        let set = self.sets.get_mut(&(home.clone(), app.clone()));
        let set = set.ok_or_else(|| EngineError::NotFound { what: format!("set `{app}`") })?;
        set.replicas = replicas;
        set.generation += 1;
        Ok(Applied::Done)
    }

    /// Two calls where Marathon has one: mark, then lower under the generation that was read.
    fn shrink(&mut self, home: &HomeId, kill: &Kill) -> Applied {
        let key = (home.clone(), kill.app.clone());
        let Some(generation) = self.sets.get(&key).map(|set| set.generation) else { return Applied::Done };
        let victims =
            self.pods.iter_mut().filter(|pod| pod.home == *home && kill.tasks.contains(&pod.task.id));
        victims.for_each(|pod| pod.cheap_to_lose = true);
        match self.sets.get_mut(&key) {
            Some(set) if set.generation == generation => {
                set.replicas = set.replicas.min(kill.instances_after);
                set.generation += 1;
                Applied::Done
            }
            _ => Applied::Conflict(format!("{} changed meanwhile", kill.app)),
        }
    }

    fn delete(&mut self, home: &HomeId, app: &AppId) -> Applied {
        if let Some(set) = self.sets.get_mut(&(home.clone(), app.clone())) {
            set.deleting = true;
            set.replicas = 0;
        }
        Applied::Done
    }

    fn apps(&self) -> Vec<App> {
        let pods = |(home, app): &Key| {
            let own = self.pods.iter().filter(|pod| pod.home == *home && pod.task.app == *app);
            own.map(Pod::as_task).collect()
        };
        let sets = self.sets.iter();
        sets.map(|(key, set)| App { tasks: pods(key), ..new_app(&key.1, &key.0, set.replicas) }).collect()
    }

    /// What the controllers do: end what is being deleted, then make the pods follow the replicas.
    fn reconcile(&mut self, world: &World, now: Timestamp) {
        self.version += 1;
        self.pods.retain(|pod| !pod.deleting);
        self.pods.iter_mut().for_each(|pod| world.age(&mut pod.task, now));
        let gone: BTreeSet<Key> = self
            .sets
            .iter()
            .filter(|(key, set)| set.deleting && !self.pods.iter().any(|pod| pod.is_of(key)))
            .map(|(key, _)| key.clone())
            .collect();
        self.sets.retain(|key, _| !gone.contains(key));
        for (key, set) in &self.sets {
            let mut own: Vec<_> = self.pods.iter_mut().filter(|pod| pod.is_of(key)).collect();
            let (have, want) = (own.len(), set.replicas);
            // Marked pods first, then those that never ran, then the newest.
            own.sort_by_key(|pod| {
                (!pod.cheap_to_lose, pod.task.started_at.is_some(), std::cmp::Reverse(pod.task.started_at))
            });
            own.iter_mut().take(have.saturating_sub(want)).for_each(|pod| pod.deleting = true);
            for _ in have..want {
                let task = world.new_task(&key.1, now);
                self.pods.push(Pod { home: key.0.clone(), task, cheap_to_lose: false, deleting: false });
            }
        }
    }
}

impl Pod {
    fn is_of(&self, (home, app): &Key) -> bool {
        self.home == *home && self.task.app == *app
    }

    fn as_task(&self) -> Task {
        let phase = if self.deleting { TaskPhase::Killing } else { self.task.phase.clone() };
        Task { phase, ..self.task.clone() }
    }
}

impl SimEngine for SetsEngine {
    fn tick(&self, now: Timestamp) {
        lock(&self.store).reconcile(&self.world, now);
    }

    fn truth(&self) -> Vec<App> {
        lock(&self.store).apps()
    }

    fn seed(&self, app: App) {
        let mut store = lock(&self.store);
        store.version += 1;
        let set = Set { replicas: app.instances, generation: 1, deleting: false };
        store.sets.insert((app.home.clone(), app.id.clone()), set);
        let pod = |task| Pod { home: app.home.clone(), task, cheap_to_lose: false, deleting: false };
        store.pods.extend(app.tasks.into_iter().map(pod));
    }

    fn world(&self) -> &World {
        &self.world
    }
}

#[async_trait]
impl Engine for SetsEngine {
    async fn observe(&self, instance: &InstanceId, homes: &Homes) -> Sighting {
        self.world.sighting(instance, homes, |home| self.list(home)).await
    }

    async fn observe_all(&self) -> Fleet {
        self.world.fleet(self.homes.iter(), |home| self.list(home))
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
