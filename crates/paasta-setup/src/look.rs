//! What the next pass would see and decide, with nothing locked and nothing changed.

use paasta_bounce::{Observed, Outcomes, Plan, Safety, WaitingOn, Why, plan, settle};
use paasta_core::{Sighting, TaskId, Timestamp};

use crate::foresee::foresee;
use crate::observe::{Statuses, observe};
use crate::pass::NO_LOAD_BALANCER;
use crate::{Discovery, Limits, Need, PassAction, Target};

/// How an instance stands, for those who only want to know.
#[derive(Clone, Debug)]
pub struct Look {
    /// Its apps, tasks and drains.
    pub observed: Observed,
    /// What the next pass would wait for, and the counts behind it.
    pub why: Why,
    /// What the next pass would do, in order, if all of it went well.
    pub actions: Vec<PassAction>,
    /// When looking again may show something else; none when steady.
    pub look_again_at: Option<Timestamp>,
}

/// Completes what an engine told by what tasks and load balancers answer, and asks for the plan that the next pass
/// would carry out. Reads only; each task is asked at most once.
pub async fn look(
    sighting: Sighting,
    target: &Target,
    discovery: Option<&dyn Discovery>,
    limits: &Limits,
    now: Timestamp,
) -> Look {
    let mut statuses = Statuses::default();
    let observed = observe(sighting, target, discovery, &mut statuses, limits, now).await;
    let plan = plan(&target.desired, &observed, now);
    let settled = settle(&plan, &as_if_asked(&plan, target, &statuses, now), now);
    let look_again_at = settled.look_again_seconds.map(|seconds| now.plus_seconds(seconds));
    let mut actions = foresee(&plan, target, &statuses, now);
    let mut why = plan.why;
    if let Some(reason) = refusal(&observed, target, discovery.is_some()) {
        why.waiting = vec![WaitingOn::Unknown(reason)];
        actions.clear();
    }
    Look { observed, why, actions, look_again_at }
}

/// Why a pass would do nothing at all, as [`crate::Pass::run`] decides.
fn refusal(observed: &Observed, target: &Target, discovery_known: bool) -> Option<String> {
    if target.desired.health.check_haproxy && !discovery_known {
        return Some(format!("{}: {NO_LOAD_BALANCER}", Need::LoadBalancers));
    }
    let reason = observed.sighting.leaving_hosts.unknown()?;
    Some(format!("{}: {reason}", Need::LeavingHosts))
}

/// What the tasks said already is what they would say to the pass.
fn as_if_asked(plan: &Plan, target: &Target, statuses: &Statuses, now: Timestamp) -> Outcomes {
    let safety = |task: &TaskId| match statuses.get(task) {
        Some(status) if status.is_safe_to_kill(now) => Safety::Safe,
        Some(status) => Safety::NotYet { until: status.look_again(&target.drain.timing(), now) },
        None => Safety::Failed("it gave no answer".to_owned()),
    };
    let safety = plan.ask_safe.iter().map(|task| (task.clone(), safety(task))).collect();
    Outcomes { safety, ..Outcomes::default() }
}
