//! Where tasks may run (marathon-and-bounce.md §1.8).

use std::borrow::Cow;

use paasta_config::{Map, Node, RenderError, Value, Wanted};

use super::complete::joined;
use super::counts::{Desired, size};
use super::number::Number;
use super::pyjson::Json;
use super::pystr::py_eq;
use super::{failure, items, text_of};

type Constraint<'a> = Vec<Json<'a>>;

pub(crate) fn constraints<'a>(
    wanted: &'a Wanted,
    desired: &Desired<'_>,
) -> Result<Vec<Constraint<'a>>, RenderError> {
    match wanted.settings.get_set("constraints") {
        Some(node) => stringified("constraints", node),
        None => computed(wanted, desired),
    }
}

fn computed<'a>(wanted: &'a Wanted, desired: &Desired<'_>) -> Result<Vec<Constraint<'a>>, RenderError> {
    let filters = [
        Filter::read("deploy_blacklist", "deploy_whitelist", &wanted.settings)?,
        Filter::read("deploy_blacklist", "deploy_whitelist", &wanted.system)?,
    ];
    let mut constraints = match wanted.settings.get_set("extra_constraints") {
        Some(node) => stringified("extra_constraints", node)?,
        None => Vec::new(),
    };
    constraints.extend(routing(wanted, &filters)?);
    for filter in &filters {
        filter.push_constraints(&mut constraints)?;
    }
    let pool = Json::node_or(wanted.settings.get("pool"), Json::text("default"));
    constraints.push(vec![Json::text("pool"), Json::text("LIKE"), pool]);
    if hosts_are_unique(wanted, desired)? {
        constraints.push(vec![Json::text("hostname"), Json::text("UNIQUE")]);
    }
    Ok(constraints)
}

/// Constraints as given, each of their items as text.
fn stringified<'a>(key: &str, node: &'a Node) -> Result<Vec<Constraint<'a>>, RenderError> {
    let constraint = |node: &'a Node| -> Result<Constraint<'a>, RenderError> {
        let parts = node.as_list().ok_or_else(|| {
            let message =
                format!("{key}: expected a list such as [pool, LIKE, default], found {}", node.kind());
            failure("InvalidInstanceConfig", Some(node), message)
        })?;
        parts.iter().map(|part| text_of(key, part).map(Json::Text)).collect()
    };
    items(key, node)?.iter().map(constraint).collect()
}

/// A blacklist and a whitelist of host attributes, of the instance or of the system.
struct Filter<'a> {
    blacklist: Vec<(&'a Node, &'a Node)>,
    whitelist: Option<(&'a Node, &'a Node)>,
}

impl<'a> Filter<'a> {
    fn read(black: &str, white: &str, map: &'a Map) -> Result<Self, RenderError> {
        let blacklist = match map.get(black) {
            None => Vec::new(),
            Some(node) => {
                items(black, node)?.iter().map(|item| pair(black, item)).collect::<Result<_, _>>()?
            }
        };
        let whitelist = match map.get(white) {
            None => None,
            Some(node) => match &node.value {
                Value::Null | Value::Bool(_) | Value::Int(_) | Value::BigInt(_) | Value::Float(_) => None,
                _ => Some(pair(white, node)?),
            },
        };
        Ok(Self { blacklist, whitelist })
    }

    fn push_constraints(&self, constraints: &mut Vec<Constraint<'a>>) -> Result<(), RenderError> {
        for (kind, value) in &self.blacklist {
            constraints.push(vec![Json::Node(kind), Json::text("UNLIKE"), Json::Node(value)]);
        }
        if let Some((kind, values)) = self.whitelist {
            constraints.push(vec![Json::Node(kind), Json::text("LIKE"), Json::Text(alternatives(values)?)]);
        }
        Ok(())
    }

