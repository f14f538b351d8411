//! Changes: what is sent for each, and what its answer means (marathon-and-bounce.md §3.1, §4.7, §5.6).

use paasta_core::{Action, AppId, Applied, EngineError, Kill, TaskId};
use reqwest::StatusCode;

use crate::client::escaped;
use crate::transport::{Answer, NoAnswer, Transport, Verb};

/// Carries out one change at the Marathon behind `transport`, whatever home the action names.
///
/// # Errors
/// As [`paasta_core::Engine::apply`]: it was refused or not reached, so that nothing changed.
pub async fn apply_over(transport: &dyn Transport, action: &Action) -> Result<Applied, EngineError> {
    match action {
        Action::Create { app, body, .. } => create(transport, app, body).await,
        Action::Scale { app, instances, .. } => scale(transport, app, *instances).await,
        Action::KillAndShrink { kills, .. } => kill_and_shrink(transport, kills).await,
        Action::Delete { app, .. } => delete(transport, app).await,
    }
}

/// An app of that id that exists already is a conflict; one that a deployment holds is waited for, though Marathon
/// says 409 of both.
async fn create(client: &dyn Transport, app: &AppId, body: &str) -> Result<Applied, EngineError> {
    let answer = match sent(client, Verb::Post, "/v2/apps", Some(body)).await? {
        Sent::Answer(answer) => answer,
        Sent::Unknown(why) => return Ok(Applied::Unknown(why)),
        Sent::Fenced(why) => return Ok(Applied::Busy(why)),
    };
    match answer.status {
        StatusCode::CONFLICT if !answer.refusal().is_some_and(|refusal| refusal.is_locked()) => {
            Ok(Applied::Conflict(format!("app `{app}`: {}", answer.message())))
        }
        _ => outcome(&answer),
    }
}

async fn scale(client: &dyn Transport, app: &AppId, instances: usize) -> Result<Applied, EngineError> {
    let body = format!("{{\"instances\": {instances}}}");
    match sent(client, Verb::Put, &app_path(app), Some(&body)).await? {
        Sent::Unknown(why) => Ok(Applied::Unknown(why)),
        Sent::Fenced(why) => Ok(Applied::Busy(why)),
        Sent::Answer(answer) if answer.status == StatusCode::NOT_FOUND => {
            Err(EngineError::NotFound { what: format!("app `{app}`") })
        }
        Sent::Answer(answer) => outcome(&answer),
    }
}

/// One request for all tasks. An answer that the result would not be valid means that they were gone already, and
/// their apps smaller; it is taken as done.
async fn kill_and_shrink(client: &dyn Transport, kills: &[Kill]) -> Result<Applied, EngineError> {
    let ids: Vec<&str> = kills.iter().flat_map(|kill| &kill.tasks).map(TaskId::as_str).collect();
    if ids.is_empty() {
        return Ok(Applied::Done);
    }
    let body = serde_json::json!({ "ids": ids }).to_string();
    match sent(client, Verb::Post, "/v2/tasks/delete?scale=True&force=True", Some(&body)).await? {
        Sent::Unknown(why) => Ok(Applied::Unknown(why)),
        Sent::Fenced(why) => Ok(Applied::Busy(why)),
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
async fn delete(client: &dyn Transport, app: &AppId) -> Result<Applied, EngineError> {
    match scale(client, app, 0).await {
        Ok(Applied::Done) => {}
        Err(EngineError::NotFound { .. }) => return Ok(Applied::Done),
        // Some Marathons take the change of an app that is gone for the creation of one without a container.
        Err(EngineError::Refused { status: 422, .. }) => {}
        other => return other,
    }
    match sent(client, Verb::Delete, &app_path(app), None).await? {
        Sent::Unknown(why) => Ok(Applied::Unknown(why)),
        Sent::Fenced(why) => Ok(Applied::Busy(why)),
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
    Fenced(String),
}

async fn sent(
    client: &dyn Transport,
    verb: Verb,
    path: &str,
    body: Option<&str>,
) -> Result<Sent, EngineError> {
    match client.exchange(verb, path, body).await {
        Ok(answer) => Ok(Sent::Answer(answer)),
        Err(NoAnswer::Lost { endpoint, reason }) => {
            Ok(Sent::Unknown(format!("{endpoint} took the request and did not answer: {reason}")))
        }
        Err(NoAnswer::Unreachable { endpoint, reason }) => Err(EngineError::Unreachable { endpoint, reason }),
        Err(NoAnswer::Fenced(why)) => Ok(Sent::Fenced(why)),
    }
}

/// Marathon answers 409 while a deployment holds the app, 403 while as many deployments run as may, and 503 while it has
/// no leader or still loads.
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
