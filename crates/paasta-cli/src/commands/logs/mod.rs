//! `paasta logs`: what a service's people were told, and what its tasks print (cli.md §1.17).

use std::collections::BTreeSet;
use std::process::ExitCode;

use paasta_core::{Clock as _, SystemClock};
use paasta_logs::COMPONENTS;

use self::line::Look;
use self::outputs::Outputs;
use self::told::Told;
use self::window::Window;
use crate::Context;
use crate::context::interruptible;
use crate::options::{Output, Selection, SoaDir};
use crate::report::{HintExt as _, UsageError};
use crate::selection::choose;
use crate::world::World;

mod follow;
mod line;
mod outputs;
mod tasks;
mod time;
mod told;
mod window;

/// Show logs of instances
///
/// Components stdout and stderr are what running tasks print, by the API of their cluster; all others are lines that
/// PaaSTA wrote about the service, by the configured log reader. What tasks print carries neither times nor numbers: with
/// --from, --to or --line-offset, of stdout and stderr too only what the log reader has is shown.
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
    /// Of stdout and stderr only what these tasks printed, comma-separated: their ids, or how the short ones begin
    #[arg(short = 'p', long = "pods", alias = "tasks", value_name = "TASK", value_delimiter = ',')]
    pods: Vec<String>,
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
    /// Of what PaaSTA wrote only lines of these levels, comma-separated; else both
    #[arg(long = "levels", alias = "level", value_enum, value_name = "LEVEL", value_delimiter = ',')]
    levels: Vec<Level>,
    /// How many lines: of PaaSTA's together, and of each output of each task; 100 unless said otherwise
    #[arg(
        short = 'n',
        long = "lines",
        short_alias = 'l',
        value_name = "N",
        allow_negative_numbers = true,
        conflicts_with_all = ["from", "to"]
    )]
    lines: Option<i64>,
    /// Begin with this line of PaaSTA's, 1 being the earliest; with a negative --lines, end with it
    #[arg(short = 'o', long, value_name = "NUMBER", conflicts_with_all = ["from", "to", "follow"])]
    line_offset: Option<usize>,
    /// Go on showing what comes
    #[arg(short = 'f', long = "follow", short_alias = 'F', alias = "tail", conflicts_with_all = ["from", "to"])]
    follow: bool,
    /// From this time on: ISO 8601 (UTC unless it says otherwise), or how long ago, such as 5m or 1d3h; else, with --to, from
    /// 30 minutes ago
    #[arg(short = 'a', long = "from", alias = "after", value_name = "TIME")]
    from: Option<String>,
    /// Until this time; else, with --from, until now
    #[arg(short = 't', long = "to", value_name = "TIME")]
    to: Option<String>,
    /// Lines as they are stored
    #[arg(short = 'r', long, conflicts_with = "strip_headers")]
    raw_mode: bool,
    /// Only times and messages
    #[arg(short = 'S', long)]
    strip_headers: bool,
    /// Say where lines are looked for
    #[arg(short = 'v', long)]
    verbose: bool,
    #[command(flatten)]
    soa_dir: SoaDir,
    #[command(flatten)]
    output: Output,
}

/// Who wants to read a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Level {
    /// Whoever looks at the service
    Event,
    /// Whoever looks for a fault
    Debug,
}

pub(crate) fn run(args: &Args, cx: &mut Context) -> anyhow::Result<ExitCode> {
    let components = components(&args.components)?;
    let window = Window::of(args, SystemClock.now())?;
    let world = World::open(args.soa_dir.get(), cx)?;
    let chosen = choose(&selection(args), &world, cx)?;
    let asks_tasks = components.iter().any(|component| is_output(component));
    let by_reader = |component: &String| !is_output(component) || !window.is_of_any_line();
    let read: BTreeSet<String> =
        components.iter().filter(|component| by_reader(component)).cloned().collect();
    let told = match chosen.services().first() {
        Some(service) if !read.is_empty() => Some(Told::open(service, args, read, &window, &world)?),
        _ => None,
    };
    let mut outputs = None;
    if asks_tasks && window.is_of_any_line() {
        outputs = Some(Outputs::new(&chosen.instances, &components, &args.pods, &world));
    } else if asks_tasks {
        let note = "what tasks print carries neither times nor numbers; of stdout and stderr, only what the log reader has \
                    is shown";
        writeln!(cx.stderr, "note: {note}")?;
    }
    let look = Look::new(args.raw_mode, args.strip_headers, args.output.format(), cx.paint());
    show(Sources { told, outputs }, &window, args, &look, cx)
}

/// Where lines come from.
struct Sources {
    /// What PaaSTA told.
    told: Option<Told>,
    /// What tasks print.
    outputs: Option<Outputs>,
}

fn show(
    Sources { told, outputs }: Sources,
    window: &Window,
    args: &Args,
    look: &Look,
    cx: &mut Context,
) -> anyhow::Result<ExitCode> {
    let (out, err) = (&mut cx.stdout, &mut cx.stderr);
    let (mut fine, mut follower) = (true, None);
    if let Some(told) = told {
        let shown = told.show(window, args.follow, args.verbose, look, out, err)?;
        fine &= shown.fine;
        follower = shown.follower;
    }
    if let Some(mut outputs) = outputs {
        outputs.say_where(args.verbose, err)?;
        fine &= interruptible(async {
            let fine = outputs.last(window.lines(), args.follow, look, out, err).await?;
            match args.follow {
                true => follow::follow(follower, Some(outputs), look, out, err).await,
                false => Ok(fine),
            }
        })?;
    } else if args.follow {
        interruptible(follow::follow(follower, None, look, out, err))?;
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
            "app_output" => components.extend(["app_output", "stdout", "stderr"].map(str::to_owned)),
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
