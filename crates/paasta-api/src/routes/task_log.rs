//! A part of a task's output.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use paasta_api_client::TaskLogAnswer;
use paasta_core::{AppId, EngineError, InstanceId, LogStream, LogTail, TaskId, TaskLog};
use serde::Deserialize;

use super::{bad_query, instance_id};
use crate::assemble::short_id;
use crate::error::Failure;
use crate::state::ApiState;

/// The most lines that are answered.
const LINES_MAX: usize = 10_000;

#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    #[serde(default = "stdout")]
    stream: LogStream,
    #[serde(default = "a_hundred")]
    lines: usize,
    after: Option<u64>,
}

fn stdout() -> LogStream {
    LogStream::Stdout
}

fn a_hundred() -> usize {
    100
}

pub(super) async fn task_log(
    State(state): State<ApiState>,
    Path((service, instance, task)): Path<(String, String, String)>,
    query: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<TaskLogAnswer>, Failure> {
    let Query(wanted) = query.map_err(|rejection| bad_query(&rejection))?;
    let id = instance_id(service, instance)?;
    let task = find(&state, &id, TaskId::new(task)).await?;
    let tail = LogTail { lines: wanted.lines.min(LINES_MAX), after: wanted.after };
    let log =
        state.engine.task_log(&task, wanted.stream, tail).await.map_err(|error| engine_failure(&error))?;
    let TaskLog { lines, unfinished, next } = log;
    Ok(Json(TaskLogAnswer { task, stream: wanted.stream, lines, unfinished, next }))
}

/// The task by its whole id, which names its instance and may be that of a task that ended, or by the short id of
/// one that exists.
async fn find(state: &ApiState, id: &InstanceId, task: TaskId) -> Result<TaskId, Failure> {
    if AppId::new(task.as_str()).belongs_to(id) {
        return Ok(task);
    }
    let sighting = super::status::sighting(state, id).await?;
    let found = sighting.apps().flat_map(|app| &app.tasks).find(|one| short_id(&one.id) == task.as_str());
    found.map(|one| one.id.clone()).ok_or_else(|| {
        Failure::not_found(
            "no_such_task",
            format!("`{id}` has no task `{task}` in cluster `{}`", state.cluster),
        )
    })
}

fn engine_failure(error: &EngineError) -> Failure {
    match error {
        EngineError::NotFound { .. } => Failure::of(StatusCode::NOT_FOUND, "no_such_task", error),
        EngineError::Unsupported(_) => Failure::of(StatusCode::NOT_IMPLEMENTED, "unsupported", error),
        _ => Failure::of(StatusCode::BAD_GATEWAY, "engine", error),
    }
}
