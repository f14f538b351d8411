//! Which agent gets a task.

use super::constraints::constraints;
use super::fleet::Agent;
use super::{App, Engine};

/// Why an agent takes no task of an app, in Marathon's words.
pub(super) type WhyNot = &'static str;

impl Engine {
    /// The agent that takes the next task of an app: of those that may, one with the fewest of its tasks where they are to be
    /// spread, then with the fewest of its tasks, then with the fewest tasks at all.
    pub(super) fn pick_agent(&self, app: &App) -> Option<u16> {
        let fleet = &self.settings.fleet;
        if fleet.len() == 1 && self.memory.maintenance.is_empty() && !fleet.get(0).is_limited {
            return Some(0);
        }
        let constraints = constraints(&app.raw);
        let used = self.used_by(app);
        let mut tasks = vec![(0_usize, 0_usize); fleet.len()];
        for task in self.memory.tasks.values() {
            if let Some((own, all)) = tasks.get_mut(usize::from(task.agent)) {
                *all += 1;
                *own += usize::from(task.app == app.id && task.is_live());
            }
        }
        let may = fleet.numbered().filter(|(index, agent)| self.why_not(app, *index, agent, &used).is_none());
        let order = |(index, agent): &(u16, &Agent)| {
            let crowd: usize = constraints.iter().map(|constraint| constraint.crowd(agent, &used)).sum();
            (crowd, tasks.get(usize::from(*index)).copied().unwrap_or_default(), *index)
        };
        may.min_by_key(order).map(|(index, _)| index)
    }

    /// The agents of an app's live tasks, one for each task.
    pub(super) fn used_by(&self, app: &App) -> Vec<&Agent> {
        self.tasks_of(&app.id)
            .filter(|task| task.is_live())
            .map(|task| self.settings.fleet.get(task.agent))
            .collect()
    }

    /// Why an agent takes no more tasks of an app; none where it does.
    pub(super) fn why_not(&self, app: &App, index: u16, agent: &Agent, used: &[&Agent]) -> Option<WhyNot> {
        let maintenance = &self.memory.maintenance;
        if maintenance.is_down(agent) || maintenance.is_draining(agent) {
            return Some("AgentMaintenance");
        }
        let is_alone = self.settings.fleet.len() == 1;
        let fits = |constraint: &super::constraints::Constraint<'_>| constraint.allows(agent, used);
        if !is_alone && !constraints(&app.raw).iter().all(fits) {
            return Some("UnfulfilledConstraint");
        }
        if !agent.is_limited {
            return None;
        }
        let free = agent.resources.minus(&self.used_on(index)).minus(&maintenance.reserved_on(agent));
        let need = app.definition.resources;
        let short = [
            (need.cpus, free.cpus, "InsufficientCpus"),
            (need.mem, free.mem, "InsufficientMemory"),
            (need.disk, free.disk, "InsufficientDisk"),
            (need.gpus, free.gpus, "InsufficientGpus"),
        ];
        short.into_iter().find(|(need, free, _)| *need > free + 1e-6).map(|(_, _, why)| why)
    }
}
