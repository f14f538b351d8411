//! Tron jobs and their actions (config.md §2.7). They are read and shown; nothing here schedules them.

use paasta_core::{ClusterName, InstanceId, ServiceName};

use super::{Instance, InstanceType, Soa};
use crate::setting::{Scope, SettingError};
use crate::{LoadError, Map, Node, SystemConfig, Value};

/// What of monitoring reaches Tron (config.md §8.4).
const MONITORING_KEYS: [&str; 19] = [
    "team",
    "runbook",
    "tip",
    "project",
    "description",
    "alert_after",
    "priority",
    "page",
    "ticket",
    "check_that_every_day_has_a_successful_run",
    "page_for_expected_runtime",
    "check_oom_events",
    "notification_email",
    "realert_every",
    "dependencies",
    "irc_channels",
    "slack_channels",
    "tags",
    "component",
];

/// A job: what runs when.
#[derive(Clone, Debug)]
pub struct TronJob {
    /// Its name.
    pub name: String,
    /// Its map as written, which is merged with no other file.
    pub settings: Map,
    /// monitoring.yaml with the job's own `monitoring` over it, as far as Tron knows the keys.
    pub monitoring: Map,
}

impl TronJob {
    /// The names of its actions in file order. `cleanup_action` is not among them.
    pub fn actions(&self) -> Result<Vec<String>, SettingError> {
        Ok(actions(&self.name, &self.settings)?.into_iter().map(|(name, _)| name).collect())
    }

    /// The action that runs when all others are over, as written. Default none.
    pub fn cleanup_action(&self) -> Result<Option<&Map>, SettingError> {
        self.scope().map_or_null("cleanup_action")
    }

    /// When it runs, a text or a map, as written; a job must have it.
    pub fn schedule(&self) -> Option<&Node> {
        self.settings.get_set("schedule")
    }

    /// Where it runs, unless an action says otherwise. Default `paasta`.
    pub fn node(&self) -> Result<&str, SettingError> {
        Ok(self.scope().text("node")?.unwrap_or("paasta"))
    }

    /// What its actions are deployed by, unless they say otherwise; as written, not interpolated. Default none.
    pub fn deploy_group(&self) -> Result<Option<&str>, SettingError> {
        self.scope().text_or_null("deploy_group")
    }

    /// A key that is passed on to Tron as written: `queueing`, `run_limit`, `all_nodes`, `enabled`, `allow_overlap`,
    /// `max_runtime`, `time_zone`, `expected_runtime`. Unset ones are left out there.
    pub fn passed_on(&self, key: &str) -> Option<&Node> {
        self.settings.get_set(key)
    }

    fn scope(&self) -> Scope<'_> {
        Scope { map: &self.settings, path: &self.name }
    }
}

/// An action of a job, with what it has from the job.
#[derive(Clone, Debug)]
pub struct TronAction {
    /// It as an instance; its settings hold `service`, `deploy_group` and `monitoring` of the job where due.
    pub instance: Instance,
}

impl TronAction {
    /// What it runs; an action must have it.
    pub fn command(&self) -> Result<Option<&str>, SettingError> {
        self.scope().text_or_null("command")
    }

    /// What it is run by: `paasta`, `spark`, or `ssh`. Default `paasta`.
    pub fn executor(&self) -> Result<&str, SettingError> {
        Ok(self.scope().text("executor")?.unwrap_or("paasta"))
    }

    /// Whether it is run in a container of the service's image, which takes a deploy group.
    pub fn runs_in_container(&self) -> Result<bool, SettingError> {
        Ok(matches!(self.executor()?, "paasta" | "spark"))
    }

    /// The service whose image and environment it has: its own `service`, else the job's, else that of its folder.
    pub fn service(&self) -> Result<ServiceName, LoadError> {
        match self.scope().text_or_null("service")? {
            Some(name) => Ok(ServiceName::new(name)?),
            None => Ok(self.instance.id.service().clone()),
        }
    }

    /// What it is deployed by: its own, else the job's; `None` where neither has one.
    pub fn deploy_group(&self) -> Result<Option<String>, SettingError> {
        self.instance.config().deploy_group()
    }

    /// The job's monitoring, which stands in for the action's own.
    pub fn monitoring(&self) -> Result<Option<&Map>, SettingError> {
        self.scope().map_or_null("monitoring")
    }

    /// The actions of its job that must have succeeded before. Default none.
    pub fn requires(&self) -> Result<Vec<&str>, SettingError> {
        Ok(self.scope().texts_or_null("requires")?.unwrap_or_default())
    }

    /// How often a failure is tried again; `None` leaves it to Tron.
    pub fn retries(&self) -> Result<Option<i64>, SettingError> {
        self.scope().integer_or_null("retries")
    }

    /// A key that is passed on to Tron as written: `node`, `retries_delay`, `expected_runtime`, `triggered_by`,
    /// `trigger_downstreams`, `on_upstream_rerun`, `trigger_timeout`. Unset ones are left out there.
    pub fn passed_on(&self, key: &str) -> Option<&Node> {
        self.instance.settings.get_set(key)
    }

    /// Where Spark runs its executors. Default the action's own cluster.
    pub fn spark_cluster(&self) -> Result<&str, SettingError> {
        Ok(self.scope().text_or_null("spark_paasta_cluster")?.unwrap_or(self.instance.cluster.as_str()))
    }

    /// The pool of Spark's executors. Default `batch`.
    pub fn spark_pool(&self) -> Result<&str, SettingError> {
        Ok(self.scope().text_or_null("spark_paasta_pool")?.unwrap_or("batch"))
    }

