//! Judges the copies of an instance, and makes the event that tells of them:
//! `cargo run -p paasta-monitoring --example judge`.

use std::collections::BTreeMap;

use paasta_config::parse_yaml;
use paasta_core::{InstanceId, Reading};
use paasta_monitoring::{Check, Copies, Finding, Layers, Replication, compose, description, senders};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let instance: InstanceId = "web.main".parse()?;
    let copies = Copies { instance: instance.clone(), expected: 6, threshold: 50.0 };
    // West has one of three copies; whoever was asked in the east did not answer.
    let locations = BTreeMap::from([
        ("west".to_owned(), Reading::Known(1)),
        ("east".to_owned(), Reading::Unknown("no answer within 1 s".to_owned())),
    ]);
    let observed = BTreeMap::from([("Smartstack".to_owned(), Reading::Known(locations))]);
    let verdict = Replication::decide(&copies, &observed);
    print!("{}: {}", verdict.status, verdict.output);

    let monitoring = parse_yaml(b"{team: web_team, page: true, alert_after: 5m}", "monitoring.yaml")?;
    let layers =
        Layers { monitoring: monitoring.root.as_map().cloned().unwrap_or_default(), ..Layers::default() };
    let text = description(&verdict, &copies, "prod", &["Smartstack"]);
    let sender = senders::replication(&instance, "prod", text);
    let finding = Finding::about(&instance, &sender, Some("prod"), verdict.status, verdict.output);
    let event = compose(&sender, &layers, finding)?.event;
    println!("{} tells {} after {} s", event.name, event.team, event.alert_after);
    Ok(())
}
