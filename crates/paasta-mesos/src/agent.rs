//! Agents, as a master lists them. Pure.

use std::collections::BTreeMap;

use paasta_monitoring::utilisation::{self, Amounts};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// The role to which resources are reserved while a host is about to leave.
pub const MAINTENANCE_ROLE: &str = "maintenance";

/// Amounts of what an agent has, or a task uses. What is not named is none.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// Processors.
    pub cpus: f64,
    /// Memory, in MiB.
    pub mem: f64,
    /// Disk, in MiB.
    pub disk: f64,
    /// Graphics processors.
    pub gpus: f64,
    /// Ranges of ports, as `[31000-31001, 31007-31007]`.
    pub ports: Option<String>,
}

impl Resources {
    /// What can be counted.
    pub fn amounts(&self) -> Amounts {
        Amounts { cpus: self.cpus, mem: self.mem, disk: self.disk, gpus: self.gpus }
    }

    /// The first of the ports (monitoring.md §5.6).
    ///
    /// ```
    /// use paasta_mesos::Resources;
    ///
    /// let of = |ports: &str| Resources { ports: Some(ports.to_owned()), ..Resources::default() };
    /// assert_eq!(of("[31007-31007, 31900-31901]").first_port(), Some(31007));
    /// assert_eq!(of("[]").first_port(), None);
    /// ```
    pub fn first_port(&self) -> Option<u16> {
        let text = self.ports.as_deref()?.trim_start_matches(|c: char| !c.is_ascii_digit());
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        text[..end].parse().ok()
    }
}

/// A machine of the cluster, which Mesos calls a slave or an agent.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Agent {
    /// Its id.
    pub id: String,
    /// The host.
    pub hostname: String,
    /// Where it is reached, as `slave(1)@10.0.0.1:5051`.
    #[serde(default)]
    pub pid: String,
    /// Whether the master hears of it. One that is not active is given no tasks.
    #[serde(default = "yes")]
    pub active: bool,
    /// What it says of itself, such as `pool` and `region`. Numbers are the texts that they are written as.
    #[serde(default, deserialize_with = "texts")]
    pub attributes: BTreeMap<String, String>,
    /// What it has.
    pub resources: Resources,
    /// What of that is used.
    #[serde(default)]
    pub used_resources: Resources,
    /// What of it is reserved, by role.
    #[serde(default)]
    pub reserved_resources: BTreeMap<String, Resources>,
}

impl Agent {
    /// What is reserved so that nothing more is started there.
    pub fn maintenance(&self) -> Amounts {
        self.reserved_resources.get(MAINTENANCE_ROLE).map(Resources::amounts).unwrap_or_default()
    }

    /// `host:port` of its pid (monitoring.md §5.5).
    pub fn address(&self) -> Option<&str> {
        self.pid.rsplit_once('@').map(|(_, address)| address).filter(|address| !address.is_empty())
    }

    /// As the checks of what is used take it.
    pub fn capacity(&self) -> utilisation::Agent {
        utilisation::Agent {
            id: self.id.clone(),
            host: self.hostname.clone(),
            attributes: self.attributes.clone(),
            resources: self.resources.amounts(),
            maintenance: self.maintenance(),
        }
    }
}

fn yes() -> bool {
    true
}

/// Attributes are texts, numbers, or what Mesos writes as texts of its own.
fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    let values = Option::<BTreeMap<String, Value>>::deserialize(deserializer)?.unwrap_or_default();
    let text = |value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    Ok(values.into_iter().map(|(name, value)| (name, text(value))).collect())
}

/// Where an instance may run, and so may be looked for (monitoring.md §5.5): by attributes of agents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// Not where one of these attributes has this value.
    pub blacklist: Vec<(String, String)>,
    /// Only where this attribute has one of these values.
    pub whitelist: Option<(String, Vec<String>)>,
}

impl Placement {
    /// Whether an agent with these attributes may be used.
    ///
    /// ```
    /// use paasta_mesos::Placement;
    ///
    /// let placement = Placement {
    ///     blacklist: vec![("habitat".to_owned(), "b".to_owned())],
    ///     whitelist: Some(("region".to_owned(), vec!["west".to_owned()])),
    /// };
    /// let attributes = |habitat: &str| {
    ///     [("habitat".to_owned(), habitat.to_owned()), ("region".to_owned(), "west".to_owned())].into()
    /// };
    /// assert!(placement.allows(&attributes("a")) && !placement.allows(&attributes("b")));
    /// ```
    pub fn allows(&self, attributes: &BTreeMap<String, String>) -> bool {
        let has =
            |attribute: &str, value: &str| attributes.get(attribute).is_some_and(|found| found == value);
        let is_out = self.blacklist.iter().any(|(attribute, value)| has(attribute, value));
        let is_in = match &self.whitelist {
            None => true,
            Some((attribute, values)) => values.iter().any(|value| has(attribute, value)),
        };
        is_in && !is_out
    }

