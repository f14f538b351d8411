//! Tron jobs: who is alerted, what deploys them, when they run (config.md §8.5).

use std::sync::Arc;

use paasta_core::{ClusterName, InstanceId, InstanceName, ServiceName};

use super::instance::Checks;
use super::{Finding, Run, hints, named};
use crate::soa::{Document, interpolated};
use crate::{InstanceConfig, InstanceType, LoadError, Map, Node, Pipeline};

mod schedule;

/// One action of a job, as it stands in the file.
pub(super) struct Action<'a> {
    pub(super) name: String,
    /// What to blame for it as a whole.
    pub(super) at: &'a Node,
    value: &'a Node,
}

/// The actions of a job, from a map of names or a list.
pub(super) fn actions(job: &Node) -> Vec<Action<'_>> {
    let Some(actions) = job.as_map().and_then(|job| job.get("actions")) else { return Vec::new() };
    let listed = actions.as_list().unwrap_or_default().iter().filter_map(|value| {
        let name = value.as_map()?.get("name")?;
        Some(Action { name: name.as_str()?.to_owned(), at: name, value })
    });
    let mapped = actions.as_map().into_iter().flat_map(named);
    mapped.map(|(name, at, value)| Action { name: name.to_owned(), at, value }).chain(listed).collect()
}

/// A job and where it stands.
struct Job<'a> {
    cluster: &'a ClusterName,
    file: &'a str,
    name: &'a str,
    key: &'a Node,
    map: &'a Map,
}

