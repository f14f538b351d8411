//! `check_capacity RESOURCE [-w PERCENT] [-c PERCENT] [--overrides FILE] [--cluster CLUSTER] [--attributes NAME,…]`: whether the
//! agents of this cluster have room (monitoring.md §3.2).

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use paasta_core::ClusterName;
use paasta_monitoring::{CapacityLimits, GroupLimits, Percents, Resource};
use paasta_tools::checks::{self, Common, capacity};

/// Checks how much of a resource the tasks of this cluster use, by groups of agents
///
/// Tasks that are not over, and what is reserved for maintenance, count as used, by what the Mesos master tells.
///
/// Exit codes: 0 every group has room; 1 WARNING, a group is over -w; 2 CRITICAL, a group is over -c; 3 UNKNOWN, where the
/// master does not tell, two overrides are for one group, and wrong usage.
#[derive(Parser, Debug)]
#[command(version)]
struct Args {
    /// cpus, mem or disk
    #[arg(value_name = "RESOURCE", value_parser = resource)]
    resource: Resource,
    /// Percent in use that are worth a warning, if there are more
    #[arg(short, long, value_name = "PERCENT", default_value = "80", value_parser = percent)]
    warn: f64,
    /// Percent in use that are critical, if there are more
    #[arg(short, long, value_name = "PERCENT", default_value = "90", value_parser = percent)]
    crit: f64,
    /// JSON with limits of their own for some groups; docs/checks.md has its shape
    #[arg(long, value_name = "FILE")]
    overrides: Option<PathBuf>,
    /// The cluster; only that of this host can be asked
    #[arg(long, value_name = "CLUSTER")]
    cluster: Option<ClusterName>,
    /// The attributes that agents are grouped by
    #[arg(long, value_name = "NAME,…", default_value = "pool", value_delimiter = ',')]
    attributes: Vec<String>,
    #[command(flatten)]
    common: Common,
}

fn resource(text: &str) -> Result<Resource, String> {
    match text.parse() {
        Ok(Resource::Gpus) | Err(_) => Err("expected one of: cpus, mem, disk".to_owned()),
        Ok(resource) => Ok(resource),
    }
}

fn percent(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    let fits = number.is_finite() && number >= 0.0;
    fits.then_some(number).ok_or_else(|| "expected a number from 0 on".to_owned())
}

#[tokio::main]
async fn main() -> ExitCode {
    let args: Args = match checks::arguments() {
        Ok(args) => args,
        Err(code) => return code,
    };
    let judge = async |system: &paasta_config::SystemConfig, deadline: &_| {
        let cluster = match &args.cluster {
            Some(cluster) => cluster.to_string(),
            None => system.cluster()?.to_string(),
        };
        let limits = CapacityLimits {
            cluster,
            resource: args.resource,
            limits: GroupLimits { warn: Percents::all(args.warn), crit: Percents::all(args.crit) },
            overrides: args.overrides.as_deref().map(capacity::overrides).transpose()?.unwrap_or_default(),
        };
        capacity::judge(system, deadline, &limits, &args.attributes).await
    };
    checks::run("check_capacity", &args.common, judge).await
}
