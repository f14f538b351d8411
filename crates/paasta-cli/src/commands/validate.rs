//! `paasta validate`: what is wrong with services' files, all of it at once (cli.md §1.3).

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use paasta_config::{Finding, KnownNames, Severity, Soa, SystemConfig};
use paasta_core::ServiceName;
use serde::Serialize;

use crate::Context;
use crate::options::{Format, Output};
use crate::paint::{Paint, Style};
use crate::report::{HintExt as _, UsageError};

/// Check services' files
///
/// Reads soa-configs and the system configuration only. Exit code 1 if anything is wrong, 0 if not; warnings alone
/// are not wrong.
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
    #[command(flatten)]
    output: Output,
}

/// What was found about one service.
#[derive(Debug, Serialize)]
struct Checked {
    service: ServiceName,
    findings: Vec<Finding>,
}

impl Checked {
    fn is_valid(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity != Severity::Error)
    }
}

pub(crate) fn run(args: &Args, cx: &mut Context) -> anyhow::Result<ExitCode> {
    let system = SystemConfig::load_optional(cx.system_config_dir())?;
    let (root, services) = what_to_check(args, &system, cx)?;
    let soa = Soa::open(&root).cached();
    let bounce_methods: Vec<&str> = paasta_bounce::METHODS.iter().map(|method| method.name()).collect();
    let drain_methods: Vec<&str> = paasta_drain::METHODS.iter().map(|method| method.name).collect();
    let known = KnownNames { bounce_methods: &bounce_methods, drain_methods: &drain_methods };
    let check = |service: ServiceName| {
        let findings = soa.validate(&service, &system, &known);
        Checked { service, findings }
    };
    let checked: Vec<Checked> = services.into_iter().map(check).collect();
    match args.output.format() {
        Format::Json => writeln!(cx.stdout, "{}", serde_json::to_string_pretty(&checked)?)?,
        Format::Text => write!(cx.stdout, "{}", text(&checked, cx.paint()))?,
    }
    Ok(if checked.iter().all(Checked::is_valid) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
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
        .map(|name| ServiceName::new(name.as_str()).map_err(|error| UsageError(error.to_string())))
        .collect::<Result<_, _>>()?;
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
    entries.map(|entry| entry.path()).any(|path| path.extension().is_some_and(|end| end == "yaml"))
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
        // `.git` and the like, and what all services share.
        let is_service = entry.path().is_dir() && !name.starts_with(['.', '_']);
        services.extend(ServiceName::new(name).ok().filter(|_| is_service));
    }
    services.sort();
    Ok(services)
}

fn text(checked: &[Checked], paint: Paint) -> String {
    let mut out = String::new();
    for one in checked {
        let mark = match one.is_valid() {
            true => paint.text(Style::Green, "✓"),
            false => paint.text(Style::Red, "✗"),
        };
        let count = match one.findings.len() {
            0 => String::new(),
            1 => ": 1 finding".to_owned(),
            n => format!(": {n} findings"),
        };
        out.push_str(&format!("{mark} {}{count}\n", one.service));
        for finding in &one.findings {
            out.push_str(&format!("  {finding}\n"));
            if let Some(hint) = &finding.hint {
                out.push_str(&format!("    {} {hint}\n", paint.text(Style::Cyan, "hint:")));
            }
        }
    }
    out
}
