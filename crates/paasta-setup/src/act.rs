//! Carries out plans: the order of remote calls, and what each failure means.

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use paasta_bounce::{Observed, Outcome, Outcomes, Place, Plan, Safety, Scale, Settled};
use paasta_core::{Action, Applied, Engine, Task, TaskId, TaskPhase, Timestamp, chain};

use crate::observe::Statuses;
use crate::report::{PassAction, Taken};
use crate::{Leave, Limits, Target};

impl Leave {
    /// Carries out one change, once the gate has room and the fence is open; whoever may not is told to try again.
    pub async fn apply(&self, engine: &dyn Engine, action: &Action) -> Outcome {
        let busy = |reason| Outcome::Applied(Applied::Busy(reason));
        let _room = match self.gate.enter(action, self.haste).await {
            Ok(room) => room,
            Err(no_room) => return busy(no_room.to_string()),
        };
        // Last, since waiting for room may have taken long.
        if let Err(fenced) = self.fence.check() {
            return busy(fenced.to_string());
        }
        match engine.apply(action).await {
            Ok(applied) => Outcome::Applied(applied),
            Err(error) => Outcome::Failed(chain(&error)),
        }
    }
}

/// What acting needs besides the plan.
pub(crate) struct Hands<'a> {
    pub(crate) engine: &'a dyn Engine,
    pub(crate) target: &'a Target,
    pub(crate) observed: &'a Observed,
    pub(crate) statuses: &'a Statuses,
    pub(crate) leave: &'a Leave,
    pub(crate) limits: &'a Limits,
    pub(crate) now: Timestamp,
}

