//! `paasta_cleanup_maintenance`: ends maintenance that was forgotten, and keeps reservations at what is about to leave
//! (monitoring.md §8.2).

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use paasta_core::{Clock, SteadyClock, SystemClock, ZkNodes};
use paasta_mesos::{Machine, Master, MesosError, MesosMaster, Operator, Verb, schedule_update, up_call};
use paasta_tools::maintenance::{forgotten, reservations};
use paasta_tools::{program, service_log};
use paasta_zookeeper::ZkReader;
use serde_json::Value;

/// Wrong usage.
const EXIT_USAGE: u8 = 2;

/// Ends the maintenance of hosts that was forgotten
///
/// A host that still drains ten minutes after it was to be away stays; one that is still down ten minutes after it was to be
/// back comes back. Then what is free on hosts that drain is reserved, so that what tasks leave behind is not used again, and
/// reservations on all others are given back. For a cron job. Exits 0 if all of it was done.
#[derive(Parser, Debug)]
#[command(version)]
struct Args {
    /// Leave reservations as they are
    #[arg(long)]
    disable_reservation_cleanup: bool,
    /// Clean up all of this cluster; needed only at a terminal
    #[arg(long)]
    all: bool,
    /// Print the calls that would be made to the master, and make none
    #[arg(long)]
    dry_run: bool,
    /// Say more
    #[arg(short, long)]
    verbose: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    program::start_logging(args.verbose);
    if program::needs_all(std::io::stdin().is_terminal(), args.all, args.dry_run) {
        eprintln!(
            "error: this ends the maintenance of every host of the cluster that is late\n\n\
             hint: Say --all to do so, or --dry-run to see what it would do."
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

/// Whether all of it was done.
async fn run(args: &Args) -> anyhow::Result<bool> {
    let system = program::system_config()?;
    let (file, zookeeper) = (system.mesos_cli_config()?, Arc::new(ZkReader::default()) as Arc<dyn ZkNodes>);
    let clock: Arc<dyn Clock> = Arc::new(SteadyClock::from(SystemClock.now()));
    let master = || Master::new(&file, zookeeper.clone(), clock.clone());
    let (operator, master) = (Operator::new(master()), MesosMaster::new(master()));
    let (status, schedule) = (operator.status().await?, operator.schedule().await?);
    let late = forgotten(&status, &schedule, SystemClock.now());
    tell("was to be away ten minutes ago and stays", &late.undrain);
    tell("was to be back ten minutes ago and comes back", &late.up);
    if args.dry_run {
        if !late.undrain.is_empty() {
            program::tell(&format!("{}\n", schedule_update(&schedule.without(&late.undrain))));
        }
        if !late.up.is_empty() {
            program::tell(&format!("{}\n", up_call(&late.up)));
        }
        return match args.disable_reservation_cleanup {
            true => Ok(true),
            false => preview(&operator, &master).await.map(|()| true),
        };
    }
    let log = service_log::of_files(&system);
    let wrote = |what: &str, hosts: &[Machine]| {
        let cluster = system.cluster().ok().map(|cluster| cluster.to_string());
        let name = |host: &Machine| host.hostname.clone().or_else(|| host.ip.clone()).unwrap_or_default();
        let hosts: Vec<String> = hosts.iter().map(name).collect();
        service_log::changed_hosts(log.as_ref(), cluster, what, &hosts);
    };
    let mut failed = Vec::new();
    if !late.undrain.is_empty() {
        match operator.undrain(&late.undrain).await {
            Ok(left) => {
                wrote("undrain", &late.undrain);
                failed.extend(left);
            }
            Err(error) => failed.push(error),
        }
    }
    if !late.up.is_empty() {
        match operator.up(&late.up).await {
            Ok(()) => wrote("up", &late.up),
            Err(error) => failed.push(error),
        }
    }
    if !args.disable_reservation_cleanup {
        failed.extend(reserve(&operator, &master).await);
    }
    for error in &failed {
        eprintln!("error: {error}");
    }
    Ok(failed.is_empty())
}

/// Makes reservations what they should be; what could not be done is given back.
async fn reserve(operator: &Operator, master: &MesosMaster) -> Vec<MesosError> {
    let (status, agents) = match (operator.status().await, master.summary().await) {
        (Ok(status), Ok(summary)) => (status, summary.agents),
        (Err(error), _) | (_, Err(error)) => return vec![error],
    };
    let (draining, held) = reservations(&status, &agents);
    let mut failed = operator.unreserve(&held).await;
    failed.extend(operator.reserve(&draining).await);
    failed
}

async fn preview(operator: &Operator, master: &MesosMaster) -> anyhow::Result<()> {
    let (draining, held) = reservations(&operator.status().await?, &master.summary().await?.agents);
    let mut calls: Vec<Value> = operator.reservations(Verb::Unreserve, &held).await?;
    calls.extend(operator.reservations(Verb::Reserve, &draining).await?);
    for call in calls {
        program::tell(&format!("{call}\n"));
    }
    Ok(())
}

fn tell(what: &str, machines: &[Machine]) {
    for host in machines.iter().filter_map(|machine| machine.hostname.as_deref()) {
        eprintln!("{host} {what}");
    }
}
