//! What the model's world holds, and what happens in it without us: Marathon's steps, drains that end, and faults.
//!
//! Time is abstract: whatever takes time is a step that may come at any moment. Tasks that differ in nothing but their
//! name are one and the same: while no pass is under way they are kept sorted and renamed, so that each state is
//! visited once.

use std::collections::BTreeSet;

use crate::pass::PassUnderWay;

/// How far a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Life {
    Staging,
    /// Runs, and its health check fails or has not answered yet.
    Running,
    Healthy,
    Killing,
}

/// What hacheck says of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Traffic {
    Serving,
    /// Down, and not for long enough.
    Draining,
    /// Down for longer than the delay.
    Drained,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TaskModel {
    pub(crate) life: Life,
    pub(crate) traffic: Traffic,
    /// Its host is about to leave.
    pub(crate) leaving: bool,
    pub(crate) id: u8,
}

impl TaskModel {
    pub(crate) fn serves(&self) -> bool {
        self.life == Life::Healthy && self.traffic == Traffic::Serving
    }

    /// What is being killed is the same whatever it was.
    pub(crate) fn killed(id: u8) -> Self {
        Self { life: Life::Killing, traffic: Traffic::Serving, leaving: false, id }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct AppModel {
    pub(crate) version: u8,
    pub(crate) instances: u8,
    /// Deleted, and listed until its last task is gone.
    pub(crate) deleting: bool,
    pub(crate) tasks: Vec<TaskModel>,
}

impl AppModel {
    pub(crate) fn living(&self) -> usize {
        self.tasks.iter().filter(|task| task.life != Life::Killing).count()
    }

    /// Marathon ends what is too many: what does not run yet first, then the youngest.
    pub(crate) fn shrink(&mut self) {
        while self.living() > usize::from(self.instances) {
            let key = |task: &&mut TaskModel| (task.life == Life::Staging, task.id);
            let living = self.tasks.iter_mut().filter(|task| task.life != Life::Killing);
            if let Some(task) = living.max_by_key(key) {
                *task = TaskModel::killed(task.id);
            }
        }
    }
}

/// A promise that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Broken {
    /// The plan checker refuses a plan or what was settled.
    Checker,
    /// Capacity fell below the floor by our own doing.
    Floor,
    /// A task that may still serve was killed.
    KilledUndrained,
    /// A task was killed that is wanted, or that its app does not have.
    KilledWanted,
    /// A new app was created while an old task was there or could still start.
    CreatedTooEarly,
    /// An app was created that was seen to exist.
    CreatedTwice,
    /// An app was deleted that has tasks which were not killed.
    DeletedWithTasks,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    /// Sorted by version.
    pub(crate) apps: Vec<AppModel>,
    /// The version that is wanted.
    pub(crate) target: u8,
    pub(crate) faults_left: u8,
    pub(crate) pass: Option<PassUnderWay>,
    pub(crate) broken: Option<Broken>,
}

/// A set of tasks by their number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Ids(u16);

impl Ids {
    pub(crate) fn insert(&mut self, id: u8) {
        self.0 |= 1 << id;
    }

    pub(crate) fn has(self, id: u8) -> bool {
        self.0 & (1 << id) != 0
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = u8> {
        (0..16).filter(move |id| self.has(*id))
    }

    fn next(self) -> u8 {
        u8::try_from(u16::BITS - self.0.leading_zeros()).expect("a small number")
    }
}

impl FromIterator<u8> for Ids {
    fn from_iter<T: IntoIterator<Item = u8>>(ids: T) -> Self {
        let mut all = Self::default();
        ids.into_iter().for_each(|id| all.insert(id));
        all
    }
}

impl World {
    /// One old version with `instances` healthy tasks; version 1 is wanted.
    pub(crate) fn before_a_bounce(instances: u8, faults: u8) -> Self {
        let task = |id| TaskModel { life: Life::Healthy, traffic: Traffic::Serving, leaving: false, id };
        let old =
            AppModel { version: 0, instances, deleting: false, tasks: (0..instances).map(task).collect() };
        Self { apps: vec![old], target: 1, faults_left: faults, pass: None, broken: None }
    }

    pub(crate) fn tasks(&self) -> impl Iterator<Item = &TaskModel> {
        self.apps.iter().flat_map(|app| &app.tasks)
    }

    pub(crate) fn app(&mut self, version: u8) -> Option<&mut AppModel> {
        self.apps.iter_mut().find(|app| app.version == version)
    }

    pub(crate) fn task(&mut self, id: u8) -> Option<&mut TaskModel> {
        self.apps.iter_mut().flat_map(|app| &mut app.tasks).find(|task| task.id == id)
    }

