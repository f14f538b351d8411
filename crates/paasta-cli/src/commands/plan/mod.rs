//! `paasta plan`: what a deploy, or a change of the configuration, does to each instance before it is done.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use paasta_config::{InstanceType, Node, Soa, SystemConfig, Value};
use paasta_core::{ClusterName, Counts, InstanceId, InstanceName, ServiceName};
use paasta_deployments::GitTree;
use paasta_logs::FileHistory;
use paasta_marathon::MarathonRenderer;

use self::report::Report;
use crate::Context;
use crate::changes::Roots;
use crate::context::interruptible;
use crate::options::{Format, Output, SoaDir};
use crate::renderings::{Mark, State, counts};
use crate::report::{HintExt as _, UsageError};
use crate::world::World;

mod compare;
mod report;
mod running;
#[cfg(test)]
mod tests;
mod text;

/// Show what a deploy or a change of the configuration would do
///
/// Compares what the configuration at SOA_DIR asks for with what runs in this host's cluster, or with --against with
/// another state of the configuration: from there to the one at SOA_DIR. Nothing is changed.
///
/// Per instance: `bounce` replaces all its tasks, `scale` changes their number, `stop` ends them, `create` starts an
/// instance that does not run yet, `orphan` runs on although it is not configured, or not deployed, any more, `refused`
/// cannot run as it is configured, so that what runs stays, and `unknown` cannot be told. Below it, field by field, what
/// differs and the file and line of the settings that changed, or, against a cluster, of those that decide the field. What
/// runs is known field by field where the event log of created versions has it (see `paasta why`), else by what Marathon
/// lists.
///
/// Exit code 1 if an instance is refused or unknown, else 0.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    targets: TargetArgs,
    /// The state to come from: a directory of soa-configs, or a revision of the git repository that SOA_DIR is in
    #[arg(long, value_name = "DIR|GITREV")]
    against: Option<String>,
    /// The system configuration to come from, with --against or instead of it
    #[arg(long, value_name = "DIR")]
    against_system_config: Option<PathBuf>,
    /// The cluster; else that of the system configuration
    #[arg(short = 'c', long = "cluster", alias = "clusters", value_name = "CLUSTER")]
    cluster: Option<String>,
    /// As if --commit were marked for this deploy group of the one service that is named
    #[arg(short = 'l', long, value_name = "GROUP", requires = "commit")]
    deploy_group: Option<String>,
    /// As if this commit (all 40 digits) were marked for --deploy-group
    #[arg(short = 'k', long, value_name = "SHA", requires = "deploy_group")]
    commit: Option<String>,
    /// Take autoscaled counts from this file (JSON: ZooKeeper path to count)
    #[arg(long, value_name = "FILE")]
    autoscaled_counts: Option<PathBuf>,
    /// Show instances that do not change as well
    #[arg(short = 'a', long)]
    all: bool,
    #[command(flatten)]
    soa_dir: SoaDir,
    #[command(flatten)]
    output: Output,
}

/// The state that is compared with.
enum From {
    /// Other files.
    Configuration { soa: Soa, system: SystemConfig },
    /// What runs.
    Cluster,
}

/// Everything that is compared, but for the instances.
struct Comparison {
    world: World,
    system: SystemConfig,
    cluster: ClusterName,
    from: From,
    from_label: String,
    to_label: String,
    mark: Option<Mark>,
    /// Where deployments.json is, if nowhere else.
    installed: Soa,
    counts: Arc<dyn Counts>,
    /// What was created by whom, where this host keeps it.
    history: Option<FileHistory>,
    roots: Roots,
}

