//! Answers in Marathon's shapes.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

use crate::state::{DefinitionError, Refusal, Reply};

/// What a handler returns: a finished answer either way.
pub(crate) type Answer = Result<Response<Body>, Response<Body>>;

/// A JSON answer.
pub(crate) fn json_answer(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store, must-revalidate"));
    response
}

/// 200 with JSON.
pub(crate) fn ok(body: &Value) -> Response<Body> {
    json_answer(StatusCode::OK, body)
}

/// A status without a body.
pub(crate) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// Plain text.
pub(crate) fn text(body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// `{"message": …}`.
pub(crate) fn message(status: StatusCode, message: &str) -> Response<Body> {
    json_answer(status, &json!({ "message": message }))
}

/// What the state machine answered.
pub(crate) fn reply(reply: Reply) -> Response<Body> {
    match reply {
        Reply::Created(app) => created(&app),
        Reply::Deployed { version, deployment } => {
            deployed(StatusCode::OK, &version.to_string(), &deployment)
        }
        Reply::Killed(tasks) => ok(&json!({ "tasks": tasks })),
        Reply::Done => empty(StatusCode::OK),
    }
}

/// An app was created: its address and its deployment are in the headers too.
fn created(app: &Value) -> Response<Body> {
    let mut response = json_answer(StatusCode::CREATED, app);
    let text = |value: &Value| value.as_str().map(str::to_owned).unwrap_or_default();
    let location = format!("/v2/apps{}", text(app.get("id").unwrap_or(&Value::Null)));
    let deployment = app.pointer("/deployments/0/id").map(text).unwrap_or_default();
    let headers = response.headers_mut();
    if let (Ok(location), Ok(deployment)) =
        (HeaderValue::from_str(&location), HeaderValue::from_str(&deployment))
    {
        headers.insert(header::LOCATION, location);
        headers.insert("Marathon-Deployment-Id", deployment);
    }
    response
}

/// A deployment was begun.
fn deployed(status: StatusCode, version: &str, deployment: &str) -> Response<Body> {
    let mut response = json_answer(status, &json!({"version": version, "deploymentId": deployment}));
    if let Ok(id) = HeaderValue::from_str(deployment) {
        response.headers_mut().insert("Marathon-Deployment-Id", id);
    }
    response
}

/// Why the state machine refused.
pub(crate) fn refusal(refusal: &Refusal) -> Response<Body> {
    let text = refusal.to_string();
    match refusal {
        Refusal::NoApp(_)
        | Refusal::NoVersion(..)
        | Refusal::NoTask(_)
        | Refusal::NoDeployment(_)
        | Refusal::NotQueued(_) => message(StatusCode::NOT_FOUND, &text),
        Refusal::AppExists(_) => message(StatusCode::CONFLICT, &text),
        Refusal::Locked { deployments } => {
            let holders: Vec<Value> = deployments.iter().map(|id| json!({ "id": id })).collect();
            json_answer(StatusCode::CONFLICT, &json!({"message": text, "deployments": holders}))
        }
        Refusal::Invalid(error) => {
            let (status, problems) = match error {
                DefinitionError::Type(problems) => (StatusCode::BAD_REQUEST, problems),
                DefinitionError::Value(problems) => (StatusCode::UNPROCESSABLE_ENTITY, problems),
            };
            json_answer(status, &json!({"message": text, "details": problems}))
        }
        Refusal::Maintenance(_) => message(StatusCode::BAD_REQUEST, &text),
        Refusal::Full(_) => message(StatusCode::SERVICE_UNAVAILABLE, &text),
    }
}
