//! Shows what an instance's files come to: `show_instance SOA_DIR SYSTEM_CONFIG_DIR SERVICE.INSTANCE`.

use std::error::Error;
use std::process::ExitCode;

use paasta_config::{InstanceType, LoadError, Soa, SystemConfig};
use paasta_core::Reading;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [soa_dir, system_dir, instance] = &arguments[..] else {
        eprintln!("usage: show_instance SOA_DIR SYSTEM_CONFIG_DIR SERVICE.INSTANCE");
        return ExitCode::from(2);
    };
    match show(soa_dir, system_dir, instance) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn show(soa_dir: &str, system_dir: &str, instance: &str) -> Result<(), Box<dyn Error>> {
    let system = SystemConfig::load(system_dir)?;
    let soa = Soa::open(soa_dir).cached();
    let id = instance.parse()?;
    let wanted = match soa.wanted(&id, &system, Reading::Known(None)) {
        Ok(wanted) => wanted,
        Err(LoadError::NoDeployments { missing, .. }) => {
            println!("{id} is configured, but not deployed: {missing}");
            let instance = soa.instance(&id, InstanceType::Marathon, &system.cluster()?, &system)?;
            println!("deploy group: {}", instance.config().deploy_group()?.unwrap_or_default());
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    let config = wanted.instance();
    println!("image:         {}", wanted.deployment.docker_image);
    println!("deploy group:  {}", config.deploy_group()?.unwrap_or_default());
    println!("copies:        {:?}", wanted.desired_instances()?);
    println!("registrations: {}", config.registrations()?.join(", "));
    println!("bounced by:    {}, keeping {} up", config.bounce_method()?, config.bounce_margin_factor()?);
    println!("drained by:    {} {:?}", config.drain_method()?, config.drain_method_params()?);
    println!("health check:  {:?}", config.healthcheck()?);
    println!("settings, each with its place:");
    for (key, value) in wanted.settings.iter() {
        let place = value.position.as_ref().map_or_else(|| "default".to_owned(), ToString::to_string);
        println!("  {key:?}: {value:?}    ({place})");
    }
    Ok(())
}
