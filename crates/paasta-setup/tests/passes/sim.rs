//! A world in which passes run: an engine of either shape, drains, a clock, and an auditor of every change.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use futures_util::poll;
use paasta_config::{Map, Value, Wanted};
use paasta_core::*;
use paasta_drain::{DrainConfigError, DrainMethod, DrainPlace};
use paasta_setup::{Drains, Limits, Pass, PassError, PassReport};
use paasta_testkit::*;

/// Polls of a pass until it counts as killed; without a hanging call one is enough.
const POLLS_MAX: usize = 50;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Marathon,
    Sets,
}

/// What is wanted.
#[derive(Clone, Debug)]
pub(crate) struct Want {
    pub(crate) method: &'static str,
    pub(crate) instances: usize,
    pub(crate) margin: f64,
}

pub(crate) struct Sim {
    pub(crate) engine: Arc<dyn SimEngine>,
    pub(crate) drains: SimDrains,
    pub(crate) clock: SimClock,
    pub(crate) locks: MemoryLocks,
    pub(crate) log: MemoryLog,
    pub(crate) wanted: Wanted,
    pub(crate) pass: Pass,
    pub(crate) delay_seconds: f64,
    audited: Arc<Mutex<Audited>>,
}

#[derive(Default)]
struct Audited {
    creates: usize,
    kills: usize,
    violations: Vec<String>,
}

#[derive(Clone)]
struct Factory(SimDrains);

impl Drains for Factory {
    fn build(&self, _: &Map, _: bool, _: &DrainPlace) -> Result<Box<dyn DrainMethod>, DrainConfigError> {
        Ok(Box::new(self.0.method()))
    }
}

pub(crate) fn wanted(version: &str, want: &Want) -> Wanted {
    WantedBuilder::default()
        .set("version", Value::String(version.to_owned()))
        .set("instances", Value::Int(i64::try_from(want.instances).expect("small")))
        .set("bounce_method", Value::String(want.method.to_owned()))
        .set("bounce_margin_factor", Value::Float(want.margin))
        .build()
        .expect("good names")
}

pub(crate) fn app_id(version: &str) -> AppId {
    SimRenderer::app_id(&"svc.main".parse().expect("an id"), version)
}

impl Sim {
    /// A world that wants version `new` of `svc.main`.
    pub(crate) fn new(shape: Shape, want: &Want, delay_seconds: f64) -> Self {
        let homes = ["current", "previous"];
        match shape {
            Shape::Marathon => Self::with_engine(Arc::new(RecordingEngine::new(homes)), want, delay_seconds),
            Shape::Sets => Self::with_engine(Arc::new(SetsEngine::new(homes)), want, delay_seconds),
        }
    }

    /// The same on an engine that the caller keeps.
    pub(crate) fn with_engine(engine: Arc<dyn SimEngine>, want: &Want, delay_seconds: f64) -> Self {
        let clock = SimClock::at(Timestamp::from_millis(1_600_000_000_000));
        let drains = SimDrains::new(clock.clone(), delay_seconds, (delay_seconds * 10.0).max(30.0));
        let (locks, log) = (MemoryLocks::default(), MemoryLog::default());
        let pass = Pass {
            engine: Arc::new(Seam(engine.clone())),
            renderer: Arc::new(SimRenderer::new("current", ["previous"])),
            locks: Arc::new(locks.clone()),
            drains: Arc::new(Factory(drains.clone())),
            log: Arc::new(log.clone()),
            clock: Arc::new(clock.clone()),
            history: None,
            discovery: None,
            leave: Default::default(),
            limits: Limits::default(),
        };
        let audited = Arc::new(Mutex::new(Audited::default()));
        let wanted = wanted("new", want);
        let sim = Self { engine, drains, clock, locks, log, wanted, pass, delay_seconds, audited };
        sim.audit(want);
        sim
    }

    /// An app whose tasks have run for long.
    pub(crate) fn seed(&self, version: &str, home: &str, tasks: usize, health: Health) {
        let id = app_id(version);
        let started = self.clock.now().plus_seconds(-1000.0);
        let task = |index: usize| Task {
            id: TaskId::new(format!("{version}-{home}-{index}")),
            app: id.clone(),
            host: format!("h{}", index % 4),
            ports: vec![31000],
            phase: TaskPhase::Running,
            staged_at: Some(started),
            started_at: Some(started.plus_seconds(index as f64)),
            health,
        };
        if health == Health::Dead {
            self.engine.world().never_happy(id.clone());
        }
        self.engine.seed(App {
            home: HomeId::new(home),
            instances: tasks,
            tasks: (0..tasks).map(task).collect(),
            checks: Some(CheckTiming { grace_seconds: 3600.0, interval_seconds: 10.0 }),
            deploying: false,
            launch: None,
            last_failure: None,
            id,
        });
    }

