//! Writes the ports of all services to a file: what `generate_services_file` and `generate_services_yaml` share.

use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::ValueEnum;
use paasta_config::{
    LoadError, ServicePort, Soa, SystemConfig, keep_from_old, read_regular, says_the_same, services_json,
    services_rfc1700, services_yaml,
};
use paasta_core::{Clock as _, ServiceName, SystemClock};
use paasta_deployments::replace_file;

use crate::program::{self, Hint};
use crate::service_log;

/// How the file is written (config.md §9.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Lines as in /etc/services.
    Rfc1700,
    /// A map of addresses.
    Yaml,
    /// The same map.
    Json,
}

/// The soa-configs tree that an option names, else the host's.
pub fn soa(option: Option<&Path>) -> anyhow::Result<Soa> {
    // Whoever names a directory needs no configuration of the host.
    let system = match option {
        Some(_) => SystemConfig::from_map(Default::default()),
        None => program::system_config()?,
    };
    Ok(Soa::open(program::soa_root(option, &system)?))
}

/// Writes the file; `-` is standard output. One that says the same already is left alone. What an older file says of
/// services that cannot be read now stays in it; they are told on stderr, and the exit code is 1.
pub fn generate(soa: &Soa, format: Format, target: &Path) -> anyhow::Result<ExitCode> {
    let (mut ports, unreadable) = soa.service_ports().context("could not list the services")?;
    let to_stdout = target.as_os_str() == "-";
    let old = if to_stdout { Vec::new() } else { read_old(target)? };
    let names: Vec<ServiceName> = unreadable.iter().map(|(service, _)| service.clone()).collect();
    keep_from_old(&mut ports, &old, &names);
    let text = rendered(format, &ports);
    if to_stdout {
        std::io::stdout().write_all(text.as_bytes()).context("could not write to standard output")?;
    } else if !is_up_to_date(format, &old, &text) {
        replace_file(target, text.as_bytes()).with_context(|| way_out(target))?;
        // A host without a system configuration has no log either.
        if let Ok(system) = program::system_config() {
            service_log::wrote_services_file(service_log::of_files(&system).as_ref(), target);
        }
    }
    Ok(tell_unreadable(&unreadable))
}

/// Names every service that could not be read; 1 if there is one.
pub fn tell_unreadable(unreadable: &[(ServiceName, LoadError)]) -> ExitCode {
    for (service, error) in unreadable {
        let mut said = vec![format!("could not read the ports of service `{service}`"), error.to_string()];
        let mut cause = std::error::Error::source(error);
        while let Some(next) = cause {
            said.push(next.to_string());
            cause = next.source();
        }
        said.dedup();
        let hint = format!(
            "Run `paasta validate -s {service}` in the soa-configs to check every file of the service."
        );
        eprintln!("error: {}\n\nhint: {hint}\n", said.join("\n  caused by: "));
    }
    if unreadable.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// An older file that cannot be read must not be written over: what it says would be lost.
fn read_old(target: &Path) -> anyhow::Result<Vec<u8>> {
    match read_regular(target) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        result => result
            .with_context(|| format!("could not read `{}`", target.display()))
            .with_context(|| way_out(target)),
    }
}

fn way_out(target: &Path) -> Hint {
    Hint(format!(
        "Name a file that can be replaced instead of `{}`, or `-` for standard output.",
        target.display()
    ))
}

fn rendered(format: Format, ports: &[ServicePort]) -> String {
    match format {
        Format::Rfc1700 => services_rfc1700(ports),
        Format::Yaml => services_yaml(ports, SystemClock.now(), &program::host()),
        Format::Json => services_json(ports),
    }
}

fn is_up_to_date(format: Format, old: &[u8], text: &str) -> bool {
    match format {
        // Its comment tells when it was made.
        Format::Yaml => says_the_same(old, text),
        Format::Rfc1700 | Format::Json => old == text.as_bytes(),
    }
}
