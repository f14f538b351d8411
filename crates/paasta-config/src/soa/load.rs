//! Loading one instance: merged settings, deployment, namespace, secret signatures.

use paasta_core::{ClusterName, InstanceId, Reading};

use super::secrets::environment;
use super::{InstanceType, Soa};
use crate::setting::{Scope, SettingError};
use crate::{DeploymentRecord, InstanceConfig, LoadError, Map, Node, SystemConfig, Value, Wanted};

/// One instance as configured, deployed or not.
#[derive(Clone, Debug)]
pub struct Instance {
    /// Which.
    pub id: InstanceId,
    /// What kind of thing.
    pub kind: InstanceType,
    /// Where.
    pub cluster: ClusterName,
    /// Its merged settings, with `deploy_group` interpolated.
    pub settings: Map,
    /// The SmartStack namespace of its first registration.
    pub namespace: Map,
}

impl Instance {
    /// Checked getters over it.
    pub fn config(&self) -> InstanceConfig<'_> {
        InstanceConfig::new(&self.id, self.kind, &self.cluster, &self.settings, &self.namespace)
    }
}

impl Soa {
    /// All that decides what runs for a Marathon instance in the cluster of `system`.
    ///
    /// `autoscaled` is what stands at [`InstanceConfig::autoscaling_path`] in the coordination service; give
    /// `Known(None)` where nothing stands there. [`LoadError::NoDeployments`] means that the instance is not deployed
    /// yet. One instance that cannot be loaded says nothing about others.
    pub fn wanted(
        &self,
        id: &InstanceId,
        system: &SystemConfig,
        autoscaled: Reading<Option<i64>>,
    ) -> Result<Wanted, LoadError> {
        self.wanted_as(id, system, autoscaled, |group| self.deployment(id, &system.cluster()?, group))
    }

    /// As [`Soa::wanted`], with the deployment that `deployed` gives for the instance's deploy group.
    pub fn wanted_as(
        &self,
        id: &InstanceId,
        system: &SystemConfig,
        autoscaled: Reading<Option<i64>>,
        deployed: impl FnOnce(Option<&str>) -> Result<DeploymentRecord, LoadError>,
    ) -> Result<Wanted, LoadError> {
        let cluster = system.cluster()?;
        let settings = self.settings(id, InstanceType::Marathon, &cluster, system)?;
        let group = deploy_group(&settings, id, InstanceType::Marathon, &cluster)?;
        let deployment = deployed(group.as_deref())?;
        let namespace = self.namespace_of(id, InstanceType::Marathon, &cluster, &settings)?;
        let ecosystem = system.vault_environment()?;
        let secret_signatures = match environment(&settings) {
            Some(environment) => self.secret_signatures(id.service(), environment, ecosystem.as_deref()),
            None => Default::default(),
        };
        Ok(Wanted {
            id: id.clone(),
            cluster,
            settings,
            deployment,
            namespace,
            system: system.map().clone(),
            autoscaled_count: autoscaled,
            secret_signatures,
        })
    }

    /// One instance as configured, whether it is deployed or not.
    pub fn instance(
        &self,
        id: &InstanceId,
        kind: InstanceType,
        cluster: &ClusterName,
        system: &SystemConfig,
    ) -> Result<Instance, LoadError> {
        let settings = self.settings(id, kind, cluster, system)?;
        let namespace = self.namespace_of(id, kind, cluster, &settings)?;
        Ok(Instance { id: id.clone(), kind, cluster: cluster.clone(), settings, namespace })
    }

    /// The merged settings of one instance (config.md §1.6), `deploy_group` interpolated once. Those of a Tron action
    /// hold the monitoring of its job.
    pub fn settings(
        &self,
        id: &InstanceId,
        kind: InstanceType,
        cluster: &ClusterName,
        system: &SystemConfig,
    ) -> Result<Map, LoadError> {
        let mut settings = self.settings_alone(id, kind, cluster, system)?;
        if kind == InstanceType::Tron {
            let monitoring = Node::new(Value::Map(self.tron_monitoring_of(id, cluster)?));
            settings.insert(Node::text("monitoring"), monitoring);
        }
        Ok(settings)
    }

    /// What an instance's own block says, where the service's general settings cannot be had. `None` for an action of
    /// Tron, which says little without its job.
    pub(crate) fn settings_in_block(
        &self,
        id: &InstanceId,
        kind: InstanceType,
        cluster: &ClusterName,
        block: &Node,
    ) -> Option<Map> {
        let mut settings = block.as_map().filter(|_| kind != InstanceType::Tron)?.clone();
        interpolated(&mut settings, id, cluster).ok()?;
        // What it refers to may be in the file that cannot be read.
        settings.remove("dependencies_reference");
        Some(settings)
    }

    fn settings_alone(
        &self,
        id: &InstanceId,
        kind: InstanceType,
        cluster: &ClusterName,
        system: &SystemConfig,
    ) -> Result<Map, LoadError> {
        if id.instance().as_str().starts_with('_') {
            let message =
                format!("`{}` is a template, not an instance: its name begins with `_`", id.instance());
            return Err(LoadError::InvalidName { message, position: None });
        }
        let mut settings = match kind {
            InstanceType::Tron => self.tron_action_settings(id, cluster)?,
            InstanceType::PaastaNative => {
                return Err(LoadError::NotLoadable {
                    service: id.service().to_string(),
                    instance: id.instance().to_string(),
                    kind,
                });
            }
            _ => self.merged(id, kind, cluster, system)?,
        };
        interpolated(&mut settings, id, cluster)?;
        Ok(settings)
    }

