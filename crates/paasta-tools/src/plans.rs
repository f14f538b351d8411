//! What one pass over an instance would do, as data and as text.

use std::fmt;

use paasta_bounce::Why;
use paasta_core::{AppId, InstanceId};
use paasta_setup::PassAction;
use serde::Serialize;

/// What one pass over one instance would do.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InstancePlan {
    /// The instance.
    pub instance: InstanceId,
    /// The version wanted.
    pub app: AppId,
    /// What would be done, in order, if all of it went well.
    pub actions: Vec<PassAction>,
    /// What the instance waits for, and the counts behind it.
    pub why: Why,
}

impl fmt::Display for InstancePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.instance)?;
        if self.actions.is_empty() {
            return write!(f, "would do nothing; {}", self.why);
        }
        let said: Vec<String> = self.actions.iter().map(|action| phrase(action, &self.app)).collect();
        write!(f, "would {}; {}", said.join(", "), self.why)
    }
}

fn phrase(action: &PassAction, wanted: &AppId) -> String {
    match action {
        PassAction::Create { home } => format!("create {wanted} in {home}"),
        PassAction::Scale { home, app, instances } => format!("scale {app} in {home} to {instances}"),
        PassAction::Drain { task, renewal: false } => format!("drain {task}"),
        PassAction::Drain { task, renewal: true } => format!("renew the drain of {task}"),
        PassAction::Undrain { task } => format!("give {task} traffic again"),
        PassAction::Kill { home, tasks } => {
            let tasks: Vec<_> = tasks.iter().map(ToString::to_string).collect();
            format!("kill {} in {home}", tasks.join(" and "))
        }
        PassAction::Delete { home, app } => format!("delete {app} in {home}"),
    }
}
