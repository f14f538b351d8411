//! A service of one instance, as its author and its operator write it, read and rendered.

use std::collections::BTreeMap;
use std::sync::Arc;

use paasta_config::{Memory, Soa, SystemConfig};
use paasta_core::Reading;
use paasta_marathon::{AppRendering, render_app};
use serde_json::{Value, json};

const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

/// What decides about `svc.main` in cluster `c`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    /// Keys of the instance and their values as YAML, in file order.
    pub(crate) instance: Vec<(String, String)>,
    /// Other files of the service, and of `_shared`, by path.
    pub(crate) files: BTreeMap<String, String>,
    /// Members of the system configuration besides those that are always there.
    pub(crate) system: BTreeMap<String, Value>,
    /// Keys that the system configuration does not have.
    pub(crate) lacking: Vec<&'static str>,
    /// Members of the deployment: `docker_image`, `desired_state`, `force_bounce`.
    pub(crate) deployment: BTreeMap<String, Value>,
    pub(crate) autoscaled_count: Option<i64>,
}

impl Tree {
    /// Sets a key of the instance: in its old place, else at the end.
    pub(crate) fn set(&mut self, key: &str, yaml: &str) {
        match self.instance.iter_mut().find(|(present, _)| present == key) {
            Some((_, value)) => *value = yaml.to_owned(),
            None => self.instance.push((key.to_owned(), yaml.to_owned())),
        }
    }

    /// Reads and renders it, or names the class of what is wrong.
    pub(crate) fn render(&self) -> Result<AppRendering, String> {
        let system =
            SystemConfig::from_json(&self.system_text()).map_err(|error| error.class().to_owned())?;
        let mut tree = Memory::new().with("svc/marathon-c.yaml", self.instance_text());
        for (path, text) in &self.files {
            tree.insert(path.as_str(), text);
        }
        tree.insert("svc/deployments.json", self.deployments_text());
        let id = "svc.main".parse().map_err(|_| "NameError")?;
        let wanted = Soa::new(Arc::new(tree))
            .wanted(&id, &system, Reading::Known(self.autoscaled_count))
            .map_err(|error| error.class().to_owned())?;
        render_app(&wanted).map_err(|error| error.class.to_owned())
    }

    pub(crate) fn instance_text(&self) -> String {
        let mut text = "main:\n  # nothing but this\n".to_owned();
        for (key, value) in &self.instance {
            text.push_str(&format!("  {key}: {value}\n"));
        }
        if self.instance.is_empty() { "main: {}\n".to_owned() } else { text }
    }

    fn system_text(&self) -> String {
        let mut system = json!({
            "cluster": "c", "clusters": ["c"], "docker_registry": "r.example.com", "vault_environment": "e",
            "volumes": [{"hostPath": "/etc/services", "containerPath": "/etc/services", "mode": "RO"}],
        });
        for (key, value) in &self.system {
            system[key] = value.clone();
        }
        if let Some(members) = system.as_object_mut() {
            members.retain(|key, _| !self.lacking.contains(&key.as_str()));
        }
        system.to_string()
    }

    /// Every deploy group that occurs in these tests is deployed alike.
    fn deployments_text(&self) -> String {
        let member = |key: &str, default: Value| self.deployment.get(key).cloned().unwrap_or(default);
        let image = member("docker_image", format!("services-svc:paasta-{SHA}").into());
        let record = json!({"docker_image": image, "git_sha": SHA});
        let groups: BTreeMap<_, _> =
            ["c.main", "canary", "svc.c"].map(|group| (group, record.clone())).into();
        let control = json!({
            "desired_state": member("desired_state", "start".into()),
            "force_bounce": member("force_bounce", Value::Null),
        });
        json!({"v2": {"deployments": groups, "controls": {"svc:c.main": control}}}).to_string()
    }
}