    /// The deploy group of one instance of any type: what it is deployed by. `None` where it is null.
    pub fn deploy_group(
        &self,
        id: &InstanceId,
        kind: InstanceType,
        cluster: &ClusterName,
        system: &SystemConfig,
    ) -> Result<Option<String>, LoadError> {
        let settings = self.settings_alone(id, kind, cluster, system)?;
        Ok(deploy_group(&settings, id, kind, cluster)?)
    }

    /// The instance's slice of deployments.json.
    pub fn deployment(
        &self,
        id: &InstanceId,
        cluster: &ClusterName,
        deploy_group: Option<&str>,
    ) -> Result<DeploymentRecord, LoadError> {
        let none = |missing: String| LoadError::NoDeployments {
            service: id.service().to_string(),
            instance: id.instance().to_string(),
            missing,
        };
        let Some(deployments) = self.deployments(id.service())? else {
            return Err(none("the service has no deployments.json yet".to_owned()));
        };
        let record = deployments.record(id.service(), cluster, id.instance(), deploy_group)?;
        record.ok_or_else(|| match deploy_group {
            Some(group) => {
                none(format!("deployments.json has nothing for its deploy group `{group}` in `{cluster}`"))
            }
            None => none("it has no deploy group".to_owned()),
        })
    }

    pub(crate) fn namespace_of(
        &self,
        id: &InstanceId,
        kind: InstanceType,
        cluster: &ClusterName,
        settings: &Map,
    ) -> Result<Map, LoadError> {
        let none = Map::new();
        if kind == InstanceType::Tron {
            // Jobs are not discovered.
            return Ok(none);
        }
        let config = InstanceConfig::new(id, kind, cluster, settings, &none);
        self.namespace(id.service(), &config.nerve_namespace()?)
    }
}

/// The deploy group of merged settings: as given, null as none, else by default `<cluster>.<instance>`.
pub(crate) fn deploy_group(
    settings: &Map,
    id: &InstanceId,
    kind: InstanceType,
    cluster: &ClusterName,
) -> Result<Option<String>, SettingError> {
    let scope = Scope { map: settings, path: id.instance().as_str() };
    match settings.get("deploy_group") {
        Some(_) => Ok(scope.text_or_null("deploy_group")?.map(str::to_owned)),
        None if kind == InstanceType::Tron => Ok(None),
        None => Ok(Some(format!("{cluster}.{}", id.instance()))),
    }
}

/// The same settings with `deploy_group` interpolated, where it is set.
pub(crate) fn interpolated(
    settings: &mut Map,
    id: &InstanceId,
    cluster: &ClusterName,
) -> Result<(), SettingError> {
    if let Some(node) = settings.get_set("deploy_group") {
        let group = interpolate(node, id, cluster)?;
        let node = Node { value: Value::String(group), position: node.position.clone() };
        settings.insert(Node::text("deploy_group"), node);
    }
    Ok(())
}

/// `{cluster}`, `{instance}` and `{service}` replaced; `{{` and `}}` are braces.
fn interpolate(node: &Node, id: &InstanceId, cluster: &ClusterName) -> Result<String, SettingError> {
    let wrong = |expected: &str, class| {
        SettingError::new(format!("{}.deploy_group", id.instance()), node, expected).with_class(class)
    };
    let Some(text) = node.as_str() else { return Err(wrong("a string", "AttributeError")) };
    let mut out = String::new();
    let mut rest = text;
    while let Some(brace) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(brace);
        out.push_str(before);
        if let Some(after) = from.strip_prefix("{{") {
            out.push('{');
            rest = after;
        } else if let Some(after) = from.strip_prefix("}}") {
            out.push('}');
            rest = after;
        } else {
            let field = from.strip_prefix('{').and_then(|inner| inner.split_once('}'));
            let (name, after) = field.ok_or_else(|| wrong("a text with balanced braces", "ValueError"))?;
            out.push_str(match name {
                "cluster" => cluster.as_str(),
                "instance" => id.instance().as_str(),
                "service" => id.service().as_str(),
                "" => return Err(wrong("a text whose braces hold names", "IndexError")),
                _ => {
                    return Err(wrong(
                        "a text with no names but {cluster}, {instance}, {service}",
                        "KeyError",
                    ));
                }
            });
            rest = after;
        }
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let id = "s_v.i_n".parse().unwrap();
        let result = interpolate(&Node::text(text), &id, &"c".parse().unwrap());
        assert_eq!(result.unwrap_or_else(|e| e.class.to_owned()), expected, "{text}");
    }

    #[test]
    fn deploy_groups_are_interpolated_once() {
        check("{cluster}.{instance}", "c.i_n");
        check("{service}-x", "s_v-x");
        check("{{cluster}}", "{cluster}");
        check("a}}b", "a}b");
        check("plain", "plain");
        check("{team}", "KeyError");
        check("{}", "IndexError");
        check("{cluster", "ValueError");
        check("cluster}", "ValueError");
    }
}
