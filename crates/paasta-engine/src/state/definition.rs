//! App definitions: the JSON as sent, and the part of it that the engine acts on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::fields::Fields;
use super::path_id::PathId;

/// What the engine reads of an app's JSON. Members it does not know stay in the JSON and are shown again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    /// Tasks wanted.
    pub instances: u64,
    /// What `/bin/sh -c` runs.
    pub cmd: Option<String>,
    /// The image's name, where the container has one.
    pub image: Option<String>,
    /// Environment as written.
    pub env: BTreeMap<String, String>,
    /// Labels as written.
    pub labels: BTreeMap<String, String>,
    /// Ports a task gets, in order.
    pub ports: Vec<PortWish>,
    /// Health checks, in order.
    pub checks: Vec<HealthCheck>,
    /// Delays between launches after failures.
    pub backoff: Backoff,
    /// Seconds between SIGTERM and SIGKILL, where the app says so.
    pub kill_grace_seconds: Option<f64>,
    /// Whether scaling down takes the oldest tasks first.
    pub kill_oldest_first: bool,
    /// Processors, MB of memory, MB of disk and GPUs asked for. Told to the task; not enforced for processes.
    pub resources: Resources,
}

/// What a task says it needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Resources {
    /// Processors.
    pub cpus: f64,
    /// Megabytes of memory.
    pub mem: f64,
    /// Megabytes of disk.
    pub disk: f64,
    /// GPUs.
    pub gpus: f64,
}

impl Resources {
    /// Both together.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        self.with(other, |one, other| one + other)
    }

    /// What is left of it; never less than nothing.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        self.with(other, |one, other| (one - other).max(0.0))
    }

    /// Whether there is as much of each.
    pub fn fits_into(&self, other: &Self) -> bool {
        other.with(self, |other, one| if one <= other + ROUNDING { 0.0 } else { 1.0 }) == Self::default()
    }

    /// Whether there is nothing of any.
    pub fn is_nothing(&self) -> bool {
        self.fits_into(&Self::default())
    }

    fn with(&self, other: &Self, of: impl Fn(f64, f64) -> f64) -> Self {
        Self {
            cpus: of(self.cpus, other.cpus),
            mem: of(self.mem, other.mem),
            disk: of(self.disk, other.disk),
            gpus: of(self.gpus, other.gpus),
        }
    }
}

/// What sums of decimals may be off.
const ROUNDING: f64 = 1e-6;

/// One port of a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortWish {
    /// The port inside a container, or the declared one.
    pub declared: u16,
    /// The port on this machine, where it is fixed.
    pub fixed: Option<u16>,
}

/// Launch delays after failures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Backoff {
    /// After the first failure.
    pub seconds: f64,
    /// Growth per further failure.
    pub factor: f64,
    /// Never more than this.
    pub max_seconds: f64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { seconds: 1.0, factor: 1.15, max_seconds: 3600.0 }
    }
}

/// One health check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// What is asked.
    pub probe: Probe,
    /// Failures this long after the start are ignored until the first success.
    pub grace_seconds: f64,
    /// Between two checks.
    pub interval_seconds: f64,
    /// An answer later than this is a failure.
    pub timeout_seconds: f64,
    /// So many failures in a row end the task; 0 never does.
    pub failures_max: u32,
}

/// What a health check asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Probe {
    /// GET a path; 200 to 399 is healthy.
    Http {
        /// Over TLS; the certificate is not judged.
        tls: bool,
        /// Which path.
        path: String,
        /// Which port.
        port: CheckPort,
    },
    /// Open a connection.
    Tcp {
        /// Which port.
        port: CheckPort,
    },
    /// Run a shell command in the task's directory; exit code 0 is healthy.
    Command {
        /// The command line.
        command: String,
    },
}

/// Which port a check goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckPort {
    /// The task's port at this index.
    Index(usize),
    /// This very port.
    Number(u16),
}

/// One thing wrong with a definition, as Marathon lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Where, as a JSON pointer.
    pub path: String,
    /// What.
    pub errors: Vec<String>,
}

/// What is wrong with a definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DefinitionError {
    /// A member has another JSON type than it must.
    Type(Vec<Problem>),
    /// A member has a value it must not have.
    Value(Vec<Problem>),
}

