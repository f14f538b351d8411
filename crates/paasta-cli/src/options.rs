//! Options that several commands share, with every spelling they ever had (cli.md §0.2).

use std::path::{Path, PathBuf};

/// `-d/--soa-dir`, also spelt `-y/--yelpsoa-config-root`.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct SoaDir {
    /// Directory to read soa-configs from
    #[arg(
        short = 'd',
        long = "soa-dir",
        short_alias = 'y',
        alias = "yelpsoa-config-root",
        value_name = "SOA_DIR"
    )]
    pub soa_dir: Option<PathBuf>,
}

impl SoaDir {
    /// What was said, if anything.
    pub fn get(&self) -> Option<&Path> {
        self.soa_dir.as_deref()
    }
}

/// `-d/--soa-dir` alone, for commands where `-y` means yes.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct SoaDirOnly {
    /// Directory to read soa-configs from
    #[arg(short = 'd', long = "soa-dir", alias = "yelpsoa-config-root", value_name = "SOA_DIR")]
    pub soa_dir: Option<PathBuf>,
}

/// `--json`, long form `--format text|json`.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Output {
    /// Print JSON
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// How to print
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
}

/// How a reading command prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

impl Output {
    /// What was asked for.
    pub fn format(&self) -> Format {
        match (self.json, self.format) {
            (true, _) => Format::Json,
            (false, format) => format.unwrap_or_default(),
        }
    }
}

/// Which instances (cli.md §0.4): `SERVICE.INSTANCE[,INSTANCE]`, or any of the options, all of which must hold.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Selection {
    /// One service's instances, as SERVICE.INSTANCE or SERVICE.ONE,OTHER
    #[arg(value_name = "SERVICE.INSTANCE")]
    pub target: Option<String>,
    /// The service; else the name of the working directory
    #[arg(short = 's', long = "service", alias = "services", value_name = "SERVICE")]
    pub service: Option<String>,
    /// Clusters, comma-separated
    #[arg(short = 'c', long = "clusters", alias = "cluster", value_name = "CLUSTER", value_delimiter = ',')]
    pub clusters: Vec<String>,
    /// Instances, comma-separated
    #[arg(
        short = 'i',
        long = "instances",
        alias = "instance",
        value_name = "INSTANCE",
        value_delimiter = ','
    )]
    pub instances: Vec<String>,
    /// Deploy groups, comma-separated
    #[arg(
        short = 'l',
        long = "deploy-groups",
        aliases = ["deploy-group", "deploy_group"],
        value_name = "GROUP",
        value_delimiter = ','
    )]
    pub deploy_groups: Vec<String>,
    /// Owning teams, comma-separated
    #[arg(short = 'o', long = "owners", alias = "owner", value_name = "TEAM", value_delimiter = ',')]
    pub owners: Vec<String>,
    /// Registrations, comma-separated; the service's own if there is no dot
    #[arg(
        short = 'r',
        long = "registrations",
        alias = "registration",
        value_name = "REGISTRATION",
        value_delimiter = ','
    )]
    pub registrations: Vec<String>,
}
