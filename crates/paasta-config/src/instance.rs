//! Checked getters over one instance's merged settings (config.md §2).

use paasta_core::{ClusterName, InstanceId, Reading, Registration};

use crate::setting::{Scope, SettingError, boolean, number};
use crate::soa::deploy_group;
use crate::{InstanceType, LoadError, Map, Namespace, Node, Value};

mod bounce;
mod common;
mod health;
mod kubernetes;
mod long_running;

pub use bounce::BounceHealthParams;
pub use common::Dependency;
pub use health::{Healthcheck, HealthcheckMode};
pub use kubernetes::KubernetesStrategy;

/// One instance's settings, read with defaults and checks. As lenient as the original where a value is not read, as
/// strict where it is.
#[derive(Clone, Copy, Debug)]
pub struct InstanceConfig<'a> {
    id: &'a InstanceId,
    kind: InstanceType,
    cluster: &'a ClusterName,
    settings: &'a Map,
    namespace: &'a Map,
}

impl<'a> InstanceConfig<'a> {
    /// Over merged settings and the namespace of the first registration.
    pub fn new(
        id: &'a InstanceId,
        kind: InstanceType,
        cluster: &'a ClusterName,
        settings: &'a Map,
        namespace: &'a Map,
    ) -> Self {
        Self { id, kind, cluster, settings, namespace }
    }

