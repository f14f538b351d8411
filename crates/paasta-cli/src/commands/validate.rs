//! `paasta validate`: what is wrong with services' files, all of it at once (cli.md §1.3).

mod text;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::builder::PossibleValuesParser;
use paasta_config::{Finding, KnownNames, Severity, Soa, SystemConfig};
use paasta_core::ServiceName;
use paasta_marathon::MarathonRenderer;

use crate::Context;
use crate::options::{Format, Output};
use crate::report::{HintExt as _, UsageError};

/// Check services' files
///
/// Reads soa-configs and the system configuration only, and tells everything it finds, each with its file, line and
/// column and a way out. Marathon instances are rendered as if something were deployed: what keeps one from that is
/// wrong. Exit code 1 if anything is wrong, 0 if not; warnings alone are not wrong.
///
/// --json prints one list with a member per finding: file, line, column (null where a whole file is meant), rule (a
/// short name), severity (error or warning), message, hint.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Services, comma-separated; else the one the working directory belongs to
    #[arg(short = 's', long = "service", alias = "services", value_name = "SERVICE", value_delimiter = ',')]
    services: Vec<String>,
    /// Every service
    #[arg(long, conflicts_with = "services")]
    all: bool,
    /// Directory of soa-configs; else the working directory, or that of the system configuration
    #[arg(
        short = 'y',
        long = "yelpsoa-config-root",
        short_alias = 'd',
        alias = "soa-dir",
        value_name = "SOA_DIR"
    )]
    soa_dir: Option<PathBuf>,
    /// Take warnings for errors, and tell values that YAML 1.1 and 1.2 read differently (yes, 017, 1:30, 1e3, …)
    #[arg(long)]
    strict: bool,
    /// Teams that can be alerted, as JSON; if there is no such file, any team passes
    #[arg(long, value_name = "FILE", default_value = "/etc/sensu/team_data.json")]
    team_data: PathBuf,
    /// Print the JSON Schema of a kind of file, for editors, and check nothing
    #[arg(
        long,
        value_name = "KIND",
        value_parser = PossibleValuesParser::new(paasta_config::schema_kinds()),
        conflicts_with_all = ["services", "all", "soa_dir", "strict", "json", "format"]
    )]
    print_schema: Option<String>,
    #[command(flatten)]
    output: Output,
}

/// What was found about one service.
#[derive(Debug)]
struct Checked {
    service: ServiceName,
    findings: Vec<Finding>,
}

impl Checked {
    fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    fn is_valid(&self) -> bool {
        self.count(Severity::Error) == 0
    }
}

