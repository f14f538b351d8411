//! soa-configs in memory.

use std::sync::Arc;

use paasta_config::{Memory, Soa};

/// Writes soa-configs into memory.
///
/// ```
/// let soa = paasta_testkit::SoaBuilder::default()
///     .file("svc/marathon-local.yaml", "main: {instances: 2}\n")
///     .deployed("svc", "local.main", "local.main", "0123456789012345678901234567890123456789")
///     .soa();
/// assert_eq!(soa.services().expect("memory can be listed").len(), 1);
/// ```
#[derive(Clone, Debug, Default)]
pub struct SoaBuilder {
    files: Memory,
}

impl SoaBuilder {
    /// One more file.
    #[must_use]
    pub fn file(mut self, path: &str, content: &str) -> Self {
        self.files.insert(path, content);
        self
    }

    /// A deployments.json that has one deploy group at one commit, started, and one control group on it.
    #[must_use]
    pub fn deployed(self, service: &str, deploy_group: &str, control: &str, sha: &str) -> Self {
        let image = format!("services-{service}:paasta-{sha}");
        let v1 = serde_json::json!({
            format!("{service}:paasta-{control}"):
                { "docker_image": image, "desired_state": "start", "force_bounce": null }
        });
        let v2 = serde_json::json!({
            "deployments": { deploy_group: { "docker_image": image, "git_sha": sha } },
            "controls": { format!("{service}:{control}"): { "desired_state": "start", "force_bounce": null } },
        });
        let text = serde_json::json!({ "v1": v1, "v2": v2 }).to_string();
        self.file(&format!("{service}/deployments.json"), &text)
    }

    /// The tree.
    pub fn soa(self) -> Soa {
        Soa::new(Arc::new(self.files))
    }
}
