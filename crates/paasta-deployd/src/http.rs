//! deployd over HTTP: whether it is well, what it counts, what it works on, and a hook for pushed tags.
//!
//! | route | answer |
//! |---|---|
//! | `GET /healthz` | 200 while the loop turns |
//! | `GET /readyz` | 200 once instances are listed and the standing is known and good; 503 while a look at files hangs; the body says which |
//! | `GET /metrics` | figures for Prometheus |
//! | `GET /v1/queue` | queue, passes under way, and why |
//! | `POST /v1/services/{service}/deployed` | a tag was pushed: regenerate now; 503 with the leader where another one leads |

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use paasta_api_client::{DeployQueue, DeployQueueEntry, ErrorBody, ErrorDetail};
use paasta_core::{InstanceId, ServiceName, Standing};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;

use crate::state::Snapshot;
use crate::{Because, Handle, Metrics, NudgeRefused, PassReport, PassResult};

/// A loop that has not turned for so long stands still.
const BEAT_SECONDS_MAX: u64 = 15;
/// A request is given up after so long.
const REQUEST_SECONDS_MAX: u64 = 10;
/// A connection is closed after so long, whatever happens on it.
const CONNECTION_SECONDS_MAX: u64 = 60;
/// Connections that are served at once.
const CONNECTIONS_MAX: usize = 64;

/// What the answers are made of.
#[derive(Clone)]
pub struct HttpFace {
    /// What deployd is at.
    pub handle: Handle,
    /// What it has counted.
    pub metrics: Metrics,
    /// Who may tell of pushed tags.
    pub hook: Hook,
}

/// Who may tell of pushed tags.
#[derive(Clone)]
pub enum Hook {
    /// Whoever can connect.
    Open,
    /// Whoever shows this as a bearer token.
    Token(Arc<str>),
    /// Nobody.
    Closed,
}

/// Serves until dropped.
pub async fn serve_http(listener: TcpListener, face: HttpFace) -> io::Result<()> {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    axum::serve(Bounded { listener, room }, http_router(face)).await
}

/// All routes.
pub fn http_router(face: HttpFace) -> Router {
    let queue = queue_router(face.handle.clone());
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/v1/services/{service}/deployed", post(deployed))
        .with_state(face)
        .merge(queue)
        .fallback(unknown_route)
        .method_not_allowed_fallback(unknown_method)
        .layer(from_fn(in_time))
}

/// `GET /v1/queue` alone, for whoever serves more.
pub fn queue_router(handle: Handle) -> Router {
    Router::new().route("/v1/queue", get(queue)).with_state(handle)
}

async fn healthz(State(face): State<HttpFace>) -> Response {
    let age = face.metrics.beat_age();
    let well = age.is_some_and(|age| age <= Duration::from_secs(BEAT_SECONDS_MAX));
    let body = json!({ "healthy": well, "loop_turned_seconds_ago": age.map(|age| age.as_secs_f64()) });
    (if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Json(body)).into_response()
}

async fn readyz(State(face): State<HttpFace>) -> Response {
    let (listed, standing) = face.metrics.readiness();
    let (word, detail) = match standing {
        None => ("unknown", None),
        Some(Standing::Leading) => ("leading", None),
        Some(Standing::Waiting { leader }) => ("waiting", leader),
        Some(Standing::Doubtful(why)) => ("doubtful", Some(why)),
        Some(Standing::Lost(why)) => ("lost", Some(why)),
    };
    let stuck = face.metrics.stuck();
    let ready = listed && stuck.is_none() && matches!(word, "leading" | "waiting");
    let body = json!({
        "ready": ready, "standing": word, "detail": detail, "instances_listed": listed, "stuck": stuck,
    });
    (if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Json(body)).into_response()
}

