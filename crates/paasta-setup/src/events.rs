//! What a service's people read about a pass (marathon-and-bounce.md §5.7), and what is written down of its changes
//! (monitoring.md §7.7).

use std::collections::BTreeMap;

use paasta_bounce::{Outcome, Plan};
use paasta_config::Wanted;
use paasta_core::{AppId, Applied, Deed, LogLevel, LogRecord, LogSink, Timestamp, chain};

use crate::observe::Statuses;
use crate::report::{PassAction, Taken};
use crate::{Need, PassError};

/// Writes about one pass.
pub(crate) struct Events<'a> {
    pub(crate) sink: &'a dyn LogSink,
    pub(crate) wanted: &'a Wanted,
    pub(crate) app: &'a AppId,
    pub(crate) now: Timestamp,
}

impl Events<'_> {
    /// A bounce is under way: what stands there, and what is missing.
    pub(crate) fn planned(&self, plan: &Plan, statuses: &Statuses) {
        let counts = &plan.why.counts;
        if !counts.new_app_exists || counts.old_apps > 0 || counts.old_tasks() > 0 {
            self.write(
                LogLevel::Event,
                format!(
                    "{} bounce of {} to {} ({}): {} more tasks to bring up; old tasks: {} happy, {} unhappy, {} \
                     draining, {} at risk, in {} old apps",
                    plan.why.method,
                    self.wanted.id,
                    self.app,
                    if counts.new_app_exists { "exists" } else { "not created yet" },
                    counts.wanted.saturating_sub(counts.happy_new),
                    counts.old_happy,
                    counts.old_unhappy,
                    counts.old_draining,
                    counts.old_at_risk,
                    counts.old_apps,
                ),
            );
        }
        for (task, reason) in statuses.failures() {
            self.write(LogLevel::Event, format!("could not ask whether task {task} drains: {reason}"));
        }
    }

    /// What was done.
    pub(crate) fn taken(&self, taken: &[Taken]) {
        let drained = |one: &&Taken| matches!(one.action, PassAction::Drain { renewal: false, .. });
        let count = taken.iter().filter(drained).filter(|one| one.outcome.is_done()).count();
        if count > 0 {
            self.write(LogLevel::Debug, format!("draining {count} tasks"));
        }
        for one in taken {
            if let Some((level, line)) = line(one) {
                self.write(level, line);
            }
            if let Some((action, details)) = deed(self.app, one) {
                self.sink.audit(&Deed {
                    at: self.now,
                    action: action.to_owned(),
                    service: Some(self.wanted.id.service().to_string()),
                    instance: Some(self.wanted.id.instance().to_string()),
                    cluster: Some(self.wanted.cluster.to_string()),
                    details,
                });
            }
        }
    }

    /// The last of what was old is gone.
    pub(crate) fn finished(&self) {
        self.write(
            LogLevel::Event,
            format!("bounce of {} is finishing: now running {}", self.wanted.id, self.app),
        );
    }

    fn write(&self, level: LogLevel, message: String) {
        self.sink.log(&record(self.wanted, self.now, level, message));
    }
}

/// A pass that could not be made (monitoring.md §7.4, "deploy errors"). That another process leads now is no error of the
/// instance.
pub(crate) fn failed(sink: &dyn LogSink, wanted: &Wanted, error: &PassError, now: Timestamp) {
    if matches!(error, PassError::Needs { need: Need::Leave, .. }) {
        return;
    }
    sink.log(&record(wanted, now, LogLevel::Event, chain(error)));
}

fn record(wanted: &Wanted, at: Timestamp, level: LogLevel, message: String) -> LogRecord {
    LogRecord {
        at,
        service: wanted.id.service().to_string(),
        instance: Some(wanted.id.instance().to_string()),
        cluster: Some(wanted.cluster.to_string()),
        component: "deploy".to_owned(),
        level,
        message,
    }
}

fn line(taken: &Taken) -> Option<(LogLevel, String)> {
    let (what, level_failed) = match &taken.action {
        PassAction::Create { home } => (format!("create the new version in {home}"), LogLevel::Event),
        PassAction::Scale { app, instances, .. } => (format!("scale {app} to {instances}"), LogLevel::Event),
        // A task that cannot be drained is killed; the kill is told as such.
        PassAction::Drain { task, .. } => (format!("drain task {task}"), LogLevel::Debug),
        PassAction::Undrain { task } => (format!("give task {task} traffic again"), LogLevel::Event),
        PassAction::Kill { tasks, .. } => {
            let tasks: Vec<_> = tasks.iter().map(|task| task.as_str()).collect();
            (format!("kill tasks {}", tasks.join(", ")), LogLevel::Event)
        }
        PassAction::Delete { app, .. } => (format!("remove the old version {app}"), LogLevel::Event),
    };
    match &taken.outcome {
        Outcome::Applied(Applied::Done) => match taken.action {
            PassAction::Drain { .. } => None,
            _ => Some((LogLevel::Debug, what)),
        },
        // Without the reason, whose numbers change from pass to pass.
        Outcome::Applied(Applied::Busy(_)) => {
            Some((LogLevel::Debug, format!("could not {what} yet: the engine is busy")))
        }
        outcome => Some((level_failed, format!("could not {what}: {}", reason(outcome)))),
    }
}

/// What an audit line says of a change that was made, or may have been: then it says so. That a drain is renewed is no
/// change.
fn deed(new: &AppId, taken: &Taken) -> Option<(&'static str, BTreeMap<String, String>)> {
    let (action, mut details) = match &taken.action {
        PassAction::Create { home } => {
            ("create-app", vec![("app", new.to_string()), ("home", home.to_string())])
        }
        PassAction::Scale { home, app, instances } => {
            let details =
                [("app", app.to_string()), ("home", home.to_string()), ("instances", instances.to_string())];
            ("scale-app", details.to_vec())
        }
        PassAction::Drain { renewal: true, .. } => return None,
        PassAction::Drain { task, .. } => ("drain-task", vec![("task", task.to_string())]),
        PassAction::Undrain { task } => ("undrain-task", vec![("task", task.to_string())]),
        PassAction::Kill { home, tasks } => {
            let tasks: Vec<_> = tasks.iter().map(|task| task.as_str()).collect();
            ("kill-tasks", vec![("home", home.to_string()), ("tasks", tasks.join(", "))])
        }
        PassAction::Delete { home, app } => {
            ("delete-app", vec![("app", app.to_string()), ("home", home.to_string())])
        }
    };
    match &taken.outcome {
        Outcome::Applied(Applied::Done) => {}
        Outcome::Applied(Applied::Unknown(reason)) => details.push(("unknown", reason.clone())),
        Outcome::Applied(Applied::Conflict(_) | Applied::Busy(_)) | Outcome::Failed(_) => return None,
    }
    Some((action, details.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()))
}

/// Why something is not done, for people.
pub(crate) fn reason(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Applied(Applied::Done) => "it is done",
        Outcome::Applied(Applied::Conflict(reason) | Applied::Busy(reason) | Applied::Unknown(reason))
        | Outcome::Failed(reason) => reason,
    }
}
