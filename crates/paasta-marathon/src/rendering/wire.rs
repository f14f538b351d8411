//! The body that creates the app (marathon-and-bounce.md §1.14).

use paasta_config::{Node, RenderError};
use paasta_core::AppId;

use super::complete::Complete;
use super::container::{Container, ContainerKind, Parameter};
use super::failure;
use super::hash::{env, port_definition, port_mapping};
use super::health::Probe;
use super::pyjson::{Floats, Json};

/// The JSON text for `POST /v2/apps`. Members that are null or empty are left out, as Marathon's client does.
pub(crate) fn body(complete: &Complete<'_>, id: &AppId) -> Result<String, RenderError> {
    let mut members = vec![
        ("id", Json::text(id.as_str())),
        ("container", container(&complete.container)?),
        ("uris", Json::List(vec![Json::Ref(&complete.dockercfg)])),
        ("backoffSeconds", Json::Int(complete.backoff_seconds)),
        ("backoffFactor", Json::Ref(&complete.backoff_factor)),
        ("maxLaunchDelaySeconds", Json::Ref(&complete.max_launch_delay_seconds)),
        ("healthChecks", health_checks(complete)?),
        ("env", env(complete)),
        ("mem", Json::Float(complete.mem)),
        ("cpus", Json::Float(complete.cpus)),
        ("disk", Json::Float(complete.disk)),
        ("constraints", constraints(complete)?),
        ("instances", Json::Ref(&complete.desired.json)),
        ("cmd", complete.cmd.as_ref().map_or(Json::Null, Json::Ref)),
        ("args", Json::Ref(&complete.args)),
    ];
    if let Some(gpus) = complete.gpus {
        members.push(("gpus", Json::Node(gpus)));
    }
    if let Some(ports) = &complete.ports {
        members.push(("portDefinitions", minimal(Json::List(vec![port_definition(&ports.host_port)]))));
        members.push(("requirePorts", Json::Bool(ports.required)));
    }
    if let Some(roles) = complete.accepted_resource_roles {
        members.push(("acceptedResourceRoles", Json::Node(roles)));
    }
    members.retain(|(_, value)| !value.is_absent());
    Json::Object(members).write(Floats::Finite).map_err(|error| RenderError {
        class: "ValueError",
        message: error.reason.to_owned(),
        position: error.position,
    })
}

fn minimal(json: Json<'_>) -> Json<'_> {
    Json::Minimal(Box::new(json))
}

fn container<'a>(container: &'a Container<'_>) -> Result<Json<'a>, RenderError> {
    let mut docker = vec![
        ("image", Json::text(container.image_url.as_str())),
        ("privileged", Json::Bool(false)),
        ("forcePullImage", Json::Bool(false)),
    ];
    let kind = match container.kind {
        ContainerKind::Mesos => "MESOS",
        ContainerKind::Docker => {
            check_network(&container.network)?;
            if container.network.is_truthy() {
                docker.push(("network", Json::Ref(&container.network)));
            }
            let parameters = &container.parameters;
            let all =
                parameters.before_labels.iter().chain(&parameters.labels).chain(&parameters.after_labels);
            docker.push(("parameters", Json::List(all.map(Parameter::json).collect())));
            "DOCKER"
        }
    };
    if container.maps_ports() {
        docker.push(("portMappings", Json::List(vec![port_mapping(container)])));
    }
    let volumes = container.volumes.iter().map(|node| volume(node)).collect::<Result<_, _>>()?;
    Ok(minimal(Json::Object(vec![
        ("docker", Json::Object(docker)),
        ("type", Json::text(kind)),
        ("volumes", Json::List(volumes)),
    ])))
}

fn check_network(network: &Json<'_>) -> Result<(), RenderError> {
    match network {
        Json::Node(node) if node.is_truthy() => match node.as_str() {
            Some("BRIDGE" | "HOST" | "USER" | "NONE") => Ok(()),
            _ => {
                let message = format!("net: Marathon knows no network {node:?}, only bridge, host and none");
                Err(failure("InvalidChoiceError", Some(node), message))
            }
        },
        _ => Ok(()),
    }
}

fn volume(node: &Node) -> Result<Json<'_>, RenderError> {
    let mut members = Vec::new();
    let mut mode = Json::text("RW");
    for (key, value) in node.as_map().into_iter().flat_map(|map| map.iter()) {
        match key.as_str() {
            Some(name @ ("containerPath" | "hostPath")) => members.push((name, Json::Node(value))),
            Some("mode") => match value.as_str() {
                Some("RO" | "RW") => mode = Json::Node(value),
                _ => {
                    let message = format!("volumes: mode: {value:?} is neither RO nor RW");
                    return Err(failure("InvalidChoiceError", Some(value), message));
                }
            },
            _ => {
                let message = format!("volumes: {key:?} is none of containerPath, hostPath, mode");
                return Err(failure("TypeError", Some(key), message));
            }
        }
    }
    members.push(("mode", mode));
    Ok(Json::Object(members))
}

fn health_checks<'a>(complete: &'a Complete<'_>) -> Result<Json<'a>, RenderError> {
    let Some(check) = &complete.health_check else { return Ok(Json::Null) };
    if let Probe::Command(node) = &check.probe
        && node.as_str().is_none()
    {
        let message = format!("healthcheck_cmd: expected a string, found {}", node.kind());
        return Err(failure("TypeError", Some(node), message));
    }
    let members = check.members(|command| Json::Object(vec![("value", Json::Node(command))]));
    Ok(minimal(Json::List(vec![Json::Object(members)])))
}

fn constraints<'a>(complete: &'a Complete<'_>) -> Result<Json<'a>, RenderError> {
    let constraint = |parts: &'a Vec<Json<'_>>| match &parts[..] {
        [field, operator] => Ok(Json::List(vec![Json::Ref(field), Json::Ref(operator)])),
        [field, operator, value] if !value.is_truthy() => {
            Ok(Json::List(vec![Json::Ref(field), Json::Ref(operator)]))
        }
        [_, _, _] => Ok(Json::List(parts.iter().map(Json::Ref).collect())),
        _ => {
            let message = format!("constraints: expected two or three items, found {}", parts.len());
            Err(failure("TypeError", None, message))
        }
    };
    Ok(minimal(Json::List(complete.constraints.iter().map(constraint).collect::<Result<_, _>>()?)))
}