async fn metrics(State(face): State<HttpFace>) -> Response {
    let text = face.metrics.render(&face.handle.snapshot());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

async fn queue(State(handle): State<Handle>) -> Json<DeployQueue> {
    Json(deploy_queue(&handle.snapshot()))
}

async fn deployed(State(face): State<HttpFace>, Path(service): Path<String>, headers: HeaderMap) -> Response {
    match &face.hook {
        Hook::Open => {}
        Hook::Token(token) if shows(&headers, token) => {}
        Hook::Token(_) => {
            return failure(
                StatusCode::UNAUTHORIZED,
                "unauthorized",
                "a bearer token is needed here".to_owned(),
            );
        }
        Hook::Closed => {
            let message = "without a token (`deployd_http_token_file`) this is open on loopback alone";
            return failure(StatusCode::FORBIDDEN, "forbidden", message.to_owned());
        }
    }
    let service = match ServiceName::new(service) {
        Ok(service) => service,
        Err(error) => return failure(StatusCode::BAD_REQUEST, "bad_request", error.to_string()),
    };
    match face.handle.nudge(service.clone()) {
        Ok(()) => (StatusCode::ACCEPTED, Json(json!({ "service": service }))).into_response(),
        Err(refused) => not_taken(&refused),
    }
}

/// A nudge that went nowhere is told with where to go instead.
fn not_taken(refused: &NudgeRefused) -> Response {
    let NudgeRefused::NotLeading(standing) = refused else {
        return failure(StatusCode::SERVICE_UNAVAILABLE, "busy", format!("{refused}; try again"));
    };
    let (standing, leader) = match standing {
        Standing::Waiting { leader } => ("waiting", leader.as_ref()),
        Standing::Leading => ("leading", None),
        Standing::Doubtful(_) => ("doubtful", None),
        Standing::Lost(_) => ("lost", None),
    };
    let hint = match leader {
        Some(leader) => format!(
            "Send it to `{leader}`, or to every deployd of the cluster: only the one that leads takes it."
        ),
        None => {
            "Send it to every deployd of the cluster, and again in some seconds if none takes it: only one that leads does."
                .to_owned()
        }
    };
    let error = json!({ "code": "not_leading", "message": refused.to_string() });
    let body = json!({ "error": error, "standing": standing, "leader": leader, "hint": hint });
    (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
}

async fn unknown_route(uri: Uri) -> Response {
    failure(StatusCode::NOT_FOUND, "no_such_route", format!("there is nothing at `{}`", uri.path()))
}

async fn unknown_method(method: Method, uri: Uri) -> Response {
    let message = format!("`{}` does not take {method}", uri.path());
    failure(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
}

async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(Duration::from_secs(REQUEST_SECONDS_MAX), next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let message = format!("no answer was found within {REQUEST_SECONDS_MAX} s");
            failure(StatusCode::GATEWAY_TIMEOUT, "timed_out", message)
        }
    }
}

fn failure(status: StatusCode, code: &str, message: String) -> Response {
    let error = ErrorDetail { code: code.to_owned(), message, detail: Vec::new() };
    (status, Json(ErrorBody { error })).into_response()
}

/// Compares in a time that depends on the lengths alone.
fn shows(headers: &HeaderMap, token: &str) -> bool {
    let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some((scheme, shown)) = shown.and_then(|shown| shown.split_once(' ')) else { return false };
    let pairs = token.bytes().zip(shown.trim().bytes());
    let differences = pairs.fold(0, |sum, (left, right)| sum | (left ^ right));
    scheme.eq_ignore_ascii_case("bearer")
        && token.len() == shown.trim().len()
        && std::hint::black_box(differences) == 0
}

/// A snapshot as the original's API would tell it, with our reasons besides.
fn deploy_queue(snapshot: &Snapshot) -> DeployQueue {
    let waiting = |available| {
        let theirs = snapshot.queue.iter().filter(move |entry| entry.available == available);
        let entry = theirs.map(|entry| DeployQueueEntry {
            bounce_by: entry.bounce_by.seconds(),
            wait_until: entry.wait_until.seconds(),
            enqueue_time: entry.queued_at.seconds(),
            bounce_start_time: entry.last_at.unwrap_or(entry.queued_at).seconds(),
            watcher: entry.watcher.to_owned(),
            failures: u64::from(entry.failures),
            processed_count: entry.passes,
            because: entry.because.as_str().to_owned(),
            last: told(entry.last.as_ref()),
            at_rest: entry.because == Because::Resync
                && entry.last.as_ref().is_some_and(|last| last.result == PassResult::Steady),
            ..named(&entry.instance)
        });
        entry.collect()
    };
    let running = snapshot.running.iter().map(|entry| DeployQueueEntry {
        bounce_by: entry.bounce_by.seconds(),
        wait_until: entry.since.seconds(),
        enqueue_time: entry.queued_at.seconds(),
        bounce_start_time: entry.since.seconds(),
        watcher: entry.watcher.to_owned(),
        failures: u64::from(entry.failures),
        processed_count: entry.passes,
        because: entry.because.as_str().to_owned(),
        last: told(entry.last.as_ref()),
        ..named(&entry.instance)
    });
    let unreadable = snapshot.unreadable.iter();
    let unreadable =
        unreadable.map(|(service, reason)| format!("could not read service `{service}`: {reason}"));
    // What cannot be read cannot be regenerated either: that is told once.
    let unknown = |service| snapshot.unreadable.iter().any(|(unreadable, _)| unreadable == service);
    let failing = snapshot.regenerations_failing.iter().filter(|entry| !unknown(&entry.service));
    let failing = failing.map(|entry| {
        format!("could not regenerate deployments.json of `{}`: {}", entry.service, entry.reason)
    });
    DeployQueue {
        at: snapshot.at.seconds(),
        standing: snapshot.standing.to_owned(),
        standing_detail: snapshot.standing_detail.clone(),
        workers: snapshot.workers,
        urgent_workers: snapshot.urgent_workers,
        running_service_instances: running.collect(),
        available_service_instances: waiting(true),
        unavailable_service_instances: waiting(false),
        problems: unreadable.chain(failing).collect(),
    }
}

fn named(instance: &InstanceId) -> DeployQueueEntry {
    DeployQueueEntry {
        service: instance.service().to_string(),
        instance: instance.instance().to_string(),
        ..DeployQueueEntry::default()
    }
}

fn told(report: Option<&PassReport>) -> String {
    let Some(report) = report else { return String::new() };
    let why = || report.why.as_ref().map(ToString::to_string);
    match &report.result {
        PassResult::Failed(reason) => format!("failed: {reason}"),
        PassResult::Stopped(reason) => format!("stopped: {reason}"),
        PassResult::Unseen { reason } => format!("could not look: {reason}"),
        PassResult::LockHeld => "somebody else held the bounce lock".to_owned(),
        PassResult::Steady => "steady".to_owned(),
        PassResult::NotDeployed(missing) => format!("not deployed: {missing}"),
        PassResult::LookAgain { .. } => why().unwrap_or_else(|| "under way".to_owned()),
    }
}

/// A listener with room for so many connections, each for so long.
struct Bounded {
    listener: TcpListener,
    room: Arc<Semaphore>,
}

impl axum::serve::Listener for Bounded {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let place = self.room.clone().acquire_owned().await.ok();
        let (stream, address) = axum::serve::Listener::accept(&mut self.listener).await;
        let end = Box::pin(tokio::time::sleep(Duration::from_secs(CONNECTION_SECONDS_MAX)));
        (Connection { stream, end, _place: place }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

struct Connection {
    stream: TcpStream,
    end: Pin<Box<Sleep>>,
    _place: Option<OwnedSemaphorePermit>,
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.end.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.end.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use paasta_core::{SystemClock, Timestamp};
    use tokio::time::Instant;

    use super::*;
    use crate::{Action, Event, Listing, Observer as _, Scope, Settings};

    #[tokio::test]
    async fn with_a_look_at_files_that_hangs_it_is_healthy_and_not_ready() {
        let metrics = Metrics::new("pnw", None);
        let handle = Handle::new(Settings::default(), Arc::new(SystemClock));
        let face = HttpFace { handle, metrics: metrics.clone(), hook: Hook::Closed };
        let at = Timestamp::from_seconds(0.0);
        let hear = |event: Event| metrics.heard(&event, at);
        let ready = || async { readyz(State(face.clone())).await.status() };
        hear(Event::Stands(Standing::Leading));
        hear(Event::InstancesListed(Listing::of(Scope::All, [])));
        let swept = Event::FilesSwept { services: [].into(), everything: false, rest_seconds: None };
        for (action, answer) in [
            (Action::SweepFiles, swept),
            (Action::ListInstances(Scope::All), Event::ListingFailed(Scope::All)),
        ] {
            metrics.decided(&[action], at);
            assert_eq!(ready().await, StatusCode::OK);
            hear(Event::Tick);
            metrics.hangs_since(Instant::now() - Duration::from_secs(130));
            assert_eq!(ready().await, StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(healthz(State(face.clone())).await.status(), StatusCode::OK);
            hear(answer);
            assert_eq!(ready().await, StatusCode::OK);
        }
        let text = metrics.render(&face.handle.snapshot());
        for name in ["file_sweep_age", "listing_age", "file_sweep_under_way", "listing_under_way"] {
            assert!(
                text.contains(&format!("\npaasta_deployd_{name}_seconds{{")),
                "{name} is not in:\n{text}"
            );
        }
    }
}
