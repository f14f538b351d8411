//! `paasta list-clusters`: every known cluster that at least one service deploys to.

use std::collections::BTreeSet;
use std::process::ExitCode;

use paasta_core::ClusterName;

use crate::Context;
use crate::options::{Format, Output, SoaDir};
use crate::world::{World, tell_broken};

/// List the clusters that services deploy to
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    soa_dir: SoaDir,
    #[command(flatten)]
    output: Output,
}

pub(crate) fn run(args: &Args, cx: &mut Context) -> anyhow::Result<ExitCode> {
    let world = World::open(args.soa_dir.get(), cx)?;
    world.clusters()?;
    let (mut clusters, mut broken) = (BTreeSet::<ClusterName>::new(), Vec::new());
    for service in world.services()? {
        match world.soa.clusters(&service, &world.system) {
            Ok(used) => clusters.extend(used),
            Err(error) => broken.push((service, error)),
        }
    }
    match args.output.format() {
        Format::Json => writeln!(cx.stdout, "{}", serde_json::to_string_pretty(&clusters)?)?,
        Format::Text => {
            for cluster in &clusters {
                writeln!(cx.stdout, "{cluster}")?;
            }
        }
    }
    tell_broken(&broken, cx)?;
    Ok(if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
