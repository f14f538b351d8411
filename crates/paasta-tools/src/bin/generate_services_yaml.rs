//! `generate_services_yaml FILE [-d ROOT]`: the addresses of all SmartStack namespaces as YAML (config.md §9.1).

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use paasta_tools::program;
use paasta_tools::services_file::{self, Format};

/// Writes the address of every SmartStack namespace to a YAML file
///
/// The same as `generate_services_file -f yaml -o FILE`.
#[derive(Parser, Debug)]
#[command(version)]
struct Args {
    /// The file to write; `-` for standard output
    #[arg(value_name = "FILE")]
    output: PathBuf,
    /// Directory to read soa-configs from
    #[arg(short = 'd', long = "soa-dir", value_name = "SOA_DIR")]
    soa_dir: Option<PathBuf>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    match services_file::soa(args.soa_dir.as_deref())
        .and_then(|soa| services_file::generate(&soa, Format::Yaml, &args.output))
    {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{}", program::paragraph(&error));
            ExitCode::FAILURE
        }
    }
}
