//! Alerts as receivers get them: a Sensu-shaped one, the original's own library beside ours, an Alertmanager's interface.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod alertmanager;
mod pysensu;
mod reports;
mod sensu;

use paasta_config::{Map, parse_yaml};
use paasta_core::{Alert, CheckStatus, InstanceId};
use paasta_monitoring::{Finding, Layers, Sender, compose};

/// The map of a YAML text.
fn map(text: &str) -> Map {
    parse_yaml(text.as_bytes(), "monitoring.yaml").unwrap().root.as_map().cloned().unwrap_or_default()
}

/// What `sender` says of `web.main`.
fn alert(sender: &Sender, instance: &str, monitoring: &str, status: CheckStatus, output: &str) -> Alert {
    let layers = Layers { instance: map(instance), monitoring: map(monitoring), ..Layers::default() };
    let id: InstanceId = "web.main".parse().unwrap();
    let finding = Finding::about(&id, sender, Some("prod"), status, output);
    Alert {
        at: "2021-04-01T12:00:00Z".parse().unwrap(),
        cluster: Some("prod".to_owned()),
        instance: id,
        check: sender.check.to_owned(),
        event: compose(sender, &layers, finding).unwrap().event,
    }
}
