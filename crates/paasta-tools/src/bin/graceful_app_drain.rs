//! `graceful_app_drain APP_ID [-d ROOT] [--dry-run]`: takes the traffic off one app, as its instance's drain method does,
//! and removes it (marathon-and-bounce.md §8.2).

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use paasta_config::{Soa, SystemConfig};
use paasta_core::AppId;
use paasta_setup::PassReport;
use paasta_tools::passes::{self, Passes};
use paasta_tools::{app_drain, dry_run, program};
use paasta_zookeeper::Coordination;

const EXIT_USAGE: u8 = 2;

/// Drains one Marathon app and removes it
///
/// Other versions of its instance are left alone. Ends when the app is gone; nobody else works on the instance meanwhile.
/// An app that is the wanted version is created again afterwards: `paasta stop` ends it for good.
#[derive(Parser, Debug)]
#[command(version)]
struct Args {
    /// The app, such as SERVICE.INSTANCE.git01234567.config01234567
    #[arg(value_name = "APP_ID")]
    app: String,
    /// Directory to read soa-configs from
    #[arg(short = 'd', long = "soa-dir", value_name = "SOA_DIR")]
    soa_dir: Option<PathBuf>,
    /// Only print what the first step would do; changes nothing and takes no lock
    #[arg(long)]
    dry_run: bool,
    /// Print one line of JSON per step
    #[arg(long)]
    json: bool,
    /// Say more
    #[arg(short, long)]
    verbose: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    program::start_logging(args.verbose);
    let app = AppId::new(args.app.as_str());
    if !app.has_our_form() {
        eprintln!(
            "error: `{}` is no id of an app that PaaSTA made\n\n\
             hint: Name it as Marathon and `paasta status` do: SERVICE.INSTANCE.git….config….",
            args.app
        );
        return ExitCode::from(EXIT_USAGE);
    }
    match run(&args, &app).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{}", program::paragraph(&error));
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args, app: &AppId) -> anyhow::Result<ExitCode> {
    let system = program::system_config()?;
    let coordination = passes::coordination("graceful_app_drain", &system)?;
    let result = drain(args, app, system, &coordination).await;
    coordination.close().await;
    result
}

async fn drain(
    args: &Args,
    app: &AppId,
    system: SystemConfig,
    coordination: &Coordination,
) -> anyhow::Result<ExitCode> {
    let soa = Soa::open(program::soa_root(args.soa_dir.as_deref(), &system)?).cached();
    let (cluster, counts) = (system.cluster()?, coordination.counts.clone());
    let passes = Passes::from_system("graceful_app_drain", soa.clone(), system, counts, coordination)?;
    let found = match app_drain::find(app, &passes.listing().await?) {
        Ok(found) => found,
        Err(silent) if silent.is_empty() => {
            eprintln!("error: no Marathon of this cluster has an app `{app}`");
            return Ok(ExitCode::FAILURE);
        }
        Err(silent) => {
            eprintln!(
                "error: could not look for `{app}` everywhere\n  caused by: {}",
                silent.join("\n  caused by: ")
            );
            return Ok(ExitCode::FAILURE);
        }
    };
    let (ids, failures) = dry_run::instances(&soa, &cluster)?;
    let Some(id) = app_drain::instance_of(app, &ids) else {
        passes::tell_unlisted(&failures);
        eprintln!(
            "error: no instance of cluster `{cluster}` is configured for `{app}`, so that it is not known how it drains\n\n\
             hint: `cleanup_marathon_jobs` deletes apps of instances that are configured no more, without draining."
        );
        return Ok(ExitCode::FAILURE);
    };
    for silent in &found.silent {
        eprintln!("error: could not look for it everywhere: {silent}");
    }
    let result = match args.dry_run {
        true => foresee(&passes, id, app, found.homes.clone(), args.json).await,
        false => {
            let homes: Vec<_> = found.homes.all().map(ToString::to_string).collect();
            let s = if found.tasks == 1 { "" } else { "s" };
            eprintln!(
                "draining {} task{s} of {app} in {}, then removing it",
                found.tasks,
                homes.join(" and ")
            );
            app_drain::run(&passes, id, app, found.homes.clone(), |report| tell(report, args.json)).await
        }
    };
    if let Err(error) = result {
        eprintln!("{}", program::advice(id.service(), &error));
        return Ok(ExitCode::FAILURE);
    }
    Ok(if found.silent.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn foresee(
    passes: &Passes,
    id: &paasta_core::InstanceId,
    app: &AppId,
    homes: paasta_core::Homes,
    json: bool,
) -> anyhow::Result<()> {
    let plan = app_drain::foresee(passes, id, app, homes).await?;
    let line = if json { serde_json::to_string(&plan)? } else { plan.to_string() };
    program::tell(&format!("{line}\n"));
    Ok(())
}

/// One line per step; steps that only wait are told with the last reason why.
fn tell(report: &PassReport, json: bool) {
    let line = match json {
        true => serde_json::to_string(report).unwrap_or_else(|error| error.to_string()),
        false if report.is_steady() => format!("{}: gone", report.app),
        false => format!("{}: {}", report.app, report.why),
    };
    program::tell(&format!("{line}\n"));
    for problem in &report.problems {
        eprintln!("error: app `{}`: {problem}", report.app);
    }
}
