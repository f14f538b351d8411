//! What one instance comes to, and the seam to whatever renders it.

use std::collections::BTreeMap;
use std::sync::Arc;

use paasta_core::{ClusterName, InstanceId, Reading, Rendered};

use crate::{Feed, InstanceConfig, InstanceType, Map, Position, SettingError};

/// All that decides what runs for one instance: its merged settings, its deployment, and what the cluster adds.
///
/// Made by `Soa::wanted`, or by hand in tests.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Which instance.
    pub id: InstanceId,
    /// In which cluster.
    pub cluster: ClusterName,
    /// The merged instance map: instance file over autotuned defaults over the service's general map
    /// (config.md §1.6). Its `docker_registry` is the service's own.
    pub settings: Map,
    /// The slice of deployments.json.
    pub deployment: DeploymentRecord,
    /// The SmartStack namespace of the first registration, as read (config.md §1.8).
    pub namespace: Map,
    /// The system configuration, merged.
    pub system: Arc<Map>,
    /// The autoscaled count, where the instance is autoscaled; `Known(None)` where none is written.
    pub autoscaled_count: Reading<Option<i64>>,
    /// Per secret reference in `env`, its signature (config.md §6.4).
    pub secret_signatures: BTreeMap<String, Option<String>>,
}

/// One instance's slice of deployments.json (config.md §4.8).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeploymentRecord {
    /// Image without registry; empty where none is deployed.
    pub docker_image: String,
    /// The full sha of the deploy tag.
    pub git_sha: String,
    /// Started or stopped.
    pub desired_state: DesiredState,
    /// The token of the last start or stop tag.
    pub force_bounce: Option<String>,
}

/// Whether tasks are wanted at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DesiredState {
    /// As many as configured.
    #[default]
    Start,
    /// None. Any word but `start` reads so.
    Stop,
}

/// Turns what is wanted into what an engine runs. Pure: same input, same bytes. Below the engine seam: each
/// engine brings its own.
pub trait Renderer: Send + Sync {
    /// Identity, home and body of what would run now.
    fn render(&self, wanted: &Wanted) -> Result<Rendered, RenderError>;

    /// What differs between two hash inputs of this renderer, field by field; none where they are the same. An empty
    /// `old` has no fields. A renderer that knows no fields of its texts gives each as a whole.
    fn compare(&self, old: &str, new: &str) -> Vec<FieldChange> {
        let whole = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        match old == new {
            true => Vec::new(),
            false => vec![FieldChange { field: String::new(), old: whole(old), new: whole(new) }],
        }
    }

    /// The settings that may decide a field of [`Renderer::compare`], the nearest first.
    fn feeds(&self, field: &str) -> Vec<Feed> {
        let _ = field;
        Vec::new()
    }
}

/// A field that differs between two renderings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldChange {
    /// Its path in the renderer's own words; empty for the whole.
    pub field: String,
    /// The value before, as JSON; none where the field was not there.
    pub old: Option<String>,
    /// The value after, as JSON; none where the field is not there any more.
    pub new: Option<String>,
}

/// Why an instance cannot be rendered. `class` is the original's name of the error
/// (marathon-and-bounce.md §1.11), for machines; the message is for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", position.as_ref().map(|p| format!("{p}: ")).unwrap_or_default())]
pub struct RenderError {
    /// `InvalidInstanceConfig`, `NoDockerImage`, `NoSlavesAvailable`, ….
    pub class: &'static str,
    /// What is wrong, with the key and its value.
    pub message: String,
    /// Where the value stands.
    pub position: Option<Position>,
}

impl Wanted {
    /// Checked getters over the settings.
    ///
    /// ```
    /// # fn show(wanted: &paasta_config::Wanted) -> Result<(), paasta_config::SettingError> {
    /// let config = wanted.instance();
    /// println!("{} is bounced by {}", config.id(), config.bounce_method()?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn instance(&self) -> InstanceConfig<'_> {
        InstanceConfig::new(&self.id, InstanceType::Marathon, &self.cluster, &self.settings, &self.namespace)
    }

    /// How many copies are wanted now: none while stopped, else [`InstanceConfig::instance_count`].
    pub fn desired_instances(&self) -> Result<Reading<i64>, SettingError> {
        match self.deployment.desired_state {
            DesiredState::Stop => Ok(Reading::Known(0)),
            DesiredState::Start => self.instance().instance_count(&self.autoscaled_count),
        }
    }
}
