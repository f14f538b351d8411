//! `/v2/apps` and what is below one app.

use axum::http::{Method, StatusCode};
use paasta_core::{TaskId, Timestamp};
use serde_json::{Value, json};

use super::reply::{self, Answer};
use super::request::{Request, app_id};
use super::{Face, failure};
use crate::state::{Command, Embed, Engine, PathId, Refusal, Victims};

/// `GET /v2/apps`: filters `id`, `cmd` (both: contains) and `label` (`name` or `name==value`, comma for and).
pub(super) async fn list(face: &Face, request: &Request) -> Answer {
    let embed = Embed::from_names(request.values("embed"));
    let wanted = |name: &str| request.value(name).map(str::to_owned);
    let (id, cmd, label) = (wanted("id"), wanted("cmd"), wanted("label"));
    let listed = face.caller.read(move |engine, _| {
        let apps = engine.memory().apps.values();
        let mut matching = Vec::new();
        for app in apps {
            let by_id = id.as_ref().is_none_or(|part| app.id.as_str().contains(part.as_str()));
            let command = app.definition.cmd.as_deref().unwrap_or_default();
            let by_cmd = cmd.as_ref().is_none_or(|part| command.contains(part.as_str()));
            let by_label = label.as_ref().is_none_or(|selector| {
                selector.split(',').all(|one| match one.split_once("==") {
                    Some((name, value)) => {
                        app.definition.labels.get(name.trim()).is_some_and(|label| label == value.trim())
                    }
                    None => app.definition.labels.contains_key(one.trim()),
                })
            });
            if by_id && by_cmd && by_label {
                matching.extend(engine.app_json(&app.id, embed));
            }
        }
        json!({ "apps": matching })
    });
    listed.await.map(|apps| reply::ok(&apps)).map_err(|error| failure(&error))
}

/// `POST /v2/apps`.
pub(super) async fn create(face: &Face, request: &Request) -> Answer {
    let raw = request.object()?;
    face.command(Command::CreateApp { raw }).await
}

/// Everything below `/v2/apps/`.
pub(super) async fn one(face: &Face, request: &Request) -> Answer {
    let below = request.path.get(2..).unwrap_or_default();
    let names: Vec<&str> = below.iter().map(String::as_str).collect();
    let force = request.flag("force");
    let (get, post, put, patch, delete) =
        (Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE);
    let method = &request.method;
    match names.as_slice() {
        [id @ .., "tasks"] if !id.is_empty() && (method == get || method == delete) => {
            let id = app_id(below.get(..id.len()).unwrap_or_default())?;
            if method == get { list_tasks(face, id).await } else { kill_tasks(face, request, id).await }
        }
        [id @ .., "tasks", task] if !id.is_empty() && method == delete => {
            let id = app_id(below.get(..id.len()).unwrap_or_default())?;
            kill_task(face, request, id, TaskId::new(*task)).await
        }
        [id @ .., "versions"] if !id.is_empty() && method == get => {
            versions(face, app_id(below.get(..id.len()).unwrap_or_default())?).await
        }
        [id @ .., "versions", version] if !id.is_empty() && method == get => {
            let version = (*version).to_owned();
            one_version(face, app_id(below.get(..id.len()).unwrap_or_default())?, version).await
        }
        [id @ .., "restart"] if !id.is_empty() && method == post => {
            let id = app_id(below.get(..id.len()).unwrap_or_default())?;
            face.command(Command::RestartApp { id, force }).await
        }
        _ if method == get => show(face, request, app_id(below)?).await,
        _ if method == put || method == patch => {
            let (id, patch) = (app_id(below)?, request.object()?);
            update(face, id, patch, force, method == put).await
        }
        _ if method == delete => face.command(Command::DeleteApp { id: app_id(below)?, force }).await,
        _ => Err(reply::message(StatusCode::METHOD_NOT_ALLOWED, "This engine does not have that call")),
    }
}

async fn show(face: &Face, request: &Request, id: PathId) -> Answer {
    let embed = Embed::from_names(request.values("embed"));
    let app = read_app(face, id, move |engine, id| engine.app_json(id, embed)).await?;
    Ok(reply::ok(&json!({ "app": app })))
}

/// A PUT may create; a PATCH may not.
async fn update(
    face: &Face,
    id: PathId,
    patch: serde_json::Map<String, Value>,
    force: bool,
    may_create: bool,
) -> Answer {
    let known = read_app(face, id.clone(), |engine, id| engine.memory().apps.get(id).map(|_| ())).await;
    if !may_create {
        known.as_ref().map_err(|_| failure(&Refusal::NoApp(id.clone()).into()))?;
    }
    let mut response = face.command(Command::UpdateApp { id, patch, force }).await?;
    if known.is_err() {
        *response.status_mut() = StatusCode::CREATED;
    }
    Ok(response)
}

async fn list_tasks(face: &Face, id: PathId) -> Answer {
    let listed = read_app(face, id, |engine, id| {
        engine.memory().apps.contains_key(id).then(|| engine.tasks_json(Some(id)))
    });
    Ok(reply::ok(&json!({ "tasks": listed.await? })))
}

async fn kill_tasks(face: &Face, request: &Request, id: PathId) -> Answer {
    let which = Victims::AllOf(id, request.value("host").map(str::to_owned));
    face.command(super::tasks::kill_command(request, which)?).await
}

async fn kill_task(face: &Face, request: &Request, id: PathId, task: TaskId) -> Answer {
    let read_id = task.clone();
    let shown = face.caller.read(move |engine, _| engine.task_json(&read_id)).await;
    let shown = shown.map_err(|error| failure(&error))?;
    let scale = request.flag("scale");
    let answer = face.command(super::tasks::kill_command(request, Victims::One(id, task))?).await?;
    Ok(if scale { answer } else { reply::ok(&json!({ "task": shown })) })
}

async fn versions(face: &Face, id: PathId) -> Answer {
    let versions = read_app(face, id, |engine, id| {
        let app = engine.memory().apps.get(id)?;
        let newest_first = std::iter::once(&app.version).chain(app.versions.keys().rev());
        Some(newest_first.map(Timestamp::to_string).collect::<Vec<String>>())
    });
    Ok(reply::ok(&json!({ "versions": versions.await? })))
}

async fn one_version(face: &Face, id: PathId, version: String) -> Answer {
    let missing = failure(&Refusal::NoVersion(id.clone(), version.clone()).into());
    let shown = read_app(face, id, move |engine, id| {
        engine.memory().apps.get(id)?;
        Some(version.parse().ok().and_then(|version| engine.version_json(id, version)))
    });
    shown.await?.map(|app| reply::ok(&app)).ok_or(missing)
}

/// Reads something of one app, or answers that there is no such app.
async fn read_app<T: Send + 'static>(
    face: &Face,
    id: PathId,
    read: impl FnOnce(&Engine, &PathId) -> Option<T> + Send + 'static,
) -> Result<T, axum::http::Response<axum::body::Body>> {
    let wanted = id.clone();
    let found = face.caller.read(move |engine, _| read(engine, &wanted)).await;
    found.map_err(|error| failure(&error))?.ok_or_else(|| failure(&Refusal::NoApp(id).into()))
}
