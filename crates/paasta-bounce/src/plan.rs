//! What to do first (marathon-and-bounce.md §5.5 and §5.6, steps 1 to 4).

use paasta_core::{App, LaunchWait, Reading, TaskPhase, Timestamp};

use crate::classes::{Class, Classed, classify, sort_for_keeping, split_excess};
use crate::{
    AppBook, BounceInput, Counts, Desired, Drain, DrainState, Observed, Place, Plan, Promise, Scale,
    WaitingOn, Why,
};

/// Says what to create, scale, drain, undrain and ask, and what is waited for. Pure: asked twice about the same
/// things it answers the same.
///
/// A home that could not be read, or that lists one app twice, stops everything: the plan is empty and says so. With
/// unknown leaving hosts or unread load balancers nothing is decided that needs them: tasks are taken out only where
/// the method takes all of them out in any case.
pub fn plan(desired: &Desired, observed: &Observed, now: Timestamp) -> Plan {
    match unreadable(desired, observed) {
        Some(reason) => nothing(desired, reason),
        None => Planner::new(desired, observed, now).plan(),
    }
}

/// Why the sighting is not enough to decide anything.
fn unreadable(desired: &Desired, observed: &Observed) -> Option<String> {
    for home in desired.homes.all() {
        match observed.sighting.homes.get(home) {
            None => return Some(format!("{home} was not asked")),
            Some(Reading::Unknown(reason)) => return Some(format!("{home}: {reason}")),
            Some(Reading::Known(apps)) => {
                let mut ids: Vec<_> = apps.iter().map(|app| &app.id).collect();
                ids.sort();
                if ids.windows(2).any(|pair| pair.first() == pair.last()) {
                    return Some(format!("{home} lists an app twice"));
                }
            }
        }
    }
    None
}

fn nothing(desired: &Desired, reason: String) -> Plan {
    let why = Why {
        method: desired.method.name().to_owned(),
        counts: Counts { wanted: desired.instances, ..Counts::default() },
        waiting: vec![WaitingOn::Unknown(reason)],
    };
    Plan {
        create: None,
        scale: vec![],
        drain: vec![],
        undrain: vec![],
        ask_safe: vec![],
        not_running: vec![],
        apps: vec![],
        why,
    }
}

struct Planner<'a> {
    desired: &'a Desired,
    observed: &'a Observed,
    new: Option<&'a App>,
    olds: Vec<&'a App>,
    /// Tasks of old apps, and those that the wanted version has too many.
    leaving: Vec<Classed<'a>>,
    /// Tasks that the wanted version keeps.
    kept: Vec<Classed<'a>>,
    happy_new: usize,
    /// Tasks of the wanted version on hosts about to leave.
    at_risk_new: usize,
    scale: Vec<Scale>,
}

impl<'a> Planner<'a> {
    fn new(desired: &'a Desired, observed: &'a Observed, now: Timestamp) -> Self {
        let (news, olds): (Vec<_>, Vec<_>) = observed.sighting.apps().partition(|app| is_new(app, desired));
        let mut planner = Self {
            desired,
            observed,
            new: news.first().copied(),
            leaving: olds.iter().flat_map(|app| classify(app, desired, observed, now)).collect(),
            olds,
            kept: vec![],
            happy_new: 0,
            at_risk_new: 0,
            scale: vec![],
        };
        planner.take_up_slack();
        if let Some(new) = planner.new {
            planner.size(new, classify(new, desired, observed, now));
        }
        planner
    }

    /// Lets old apps start nothing more (§5.5 step 6).
    fn take_up_slack(&mut self) {
        for app in &self.olds {
            let alive = alive(app);
            if app.instances > alive {
                self.scale.push(Scale { place: place(app), instances: alive });
            }
        }
    }

    /// Brings the wanted version to its size and finds the tasks that it has too many (§5.5 step 7).
    fn size(&mut self, new: &App, tasks: Vec<Classed<'a>>) {
        let wanted = self.desired.instances;
        let tasks: Vec<_> = tasks.into_iter().filter(|c| c.task.phase != TaskPhase::Killing).collect();
        self.at_risk_new = tasks.iter().filter(|c| c.on_leaving_host).count();
        // Extra tasks may stand in for tasks on leaving hosts; without knowing those, nothing is too many.
        let target = wanted + self.at_risk_new;
        if new.instances < target || !self.leaving_known() || new.instances <= wanted {
            if new.instances < target {
                self.scale.push(Scale { place: place(new), instances: target });
            }
            self.happy_new = tasks.iter().filter(|c| serves(c)).count();
            self.kept = tasks;
            return;
        }
        // Defect B4: slack is never removed below what stands in for tasks on leaving hosts.
        let size = new.instances.min(tasks.len().max(target));
        if size < new.instances {
            self.scale.push(Scale { place: place(new), instances: size });
        }
        let excess = tasks.len().min(new.instances).saturating_sub(wanted);
        let (kept, moved) = split_excess(tasks, excess, self.at_risk_new);
        self.happy_new = kept.iter().filter(|c| c.class == Class::Happy && c.uncertain.is_none()).count();
        self.kept = kept;
        self.leaving.extend(moved);
    }