pub(crate) fn run(args: &Args, cx: &mut Context) -> anyhow::Result<ExitCode> {
    if let Some(schema) = args.print_schema.as_deref().and_then(paasta_config::json_schema) {
        writeln!(cx.stdout, "{}", serde_json::to_string_pretty(&schema)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let system = SystemConfig::load_optional(cx.system_config_dir())?;
    if system.map().is_empty() {
        writeln!(
            cx.stderr,
            "note: `{}` holds no system configuration, so clusters, ecosystems of secrets and Marathon servers are not checked",
            system.directory()
        )?;
    }
    let (root, services) = what_to_check(args, &system, cx)?;
    let soa = Soa::open(&root).cached();
    let teams = teams(&args.team_data)?;
    let teams: Option<Vec<&str>> = teams.as_ref().map(|teams| teams.iter().map(String::as_str).collect());
    let bounce_methods: Vec<&str> = paasta_bounce::METHODS.iter().map(|method| method.name()).collect();
    let drain_methods: Vec<&str> = paasta_drain::METHODS.iter().map(|method| method.name).collect();
    // What is wrong with the servers is nothing that files of a service could mend.
    let renderer = MarathonRenderer::from_system(system.map()).unwrap_or_default();
    let known = KnownNames {
        bounce_methods: &bounce_methods,
        drain_methods: &drain_methods,
        teams: teams.as_deref(),
        renderer: Some(&renderer),
    };
    let check = |service: ServiceName| {
        let findings = match args.strict {
            true => soa.validate_strictly(&service, &system, &known),
            false => soa.validate(&service, &system, &known),
        };
        Checked { service, findings }
    };
    let checked: Vec<Checked> = services.into_iter().map(check).collect();
    match args.output.format() {
        Format::Json => {
            let findings: Vec<&Finding> = checked.iter().flat_map(|one| &one.findings).collect();
            writeln!(cx.stdout, "{}", serde_json::to_string_pretty(&findings)?)?;
        }
        Format::Text => write!(cx.stdout, "{}", text::text(&checked, &cx.environment.cwd, cx.paint()))?,
    }
    Ok(if checked.iter().all(Checked::is_valid) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The keys of `team_data` in the file; `None` if there is no file.
fn teams(path: &Path) -> anyhow::Result<Option<Vec<String>>> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(error)
                .with_context(|| format!("could not read the teams in `{}`", path.display()))
                .hint("Make the file readable, or name another with --team-data FILE.");
        }
    };
    let unusable = || format!("could not use the teams in `{}`", path.display());
    let node = paasta_config::parse_json(&bytes, &path.display().to_string()).with_context(unusable)?;
    let teams = node.as_map().and_then(|map| map.get("team_data")?.as_map());
    let teams = teams
        .ok_or_else(|| anyhow::anyhow!("it has no map `team_data`"))
        .with_context(unusable)
        .hint("The file holds `{\"team_data\": {\"TEAM\": {…}, …}}`.")?;
    Ok(Some(teams.iter().filter_map(|(name, _)| name.as_str().map(str::to_owned)).collect()))
}

/// The root, and the services below it.
fn what_to_check(
    args: &Args,
    system: &SystemConfig,
    cx: &Context,
) -> anyhow::Result<(PathBuf, Vec<ServiceName>)> {
    let cwd = &cx.environment.cwd;
    let named: Vec<ServiceName> = args
        .services
        .iter()
        // A shell completes the name of a directory with a slash.
        .map(|name| {
            ServiceName::new(name.trim_end_matches('/')).map_err(|error| UsageError(error.to_string()))
        })
        .collect::<Result<_, _>>()
        .hint("A service is the name of its directory in soa-configs.")?;
    let root = args.soa_dir.as_ref().map(|dir| cwd.join(dir));
    match (root, args.all, named.is_empty()) {
        (root, true, _) => {
            let here = || all(cwd).is_ok_and(|found| found.iter().any(|one| is_service(cwd, one)));
            let root = root.unwrap_or_else(|| if here() { cwd.clone() } else { usual_root(system, cwd) });
            let services = all(&root)?;
            Ok((root, services))
        }
        (root, false, false) => {
            let here = || named.iter().any(|one| is_service(cwd, one));
            let root = root.unwrap_or_else(|| if here() { cwd.clone() } else { usual_root(system, cwd) });
            Ok((root, named))
        }
        (None, false, true) => guess(cx),
        // The original takes the working directory for a service if it is named as the root.
        (Some(root), false, true) if is_same(&root, cwd) => guess(cx),
        (Some(_), false, true) => Err(UsageError("it is not said which service to check".to_owned()))
            .hint("Name one with -s SERVICE, or all with --all."),
    }
}
/// Where soa-configs are if not here; here, if they are not there either.
fn usual_root(system: &SystemConfig, cwd: &Path) -> PathBuf {
    system.soa_dir().ok().filter(|dir| dir.is_dir()).unwrap_or_else(|| cwd.to_owned())
}

fn is_service(root: &Path, service: &ServiceName) -> bool {
    let entries = std::fs::read_dir(root.join(service.as_str())).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .any(|path| path.extension().is_some_and(|end| end == "yaml" || end == "yml"))
}

fn is_same(a: &Path, b: &Path) -> bool {
    a.canonicalize().ok().zip(b.canonicalize().ok()).is_some_and(|(a, b)| a == b)
}

/// The service whose directory this is.
fn guess(cx: &Context) -> anyhow::Result<(PathBuf, Vec<ServiceName>)> {
    let cwd = &cx.environment.cwd;
    let name = cwd.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let found = cwd.parent().zip(ServiceName::new(name).ok());
    found
        .map(|(root, service)| (root.to_owned(), vec![service]))
        .ok_or_else(|| anyhow::anyhow!("the working directory is not that of a service"))
        .hint("Name one with -s SERVICE, or all with --all.")
}

fn all(root: &Path) -> anyhow::Result<Vec<ServiceName>> {
    let unreadable = || format!("could not read soa-configs at `{}`", root.display());
    let entries = std::fs::read_dir(root).with_context(unreadable)?;
    let mut services = Vec::new();
    for entry in entries {
        let entry = entry.with_context(unreadable)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // `.git` and the like, what all services share, and folders without files of this kind, such as Tron's own.
        let is_folder = !name.starts_with(['.', '_']);
        services.extend(ServiceName::new(name).ok().filter(|name| is_folder && is_service(root, name)));
    }
    services.sort();
    Ok(services)
}
