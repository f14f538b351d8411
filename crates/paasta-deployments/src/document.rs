//! The document `deployments.json` (config.md §4.2).

use paasta_core::GitSha;
use serde_json::{Map, Value, json};

use crate::grammar::State;
use crate::python_json;

/// What one service has deployed: the content of its `deployments.json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployments {
    /// The service.
    pub service: String,
    /// One entry per instance that has something deployed, in control-branch order.
    pub entries: Vec<Entry>,
}

/// What one instance runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// `<cluster>.<instance>`.
    pub branch: String,
    /// The group whose newest deploy tag it follows.
    pub deploy_group: String,
    /// The commit of that tag.
    pub git_sha: GitSha,
    /// Started or stopped at that commit.
    pub desired_state: State,
    /// The token of the state tag that said so.
    pub force_bounce: Option<String>,
}

impl Entry {
    /// The image without a registry: `services-<service>:paasta-<sha>`.
    fn docker_image(&self, service: &str) -> String {
        format!("services-{service}:paasta-{}", self.git_sha)
    }
}

impl Deployments {
    /// The text of the file: one line without its end, byte for byte as Python's `json.dumps` writes it.
    pub fn to_text(&self) -> String {
        python_json::to_text(&self.to_value())
    }

    /// The document as data, keys in the order they are written.
    pub fn to_value(&self) -> Value {
        let (mut v1, mut deployments, mut controls) = (Map::new(), Map::new(), Map::new());
        for entry in &self.entries {
            let image = entry.docker_image(&self.service);
            let state = entry.desired_state.as_str();
            v1.insert(
                format!("{}:paasta-{}", self.service, entry.branch),
                json!({"docker_image": image, "desired_state": state, "force_bounce": entry.force_bounce}),
            );
            controls.insert(
                format!("{}:{}", self.service, entry.branch),
                json!({"desired_state": state, "force_bounce": entry.force_bounce}),
            );
            deployments.insert(
                entry.deploy_group.clone(),
                json!({"docker_image": image, "git_sha": entry.git_sha.as_str()}),
            );
        }
        json!({"v1": v1, "v2": {"deployments": deployments, "controls": controls}})
    }

    /// Whether a file of this text says the same; the order of its keys does not matter (config.md §4.3, step 8). A
    /// text that is not JSON never does.
    pub fn same_as(&self, text: &[u8]) -> bool {
        serde_json::from_slice::<Value>(text).is_ok_and(|old| old == self.to_value())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_keys_does_not_matter_and_extra_keys_do() {
        let empty = Deployments { service: "s".into(), entries: vec![] };
        assert!(empty.same_as(br#"{"v2": {"controls": {}, "deployments": {}}, "v1": {}}"#));
        assert!(!empty.same_as(br#"{"v2": {"controls": {}, "deployments": {}}, "v1": {}, "x": 1}"#));
        assert!(!empty.same_as(b"{"));
        assert!(!empty.same_as(b""));
    }
}
