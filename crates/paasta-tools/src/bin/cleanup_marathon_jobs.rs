//! `cleanup_marathon_jobs [-d ROOT] [-t FRACTION] [-f] [--all] [--dry-run]`: deletes apps whose instances are configured no
//! more (marathon-and-bounce.md §8.1).

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use paasta_config::{Soa, SystemConfig};
use paasta_core::ClusterName;
use paasta_tools::cleanup::{self, End, Guard, Judgement, Line};
use paasta_tools::configured::Configured;
use paasta_tools::passes::{self, Passes};
use paasta_tools::program;
use paasta_zookeeper::Coordination;

const EXIT_USAGE: u8 = 2;

/// Deletes Marathon apps of this cluster whose instances are configured no more
///
/// Old versions of an instance that is configured are left to its bounces, and apps that PaaSTA did not make are left alone.
/// Nothing is drained. A service that cannot be read keeps all of its apps. If more than a part of all apps would go, or a
/// Marathon does not answer, nothing is deleted.
#[derive(Parser, Debug)]
#[command(version)]
struct Args {
    /// Directory to read soa-configs from
    #[arg(short = 'd', long = "soa-dir", value_name = "SOA_DIR")]
    soa_dir: Option<PathBuf>,
    /// The part of all apps, from 0 to 1, that may go at once
    #[arg(short = 't', long, value_name = "FRACTION", default_value = "0.5", value_parser = fraction)]
    kill_threshold: f64,
    /// Whatever part of all apps goes, and whether or not all Marathons answer
    #[arg(short, long)]
    force: bool,
    /// Clean up all of this cluster; needed only at a terminal
    #[arg(long)]
    all: bool,
    /// Only print what would be deleted; changes nothing and takes no lock
    #[arg(long)]
    dry_run: bool,
    /// Print one line of JSON per app
    #[arg(long)]
    json: bool,
    /// Say more
    #[arg(short, long)]
    verbose: bool,
}

fn fraction(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    let fits = (0.0..=1.0).contains(&number);
    fits.then_some(number).ok_or_else(|| "expected a number from 0 to 1".to_owned())
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    program::start_logging(args.verbose);
    if program::needs_all(std::io::stdin().is_terminal(), args.all, args.dry_run) {
        eprintln!(
            "error: this deletes every app of the cluster whose instance is configured no more\n\n\
             hint: Say --all to do so, or --dry-run to see what it would delete."
        );
        return ExitCode::from(EXIT_USAGE);
    }
    match run(&args).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{}", program::paragraph(&error));
            ExitCode::FAILURE
        }
    }
}

/// Whether all went well.
async fn run(args: &Args) -> anyhow::Result<bool> {
    let system = program::system_config()?;
    let coordination = passes::coordination("cleanup_marathon_jobs", &system)?;
    let result = clean_up(args, system, &coordination).await;
    coordination.close().await;
    result
}

async fn clean_up(args: &Args, system: SystemConfig, coordination: &Coordination) -> anyhow::Result<bool> {
    let root = program::soa_root(args.soa_dir.as_deref(), &system)?;
    // Nothing is kept: each instance is looked for again right before its apps go.
    let (soa, cluster, counts) = (Soa::open(&root), system.cluster()?, coordination.counts.clone());
    let passes = Passes::from_system("cleanup_marathon_jobs", soa.clone(), system, counts, coordination)?;
    // What runs is listed first: an instance that is configured meanwhile is known then.
    let fleet = passes.listing().await?;
    let configured = Configured::read(&soa, &cluster)?;
    let guard = Guard { kill_threshold: args.kill_threshold, force: args.force };
    let judgement = cleanup::judge(&fleet.homes, &configured, guard);
    let mut good = tell_what_stays(&configured, &judgement);
    for (home, apps) in &fleet.homes {
        if let Some(reason) = apps.unknown() {
            good = false;
            tracing::warn!(%home, "could not be listed: {reason}");
        }
    }
    if args.dry_run {
        for doomed in &judgement.doomed {
            let place = doomed.place.clone();
            tell(
                &Line { app: place.app, home: place.home, tasks: doomed.tasks, end: End::WouldDelete },
                args.json,
            );
        }
    }
    if let Some(refusal) = &judgement.refusal {
        eprintln!("error: nothing is deleted: {refusal}\n\nhint: {}", refusal.hint());
        return Ok(false);
    }
    if !args.dry_run {
        tell_radius(&judgement, &cluster);
        let passes = passes.alerting();
        let (alerts, mut ended) = (passes.alerts(), Vec::new());
        cleanup::run(passes.pass(), &soa, &cluster, &judgement, |line| {
            good &= !matches!(line.end, End::Failed(_));
            tell(&line, args.json);
            ended.push(line);
        })
        .await;
        cleanup::removed(&soa, &ended).iter().for_each(|instance| alerts.removed(instance));
        alerts.flush();
    }
    Ok(good)
}

/// Says which services could not be read, and what is not ours; whether all could be read.
fn tell_what_stays(configured: &Configured, judgement: &Judgement) -> bool {
    for (service, reason) in configured.unreadable() {
        eprintln!(
            "error: could not list the instances of `{service}`; all of its apps stay\n  caused by: {reason}\n\n\
             hint: Run `paasta validate -s {service}` in the soa-configs to check every file of the service.\n"
        );
    }
    if !judgement.foreign.is_empty() {
        eprintln!("note: apps that PaaSTA did not make are left alone: {}", judgement.foreign.len());
    }
    for app in &judgement.foreign {
        tracing::info!(%app, "not an app of PaaSTA");
    }
    configured.unreadable().next().is_none()
}

/// Says how far it reaches, before anything is changed.
fn tell_radius(judgement: &Judgement, cluster: &ClusterName) {
    let tasks: usize = judgement.doomed.iter().map(|doomed| doomed.tasks).sum();
    let s = |count: usize| if count == 1 { "" } else { "s" };
    eprintln!(
        "deleting {} of {} app{} in {cluster}, with {tasks} task{}",
        judgement.doomed.len(),
        judgement.ours,
        s(judgement.ours),
        s(tasks)
    );
}

fn tell(line: &Line, json: bool) {
    let text = match json {
        true => serde_json::to_string(line).unwrap_or_else(|error| error.to_string()),
        false => line.to_string(),
    };
    program::tell(&format!("{text}\n"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_parts_of_one() {
        for good in ["0", "0.5", "1", "1e-3"] {
            assert!(fraction(good).is_ok(), "{good}");
        }
        for bad in ["", "50%", "1.1", "-0.1", "nan", "inf"] {
            assert!(fraction(bad).is_err(), "{bad}");
        }
    }
}