    fn plan(mut self) -> Plan {
        let mut serving: Vec<_> =
            self.leaving.iter().filter(|c| c.class != Class::Draining).cloned().collect();
        sort_for_keeping(&mut serving);
        let draining: Vec<_> = self.leaving.iter().filter(|c| c.class == Class::Draining).cloned().collect();
        let ids: Vec<_> = serving.iter().map(|c| c.task.id.clone()).collect();
        let decision = self.desired.method.decide(&BounceInput {
            instances: self.desired.instances,
            new_app_exists: self.new.is_some(),
            happy_new: self.happy_new,
            old_serving: &ids,
            old_draining: draining.len(),
            old_pending: self.olds.iter().map(|app| app.instances.saturating_sub(alive(app))).sum(),
            margin: self.desired.margin,
        });
        let uncertain = self.uncertain(&serving);
        let hold = uncertain.is_some() && decision.drain.len() < ids.len();
        let mut chosen: Vec<_> =
            serving.iter().filter(|c| !hold && decision.drain.contains(&c.task.id)).cloned().collect();
        self.keep_at_risk_for_the_floor(&serving, &mut chosen);

        let create = decision.create_app && self.new.is_none();
        let going: Vec<_> =
            draining.iter().filter(|c| c.task.phase != TaskPhase::Killing).chain(&chosen).collect();
        let (running, not_running): (Vec<&Classed<'_>>, Vec<&Classed<'_>>) =
            going.iter().copied().partition(|c| c.task.phase == TaskPhase::Running);
        let undrain: Vec<_> = self.kept.iter().filter(|c| to_undrain(c)).map(|c| c.task.id.clone()).collect();
        Plan {
            create: create
                .then(|| Place { home: self.desired.homes.current.clone(), app: self.desired.app.clone() }),
            drain: chosen
                .iter()
                .map(|c| (c, false))
                .chain(draining.iter().filter(|c| c.drain == DrainState::Draining).map(|c| (c, true)))
                .filter(|(c, _)| !matches!(c.task.phase, TaskPhase::Unreachable | TaskPhase::Killing))
                .map(|(c, renewal)| Drain { task: c.task.id.clone(), renewal })
                .collect(),
            ask_safe: running.iter().map(|c| c.task.id.clone()).collect(),
            not_running: not_running.iter().map(|c| c.task.id.clone()).collect(),
            why: self.why(
                create,
                going.len(),
                undrain.len(),
                uncertain.filter(|_| hold || !self.leaving_known()),
            ),
            scale: std::mem::take(&mut self.scale),
            undrain,
            apps: self.books(),
        }
    }

    fn leaving_known(&self) -> bool {
        self.observed.sighting.leaving_hosts.known().is_some()
    }

