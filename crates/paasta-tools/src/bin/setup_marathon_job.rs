//! `setup_marathon_job [-d ROOT] [--dry-run] [--json] [--all] [SERVICE.INSTANCE …]`: one pass over each instance
//! (marathon-and-bounce.md §5), or with `--dry-run` what would run, without asking any engine.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use paasta_config::Soa;
use paasta_core::{InstanceId, NameError};
use paasta_marathon::MarathonRenderer;
use paasta_tools::passes::{Asked, Passes};
use paasta_tools::{dry_run, passes, program};

const EXIT_USAGE: u8 = 2;

/// Brings Marathon instances to the version, size and health that are wanted, one step
#[derive(Parser, Debug)]
#[command(version)]
struct Args {
    /// Directory to read soa-configs from
    #[arg(short = 'd', long = "soa-dir", value_name = "SOA_DIR")]
    soa_dir: Option<PathBuf>,
    /// Say more
    #[arg(short, long)]
    verbose: bool,
    /// Only print what would run, one line of JSON per instance; asks no engine
    #[arg(long)]
    dry_run: bool,
    /// Print one line of JSON per instance
    #[arg(long)]
    json: bool,
    /// Every instance of this cluster
    #[arg(long, conflicts_with = "instances")]
    all: bool,
    /// Take autoscaled counts from this file (JSON: ZooKeeper path to count)
    #[arg(long, value_name = "FILE")]
    autoscaled_counts: Option<PathBuf>,
    /// The instances to work on; a dry run without any prints all
    #[arg(value_name = "SERVICE.INSTANCE")]
    instances: Vec<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    program::start_logging(args.verbose);
    if !args.dry_run && !args.all && args.instances.is_empty() {
        eprintln!("error: no instance given\n\nhint: Name instances as SERVICE.INSTANCE, or say --all.");
        return ExitCode::from(EXIT_USAGE);
    }
    let (ids, wrong) = parse(&args.instances);
    wrong.iter().for_each(|error| eprintln!("error: {error}"));
    if ids.is_empty() && !wrong.is_empty() {
        eprintln!("\nhint: Name instances as SERVICE.INSTANCE, or say --all.");
        return ExitCode::from(EXIT_USAGE);
    }
    match run(&args, ids).await {
        Ok(true) if !wrong.is_empty() => ExitCode::FAILURE,
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) if program::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", program::paragraph(&error));
            ExitCode::FAILURE
        }
    }
}

/// Whether all went well.
async fn run(args: &Args, named: Vec<InstanceId>) -> anyhow::Result<bool> {
    let system = program::system_config()?;
    let soa = Soa::open(program::soa_root(args.soa_dir.as_deref(), &system)?).cached();
    let coordination = passes::coordination("setup_marathon_job", &system)?;
    let counts = passes::counts(args.autoscaled_counts.as_deref(), &coordination)?;
    let cluster = system.cluster()?;
    let mut good = true;
    let ids = if args.instances.is_empty() {
        let (ids, failures) = dry_run::instances(&soa, &cluster)?;
        good = failures.is_empty();
        if args.dry_run {
            for line in &failures {
                print_json(line)?;
            }
        } else {
            passes::tell_unlisted(&failures);
        }
        ids
    } else {
        named
    };
    if !args.dry_run {
        let passes =
            Passes::from_system("setup_marathon_job", soa, system, counts, &coordination)?.alerting();
        let asked = if args.all { Asked::ForAll } else { Asked::ByName };
        passes::tell_radius(&ids, &cluster);
        good &= passes::run_and_tell(&passes, &ids, asked, args.json).await;
        coordination.close().await;
        return Ok(good);
    }
    let renderer = MarathonRenderer::from_system(system.map())?;
    for id in &ids {
        match dry_run::instance(&soa, &system, &renderer, counts.as_ref(), id).await {
            Ok(line) => {
                good &= !line.is_bad();
                print_json(&line)?;
            }
            // Of all instances some are always not deployed.
            Err(_) if args.instances.is_empty() => {}
            Err(error) => {
                good = false;
                let error = anyhow::Error::new(error).context(format!("could not load instance `{id}`"));
                eprintln!("{}", program::advice(id.service(), &error));
            }
        }
    }
    Ok(good)
}

/// Each instance once, and what is wrong with other names: those do not keep the good ones from their turn.
fn parse(names: &[String]) -> (Vec<InstanceId>, Vec<NameError>) {
    let (mut ids, mut errors): (Vec<InstanceId>, Vec<NameError>) = (vec![], vec![]);
    for name in names {
        match name.parse() {
            Ok(id) if ids.contains(&id) => {}
            Ok(id) => ids.push(id),
            Err(error) => errors.push(error),
        }
    }
    (ids, errors)
}

fn print_json(line: &dry_run::Line) -> anyhow::Result<()> {
    // In one piece: there may be thousands.
    let mut text = serde_json::to_string(line)?;
    text.push('\n');
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}
