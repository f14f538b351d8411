//! `synapse_srv_namespaces_fact [-d ROOT]`: every SmartStack namespace with its port, as a fact for Facter (config.md §9.2).

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use paasta_config::srv_namespaces_fact;
use paasta_tools::{program, services_file};

/// Prints `synapse_srv_namespaces=` and every SmartStack namespace with its port, sorted
///
/// A service that cannot be read is left out and named on stderr; the exit code is then 1.
#[derive(Parser, Debug)]
#[command(version)]
struct Args {
    /// Directory to read soa-configs from
    #[arg(short = 'd', long = "soa-dir", value_name = "SOA_DIR")]
    soa_dir: Option<PathBuf>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{}", program::paragraph(&error));
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let soa = services_file::soa(args.soa_dir.as_deref())?;
    let (ports, unreadable) = soa.service_ports().context("could not list the services")?;
    program::tell(&srv_namespaces_fact(&ports));
    Ok(services_file::tell_unreadable(&unreadable))
}
