//! `paasta list`: services, or their instances.

use std::collections::BTreeSet;
use std::process::ExitCode;

use paasta_config::LoadError;
use paasta_core::ServiceName;
use serde::Serialize;

use crate::Context;
use crate::options::{Format, Output, SoaDir};
use crate::world::{World, tell_broken};

/// List services
///
/// Services with at least one instance in a known cluster, sorted, one per line.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Every directory of soa-configs, whether anything is deployed from it or not
    #[arg(short = 'a', long, conflicts_with = "print_instances")]
    all: bool,
    /// SERVICE.INSTANCE instead, once for all clusters
    #[arg(short = 'i', long)]
    print_instances: bool,
    #[command(flatten)]
    soa_dir: SoaDir,
    #[command(flatten)]
    output: Output,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Listed {
    service: ServiceName,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
}

pub(crate) fn run(args: &Args, cx: &mut Context) -> anyhow::Result<ExitCode> {
    let world = World::open(args.soa_dir.get(), cx)?;
    let services = world.services()?;
    let (listed, broken) = match args {
        Args { all: true, .. } => (services.into_iter().map(whole).collect(), Vec::new()),
        Args { print_instances: true, .. } => instances(services, &world)?,
        _ => {
            world.clusters()?;
            let (services, broken) = world.soa.paasta_services(&world.system)?;
            (services.into_iter().map(whole).collect(), broken)
        }
    };
    match args.output.format() {
        Format::Json => writeln!(cx.stdout, "{}", serde_json::to_string_pretty(&listed)?)?,
        Format::Text => write!(cx.stdout, "{}", text(&listed))?,
    }
    tell_broken(&broken, cx)?;
    Ok(if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn whole(service: ServiceName) -> Listed {
    Listed { service, instance: None }
}

type Broken = Vec<(ServiceName, LoadError)>;

fn instances(services: Vec<ServiceName>, world: &World) -> anyhow::Result<(Vec<Listed>, Broken)> {
    world.clusters()?;
    let (mut listed, mut broken) = (Vec::new(), Vec::new());
    for service in services {
        match instances_of(&service, world) {
            Ok(names) => {
                let lines =
                    names.into_iter().map(|name| Listed { service: service.clone(), instance: Some(name) });
                listed.extend(lines);
            }
            Err(error) => broken.push((service, error)),
        }
    }
    Ok((listed, broken))
}

fn instances_of(service: &ServiceName, world: &World) -> Result<BTreeSet<String>, LoadError> {
    let mut names = BTreeSet::new();
    for cluster in world.soa.clusters(service, &world.system)? {
        let all = world.soa.all_instances(service, &cluster)?;
        names.extend(all.into_iter().map(|(name, _)| name.to_string()));
    }
    Ok(names)
}

fn text(listed: &[Listed]) -> String {
    let line = |one: &Listed| match &one.instance {
        Some(instance) => format!("{}.{instance}\n", one.service),
        None => format!("{}\n", one.service),
    };
    listed.iter().map(line).collect()
}