    /// What manages Spark's executors, `mesos` or `kubernetes`. Default `mesos`.
    pub fn spark_cluster_manager(&self) -> Result<&str, SettingError> {
        Ok(self.scope().text_or_null("spark_cluster_manager")?.unwrap_or("mesos"))
    }

    /// Settings of Spark, as written. Default none.
    pub fn spark_args(&self) -> Result<Option<&Map>, SettingError> {
        self.scope().map_or_null("spark_args")
    }

    fn scope(&self) -> Scope<'_> {
        Scope { map: &self.instance.settings, path: self.instance.id.instance().as_str() }
    }
}

impl Soa {
    /// The jobs of a service in a cluster, in file order; templates (`_…`) and jobs that are null are left out.
    pub fn tron_jobs(&self, service: &ServiceName, cluster: &ClusterName) -> Result<Vec<TronJob>, LoadError> {
        let document = self.document(service, &InstanceType::Tron.file(cluster))?;
        let mut jobs = Vec::new();
        for (key, node) in document.map.iter() {
            let name = key.as_str().ok_or_else(|| SettingError::new(format!("{key:?}"), key, "a string"))?;
            if name.starts_with('_') || node.is_null() {
                continue;
            }
            let settings = node.as_map().ok_or_else(|| SettingError::new(name, node, "a map"))?;
            let monitoring = self.tron_monitoring(service, name, settings)?;
            jobs.push(TronJob { name: name.to_owned(), settings: settings.clone(), monitoring });
        }
        Ok(jobs)
    }

    /// One action, by `<job>.<action>`.
    pub fn tron_action(
        &self,
        id: &InstanceId,
        cluster: &ClusterName,
        system: &SystemConfig,
    ) -> Result<TronAction, LoadError> {
        Ok(TronAction { instance: self.instance(id, InstanceType::Tron, cluster, system)? })
    }

    /// An action's own map, with the job's `service` and `deploy_group` where it has none.
    pub(super) fn tron_action_settings(
        &self,
        id: &InstanceId,
        cluster: &ClusterName,
    ) -> Result<Map, LoadError> {
        let document = self.document(id.service(), &InstanceType::Tron.file(cluster))?;
        let (job_name, action_name) = parts(id)?;
        let job = document.map.get(job_name).and_then(Node::as_map);
        let found = match job {
            Some(job) => actions(job_name, job)?.into_iter().find(|(name, _)| name == action_name),
            None => None,
        };
        let (Some(job), Some((_, Node { value: Value::Map(action), .. }))) = (job, found) else {
            return Err(super::no_such_instance(id, cluster, &self.all_instances(id.service(), cluster)?));
        };
        let mut settings = action.clone();
        for key in ["service", "deploy_group"] {
            if let (None, Some(value)) = (action.get(key), job.get(key)) {
                settings.insert(Node::text(key), value.clone());
            }
        }
        Ok(settings)
    }

    /// The monitoring of the job that an action belongs to.
    pub(super) fn tron_monitoring_of(
        &self,
        id: &InstanceId,
        cluster: &ClusterName,
    ) -> Result<Map, LoadError> {
        let document = self.document(id.service(), &InstanceType::Tron.file(cluster))?;
        let (name, _) = parts(id)?;
        let empty = Map::new();
        let job = document.map.get(name).and_then(Node::as_map).unwrap_or(&empty);
        self.tron_monitoring(id.service(), name, job)
    }

    fn tron_monitoring(&self, service: &ServiceName, name: &str, job: &Map) -> Result<Map, LoadError> {
        let own = Scope { map: job, path: name }.map_or_null("monitoring")?;
        let document = self.document(service, "monitoring.yaml")?;
        let mut monitoring = Map::new();
        for (key, value) in document.map.iter().chain(own.into_iter().flat_map(Map::iter)) {
            if key.as_str().is_some_and(|key| MONITORING_KEYS.contains(&key)) {
                monitoring.insert(key.clone(), value.clone());
            }
        }
        Ok(monitoring)
    }
}

/// Names and values of a job's actions, which are a map, or a list of maps with `name`.
pub(super) fn actions<'a>(name: &str, job: &'a Map) -> Result<Vec<(String, &'a Node)>, SettingError> {
    let scope = Scope { map: job, path: name };
    let Some(node) = job.get_set("actions") else { return Ok(Vec::new()) };
    match &node.value {
        Value::Map(map) => map
            .iter()
            .map(|(key, value)| match key.as_str() {
                Some(name) => Ok((name.to_owned(), value)),
                None => Err(scope.wrong("actions", key, "a string, as names of actions are")),
            })
            .collect(),
        Value::List(list) => list
            .iter()
            .map(|value| match value.as_map().and_then(|map| map.get("name")).and_then(Node::as_str) {
                Some(name) => Ok((name.to_owned(), value)),
                None => Err(scope.wrong("actions", value, "a map with `name`, as actions in a list are")),
            })
            .collect(),
        _ => Err(scope.wrong("actions", node, "a map or a list of actions")),
    }
}

fn parts(id: &InstanceId) -> Result<(&str, &str), SettingError> {
    let name = id.instance().as_str();
    match name.split_once('.') {
        Some((job, action)) if !job.is_empty() && !action.is_empty() && !action.contains('.') => {
            Ok((job, action))
        }
        _ => Err(SettingError::new(
            "instance",
            &Node::text(name),
            "`<job>.<action>`, as the instances of Tron are",
        )),
    }
}
