//! The routes, one module for each kind of question.

use axum::extract::rejection::QueryRejection;
use axum::http::{Method, Uri};
use axum::routing::get;
use axum::{Json, Router};
use paasta_core::{InstanceId, InstanceName, ServiceName};

use crate::error::Failure;
use crate::state::ApiState;

mod endpoints;
mod services;
mod status;
mod task_log;

/// All routes over that state.
///
/// ```no_run
/// # async fn run(state: paasta_api::ApiState) -> std::io::Result<()> {
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:5054").await?;
/// paasta_api::serve(listener, paasta_api::router(state), std::future::pending()).await
/// # }
/// ```
pub fn router(state: ApiState) -> Router {
    let routes = Router::new()
        .route("/version", get(version))
        .route("/services", get(services::all))
        .route("/services/{service}", get(services::one))
        .route("/registrations/{registration}/endpoints", get(endpoints::endpoints))
        .route("/services/{service}/{instance}/status", get(status::status))
        .route("/services/{service}/{instance}/tasks/{task}/log", get(task_log::task_log));
    Router::new()
        .nest("/v1", routes)
        .fallback(unknown_route)
        .method_not_allowed_fallback(unknown_method)
        .with_state(state)
}

async fn version() -> Json<&'static str> {
    Json(env!("CARGO_PKG_VERSION"))
}

async fn unknown_route(uri: Uri) -> Failure {
    Failure::not_found("no_such_route", format!("there is nothing at `{}`", uri.path()))
}

async fn unknown_method(method: Method, uri: Uri) -> Failure {
    let message = format!("`{}` does not take {method}", uri.path());
    Failure::new(axum::http::StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
}

fn service_name(text: String) -> Result<ServiceName, Failure> {
    ServiceName::new(text).map_err(|error| Failure::bad_request(error.to_string()))
}

fn instance_id(service: String, instance: String) -> Result<InstanceId, Failure> {
    let instance = InstanceName::new(instance).map_err(|error| Failure::bad_request(error.to_string()))?;
    Ok(InstanceId::new(service_name(service)?, instance))
}

fn bad_query(rejection: &QueryRejection) -> Failure {
    Failure::bad_request(rejection.body_text())
}
