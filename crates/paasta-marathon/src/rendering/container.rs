//! The container: image, network, Docker parameters, ports and volumes (marathon-and-bounce.md §1.3, §1.6).

use std::borrow::Cow;

use paasta_config::{Node, RenderError, Value, Wanted};

use super::number::{Number, too_large};
use super::pyjson::Json;
use super::volumes::volumes;
use super::{failure, items, text_of};

pub(crate) struct Container<'a> {
    pub(crate) image_url: String,
    /// Docker starts it, or Mesos itself, which alone can hand out GPUs.
    pub(crate) kind: ContainerKind,
    pub(crate) network: Json<'a>,
    bridged: bool,
    pub(crate) container_port: Json<'a>,
    pub(crate) host_port: Json<'a>,
    pub(crate) parameters: Parameters<'a>,
    pub(crate) volumes: Vec<&'a Node>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContainerKind {
    Docker,
    Mesos,
}

/// Docker parameters around the two labels, which are sent and not hashed.
pub(crate) struct Parameters<'a> {
    pub(crate) before_labels: Vec<Parameter<'a>>,
    pub(crate) labels: [Parameter<'a>; 2],
    pub(crate) after_labels: Vec<Parameter<'a>>,
}

pub(crate) struct Parameter<'a> {
    pub(crate) key: Json<'a>,
    pub(crate) value: Json<'a>,
}

/// Capabilities that no task has, in the order in which they are hashed.
const DROPPED_CAPABILITIES: [&str; 14] = [
    "SETPCAP",
    "MKNOD",
    "AUDIT_WRITE",
    "CHOWN",
    "NET_RAW",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "NET_BIND_SERVICE",
    "SYS_CHROOT",
    "SETFCAP",
];

impl Container<'_> {
    /// Whether the port is declared as a mapping rather than as a definition.
    pub(crate) fn maps_ports(&self) -> bool {
        self.bridged && self.kind == ContainerKind::Docker
    }
}

pub(crate) fn container(wanted: &Wanted) -> Result<Container<'_>, RenderError> {
    let settings = &wanted.settings;
    let kind = if settings.get_set("gpus").is_some() { ContainerKind::Mesos } else { ContainerKind::Docker };
    let (network, bridged) = network(settings.get("net"))?;
    Ok(Container {
        image_url: image_url(wanted)?,
        kind,
        network,
        bridged,
        container_port: Json::node_or(settings.get("container_port"), Json::Int(8888)),
        host_port: Json::node_or(settings.get("host_port"), Json::Int(0)),
        parameters: parameters(wanted)?,
        volumes: volumes(wanted)?,
    })
}

fn image_url(wanted: &Wanted) -> Result<String, RenderError> {
    let image = &wanted.deployment.docker_image;
    if image.is_empty() {
        return Err(failure("NoDockerImage", None, format!("no image is deployed for {}", wanted.id)));
    }
    let registry = wanted.settings.get("docker_registry").or_else(|| wanted.system.get("docker_registry"));
    let Some(registry) = registry else {
        let message = "docker_registry: missing in the system configuration";
        return Err(failure("PaastaNotConfigured", None, message));
    };
    Ok(format!("{}/{image}", text_of("docker_registry", registry)?))
}

fn network(net: Option<&Node>) -> Result<(Json<'_>, bool), RenderError> {
    let Some(node) = net else { return Ok((Json::text("BRIDGE"), true)) };
    match &node.value {
        Value::String(name) => Ok(match name.as_str() {
            "bridge" => (Json::text("BRIDGE"), true),
            "host" => (Json::text("HOST"), false),
            "none" => (Json::text("NONE"), false),
            other => (Json::Node(node), other == "BRIDGE"),
        }),
        Value::List(_) | Value::Map(_) | Value::Set(_) => {
            Err(failure("TypeError", Some(node), format!("net: expected a string, found {}", node.kind())))
        }
        _ => Ok((Json::Node(node), false)),
    }
}

fn parameters(wanted: &Wanted) -> Result<Parameters<'_>, RenderError> {
    Ok(Parameters {
        before_labels: resource_parameters(wanted)?,
        labels: [
            Parameter::new("label", format!("paasta_service={}", wanted.id.service())),
            Parameter::new("label", format!("paasta_instance={}", wanted.id.instance())),
        ],
        after_labels: other_parameters(wanted)?,
    })
}

fn resource_parameters(wanted: &Wanted) -> Result<Vec<Parameter<'static>>, RenderError> {
    let number = |key: &str, default: i128| Number::of_key(key, wanted.settings.get(key), default);
    let mem = number("mem", 4096)?;
    let cpus = number("cpus", 1)?;
    let burst = number("cpu_burst_add", 1)?;
    let period = number("cfs_period_us", 100_000)?;
    let beyond = |key| too_large(key, wanted.settings.get(key));

    let swap = mem.plus(Number::Int(64)).and_then(Number::ceiled).ok_or_else(|| beyond("mem"))?;
    let quota = cpus.plus(burst).and_then(|sum| sum.times(period)).and_then(Number::truncated);
    let mut parameters = vec![
        Parameter::new("memory-swap", swap + "m"),
        Parameter::new("cpu-period", period.truncated().ok_or_else(|| beyond("cfs_period_us"))?),
        Parameter::new("cpu-quota", quota.ok_or_else(|| beyond("cpus"))?),
    ];
    if wanted.system.get("enforce_disk_quota").is_some_and(Node::is_truthy) {
        let kibi = Number::Int(1024);
        let bytes =
            number("disk", 1024)?.times(kibi).and_then(|kib| kib.times(kibi)).and_then(Number::truncated);
        let bytes = bytes.ok_or_else(|| beyond("disk"))?;
        parameters.push(Parameter::new("storage-opt", format!("size={bytes}")));
    }
    Ok(parameters)
}

fn other_parameters(wanted: &Wanted) -> Result<Vec<Parameter<'_>>, RenderError> {
    let mut parameters = Vec::new();
    if let Some(extra) = wanted.settings.get("extra_docker_args").filter(|node| node.is_truthy()) {
        let map = extra.as_map().ok_or_else(|| {
            let message = format!("extra_docker_args: expected a map, found {}", extra.kind());
            failure("AttributeError", Some(extra), message)
        })?;
        parameters.extend(
            map.iter().map(|(key, value)| Parameter { key: Json::Node(key), value: Json::Node(value) }),
        );
    }
    if let Some(added) = wanted.settings.get_set("cap_add") {
        for capability in items("cap_add", added)? {
            parameters.push(Parameter::new("cap-add", text_of("cap_add", capability)?));
        }
    }
    parameters.push(Parameter::new("init", "true"));
    parameters.extend(DROPPED_CAPABILITIES.map(|capability| Parameter::new("cap-drop", capability)));
    Ok(parameters)
}

impl<'a> Parameter<'a> {
    fn new(key: &'static str, value: impl Into<Cow<'a, str>>) -> Self {
        Self { key: Json::text(key), value: Json::text(value) }
    }

    pub(crate) fn json<'b>(&'b self) -> Json<'b> {
        Json::Object(vec![("key", Json::Ref(&self.key)), ("value", Json::Ref(&self.value))])
    }
}
