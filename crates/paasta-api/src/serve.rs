//! Serving a router, with a limit on each request and a line about it.

use std::future::Future;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use tokio::net::TcpListener;

use crate::error::Failure;

/// Seconds after which a request is given up (cli.md §4.1).
pub const REQUEST_SECONDS_MAX: u64 = 120;

/// Serves until `stop` is done, then lets requests that are under way finish.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let router = router.layer(from_fn(bounded)).layer(from_fn(told));
    axum::serve(listener, router).with_graceful_shutdown(stop).await
}

async fn bounded(request: Request, next: Next) -> Response {
    let limit = Duration::from_secs(REQUEST_SECONDS_MAX);
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let message = format!("no answer was found within {REQUEST_SECONDS_MAX} s");
            Failure::new(StatusCode::GATEWAY_TIMEOUT, "timed_out", message).into_response()
        }
    }
}

async fn told(request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let started = tokio::time::Instant::now();
    let response = next.run(request).await;
    let ms = started.elapsed().as_millis();
    tracing::info!(%method, path, status = response.status().as_u16(), ms, "request");
    response
}
