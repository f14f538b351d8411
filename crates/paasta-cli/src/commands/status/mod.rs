//! `paasta status`: what is wanted of instances, what they run, and what they wait for.

use std::collections::BTreeMap;
use std::process::ExitCode;

use futures_util::StreamExt as _;
use paasta_api_client::{ApiClient, ApiError, InstanceStatus, StatusQuery, Timeouts};
use paasta_config::InstanceType;
use paasta_core::{Clock as _, ClusterName, InstanceId, LogStream, LogTail, SystemClock};
use paasta_deploy::Candidate;

use self::report::{Failure, Report, TaskOutput};
use self::text::View;
use crate::Context;
use crate::api;
use crate::options::{Format, Output, Selection, SoaDir};
use crate::selection::choose;
use crate::world::World;

mod report;
#[cfg(test)]
mod tests;
mod text;

/// Show what instances run, and what they wait for
///
/// Asks the API of each cluster. Exit code 0 if every selected instance could be shown, else 1.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    selection: Selection,
    /// More: whole ids and every task; twice: the last lines of each task's output as well
    #[arg(short = 'v', long, action = clap::ArgAction::Count)]
    verbose: u8,
    #[command(flatten)]
    soa_dir: SoaDir,
    #[command(flatten)]
    output: Output,
}

/// How many instances are asked about at once.
const QUESTIONS_MAX: usize = 20;

pub(crate) fn run(args: &Args, cx: &mut Context) -> anyhow::Result<ExitCode> {
    let world = World::open(args.soa_dir.get(), cx)?;
    let instances = questions(choose(&args.selection, &world, cx)?.instances)?;
    let apis = apis(&instances, &world);
    let reports = cx.block_on(async { Ok(ask_all(instances, &apis, args.verbose).await) })?;
    match args.output.format() {
        Format::Json => writeln!(cx.stdout, "{}", serde_json::to_string_pretty(&reports)?)?,
        Format::Text => {
            let view = View { now: SystemClock.now(), verbose: args.verbose, paint: cx.paint() };
            write!(cx.stdout, "{}", text::render(&reports, view))?;
        }
    }
    let fine = reports.iter().all(Report::is_fine);
    Ok(if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What one API is asked about.
struct Question {
    id: InstanceId,
    cluster: ClusterName,
    kind: String,
    deploy_group: Option<String>,
}

/// By service, cluster and name.
fn questions(instances: Vec<Candidate>) -> anyhow::Result<Vec<Question>> {
    let question = |one: Candidate| {
        let id = InstanceId::new(one.service.parse()?, one.instance.parse()?);
        Ok(Question { id, cluster: one.cluster.parse()?, kind: one.kind, deploy_group: one.deploy_group })
    };
    let mut questions: Vec<Question> = instances.into_iter().map(question).collect::<anyhow::Result<_>>()?;
    questions.sort_by_key(|one| (one.id.service().clone(), one.cluster.clone(), one.id.clone()));
    Ok(questions)
}

type Apis = BTreeMap<ClusterName, Result<ApiClient, Failure>>;

/// One client for each cluster; a cluster without one must not hide the others.
fn apis(instances: &[Question], world: &World) -> Apis {
    let mut apis = Apis::new();
    for one in instances {
        apis.entry(one.cluster.clone()).or_insert_with(|| {
            let api = api::client(&one.cluster, &world.system, Timeouts::default());
            api.map_err(|error| Failure::of(error.as_ref()))
        });
    }
    apis
}

/// Asks about all at once and keeps their order.
async fn ask_all(instances: Vec<Question>, apis: &Apis, verbose: u8) -> Vec<Report> {
    let questions = instances.into_iter().map(|one| ask(one, apis, verbose));
    futures_util::stream::iter(questions).buffered(QUESTIONS_MAX).collect().await
}

async fn ask(one: Question, apis: &Apis, verbose: u8) -> Report {
    let mut report = Report {
        service: one.id.service().clone(),
        cluster: one.cluster.clone(),
        instance: one.id.instance().clone(),
        kind: one.kind.clone(),
        http_status: None,
        status: None,
        error: None,
        outputs: Vec::new(),
    };
    if one.kind != InstanceType::Marathon.as_str() {
        return report;
    }
    let api = match apis.get(&one.cluster) {
        Some(Ok(api)) => api,
        Some(Err(failure)) => return Report { error: Some(failure.clone()), ..report },
        None => return report,
    };
    // Tasks are always asked for: problems are shown without -v as well.
    match api.status(&one.id, StatusQuery { verbose: verbose.max(1) }).await {
        Ok(status) => {
            report.http_status = Some(200);
            if verbose >= 2 {
                report.outputs = outputs(api, &one, &status, verbose).await;
            }
            report.status = Some(status);
        }
        Err(error) => {
            report.http_status = error.status();
            report.error = Some(failure(&error, &one));
        }
    }
    report
}

/// What everybody meets in their first hour is said plainly.
fn failure(error: &ApiError, one: &Question) -> Failure {
    match error {
        ApiError::Status { code, message, .. } if code == "not_deployed" => {
            let mark = |group: &String| {
                let service = one.id.service();
                format!("mark a commit: `paasta mark-for-deployment -s {service} -l {group} -c COMMIT`")
            };
            Failure { message: message.clone(), causes: one.deploy_group.iter().map(mark).collect() }
        }
        // Between these two stand only the layers of a client.
        ApiError::Unreachable { .. } => {
            let whole = Failure::of(error);
            Failure { causes: whole.causes.into_iter().next_back().into_iter().collect(), ..whole }
        }
        _ => Failure::of(error),
    }
}

/// The last 10 lines of both outputs of each task at `-vv`, 100 at `-vvv` (cli.md §3.5).
async fn outputs(api: &ApiClient, one: &Question, status: &InstanceStatus, verbose: u8) -> Vec<TaskOutput> {
    let tail = LogTail::last(10usize.saturating_pow(u32::from(verbose.min(5)) - 1));
    let apps = status.marathon.iter().flat_map(|marathon| &marathon.app_statuses);
    let tasks = apps.flat_map(|app| &app.tasks);
    let ids = tasks.filter_map(|task| Some((task.id.clone(), task.task_id.clone()?)));
    let both = ids.flat_map(|(short, id)| {
        [LogStream::Stdout, LogStream::Stderr].map(|stream| (short.clone(), id.clone(), stream))
    });
    let questions = both.map(|(short, id, stream)| async move {
        let log = api.task_log(&one.id, &id, stream, tail).await;
        TaskOutput { task: short, stream, lines: log.map(|log| log.lines).map_err(|error| error.to_string()) }
    });
    futures_util::stream::iter(questions).buffered(QUESTIONS_MAX).collect().await
}
