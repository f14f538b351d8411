//! Changes: what is sent for each, and what its answer means (marathon-and-bounce.md §3.1, §4.7, §5.6).

use paasta_core::{AppId, Applied, EngineError, Kill, TaskId};
use reqwest::{Method, StatusCode};

use crate::client::{Answer, Client, NoAnswer, escaped};

/// An app of that id that exists already is a conflict.
pub(crate) async fn create(client: &Client, app: &AppId, body: &str) -> Result<Applied, EngineError> {
    let answer = match sent(client, Method::POST, "/v2/apps", Some(body)).await? {
        Sent::Answer(answer) => answer,
        Sent::Unknown(why) => return Ok(Applied::Unknown(why)),
    };
    match answer.status {
        StatusCode::CONFLICT => Ok(Applied::Conflict(format!("app `{app}`: {}", answer.message()))),
        _ => outcome(&answer),
    }
}

pub(crate) async fn scale(client: &Client, app: &AppId, instances: usize) -> Result<Applied, EngineError> {
    let body = format!("{{\"instances\": {instances}}}");
    match sent(client, Method::PUT, &app_path(app), Some(&body)).await? {
        Sent::Unknown(why) => Ok(Applied::Unknown(why)),
        Sent::Answer(answer) if answer.status == StatusCode::NOT_FOUND => {
            Err(EngineError::NotFound { what: format!("app `{app}`") })
        }
        Sent::Answer(answer) => outcome(&answer),
    }
}

/// One request for all tasks. An answer that the result would not be valid means that they were gone already, and
/// their apps smaller; it is taken as done.
pub(crate) async fn kill_and_shrink(client: &Client, kills: &[Kill]) -> Result<Applied, EngineError> {
    let ids: Vec<&str> = kills.iter().flat_map(|kill| &kill.tasks).map(TaskId::as_str).collect();
    if ids.is_empty() {
        return Ok(Applied::Done);
    }
    let body = serde_json::json!({ "ids": ids }).to_string();
    match sent(client, Method::POST, "/v2/tasks/delete?scale=True&force=True", Some(&body)).await? {
        Sent::Unknown(why) => Ok(Applied::Unknown(why)),
        Sent::Answer(answer)
            if answer.status == StatusCode::UNPROCESSABLE_ENTITY
                && answer.message().contains("is not valid") =>
        {
            Ok(Applied::Done)
        }
        Sent::Answer(answer) => outcome(&answer),
    }
}

/// Scales to nothing first: Marathon may hang when it removes an app whose tasks still run (defect B16). No caller
/// above does that.
pub(crate) async fn delete(client: &Client, app: &AppId) -> Result<Applied, EngineError> {
    match scale(client, app, 0).await {
        Ok(Applied::Done) => {}
        Err(EngineError::NotFound { .. }) => return Ok(Applied::Done),
        // Some Marathons take the change of an app that is gone for the creation of one without a container.
        Err(EngineError::Refused { status: 422, .. }) => {}
        other => return other,
    }
    match sent(client, Method::DELETE, &app_path(app), None).await? {
        Sent::Unknown(why) => Ok(Applied::Unknown(why)),
        Sent::Answer(answer) if answer.status == StatusCode::NOT_FOUND => Ok(Applied::Done),
        Sent::Answer(answer) => outcome(&answer),
    }
}

fn app_path(app: &AppId) -> String {
    format!("/v2/apps/{}?force=True", escaped(app.as_str()))
}

enum Sent {
    Answer(Answer),
    Unknown(String),
}

async fn sent(client: &Client, method: Method, path: &str, body: Option<&str>) -> Result<Sent, EngineError> {
    match client.send(method, path, body).await {
        Ok(answer) => Ok(Sent::Answer(answer)),
        Err(NoAnswer::Lost { endpoint, reason }) => {
            Ok(Sent::Unknown(format!("{endpoint} took the request and did not answer: {reason}")))
        }
        Err(NoAnswer::Unreachable { endpoint, reason }) => Err(EngineError::Unreachable { endpoint, reason }),
    }
}

/// Marathon answers 409 while a deployment holds the app, and 403 or 503 while it takes no change at all.
fn outcome(answer: &Answer) -> Result<Applied, EngineError> {
    let said = || format!("{} answered {}: {}", answer.endpoint, answer.status.as_u16(), answer.message());
    match answer.status {
        status if status.is_success() => Ok(Applied::Done),
        StatusCode::CONFLICT | StatusCode::FORBIDDEN | StatusCode::SERVICE_UNAVAILABLE => {
            Ok(Applied::Busy(said()))
        }
        status if status.is_server_error() => Ok(Applied::Unknown(said())),
        _ => Err(answer.refused()),
    }
}
