//! Prints the hosts that are about to leave, as the Mesos master says: `leaving [SYSTEM_CONFIG.json]`.

use std::error::Error;
use std::sync::Arc;

use paasta_config::SystemConfig;
use paasta_core::Reading;
use paasta_zookeeper::ZkReader;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let system = match std::env::args().nth(1) {
        Some(file) => SystemConfig::from_json(&std::fs::read_to_string(file)?)?,
        None => SystemConfig::from_json(r#"{"mesos_config": {"path": "/nail/etc/mesos-cli.json"}}"#)?,
    };
    match paasta_mesos::leaving_hosts(&system, Arc::new(ZkReader::default())).leaving_hosts().await {
        Reading::Known(hosts) => hosts.iter().for_each(|host| println!("{host}")),
        Reading::Unknown(reason) => eprintln!("not known: {reason}"),
    }
    Ok(())
}
