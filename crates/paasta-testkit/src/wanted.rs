//! Instances made by hand, and a renderer for them.

use std::sync::Arc;

use paasta_config::{DeploymentRecord, DesiredState, Map, Node, RenderError, Renderer, Value, Wanted};
use paasta_core::{AppId, ClusterName, HomeId, Homes, InstanceId, NameError, Reading, Rendered};

/// Makes a [`Wanted`] without any file.
#[derive(Clone, Debug, Default)]
pub struct WantedBuilder {
    settings: Map,
    stopped: bool,
}

impl WantedBuilder {
    /// With this setting.
    #[must_use]
    pub fn set(mut self, key: &str, value: Value) -> Self {
        self.settings.insert(Node::text(key), Node::new(value));
        self
    }

    /// Stopped rather than started.
    #[must_use]
    pub fn stopped(mut self) -> Self {
        self.stopped = true;
        self
    }

    /// The instance `svc.main` in the cluster `sim`.
    pub fn build(self) -> Result<Wanted, NameError> {
        self.build_as("svc.main")
    }

    /// The instance of that name in the cluster `sim`.
    pub fn build_as(self, instance: &str) -> Result<Wanted, NameError> {
        Ok(Wanted {
            id: instance.parse()?,
            cluster: ClusterName::new("sim")?,
            settings: self.settings,
            deployment: DeploymentRecord {
                desired_state: if self.stopped { DesiredState::Stop } else { DesiredState::Start },
                ..DeploymentRecord::default()
            },
            namespace: Map::new(),
            system: Arc::new(Map::new()),
            autoscaled_count: Reading::Known(None),
            secret_signatures: Default::default(),
        })
    }
}

/// A renderer for tests: the settings `version` (a text) and `instances` (an integer) are all it reads.
#[derive(Clone, Debug)]
pub struct SimRenderer {
    /// Where every instance belongs.
    pub homes: Homes,
}

impl SimRenderer {
    /// One home, and those where apps may have been left.
    pub fn new<'a>(current: &str, previous: impl IntoIterator<Item = &'a str>) -> Self {
        let previous = previous.into_iter().map(HomeId::new).collect();
        Self { homes: Homes { current: HomeId::new(current), previous } }
    }

    /// The id of a version of an instance.
    pub fn app_id(instance: &InstanceId, version: &str) -> AppId {
        AppId::new(format!("{}.git{version}.config{version}", instance.short_id()))
    }
}

impl Renderer for SimRenderer {
    fn render(&self, wanted: &Wanted) -> Result<Rendered, RenderError> {
        let version = wanted.settings.get("version").and_then(Node::as_str).unwrap_or("0");
        let configured = match wanted.settings.get("instances").map(|node| &node.value) {
            Some(Value::Int(count)) => usize::try_from(*count).unwrap_or(0),
            _ => 1,
        };
        let stopped = wanted.deployment.desired_state == DesiredState::Stop;
        let instances = if stopped { 0 } else { configured };
        let app = Self::app_id(&wanted.id, version);
        Ok(Rendered {
            body: serde_json::json!({ "id": app.as_str(), "instances": instances }).to_string(),
            config_hash: format!("config{version}"),
            hash_input: version.to_owned(),
            app,
            instances,
            homes: self.homes.clone(),
        })
    }
}
