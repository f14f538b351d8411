//! The health check (marathon-and-bounce.md §1.9).

use paasta_config::{Map, Node, RenderError, Wanted};

use super::failure;
use super::pyjson::Json;

pub(crate) struct HealthCheck<'a> {
    pub(crate) probe: Probe<'a>,
    pub(crate) grace_period_seconds: Json<'a>,
    pub(crate) interval_seconds: Json<'a>,
    pub(crate) timeout_seconds: Json<'a>,
    pub(crate) max_consecutive_failures: Json<'a>,
}

pub(crate) enum Probe<'a> {
    Http { protocol: &'static str, path: Json<'a> },
    Tcp,
    Command(&'a Node),
}

impl<'a> HealthCheck<'a> {
    /// The members that are hashed and sent alike; a command is worded differently on the wire.
    pub(crate) fn members<'b>(
        &'b self,
        command: impl FnOnce(&'b Node) -> Json<'b>,
    ) -> Vec<(&'b str, Json<'b>)> {
        let mut members = vec![
            ("gracePeriodSeconds", Json::Ref(&self.grace_period_seconds)),
            ("intervalSeconds", Json::Ref(&self.interval_seconds)),
            ("timeoutSeconds", Json::Ref(&self.timeout_seconds)),
            ("maxConsecutiveFailures", Json::Ref(&self.max_consecutive_failures)),
        ];
        match &self.probe {
            Probe::Http { protocol, path } => members.extend([
                ("protocol", Json::text(*protocol)),
                ("path", Json::Ref(path)),
                ("portIndex", Json::Int(0)),
            ]),
            Probe::Tcp => members.extend([("protocol", Json::text("TCP")), ("portIndex", Json::Int(0))]),
            Probe::Command(node) => {
                members.extend([("protocol", Json::text("COMMAND")), ("command", command(node))]);
            }
        }
        members
    }
}

pub(crate) fn health_check(wanted: &Wanted) -> Result<Option<HealthCheck<'_>>, RenderError> {
    let settings = &wanted.settings;
    let Some(probe) = probe(wanted)? else { return Ok(None) };
    let number = |key: &str, default: i64| Json::node_or(settings.get(key), Json::Int(default));
    Ok(Some(HealthCheck {
        probe,
        grace_period_seconds: number("healthcheck_grace_period_seconds", 60),
        interval_seconds: number("healthcheck_interval_seconds", 10),
        timeout_seconds: number("healthcheck_timeout_seconds", 10),
        max_consecutive_failures: number("healthcheck_max_consecutive_failures", 30),
    }))
}

fn probe(wanted: &Wanted) -> Result<Option<Probe<'_>>, RenderError> {
    let settings = &wanted.settings;
    let Some(mode) = mode(settings, &wanted.namespace)? else { return Ok(None) };
    let path = || {
        let node = settings.get("healthcheck_uri").or_else(|| wanted.namespace.get("healthcheck_uri"));
        Json::node_or(node, Json::text("/status"))
    };
    Ok(Some(match mode {
        Mode::Http => Probe::Http { protocol: "MESOS_HTTP", path: path() },
        Mode::Https => Probe::Http { protocol: "MESOS_HTTPS", path: path() },
        Mode::Tcp => Probe::Tcp,
        Mode::Command => Probe::Command(settings.get_set("healthcheck_cmd").ok_or_else(|| {
            let node = settings.get("healthcheck_cmd").or_else(|| settings.get("healthcheck_mode"));
            failure("InvalidInstanceConfig", node, "healthcheck_cmd: needed when `healthcheck_mode` is cmd")
        })?),
    }))
}

enum Mode {
    Http,
    Https,
    Tcp,
    Command,
}

impl Mode {
    fn read(node: &Node) -> Option<Self> {
        match node.as_str()? {
            "http" => Some(Mode::Http),
            "https" => Some(Mode::Https),
            "tcp" => Some(Mode::Tcp),
            "cmd" => Some(Mode::Command),
            _ => None,
        }
    }
}

fn mode(settings: &Map, namespace: &Map) -> Result<Option<Mode>, RenderError> {
    // A namespace that cannot be read is an error even where the instance does not need it.
    let of_namespace = namespace_mode(namespace)?;
    let known = |node: &Node| {
        Mode::read(node).ok_or_else(|| {
            let message = format!("healthcheck_mode: {node:?} is none of http, https, tcp, cmd");
            failure("InvalidHealthcheckMode", Some(node), message)
        })
    };
    if let Some(node) = settings.get_set("healthcheck_mode") {
        return known(node).map(Some);
    }
    match namespace.get("healthcheck_mode").filter(|node| node.is_truthy()) {
        Some(node) => known(node).map(Some),
        None => Ok(of_namespace),
    }
}

fn namespace_mode(namespace: &Map) -> Result<Option<Mode>, RenderError> {
    let Some(node) = namespace.get_set("mode") else {
        return Ok(namespace.get_set("proxy_port").map(|_| Mode::Http));
    };
    match Mode::read(node) {
        Some(Mode::Command) | None => {
            let message = format!("mode: {node:?} is none of http, tcp, https");
            Err(failure("InvalidSmartstackMode", Some(node), message))
        }
        mode => Ok(mode),
    }
}
