//! Requests to answers.

use std::sync::Arc;

use axum::extract::{Form, FromRequest, Query, Request, State as Shared};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use crate::answer::down_text;
use crate::check::Checked;
use crate::counts::Counters;
use crate::route::haproxy_port;
use crate::server::State;
use crate::{Down, Entry, Kind, SpoolError, Target};

/// Bytes of a request's body that are read.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// HAProxy says in it which server it means.
const SERVER_STATE: &str = "x-haproxy-server-state";

pub(crate) fn router(state: Arc<State>) -> Router {
    Router::new()
        .route("/status", get(status))
        .route("/status/count", get(count))
        .route("/recent", get(recent))
        .fallback(service)
        .layer(axum::extract::DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(state)
}

/// An answer that is no success.
enum Problem {
    NotFound,
    NotAllowed,
    Forbidden,
    BadRequest(String),
    Spool(SpoolError),
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (code, text) = match self {
            Problem::NotFound => (StatusCode::NOT_FOUND, "not found".to_owned()),
            Problem::NotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method not allowed".to_owned()),
            Problem::Forbidden => (StatusCode::FORBIDDEN, "remote spool changes are disabled".to_owned()),
            Problem::BadRequest(text) => (StatusCode::BAD_REQUEST, text),
            Problem::Spool(error) => {
                tracing::error!(%error, cause = %error.source, "spool failed");
                (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}: {}", error.source))
            }
        };
        (code, text).into_response()
    }
}

/// Everything about one service.
async fn service(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, Problem> {
    let target = Target::parse(request.uri().path()).ok_or(Problem::NotFound)?;
    match (request.method().clone(), target.kind) {
        (Method::GET | Method::HEAD, _) => answer(&state, target, request.uri(), request.headers()).await,
        (Method::POST, Kind::Spool) => change(&state, target, request).await,
        _ => Err(Problem::NotAllowed),
    }
}

/// Whether a service may get traffic.
async fn answer(
    state: &Arc<State>,
    target: Target,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    Counters::add(match target.kind {
        Kind::Spool => &state.counters.spool_reads,
        _ => &state.counters.checks,
    });
    let checked = match lookup(state, &target).await? {
        Some(down) => Checked::new(503, down_text(&down)),
        None if target.kind == Kind::Spool => Checked::up(&target),
        None => check(state, &target, uri.query(), headers).await,
    };
    state.recent.note(&target, checked.code, state.clock.now());
    let code = StatusCode::from_u16(checked.code).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    Ok((code, checked.text).into_response())
}

async fn lookup(state: &Arc<State>, target: &Target) -> Result<Option<Down>, Problem> {
    let (spool, name, port, now) = (state.spool.clone(), target.name.clone(), target.port, state.clock.now());
    blocking(move || spool.lookup(&name, port, now)).await
}

/// A check's result, kept or new.
async fn check(state: &State, target: &Target, query: Option<&str>, headers: &HeaderMap) -> Checked {
    let stated = headers.get(SERVER_STATE).and_then(|value| value.to_str().ok()).and_then(haproxy_port);
    let target = Target { port: stated.unwrap_or(target.port), ..target.clone() };
    let copied = copied(headers, &state.headers_to_copy);
    let key = format!("{target:?} {query:?} {copied:?}");
    let fresh_only = headers.get(header::PRAGMA).is_some_and(|value| value == "no-cache");
    if !fresh_only && let Some(checked) = state.cache.get(&key, state.clock.now()) {
        return checked;
    }
    Counters::add(&state.counters.checks_run);
    let checked = state.checker.check(&target, query, copied).await;
    state.cache.put(key, checked.clone(), state.clock.now());
    checked
}

fn copied(headers: &HeaderMap, names: &[header::HeaderName]) -> HeaderMap {
    names.iter().filter_map(|name| Some((name.clone(), headers.get(name)?.clone()))).collect()
}

/// Takes a service out of traffic or back.
async fn change(state: &Arc<State>, target: Target, request: Request) -> Result<Response, Problem> {
    if !state.allow_remote_spool_changes {
        return Err(Problem::Forbidden);
    }
    Counters::add(&state.counters.spool_changes);
    let wanted = Arguments::read(request).await?.change()?;
    let (spool, now) = (state.spool.clone(), state.clock.now());
    blocking(move || match wanted {
        Change::Up => spool.up(&target.name, target.port),
        Change::Down(entry) => spool.down(&target.name, target.port, entry, now),
    })
    .await?;
    Ok(StatusCode::OK.into_response())
}

enum Change {
    Up,
    Down(Entry),
}

/// Arguments of the query and of a form, in this order.
struct Arguments(Vec<(String, String)>);

impl Arguments {
    async fn read(request: Request) -> Result<Self, Problem> {
        let Query(mut arguments) = Query::<Vec<(String, String)>>::try_from_uri(request.uri())
            .map_err(|error| Problem::BadRequest(error.body_text()))?;
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if content_type.is_some_and(|value| value.starts_with("application/x-www-form-urlencoded")) {
            let Form(form) = Form::<Vec<(String, String)>>::from_request(request, &())
                .await
                .map_err(|error| Problem::BadRequest(error.body_text()))?;
            arguments.extend(form);
        }
        Ok(Self(arguments))
    }

    /// The last one of this name.
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.trim())
    }

    fn required(&self, name: &str) -> Result<&str, Problem> {
        self.get(name).ok_or_else(|| Problem::BadRequest(format!("missing argument `{name}`")))
    }

    fn seconds(&self, name: &str) -> Result<Option<f64>, Problem> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let seconds = text.parse().ok().filter(|seconds: &f64| seconds.is_finite());
        let problem = || Problem::BadRequest(format!("{name}: {text:?} is not a time in seconds since 1970"));
        Ok(Some(seconds.ok_or_else(problem)?))
    }

    fn change(&self) -> Result<Change, Problem> {
        match self.required("status")? {
            "up" => Ok(Change::Up),
            "down" => Ok(Change::Down(Entry {
                reason: self.required("reason")?.to_owned(),
                expiration: self.seconds("expiration")?,
                creation: self.seconds("creation")?,
            })),
            other => Err(Problem::BadRequest(format!("status: {other:?}, expected `up` or `down`"))),
        }
    }
}

/// How the server is, and all that the spool holds.
async fn status(Shared(state): Shared<Arc<State>>) -> Result<Response, Problem> {
    let spool = state.spool.clone();
    let entries = blocking(move || spool.entries()).await?;
    let entries: serde_json::Map<_, _> =
        entries.into_iter().map(|(name, entry)| (name, json!(entry))).collect();
    let uptime_seconds = state.clock.now().since(state.started).as_secs_f64();
    Ok(Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_seconds": uptime_seconds,
        "requests": state.counters.read(),
        "spool": entries,
    }))
    .into_response())
}

/// How often it was asked.
async fn count(Shared(state): Shared<Arc<State>>) -> Response {
    Json(state.counters.read()).into_response()
}

/// What it answered of late, the latest first.
async fn recent(Shared(state): Shared<Arc<State>>) -> Response {
    Json(state.recent.list()).into_response()
}

/// Runs what reads and writes files where that may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SpoolError> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| {
        Err(SpoolError {
            doing: "finish work on a",
            path: "spool".into(),
            source: std::io::Error::other(error),
        })
    })
    .map_err(Problem::Spool)
}
