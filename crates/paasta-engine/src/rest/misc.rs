//! Queue, deployments, info, leader, and our own health and journal.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::reply::{self, Answer};
use super::request::{Request, app_id};
use super::{Face, failure};
use crate::state::Command;

/// The Marathon release whose answers these are.
const MARATHON_VERSION: &str = "1.4.8";

/// `GET /v2/queue`.
pub(super) async fn queue(face: &Face, request: &Request) -> Answer {
    let offers = request.values("embed").any(|name| name == "lastUnusedOffers");
    let queue = face.caller.read(move |engine, now| engine.queue_json(now, offers)).await;
    queue.map(|queue| reply::ok(&queue)).map_err(|error| failure(&error))
}

/// `DELETE /v2/queue/{app}/delay`.
pub(super) async fn reset_delay(face: &Face, request: &Request) -> Answer {
    let end = request.path.len().saturating_sub(1);
    let id = app_id(request.path.get(2..end).unwrap_or_default())?;
    face.command(Command::ResetDelay { id }).await.map(|_| reply::empty(StatusCode::NO_CONTENT))
}

/// `GET /v2/deployments`.
pub(super) async fn deployments(face: &Face) -> Answer {
    let listed = face.caller.read(|engine, _| {
        engine.memory().deployments.iter().map(crate::state::Deployment::json).collect::<Vec<Value>>()
    });
    listed.await.map(|all| reply::ok(&Value::Array(all))).map_err(|error| failure(&error))
}

/// `DELETE /v2/deployments/{id}`: 202 and no body with `force`.
pub(super) async fn cancel(face: &Face, id: &str, force: bool) -> Answer {
    let answer = face.command(Command::CancelDeployment { id: id.to_owned(), force }).await?;
    Ok(if force { reply::empty(StatusCode::ACCEPTED) } else { answer })
}

/// `GET /v2/info`.
pub(super) fn info(face: &Face) -> Answer {
    Ok(reply::ok(&json!({
        "name": "marathon",
        "version": MARATHON_VERSION,
        "buildref": concat!("paasta-engine ", env!("CARGO_PKG_VERSION")),
        "elected": true,
        "leader": face.address,
        "frameworkId": format!("{}-0000", face.engine),
        "marathon_config": {"framework_name": "marathon", "ha": false, "hostname": face.host,
                            "checkpoint": true, "env_vars_prefix": "MARATHON_", "features": []},
        "zookeeper_config": {},
        "event_subscriber": null,
        "http_config": {"http_port": port_of(&face.address), "https_port": null},
    })))
}

fn port_of(address: &str) -> Option<u16> {
    address.rsplit_once(':').and_then(|(_, port)| port.parse().ok())
}

/// `GET /v2/leader`: this engine always leads.
pub(super) fn leader(face: &Face) -> Answer {
    Ok(reply::ok(&json!({ "leader": face.address })))
}

/// `GET /metrics`: a few gauges, in the shape of Marathon's.
pub(super) async fn metrics(face: &Face) -> Answer {
    let counts = face.caller.read(|engine, _| {
        let memory = engine.memory();
        (memory.apps.len(), memory.tasks.len(), memory.deployments.len())
    });
    let (apps, tasks, deployments) = counts.await.map_err(|error| failure(&error))?;
    let gauge = |value: usize| json!({ "value": value });
    Ok(reply::ok(&json!({
        "version": "3.0.0",
        "gauges": {
            "service.mesosphere.marathon.app.count": gauge(apps),
            "service.mesosphere.marathon.task.count": gauge(tasks),
            "service.mesosphere.marathon.deployment.count": gauge(deployments),
        },
        "counters": {},
        "histograms": {},
        "meters": {},
        "timers": {},
    })))
}

/// `GET /paasta/health`: 200 while the loop answers.
pub(super) async fn health(face: &Face) -> Answer {
    let alive =
        face.caller.read(|engine, now| (engine.memory().apps.len(), engine.memory().tasks.len(), now));
    let (apps, tasks, now) = alive.await.map_err(|error| failure(&error))?;
    Ok(reply::ok(&json!({
        "engine": face.engine,
        "version": env!("CARGO_PKG_VERSION"),
        "startedAt": face.started_at,
        "now": now,
        "apps": apps,
        "tasks": tasks,
    })))
}

/// `GET /paasta/journal?since=N`: `{"entries": [{"seq", "event": {"at", "kind", "app", …}}], "next": M}`;
/// `since=M` next time tells what is new.
pub(super) fn journal(face: &Face, request: &Request) -> Answer {
    let since = match request.value("since").map(str::parse::<u64>) {
        None => 0,
        Some(Ok(since)) => since,
        Some(Err(_)) => return Err(reply::message(StatusCode::BAD_REQUEST, "`since` must be a number")),
    };
    let entries = face.journal.lock().unwrap_or_else(std::sync::PoisonError::into_inner).since(since);
    let next = entries.last().map_or(since, |entry| entry.seq);
    Ok(reply::ok(&json!({"entries": entries, "next": next})))
}
