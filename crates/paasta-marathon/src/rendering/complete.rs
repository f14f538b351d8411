//! The complete config: everything about an app that settings, deployment and system decide
//! (marathon-and-bounce.md §1.2).

use std::borrow::Cow;
use std::collections::BTreeMap;

use paasta_config::{Node, RenderError, Value, Wanted};

use super::container::{Container, container};
use super::counts::{Desired, backoff_seconds, desired};
use super::health::{HealthCheck, health_check};
use super::number::{Number, to_float};
use super::pyjson::Json;
use super::{constraints, env, failure};

pub(crate) struct Complete<'a> {
    pub(crate) container: Container<'a>,
    pub(crate) dockercfg: Json<'a>,
    pub(crate) backoff_seconds: i64,
    pub(crate) backoff_factor: Json<'a>,
    pub(crate) max_launch_delay_seconds: Json<'a>,
    pub(crate) health_check: Option<HealthCheck<'a>>,
    pub(crate) env: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
    pub(crate) mem: f64,
    pub(crate) cpus: f64,
    pub(crate) disk: f64,
    pub(crate) constraints: Vec<Vec<Json<'a>>>,
    pub(crate) desired: Desired<'a>,
    pub(crate) cmd: Option<Json<'a>>,
    pub(crate) args: Json<'a>,
    pub(crate) gpus: Option<&'a Node>,
    /// Present unless the container has port mappings.
    pub(crate) ports: Option<Ports<'a>>,
    pub(crate) accepted_resource_roles: Option<&'a Node>,
}

pub(crate) struct Ports<'a> {
    pub(crate) host_port: Json<'a>,
    pub(crate) required: bool,
}

pub(crate) fn complete(wanted: &Wanted) -> Result<Complete<'_>, RenderError> {
    check_registrations(wanted)?;
    let settings = &wanted.settings;
    let container = container(wanted)?;
    let desired = desired(wanted)?;
    let (cmd, args) = command(wanted)?;
    let mem = float(wanted, "mem", 4096.0)?;
    Ok(Complete {
        dockercfg: Json::node_or(
            wanted.system.get("dockercfg_location"),
            Json::text("file:///root/.dockercfg"),
        ),
        backoff_seconds: backoff_seconds(wanted)?,
        backoff_factor: Json::node_or(settings.get("backoff_factor"), Json::Int(2)),
        max_launch_delay_seconds: Json::node_or(settings.get("max_launch_delay_seconds"), Json::Int(300)),
        health_check: health_check(wanted)?,
        env: env::env(wanted, &container)?,
        mem,
        cpus: float(wanted, "cpus", 1.0)?,
        disk: float(wanted, "disk", 1024.0)?,
        constraints: constraints::constraints(wanted, &desired)?,
        desired,
        cmd,
        args,
        gpus: settings.get_set("gpus"),
        ports: (!container.maps_ports()).then(|| ports(wanted)),
        accepted_resource_roles: settings.get_set("accepted_resource_roles"),
        container,
    })
}

fn float(wanted: &Wanted, key: &str, default: f64) -> Result<f64, RenderError> {
    wanted.settings.get(key).map_or(Ok(default), |node| to_float(key, node))
}

fn ports(wanted: &Wanted) -> Ports<'_> {
    let host_port = wanted.settings.get("host_port");
    let required = host_port.is_some_and(|node| !is_zero(node));
    Ports { host_port: Json::node_or(host_port, Json::Int(0)), required }
}

fn is_zero(node: &Node) -> bool {
    Number::of("host_port", node).is_ok_and(Number::is_zero)
}

/// `cmd` and `args`, of which at most one may be given.
fn command(wanted: &Wanted) -> Result<(Option<Json<'_>>, Json<'_>), RenderError> {
    let args = wanted.settings.get("args");
    let Some(cmd) = wanted.settings.get_set("cmd") else {
        return Ok((None, Json::node_or(args, Json::List(Vec::new()))));
    };
    if let Some(args) = args.filter(|args| !args.is_null()) {
        return Err(failure(
            "InvalidInstanceConfig",
            Some(args),
            "args: cannot be given together with `cmd`",
        ));
    }
    let cmd = match &cmd.value {
        Value::String(_) => Json::Node(cmd),
        Value::List(words) => Json::text(joined("cmd", words, " ")?),
        _ => {
            let message = format!("cmd: expected a string or a list, found {}", cmd.kind());
            return Err(failure("ValueError", Some(cmd), message));
        }
    };
    Ok((Some(cmd), Json::Null))
}

/// Texts joined; anything but a text among them is an error.
pub(crate) fn joined(key: &str, words: &[Node], separator: &str) -> Result<String, RenderError> {
    let mut out = String::new();
    for (index, word) in words.iter().enumerate() {
        let text = word.as_str().ok_or_else(|| {
            failure("TypeError", Some(word), format!("{key}: expected strings, found {}", word.kind()))
        })?;
        if index > 0 {
            out.push_str(separator);
        }
        out.push_str(text);
    }
    Ok(out)
}

/// The first registration names the namespace whose settings are used; one that cannot be split is an error.
fn check_registrations(wanted: &Wanted) -> Result<(), RenderError> {
    let settings = &wanted.settings;
    let invalid = |node: &Node, what: String| {
        let message = format!("{what}: expected `<service>.<namespace>`");
        Err(failure("InvalidJobNameError", Some(node), message))
    };
    match settings.get("registrations").filter(|node| node.is_truthy()) {
        Some(node) => {
            for item in super::items("registrations", node)? {
                if item.as_str().is_none() {
                    return invalid(item, format!("registrations: found {}", item.kind()));
                }
            }
            match node.as_list().and_then(<[Node]>::first) {
                Some(first) if !splits(first.as_str().unwrap_or_default()) => {
                    invalid(first, format!("registrations: {first:?}"))
                }
                _ => Ok(()),
            }
        }
        None => match settings.get("nerve_ns") {
            Some(node) if !node.as_str().is_some_and(|text| matches!(text.split('.').count(), 1 | 3)) => {
                invalid(node, format!("nerve_ns: {node:?}"))
            }
            _ => Ok(()),
        },
    }
}

fn splits(registration: &str) -> bool {
    matches!(registration.split('.').count(), 2 | 4)
}
