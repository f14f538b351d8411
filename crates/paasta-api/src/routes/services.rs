//! Which services and instances this cluster has.

use axum::Json;
use axum::extract::{Path, State};
use paasta_api_client::{InstanceList, ServiceList};
use paasta_core::{InstanceName, ServiceName};

use super::service_name;
use crate::error::Failure;
use crate::state::ApiState;

pub(super) async fn all(State(state): State<ApiState>) -> Result<Json<ServiceList>, Failure> {
    let services = state.read(|state| state.soa.services()).await?;
    let listed = state.read(move |state| Ok(pairs(state, services))).await?;
    Ok(Json(ServiceList { services: listed }))
}

/// A service that cannot be read must not hide the others.
fn pairs(state: &ApiState, services: Vec<ServiceName>) -> Vec<(ServiceName, InstanceName)> {
    let mut pairs = Vec::new();
    for service in services {
        match instances(state, &service) {
            Ok(names) => pairs.extend(names.into_iter().map(|name| (service.clone(), name))),
            Err(error) => tracing::warn!(%service, %error, "could not list instances"),
        }
    }
    pairs
}

pub(super) async fn one(
    State(state): State<ApiState>,
    Path(service): Path<String>,
) -> Result<Json<InstanceList>, Failure> {
    let service = service_name(service)?;
    let name = service.clone();
    let found = state
        .read(move |state| match state.soa.services()?.contains(&service) {
            true => Ok(Some(instances(state, &service)?)),
            false => Ok(None),
        })
        .await?;
    match found {
        Some(instances) => Ok(Json(InstanceList { instances })),
        None => Err(Failure::not_found("no_such_service", format!("there is no service `{name}`"))),
    }
}

fn instances(state: &ApiState, service: &ServiceName) -> Result<Vec<InstanceName>, paasta_config::LoadError> {
    let all = state.soa.all_instances(service, &state.cluster)?;
    let mut names: Vec<InstanceName> = all.into_iter().map(|(name, _)| name).collect();
    names.sort();
    names.dedup();
    Ok(names)
}
