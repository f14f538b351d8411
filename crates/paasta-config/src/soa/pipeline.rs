//! `deploy.yaml` (config.md §1.7).

use paasta_core::ServiceName;

use super::Soa;
use crate::setting::{Scope, SettingError};
use crate::{LoadError, Position};

/// The steps of a service's pipeline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pipeline {
    /// In order.
    pub steps: Vec<Step>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// `itest`, …, or a deploy group.
    pub name: String,
    /// Where it is written.
    pub position: Option<Position>,
}

impl Step {
    /// Whether the step deploys to a group of its name, rather than being one of the predefined.
    pub fn is_deploy_group(&self) -> bool {
        const PREDEFINED: [&str; 5] = [
            "itest",
            "itest-and-push-to-registry",
            "security-check",
            "performance-check",
            "push-to-registry",
        ];
        !PREDEFINED.contains(&self.name.as_str()) && !self.name.starts_with("command-")
    }
}

impl Pipeline {
    /// The deploy groups, in order.
    pub fn deploy_groups(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().filter(|step| step.is_deploy_group()).map(|step| step.name.as_str())
    }
}

impl Soa {
    /// The pipeline of a service; without steps where it has no `deploy.yaml`.
    pub fn pipeline(&self, service: &ServiceName) -> Result<Pipeline, LoadError> {
        let document = self.document(service, "deploy.yaml")?;
        let scope = Scope { map: &document.map, path: "" };
        let mut steps = Vec::new();
        for (index, node) in scope.list_or_null("pipeline")?.unwrap_or_default().iter().enumerate() {
            let path = format!("pipeline[{index}]");
            let map = node.as_map().ok_or_else(|| SettingError::new(&path, node, "a map with `step`"))?;
            let step = map.get("step").ok_or_else(|| SettingError::new(&path, node, "a map with `step`"))?;
            let name =
                step.as_str().ok_or_else(|| SettingError::new(format!("{path}.step"), step, "a string"))?;
            steps.push(Step { name: name.to_owned(), position: step.position.clone() });
        }
        Ok(Pipeline { steps })
    }
}
