//! The face of a Mesos master, and of its agents: what PaaSTA reads of a cluster and tells it about maintenance.
//!
//! It is this engine's own state in Mesos's words: one framework, and the agents that the engine was told to play. Calls that
//! are not here are refused by name.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::reply::{self, Answer};
use super::request::Request;
use super::{Face, failure, mesos_files};
use crate::state::{Command, Engine, MesosPlace, Resources, Window};

/// Answers what is of Mesos; `None` where that is something else.
pub(super) async fn route(face: &Face, request: &Request, path: &[&str]) -> Option<Answer> {
    let is_master = path.first() == Some(&"master");
    let path = if is_master { &path[1..] } else { path };
    let is_get = request.method == axum::http::Method::GET;
    let is_post = request.method == axum::http::Method::POST;
    Some(match path {
        ["state" | "state.json"] if is_get => {
            read(face, |engine, place| engine.mesos_state_json(place)).await
        }
        ["state-summary"] if is_get => read(face, summary).await,
        ["slaves"] if is_get => read(face, agents).await,
        ["frameworks"] if is_get => read(face, frameworks).await,
        ["flags"] if is_get => {
            read(face, |engine, place| json!({ "flags": engine.mesos_flags_json(place) })).await
        }
        ["metrics", "snapshot"] if is_get => read(face, |engine, _| engine.mesos_metrics_json()).await,
        ["redirect"] => redirect(face),
        ["maintenance", "status"] if is_get => read(face, |engine, _| engine.maintenance_status_json()).await,
        ["maintenance", "schedule"] if is_get => {
            read(face, |engine, _| engine.maintenance_schedule_json()).await
        }
        ["maintenance", "schedule"] if is_post => change(face, schedule_of(&request.body)).await,
        ["machine", "down"] if is_post => {
            change(face, parsed(&request.body).map(|machines| Command::StartMaintenance { machines })).await
        }
        ["machine", "up"] if is_post => {
            change(face, parsed(&request.body).map(|machines| Command::StopMaintenance { machines })).await
        }
        ["api", "v1"] if is_post => operator(face, request).await,
        ["monitor", "statistics" | "statistics.json"] if is_get => mesos_files::statistics(face).await,
        ["files", "read" | "read.json"] if is_get => mesos_files::read(face, request).await,
        ["files", "browse" | "browse.json"] if is_get => mesos_files::browse(face, request).await,
        ["files", "debug" | "debug.json"] if is_get => mesos_files::debug(face).await,
        [agent, "state" | "state.json"] if is_get && agent.starts_with("slave(") => {
            agent_state(face, agent).await
        }
        _ => return None,
    })
}

fn agents(engine: &Engine, place: &MesosPlace) -> Value {
    json!({ "slaves": engine.mesos_agents_json(place), "recovered_slaves": [] })
}

fn frameworks(engine: &Engine, place: &MesosPlace) -> Value {
    json!({
        "frameworks": [engine.framework_json(place)], "completed_frameworks": [], "unregistered_frameworks": [],
    })
}

/// The agents, and the framework without its tasks.
fn summary(engine: &Engine, place: &MesosPlace) -> Value {
    let mut framework = engine.framework_json(place);
    if let Some(members) = framework.as_object_mut() {
        members.retain(|name, _| !name.ends_with("tasks"));
    }
    json!({ "slaves": engine.mesos_agents_json(place), "frameworks": [framework] })
}

async fn read(face: &Face, view: impl FnOnce(&Engine, &MesosPlace) -> Value + Send + 'static) -> Answer {
    let place = face.place();
    let told = face.caller.read(move |engine, _| view(engine, &place)).await;
    told.map(|value| reply::ok(&value)).map_err(|error| failure(&error))
}

async fn change(face: &Face, command: Result<Command, String>) -> Answer {
    let command = command.map_err(|why| reply::message(StatusCode::BAD_REQUEST, &why))?;
    face.caller.call(command).await.map(|_| reply::empty(StatusCode::OK)).map_err(|error| failure(&error))
}

/// This engine leads always: whoever looks for the leader is sent to where it serves.
fn redirect(face: &Face) -> Answer {
    let mut response = reply::empty(StatusCode::TEMPORARY_REDIRECT);
    if let Ok(there) = HeaderValue::from_str(&format!("//{}/", face.address)) {
        response.headers_mut().insert(header::LOCATION, there);
    }
    Ok(response)
}

