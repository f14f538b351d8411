//! `paasta logs`: what a service's people were told, and what its tasks print (cli.md §1.17).

use std::collections::BTreeSet;
use std::process::ExitCode;

use paasta_core::{Clock as _, SystemClock, Timestamp};
use paasta_logs::{COMPONENTS, FileReader, Query};

use self::line::{Line, Look};
use self::outputs::Outputs;
use crate::Context;
use crate::context::interruptible;
use crate::options::{Output, Selection, SoaDir};
use crate::report::{HintExt as _, UsageError};
use crate::selection::choose;
use crate::world::World;

mod follow;
mod line;
mod outputs;
mod time;

/// How many lines are shown unless somebody says otherwise.
const LINES: usize = 100;

/// Show logs of instances
///
/// Components stdout and stderr are what running tasks print, by the API of their cluster; all others are lines that
/// PaaSTA wrote about the service, by the configured log reader.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// One service's instances, as SERVICE.INSTANCE or SERVICE.ONE,OTHER
    #[arg(value_name = "SERVICE.INSTANCE")]
    target: Option<String>,
    /// The service; else the name of the working directory
    #[arg(short = 's', long, value_name = "SERVICE")]
    service: Option<String>,
    /// Clusters, comma-separated; else all
    #[arg(short = 'c', long = "clusters", alias = "cluster", value_name = "CLUSTER", value_delimiter = ',')]
    clusters: Vec<String>,
    /// Instances, comma-separated; else all
    #[arg(
        short = 'i',
        long = "instances",
        alias = "instance",
        value_name = "INSTANCE",
        value_delimiter = ','
    )]
    instances: Vec<String>,
    /// Components, comma-separated: stdout, stderr, app_output (both), build, deploy, …, or all
    #[arg(
        short = 'C',
        long = "components",
        alias = "component",
        value_name = "COMPONENT",
        value_delimiter = ',',
        default_value = "stdout,stderr"
    )]
    components: Vec<String>,
    /// How many lines: of PaaSTA's together, and of each output of each task
    #[arg(
        short = 'n',
        long = "lines",
        short_alias = 'l',
        value_name = "N",
        allow_negative_numbers = true,
        conflicts_with = "from"
    )]
    lines: Option<i64>,
    /// Go on showing what comes
    #[arg(short = 'f', long = "follow", short_alias = 'F', alias = "tail")]
    follow: bool,
    /// From this time on: ISO 8601 (UTC unless it says otherwise), or how long ago, such as 5m or 1d3h
    #[arg(short = 'a', long = "from", alias = "after", value_name = "TIME", conflicts_with = "follow")]
    from: Option<String>,
    /// Until this time
    #[arg(short = 't', long = "to", value_name = "TIME", requires = "from")]
    to: Option<String>,
    /// Lines as they are stored
    #[arg(short = 'r', long, conflicts_with = "strip_headers")]
    raw_mode: bool,
    /// Only times and messages
    #[arg(short = 'S', long)]
    strip_headers: bool,
    #[command(flatten)]
    soa_dir: SoaDir,
    #[command(flatten)]
    output: Output,
}

pub(crate) fn run(args: &Args, cx: &mut Context) -> anyhow::Result<ExitCode> {
    let components = components(&args.components)?;
    let (from, to) = range(args, SystemClock.now())?;
    let world = World::open(args.soa_dir.get(), cx)?;
    let chosen = choose(&selection(args), &world, cx)?.instances;
    let services: BTreeSet<&str> = chosen.iter().map(|one| one.service.as_str()).collect();
    let mut sources = Sources { told: Vec::new(), outputs: None };
    if components.iter().any(|component| !is_output(component)) {
        let reader = paasta_logs::reader(world.system.map())
            .hint("Set `log_reader` in the system configuration, or ask for -C stdout,stderr only.")?;
        sources.told = services
            .iter()
            .map(|service| (reader.clone(), query(service, args, &components, from, to)))
            .collect();
    }
    match (from, components.iter().any(|component| is_output(component))) {
        (None, true) => sources.outputs = Some(Outputs::new(&chosen, &components, &world)),
        (Some(_), true) => writeln!(cx.stderr, "note: what tasks print carries no times and is left out")?,
        (_, false) => {}
    }
    let look = Look::new(args.raw_mode, args.strip_headers, args.output.format(), cx.paint());
    let lines = args.lines.map_or(if from.is_some() { usize::MAX } else { LINES }, |n| {
        usize::try_from(n.unsigned_abs()).unwrap_or(usize::MAX)
    });
    show(sources, lines, args.follow, look, cx)
}

