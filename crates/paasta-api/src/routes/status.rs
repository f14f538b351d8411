//! How one instance does.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use paasta_api_client::{InstanceStatus, StatusQuery};
use paasta_config::{InstanceType, Wanted};
use paasta_core::{InstanceId, Reading, Sighting, chain};
use paasta_setup::{Look, PassError, Target, look, target};

use super::{bad_query, instance_id};
use crate::assemble::{self, Facts, Seen};
use crate::error::Failure;
use crate::state::ApiState;

pub(super) async fn status(
    State(state): State<ApiState>,
    Path((service, instance)): Path<(String, String)>,
    query: Result<Query<StatusQuery>, QueryRejection>,
) -> Result<Json<InstanceStatus>, Failure> {
    let Query(query) = query.map_err(|rejection| bad_query(&rejection))?;
    let id = instance_id(service, instance)?;
    let wanted = wanted(&state, &id).await?;
    let method = wanted.instance().bounce_method();
    let target = target(&wanted, state.renderer.as_ref(), state.drains.as_ref());
    let looked = match &target {
        Ok(target) => Some(look_at(&state, &id, target).await),
        Err(_) => None,
    };
    Ok(Json(assemble::status(&Facts {
        instance: &id,
        deployment: &wanted.deployment,
        bounce_method: method.as_deref().unwrap_or("unknown"),
        rendered: target.as_ref().map(|target| &target.rendered).map_err(|error| chain(error)),
        seen: looked.as_ref().map(seen),
        list_tasks: query.verbose > 0,
    })))
}

/// The apps of an instance, whatever it is to run now.
pub(super) async fn sighting(state: &ApiState, id: &InstanceId) -> Result<Sighting, Failure> {
    let wanted = wanted(state, id).await?;
    let target = target(&wanted, state.renderer.as_ref(), state.drains.as_ref());
    let target = target.map_err(|error| not_renderable(&error))?;
    Ok(state.engine.observe(id, &target.rendered.homes).await)
}

pub(super) async fn wanted(state: &ApiState, id: &InstanceId) -> Result<Wanted, Failure> {
    let kind = {
        let id = id.clone();
        state.read(move |state| state.soa.instance_type(&id, &state.cluster)).await?
    };
    if kind != InstanceType::Marathon {
        let message = format!("`{id}` is a {kind} instance, whose status is not known here");
        return Err(Failure::new(StatusCode::NOT_IMPLEMENTED, "unsupported_type", message));
    }
    let count = match is_autoscaled(state, id).await? {
        true => state.counts.count(id).await,
        false => Reading::Known(None),
    };
    let id = id.clone();
    state.read(move |state| state.soa.wanted(&id, &state.system, count)).await
}

async fn is_autoscaled(state: &ApiState, id: &InstanceId) -> Result<bool, Failure> {
    let id = id.clone();
    let read = move |state: &ApiState| {
        let instance = state.soa.instance(&id, InstanceType::Marathon, &state.cluster, &state.system)?;
        Ok(instance.config().is_autoscaled())
    };
    state.read(read).await
}

async fn look_at(state: &ApiState, id: &InstanceId, target: &Target) -> Look {
    let sighting = state.engine.observe(id, &target.rendered.homes).await;
    look(sighting, target, state.discovery.as_deref(), &state.limits, state.clock.now()).await
}

fn seen(look: &Look) -> Seen<'_> {
    Seen {
        sighting: &look.observed.sighting,
        drains: &look.observed.drains,
        why: &look.why,
        look_again_at: look.look_again_at,
    }
}

fn not_renderable(error: &PassError) -> Failure {
    Failure::of(StatusCode::INTERNAL_SERVER_ERROR, "configuration", error)
}
