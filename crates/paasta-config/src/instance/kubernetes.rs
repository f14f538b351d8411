//! Keys of instances on Kubernetes (config.md §2.8). They are read and shown; nothing here deploys them.

use super::InstanceConfig;
use crate::setting::SettingError;
use crate::{Map, Node};

/// How Kubernetes replaces pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KubernetesStrategy {
    /// A few at a time.
    RollingUpdate,
    /// All old ones first.
    Recreate,
}

impl<'a> InstanceConfig<'a> {
    /// What `bounce_method` means on Kubernetes: `crossover` and `brutal` roll, `downthenup` recreates, as it has to
    /// where EBS volumes are mounted. Others have no meaning there.
    pub fn kubernetes_strategy(&self) -> Result<KubernetesStrategy, SettingError> {
        let method = self.bounce_method()?;
        let node = self.settings.get("bounce_method").cloned().unwrap_or_else(|| Node::text(&method));
        let wrong = |expected: &str| Err(self.scope().wrong("bounce_method", &node, expected));
        match method.as_str() {
            "downthenup" => Ok(KubernetesStrategy::Recreate),
            _ if !self.aws_ebs_volumes()?.is_empty() => {
                wrong("`downthenup`, as it must be with `aws_ebs_volumes`")
            }
            "crossover" | "brutal" => Ok(KubernetesStrategy::RollingUpdate),
            _ => wrong("one of `crossover`, `brutal`, `downthenup`"),
        }
    }

    /// The account its pods have. Default: by its AWS role.
    pub fn service_account_name(&self) -> Result<Option<&'a str>, SettingError> {
        self.scope().text_or_null("service_account_name")
    }

    /// Labels and values of the nodes it runs on, as written. Default any.
    pub fn node_selectors(&self) -> Result<Option<&'a Map>, SettingError> {
        self.scope().map_or_null("node_selectors")
    }

    /// What its pods keep away from, a map or a list of them, as written. Default nothing.
    pub fn anti_affinity(&self) -> Option<&'a Node> {
        self.settings.get_set("anti_affinity")
    }

    /// What its sidecars may use, as written. Default what the cluster gives.
    pub fn sidecar_resource_requirements(&self) -> Result<Option<&'a Map>, SettingError> {
        self.scope().map_or_null("sidecar_resource_requirements")
    }

    /// What is run after the start and before the stop of a container, as written. Default nothing.
    pub fn lifecycle(&self) -> Result<Option<&'a Map>, SettingError> {
        self.scope().map_or_null("lifecycle")
    }

    /// Which Prometheus asks it. Default the cluster's.
    pub fn prometheus_shard(&self) -> Result<Option<&'a str>, SettingError> {
        self.scope().text_or_null("prometheus_shard")
    }

    /// The path that Prometheus asks. Default Prometheus's own.
    pub fn prometheus_path(&self) -> Result<Option<&'a str>, SettingError> {
        self.scope().text_or_null("prometheus_path")
    }

    /// The port that Prometheus asks. Default that of the container.
    pub fn prometheus_port(&self) -> Result<Option<i64>, SettingError> {
        self.scope().integer_or_null("prometheus_port")
    }

    /// Whether its pods have addresses that other hosts reach, as written; `None` where it does not say.
    pub fn routable_ip(&self) -> Option<&'a Node> {
        self.settings.get_set("routable_ip")
    }

    /// In what order pods with volumes of their own start. Default `OrderedReady`.
    pub fn pod_management_policy(&self) -> Result<&'a str, SettingError> {
        Ok(self.scope().text("pod_management_policy")?.unwrap_or("OrderedReady"))
    }

    /// Attributes and values of places where missing copies alert nobody, as written. Default none.
    pub fn monitoring_blacklist(&self) -> Result<&'a [Node], SettingError> {
        self.list("monitoring_blacklist")
    }

    /// The settings of the newer autoscaler, as written. Default none.
    pub fn new_autoscaling(&self) -> Result<Option<&'a Map>, SettingError> {
        self.scope().map_or_null("new_autoscaling")
    }
}
