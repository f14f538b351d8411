//! Reading `deployments.json` (config.md §4.8).

use paasta_core::{ClusterName, InstanceName, ServiceName};

use crate::setting::{Scope, SettingError};
use crate::{DeploymentRecord, DesiredState, JsonError, Map, Node, Position, parse_json};

/// One service's `deployments.json`.
///
/// ```
/// use paasta_config::Deployments;
///
/// let json = br#"{"v2": {
///   "deployments": {"prod": {"docker_image": "services-svc:paasta-abc", "git_sha": "abc"}},
///   "controls": {"svc:pnw.main": {"desired_state": "stop", "force_bounce": null}}}}"#;
/// let deployments = Deployments::parse(json, "deployments.json")?;
/// let record = deployments
///     .record(&"svc".parse()?, &"pnw".parse()?, &"main".parse()?, Some("prod"))?
///     .expect("the group is deployed");
/// assert_eq!(record.docker_image, "services-svc:paasta-abc");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Deployments {
    groups: Map,
    controls: Map,
}

/// Why a `deployments.json` cannot be read.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum DeploymentsError {
    /// It is not JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A value is not what it should be, or `v2` is missing.
    #[error(transparent)]
    Setting(#[from] SettingError),
}

impl Deployments {
    /// Takes the bytes of the file; `file` names it in errors. A file without `v2` is an error.
    pub fn parse(bytes: &[u8], file: &str) -> Result<Self, DeploymentsError> {
        let node = parse_json(bytes, file)?;
        let top = node.as_map().ok_or_else(|| SettingError::new("deployments.json", &node, "a map"))?;
        let member = |map, path, key| member(map, path, key, node.position.clone());
        let v2 = member(top, "", "v2")?;
        let groups = member(v2, "v2", "deployments")?.clone();
        Ok(Self { groups, controls: member(v2, "v2", "controls")?.clone() })
    }

    /// The record of one instance; `None` where its group is not deployed or it has no control entry, which means
    /// to skip the instance quietly.
    pub fn record(
        &self,
        service: &ServiceName,
        cluster: &ClusterName,
        instance: &InstanceName,
        deploy_group: Option<&str>,
    ) -> Result<Option<DeploymentRecord>, SettingError> {
        let control_key = format!("{service}:{cluster}.{instance}");
        let group = deploy_group.and_then(|group| self.groups.get(group));
        let (Some(group), Some(control)) = (group, self.controls.get(&control_key)) else { return Ok(None) };
        let path = format!("v2.deployments.{}", deploy_group.unwrap_or_default());
        let group = Scope { map: as_map(group, &path)?, path: &path };
        let (Some(image), Some(sha)) = (group.text("docker_image")?, group.text("git_sha")?) else {
            return Ok(None);
        };
        let path = format!("v2.controls.{control_key}");
        let control = Scope { map: as_map(control, &path)?, path: &path };
        let desired_state = match control.map.get("desired_state") {
            None => DesiredState::Start,
            Some(node) if node.as_str() == Some("start") => DesiredState::Start,
            Some(_) => DesiredState::Stop,
        };
        Ok(Some(DeploymentRecord {
            docker_image: image.to_owned(),
            git_sha: sha.to_owned(),
            desired_state,
            force_bounce: control.text_or_null("force_bounce")?.map(str::to_owned),
        }))
    }

    /// The sha deployed to a group, if any.
    pub fn git_sha(&self, deploy_group: &str) -> Option<&str> {
        self.groups.get(deploy_group)?.as_map()?.get("git_sha")?.as_str()
    }

    /// The image deployed to a group, without registry, if any.
    pub fn docker_image(&self, deploy_group: &str) -> Option<&str> {
        self.groups.get(deploy_group)?.as_map()?.get("docker_image")?.as_str()
    }

    /// The deployed groups, in file order.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.groups.iter().filter_map(|(group, _)| group.as_str())
    }
}

fn member<'a>(map: &'a Map, path: &str, key: &str, file: Option<Position>) -> Result<&'a Map, SettingError> {
    let key_path = Scope { map, path }.key(key);
    match map.get(key) {
        Some(node) => as_map(node, &key_path),
        None => Err(SettingError {
            position: file,
            key: key_path,
            value: "nothing".to_owned(),
            expected: "a map".to_owned(),
            class: "KeyError",
        }),
    }
}

fn as_map<'a>(node: &'a Node, path: &str) -> Result<&'a Map, SettingError> {
    node.as_map().ok_or_else(|| SettingError::new(path, node, "a map").with_class("KeyError"))
}
