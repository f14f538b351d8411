//! Who did what to which service (monitoring.md §7.7).

use paasta_core::{Deed, Timestamp};
use serde_json::{Map, Value, json};

use crate::actor::Actor;
use crate::json::python_text;
use crate::line::{NOT_APPLICABLE, timestamp_text};

/// The stream of audit lines, which stands for the service in a path.
pub const AUDIT_STREAM: &str = "stream_paasta-audit-log";

/// One deed.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditRecord {
    /// When.
    pub at: Timestamp,
    /// In which cluster; `None` is written `N/A`.
    pub cluster: Option<String>,
    /// To which service, if to one.
    pub service: Option<String>,
    /// To which instance; `None` is written `N/A`.
    pub instance: Option<String>,
    /// By whom: `$SUDO_USER`, else the login name.
    pub user: String,
    /// On which machine, fully qualified.
    pub host: String,
    /// What: `start`, `mark-for-deployment`, ….
    pub action: String,
    /// What else is to be known of it. No secrets.
    pub details: Map<String, Value>,
}

impl AuditRecord {
    /// What somebody did.
    pub fn of(deed: &Deed, actor: &Actor) -> Self {
        let details = deed.details.iter().map(|(key, value)| (key.clone(), value.as_str().into()));
        Self {
            at: deed.at,
            cluster: deed.cluster.clone(),
            service: deed.service.clone(),
            instance: deed.instance.clone(),
            user: actor.user.clone(),
            host: actor.host.clone(),
            action: deed.action.clone(),
            details: details.collect(),
        }
    }

    /// The line: JSON with sorted keys.
    pub fn line(&self) -> String {
        python_text(&json!({
            "timestamp": timestamp_text(self.at),
            "cluster": self.cluster.as_deref().unwrap_or(NOT_APPLICABLE),
            "service": self.service,
            "instance": self.instance.as_deref().unwrap_or(NOT_APPLICABLE),
            "user": self.user,
            "host": self.host,
            "action": self.action,
            "action_details": self.details,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_sorted() {
        let record = AuditRecord {
            at: "2021-04-01T00:00:00.123Z".parse().unwrap(),
            cluster: Some("prod".to_owned()),
            service: Some("web".to_owned()),
            instance: Some("main".to_owned()),
            user: "bob".to_owned(),
            host: "h".to_owned(),
            action: "stop".to_owned(),
            details: Map::new(),
        };
        assert_eq!(
            record.line(),
            r#"{"action": "stop", "action_details": {}, "cluster": "prod", "host": "h", "instance": "main", "service": "web", "timestamp": "2021-04-01T00:00:00.123000", "user": "bob"}"#
        );
        let nobodys = AuditRecord { service: None, cluster: None, ..record };
        assert!(
            nobodys.line().contains(r#""cluster": "N/A""#) && nobodys.line().contains(r#""service": null"#)
        );
    }
}
