//! What one `deployments.json` says otherwise than another, for people.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

use crate::Deployments;

/// One thing that the new document says otherwise than the old one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which part it is in.
    pub part: DocumentPart,
    /// The deploy group, or `<service>:<cluster>.<instance>`.
    pub key: String,
    /// What the old one says; none where it says nothing.
    pub before: Option<String>,
    /// What the new one says; none where it says nothing.
    pub after: Option<String>,
}

/// A part of the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentPart {
    /// Which commit a deploy group runs.
    DeployGroup,
    /// Whether an instance is started or stopped, and the token of its last bounce.
    Control,
}

impl DocumentPart {
    fn key(self) -> &'static str {
        match self {
            DocumentPart::DeployGroup => "deployments",
            DocumentPart::Control => "controls",
        }
    }

    fn said(self, value: &Value) -> String {
        let text = |key: &str| value.get(key).and_then(Value::as_str);
        match self {
            DocumentPart::DeployGroup => text("git_sha").map_or_else(|| value.to_string(), str::to_owned),
            DocumentPart::Control => match (text("desired_state"), text("force_bounce")) {
                (Some(state), Some(token)) => format!("{state} (of {token})"),
                (Some(state), None) => state.to_owned(),
                _ => value.to_string(),
            },
        }
    }
}

impl Deployments {
    /// What this document says otherwise than a file of this text. A text that cannot be read says nothing.
    pub fn differences(&self, old: &[u8]) -> Vec<Difference> {
        let old = serde_json::from_slice(old).unwrap_or(Value::Null);
        let new = self.to_value();
        let parts = [DocumentPart::DeployGroup, DocumentPart::Control];
        parts.into_iter().flat_map(|part| of_part(part, &old, &new)).collect()
    }
}

fn of_part(part: DocumentPart, old: &Value, new: &Value) -> Vec<Difference> {
    let entries =
        |value: &Value| value.get("v2").and_then(|v2| v2.get(part.key())).and_then(Value::as_object).cloned();
    let (old, new) = (entries(old).unwrap_or_default(), entries(new).unwrap_or_default());
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let changed = keys.into_iter().filter(|key| old.get(*key) != new.get(*key));
    let said = |value: Option<&Value>| value.map(|value| part.said(value));
    changed
        .map(|key| Difference {
            part,
            key: key.clone(),
            before: said(old.get(key)),
            after: said(new.get(key)),
        })
        .collect()
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = match self.part {
            DocumentPart::DeployGroup => "deploy group",
            DocumentPart::Control => "control",
        };
        let said = |one: &Option<String>| one.clone().unwrap_or_else(|| "nothing".to_owned());
        write!(f, "{noun} `{}`: {} -> {}", self.key, said(&self.before), said(&self.after))
    }
}

#[cfg(test)]
mod tests {
    use paasta_core::GitSha;

    use super::*;
    use crate::{Entry, State};

    const SHA: &str = "5e687a3f765082dee00cd4f66b0654274e3959f1";

    #[test]
    fn groups_come_before_controls_and_what_is_the_same_is_left_out() {
        let entry = Entry {
            branch: "prod.main".into(),
            deploy_group: "all".into(),
            git_sha: GitSha::new(SHA).unwrap(),
            desired_state: State::Stop,
            force_bounce: Some("20210102T000000".into()),
        };
        let new = Deployments { service: "web".into(), entries: vec![entry] };
        let told =
            |old: &str| new.differences(old.as_bytes()).iter().map(ToString::to_string).collect::<Vec<_>>();
        let group = format!("deploy group `all`: nothing -> {SHA}");
        let control = "control `web:prod.main`: nothing -> stop (of 20210102T000000)".to_owned();
        assert_eq!(told("{"), [group, control]);
        let started = new.to_text().replace(r#""stop""#, r#""start""#).replace("\"20210102T000000\"", "null");
        assert_eq!(told(&started), ["control `web:prod.main`: start -> stop (of 20210102T000000)"]);
        assert_eq!(told(&new.to_text()), Vec::<String>::new());
    }
}
