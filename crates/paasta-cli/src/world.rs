//! The configuration a command works with: the system's, and the services'.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use paasta_config::{LoadError, Soa, SystemConfig, SystemError, close_matches};
use paasta_core::{ClusterName, ServiceName};

use crate::Context;
use crate::report::{HintExt as _, UsageError, validate_hint};

/// What a command knows of the world from files.
#[derive(Clone, Debug)]
pub struct World {
    /// The system configuration; empty where there is none.
    pub system: SystemConfig,
    /// Where soa-configs are.
    pub soa_dir: PathBuf,
    /// What is there. Each file is read once.
    pub soa: Soa,
    /// What to do if there is no configuration.
    way_out: String,
}

impl World {
    /// Reads the system configuration ([`Context::system_config_dir`]; a missing one counts as empty) and opens the
    /// soa-configs at `soa_dir`, else where the system configuration says.
    pub fn open(soa_dir: Option<&Path>, cx: &Context) -> anyhow::Result<Self> {
        let system = or_way_out(SystemConfig::load_optional(cx.system_config_dir()), cx)?;
        let soa_dir = match soa_dir {
            Some(dir) => cx.environment.cwd.join(dir),
            None => system.soa_dir()?,
        };
        let soa = Soa::open(&soa_dir).cached();
        Ok(Self { system, soa_dir, soa, way_out: way_out(cx) })
    }

    /// As [`World::open`], where nothing can be told without a system configuration: a missing one is an error.
    pub(crate) fn open_configured(soa_dir: Option<&Path>, cx: &Context) -> anyhow::Result<Self> {
        or_way_out(SystemConfig::load(cx.system_config_dir()), cx)?;
        Self::open(soa_dir, cx)
    }

    /// All clusters the system configuration knows. None at all is an error: nothing could be seen then.
    pub fn clusters(&self) -> anyhow::Result<Vec<ClusterName>> {
        let clusters = self.system.clusters()?;
        if clusters.is_empty() {
            let directory = self.system.directory().to_owned();
            return Err(SystemError::NotConfigured { setting: "clusters".to_owned(), directory })
                .hint(self.way_out.as_str());
        }
        Ok(clusters)
    }

    /// Every folder of soa-configs.
    pub fn services(&self) -> anyhow::Result<Vec<ServiceName>> {
        let readable = std::fs::read_dir(&self.soa_dir).map(drop);
        readable
            .with_context(|| format!("could not read soa-configs at `{}`", self.soa_dir.display()))
            .hint_with(|| self.where_services_are())?;
        Ok(self.soa.services()?)
    }

    /// The service of that name, which must be a folder of soa-configs; else the error names similar ones.
    pub fn service(&self, name: &str) -> anyhow::Result<ServiceName> {
        let all = self.services()?;
        if let Some(found) = all.iter().find(|service| service.as_str() == name) {
            return Ok(found.clone());
        }
        let dir = self.soa_dir.display();
        let error = anyhow::anyhow!("there is no service `{name}` in `{dir}`");
        match close_matches(name, all.iter().map(ServiceName::as_str)).as_slice() {
            [] => Err(error).hint_with(|| self.where_services_are()),
            close => Err(error).hint(format!("Did you mean `{}`?", close.join("` or `"))),
        }
    }

    /// The service that was named, else the one the working directory is called like (cli.md §0.3).
    pub fn service_or_guess(&self, named: Option<&str>, cx: &Context) -> anyhow::Result<ServiceName> {
        if let Some(name) = named {
            return self.service(name);
        }
        let guess = cx.environment.cwd.file_name().map(|name| name.to_string_lossy().into_owned());
        let guess = guess.filter(|guess| self.soa_dir.join(guess).is_dir());
        let found = guess.and_then(|guess| ServiceName::new(guess).ok());
        found
            .ok_or_else(|| {
                UsageError(
                    "no service was named, and the working directory is not called like one".to_owned(),
                )
            })
            .hint("Name one with -s SERVICE.")
    }

    fn where_services_are(&self) -> String {
        if self.system.map().is_empty() && self.way_out != WHERE_CONFIGURATION_COMES_FROM {
            return self.way_out.clone();
        }
        "Name the directory of soa-configs with -d DIR, or set `soa_dir` in the system configuration."
            .to_owned()
    }
}

/// Who had a local cluster is told that it has ended.
/// What is missing can be had elsewhere; what is wrong has to be mended where it is.
fn or_way_out(loaded: Result<SystemConfig, SystemError>, cx: &Context) -> anyhow::Result<SystemConfig> {
    let hint = match &loaded {
        Err(SystemError::NoDirectory { .. }) => way_out(cx),
        _ => format!(
            "Mend the file: every `.json` file in `{}` is read as one system configuration.",
            cx.system_config_dir().display()
        ),
    };
    loaded.hint(hint)
}

fn way_out(cx: &Context) -> String {
    let environment = &cx.environment;
    let before = environment.home.as_deref().and_then(crate::local::state_dir_before);
    match before.filter(|_| environment.system_config_dir.is_none() && cx.local_cluster().is_none()) {
        Some(dir) => {
            format!(
                "The local cluster in `{}` is not running; start it again with `paasta local up`.",
                dir.display()
            )
        }
        None => WHERE_CONFIGURATION_COMES_FROM.to_owned(),
    }
}

/// For errors about a system configuration that is missing or incomplete.
pub const WHERE_CONFIGURATION_COMES_FROM: &str = "Set PAASTA_SYSTEM_CONFIG_DIR to a directory with system \
     configuration, or start a cluster on this machine with `paasta local up`.";

/// Tells, on stderr, of services that could not be read; the others go on.
pub fn tell_broken(broken: &[(ServiceName, LoadError)], cx: &mut Context) -> std::io::Result<()> {
    for (service, error) in broken {
        writeln!(cx.stderr, "warning: could not read service `{service}`")?;
        let mut said = vec![error.to_string()];
        let mut cause = std::error::Error::source(error);
        while let Some(next) = cause {
            said.push(next.to_string());
            cause = next.source();
        }
        said.dedup();
        for cause in said {
            writeln!(cx.stderr, "  caused by: {cause}")?;
        }
        writeln!(cx.stderr, "\nhint: {}\n", validate_hint(service))?;
    }
    Ok(())
}