pub(crate) fn run(args: &Args, cx: &mut Context) -> anyhow::Result<ExitCode> {
    let comparison = Comparison::new(args, cx)?;
    let targets = args.targets.read(&comparison.world)?;
    comparison.check_mark(&targets)?;
    let (report, warnings) = interruptible(comparison.report(&targets, cx.stderr.as_mut()))?;
    for warning in warnings {
        writeln!(cx.stderr, "warning: {warning}")?;
    }
    match args.output.format() {
        Format::Json => writeln!(cx.stdout, "{}", serde_json::to_string_pretty(&report)?)?,
        Format::Text => write!(cx.stdout, "{}", text::render(&report, args.all, cx.paint()))?,
    }
    for hint in report.ways_out() {
        writeln!(cx.stderr, "hint: {hint}")?;
    }
    Ok(if report.is_certain() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Comparison {
    fn new(args: &Args, cx: &Context) -> anyhow::Result<Self> {
        let world = World::open_configured(args.soa_dir.get(), cx)?;
        world.services()?;
        let cluster = cluster(args, &world)?;
        let system = in_cluster(&world.system, &cluster);
        let (from, from_label) = from(args, &world, &cluster, cx)?;
        let mark = match (&args.deploy_group, &args.commit) {
            (Some(group), Some(commit)) => Some(Mark { deploy_group: group.clone(), git_sha: sha(commit)? }),
            _ => None,
        };
        let to = world.soa_dir.display().to_string();
        let to_label = match &mark {
            Some(mark) => format!("{to} with {} at {}", mark.deploy_group, short(&mark.git_sha)),
            None => to.clone(),
        };
        let mut roots = vec![to, world.system.directory().to_owned()];
        if let From::Configuration { soa, .. } = &from {
            roots.push(soa.source().show(""));
        }
        let installed = Soa::open(world.system.soa_dir()?).cached();
        let counts = counts(
            args.autoscaled_counts.as_deref().map(|file| cx.environment.cwd.join(file)).as_deref(),
            &system,
        )?;
        let roots = Roots(roots);
        let history = world.system.history_directory()?.map(FileHistory::new);
        Ok(Self {
            world,
            system,
            cluster,
            from,
            from_label,
            to_label,
            mark,
            installed,
            counts,
            history,
            roots,
        })
    }

    /// A commit is one service's, and so is what it is marked for; a group that no instance has is a typing error.
    fn check_mark(&self, targets: &Targets) -> anyhow::Result<()> {
        let Some(mark) = &self.mark else { return Ok(()) };
        let mut services: BTreeSet<&ServiceName> = targets.services.iter().collect();
        services.extend(targets.instances.iter().map(InstanceId::service));
        let Some((service, true)) = services.first().map(|service| (*service, services.len() == 1)) else {
            return Err(UsageError("it is not said which service's commit is to be marked".to_owned()))
                .hint("Name the service, as in `paasta plan SERVICE --deploy-group GROUP --commit SHA`.");
        };
        let soa = &self.world.soa;
        let names = soa.instances(service, &self.cluster, InstanceType::Marathon).unwrap_or_default();
        let group = |name: &InstanceName| {
            let id = InstanceId::new(service.clone(), name.clone());
            soa.deploy_group(&id, InstanceType::Marathon, &self.cluster, &self.system).ok().flatten()
        };
        let groups: BTreeSet<String> = names.iter().filter_map(group).collect();
        if groups.is_empty() || groups.contains(&mark.deploy_group) {
            return Ok(());
        }
        let groups: Vec<String> = groups.into_iter().collect();
        let (group, cluster) = (&mark.deploy_group, &self.cluster);
        Err(anyhow::anyhow!(
            "no instance of service `{service}` in cluster `{cluster}` has deploy group `{group}`"
        ))
        .hint(format!("Its deploy groups are `{}`.", groups.join("`, `")))
    }

    async fn report(
        &self,
        targets: &Targets,
        stderr: &mut (dyn Write + Send),
    ) -> anyhow::Result<(Report, BTreeSet<String>)> {
        let renderer = MarathonRenderer::from_system(self.system.map())?;
        let mut after = State::new(&self.world.soa, &self.system, &renderer);
        after.mark = self.mark.clone();
        let mut warnings = BTreeSet::new();
        let instances = match &self.from {
            From::Configuration { soa, system } => {
                let before_renderer = MarathonRenderer::from_system(system.map())?;
                let mut before = State::new(soa, system, &before_renderer);
                before.deployed = vec![soa, &self.world.soa, &self.installed];
                after.deployed = vec![&self.world.soa, soa, &self.installed];
                let rows = compare::states(&before, &after, self, targets).await?;
                warnings.extend(before.warnings());
                rows
            }
            From::Cluster => {
                after.deployed = vec![&self.world.soa, &self.installed];
                running::against_cluster(&after, self, targets, stderr).await?
            }
        };
        warnings.extend(after.warnings());
        let (from, to) = (self.from_label.clone(), self.to_label.clone());
        Ok((Report::new(self.cluster.to_string(), from, to, instances), warnings))
    }
}

/// What a command line names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Targets {
    /// Whole services.
    pub(crate) services: BTreeSet<ServiceName>,
    /// Single instances.
    pub(crate) instances: BTreeSet<InstanceId>,
}

impl Targets {
    /// Whether nothing is named, which means everything.
    pub(crate) fn is_everything(&self) -> bool {
        self.services.is_empty() && self.instances.is_empty()
    }

    pub(crate) fn has_service(&self, service: &ServiceName) -> bool {
        self.is_everything()
            || self.services.contains(service)
            || self.instances.iter().any(|id| id.service() == service)
    }

    pub(crate) fn has(&self, id: &InstanceId) -> bool {
        self.is_everything() || self.services.contains(id.service()) || self.instances.contains(id)
    }
}

/// Which instances, where every one is meant if none is named.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct TargetArgs {
    /// SERVICE or SERVICE.INSTANCE; else every instance of the cluster
    #[arg(value_name = "SERVICE[.INSTANCE]")]
    targets: Vec<String>,
    /// Services, comma-separated
    #[arg(short = 's', long = "service", alias = "services", value_name = "SERVICE", value_delimiter = ',')]
    services: Vec<String>,
}

