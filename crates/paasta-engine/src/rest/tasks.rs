//! `/v2/tasks` and task logs.

use axum::body::Body;
use axum::http::{Response, StatusCode};
use paasta_core::{LogStream, LogTail, TaskId};
use serde_json::{Value, json};

use super::reply::{self, Answer};
use super::request::Request;
use super::{Face, failure};
use crate::state::{Command, Victims};

/// The most lines of a log told at once.
const LOG_LINES_MAX: usize = 10_000;
/// The lines told when nobody says how many.
const LOG_LINES_DEFAULT: usize = 100;

/// `GET /v2/tasks`, with `status=running` or `status=staging`.
pub(super) async fn list(face: &Face, request: &Request) -> Answer {
    let listed = face.caller.read(|engine, _| engine.tasks_json(None)).await;
    let mut tasks = listed.map_err(|error| failure(&error))?;
    let wanted: Vec<String> =
        request.values("status").chain(request.values("status[]")).map(str::to_ascii_uppercase).collect();
    if !wanted.is_empty() {
        let state = |task: &Value| task["state"].as_str().unwrap_or_default().replace("TASK_", "");
        tasks.retain(|task| wanted.contains(&state(task)));
    }
    Ok(reply::ok(&json!({ "tasks": tasks })))
}

/// `POST /v2/tasks/delete` with `{"ids": […]}`.
pub(super) async fn kill(face: &Face, request: &Request) -> Answer {
    let body = request.object()?;
    let wrong = || reply::message(StatusCode::UNPROCESSABLE_ENTITY, "`ids` must be a list of task ids");
    let ids = body.get("ids").and_then(Value::as_array).ok_or_else(wrong)?;
    let ids: Option<Vec<TaskId>> = ids.iter().map(|id| id.as_str().map(TaskId::new)).collect();
    let ids = ids.ok_or_else(wrong)?;
    if let Some(odd) = ids.iter().find(|id| !id.as_str().contains('.')) {
        return Err(reply::message(StatusCode::BAD_REQUEST, &format!("Invalid task id '{odd}'")));
    }
    face.command(kill_command(request, Victims::Ids(ids))?).await
}

/// The command for a kill with the query's `scale`, `wipe` and `force`.
pub(super) fn kill_command(request: &Request, which: Victims) -> Result<Command, Response<Body>> {
    let scale = request.flag("scale");
    // There are no volumes to wipe; Marathon refuses the two together all the same.
    if scale && request.flag("wipe") {
        let text = "You cannot use scale and wipe at the same time.";
        return Err(reply::message(StatusCode::BAD_REQUEST, text));
    }
    Ok(Command::KillTasks { which, scale, force: request.flag("force") })
}

/// `GET /paasta/tasks/{task}/log?stream=stdout|stderr&lines=N&after=POSITION`: `{"lines": […], "unfinished": …, "next": …}`.
pub(super) async fn log(face: &Face, task: &str, request: &Request) -> Answer {
    let stream = match request.value("stream") {
        None | Some("stdout") => LogStream::Stdout,
        Some("stderr") => LogStream::Stderr,
        Some(other) => {
            let text = format!("unknown stream `{other}`, expected stdout or stderr");
            return Err(reply::message(StatusCode::BAD_REQUEST, &text));
        }
    };
    let lines = match request.value("lines").map(str::parse::<usize>) {
        None => LOG_LINES_DEFAULT,
        Some(Ok(lines)) => lines.min(LOG_LINES_MAX),
        Some(Err(_)) => return Err(reply::message(StatusCode::BAD_REQUEST, "`lines` must be a number")),
    };
    let after = match request.value("after").map(str::parse::<u64>) {
        None => None,
        Some(Ok(position)) => Some(position),
        Some(Err(_)) => return Err(reply::message(StatusCode::BAD_REQUEST, "`after` must be a number")),
    };
    let id = TaskId::new(task);
    match face.executor.log(&id, stream, LogTail { lines, after }).await {
        Ok(Some(log)) => Ok(reply::ok(&json!(log))),
        Ok(None) => Err(reply::message(StatusCode::NOT_FOUND, &format!("Task '{task}' has no log"))),
        Err(error) => Err(reply::message(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string())),
    }
}
