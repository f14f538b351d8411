//! What shows only once an instance is merged: getters, names of methods, the deploy group.

use paasta_core::{NameError, Registration};

use super::{Finding, KnownNames};
use crate::soa::close_matches;
use crate::{InstanceConfig, LoadError, Node, SettingError};

/// The checks of one merged instance.
pub(super) struct Checks<'a> {
    pub(super) config: InstanceConfig<'a>,
    /// To blame where a value has no place.
    pub(super) file: &'a str,
    pub(super) known: &'a KnownNames<'a>,
}

impl Checks<'_> {
    /// Runs all; `groups` are the deploy groups of the pipeline, where it could be read.
    pub(super) fn run(&self, groups: Option<&[String]>, findings: &mut Vec<Finding>) {
        findings.extend(self.refused().into_iter().map(|error| self.setting(error)));
        findings.extend(self.method("bounce_method", self.config.bounce_method(), self.known.bounce_methods));
        findings.extend(self.method("drain_method", self.config.drain_method(), self.known.drain_methods));
        findings.extend(self.command_and_arguments());
        findings.extend(self.bounds());
        findings.extend(self.registrations());
        findings.extend(self.security());
        findings.extend(self.dependencies());
        if let Some(groups) = groups {
            findings.extend(self.deploy_group(groups));
        }
    }

    /// What the getters refuse.
    fn refused(&self) -> Vec<SettingError> {
        let config = &self.config;
        [
            config.deploy_group().err(),
            config.instances().err(),
            config.min_instances().err(),
            config.max_instances().err(),
            config.registrations().err(),
            config.container_port().err(),
            config.cmd().err(),
            config.env().err(),
            config.cpus().err(),
            config.mem().err(),
            config.disk().err(),
            config.monitoring().err(),
            config.replication_threshold().err(),
            config.bounce_method().err(),
            config.bounce_margin_factor().err(),
            config.bounce_health_params().err(),
            config.drain_method().err(),
            config.drain_method_params().err(),
            config.bounce_start_deadline().err(),
            config.healthcheck().err(),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn setting(&self, error: SettingError) -> Finding {
        Finding::of_load_error(self.file, "type", &LoadError::Setting(error))
    }

    fn method(&self, key: &str, name: Result<String, SettingError>, known: &[&str]) -> Option<Finding> {
        let name = name.ok().filter(|name| !known.contains(&name.as_str()))?;
        let message =
            format!("{}.{key}: there is no {} `{name}`", self.config.id().instance(), key.replace('_', " "));
        let hint = match close_matches(&name, known.iter().copied()).first() {
            Some(close) => format!("Did you mean `{close}`?"),
            None => format!("Use one of `{}`.", known.join("`, `")),
        };
        Some(self.at(key, "unknown-method", message).with_hint(hint))
    }

    fn command_and_arguments(&self) -> Option<Finding> {
        let args = self.config.settings().get_set("args")?;
        self.config.settings().get_set("cmd")?;
        let message = format!("{}: `cmd` and `args` exclude each other", self.config.id().instance());
        let finding = Finding::of_node(args, self.file, "cmd-and-args", message);
        Some(finding.warning().with_hint(
            "Drop `args`, or write the whole command into `cmd`; the instance cannot start like this.",
        ))
    }

    fn bounds(&self) -> Option<Finding> {
        let (min, max) = (self.config.min_instances().ok()?, self.config.max_instances().ok()??);
        (min > max).then(|| {
            let name = self.config.id().instance();
            let message = format!("{name}: `min_instances` ({min}) is above `max_instances` ({max})");
            self.at("max_instances", "instance-bounds", message)
        })
    }

    fn registrations(&self) -> Vec<Finding> {
        let names = self.config.registrations().unwrap_or_default();
        let bad = names.into_iter().filter_map(|name| Registration::new(name).err());
        let finding = |error: NameError| {
            let message = format!("{}.registrations: {error}", self.config.id().instance());
            self.at("registrations", "registration", message)
        };
        bad.map(finding).collect()
    }

    /// Firewall settings, if any is set.
    fn security(&self) -> Vec<Finding> {
        const INBOUND: &[&str] = &["allow", "reject"];
        const OUTBOUND: &[&str] = &["block", "monitor"];
        let Some(map) = self.config.settings().get("security").and_then(Node::as_map) else {
            return Vec::new();
        };
        if map.get_set("inbound_firewall").is_none() && map.get_set("outbound_firewall").is_none() {
            return Vec::new();
        }
        let path = format!("{}.security", self.config.id().instance());
        let refuse = |(key, value): (&Node, &Node)| {
            let name = key.as_str().unwrap_or_default();
            let words = match name {
                "inbound_firewall" => INBOUND,
                "outbound_firewall" => OUTBOUND,
                _ => {
                    let message = format!("{path}.{name}: there is no such key");
                    return Some(Finding::of_node(key, self.file, "unknown-key", message));
                }
            };
            let fits = value.is_null() || value.as_str().is_some_and(|word| words.contains(&word));
            let expected = format!("one of `{}`", words.join("`, `"));
            (!fits).then(|| self.setting(SettingError::new(format!("{path}.{name}"), value, expected)))
        };
        map.iter().filter_map(refuse).collect()
    }

    fn dependencies(&self) -> Option<Finding> {
        let group = self.config.settings().get_set("dependencies_reference")?.as_str()?;
        let groups = self.config.settings().get("dependencies").and_then(Node::as_map);
        if groups.is_some_and(|groups| groups.get(group).is_some()) {
            return None;
        }
        let name = self.config.id().instance();
        let message = format!("{name}.dependencies_reference: dependencies.yaml has no group `{group}`");
        Some(self.at("dependencies_reference", "dependencies", message))
    }

    fn deploy_group(&self, groups: &[String]) -> Option<Finding> {
        let group = self.config.deploy_group().ok()??;
        if groups.contains(&group) {
            return None;
        }
        let name = self.config.id().instance();
        let message =
            format!("{name}.deploy_group: deploy.yaml has no step `{group}`, so no pipeline deploys it");
        let hint = match close_matches(&group, groups.iter().map(String::as_str)).first() {
            Some(close) => format!("Did you mean `{close}`?"),
            None => format!("Add `- step: {group}` to the pipeline in deploy.yaml."),
        };
        Some(self.at("deploy_group", "deploy-group", message).with_hint(hint))
    }

    fn at(&self, key: &str, rule: &'static str, message: String) -> Finding {
        let position = self.config.settings().get(key).and_then(|node| node.position.as_ref());
        Finding::at(position, self.file, rule, message)
    }
}