    /// The agents that may be used, in their order.
    pub fn filter<'a>(&self, agents: &'a [Agent]) -> Vec<&'a Agent> {
        agents.iter().filter(|agent| self.allows(&agent.attributes)).collect()
    }
}

/// The agents by the value of an attribute, in their order; those without it, or with an empty one, are left out
/// (monitoring.md §5.5).
pub fn by_attribute<'a>(
    agents: impl IntoIterator<Item = &'a Agent>,
    attribute: &str,
) -> BTreeMap<&'a str, Vec<&'a Agent>> {
    let mut groups: BTreeMap<&str, Vec<&Agent>> = BTreeMap::new();
    for agent in agents {
        if let Some(value) = agent.attributes.get(attribute).filter(|value| !value.is_empty()) {
            groups.entry(value).or_default().push(agent);
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(id: &str, attributes: &str) -> Agent {
        let text = format!(
            r#"{{"id": "{id}", "hostname": "{id}.x", "attributes": {attributes}, "resources": {{}}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    /// The example of monitoring.md §5.5.
    #[test]
    fn agents_are_grouped_in_their_order() {
        let agents = [
            agent("a", r#"{"r": "w"}"#),
            agent("b", r#"{"r": "x"}"#),
            agent("c", "{}"),
            agent("d", r#"{"r": "x"}"#),
            agent("e", r#"{"r": ""}"#),
        ];
        let groups: Vec<_> = by_attribute(&agents, "r")
            .into_iter()
            .map(|(value, agents)| {
                (value, agents.iter().map(|agent| agent.id.as_str()).collect::<Vec<_>>().join(" "))
            })
            .collect();
        assert_eq!(groups, [("w", "a".to_owned()), ("x", "b d".to_owned())]);
    }

    #[test]
    fn lists_of_where_not_and_where_only() {
        let agents =
            [agent("a", r#"{"r": "w", "rack": 7}"#), agent("b", r#"{"r": "x"}"#), agent("c", "null")];
        let text = str::to_owned;
        let ids = |blacklist: &[(&str, &str)], whitelist: Option<(&str, &[&str])>| {
            let placement = Placement {
                blacklist: blacklist.iter().map(|(name, value)| (text(name), text(value))).collect(),
                whitelist: whitelist
                    .map(|(name, values)| (text(name), values.iter().map(|value| text(value)).collect())),
            };
            placement.filter(&agents).iter().map(|agent| agent.id.as_str()).collect::<String>()
        };
        assert_eq!(ids(&[], None), "abc");
        assert_eq!(ids(&[("r", "w")], None), "bc");
        assert_eq!(ids(&[("rack", "7"), ("r", "y")], None), "bc");
        assert_eq!(ids(&[], Some(("r", &["x", "w"]))), "ab");
        assert_eq!(ids(&[("r", "x")], Some(("r", &["x", "w"]))), "a");
        assert_eq!(ids(&[], Some(("r", &[]))), "");
    }

    #[test]
    fn what_an_agent_tells() {
        let full: Agent = serde_json::from_str(
            r#"{"id": "S1", "hostname": "h1", "pid": "slave(1)@10.40.31.172:5051", "active": false,
                "attributes": {"pool": "default", "rack": 7, "big": true},
                "resources": {"cpus": 10, "mem": 10240.0, "disk": 1, "gpus": 0, "ports": "[31000-32000]", "network": 3},
                "reserved_resources": {"maintenance": {"cpus": 4, "mem": 1024}, "other": {"cpus": 1}}}"#,
        )
        .unwrap();
        assert_eq!(full.address(), Some("10.40.31.172:5051"));
        assert_eq!(full.maintenance(), Amounts { cpus: 4.0, mem: 1024.0, ..Amounts::default() });
        assert_eq!((full.attributes["rack"].as_str(), full.attributes["big"].as_str()), ("7", "true"));
        assert_eq!((full.active, full.resources.first_port()), (false, Some(31000)));
        let few = agent("b", "{}");
        assert_eq!((few.active, few.address(), few.maintenance()), (true, None, Amounts::default()));
        for wrong in [
            r#"{"hostname": "h", "resources": {}}"#,
            r#"{"id": "a", "resources": {}}"#,
            r#"{"id": "a", "hostname": "h"}"#,
            r#"{"id": "a", "hostname": "h", "resources": {"cpus": "many"}}"#,
        ] {
            assert!(serde_json::from_str::<Agent>(wrong).is_err(), "{wrong}");
        }
    }
}
