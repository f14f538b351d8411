//! The pass itself.

use std::sync::Arc;
use std::time::Duration;

use paasta_bounce::{Observed, Outcome, Plan, WaitingOn, Why};
use paasta_config::{Renderer, Wanted};
use paasta_core::{
    Applied, Clock, Engine, Fence, Fleet, Gate, Haste, History, LockError, LockGuard, Locks, LogSink,
    NoFence, OpenGate, Sighting, Timestamp,
};

use crate::act::Hands;
use crate::created;
use crate::events::{self, Events, reason};
use crate::observe::{Statuses, observe};
use crate::report::{PassAction, PassReport, PassState, Taken};
use crate::{Decide, Discovery, Drains, Need, PassError, Planner, Target, target};

/// Seconds until an instance that somebody else works on is looked at again.
const LOCK_HELD_SECONDS: f64 = 2.0;

/// Seconds until an engine that took no change is asked again.
const BUSY_SECONDS: f64 = 1.0;

/// Why an instance that load balancers have a say in is left alone, and the way out.
pub(crate) const NO_LOAD_BALANCER: &str = "no load balancer is known here (system key `service_discovery_providers`); an \
                                           instance that is to do without sets `bounce_health_params: {check_haproxy: false}`";

/// Seconds until something that failed is tried again.
const FAILED_SECONDS: f64 = 5.0;

/// Everything a pass works with. Cheap to clone; one serves all instances at once.
#[derive(Clone)]
pub struct Pass {
    /// Runs the tasks.
    pub engine: Arc<dyn Engine>,
    /// Says what would run.
    pub renderer: Arc<dyn Renderer>,
    /// Keeps two programs from working on one instance.
    pub locks: Arc<dyn Locks>,
    /// Builds drain methods.
    pub drains: Arc<dyn Drains>,
    /// Where lines for a service's people go.
    pub log: Arc<dyn LogSink>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Where created versions are written down; none where nobody asks later.
    pub history: Option<Arc<dyn History>>,
    /// What load balancers see; none where nobody can be asked.
    pub discovery: Option<Arc<dyn Discovery>>,
    /// Whether anything may be changed now.
    pub leave: Leave,
    /// Bounds on waiting.
    pub limits: Limits,
}

/// What is asked before each change. The default lets everything through, in haste.
#[derive(Clone)]
pub struct Leave {
    /// Whether this process may still act.
    pub fence: Arc<dyn Fence>,
    /// Whether the engine has room.
    pub gate: Arc<dyn Gate>,
    /// How much the pass hurries, for the gate.
    pub haste: Haste,
}

impl Default for Leave {
    fn default() -> Self {
        Self { fence: Arc::new(NoFence), gate: Arc::new(OpenGate), haste: Haste::default() }
    }
}

/// Bounds on what one pass waits for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Seconds to wait for the bounce lock (marathon-and-bounce.md §4.7).
    pub lock_seconds_max: f64,
    /// Seconds for one call to a task's drain.
    pub call_seconds_max: f64,
    /// Seconds for all calls of one kind together; what is not begun by then is not done in this pass.
    pub stage_seconds_max: f64,
    /// Calls to drains at one time.
    pub calls_at_once: usize,
    /// Seconds for what load balancers say (marathon-and-bounce.md §4.5).
    pub discovery_seconds_max: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            lock_seconds_max: 1.0,
            call_seconds_max: 10.0,
            stage_seconds_max: 20.0,
            calls_at_once: 32,
            discovery_seconds_max: 30.0,
        }
    }
}

impl Pass {
    /// Does what one instance needs next, once (marathon-and-bounce.md §5.3 to §5.6).
    ///
    /// ```
    /// # use std::sync::Arc;
    /// use paasta_core::{NoLog, SystemClock};
    /// use paasta_drain::DrainTools;
    /// use paasta_setup::{Limits, Pass};
    /// use paasta_testkit::{MemoryLocks, RecordingEngine, SimRenderer, WantedBuilder};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pass = Pass {
    ///     engine: Arc::new(RecordingEngine::new(["home"])),
    ///     renderer: Arc::new(SimRenderer::new("home", [])),
    ///     locks: Arc::new(MemoryLocks::default()),
    ///     drains: Arc::new(DrainTools::new("example", "1")?),
    ///     log: Arc::new(NoLog),
    ///     clock: Arc::new(SystemClock),
    ///     history: None,
    ///     discovery: None,
    ///     leave: Default::default(),
    ///     limits: Limits::default(),
    /// };
    /// let report = pass.run(&WantedBuilder::default().build()?, None).await?;
    /// assert_eq!(report.why.to_string(), "crossover: waiting for the new version to appear");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// With a `fleet`, an instance that needs nothing is left after looking there: no lock is taken and the engine is
    /// not asked again.
    ///
    /// # Errors
    /// Settings that cannot be read, and parts of the decision that cannot be had. Nothing was done then.
    pub async fn run(&self, wanted: &Wanted, fleet: Option<&Fleet>) -> Result<PassReport, PassError> {
        self.run_by(&Planner, wanted, fleet).await
    }