async fn agent_state(face: &Face, name: &str) -> Answer {
    let number = name.strip_prefix("slave(").and_then(|rest| rest.strip_suffix(')')?.parse::<usize>().ok());
    let missing = || reply::message(StatusCode::NOT_FOUND, &format!("There is no agent {name}"));
    let number = number.ok_or_else(missing)?;
    let place = face.place();
    let told = face.caller.read(move |engine, _| engine.mesos_agent_state_json(&place, number)).await;
    told.map_err(|error| failure(&error))?.map(|value| reply::ok(&value)).ok_or_else(missing)
}

/// `POST /api/v1`: the operator's interface.
async fn operator(face: &Face, request: &Request) -> Answer {
    let call = Value::Object(request.object()?);
    let kind = call["type"].as_str().unwrap_or_default();
    let member = |name: &str| &call[kind.to_ascii_lowercase()][name];
    match kind {
        "GET_HEALTH" => Ok(reply::ok(&json!({ "type": kind, "get_health": { "healthy": true } }))),
        "GET_MAINTENANCE_STATUS" => {
            read(face, |engine, _| {
                let status = engine.maintenance_status_json();
                json!({ "type": "GET_MAINTENANCE_STATUS", "get_maintenance_status": { "status": status } })
            })
            .await
        }
        "GET_MAINTENANCE_SCHEDULE" => {
            read(face, |engine, _| {
                let schedule = engine.maintenance_schedule_json();
                json!({ "type": "GET_MAINTENANCE_SCHEDULE", "get_maintenance_schedule": { "schedule": schedule } })
            })
            .await
        }
        "UPDATE_MAINTENANCE_SCHEDULE" => change(face, schedule_of(member("schedule").to_string().as_bytes())).await,
        "START_MAINTENANCE" => {
            let machines = parsed(member("machines").to_string().as_bytes());
            change(face, machines.map(|machines| Command::StartMaintenance { machines })).await
        }
        "STOP_MAINTENANCE" => {
            let machines = parsed(member("machines").to_string().as_bytes());
            change(face, machines.map(|machines| Command::StopMaintenance { machines })).await
        }
        "RESERVE_RESOURCES" | "UNRESERVE_RESOURCES" => {
            let is_given_back = kind == "UNRESERVE_RESOURCES";
            let commands = reservations(member("agent_id"), member("resources"), is_given_back);
            for command in commands.map_err(|why| reply::message(StatusCode::BAD_REQUEST, &why))? {
                change(face, Ok(command)).await?;
            }
            Ok(reply::empty(StatusCode::ACCEPTED))
        }
        other => Err(not_here(other)),
    }
}

fn not_here(kind: &str) -> Response<Body> {
    let text = format!("This engine does not have the call `{kind}`");
    reply::message(StatusCode::NOT_IMPLEMENTED, &text)
}

fn schedule_of(body: &[u8]) -> Result<Command, String> {
    #[derive(Deserialize)]
    struct Schedule {
        #[serde(default)]
        windows: Vec<Window>,
    }
    parsed::<Schedule>(body).map(|schedule| Command::Schedule { windows: schedule.windows })
}

fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| format!("Failed to parse body into JSON: {error}"))
}

/// One command for each role that is named.
fn reservations(agent: &Value, resources: &Value, is_given_back: bool) -> Result<Vec<Command>, String> {
    #[derive(Deserialize)]
    struct Named {
        name: String,
        role: String,
        scalar: Scalar,
    }
    #[derive(Deserialize)]
    struct Scalar {
        value: f64,
    }
    let agent = agent["value"].as_str().ok_or("`agent_id.value` is missing")?;
    let named: Vec<Named> = parsed(resources.to_string().as_bytes())?;
    if named.is_empty() {
        return Err("`resources` is empty".to_owned());
    }
    let mut roles: std::collections::BTreeMap<String, Resources> = std::collections::BTreeMap::new();
    for Named { name, role, scalar } in named {
        let amounts = roles.entry(role).or_default();
        let amount = match name.as_str() {
            "cpus" => &mut amounts.cpus,
            "mem" => &mut amounts.mem,
            "disk" => &mut amounts.disk,
            "gpus" => &mut amounts.gpus,
            other => return Err(format!("`{other}` is no resource that can be reserved here")),
        };
        if !(scalar.value.is_finite() && scalar.value > 0.0) {
            return Err(format!("{} of `{name}` is no amount", scalar.value));
        }
        *amount += scalar.value;
    }
    let command =
        |(role, resources)| Command::Reserve { agent: agent.to_owned(), role, resources, is_given_back };
    Ok(roles.into_iter().map(command).collect())
}