impl TargetArgs {
    /// Services by name alone, instances by `SERVICE.INSTANCE`.
    pub(crate) fn read(&self, world: &World) -> anyhow::Result<Targets> {
        let mut targets = Targets::default();
        for name in self.targets.iter().chain(&self.services) {
            if name.contains('.') {
                let id: InstanceId = name.parse().map_err(|error| UsageError(format!("{error}")))?;
                targets.instances.insert(id);
            } else {
                targets.services.insert(world.service(name)?);
            }
        }
        Ok(targets)
    }
}

fn cluster(args: &Args, world: &World) -> anyhow::Result<ClusterName> {
    let Some(named) = &args.cluster else {
        return world.system.cluster().hint("Name one with -c CLUSTER.");
    };
    let named = ClusterName::new(named.as_str()).map_err(|error| UsageError(error.to_string()))?;
    let known = world.clusters()?;
    if !known.contains(&named) {
        return Err(anyhow::anyhow!("there is no cluster `{named}`"))
            .hint("See `paasta list-clusters` for what there is.");
    }
    let own = world.system.cluster().ok();
    if args.against.is_none() && args.against_system_config.is_none() && own.as_ref() != Some(&named) {
        let own = own.map_or_else(|| "none".to_owned(), |own| format!("`{own}`"));
        return Err(UsageError(format!(
            "what runs can be seen in this host's cluster alone, which is {own}"
        )))
        .hint(
            "Compare two states of the configuration with --against, or run it on a host of that cluster.",
        );
    }
    Ok(named)
}

/// The same system configuration, for another cluster.
pub(crate) fn in_cluster(system: &SystemConfig, cluster: &ClusterName) -> SystemConfig {
    let mut map = (**system.map()).clone();
    map.insert(Node::text("cluster"), Node::new(Value::String(cluster.to_string())));
    SystemConfig::from_map(map)
}

fn from(args: &Args, world: &World, cluster: &ClusterName, cx: &Context) -> anyhow::Result<(From, String)> {
    if args.against.is_none() && args.against_system_config.is_none() {
        return Ok((From::Cluster, format!("what runs in {cluster}")));
    }
    let (soa, mut label) = match &args.against {
        None => (world.soa.clone(), world.soa_dir.display().to_string()),
        Some(against) => other_soa(against, world, cx)?,
    };
    let system = match &args.against_system_config {
        None => in_cluster(&world.system, cluster),
        Some(directory) => {
            label = format!("{label} with {}", directory.display());
            in_cluster(&SystemConfig::load(cx.environment.cwd.join(directory))?, cluster)
        }
    };
    Ok((From::Configuration { soa, system }, label))
}

/// A directory if there is one of that name, else a revision. Where there are both, it is not guessed.
fn other_soa(against: &str, world: &World, cx: &Context) -> anyhow::Result<(Soa, String)> {
    const WHAT: &str =
        "--against takes a directory of soa-configs, or a revision such as HEAD~1 or origin/main.";
    if against.trim().is_empty() {
        return Err(UsageError("--against is empty".to_owned())).hint(WHAT);
    }
    let directory = cx.environment.cwd.join(against);
    let looks_like_path = against.starts_with(['.', '/']);
    if directory.is_dir() {
        if !looks_like_path && GitTree::open(&world.soa_dir, against).is_ok() {
            return Err(UsageError(format!("`{against}` is both a directory and a revision"))).hint(format!(
                "Write `./{against}` for the directory, `refs/heads/{against}` for the branch, or the id of the commit."
            ));
        }
        return Ok((Soa::open(&directory).cached(), directory.display().to_string()));
    }
    if looks_like_path {
        return Err(anyhow::anyhow!("there is no directory `{}`", directory.display())).hint(WHAT);
    }
    let tree = GitTree::open(&world.soa_dir, against).map_err(|error| {
        let hint = format!("--against takes a directory of soa-configs or a git revision. {}", error.hint());
        (error, hint)
    });
    let tree = match tree {
        Ok(tree) => tree,
        Err((error, hint)) => {
            let context = format!("could not read soa-configs as of `{against}`");
            return Err(error).context(context).hint(hint);
        }
    };
    let label = match tree.commit() {
        Some(commit) if commit.as_str() != against => format!("{against} ({})", short(commit.as_str())),
        _ => against.to_owned(),
    };
    Ok((Soa::new(Arc::new(tree)).cached(), label))
}

fn sha(text: &str) -> anyhow::Result<String> {
    if text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(text.to_ascii_lowercase());
    }
    Err(UsageError(format!("`{text}` is not the whole id of a commit, 40 hexadecimal digits")))
        .hint("`git rev-parse REVISION` prints it.")
}

fn short(sha: &str) -> &str {
    sha.get(..8).unwrap_or(sha)
}
