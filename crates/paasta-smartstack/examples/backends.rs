//! Asks the load balancer of one host for one registration, or for all:
//! `cargo run -p paasta-smartstack --example backends -- HOST PORT [SERVICE.NAMESPACE]`
//!
//! PORT is that of HAProxy's statistics page; a HAProxy with `stats enable` and `stats uri /` will do.

use paasta_config::SystemConfig;
use paasta_core::Registration;
use paasta_smartstack::{Asker, DiscoveryProviders, SERVICES_FILE};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (host, port, registration) = match arguments.as_slice() {
        [host, port] => (host, port, None),
        [host, port, registration] => (host, port, Some(Registration::new(registration.as_str())?)),
        _ => {
            eprintln!("usage: backends HOST PORT [SERVICE.NAMESPACE]");
            std::process::exit(2);
        }
    };
    let system = SystemConfig::from_json(&format!(r#"{{"synapse_port": {}}}"#, port.parse::<u16>()?))?;
    let asker = Asker { program: "backends", version: env!("CARGO_PKG_VERSION") };
    let providers = DiscoveryProviders::from_system(&system, asker, SERVICES_FILE.as_ref())?;
    for provider in providers.all() {
        let backends = provider.backends(host, registration.as_ref()).await?;
        let wanted = registration.as_ref().map(Registration::as_str);
        for backend in backends.iter().filter(|one| wanted.is_none_or(|wanted| one.registration == wanted)) {
            let address = backend.address.map_or("nowhere".to_owned(), |address| address.to_string());
            println!("{} {}: {} at {address}", provider.name(), backend.registration, backend.status);
        }
    }
    Ok(())
}
