//! Every drain method there is. A new one is one file below `methods/` and one line in [`METHODS`].

mod crashy_drain;
mod hacheck;
mod http;
mod noop;
pub(crate) mod test;

use paasta_config::{Map, Node, Value};
use paasta_core::Task;

use crate::{DrainConfigError, DrainError, DrainMethod, DrainPlace, DrainTools};

type Build = fn(&Map, &DrainPlace, &DrainTools) -> Result<Box<dyn DrainMethod>, DrainConfigError>;

/// One line of the table.
pub struct Method {
    /// Its name in soa-configs.
    pub name: &'static str,
    /// What it does, for people.
    pub summary: &'static str,
    build: Build,
}

/// Every drain method, sorted by the name it has in soa-configs.
pub const METHODS: &[Method] = &[
    Method {
        name: "crashy_drain",
        summary: "Fails whatever it is asked; shows what a broken drain does to a bounce.",
        build: crashy_drain::build,
    },
    Method {
        name: "hacheck",
        summary: "Marks the task down in the hacheck of its host, and waits until load balancers have noticed.",
        build: hacheck::build,
    },
    Method {
        name: "http",
        summary: "Asks the task itself, over URLs that the service's author names.",
        build: http::build,
    },
    Method { name: "noop", summary: "Does nothing; a task may be killed at any time.", build: noop::build },
    Method {
        name: "test",
        summary: "Remembers in this process what was drained; a test says when a task is safe.",
        build: test::build,
    },
];

/// Builds the method named by `method` (the node of `drain_method`) for tasks of `place`.
///
/// # Errors
/// Names the position, the value and what was expected, if the method is unknown or a parameter is not as
/// marathon-and-bounce.md §6.1 wants it.
pub fn build(
    method: &Node,
    params: &Map,
    place: &DrainPlace,
    tools: &DrainTools,
) -> Result<Box<dyn DrainMethod>, DrainConfigError> {
    let found = METHODS.iter().find(|known| method.as_str() == Some(known.name));
    let found = found.ok_or_else(|| DrainConfigError::UnknownMethod {
        position: method.position.clone(),
        value: method.as_str().map_or_else(|| format!("{method:?}"), str::to_owned),
        expected: METHODS.iter().map(|known| known.name).collect::<Vec<_>>().join(", "),
    })?;
    (found.build)(params, place, tools)
}

/// Builds the method that an instance's merged settings ask for. Without `drain_method` that is `hacheck` for an
/// instance whose namespace is in SmartStack, else `noop`; without `drain_method_params`, `{delay: 60}` in
/// SmartStack, else none (config.md §2.6).
///
/// # Errors
/// As [`build`].
///
/// ```
/// use paasta_config::Map;
/// use paasta_drain::{DrainPlace, DrainTools, from_settings};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let place = DrainPlace {
/// #     service: "web".parse()?,
/// #     instance: "main".parse()?,
/// #     registrations: vec![paasta_core::Registration::new("web.main")?],
/// # };
/// let method = from_settings(&Map::new(), true, &place, &DrainTools::new("demo", "1")?)?;
/// assert_eq!(method.timing().delay_seconds, Some(60.0));
/// # Ok(())
/// # }
/// ```
pub fn from_settings(
    settings: &Map,
    in_smartstack: bool,
    place: &DrainPlace,
    tools: &DrainTools,
) -> Result<Box<dyn DrainMethod>, DrainConfigError> {
    let default = Node::text(if in_smartstack { "hacheck" } else { "noop" });
    let method = settings.get("drain_method").unwrap_or(&default);
    let default_params = default_params(in_smartstack);
    let params = match settings.get("drain_method_params") {
        None => &default_params,
        Some(node) => node.as_map().ok_or_else(|| DrainConfigError::Param {
            position: node.position.clone(),
            key: String::new(),
            found: format!("{} {node:?}", node.kind()),
            expected: "a map".to_owned(),
        })?,
    };
    build(method, params, place, tools)
}

fn default_params(in_smartstack: bool) -> Map {
    let mut params = Map::new();
    if in_smartstack {
        params.insert(Node::text("delay"), Node::new(Value::Int(60)));
    }
    params
}

/// Refuses a place without registrations.
fn need_registrations(method: &'static str, place: &DrainPlace) -> Result<(), DrainConfigError> {
    if place.registrations.is_empty() { Err(DrainConfigError::NoRegistrations { method }) } else { Ok(()) }
}

/// The task's host as it stands in a URL, and its first port.
fn address(task: &Task) -> Result<(String, u16), DrainError> {
    let port = *task.ports.first().ok_or_else(|| DrainError::NoPorts { task: task.id.clone() })?;
    if task.host.is_empty() {
        return Err(DrainError::NoHost { task: task.id.clone() });
    }
    let host = if task.host.contains(':') { format!("[{}]", task.host) } else { task.host.clone() };
    Ok((host, port))
}

#[cfg(test)]
mod tests;
