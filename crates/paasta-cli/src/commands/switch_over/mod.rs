//! `paasta switch-over --check`: what runs, beside what we would run, before we take over from another PaaSTA.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use paasta_core::{ClusterName, Counts, InstanceId};
use paasta_marathon::MarathonRenderer;

use self::judge::{Standing, judge};
use self::report::{Report, Row};
use super::plan::{TargetArgs, Targets};
use crate::Context;
use crate::changes::Roots;
use crate::context::interruptible;
use crate::live::Live;
use crate::options::{Format, Output, SoaDir};
use crate::renderings::{State, counts};
use crate::world::World;

mod judge;
mod report;
mod text;

/// Compare what runs with what this PaaSTA would run, before switching over to it
///
/// Lists the apps of every Marathon of the system configuration and compares each with what would be rendered: its id, its
/// Marathon, its definition and its number of tasks. Only GET requests are sent; nothing is changed.
///
/// Per instance: `same`, `differs` (with the first field that does; --json has all of them), `missing` (we would create it),
/// `extra` (it runs and is not in the configuration), `refused` (it cannot run as it is configured) or `unknown`. Exit code
/// 0 if all are the same, else 1. docs/switch-over.md says what to do with each.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Compare and change nothing; there is no other mode
    #[arg(long, required = true)]
    check: bool,
    #[command(flatten)]
    targets: TargetArgs,
    /// Take autoscaled counts from this file (JSON: ZooKeeper path to count)
    #[arg(long, value_name = "FILE")]
    autoscaled_counts: Option<PathBuf>,
    /// Show instances that are the same as well
    #[arg(short = 'a', long)]
    all: bool,
    #[command(flatten)]
    soa_dir: SoaDir,
    #[command(flatten)]
    output: Output,
}

pub(crate) fn run(args: &Args, cx: &mut Context) -> anyhow::Result<ExitCode> {
    let world = World::open_configured(args.soa_dir.get(), cx)?;
    world.services()?;
    let targets = args.targets.read(&world)?;
    let file = args.autoscaled_counts.as_deref().map(|file| cx.environment.cwd.join(file));
    let counts = counts(file.as_deref(), &world.system)?;
    let (report, warnings) = interruptible(check(&world, &targets, &counts, cx.stderr.as_mut()))?;
    for warning in warnings {
        writeln!(cx.stderr, "warning: {warning}")?;
    }
    match args.output.format() {
        Format::Json => writeln!(cx.stdout, "{}", serde_json::to_string_pretty(&report)?)?,
        Format::Text => write!(cx.stdout, "{}", text::render(&report, args.all, cx.paint()))?,
    }
    Ok(if report.is_same() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// With what is to be warned of.
async fn check(
    world: &World,
    targets: &Targets,
    counts: &Arc<dyn Counts>,
    stderr: &mut (dyn Write + Send),
) -> anyhow::Result<(Report, BTreeSet<String>)> {
    let cluster = world.system.cluster()?;
    let live = Live::look(&world.system, stderr).await?;
    let renderer = MarathonRenderer::from_system(world.system.map())?;
    let state = State::as_deployed(&world.soa, &world.system, &renderer);
    let roots = Roots(vec![world.soa_dir.display().to_string(), world.system.directory().to_owned()]);
    let mut rows = Vec::new();
    let mut configured = BTreeSet::new();
    for service in world.soa.services()?.iter().filter(|service| targets.has_service(service)) {
        match state.names(service, &cluster) {
            Err(reason) => {
                let running =
                    live.instances().into_iter().filter(|id| id.service() == service && targets.has(id));
                let running: Vec<InstanceId> = running.collect();
                configured.extend(running.iter().map(InstanceId::short_id));
                rows.extend(running.iter().map(|id| Row::new(id, Standing::refused(&reason))));
                if running.is_empty() {
                    rows.push(Row::of_service(service, &reason));
                }
            }
            Ok(names) => {
                for id in names.into_iter().map(|name| InstanceId::new(service.clone(), name)) {
                    configured.insert(id.short_id());
                    if targets.has(&id) {
                        rows.extend(one(&id, &state, &live, counts.as_ref(), &roots).await);
                    }
                }
            }
        }
    }
    for id in live.instances().iter().filter(|id| targets.has(id) && !configured.contains(&id.short_id())) {
        rows.push(Row::new(id, Standing::extra(live.of(id, None), "it is not in the configuration")));
    }
    rows.sort_by(|a, b| a.service.cmp(&b.service));
    if let Some(missing) =
        targets.instances.iter().find(|id| rows.iter().all(|row| row.id.as_ref() != Some(id)))
    {
        anyhow::bail!(
            "there is no instance `{missing}` in cluster `{cluster}`, neither deployed nor running"
        );
    }
    Ok((finished(&cluster, rows, &live), state.warnings()))
}

/// None for what is not deployed and does not run.
async fn one(
    id: &InstanceId,
    state: &State<'_>,
    live: &Live,
    counts: &dyn Counts,
    roots: &Roots,
) -> Option<Row> {
    let ours = state.load(id, counts).await;
    let apps = live.everywhere(id, ours.rendered.as_ref());
    let standing = judge(&ours, apps, |changes| match &ours.wanted {
        Some(wanted) => roots.now(changes, state.renderer, wanted),
        None => Vec::new(),
    })?;
    Some(Row::new(id, standing))
}

fn finished(cluster: &ClusterName, rows: Vec<Row>, live: &Live) -> Report {
    let silent = live.silent().map(|(home, why)| (home.to_string(), why.to_owned())).collect();
    Report::new(cluster.to_string(), rows, silent, live.strangers())
}
