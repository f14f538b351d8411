//! What deploy.yaml says beside the steps (config.md §1.7).

use paasta_core::ServiceName;

use super::Soa;
use crate::setting::{Scope, SettingError};
use crate::{LoadError, Map, Node, SystemConfig};

/// What happens to a deploy that people may be told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeployMoment {
    /// A version was marked for deployment.
    AfterMark,
    /// It runs everywhere.
    AfterGoodDeploy,
    /// It was given up.
    AfterAbort,
    /// It was rolled back by itself.
    AfterAutoRollback,
}

impl DeployMoment {
    fn key(self) -> &'static str {
        match self {
            Self::AfterMark => "notify_after_mark",
            Self::AfterGoodDeploy => "notify_after_good_deploy",
            Self::AfterAbort => "notify_after_abort",
            Self::AfterAutoRollback => "notify_after_auto_rollback",
        }
    }
}

/// deploy.yaml as a whole; [`Soa::pipeline`] has its steps alone.
#[derive(Clone, Debug)]
pub struct DeploySettings {
    map: Map,
}

impl DeploySettings {
    /// Where people are told: the first of `slack_channels`, unless `slack_notify` is false or there is none; then
    /// `#deploy`.
    pub fn slack_channel(&self) -> Result<String, SettingError> {
        let own = self.scope().texts_or_null("slack_channels")?.unwrap_or_default().first().copied();
        let channel = if self.slack_notify()? { own } else { None };
        Ok(channel.unwrap_or("#deploy").to_owned())
    }

    /// Whether the service's own channel is told. Default true.
    pub fn slack_notify(&self) -> Result<bool, SettingError> {
        Ok(self.scope().boolean("slack_notify")?.unwrap_or(true))
    }

    /// Whether people are told of what happens in a step: the key of the moment, else the step's `slack_notify`.
    /// Default false, for steps that there are not as well.
    pub fn notifies(&self, step: &str, moment: DeployMoment) -> Result<bool, SettingError> {
        let Some((path, step)) = self.step(step)? else { return Ok(false) };
        let scope = Scope { map: step, path: &path };
        match scope.boolean(moment.key())? {
            Some(notifies) => Ok(notifies),
            None => Ok(scope.boolean("slack_notify")?.unwrap_or(false)),
        }
    }

    /// A key of a step that is there for others, such as `trigger_next_step_manually` or `auto_rollback`, as written.
    pub fn of_step(&self, step: &str, key: &str) -> Result<Option<&Node>, SettingError> {
        Ok(self.step(step)?.and_then(|(_, step)| step.get(key)))
    }

    /// The deploy group whose version counts as that of production.
    pub fn production_deploy_group(&self) -> Result<Option<&str>, SettingError> {
        self.scope().text_or_null("production_deploy_group")
    }

    /// The groups of people who may deploy: its own, else `default_push_groups` of the system configuration; `None`
    /// for everybody.
    pub fn allowed_push_groups(&self, system: &SystemConfig) -> Result<Option<Vec<String>>, LoadError> {
        match self.scope().texts_or_null("allowed_push_groups")? {
            Some(groups) => Ok(Some(groups.into_iter().map(str::to_owned).collect())),
            None => Ok(system.default_push_groups()?),
        }
    }

    fn step(&self, name: &str) -> Result<Option<(String, &Map)>, SettingError> {
        for (place, node) in self.scope().list_or_null("pipeline")?.unwrap_or_default().iter().enumerate() {
            let path = format!("pipeline[{place}]");
            let step = node.as_map().ok_or_else(|| SettingError::new(&path, node, "a map with `step`"))?;
            if step.get("step").and_then(Node::as_str) == Some(name) {
                return Ok(Some((path, step)));
            }
        }
        Ok(None)
    }

    fn scope(&self) -> Scope<'_> {
        Scope { map: &self.map, path: "" }
    }
}

impl Soa {
    /// What deploy.yaml says; nothing where there is none.
    pub fn deploy_settings(&self, service: &ServiceName) -> Result<DeploySettings, LoadError> {
        Ok(DeploySettings { map: self.file(service, "deploy.yaml")? })
    }
}
