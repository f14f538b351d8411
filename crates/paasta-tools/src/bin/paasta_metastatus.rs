//! `paasta_metastatus [-v …] [-g ATTRIBUTE …] [-t PERCENT] [-s SERVICE -i INSTANCE]`: whether this cluster is well
//! (monitoring.md §3.3).

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgAction, Parser};
use paasta_config::{InstanceType, Soa, SystemConfig};
use paasta_core::{Clock as _, InstanceId, InstanceName, ServiceName, SystemClock};
use paasta_monitoring::utilisation::Amounts;
use paasta_tools::checks::metastatus::{self, Question, Report};
use paasta_tools::checks::{self, Output, TimeLimit};
use paasta_tools::program;

/// Tells whether this cluster is well: its Mesos and its Marathons
///
/// Exit codes: 0 all of it is; 2 CRITICAL, something is not; 3 UNKNOWN, where nothing is known to be wrong and something could not
/// be asked, and wrong usage. With -vv the groups of agents count, too.
#[derive(Parser, Debug)]
#[command(version)]
struct Args {
    /// Tell more: each line, with -vv a table of groups of agents, with -vvv a table of agents
    #[arg(short, long, action = ArgAction::Count)]
    verbose: u8,
    /// The attributes that agents are grouped by
    #[arg(short, long, value_name = "ATTRIBUTE", num_args = 1.., default_values = ["pool", "region"])]
    groupings: Vec<String>,
    /// Percent in use that a group may have of each resource
    #[arg(short, long, value_name = "PERCENT", default_value = "90")]
    threshold: u32,
    /// Taken as the original takes it: `use_mesos_cache` of the file that says where the master is decides
    #[arg(long)]
    use_mesos_cache: bool,
    /// With -i: tell how many more copies of this service's instance fit
    #[arg(short, long, value_name = "SERVICE", requires = "instance")]
    service: Option<ServiceName>,
    /// The instance
    #[arg(short, long, value_name = "INSTANCE", requires = "service")]
    instance: Option<InstanceName>,
    /// Directory to read soa-configs from
    #[arg(short = 'd', long = "soa-dir", value_name = "SOA_DIR")]
    soa_dir: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    time_limit: TimeLimit,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args: Args = match checks::arguments() {
        Ok(args) => args,
        Err(code) => return code,
    };
    program::start_logging(false);
    match run(&args).await {
        Ok((report, question)) => {
            program::tell(&match args.output.json {
                true => metastatus::json(&report),
                false => metastatus::text(&report, &question),
            });
            let metrics = metastatus::metrics(&report, SystemClock.now());
            checks::exit(checks::write(&metrics, &args.output, report.status))
        }
        Err(error) => checks::finish("paasta_metastatus", &args.output, Err(error)),
    }
}

async fn run(args: &Args) -> anyhow::Result<(Report, Question)> {
    let deadline = args.time_limit.begin();
    let system = program::system_config()?;
    let id =
        args.service.clone().zip(args.instance.clone()).map(|(service, name)| InstanceId::new(service, name));
    let need = id.and_then(|id| match need(args, &system, &id) {
        Ok(need) => Some(need),
        Err(error) => {
            // The cluster is of interest all the same.
            eprintln!("{}\n", program::advice(id.service(), &error));
            None
        }
    });
    let question = Question {
        groupings: args.groupings.clone(),
        threshold: f64::from(args.threshold),
        verbosity: args.verbose,
        need,
    };
    let report = metastatus::run(&system, &deadline, &question).await?;
    Ok((report, question))
}

/// What a copy of an instance needs.
fn need(args: &Args, system: &SystemConfig, id: &InstanceId) -> anyhow::Result<Amounts> {
    let soa = Soa::open(program::soa_root(args.soa_dir.as_deref(), system)?);
    let cluster = system.cluster()?;
    let loaded = soa.instance(id, InstanceType::Marathon, &cluster, system)?;
    let config = loaded.config();
    let gpus = config.gpus()?.unwrap_or(0) as f64;
    Ok(Amounts { cpus: config.cpus()?, mem: config.mem()?, disk: config.disk()?, gpus })
}