    /// As [`Pass::run`], with somebody else to decide.
    ///
    /// # Errors
    /// As [`Pass::run`].
    pub async fn run_by(
        &self,
        decide: &dyn Decide,
        wanted: &Wanted,
        fleet: Option<&Fleet>,
    ) -> Result<PassReport, PassError> {
        let ended = self.run_untold(decide, wanted, fleet).await;
        if let Err(error) = &ended {
            events::failed(self.log.as_ref(), wanted, error, self.clock.now());
        }
        ended
    }

    async fn run_untold(
        &self,
        decide: &dyn Decide,
        wanted: &Wanted,
        fleet: Option<&Fleet>,
    ) -> Result<PassReport, PassError> {
        let target = target(wanted, self.renderer.as_ref(), self.drains.as_ref())?;
        if target.desired.health.check_haproxy && self.discovery.is_none() {
            let reason = NO_LOAD_BALANCER.to_owned();
            return Err(PassError::Needs { instance: wanted.id.clone(), need: Need::LoadBalancers, reason });
        }
        let mut statuses = Statuses::default();
        if let Some(fleet) = fleet {
            let sighting = fleet.of(&wanted.id, target.rendered.homes.all());
            let observed = self.complete(wanted, sighting, &target, &mut statuses).await?;
            let now = self.clock.now();
            let plan = decide.plan(&target.desired, &observed, now);
            if plan.is_empty() {
                return Ok(self.nothing_to_do(decide, wanted, &target, &observed, &plan, now));
            }
        }
        let Some(_lock) = self.lock(wanted).await? else { return Ok(lock_held(wanted, &target)) };
        let sighting = self.engine.observe(&wanted.id, &target.rendered.homes).await;
        let observed = self.complete(wanted, sighting, &target, &mut statuses).await?;
        self.work(decide, wanted, &target, &observed, &statuses).await
    }

    pub(crate) async fn lock(&self, wanted: &Wanted) -> Result<Option<LockGuard>, PassError> {
        let name = format!("/bounce/{}", wanted.id.short_id());
        let wait = Duration::from_secs_f64(self.limits.lock_seconds_max);
        match self.locks.acquire(&name, wait).await {
            Ok(guard) => Ok(Some(guard)),
            Err(LockError::Held { .. }) => Ok(None),
            Err(LockError::Unavailable { reason, .. }) => {
                Err(PassError::Needs { instance: wanted.id.clone(), need: Need::Lock, reason })
            }
        }
    }

    /// What the engine told, completed by what tasks and load balancers answer. Without knowing which hosts are about
    /// to leave, nothing is done for the instance (design decision 4).
    pub(crate) async fn complete(
        &self,
        wanted: &Wanted,
        sighting: Sighting,
        target: &Target,
        statuses: &mut Statuses,
    ) -> Result<Observed, PassError> {
        if let Some(reason) = sighting.leaving_hosts.unknown() {
            return Err(PassError::Needs {
                instance: wanted.id.clone(),
                need: Need::LeavingHosts,
                reason: reason.to_owned(),
            });
        }
        Ok(observe(sighting, target, self.discovery.as_deref(), statuses, &self.limits, self.clock.now())
            .await)
    }

