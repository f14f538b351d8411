//! Sends an alert to Sensu and says what became of it: `cargo run -p paasta-alerts --example send [HOST [PORT]]`.

use std::time::Duration;

use paasta_alerts::{Outbox, Sensu};
use paasta_core::{Alert, AlertSink, CheckStatus, Clock, InstanceId, SystemClock};
use paasta_monitoring::{Finding, Layers, compose, senders};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let host = arguments.next().unwrap_or_else(|| "localhost".to_owned());
    let port = arguments.next().map_or(Ok(3030), |port| port.parse())?;
    let team = paasta_config::parse_yaml(b"team: web_team", "monitoring.yaml")?;
    let layers = Layers { monitoring: team.root.as_map().cloned().unwrap_or_default(), ..Layers::default() };
    let instance: InstanceId = "web.main".parse()?;
    let sender = senders::setup();
    let finding = Finding::about(&instance, &sender, Some("prod"), CheckStatus::Ok, senders::DEPLOYED);
    let event = compose(&sender, &layers, finding)?.event;
    let outbox = Outbox::start(Sensu::new(host, port))?;
    let (at, check) = (SystemClock.now(), sender.check.to_owned());
    outbox.alert(&Alert { at, cluster: Some("prod".to_owned()), instance, check, event });
    outbox.flush(Duration::from_secs(5));
    println!("{:?}", outbox.counts());
    Ok(())
}