/// Where lines come from.
struct Sources {
    /// Per service, what PaaSTA told.
    told: Vec<(FileReader, Query)>,
    /// What tasks print.
    outputs: Option<Outputs>,
}

fn show(
    sources: Sources,
    lines: usize,
    follow: bool,
    look: Look,
    cx: &mut Context,
) -> anyhow::Result<ExitCode> {
    let Sources { told, outputs } = sources;
    // From here on, so that no line is lost between the last lines and what comes.
    let followers: Vec<_> =
        told.iter().filter(|_| follow).map(|(reader, query)| reader.follow(query)).collect();
    let mut problems = Vec::new();
    for (reader, query) in &told {
        let read = reader.last(query, lines);
        problems.extend(read.problems.iter().map(|problem| format!("{problem}: {}", problem.source)));
        for line in read.lines {
            cx.stdout.write_all(look.render(&Line::told(line)).as_bytes())?;
        }
    }
    for problem in &problems {
        writeln!(cx.stderr, "warning: {problem}")?;
    }
    let mut fine = problems.is_empty();
    let (out, err) = (&mut cx.stdout, &mut cx.stderr);
    if let Some(mut outputs) = outputs {
        fine &= interruptible(async {
            let fine = outputs.last(lines, &look, out, err).await?;
            match follow {
                true => follow::follow(followers, Some(outputs), &look, out, err).await,
                false => Ok(fine),
            }
        })?;
    } else if follow {
        interruptible(follow::follow(followers, None, &look, out, err))?;
    }
    Ok(if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn selection(args: &Args) -> Selection {
    Selection {
        target: args.target.clone(),
        service: args.service.clone(),
        clusters: args.clusters.clone(),
        instances: args.instances.clone(),
        ..Selection::default()
    }
}

fn components(asked: &[String]) -> anyhow::Result<BTreeSet<String>> {
    let mut components = BTreeSet::new();
    for name in asked {
        match name.as_str() {
            "all" => components.extend(COMPONENTS.iter().map(|&name| name.to_owned())),
            "app_output" => components.extend(["stdout".to_owned(), "stderr".to_owned()]),
            known if COMPONENTS.contains(&known) => drop(components.insert(name.clone())),
            _ => {
                let error = UsageError(format!("there is no log component `{name}`"));
                return Err(error).hint(format!("Components: all, {}.", COMPONENTS.join(", ")));
            }
        }
    }
    Ok(components)
}

fn is_output(component: &str) -> bool {
    matches!(component, "stdout" | "stderr" | "app_output")
}

fn range(args: &Args, now: Timestamp) -> anyhow::Result<(Option<Timestamp>, Option<Timestamp>)> {
    let read = |text: &Option<String>| match text {
        Some(text) => time::parse(text, now).map(Some).map_err(UsageError),
        None => Ok(None),
    };
    let (from, to) = (read(&args.from)?, read(&args.to)?);
    match (from, to) {
        (Some(from), Some(to)) if from > to => {
            Err(UsageError(format!("--from ({from}) is later than --to ({to})")).into())
        }
        range => Ok(range),
    }
}

fn query(
    service: &str,
    args: &Args,
    components: &BTreeSet<String>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
) -> Query {
    let mut instances: BTreeSet<String> = args.instances.iter().cloned().collect();
    if let Some(Ok((_, named))) = args.target.as_deref().map(paasta_deploy::split_target) {
        instances.extend(named);
    }
    Query {
        components: components.iter().filter(|component| !is_output(component)).cloned().collect(),
        clusters: args.clusters.iter().cloned().collect(),
        instances,
        from,
        to,
        ..Query::of_service(service)
    }
}
