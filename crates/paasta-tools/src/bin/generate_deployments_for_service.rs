//! `generate_deployments_for_service -s SERVICE [-d ROOT] [-v] [--dry-run]`: brings one service's deployments.json up to
//! date from its git tags (config.md §4.1), or says what would change.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use paasta_config::Soa;
use paasta_core::ServiceName;
use paasta_deployments::{FileChange, Limits, generate_for_service, preview_for_service, refs_for_url};
use paasta_tools::{preview, program, service_log};

/// Brings one service's deployments.json up to date from its git tags
#[derive(Parser, Debug)]
#[command(version)]
struct Args {
    /// The service
    #[arg(short, long)]
    service: ServiceName,
    /// Directory to read soa-configs from, and to write to
    #[arg(short = 'd', long = "soa-dir", value_name = "SOA_DIR")]
    soa_dir: Option<PathBuf>,
    /// Seconds that the git repository may take to list its tags [default: `git_config.timeout_seconds` of the system
    /// configuration, else 60]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: Option<u64>,
    /// Only print what would change in the file; writes nothing
    #[arg(long)]
    dry_run: bool,
    /// Say more
    #[arg(short, long)]
    verbose: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    program::start_logging(args.verbose);
    match run(&args) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{}", program::advice(&args.service, &error));
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let system = program::system_config()?;
    let root = program::soa_root(args.soa_dir.as_deref(), &system)?;
    anyhow::ensure!(
        root.join(args.service.as_str()).is_dir(),
        "there is no service `{}` in `{}`",
        args.service,
        root.display()
    );
    let limits = match args.timeout {
        Some(seconds) => Limits::of(Duration::from_secs(seconds)),
        None => Limits::from_system(&system)?,
    };
    let connect = |url: &str| {
        tracing::debug!(url, "listing refs");
        refs_for_url(url, limits)
    };
    let soa = Soa::open(&root).cached();
    let left_out = if args.dry_run {
        let preview = preview_for_service(&root, &soa, &system, &args.service, &connect)?;
        program::tell(&preview::text(&args.service, &preview));
        preview.left_out
    } else {
        let done = generate_for_service(&root, &soa, &system, &args.service, &connect)?;
        match done.change {
            FileChange::Written => {
                tracing::debug!(service = %args.service, "deployments.json written");
                service_log::wrote_deployments(service_log::of_files(&system).as_ref(), &root, &args.service);
            }
            FileChange::Unchanged => tracing::debug!(service = %args.service, "deployments.json unchanged"),
        }
        done.left_out
    };
    let failed = !left_out.is_empty();
    for error in left_out {
        let error = anyhow::Error::new(error).context("could not read one instance; it is left out");
        eprintln!("{}", program::advice(&args.service, &error));
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
