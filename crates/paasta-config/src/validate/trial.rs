//! Whether a Marathon instance can be rendered, once something is deployed of it (config.md §8.6).

use std::sync::Arc;

use paasta_core::Reading;

use super::instance::Checks;
use super::{Finding, SAME_MATTER, Severity};
use crate::{
    DeploymentRecord, InstanceType, Map, Node, Position, RenderError, Renderer, SystemConfig, Value, Wanted,
};

/// What is wrong with the host that validates, or with other files, and not with the instance's own.
const OF_THE_HOST: [&str; 4] =
    ["AutoscaledCountUnknown", "MarathonNotConfigured", "NoSlavesAvailable", "PaastaNotConfigured"];

impl Checks<'_> {
    /// Renders the instance with a made-up deployment, and tells what keeps it from that, if `told` does not yet.
    /// What has been told as a warning becomes an error.
    pub(super) fn render(
        &self,
        renderer: &dyn Renderer,
        namespace: &Map,
        system: &SystemConfig,
        told: &mut Vec<Finding>,
    ) {
        if self.config.instance_type() != InstanceType::Marathon {
            return;
        }
        let settings = self.config.settings();
        let is_at_home = system.cluster().is_ok_and(|cluster| cluster == *self.config.cluster());
        let system = system_for(system, is_at_home);
        let wanted = Wanted {
            id: self.config.id().clone(),
            cluster: self.config.cluster().clone(),
            settings: settings.clone(),
            deployment: DeploymentRecord {
                docker_image: format!("services-{}:paasta-{:0>40}", self.config.id().service(), 0),
                git_sha: "0".repeat(40),
                ..DeploymentRecord::default()
            },
            namespace: namespace.clone(),
            system: system.clone(),
            autoscaled_count: Reading::Known(None),
            secret_signatures: Default::default(),
        };
        let Err(error) = renderer.render(&wanted) else { return };
        let of_system = |position: &Position| system.iter().any(|(_, value)| holds(value, position));
        // The servers of other clusters are not known here.
        let is_elsewhere = !is_at_home && error.class == "IndexError";
        if OF_THE_HOST.contains(&error.class)
            || is_elsewhere
            || error.position.as_ref().is_some_and(of_system)
        {
            return;
        }
        self.tell(&error, told);
    }

    fn tell(&self, error: &RenderError, told: &mut Vec<Finding>) {
        let settings = self.config.settings();
        let named = error.message.split(':').next().unwrap_or_default();
        let of_position = |position: &Position| {
            settings.iter().find(|(key, value)| holds(value, position) || holds(key, position))
        };
        let found = error.position.as_ref().and_then(of_position);
        let (key, value) = match found {
            Some((key, value)) => (key.as_str().unwrap_or(named), Some(value)),
            None => (named, settings.get(named)),
        };
        let position = error.position.as_ref().or_else(|| value.and_then(|value| value.position.as_ref()));
        let position = position.or(self.key.position.as_ref());
        let is_told_of = |finding: &&mut Finding| match (value, position) {
            // Of the same value, wherever in it.
            (Some(value), _) => {
                let is_there = |place: &Position| is_at(finding, place);
                value.position.as_ref().is_some_and(is_there) || any_position(value, &is_there)
            }
            (None, Some(position)) => is_at(finding, position),
            (None, None) => false,
        };
        let mut same: Vec<&mut Finding> = told.iter_mut().filter(is_told_of).collect();
        if same.iter().any(|finding| finding.severity == Severity::Error) {
            return;
        }
        if let Some(finding) = same.iter_mut().find(|finding| SAME_MATTER.contains(&finding.rule)) {
            finding.severity = Severity::Error;
            return;
        }
        let is_key = value.is_some();
        let message = match error.message.strip_prefix(named).and_then(|rest| rest.strip_prefix(": ")) {
            Some(rest) if is_key && (named == key || named == "volumes") => rest,
            _ => &error.message,
        };
        let name = self.config.id().instance();
        let message = match is_key {
            true => format!("{name}.{key}: {message}"),
            false => format!("{name}: {message}"),
        };
        told.push(Finding::whole(self.file, "render", message, hint(key, is_key)).at(position));
    }
}

/// The system configuration to render with: that of the host where the instance runs in its cluster, and what every
/// cluster must have where it has not.
fn system_for(system: &SystemConfig, is_at_home: bool) -> Arc<Map> {
    let mut map = if is_at_home { Map::clone(system.map()) } else { Map::new() };
    for (key, value) in
        [("docker_registry", Value::String("registry".to_owned())), ("volumes", Value::List(Vec::new()))]
    {
        if map.get(key).is_none() {
            map.insert(Node::text(key), Node::new(value));
        }
    }
    Arc::new(map)
}

fn hint(key: &str, is_key: bool) -> String {
    let hint = match key {
        "constraints" | "extra_constraints" | "pool" => {
            "Write lists of two or three: an attribute, an operator, a value, as in `[pool, LIKE, default]`."
        }
        "deploy_blacklist" => "Write pairs of location type and value: `[[region, uswest1-prod]]`.",
        "deploy_whitelist" => "Write a location type and its values: `[region, [uswest1-prod]]`.",
        "extra_volumes" => {
            "Give each volume the texts `hostPath`, `containerPath` and `mode`, which is `RO` or `RW`."
        }
        "marathon_shard" | "previous_marathon_shards" => {
            "Count the servers of the system configuration from 0, or remove the key."
        }
        "net" => "Use `bridge` or `host`.",
        _ if is_key => {
            return format!("Mend the value of `{key}`: with it, the instance cannot be rendered.");
        }
        _ => "Mend the settings of this instance: with them, it cannot be rendered.",
    };
    hint.to_owned()
}

fn is_at(finding: &Finding, position: &Position) -> bool {
    finding.place() == (&position.file, Some(position.line), Some(position.column))
}

/// Whether the value, or anything in it, stands at this place.
fn holds(node: &Node, position: &Position) -> bool {
    any_position(node, &|place| place == position)
}

fn any_position(node: &Node, test: &dyn Fn(&Position) -> bool) -> bool {
    if node.position.as_ref().is_some_and(test) {
        return true;
    }
    match &node.value {
        Value::List(items) | Value::Tuple(items) => items.iter().any(|item| any_position(item, test)),
        Value::Map(map) | Value::Set(map) => {
            map.iter().any(|(key, value)| any_position(key, test) || any_position(value, test))
        }
        _ => false,
    }
}