    /// How many tasks serve, of all versions or of one.
    pub(crate) fn serving(&self, version: Option<u8>) -> u8 {
        let apps = self.apps.iter().filter(|app| version.is_none_or(|version| app.version == version));
        let count = apps.flat_map(|app| &app.tasks).filter(|task| task.serves()).count();
        u8::try_from(count).expect("a small number")
    }

    /// Versions of which any task lives.
    pub(crate) fn live_versions(&self) -> usize {
        self.apps.iter().filter(|app| app.living() > 0).count()
    }

    pub(crate) fn end_pass(&mut self) {
        self.pass = None;
    }

    /// Removes what is over, and names tasks by their place. Names that a plan holds stay until it is settled.
    pub(crate) fn tidy(&mut self) {
        self.apps.retain(|app| !app.deleting || !app.tasks.is_empty());
        let pass = self.pass.as_ref();
        let kept = |task: &TaskModel| pass.filter(|pass| pass.is_planned() && pass.seen.has(task.id));
        let key = |task: &TaskModel| {
            let marks = pass.map(|pass| pass.marks(task.id));
            (kept(task).map(|_| task.id), TaskModel { id: 0, ..*task }, marks)
        };
        for app in &mut self.apps {
            // A kept name sorts by itself, first those without.
            app.tasks.sort_by_cached_key(key);
        }
        let first = pass.filter(|pass| pass.is_planned()).map_or(0, |pass| pass.seen.next());
        let mut next = first..;
        let mut names = [None; 16];
        for task in self.apps.iter_mut().flat_map(|app| &mut app.tasks) {
            if pass.is_none_or(|pass| !pass.is_planned() || !pass.seen.has(task.id)) {
                let name = next.next().unwrap_or_default();
                names[usize::from(task.id)] = Some(name);
                task.id = name;
            }
        }
        if let Some(pass) = self.pass.as_mut().filter(|pass| !pass.is_planned()) {
            pass.rename(|id| names[usize::from(id)]);
        }
    }

    // What Marathon and time do.

    pub(crate) fn can_launch(app: &AppModel) -> bool {
        app.living() < usize::from(app.instances)
    }

    pub(crate) fn launch(&mut self, version: u8) {
        let mut taken: Ids = self.tasks().map(|task| task.id).collect();
        if let Some(pass) = &self.pass {
            taken = Ids(taken.0 | pass.seen.0);
        }
        let task =
            TaskModel { life: Life::Staging, traffic: Traffic::Serving, leaving: false, id: taken.next() };
        if let Some(app) = self.app(version) {
            app.tasks.push(task);
        }
    }

    /// One step of a task's life: to running, to healthy, and away once it is being killed.
    pub(crate) fn advance(&mut self, id: u8) {
        for app in &mut self.apps {
            app.tasks.retain(|task| task.id != id || task.life != Life::Killing);
        }
        if let Some(task) = self.task(id) {
            task.life = match task.life {
                Life::Staging => Life::Running,
                Life::Running | Life::Healthy => Life::Healthy,
                Life::Killing => Life::Killing,
            };
        }
    }

    /// Everything that can go on goes on by one step.
    pub(crate) fn advance_all(&mut self) {
        let ids: BTreeSet<u8> = self.tasks().map(|task| task.id).collect();
        let waiting: Vec<u8> =
            self.apps.iter().filter(|app| Self::can_launch(app)).map(|app| app.version).collect();
        for id in ids {
            self.advance(id);
            if let Some(task) = self.task(id).filter(|task| task.traffic == Traffic::Draining) {
                task.traffic = Traffic::Drained;
            }
        }
        waiting.into_iter().for_each(|version| self.launch(version));
        self.tidy();
    }

    // What goes wrong.

    /// Capacity goes that we did not take.
    pub(crate) fn lose(&mut self, id: u8) {
        if let Some(pass) = &mut self.pass {
            let serves =
                self.apps.iter().flat_map(|app| &app.tasks).any(|task| task.id == id && task.serves());
            pass.floor = pass.floor.saturating_sub(u8::from(serves));
        }
    }

    pub(crate) fn die(&mut self, id: u8) {
        self.lose(id);
        self.apps.iter_mut().for_each(|app| app.tasks.retain(|task| task.id != id));
    }

    pub(crate) fn flap(&mut self, id: u8) {
        self.lose(id);
        if let Some(task) = self.task(id) {
            task.life = Life::Running;
        }
    }

    pub(crate) fn expire(&mut self, id: u8) {
        if let Some(task) = self.task(id) {
            task.traffic = Traffic::Serving;
        }
        if let Some(pass) = &mut self.pass {
            pass.expired.insert(id);
        }
    }

    pub(crate) fn leave(&mut self, id: u8) {
        if let Some(task) = self.task(id) {
            task.leaving = true;
        }
    }
}
