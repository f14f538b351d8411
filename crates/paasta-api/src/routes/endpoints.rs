//! Where a registration is served.

use axum::Json;
use axum::extract::{Path, State};
use futures_util::future::join_all;
use paasta_api_client::{Endpoint, RegistrationEndpoints, TaskHealth, UnknownEndpoints};
use paasta_bounce::DrainState;
use paasta_config::InstanceType;
use paasta_core::{App, InstanceId, Reading, Registration, ServiceName, Task, TaskPhase, chain};
use paasta_setup::{Look, look, target};

use super::status::wanted;
use crate::assemble::{is_healthy, phase};
use crate::error::Failure;
use crate::state::ApiState;

pub(super) async fn endpoints(
    State(state): State<ApiState>,
    Path(registration): Path<String>,
) -> Result<Json<RegistrationEndpoints>, Failure> {
    let registration =
        Registration::new(registration).map_err(|error| Failure::bad_request(error.to_string()))?;
    let name = registration.as_str().to_owned();
    let (ids, mut unknown) = state.read(move |state| registered(state, &registration)).await?;
    if ids.is_empty() && unknown.is_empty() {
        let message = format!("no instance of cluster `{}` is registered as `{name}`", state.cluster);
        return Err(Failure::not_found("no_such_registration", message));
    }
    let mut endpoints = Vec::new();
    for part in join_all(ids.iter().map(|id| of_instance(&state, id))).await {
        endpoints.extend(part.endpoints);
        unknown.extend(part.unknown);
    }
    endpoints.sort_by(|a, b| (&a.address, a.port, &a.task_id).cmp(&(&b.address, b.port, &b.task_id)));
    Ok(Json(RegistrationEndpoints { registration: name, endpoints, unknown }))
}

/// The instances that are registered under that name, which may be of any service, and what could not be read.
fn registered(
    state: &ApiState,
    registration: &Registration,
) -> Result<(Vec<InstanceId>, Vec<UnknownEndpoints>), paasta_config::LoadError> {
    let (mut ids, mut unknown) = (Vec::new(), Vec::new());
    for service in state.soa.services()? {
        let names = match state.soa.instances(&service, &state.cluster, InstanceType::Marathon) {
            Ok(names) => names,
            Err(error) => {
                unknown.push(UnknownEndpoints { service, instance: None, reason: chain(&error) });
                continue;
            }
        };
        for name in names {
            let id = InstanceId::new(service.clone(), name);
            match is_registered(state, &id, registration) {
                Ok(true) => ids.push(id),
                Ok(false) => {}
                Err(reason) => unknown.push(unknown_of(&id, reason)),
            }
        }
    }
    Ok((ids, unknown))
}

fn is_registered(state: &ApiState, id: &InstanceId, registration: &Registration) -> Result<bool, String> {
    let instance = state.soa.instance(id, InstanceType::Marathon, &state.cluster, &state.system);
    let instance = instance.map_err(|error| chain(&error))?;
    let names = instance.config().registrations().map_err(|error| chain(&error))?;
    let same = |name: &String| {
        let other = Registration::new(name.as_str());
        other.is_ok_and(|other| {
            (other.service(), other.namespace()) == (registration.service(), registration.namespace())
        })
    };
    Ok(names.iter().any(same))
}

#[derive(Default)]
struct Part {
    endpoints: Vec<Endpoint>,
    unknown: Vec<UnknownEndpoints>,
}

/// What runs of one instance. One that is not deployed has nothing.
async fn of_instance(state: &ApiState, id: &InstanceId) -> Part {
    let unread = |reason| Part { endpoints: Vec::new(), unknown: vec![unknown_of(id, reason)] };
    let wanted = match wanted(state, id).await {
        Ok(wanted) => wanted,
        Err(failure) if failure.code() == "not_deployed" => return Part::default(),
        Err(failure) => return unread(failure.message()),
    };
    let target = match target(&wanted, state.renderer.as_ref(), state.drains.as_ref()) {
        Ok(target) => target,
        Err(error) => return unread(chain(&error)),
    };
    let sighting = state.engine.observe(id, &target.rendered.homes).await;
    // Load balancers are not asked: what they do not know yet may be what is looked for here.
    let look = look(sighting, &target, None, &state.limits, state.clock.now()).await;
    let homes = look.observed.sighting.homes.values();
    let unknown =
        homes.filter_map(Reading::unknown).map(|reason| unknown_of(id, reason.to_owned())).collect();
    let apps = look.observed.sighting.apps();
    let tasks = apps.flat_map(|app| app.tasks.iter().map(move |task| (app, task)));
    Part { endpoints: tasks.filter_map(|(app, task)| endpoint(id, app, task, &look)).collect(), unknown }
}

/// A task without a host or a port is nowhere yet.
fn endpoint(id: &InstanceId, app: &App, task: &Task, look: &Look) -> Option<Endpoint> {
    let port = *task.ports.first()?;
    let draining = match look.observed.drains.get(&task.id) {
        None | Some(DrainState::Unknown(_)) => None,
        Some(state) => Some(state.is_draining()),
    };
    let healthy = is_healthy(task, app);
    let may = task.phase == TaskPhase::Running && healthy == Some(true);
    Some(Endpoint {
        address: Some(task.host.clone()).filter(|host| !host.is_empty())?,
        port,
        service: id.service().clone(),
        instance: id.instance().clone(),
        task_id: task.id.clone(),
        app_id: app.id.clone(),
        phase: phase(&task.phase),
        health: match (draining, healthy) {
            (Some(true), _) => TaskHealth::Draining,
            (_, Some(true)) => TaskHealth::Healthy,
            (_, Some(false)) => TaskHealth::Unhealthy,
            (_, None) => TaskHealth::Unchecked,
        },
        draining,
        takes_traffic: if may { draining.map(|draining| !draining) } else { Some(false) },
    })
}

fn unknown_of(id: &InstanceId, reason: String) -> UnknownEndpoints {
    let (service, instance): (ServiceName, _) = (id.service().clone(), Some(id.instance().clone()));
    UnknownEndpoints { service, instance, reason }
}