impl Hands<'_> {
    /// Carries out the first half. If the new app is to be created and was not, nothing else is tried.
    pub(crate) async fn carry_out(&self, plan: &Plan, taken: &mut Vec<Taken>) -> Outcomes {
        let mut outcomes = Outcomes::default();
        if let Some(place) = &plan.create {
            let outcome = self.create(place).await;
            taken.push(Taken {
                action: PassAction::Create { home: place.home.clone() },
                outcome: outcome.clone(),
            });
            let created = outcome.is_done();
            outcomes.create = Some(outcome);
            if !created {
                return outcomes;
            }
        }
        let (scaled, drained, undrained) =
            tokio::join!(self.scale(&plan.scale), self.drain(plan), self.undrain(&plan.undrain));
        for (scale, outcome) in plan.scale.iter().zip(&scaled) {
            taken.push(Taken { action: scale_action(scale), outcome: outcome.clone() });
        }
        outcomes.scale = scaled;
        for (task, renewal, result) in drained {
            let action = PassAction::Drain { task: task.clone(), renewal };
            taken.push(Taken { action, outcome: outcome_of(&result) });
            outcomes.drain.insert(task, result);
        }
        for (task, result) in undrained {
            taken.push(Taken { action: PassAction::Undrain { task }, outcome: outcome_of(&result) });
        }
        self.ask_safe(plan, &mut outcomes).await;
        outcomes
    }

    /// Carries out the second half: homes at once, in each the kills before the deletes.
    pub(crate) async fn finish(&self, settled: &Settled, taken: &mut Vec<Taken>) {
        let mut homes: Vec<_> = settled.kill.iter().map(|kill| &kill.home).collect();
        homes.extend(settled.delete.iter().map(|place| &place.home));
        homes.sort();
        homes.dedup();
        let done = join_all(homes.into_iter().map(|home| self.finish_home(home, settled))).await;
        taken.extend(done.into_iter().flatten());
    }

    async fn finish_home(&self, home: &paasta_core::HomeId, settled: &Settled) -> Vec<Taken> {
        let mut taken = vec![];
        if let Some(kill) = settled.kill.iter().find(|kill| kill.home == *home) {
            let tasks = kill.kills.iter().flat_map(|kill| kill.tasks.clone()).collect();
            let action = Action::KillAndShrink { home: home.clone(), kills: kill.kills.clone() };
            let outcome = self.apply(&action).await;
            let killed = outcome.is_done();
            taken.push(Taken { action: PassAction::Kill { home: home.clone(), tasks }, outcome });
            if !killed {
                return taken;
            }
        }
        for place in settled.delete.iter().filter(|place| place.home == *home) {
            let (home, app) = (home.clone(), place.app.clone());
            let outcome = self.apply(&Action::Delete { home: home.clone(), app: app.clone() }).await;
            taken.push(Taken { action: PassAction::Delete { home, app }, outcome });
        }
        taken
    }

    async fn create(&self, place: &Place) -> Outcome {
        let body = self.target.rendered.body.clone();
        self.apply(&Action::Create { home: place.home.clone(), app: place.app.clone(), body }).await
    }

    async fn scale(&self, scales: &[Scale]) -> Vec<Outcome> {
        join_all(scales.iter().map(|scale| async move { self.apply(&scale_to(scale)).await })).await
    }

    async fn apply(&self, action: &Action) -> Outcome {
        self.leave.apply(self.engine, action).await
    }

    async fn drain(&self, plan: &Plan) -> Vec<(TaskId, bool, Result<(), String>)> {
        let due = plan.drain.iter().filter(|drain| !drain.renewal || self.renewal_due(&drain.task));
        let calls =
            due.filter_map(|drain| Some((self.task(&drain.task)?, drain.renewal))).collect::<Vec<_>>();
        let deadline = self.limits.deadline();
        let calls = calls.into_iter().map(|(task, renewal)| async move {
            self.leave.fence.check().ok()?;
            let call = self.target.drain.drain(task, self.now);
            Some((task.id.clone(), renewal, self.limits.call(deadline, call).await?))
        });
        self.all(calls.collect()).await.into_iter().flatten().collect()
    }

    fn renewal_due(&self, task: &TaskId) -> bool {
        let timing = self.target.drain.timing();
        self.statuses.get(task).is_some_and(|status| timing.renewal_due(status, self.now))
    }

    async fn undrain(&self, tasks: &[TaskId]) -> Vec<(TaskId, Result<(), String>)> {
        let tasks: Vec<_> = tasks.iter().filter_map(|task| self.task(task)).collect();
        let deadline = self.limits.deadline();
        let calls = tasks.into_iter().map(|task| async move {
            self.leave.fence.check().ok()?;
            let call = self.target.drain.stop_draining(task);
            Some((task.id.clone(), self.limits.call(deadline, call).await?))
        });
        self.all(calls.collect()).await.into_iter().flatten().collect()
    }

    /// Makes calls at once, up to the limit. They come collected, so that no closure lives across the wait: such a
    /// pass could not be spawned.
    async fn all<T>(&self, calls: Vec<impl Future<Output = T>>) -> Vec<T> {
        stream::iter(calls).buffer_unordered(self.limits.calls_at_once.max(1)).collect().await
    }

    /// Whether tasks on their way out may be killed. Most was said when they were asked how they stand; only a method
    /// that cannot tell how a task stands right after a drain is asked again.
    async fn ask_safe(&self, plan: &Plan, outcomes: &mut Outcomes) {
        let mut unsaid = vec![];
        for task in &plan.ask_safe {
            let fresh = plan.drain.iter().any(|drain| drain.task == *task && !drain.renewal);
            match (fresh, outcomes.drain.get(task)) {
                // Not tried, or failed: nothing to ask.
                (true, None | Some(Err(_))) => continue,
                (true, Some(Ok(()))) => match self.target.drain.timing().fresh(self.now) {
                    Some(status) => drop(outcomes.safety.insert(task.clone(), self.safety(&status))),
                    None => unsaid.extend(self.task(task)),
                },
                (false, drained) => match self.statuses.get(task) {
                    Some(status) => {
                        let safety = self.safety_after(status, matches!(drained, Some(Ok(()))));
                        outcomes.safety.insert(task.clone(), safety);
                    }
                    None => unsaid.extend(self.task(task)),
                },
            }
        }
        let deadline = self.limits.deadline();
        let calls = unsaid.into_iter().map(|task| async move {
            (task.id.clone(), self.limits.call(deadline, self.target.drain.status(task)).await)
        });
        for (task, answer) in self.all(calls.collect()).await {
            let safety = match answer {
                Some(Ok(status)) => self.safety(&status),
                Some(Err(reason)) => Safety::Failed(reason),
                None => continue,
            };
            outcomes.safety.insert(task, safety);
        }
    }

    /// How it stands after its drain was renewed, or was not. One that was to be renewed and was not is asked again soon,
    /// so that it does not end unseen (defect B12), and so is one that may have ended before it was renewed.
    fn safety_after(&self, status: &paasta_drain::DrainStatus, renewed: bool) -> Safety {
        let timing = self.target.drain.timing();
        if !timing.lasts(status, self.now) {
            return Safety::NotYet { until: None };
        }
        match (self.safety(status), renewed) {
            (Safety::NotYet { .. }, true) => self.safety(&timing.renewed(status, self.now)),
            (Safety::NotYet { .. }, false) if timing.renewal_due(status, self.now) => {
                Safety::NotYet { until: None }
            }
            (safety, _) => safety,
        }
    }

    fn safety(&self, status: &paasta_drain::DrainStatus) -> Safety {
        if status.is_safe_to_kill(self.now) {
            return Safety::Safe;
        }
        Safety::NotYet { until: status.look_again(&self.target.drain.timing(), self.now) }
    }

    fn task(&self, id: &TaskId) -> Option<&Task> {
        let mut tasks = self.observed.sighting.apps().flat_map(|app| &app.tasks);
        tasks.find(|task| task.id == *id && task.phase != TaskPhase::Killing)
    }
}

fn scale_to(scale: &Scale) -> Action {
    Action::Scale { home: scale.place.home.clone(), app: scale.place.app.clone(), instances: scale.instances }
}

fn scale_action(scale: &Scale) -> PassAction {
    PassAction::Scale {
        home: scale.place.home.clone(),
        app: scale.place.app.clone(),
        instances: scale.instances,
    }
}

fn outcome_of(result: &Result<(), String>) -> Outcome {
    match result {
        Ok(()) => Outcome::Applied(Applied::Done),
        Err(reason) => Outcome::Failed(reason.clone()),
    }
}