    /// Which instance.
    pub fn id(&self) -> &'a InstanceId {
        self.id
    }

    /// What kind of thing.
    pub fn instance_type(&self) -> InstanceType {
        self.kind
    }

    /// In which cluster.
    pub fn cluster(&self) -> &'a ClusterName {
        self.cluster
    }

    /// The merged settings as they are.
    pub fn settings(&self) -> &'a Map {
        self.settings
    }

    /// The SmartStack namespace of the first registration.
    pub fn namespace(&self) -> Namespace<'a> {
        Namespace::new(self.namespace)
    }

    /// Whether the namespace is load-balanced by SmartStack.
    pub fn is_in_smartstack(&self) -> bool {
        self.namespace().is_in_smartstack()
    }

    /// What it is deployed by: `<cluster>.<instance>` by default; `None` where it is an explicit null.
    pub fn deploy_group(&self) -> Result<Option<String>, SettingError> {
        deploy_group(self.settings, self.id, self.kind, self.cluster)
    }

    /// `instances`, ignored while autoscaled. Default 1.
    pub fn instances(&self) -> Result<i64, SettingError> {
        Ok(self.scope().integer("instances")?.unwrap_or(1))
    }

    /// `min_instances`. Default 1.
    pub fn min_instances(&self) -> Result<i64, SettingError> {
        Ok(self.scope().integer("min_instances")?.unwrap_or(1))
    }

    /// `max_instances`; set means autoscaled.
    pub fn max_instances(&self) -> Result<Option<i64>, SettingError> {
        self.scope().integer_or_null("max_instances")
    }

    /// Whether the count comes from the autoscaler.
    pub fn is_autoscaled(&self) -> bool {
        self.settings.get_set("max_instances").is_some()
    }

    /// Where the autoscaler writes the count: `/autoscaling/<service>/<instance>/instances`.
    pub fn autoscaling_path(&self) -> String {
        format!("/autoscaling/{}/{}/instances", self.id.service(), self.id.instance())
    }

    /// How many copies while started: `instances`, or the autoscaled count within its bounds (`max_instances` where
    /// none is written). Unknown where it depends on a count that could not be read.
    pub fn instance_count(&self, autoscaled: &Reading<Option<i64>>) -> Result<Reading<i64>, SettingError> {
        let Some(max) = self.max_instances()? else { return Ok(Reading::Known(self.instances()?)) };
        let min = self.min_instances()?;
        Ok(autoscaled.as_ref().map(|count| count.map_or(max, |count| count.min(max).max(min))))
    }

    /// The names it is discovered under, at least one (marathon-and-bounce.md §1.1): `registrations` unless empty,
    /// else `<service>.<nerve_ns>`, else `<service>.<instance>`. They are as written, not checked.
    pub fn registrations(&self) -> Result<Vec<String>, SettingError> {
        let given = self.scope().texts_or_null("registrations")?.unwrap_or_default();
        if !given.is_empty() {
            return Ok(given.into_iter().map(str::to_owned).collect());
        }
        let namespace = self.scope().text_or_null("nerve_ns")?.unwrap_or(self.id.instance().as_str());
        Ok(vec![format!("{}.{namespace}", self.id.service())])
    }

    /// The first registration, checked.
    pub fn first_registration(&self) -> Result<Registration, LoadError> {
        let first = self.registrations()?.into_iter().next().unwrap_or_default();
        Registration::new(first).map_err(|error| LoadError::InvalidName {
            message: error.to_string(),
            position: self.settings.get("registrations").and_then(|node| node.position.clone()),
        })
    }

    /// The namespace part of the first registration.
    pub fn nerve_namespace(&self) -> Result<String, LoadError> {
        Ok(self.first_registration()?.namespace().to_owned())
    }

    /// Which hosts: `default` unless set. As written, for it reaches the hash.
    pub fn pool(&self) -> Node {
        self.settings.get("pool").cloned().unwrap_or_else(|| Node::text("default"))
    }

    /// The port inside the container. Default 8888.
    pub fn container_port(&self) -> Result<i64, SettingError> {
        Ok(self.scope().integer("container_port")?.unwrap_or(8888))
    }

    /// The command: a text, or the elements of a list joined with spaces; `None` runs the image's own.
    pub fn cmd(&self) -> Result<Option<String>, SettingError> {
        match self.settings.get_set("cmd") {
            Some(Node { value: Value::List(_), .. }) => {
                Ok(self.scope().texts_or_null("cmd")?.map(|words| words.join(" ")))
            }
            Some(node) => match node.as_str() {
                Some(text) => Ok(Some(text.to_owned())),
                None => Err(self.scope().wrong("cmd", node, "a string or a list").with_class("ValueError")),
            },
            None => Ok(None),
        }
    }

    /// The arguments, as written: an empty list where neither they nor `cmd` are given. `cmd` and `args` together
    /// are an error.
    pub fn args(&self) -> Result<Option<Node>, SettingError> {
        let args = self.settings.get("args");
        match (self.settings.get_set("cmd"), args) {
            (None, None) => Ok(Some(Node::new(Value::List(Vec::new())))),
            (None, Some(node)) => Ok(Some(node.clone())),
            (Some(_), Some(node)) if !node.is_null() => {
                Err(self.scope().wrong("args", node, "left out, as it must be where `cmd` is set"))
            }
            (Some(_), _) => Ok(None),
        }
    }

    /// The user's environment; empty where it is null or missing.
    pub fn env(&self) -> Result<Option<&'a Map>, SettingError> {
        self.scope().map_or_null("env")
    }

    /// Guaranteed cpus. Default 1.
    pub fn cpus(&self) -> Result<f64, SettingError> {
        Ok(self.scope().number("cpus")?.unwrap_or(1.0))
    }

    /// Memory in MiB. Default 4096.
    pub fn mem(&self) -> Result<f64, SettingError> {
        Ok(self.scope().number("mem")?.unwrap_or(4096.0))
    }

    /// Disk in MiB. Default 1024.
    pub fn disk(&self) -> Result<f64, SettingError> {
        Ok(self.scope().number("disk")?.unwrap_or(1024.0))
    }

    /// The instance's own `monitoring` with what it inherits; empty where it is null or missing.
    pub fn monitoring(&self) -> Result<Option<&'a Map>, SettingError> {
        self.scope().map_or_null("monitoring")
    }

    /// The team of [`InstanceConfig::monitoring`], if set there. [`crate::Soa::team`] looks further.
    pub fn team(&self) -> Result<Option<String>, SettingError> {
        let path = self.scope().key("monitoring");
        let Some(map) = self.monitoring()? else { return Ok(None) };
        Ok(Scope { map, path: &path }.text_or_null("team")?.map(str::to_owned))
    }

    /// Percent of expected copies below which an alert is raised. Default 50.
    pub fn replication_threshold(&self) -> Result<f64, SettingError> {
        Ok(self.scope().number("replication_threshold")?.unwrap_or(50.0))
    }

    /// Whether a key is given at all, by any layer.
    pub fn has(&self, key: &str) -> bool {
        self.settings.get(key).is_some()
    }

    fn scope(&self) -> Scope<'a> {
        Scope { map: self.settings, path: self.id.instance().as_str() }
    }
}

/// A boolean that Python takes from anything.
fn truth(node: &Node) -> bool {
    boolean(node).unwrap_or_else(|| node.is_truthy())
}

/// A number in `(0, 1]`.
fn fraction(scope: &Scope<'_>, key: &str) -> Result<Option<f64>, SettingError> {
    let Some(node) = scope.map.get(key) else { return Ok(None) };
    let fraction = number(node).filter(|f| *f > 0.0 && *f <= 1.0);
    fraction.map(Some).ok_or_else(|| scope.wrong(key, node, "a number above 0 and at most 1"))
}