impl Run<'_> {
    /// Every file of jobs, whether its cluster is known or not (config.md §1.4).
    pub(super) fn check_tron(&mut self) {
        let is_lower = |name: &str| {
            name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'))
        };
        for file in self.files.clone() {
            let name = file.strip_prefix("tron-").and_then(|rest| rest.strip_suffix(".yaml"));
            let Some(cluster) =
                name.filter(|name| is_lower(name)).and_then(|name| ClusterName::new(name).ok())
            else {
                continue;
            };
            let Ok(document) = self.soa.document(self.service, &file) else { continue };
            self.check_jobs(&cluster, &self.show(&file), &document);
        }
    }

    fn check_jobs(&mut self, cluster: &ClusterName, file: &str, document: &Arc<Document>) {
        for (name, key, value) in named(&document.map).filter(|(name, ..)| !name.starts_with('_')) {
            // What is no map is told by the table.
            let Some(map) = value.as_map() else { continue };
            let job = Job { cluster, file, name, key, map };
            let cleanup = map.get("cleanup_action").map(|value| Action {
                name: "cleanup".to_owned(),
                at: map.key("cleanup_action").unwrap_or(key),
                value,
            });
            self.check_names_of_job(&job, value);
            for action in actions(value).into_iter().chain(cleanup) {
                self.check_action(&job, &action);
            }
            self.check_team(&job);
            if let Some(schedule) = map.get("schedule") {
                self.findings.extend(schedule::check(schedule, name, file));
            }
        }
    }

    /// A job and its actions are asked for as `<job>.<action>`, so each has a name of its own, without a dot.
    fn check_names_of_job(&mut self, job: &Job<'_>, value: &Node) {
        let mut tell = |rule, message: String, hint: &str, node: &Node| {
            self.findings.push(Finding::whole(job.file, rule, message, hint).at_node(node));
        };
        const HINT: &str = "Use letters, digits, `_` and `-`.";
        if job.name.contains('.') {
            let message = format!("`{}` cannot be the name of a job: it holds a dot", job.name);
            tell("name", message, HINT, job.key);
        }
        let listed = job.map.get("actions").and_then(Node::as_list).unwrap_or_default();
        for (index, action) in listed.iter().enumerate() {
            if action.as_map().is_some_and(|action| action.get("name").is_none()) {
                let message = format!("{}.actions[{index}]: the action has no `name`", job.name);
                tell("name", message, "Add `name`, or write the actions as a map from names.", action);
            }
        }
        let mut seen: Vec<String> = Vec::new();
        for action in actions(value) {
            if action.name.is_empty() || action.name.contains('.') {
                let what = if action.name.is_empty() { "it is empty" } else { "it holds a dot" };
                let message = format!(
                    "{}.actions: `{}` cannot be the name of an action: {what}",
                    job.name, action.name
                );
                tell("name", message, HINT, action.at);
            }
            if seen.contains(&action.name) {
                let message = format!("{}.actions: two actions are called `{}`", job.name, action.name);
                tell("repeated", message, "Rename one of the two.", action.at);
            }
            seen.push(action.name);
        }
    }

    fn check_action(&mut self, job: &Job<'_>, action: &Action<'_>) {
        let Some(own) = action.value.as_map() else { return };
        let name = format!("{}.{}", job.name, action.name);
        let Ok(instance) = InstanceName::new(name.clone()) else { return };
        let mut settings = own.clone();
        for key in ["service", "deploy_group"] {
            if let (None, Some(value)) = (own.get(key), job.map.get(key)) {
                settings.insert(Node::text(key), value.clone());
            }
        }
        let service =
            settings.get("service").and_then(Node::as_str).and_then(|name| ServiceName::new(name).ok());
        let service = service.unwrap_or_else(|| self.service.clone());
        let id = InstanceId::new(service.clone(), instance);
        if let Err(error) = interpolated(&mut settings, &id, job.cluster) {
            self.findings.push(Finding::of_load_error(job.file, "load", &LoadError::Setting(error)));
            return;
        }
        let namespace = Map::new();
        let config = InstanceConfig::new(&id, InstanceType::Tron, job.cluster, &settings, &namespace);
        let checks = Checks { config, file: job.file, key: action.at, known: self.known };
        checks.run(&mut self.findings);
        if self.clusters.contains(job.cluster) {
            self.check_secrets(job.cluster, &settings, &name, job.file);
        }
        self.check_deploy_group(&checks, &settings, &service);
    }

    fn check_deploy_group(&mut self, checks: &Checks<'_>, settings: &Map, service: &ServiceName) {
        let executor = settings.get_set("executor").and_then(Node::as_str).unwrap_or("paasta");
        if matches!(executor, "paasta" | "spark") && settings.get_set("deploy_group").is_none() {
            let message = format!(
                "{}: the action has no `deploy_group`, so it has no image",
                checks.config.id().instance()
            );
            let hint = "Add `deploy_group` to the action or the job, with a step of deploy.yaml.";
            self.findings
                .push(Finding::whole(checks.file, "deploy-group", message, hint).at_node(checks.key));
            return;
        }
        let (pipeline, deploy) = match service == self.service {
            true => (self.soa.pipeline(service), "deploy.yaml".to_owned()),
            false => (self.soa.pipeline(service), format!("{service}/deploy.yaml")),
        };
        // A pipeline that cannot be read is told by itself.
        let pipeline = pipeline.unwrap_or_else(|_| Pipeline::default());
        if let Some(group) = checks.undeployed(&pipeline) {
            self.findings.push(checks.no_step(&group, &pipeline, &deploy));
        }
    }

    /// A job needs a team, and one that can be alerted.
    fn check_team(&mut self, job: &Job<'_>) {
        let own = job.map.get("monitoring").and_then(Node::as_map).and_then(|map| map.get("team"));
        let general = self.soa.document(self.service, "monitoring.yaml").ok();
        let team = own.or_else(|| general.as_ref().and_then(|document| document.map.get("team")));
        let Some(team) = team.filter(|team| team.is_truthy()) else {
            let message =
                format!("{}: nobody is told when the job fails, as no `monitoring.team` is set", job.name);
            let hint = "Add `monitoring: {team: …}` to the job, or `team: …` to monitoring.yaml.";
            self.findings.push(Finding::whole(job.file, "team", message, hint).at_node(job.key));
            return;
        };
        // What is no text is told by the table.
        let (Some(known), Some(name)) = (self.known.teams, team.as_str()) else { return };
        if !known.contains(&name) {
            let message = format!("{}.monitoring.team: there is no team `{name}` to alert", job.name);
            let hint = hints::one_of(name, known.iter().copied());
            self.findings.push(Finding::whole(job.file, "team", message, hint).at_node(team));
        }
    }
}
