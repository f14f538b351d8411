//! What a pass would do if everything it asks for went well. Pure.

use paasta_bounce::{Outcome, Outcomes, Plan, Safety, Settled, settle};
use paasta_core::{Applied, TaskId, Timestamp};

use crate::Target;
use crate::observe::Statuses;
use crate::report::PassAction;

/// The actions of the next pass in its order, where the engine and all tasks do as they are told. A task that cannot
/// tell beforehand how it stands once it drains is not said to be killed.
pub(crate) fn foresee(plan: &Plan, target: &Target, statuses: &Statuses, now: Timestamp) -> Vec<PassAction> {
    let settled = settle(plan, &all_goes_well(plan, target, statuses, now), now);
    let mut actions = first_half(plan, target, statuses, now);
    actions.extend(second_half(&settled));
    actions
}

fn first_half(plan: &Plan, target: &Target, statuses: &Statuses, now: Timestamp) -> Vec<PassAction> {
    let timing = target.drain.timing();
    let renewal_due =
        |task: &TaskId| statuses.get(task).is_some_and(|status| timing.renewal_due(status, now));
    let create = plan.create.iter().map(|place| PassAction::Create { home: place.home.clone() });
    let scale = plan.scale.iter().map(|scale| PassAction::Scale {
        home: scale.place.home.clone(),
        app: scale.place.app.clone(),
        instances: scale.instances,
    });
    let due = plan.drain.iter().filter(|drain| !drain.renewal || renewal_due(&drain.task));
    let drain = due.map(|drain| PassAction::Drain { task: drain.task.clone(), renewal: drain.renewal });
    let undrain = plan.undrain.iter().map(|task| PassAction::Undrain { task: task.clone() });
    create.chain(scale).chain(drain).chain(undrain).collect()
}

fn second_half(settled: &Settled) -> impl Iterator<Item = PassAction> + '_ {
    let kill = settled.kill.iter().map(|kill| PassAction::Kill {
        home: kill.home.clone(),
        tasks: kill.kills.iter().flat_map(|kill| kill.tasks.clone()).collect(),
    });
    let delete = settled
        .delete
        .iter()
        .map(|place| PassAction::Delete { home: place.home.clone(), app: place.app.clone() });
    kill.chain(delete)
}

fn all_goes_well(plan: &Plan, target: &Target, statuses: &Statuses, now: Timestamp) -> Outcomes {
    let done = || Outcome::Applied(Applied::Done);
    let timing = target.drain.timing();
    let safety = |task: &TaskId| {
        let fresh = plan.drain.iter().any(|drain| drain.task == *task && !drain.renewal);
        let status = match fresh {
            true => Some(timing.fresh(now)?),
            false => statuses.get(task).cloned(),
        };
        Some(match status {
            Some(status) if status.is_safe_to_kill(now) => Safety::Safe,
            Some(_) => Safety::NotYet { until: None },
            None => Safety::Failed("it gave no answer".to_owned()),
        })
    };
    Outcomes {
        create: plan.create.as_ref().map(|_| done()),
        scale: plan.scale.iter().map(|_| done()).collect(),
        drain: plan.drain.iter().map(|drain| (drain.task.clone(), Ok(()))).collect(),
        safety: plan.ask_safe.iter().filter_map(|task| Some((task.clone(), safety(task)?))).collect(),
    }
}