impl Definition {
    /// Reads the members the engine acts on, with Marathon's defaults.
    pub fn read(raw: &Map<String, Value>) -> Result<Self, DefinitionError> {
        let mut fields = Fields::of(raw);
        let definition = Self {
            instances: fields.whole("instances", 1),
            cmd: fields.text("cmd"),
            image: fields
                .within("container", |c| c.within("docker", |d| d.text("image")))
                .flatten()
                .flatten(),
            env: fields.texts("env"),
            labels: fields.texts("labels"),
            ports: ports(&mut fields),
            checks: fields.objects("healthChecks", check).into_iter().flatten().collect(),
            backoff: Backoff {
                seconds: fields.number("backoffSeconds", 1.0, 0.0),
                factor: fields.number("backoffFactor", 1.15, 1.0),
                max_seconds: fields.number("maxLaunchDelaySeconds", 3600.0, 0.0),
            },
            kill_grace_seconds: fields
                .has("taskKillGracePeriodSeconds")
                .then(|| fields.number("taskKillGracePeriodSeconds", 5.0, 0.0)),
            kill_oldest_first: fields.text("killSelection").is_some_and(|s| s == "OLDEST_FIRST"),
            resources: Resources {
                cpus: fields.number("cpus", 1.0, 0.0),
                mem: fields.number("mem", 128.0, 0.0),
                disk: fields.number("disk", 0.0, 0.0),
                gpus: fields.number("gpus", 0.0, 0.0),
            },
        };
        let has_args = !fields.list("args", |item| item.only_text()).is_empty();
        if definition.cmd.is_none() && !has_args && !fields.has("container") {
            fields
                .wrong("", "AppDefinition must either contain one of 'cmd' or 'args', and/or a 'container'.");
        }
        fields.finish()?;
        Ok(definition)
    }
}

/// The id in a definition.
pub(crate) fn id_of(raw: &Map<String, Value>) -> Result<PathId, DefinitionError> {
    let problem = |error: &str| vec![Problem { path: "/id".to_owned(), errors: vec![error.to_owned()] }];
    match raw.get("id") {
        None | Some(Value::Null) => Err(DefinitionError::Type(problem("error.path.missing"))),
        Some(Value::String(text)) => {
            PathId::parse(text).map_err(|error| DefinitionError::Value(problem(&error.to_string())))
        }
        Some(_) => Err(DefinitionError::Type(problem("error.expected.jsstring"))),
    }
}

/// Marathon's order: a container's own mappings, then `portDefinitions`, then `ports`; one port if none are named.
fn ports(fields: &mut Fields<'_>) -> Vec<PortWish> {
    let mapped = fields
        .within("container", |container| {
            let outer = container.has("portMappings").then(|| container.objects("portMappings", mapping));
            outer.or_else(|| {
                container
                    .within("docker", |docker| {
                        docker.has("portMappings").then(|| docker.objects("portMappings", mapping))
                    })
                    .flatten()
            })
        })
        .flatten();
    if let Some(mapped) = mapped {
        return mapped;
    }
    let required = fields.flag("requirePorts");
    let wish = |port: u16| PortWish { declared: port, fixed: (required && port != 0).then_some(port) };
    if fields.has("portDefinitions") {
        return fields.objects("portDefinitions", |item| wish(item.port("port")));
    }
    if fields.has("ports") {
        return fields.list("ports", |item| wish(item.only_port()));
    }
    vec![PortWish::default()]
}

fn mapping(fields: &mut Fields<'_>) -> PortWish {
    let host = fields.port("hostPort");
    PortWish { declared: fields.port("containerPort"), fixed: (host != 0).then_some(host) }
}

fn check(fields: &mut Fields<'_>) -> Option<HealthCheck> {
    let protocol = fields.text("protocol").unwrap_or_else(|| "HTTP".to_owned());
    let port = if fields.has("port") {
        CheckPort::Number(fields.port("port"))
    } else {
        CheckPort::Index(usize::from(fields.port("portIndex")))
    };
    let path = fields.text("path").unwrap_or_else(|| "/".to_owned());
    let command = fields.within("command", |command| command.text("value")).flatten();
    let probe = match (protocol.as_str(), command) {
        ("HTTP" | "MESOS_HTTP", _) => Probe::Http { tls: false, path, port },
        ("HTTPS" | "MESOS_HTTPS", _) => Probe::Http { tls: true, path, port },
        ("TCP" | "MESOS_TCP", _) => Probe::Tcp { port },
        ("COMMAND", Some(command)) => Probe::Command { command },
        ("COMMAND", None) => {
            fields.wrong("/command", "must be defined for a COMMAND check");
            return None;
        }
        _ => {
            fields.wrong(
                "/protocol",
                "is not one of HTTP, HTTPS, TCP, COMMAND, MESOS_HTTP, MESOS_HTTPS, MESOS_TCP",
            );
            return None;
        }
    };
    Some(HealthCheck {
        probe,
        grace_seconds: fields.number("gracePeriodSeconds", 300.0, 0.0),
        interval_seconds: fields.number("intervalSeconds", 60.0, 0.0),
        timeout_seconds: fields.number("timeoutSeconds", 20.0, 0.0),
        failures_max: u32::try_from(fields.whole("maxConsecutiveFailures", 3)).unwrap_or(u32::MAX),
    })
}
