//! `paasta_maintenance ACTION [HOST…]`: hosts that are to be away, as the Mesos master is told (monitoring.md §8).

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use paasta_config::{Soa, SystemConfig};
use paasta_core::{Clock, Reading, SteadyClock, SystemClock, Timestamp, ZkNodes};
use paasta_mesos::{
    MaintenanceStatus, Master, MesosError, MesosMaster, Operator, Unavailability, is_this_host, nanoseconds,
};
use paasta_smartstack::{Asker, DiscoveryProviders, Resolver as _, SERVICES_FILE, SystemResolver};
use paasta_tools::maintenance::{self, Change, Place, Question, times};
use paasta_tools::{passes, program, service_log};
use paasta_zookeeper::ZkReader;
use serde_json::{Value, json};

/// Takes hosts out of the cluster and back, and tells which are out
///
/// drain: nothing more is started on the hosts, and whoever can replaces the tasks there; undrain takes that back. down:
/// the hosts are away, and Mesos ends what is left on them; up: they are back. Exits 0 if it was done, and of a question if
/// the answer is yes for every host; 1 if it is no, or if that could not be told.
#[derive(Parser, Debug)]
#[command(version)]
struct Args {
    /// What to do or to tell
    #[arg(value_enum)]
    action: Action,
    /// Hosts, as `host` or `host|address` [default: this host]
    hosts: Vec<String>,
    /// How long the hosts are to be away, as 1h, 2 days or 1:30 (90 seconds)
    #[arg(short, long, default_value = "1h", value_parser = times::nanoseconds_of)]
    duration: i128,
    /// From when on the hosts are to be away, as 2021-04-01T12:00 in the time zone of this host
    #[arg(short, long, default_value = "now", value_parser = start)]
    start: Timestamp,
    /// Print the calls that would be made to the master, and make none
    #[arg(long)]
    dry_run: bool,
    /// Take hosts down on which tasks still run; needed at a terminal only
    #[arg(long)]
    force: bool,
    /// Print `status` as one line of JSON
    #[arg(long)]
    json: bool,
    /// Say more
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Action {
    /// What the master says of machines that are draining or down, as it says it
    ClusterStatus,
    /// What is scheduled, as the master says it
    Schedule,
    /// Each host that is draining or down, with its address
    Status,
    /// The hosts are about to leave
    Drain,
    /// The hosts stay
    Undrain,
    /// The hosts are away
    Down,
    /// The hosts are back
    Up,
    /// Whether the hosts are away
    IsHostDown,
    /// Whether the hosts are about to leave, and nothing runs there any more
    IsHostDrained,
    /// Whether the hosts are about to leave
    IsHostDraining,
    /// Whether the hosts should have been away by now
    #[value(alias = "is_hosts_past_maintenance_start")]
    IsHostPastMaintenanceStart,
    /// Whether the hosts should have been back by now
    #[value(alias = "is_hosts_past_maintenance_end")]
    IsHostPastMaintenanceEnd,
    /// Whether no service here falls short if this host is drained; of this host only
    IsSafeToDrain,
    /// Whether the hosts are drained, or the time at which they were to be away has come
    IsSafeToKill,
}

impl Action {
    /// What it is called in audit lines, if it changes something.
    fn change(self) -> Option<&'static str> {
        match self {
            Self::Drain => Some("drain"),
            Self::Undrain => Some("undrain"),
            Self::Down => Some("down"),
            Self::Up => Some("up"),
            _ => None,
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let mut args = Args::parse();
    program::start_logging(args.verbose > 0);
    if args.hosts.is_empty() {
        args.hosts.push(program::host());
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

async fn run(args: &Args) -> anyhow::Result<bool> {
    let system = program::system_config()?;
    let zookeeper: Arc<dyn ZkNodes> = Arc::new(ZkReader::default());
    let file = system.mesos_cli_config()?;
    let clock: Arc<dyn Clock> = Arc::new(SteadyClock::from(SystemClock.now()));
    let master = || Master::new(&file, zookeeper.clone(), clock.clone());
    let (operator, master) = (Operator::new(master()), MesosMaster::new(master()));
    let done = act(args, &system, &operator, &master).await;
    if let (Ok(_), Some(what), false) = (&done, args.action.change(), args.dry_run) {
        let cluster = system.cluster().ok().map(|cluster| cluster.to_string());
        service_log::changed_hosts(service_log::of_files(&system).as_ref(), cluster, what, &args.hosts);
    }
    done.map_err(|error| {
        let is_of_mesos = error.chain().any(|cause| cause.is::<MesosError>());
        let hint = || format!("The master is found by `{}` (`mesos_config.path`).", file.display());
        if is_of_mesos { error.context(program::Hint(hint())) } else { error }
    })
}

async fn act(
    args: &Args,
    system: &SystemConfig,
    operator: &Operator,
    master: &MesosMaster,
) -> anyhow::Result<bool> {
    let question = match args.action {
        Action::ClusterStatus => return tell_json(&operator.answer("GET_MAINTENANCE_STATUS").await?),
        Action::Schedule => return tell_json(&operator.answer("GET_MAINTENANCE_SCHEDULE").await?),
        Action::Status => return tell_status(&operator.status().await?, args.json),
        Action::Drain => {
            let when = Unavailability::new(nanoseconds(args.start), args.duration);
            return change(args, &Change::Drain(when), operator, master).await;
        }
        Action::Undrain => return change(args, &Change::Undrain, operator, master).await,
        Action::Down => return change(args, &Change::Down, operator, master).await,
        Action::Up => return change(args, &Change::Up, operator, master).await,
        Action::IsSafeToDrain => return is_safe_to_drain(args, system, master).await,
        Action::IsHostDown => Question::IsDown,
        Action::IsHostDrained => Question::IsDrained,
        Action::IsHostDraining => Question::IsDraining,
        Action::IsHostPastMaintenanceStart => Question::IsPastStart,
        Action::IsHostPastMaintenanceEnd => Question::IsPastEnd,
        Action::IsSafeToKill => Question::IsSafeToKill,
    };
    let answer = maintenance::answer(question, &args.hosts, operator, master, SystemClock.now()).await?;
    Ok(tell(answer))
}

async fn change(
    args: &Args,
    change: &Change,
    operator: &Operator,
    master: &MesosMaster,
) -> anyhow::Result<bool> {
    let machines = maintenance::machines(&args.hosts, &SystemResolver).await;
    for reason in &machines.left_out {
        eprintln!("error: {reason}; it is left out");
    }
    anyhow::ensure!(!machines.found.is_empty(), "there is no host to do that to");
    if args.dry_run {
        for call in maintenance::calls(change, &machines.found, operator).await? {
            program::tell(&format!("{call}\n"));
        }
        return Ok(machines.left_out.is_empty());
    }
    let reach = maintenance::reach(&machines.found, master).await;
    for (host, running) in &reach {
        match running {
            Reading::Known(count) => eprintln!("{host}: {count} tasks run there"),
            Reading::Unknown(reason) => {
                eprintln!("{host}: could not tell how many tasks run there: {reason}")
            }
        }
    }
    let is_empty = |running: &Reading<usize>| *running == Reading::Known(0);
    if *change == Change::Down
        && std::io::stdin().is_terminal()
        && !args.force
        && !reach.iter().all(|(_, running)| is_empty(running))
    {
        let hint = "Drain them and wait for `is_host_drained`, or say --force.".to_owned();
        return Err(anyhow::anyhow!("will not take hosts down on which tasks still run"))
            .context(program::Hint(hint));
    }
    for failed in maintenance::carry_out(change, &machines.found, operator).await? {
        eprintln!("warning: what is free on the hosts could not be reserved or given back: {failed}");
    }
    program::tell("Done\n");
    Ok(machines.left_out.is_empty())
}

async fn is_safe_to_drain(args: &Args, system: &SystemConfig, master: &MesosMaster) -> anyhow::Result<bool> {
    let here = program::host();
    let asked = args.hosts.iter().map(|host| host.split('|').next().unwrap_or(host));
    for host in asked {
        if !is_this_host(host, &here).await {
            eprintln!("`{host}` is not this host: whether it is safe to drain can only be told there");
            return Ok(tell(false));
        }
    }
    let asker = Asker { program: "paasta_maintenance", version: env!("CARGO_PKG_VERSION") };
    let providers = DiscoveryProviders::from_system(system, asker, SERVICES_FILE.as_ref())?;
    let balancer = system.synapse_host()?;
    let soa = Soa::open(system.soa_dir()?).cached();
    let coordination = passes::coordination("paasta_maintenance", system)?;
    let host = args.hosts.first().map_or(here.as_str(), |host| host.split('|').next().unwrap_or(host));
    let ip = match args.hosts.first().and_then(|host| host.split_once('|')) {
        Some((_, ip)) => ip.parse().with_context(|| format!("`{ip}` is no address"))?,
        None => SystemResolver.address(host).await?,
    };
    let place = Place {
        host,
        ip,
        master,
        provider: providers.of_bounces().map(|provider| (&**provider, balancer.as_str())),
        soa: &soa,
        system,
        counts: &*coordination.counts,
    };
    let dangers =
        maintenance::in_danger(&place).await.context("could not tell whether this host is safe to drain")?;
    for danger in &dangers {
        eprintln!("{danger}");
    }
    Ok(tell(dangers.is_empty()))
}

fn tell_json(value: &Value) -> anyhow::Result<bool> {
    program::tell(&format!("{value}\n"));
    Ok(true)
}

fn tell_status(status: &MaintenanceStatus, as_json: bool) -> anyhow::Result<bool> {
    let draining = status.draining.iter().map(|machine| (machine, "Draining"));
    let rows: Vec<_> = draining.chain(status.down.iter().map(|machine| (machine, "Down"))).collect();
    let text = |part: &Option<String>| part.clone().unwrap_or_default();
    if as_json {
        let row = |(machine, state): &(&paasta_mesos::Machine, &str)| json!({ "hostname": machine.hostname, "ip": machine.ip, "state": state });
        return tell_json(&rows.iter().map(row).collect());
    }
    for (machine, state) in rows {
        program::tell(&format!("{:<40} {:<15} {state}\n", text(&machine.hostname), text(&machine.ip)));
    }
    Ok(true)
}

/// An answer, as the original's Python prints it.
fn tell(answer: bool) -> bool {
    program::tell(if answer { "True\n" } else { "False\n" });
    answer
}

#[expect(clippy::disallowed_methods, reason = "a program reads its environment")]
fn start(text: &str) -> Result<Timestamp, String> {
    let zone = times::host_zone(std::env::var("TZ").ok().as_deref())?;
    times::point_of(text, SystemClock.now(), &zone)
}
