//! From settings to what is wanted: everything that can be wrong with them is found here, before anything is done.

use paasta_bounce::{Desired, HealthParams, MarginFactor, method};
use paasta_config::{InstanceConfig, InstanceType, Renderer, Wanted};
use paasta_core::{InstanceId, NameError, Reading, Registration, Rendered};
use paasta_drain::{DrainMethod, DrainPlace};

use crate::{Drains, Need, PassError};

/// What is wanted of one instance, and how its tasks lose traffic.
pub struct Target {
    /// Identity, homes and body.
    pub rendered: Rendered,
    /// What the decision needs.
    pub desired: Desired,
    /// Under which name its tasks are discovered.
    pub registration: Registration,
    /// Takes traffic off its tasks.
    pub drain: Box<dyn DrainMethod>,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target").field("desired", &self.desired).finish_non_exhaustive()
    }
}

/// Works out what is wanted (marathon-and-bounce.md §5.4). Pure but for what `drains` holds.
///
/// # Errors
/// Any setting that decides how the instance is bounced and cannot be read, and an autoscaled count that is needed
/// and unknown.
pub fn target(wanted: &Wanted, renderer: &dyn Renderer, drains: &dyn Drains) -> Result<Target, PassError> {
    let instance = || wanted.id.clone();
    let setting = |source| PassError::Setting { instance: instance(), source: Box::new(source) };
    let config = InstanceConfig::new(
        &wanted.id,
        InstanceType::Marathon,
        &wanted.cluster,
        &wanted.settings,
        &wanted.namespace,
    );
    if let (true, Reading::Unknown(reason)) = (config.is_autoscaled(), &wanted.autoscaled_count) {
        return Err(PassError::Needs {
            instance: instance(),
            need: Need::AutoscaledCount,
            reason: reason.clone(),
        });
    }
    let rendered = renderer
        .render(wanted)
        .map_err(|source| PassError::Render { instance: instance(), source: Box::new(source) })?;
    let method = method(&config.bounce_method().map_err(setting)?).map_err(|source| {
        let written = wanted.settings.get("bounce_method");
        PassError::BounceMethod {
            instance: instance(),
            position: written.and_then(|n| n.position.clone()),
            source,
        }
    })?;
    let margin = MarginFactor::new(config.bounce_margin_factor().map_err(setting)?)
        .map_err(|source| PassError::Margin { instance: instance(), source })?;
    let health = config.bounce_health_params().map_err(setting)?;
    let registrations = registrations(&config.registrations().map_err(setting)?)
        .map_err(|source| PassError::Registration { instance: instance(), source })?;
    let registration = first(&registrations, &wanted.id)
        .map_err(|source| PassError::Registration { instance: instance(), source })?;
    let place = DrainPlace {
        service: wanted.id.service().clone(),
        instance: wanted.id.instance().clone(),
        registrations,
    };
    let drain = drains
        .build(&wanted.settings, config.is_in_smartstack(), &place)
        .map_err(|source| PassError::Drain { instance: instance(), source: Box::new(source) })?;
    let desired = Desired {
        app: rendered.app.clone(),
        homes: rendered.homes.clone(),
        instances: rendered.instances,
        method,
        margin,
        health: HealthParams {
            min_task_uptime_seconds: health.min_task_uptime,
            check_haproxy: health.check_haproxy,
            haproxy_min_fraction_up: health.haproxy_min_fraction_up,
        },
    };
    Ok(Target { rendered, desired, registration, drain })
}

/// The first registration; there is always one.
fn first(registrations: &[Registration], id: &InstanceId) -> Result<Registration, NameError> {
    registrations.first().cloned().map_or_else(|| Registration::new(id.to_string()), Ok)
}

fn registrations(texts: &[String]) -> Result<Vec<Registration>, NameError> {
    texts.iter().map(|text| Registration::new(text.clone())).collect()
}