    /// Takes traffic off every other task, as a bounce that was reverted leaves it.
    pub(crate) fn drain_every_other(&self) {
        let tasks: Vec<_> = self.engine.truth().into_iter().flat_map(|app| app.tasks).collect();
        let now = self.clock.now();
        for task in tasks.iter().step_by(2) {
            let method = self.drains.method();
            let drained = futures_util::FutureExt::now_or_never(method.drain(task, now));
            drained.expect("it does not wait").expect("no host is broken yet");
        }
    }

    /// Time goes on for everybody.
    pub(crate) fn step(&self, seconds: f64) {
        self.engine.tick(self.clock.advance(seconds));
    }

    /// One pass; `None` if it was killed in a call that hangs.
    pub(crate) fn run(&self, fleet: Option<&Fleet>) -> Option<Result<PassReport, PassError>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(async {
            let mut pass = std::pin::pin!(self.pass.run(&self.wanted, fleet));
            for _ in 0..POLLS_MAX {
                if let std::task::Poll::Ready(report) = poll!(pass.as_mut()) {
                    return Some(report);
                }
                tokio::task::yield_now().await;
            }
            None
        })
    }

    pub(crate) fn fleet(&self) -> Fleet {
        futures_util::future::FutureExt::now_or_never(self.engine.observe_all()).expect("it does not wait")
    }

    pub(crate) fn serving(&self) -> BTreeSet<TaskId> {
        serving(&self.engine.truth(), &self.drains.drained())
    }

    /// What the auditor found since this was asked last: how many apps were created, how many kills were sent, and
    /// what was wrong.
    pub(crate) fn take_audit(&self) -> (usize, usize, Vec<String>) {
        let mut audited = self.audited.lock().expect("no test panics with it");
        let taken = std::mem::take(&mut *audited);
        (taken.creates, taken.kills, taken.violations)
    }

    fn audit(&self, want: &Want) {
        let (audited, drains, delay) = (self.audited.clone(), self.drains.clone(), self.delay_seconds);
        let (new, instances, method) = (app_id("new"), want.instances, want.method);
        let is_new = move |home: &HomeId, app: &AppId| home.as_str() == "current" && *app == new;
        self.engine.world().audit(Box::new(move |action, truth| {
            let mut audited = audited.lock().expect("no test panics with it");
            let may_die = |task: &Task| {
                let drained = drains.drained().contains(&task.id);
                task.phase != TaskPhase::Running
                    || drains.is_broken(&task.host)
                    || (drained && (delay == 0.0 || drains.is_safe(&task.id)))
            };
            let found = |home: &HomeId, app: &AppId| truth.iter().find(|a| a.home == *home && a.id == *app);
            match action {
                Action::Create { .. } => {
                    audited.creates += 1;
                    let old_tasks = truth.iter().map(|app| app.tasks.len()).sum::<usize>();
                    if method == "downthenup" && old_tasks > 0 {
                        audited.violations.push("18: created while old tasks exist".to_owned());
                    }
                    if method == "down" {
                        audited.violations.push("2: down created an app".to_owned());
                    }
                }
                Action::Scale { home, app, instances: to } if is_new(home, app) && *to < instances => {
                    audited.violations.push(format!("the wanted app was scaled to {to}"));
                }
                Action::Scale { .. } => {}
                Action::KillAndShrink { home, kills } => {
                    audited.kills += 1;
                    for kill in kills {
                        let Some(app) = found(home, &kill.app) else { continue };
                        let bad =
                            app.tasks.iter().find(|task| kill.tasks.contains(&task.id) && !may_die(task));
                        if let Some(task) = bad {
                            audited.violations.push(format!("9: {} was killed while it may serve", task.id));
                        }
                        if is_new(home, &kill.app) && app.instances <= instances {
                            audited.violations.push("10: wanted tasks were killed".to_owned());
                        }
                    }
                }
                Action::Delete { home, app } => {
                    if is_new(home, app) {
                        audited.violations.push("11: the wanted app was deleted".to_owned());
                    }
                    let left =
                        found(home, app).is_some_and(|app| app.tasks.iter().any(|task| !may_die(task)));
                    if left {
                        audited.violations.push(format!("11: {app} was deleted with tasks that may serve"));
                    }
                }
            }
        }));
    }
}

/// A test's engine as what a pass takes.
struct Seam(Arc<dyn SimEngine>);

#[async_trait::async_trait]
impl Engine for Seam {
    async fn observe(&self, instance: &InstanceId, homes: &Homes) -> Sighting {
        self.0.observe(instance, homes).await
    }
    async fn observe_all(&self) -> Fleet {
        self.0.observe_all().await
    }
    async fn apply(&self, action: &Action) -> Result<Applied, EngineError> {
        self.0.apply(action).await
    }
    fn changes(&self) -> futures_util::stream::BoxStream<'static, Change> {
        self.0.changes()
    }
    async fn task_log(
        &self,
        task: &TaskId,
        stream: LogStream,
        tail: LogTail,
    ) -> Result<TaskLog, EngineError> {
        self.0.task_log(task, stream, tail).await
    }
}