    /// Crossover keeps unhappy tasks before tasks at risk, and those may be all that serves: they stay until the margin
    /// allows (defect B2).
    fn keep_at_risk_for_the_floor(&self, serving: &[Classed<'_>], chosen: &mut Vec<Classed<'a>>) {
        if self.desired.method.promise() != Promise::Floor {
            return;
        }
        let counts = |c: &&Classed<'_>| matches!(c.class, Class::Happy | Class::AtRisk);
        let before = self.happy_new + serving.iter().filter(counts).count();
        let floor = self.desired.margin.needed(self.desired.instances).min(before);
        let mut lost = chosen.iter().filter(counts).count();
        chosen.retain(|c| {
            let stays = c.class == Class::AtRisk && before - lost < floor;
            lost -= usize::from(stays);
            !stays
        });
    }

    /// Why the order in which tasks are kept may be wrong, if it may.
    fn uncertain(&self, serving: &[Classed<'_>]) -> Option<String> {
        let hosts = self.observed.sighting.leaving_hosts.unknown();
        let hosts = hosts.map(|reason| format!("which hosts are about to leave: {reason}"));
        hosts.or_else(|| {
            serving.iter().chain(&self.kept).find_map(|c| {
                let reason = c.uncertain.as_ref()?;
                Some(format!("whether load balancers see {}: {reason}", c.task.id))
            })
        })
    }

    fn books(&self) -> Vec<AppBook> {
        let size = |app: &App| {
            let scaled = self.scale.iter().find(|scale| scale.place == place(app));
            scaled.map_or(app.instances, |scale| scale.instances)
        };
        let book = |app: &&App, old: bool| AppBook {
            place: place(app),
            old,
            instances: size(app),
            tasks: living(app).map(|task| task.id.clone()).collect(),
        };
        let olds = self.olds.iter().map(|app| book(app, true));
        self.new.iter().map(|app| book(app, false)).chain(olds).collect()
    }

    fn why(&self, create: bool, going: usize, undrain: usize, uncertain: Option<String>) -> Why {
        let counts = self.counts();
        let need = self.desired.instances;
        let mut waiting = vec![];
        waiting.extend(uncertain.map(WaitingOn::Unknown));
        waiting.extend(create.then_some(WaitingOn::Created));
        if self.new.is_some() && self.happy_new < need {
            waiting.push(WaitingOn::NewHappy { have: self.happy_new, need });
        }
        waiting.extend(self.launch());
        if undrain > 0 {
            waiting.push(WaitingOn::Undrain(undrain));
        }
        waiting.extend(self.unasked());
        if going > 0 {
            waiting.push(WaitingOn::Draining(going));
        }
        if self.at_risk_new > 0 {
            waiting.push(WaitingOn::AtRisk(self.at_risk_new));
        }
        let staying = counts.old_tasks().saturating_sub(going);
        if staying > 0 || (counts.old_apps > 0 && going == 0) {
            waiting.push(WaitingOn::OldGone(staying));
        }
        Why { method: self.desired.method.name().to_owned(), counts, waiting }
    }

    /// What launching the wanted version waits for.
    fn launch(&self) -> Option<WaitingOn> {
        let new = self.new.filter(|app| alive(app) < app.instances)?;
        match new.launch.as_ref()? {
            LaunchWait::BackOff { seconds_left } => {
                let last_failure = new.last_failure.as_ref().map(|failure| failure.message.clone());
                Some(WaitingOn::LaunchBackOff { seconds_left: *seconds_left, last_failure })
            }
            LaunchWait::Resources { reason } => Some(WaitingOn::LaunchResources { reason: reason.clone() }),
        }
    }

    /// A task of the wanted version may still be told to take no traffic, and nobody could be asked.
    fn unasked(&self) -> Option<WaitingOn> {
        self.kept.iter().find_map(|c| match &c.drain {
            DrainState::Unknown(reason) => {
                Some(WaitingOn::Unknown(format!("whether {} takes traffic: {reason}", c.task.id)))
            }
            _ => None,
        })
    }

    fn counts(&self) -> Counts {
        let count = |class| self.leaving.iter().filter(|c| c.class == class).count();
        Counts {
            new_app_exists: self.new.is_some(),
            wanted: self.desired.instances,
            happy_new: self.happy_new,
            old_happy: count(Class::Happy),
            old_unhappy: count(Class::Unhappy),
            old_draining: count(Class::Draining),
            old_at_risk: count(Class::AtRisk),
            old_apps: self.olds.len(),
        }
    }
}

/// Whether this app is the wanted version in its home; the same id elsewhere is an old app (§2.2).
fn is_new(app: &App, desired: &Desired) -> bool {
    app.id == desired.app && app.home == desired.homes.current
}

/// Whether a task of the wanted version counts as capacity. One that is told to take no traffic does not, until it was
/// told otherwise and seen again.
fn serves(classed: &Classed<'_>) -> bool {
    classed.happy && classed.uncertain.is_none() && classed.class != Class::Draining
}

/// Told by us to take no traffic, and wanted (§5.5 step 7e). Somebody else's word is not ours to undo.
fn to_undrain(classed: &Classed<'_>) -> bool {
    classed.drain == DrainState::Draining && classed.task.phase != TaskPhase::Unreachable
}

fn place(app: &App) -> Place {
    Place { home: app.home.clone(), app: app.id.clone() }
}

/// The tasks that are not being killed already.
fn living(app: &App) -> impl Iterator<Item = &paasta_core::Task> {
    app.tasks.iter().filter(|task| task.phase != TaskPhase::Killing)
}

fn alive(app: &App) -> usize {
    living(app).count()
}