    pub(crate) async fn work(
        &self,
        decide: &dyn Decide,
        wanted: &Wanted,
        target: &Target,
        observed: &Observed,
        statuses: &Statuses,
    ) -> Result<PassReport, PassError> {
        self.leave.fence.check().map_err(|fenced| PassError::Needs {
            instance: wanted.id.clone(),
            need: Need::Leave,
            reason: fenced.to_string(),
        })?;
        let now = self.clock.now();
        let guard = |source| PassError::Unsafe { instance: wanted.id.clone(), source };
        let plan = decide.plan(&target.desired, observed, now);
        decide.check(&target.desired, observed, &plan, now).map_err(guard)?;
        let events = Events { sink: self.log.as_ref(), wanted, app: &target.desired.app, now };
        events.planned(&plan, statuses);

        let engine = self.engine.as_ref();
        let hands =
            Hands { engine, target, observed, statuses, leave: &self.leave, limits: &self.limits, now };
        let mut taken = vec![];
        let outcomes = hands.carry_out(&plan, &mut taken).await;
        // At once: whatever ends the pass now, this much was done.
        events.taken(&taken);
        let first_half = taken.len();
        if let (Some(history), Some(outcome)) = (&self.history, &outcomes.create)
            && let Some(record) =
                created::record(wanted, target, observed, outcome, now, self.renderer.as_ref())
        {
            created::write_down(history, record).await;
        }
        let settled = decide.settle(&plan, &outcomes, now);
        decide.check_settled(&plan, &outcomes, &settled).map_err(guard)?;
        hands.finish(&settled, &mut taken).await;
        events.taken(&taken[first_half..]);
        if finished(&plan, &taken) {
            events.finished();
        }
        Ok(report(wanted, target, observed, taken, settled.why, settled.look_again_seconds))
    }

    fn nothing_to_do(
        &self,
        decide: &dyn Decide,
        wanted: &Wanted,
        target: &Target,
        observed: &Observed,
        plan: &Plan,
        now: Timestamp,
    ) -> PassReport {
        let settled = decide.settle(plan, &paasta_bounce::Outcomes::default(), now);
        report(wanted, target, observed, vec![], settled.why, settled.look_again_seconds)
    }
}

/// Whether the last old apps went in this pass.
fn finished(plan: &Plan, taken: &[Taken]) -> bool {
    let deleted = |one: &&Taken| matches!(one.action, PassAction::Delete { .. }) && one.outcome.is_done();
    let gone = taken.iter().filter(deleted).count();
    plan.why.counts.new_app_exists && gone > 0 && gone == plan.why.counts.old_apps
}

fn report(
    wanted: &Wanted,
    target: &Target,
    observed: &Observed,
    actions: Vec<Taken>,
    mut why: Why,
    look_again_seconds: Option<f64>,
) -> PassReport {
    let unknown = observed.sighting.unknown().map(|what| format!("could not see what runs: {what}"));
    let failed =
        actions.iter().filter(|taken| taken.has_failed()).map(|taken| reason(&taken.outcome).to_owned());
    let problems: Vec<_> = unknown.into_iter().chain(failed).collect();
    // What was settled knows of the first half of the pass only.
    let ends = |taken: &&Taken| matches!(taken.action, PassAction::Kill { .. } | PassAction::Delete { .. });
    why.waiting.extend(actions.iter().filter(ends).filter_map(engine_wait));
    let retry = (!problems.is_empty()).then_some(FAILED_SECONDS);
    let waits = actions.iter().any(|taken| engine_wait(taken).is_some()).then_some(BUSY_SECONDS);
    let look_again_seconds = [look_again_seconds, retry, waits].into_iter().flatten().min_by(f64::total_cmp);
    PassReport {
        instance: wanted.id.clone(),
        app: target.desired.app.clone(),
        state: if look_again_seconds.is_none() { PassState::Steady } else { PassState::Working },
        why,
        actions,
        look_again_seconds,
        problems,
    }
}

/// What was not done although nothing is wrong: the engine takes no change now, or somebody else was quicker.
fn engine_wait(taken: &Taken) -> Option<WaitingOn> {
    match &taken.outcome {
        Outcome::Applied(Applied::Busy(reason)) => Some(WaitingOn::EngineBusy(reason.clone())),
        Outcome::Applied(Applied::Conflict(reason)) => Some(WaitingOn::Engine(reason.clone())),
        _ => None,
    }
}

fn lock_held(wanted: &Wanted, target: &Target) -> PassReport {
    let waiting = vec![WaitingOn::EngineBusy("somebody else works on this instance".to_owned())];
    PassReport {
        instance: wanted.id.clone(),
        app: target.desired.app.clone(),
        state: PassState::LockHeld,
        why: Why { method: target.desired.method.name().to_owned(), waiting, ..Why::default() },
        actions: vec![],
        look_again_seconds: Some(LOCK_HELD_SECONDS),
        problems: vec![],
    }
}
