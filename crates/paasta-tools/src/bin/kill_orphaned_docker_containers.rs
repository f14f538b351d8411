//! `kill_orphaned_docker_containers [-f] [--dry-run]`: whether containers of this host are left of tasks that are over, and
//! their end (monitoring.md §3.5).

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use paasta_config::SystemConfig;
use paasta_monitoring::{Container, Verdict};
use paasta_tools::checks::{self, Common, docker, orphans};
use paasta_tools::service_log;

/// How long the end of one container is waited for.
const KILL_PATIENCE: Duration = Duration::from_secs(30);

/// Checks whether Docker containers of this host are left of Mesos tasks that are over, and kills them with -f
///
/// A container belongs to the task that its environment names; one that names none is left alone. While the master lists no
/// task, or waits for agents after an election, nothing is told of any container and none is killed.
///
/// Exit codes: 0 there is none; 2 CRITICAL, there are some, killed now or not; 3 UNKNOWN, where docker or the Mesos master
/// cannot tell, and wrong usage.
#[derive(Parser, Debug)]
#[command(version)]
struct Args {
    /// Kill them
    #[arg(short, long)]
    force: bool,
    /// With -f: only say which would be killed
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    common: Common,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args: Args = match checks::arguments() {
        Ok(args) => args,
        Err(code) => return code,
    };
    let judge = async |system: &SystemConfig, deadline: &_| {
        let found = orphans::find(system, deadline).await;
        let mut lines = vec![found.verdict.output];
        if args.force && !args.dry_run && !found.orphans.is_empty() {
            eprintln!("killing {} containers of this host", found.orphans.len());
        }
        let log = service_log::of_files(system);
        let cluster = || system.cluster().ok().map(|cluster| cluster.to_string());
        for container in found.orphans.iter().filter(|_| args.force) {
            let name = &container.name;
            lines.push(match kill(container, args.dry_run).await {
                Ok(()) if args.dry_run => format!("would kill {name}"),
                Ok(()) => {
                    service_log::killed_container(log.as_ref(), cluster(), container);
                    format!("killed {name}")
                }
                Err(reason) => format!("could not kill {name}: {reason}"),
            });
        }
        Ok(Verdict::new(found.verdict.status, lines.join("\n")))
    };
    checks::run("kill_orphaned_docker_containers", &args.common, judge).await
}

async fn kill(container: &Container, dry_run: bool) -> Result<(), String> {
    if dry_run {
        return Ok(());
    }
    match tokio::time::timeout(KILL_PATIENCE, docker::kill(&container.id)).await {
        Ok(killed) => killed,
        Err(_) => Err(format!("docker gave no answer within {} s", KILL_PATIENCE.as_secs())),
    }
}
