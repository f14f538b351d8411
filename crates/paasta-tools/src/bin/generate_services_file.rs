//! `generate_services_file -o FILE [-f rfc1700|yaml|json] [-d ROOT]`: the ports of all services as a file (config.md §9.1).

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use paasta_tools::program;
use paasta_tools::services_file::{self, Format};

/// Writes the ports of every service and SmartStack namespace to a file
///
/// The file is replaced as a whole, and left alone if it says the same already. A service that cannot be read keeps what the
/// file said of it; it is named, and the exit code is 1.
#[derive(Parser, Debug)]
#[command(version)]
struct Args {
    /// The file to write; `-` for standard output
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Lines as in /etc/services, or a map of addresses
    #[arg(short, long, value_enum, default_value = "rfc1700")]
    format: Format,
    /// Directory to read soa-configs from
    #[arg(short = 'd', long = "soa-dir", value_name = "SOA_DIR")]
    soa_dir: Option<PathBuf>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    match services_file::soa(args.soa_dir.as_deref())
        .and_then(|soa| services_file::generate(&soa, args.format, &args.output))
    {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{}", program::paragraph(&error));
            ExitCode::FAILURE
        }
    }
}
