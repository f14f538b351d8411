//! `/v2/events`: server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use futures_util::{StreamExt, stream};
use serde_json::json;
use tokio::sync::broadcast::{self, error::RecvError};

use super::Face;
use super::reply::{self, Answer};
use super::request::Request;
use crate::core_loop::Published;

/// After so long without an event a blank line is sent, which tells a dead connection from a quiet one.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// `GET /v2/events`, with any number of `event_type` to choose. A listener that is too slow is cut off: it
/// connects again and looks at everything, as after any lost connection.
pub(super) fn stream(face: &Face, request: &Request) -> Answer {
    let accept = request.parts.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    if accept.is_some_and(|accept| !accept.contains("text/event-stream") && !accept.contains("*/*")) {
        return Err(reply::message(StatusCode::METHOD_NOT_ALLOWED, "Accept must hold text/event-stream"));
    }
    let wanted: Vec<String> = request.values("event_type").map(str::to_owned).collect();
    let is_wanted = move |kind: &str| wanted.is_empty() || wanted.iter().any(|one| one == kind);
    let events = face.events.subscribe();
    let attached = "event_stream_attached";
    let hello = json!({"remoteAddress": "", "eventType": attached, "timestamp": face.clock.now()});
    let hello = is_wanted(attached).then(|| frame(attached, &hello.to_string()));
    let first = stream::iter(hello.into_iter().chain([String::from("\n")]));
    let caller = face.caller.clone();
    let rest = stream::unfold((events, is_wanted, caller), |(mut events, is_wanted, caller)| async move {
        let text = tokio::select! {
            text = next_frame(&mut events, &is_wanted) => text?,
            () = caller.closed() => return None,
        };
        Some((text, (events, is_wanted, caller)))
    });
    let body = Body::from_stream(first.chain(rest).map(Ok::<String, Infallible>));
    let mut response = axum::http::Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=UTF-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

async fn next_frame(
    events: &mut broadcast::Receiver<Arc<Published>>,
    is_wanted: &impl Fn(&str) -> bool,
) -> Option<String> {
    loop {
        match tokio::time::timeout(KEEP_ALIVE, events.recv()).await {
            Err(_) => return Some("\n".to_owned()),
            Ok(Ok(event)) if is_wanted(event.kind) => return Some(frame(event.kind, &event.data)),
            Ok(Ok(_)) => {}
            Ok(Err(RecvError::Lagged(_) | RecvError::Closed)) => return None,
        }
    }
}

fn frame(kind: &str, data: &str) -> String {
    format!("event: {kind}\ndata: {data}\n\n")
}
