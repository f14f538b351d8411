//! What shows only once an instance is merged: getters, names of methods, the deploy group (config.md §8.6).

use paasta_core::{NameError, Registration};

use super::instances::autoscaling;
use super::{Finding, KnownNames, hints};
use crate::{InstanceConfig, InstanceType, LoadError, Map, Node, Pipeline, SettingError};

/// The checks of one merged instance.
#[derive(Clone, Copy)]
pub(super) struct Checks<'a> {
    pub(super) config: InstanceConfig<'a>,
    /// To blame where a value has no place.
    pub(super) file: &'a str,
    /// The instance's name as it stands in its file.
    pub(super) key: &'a Node,
    pub(super) known: &'a KnownNames<'a>,
}

impl Checks<'_> {
    /// Runs all but that of the deploy group.
    pub(super) fn run(&self, findings: &mut Vec<Finding>) {
        findings.extend(self.refused().into_iter().map(|error| self.setting(error)));
        if self.config.instance_type() == InstanceType::Marathon {
            findings.extend(self.method(
                "bounce_method",
                self.config.bounce_method(),
                self.known.bounce_methods,
            ));
            findings.extend(self.method(
                "drain_method",
                self.config.drain_method(),
                self.known.drain_methods,
            ));
        }
        findings.extend(self.command_and_arguments());
        findings.extend(self.security());
        findings.extend(self.dependencies());
        if self.config.instance_type() != InstanceType::Tron {
            findings.extend(self.bounds());
            findings.extend(self.registrations());
        }
        if self.config.instance_type() == InstanceType::Kubernetes {
            findings.extend(autoscaling(self.config.settings(), &self.name(), self.file));
        }
    }

    fn name(&self) -> String {
        self.config.id().instance().to_string()
    }

    /// What the getters refuse: of a Marathon instance what keeps it from being rendered, and what a bounce will
    /// meet; of the others what the original looks at.
    fn refused(&self) -> Vec<SettingError> {
        let config = &self.config;
        let settings = config.settings();
        let set = |key: &str| settings.get_set(key).is_some();
        let general = [
            config.deploy_group().err(),
            config.env().err(),
            config.cpus().err().filter(|_| set("cpus")),
            config.mem().err().filter(|_| set("mem")),
        ];
        let long_running = || {
            [
                config.min_instances().err().filter(|_| set("min_instances")),
                config.max_instances().err(),
                config.registrations().err(),
            ]
        };
        let marathon = || {
            [
                config.instances().err(),
                config.container_port().err(),
                config.cmd().err(),
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
        };
        let mut errors: Vec<SettingError> = general.into_iter().flatten().collect();
        match config.instance_type() {
            InstanceType::Tron => {}
            InstanceType::Marathon => {
                errors.extend(long_running().into_iter().flatten());
                errors.extend(marathon().into_iter().flatten());
            }
            _ => errors.extend(long_running().into_iter().flatten()),
        }
        errors
    }

    /// An error where the instance cannot be rendered with it, or the original's own check refuses it. What only a
    /// bounce, an alert or the engine will meet is a warning.
    fn setting(&self, error: SettingError) -> Finding {
        const NEEDED: [&str; 13] = [
            "cmd",
            "cpus",
            "deploy_group",
            "disk",
            "env",
            "healthcheck_cmd",
            "healthcheck_mode",
            "instances",
            "max_instances",
            "mem",
            "min_instances",
            "monitoring",
            "registrations",
        ];
        let key = error.key.strip_prefix(&self.name()).and_then(|rest| rest.strip_prefix('.'));
        let key = key.and_then(|rest| rest.split('.').next()).unwrap_or_default();
        let needed = NEEDED.contains(&key);
        let mut finding = Finding::of_load_error(self.file, "type", &LoadError::Setting(error));
        if finding.line.is_none() {
            finding = finding.at_node(self.key);
        }
        if needed { finding } else { finding.warning() }
    }

    fn method(&self, key: &str, name: Result<String, SettingError>, known: &[&str]) -> Option<Finding> {
        let name = name.ok().filter(|name| !known.contains(&name.as_str()))?;
        let noun = key.replace('_', " ");
        let message = format!("{}.{key}: there is no {noun} `{name}`", self.name());
        Some(self.at(key, "unknown-method", message, hints::one_of(&name, known.iter().copied())).warning())
    }

    fn command_and_arguments(&self) -> Option<Finding> {
        let args = self.config.settings().get_set("args")?;
        self.config.settings().get_set("cmd")?;
        let message = format!("{}: `cmd` and `args` exclude each other, so it cannot start", self.name());
        let hint = "Drop `args`, or write the whole command into `cmd`.";
        Some(Finding::whole(self.file, "cmd-and-args", message, hint).at_node(args).warning())
    }

    fn bounds(&self) -> Option<Finding> {
        let (min, max) = (self.config.min_instances().ok()?, self.config.max_instances().ok()??);
        // A minimum of null is none.
        let given = self.config.settings().get("min_instances");
        (min > max && !given.is_some_and(Node::is_null)).then(|| {
            let default = if given.is_none() { ", the default" } else { "" };
            let name = self.name();
            let message =
                format!("{name}: `min_instances` ({min}{default}) is above `max_instances` ({max})");
            let hint = format!("Set `max_instances` to {min} or more, or `min_instances` to {max} or less.");
            self.at("max_instances", "instance-bounds", message, hint)
        })
    }

    fn registrations(&self) -> Vec<Finding> {
        let names = self.config.registrations().unwrap_or_default();
        let bad = names.into_iter().enumerate();
        let bad = bad.filter_map(|(index, name)| Some((index, Registration::new(name).err()?)));
        let finding = |(index, error): (usize, NameError)| {
            let message = format!("{}.registrations: {error}", self.name());
            let hint = format!(
                "Write the service, a dot and a namespace of its smartstack.yaml, such as `{}.main`.",
                self.config.id().service()
            );
            let node = self.config.settings().get("registrations");
            let item = node.and_then(Node::as_list).and_then(|list| list.get(index));
            let position = item.or(node).unwrap_or(self.key).position.as_ref();
            Finding::whole(self.file, "registration", message, hint).at(position)
        };
        bad.map(finding).collect()
    }

    /// Firewall settings, if any is set.
    fn security(&self) -> Vec<Finding> {
        const INBOUND: &[&str] = &["allow", "reject"];
        const OUTBOUND: &[&str] = &["block", "monitor"];
        let Some(node) = self.config.settings().get_set("security") else { return Vec::new() };
        let path = format!("{}.security", self.name());
        let wrong = |path: &str, node: &Node, expected: &str, hint: String| {
            let error = SettingError { position: None, ..SettingError::new(path, node, expected) };
            Finding::whole(self.file, "type", error.to_string(), hint).at_node(node)
        };
        let Some(map) = node.as_map() else {
            let hint = "Write a map with `outbound_firewall: block` or `outbound_firewall: monitor`.";
            return vec![wrong(&path, node, "a map", hint.to_owned())];
        };
        if map.get_set("inbound_firewall").is_none() && map.get_set("outbound_firewall").is_none() {
            return Vec::new();
        }
        let refuse = |(key, value): (&Node, &Node)| {
            let name = key.as_str().unwrap_or_default();
            let words = match name {
                "inbound_firewall" => INBOUND,
                "outbound_firewall" => OUTBOUND,
                _ => {
                    let message = format!("{path}.{name}: there is no such key");
                    let hint = hints::one_of(name, ["inbound_firewall", "outbound_firewall"]);
                    return Some(Finding::whole(self.file, "unknown-key", message, hint).at_node(key));
                }
            };
            let fits = value.is_null() || value.as_str().is_some_and(|word| words.contains(&word));
            let expected = format!("one of `{}`", words.join("`, `"));
            let hint = hints::one_of(value.as_str().unwrap_or_default(), words.iter().copied());
            (!fits).then(|| wrong(&format!("{path}.{name}"), value, &expected, hint))
        };
        map.iter().filter_map(refuse).collect()
    }

    fn dependencies(&self) -> Option<Finding> {
        let group = self.config.settings().get_set("dependencies_reference")?;
        let groups = self.config.settings().get("dependencies").and_then(Node::as_map);
        if groups.is_some_and(|groups| groups.iter().any(|(key, _)| key == group)) {
            return None;
        }
        let shown = group.as_str().map_or_else(|| format!("{group:?}"), str::to_owned);
        let message =
            format!("{}.dependencies_reference: dependencies.yaml has no group `{shown}`", self.name());
        let names: Vec<&str> =
            groups.into_iter().flat_map(Map::iter).filter_map(|(key, _)| key.as_str()).collect();
        let hint = match names.is_empty() {
            true => format!("Define the group in dependencies.yaml, as `{shown}:` with a list below."),
            false => hints::one_of(&shown, names),
        };
        Some(Finding::whole(self.file, "dependencies", message, hint).at_node(group))
    }

    /// The deploy group that no step of the pipeline deploys.
    pub(super) fn undeployed(&self, pipeline: &Pipeline) -> Option<String> {
        let group = self.config.deploy_group().ok()??;
        pipeline.deploy_groups().all(|step| step != group).then_some(group)
    }

    /// Says so; `deploy` is the file whose pipeline it is.
    pub(super) fn no_step(&self, group: &str, pipeline: &Pipeline, deploy: &str) -> Finding {
        let default = match self.config.settings().get("deploy_group") {
            Some(_) => "",
            None => ", the default of this instance",
        };
        let message = format!(
            "{}.deploy_group: {deploy} has no step `{group}`{default}, so nothing deploys it",
            self.name()
        );
        let groups: Vec<&str> = pipeline.deploy_groups().collect();
        let hint = match hints::one_of(group, groups) {
            hint if hint.starts_with("Did") => hint,
            _ => format!("Add `- step: {group}` to the pipeline in {deploy}, or name one of its steps."),
        };
        self.at("deploy_group", "deploy-group", message, hint)
    }

    fn at(&self, key: &str, rule: &'static str, message: String, hint: String) -> Finding {
        let position = self.config.settings().get(key).and_then(|node| node.position.as_ref());
        Finding::whole(self.file, rule, message, hint).at(position.or(self.key.position.as_ref()))
    }
}
