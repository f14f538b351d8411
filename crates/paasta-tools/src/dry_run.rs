//! What would run, without asking any engine: one line of JSON per instance.

use paasta_config::{InstanceType, LoadError, RenderError, Soa, SystemConfig};
use paasta_core::{ClusterName, Counts, InstanceId, Reading, ServiceName, chain};
use paasta_marathon::{MarathonRenderer, render_app};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::passes::tell_missing_signatures;

/// What would run for one instance, or why nothing would.
#[derive(Debug, Serialize)]
pub struct Line {
    /// The service.
    pub service: String,
    /// The instance; none where the service's instances could not be listed.
    pub instance: Option<String>,
    /// The id of the version wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_id: Option<String>,
    /// `config` and the hash of the settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_hash: Option<String>,
    /// The wire body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<Box<RawValue>>,
    /// The number of the Marathon server it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shard: Option<usize>,
    /// Why it belongs to none, although it can be rendered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shard_error: Option<Failure>,
    /// Why it cannot be rendered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
}

/// An error for machines and for people.
#[derive(Debug, Serialize)]
pub struct Failure {
    /// The original's name of the error.
    pub class: &'static str,
    /// What is wrong.
    pub message: String,
}

impl Line {
    /// Whether anything is wrong.
    pub fn is_bad(&self) -> bool {
        self.error.is_some() || self.shard_error.is_some()
    }

    fn new(service: &ServiceName, instance: Option<String>) -> Self {
        Self {
            service: service.to_string(),
            instance,
            app_id: None,
            config_hash: None,
            app: None,
            shard: None,
            shard_error: None,
            error: None,
        }
    }

    fn failed(mut self, class: &'static str, message: String) -> Self {
        self.error = Some(Failure { class, message });
        self
    }
}

/// The line of one instance; [`LoadError::NoDeployments`], and no other error, if it is not deployed yet.
pub async fn instance(
    soa: &Soa,
    system: &SystemConfig,
    renderer: &MarathonRenderer,
    counts: &dyn Counts,
    id: &InstanceId,
) -> Result<Line, LoadError> {
    let mut line = Line::new(id.service(), Some(id.instance().to_string()));
    let unread = Reading::Unknown("it was not asked for".to_owned());
    let mut wanted = match soa.wanted(id, system, unread) {
        Ok(wanted) => wanted,
        Err(error @ LoadError::NoDeployments { .. }) => return Err(error),
        Err(error) => return Ok(line.failed(error.class(), chain(&error))),
    };
    tell_missing_signatures(soa, &wanted);
    if wanted.instance().is_autoscaled() {
        wanted.autoscaled_count = counts.count(id).await;
    }
    match render_app(&wanted) {
        Err(error) => return Ok(line.failed(error.class, error.to_string())),
        Ok(app) => {
            line.app_id = Some(app.app.to_string());
            line.config_hash = Some(app.config_hash);
            line.app = match RawValue::from_string(app.body) {
                Ok(body) => Some(body),
                Err(error) => return Ok(line.failed("InvalidBody", error.to_string())),
            };
        }
    }
    let failure = |error: RenderError| Failure { class: error.class, message: error.to_string() };
    match renderer.shard(&wanted).and_then(|shard| renderer.previous_shards(&wanted).map(|_| shard)) {
        Ok(shard) => line.shard = Some(shard),
        Err(error) => line.shard_error = Some(failure(error)),
    }
    Ok(line)
}

/// Every Marathon instance of a cluster, by service; services that cannot be listed come as lines.
pub fn instances(soa: &Soa, cluster: &ClusterName) -> Result<(Vec<InstanceId>, Vec<Line>), LoadError> {
    let (mut ids, mut failures) = (vec![], vec![]);
    for service in soa.services()? {
        match soa.instances(&service, cluster, InstanceType::Marathon) {
            Ok(names) => ids.extend(names.into_iter().map(|name| InstanceId::new(service.clone(), name))),
            Err(error) => {
                failures.push(Line::new(&service, None).failed(error.class(), chain(&error)));
            }
        }
    }
    Ok((ids, failures))
}