    fn passes(&self, attributes: &Map) -> Result<bool, RenderError> {
        let null = Node::null();
        let attribute = |kind: &Node| {
            attributes.iter().find(|(key, _)| py_eq(key, kind)).map_or(&null, |(_, value)| value)
        };
        if self.blacklist.iter().any(|(kind, value)| py_eq(attribute(kind), value)) {
            return Ok(false);
        }
        match self.whitelist {
            None => Ok(true),
            Some((kind, values)) => holds(values, attribute(kind)),
        }
    }
}

fn pair<'a>(key: &str, node: &'a Node) -> Result<(&'a Node, &'a Node), RenderError> {
    match node.as_list() {
        Some([kind, value]) => Ok((kind, value)),
        _ => {
            let expected =
                format!("{key}: expected a list of two, such as [region, …], found {}", node.kind());
            Err(failure("ValueError", Some(node), expected))
        }
    }
}

/// The values of a whitelist as one pattern; a single text is taken letter by letter, as the original does.
fn alternatives(values: &Node) -> Result<Cow<'_, str>, RenderError> {
    match &values.value {
        Value::List(words) | Value::Tuple(words) => joined("deploy_whitelist", words, "|").map(Cow::Owned),
        Value::String(text) => {
            let letters: Vec<String> = text.chars().map(String::from).collect();
            Ok(Cow::Owned(letters.join("|")))
        }
        _ => {
            let message = format!("deploy_whitelist: expected a list of values, found {}", values.kind());
            Err(failure("TypeError", Some(values), message))
        }
    }
}

fn holds(values: &Node, attribute: &Node) -> Result<bool, RenderError> {
    match (&values.value, &attribute.value) {
        (Value::List(values) | Value::Tuple(values), _) => {
            Ok(values.iter().any(|value| py_eq(value, attribute)))
        }
        (Value::String(text), Value::String(attribute)) => Ok(text.contains(attribute.as_str())),
        _ => {
            let message = format!("deploy_whitelist: cannot look for {attribute:?} in {}", values.kind());
            Err(failure("TypeError", Some(values), message))
        }
    }
}

/// Spreads tasks over the values of the attribute by which the service is discovered.
fn routing<'a>(wanted: &'a Wanted, filters: &[Filter<'_>]) -> Result<Option<Constraint<'a>>, RenderError> {
    let Some(expected) = wanted.system.get_set("expected_slave_attributes") else { return Ok(None) };
    let region = Node::text("region");
    let discover = wanted.namespace.get("discover");
    let mut values: Vec<&Node> = Vec::new();
    let mut any = false;
    for node in items("expected_slave_attributes", expected)? {
        let attributes = node.as_map().ok_or_else(|| {
            let message = format!("expected_slave_attributes: expected maps, found {}", node.kind());
            failure("AttributeError", Some(node), message)
        })?;
        if !all_pass(filters, attributes)? {
            continue;
        }
        any = true;
        let attribute = discover.unwrap_or(&region);
        let value = attributes.iter().find(|(key, _)| py_eq(key, attribute)).map(|(_, value)| value);
        if let Some(value) = value.filter(|value| value.is_truthy())
            && !values.iter().any(|other| py_eq(other, value))
        {
            values.push(value);
        }
    }
    if !any {
        let message = "no expected host passes the deploy blacklists and whitelists";
        let node =
            wanted.settings.get("deploy_whitelist").or_else(|| wanted.settings.get("deploy_blacklist"));
        return Err(failure("NoSlavesAvailable", node, message));
    }
    let count = Json::text(values.len().to_string());
    Ok(Some(vec![Json::node_or(discover, Json::text("region")), Json::text("GROUP_BY"), count]))
}

fn all_pass(filters: &[Filter<'_>], attributes: &Map) -> Result<bool, RenderError> {
    for filter in filters {
        if !filter.passes(attributes)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn hosts_are_unique(wanted: &Wanted, desired: &Desired<'_>) -> Result<bool, RenderError> {
    let key = "auto_hostname_unique_size";
    let limit = Number::of_key(key, wanted.system.get(key), -1)?;
    Ok(size(wanted, desired)?.compare(limit).is_some_and(|order| order.is_le()))
}
