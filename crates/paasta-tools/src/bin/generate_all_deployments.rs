//! `generate_all_deployments [-d ROOT] [--jobs N] [--dry-run]`: brings the deployments.json of every service up to date,
//! many at once in one process (config.md §4.1), or says what would change. One that fails hinders no other; the exit
//! code is 1 if any failed.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use clap::Parser;
use paasta_config::{LoadError, Soa};
use paasta_core::ServiceName;
use paasta_deployments::{
    FileChange, GenerateError, Limits, generate_for_service, generate_for_services, preview_for_service,
    unattended_refs_for_url,
};
use paasta_tools::{preview, program, service_log};

/// Brings the deployments.json of every service up to date from its git tags
#[derive(Parser, Debug)]
#[command(version)]
struct Args {
    /// Directory to read soa-configs from, and to write to
    #[arg(short = 'd', long = "soa-dir", value_name = "SOA_DIR")]
    soa_dir: Option<PathBuf>,
    /// How many services to work on at once; most of the time goes by waiting for git repositories
    #[arg(short, long, value_name = "N", default_value = "16")]
    jobs: NonZeroUsize,
    /// Seconds that one git repository may take to list its tags [default: `git_config.timeout_seconds` of the system
    /// configuration, else 60]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: Option<u64>,
    /// Only print per service what would change in its file; writes nothing
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
            eprintln!("{}", program::paragraph(&error));
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let system = program::system_config()?;
    let root = program::soa_root(args.soa_dir.as_deref(), &system)?;
    let soa = Soa::open(&root);
    let (services, unreadable) = soa.paasta_services(&system)?;
    let tally = Tally::default();
    for (service, error) in unreadable {
        let context = format!("could not read service `{service}`");
        tally.failed(&service, anyhow::Error::new(error).context(context));
    }
    let limits = match args.timeout {
        Some(seconds) => Limits::of(Duration::from_secs(seconds)),
        None => Limits::from_system(&system)?,
    };
    let connect = |url: &str| unattended_refs_for_url(url, limits);
    let soa = || Soa::open(&root).cached();
    if args.dry_run {
        let one = |service: &ServiceName| preview_for_service(&root, &soa(), &system, service, &connect);
        generate_for_services(&services, args.jobs, one, |service, result| {
            if let Ok(preview) = &result {
                program::tell(&preview::text(service, preview));
            }
            tally.add(service, result.map(|preview| (preview.change, preview.left_out)));
        });
    } else {
        let log = service_log::of_files(&system);
        let one = |service: &ServiceName| generate_for_service(&root, &soa(), &system, service, &connect);
        generate_for_services(&services, args.jobs, one, |service, result| {
            if matches!(&result, Ok(done) if done.change == FileChange::Written) {
                service_log::wrote_deployments(log.as_ref(), &root, service);
            }
            tally.add(service, result.map(|done| (done.change, done.left_out)));
        });
    }
    eprintln!("{}", tally.summary(if args.dry_run { "to be written" } else { "written" }));
    Ok(if tally.failures.load(Ordering::Relaxed) == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[derive(Default)]
struct Tally {
    written: AtomicUsize,
    unchanged: AtomicUsize,
    failures: AtomicUsize,
}

impl Tally {
    fn add(&self, service: &ServiceName, result: Result<(FileChange, Vec<LoadError>), GenerateError>) {
        match result {
            Ok((change, left_out)) => {
                let counter = match change {
                    FileChange::Written => &self.written,
                    FileChange::Unchanged => &self.unchanged,
                };
                counter.fetch_add(1, Ordering::Relaxed);
                for error in left_out {
                    let context =
                        format!("could not read one instance of service `{service}`; it is left out");
                    self.failed(service, anyhow::Error::new(error).context(context));
                }
            }
            Err(error) => self.failed(service, error.into()),
        }
    }

    fn failed(&self, service: &ServiceName, error: anyhow::Error) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        eprintln!("{}\n", program::advice(service, &error));
    }

    fn summary(&self, written: &str) -> String {
        let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        format!(
            "{} {written}, {} unchanged, {} failed",
            count(&self.written),
            count(&self.unchanged),
            count(&self.failures)
        )
    }
}
