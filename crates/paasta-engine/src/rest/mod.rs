//! Marathon's REST face, that of a Mesos master, and a few routes of our own.
//!
//! Requests are matched by hand on the segments of their path, because app ids may hold slashes and clients
//! send doubled ones. [`route`] is the table.

#![expect(clippy::result_large_err, reason = "an early answer is an answer too, made once per request")]

mod apps;
mod auth;
mod events;
mod mesos;
mod mesos_files;
mod misc;
mod reply;
mod request;
mod tasks;

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Method, Response, StatusCode};
use paasta_core::{Clock, Timestamp};
use tokio::sync::broadcast;

use crate::core_loop::{CallError, Caller, Published};
use crate::executor::Executor;
use crate::journal::Journal;
use crate::secrets::SecretText;
use crate::state::{Command, MesosPlace};
use reply::Answer;
use request::Request;

/// What the handlers use.
pub(crate) struct Face {
    pub(crate) caller: Caller,
    pub(crate) events: broadcast::Sender<Arc<Published>>,
    pub(crate) journal: Arc<Mutex<Journal>>,
    pub(crate) executor: Arc<dyn Executor>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) token: Option<SecretText>,
    pub(crate) engine: String,
    pub(crate) host: String,
    pub(crate) address: String,
    pub(crate) started_at: Timestamp,
}

/// Everything the engine serves.
pub(crate) fn router(face: Face) -> Router {
    Router::new().fallback(serve).with_state(Arc::new(face))
}

async fn serve(State(face): State<Arc<Face>>, request: axum::extract::Request) -> Response<Body> {
    let is_ping = request.uri().path().trim_matches('/') == "ping";
    if !is_ping && !auth::is_allowed(face.token.as_ref(), request.headers()) {
        let mut response = reply::message(StatusCode::UNAUTHORIZED, "A token is needed");
        let scheme = axum::http::HeaderValue::from_static("Basic realm=\"paasta-engine\"");
        response.headers_mut().insert(axum::http::header::WWW_AUTHENTICATE, scheme);
        return response;
    }
    if face.token.is_none() && !auth::host_is_ours(&face.host, request.headers()) {
        return reply::message(StatusCode::MISDIRECTED_REQUEST, "The Host header names another machine");
    }
    let request = match Request::read(request).await {
        Ok(request) => request,
        Err(response) => return response,
    };
    route(&face, &request).await.unwrap_or_else(|response| response)
}

/// Method and path to handler.
async fn route(face: &Face, request: &Request) -> Answer {
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    let (get, post, put, delete) = (Method::GET, Method::POST, Method::PUT, Method::DELETE);
    let method = &request.method;
    match path.as_slice() {
        ["ping"] if method == get => Ok(reply::text("pong\n")),
        ["metrics"] if method == get => misc::metrics(face).await,
        ["v2", "info"] if method == get => misc::info(face),
        ["v2", "leader"] if method == get => misc::leader(face),
        ["v2", "events"] if method == get => events::stream(face, request),
        ["v2", "apps"] if method == get => apps::list(face, request).await,
        ["v2", "apps"] if method == post => apps::create(face, request).await,
        ["v2", "apps", _, ..] => apps::one(face, request).await,
        ["v2", "tasks"] if method == get => tasks::list(face, request).await,
        ["v2", "tasks", "delete"] if method == post => tasks::kill(face, request).await,
        ["v2", "queue"] if method == get => misc::queue(face, request).await,
        ["v2", "queue", id @ .., "delay"] if method == delete && !id.is_empty() => {
            misc::reset_delay(face, request).await
        }
        ["v2", "deployments"] if method == get => misc::deployments(face).await,
        ["v2", "deployments", id] if method == delete => misc::cancel(face, id, request.flag("force")).await,
        ["paasta", "health"] if method == get => misc::health(face).await,
        ["paasta", "journal"] if method == get => misc::journal(face, request),
        ["paasta", "tasks", task, "log"] if method == get => tasks::log(face, task, request).await,
        ["v2" | "paasta", ..] if method == put || method == post || method == delete => {
            Err(reply::message(StatusCode::METHOD_NOT_ALLOWED, "This engine does not have that call"))
        }
        other => match mesos::route(face, request, other).await {
            Some(answer) => answer,
            None => Err(reply::message(StatusCode::NOT_FOUND, "There is nothing here")),
        },
    }
}

impl Face {
    /// What Mesos's face tells of where it is.
    fn place(&self) -> MesosPlace {
        MesosPlace { engine: self.engine.clone(), address: self.address.clone() }
    }

    /// Carries out a command and answers in Marathon's way.
    pub(crate) async fn command(&self, command: Command) -> Answer {
        self.caller.call(command).await.map(reply::reply).map_err(|error| failure(&error))
    }
}

/// Why a call got nowhere.
pub(crate) fn failure(error: &CallError) -> Response<Body> {
    match error {
        CallError::Refused(refusal) => reply::refusal(refusal),
        CallError::Unsaved(_) | CallError::Closed => {
            reply::message(StatusCode::SERVICE_UNAVAILABLE, &error.to_string())
        }
    }
}
