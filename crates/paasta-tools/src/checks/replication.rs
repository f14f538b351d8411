//! The check of copies over every instance of a cluster (monitoring.md §2). What is configured and deployed is read first;
//! agents, load balancers and Marathons are asked only if somebody is judged by them, each once.

mod alerts;
mod judge;
mod load;
mod report;

use std::sync::Arc;

use futures_util::stream::{self, StreamExt};
use paasta_config::{Soa, SystemConfig};
use paasta_core::{ClusterName, Counts, InstanceId, Reading, Timestamp, chain};
use paasta_monitoring::{Limits, Totals, Verdict, whole};
use paasta_smartstack::{Asker, DiscoveryProviders, Run, SERVICES_FILE};

use super::places::{Places, Taken};
use super::{Deadline, agents, marathon};

pub use alerts::{ToSend, send, to_send};
pub use judge::{Judged, Seen};
pub use load::{Failed, Path, Subject};
pub use report::{metrics, tell};

/// What the events of the check are named for, and what it calls itself to load balancers.
pub const PROGRAM: &str = "check_marathon_services_replication";

/// Instances judged at one time; each may wait for load balancers.
const INSTANCES_AT_ONCE: usize = 32;

/// What a run of the check is about.
pub struct Question<'a> {
    /// What is configured.
    pub soa: &'a Soa,
    /// This host's own configuration.
    pub system: &'a SystemConfig,
    /// Where autoscaled counts are read.
    pub counts: Arc<dyn Counts>,
    /// These instances; all of the cluster if there is none.
    pub named: Vec<InstanceId>,
    /// When the whole is critical.
    pub limits: Limits,
    /// Until when anybody is asked.
    pub deadline: Deadline,
    /// Now.
    pub now: Timestamp,
}

impl std::fmt::Debug for Question<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Question").field("named", &self.named).finish_non_exhaustive()
    }
}

/// What a run found.
#[derive(Debug)]
pub struct Report {
    /// The cluster.
    pub cluster: ClusterName,
    /// Each instance that has a deployment, in the order of the files.
    pub judged: Vec<Judged>,
    /// What could not be read.
    pub failed: Vec<Failed>,
    /// What was taken for the places to ask.
    pub places: Taken,
    /// How the instances stand that load balancers know; these decide.
    pub by_balancers: Totals,
    /// How the others stand, which are judged by their tasks.
    pub by_tasks: Totals,
    /// The verdict over the cluster.
    pub verdict: Verdict,
}

/// Runs the check: asks everybody, decides, sends nothing.
///
/// # Errors
/// The system configuration or the list of services cannot be read, so that there is nothing to judge.
pub async fn run(question: &Question<'_>) -> anyhow::Result<Report> {
    let cluster = question.system.cluster()?;
    let (subjects, failed) = load::subjects(question, &cluster).await?;
    let (by_balancers, by_tasks): (Vec<_>, Vec<_>) = subjects
        .into_iter()
        .enumerate()
        .partition(|(_, subject)| matches!(subject.path, Path::LoadBalancers { .. }));
    // Nobody waits for whom he does not need.
    let ((places, mut judged), more) =
        futures_util::join!(judged_by_balancers(question, by_balancers), judged_by_tasks(question, by_tasks));
    judged.extend(more);
    judged.sort_by_key(|(index, _)| *index);
    let judged: Vec<Judged> = judged.into_iter().map(|(_, one)| one).collect();
    let totals = |path: fn(&Path) -> bool| {
        let mut totals = Totals::default();
        judged.iter().filter(|one| path(&one.subject.path)).for_each(|one| totals.add(one.verdict.status));
        totals
    };
    let by_balancers = totals(|path| matches!(path, Path::LoadBalancers { .. }));
    let by_tasks = totals(|path| matches!(path, Path::Tasks));
    let verdict = whole(by_balancers, by_tasks, failed.len() as u64, question.limits);
    Ok(Report { cluster, judged, failed, places, by_balancers, by_tasks, verdict })
}

/// With the place in the order of the files.
type Placed<T> = (usize, T);

async fn judged_by_balancers(
    question: &Question<'_>,
    subjects: Vec<Placed<Subject>>,
) -> (Taken, Vec<Placed<Judged>>) {
    if subjects.is_empty() {
        return (Taken::Nobody, Vec::new());
    }
    let balancers = balancers(question).await;
    let balancers = &balancers;
    let judging = subjects
        .into_iter()
        .map(|(index, subject)| async move { (index, judge::by_balancers(subject, balancers).await) });
    let judged = stream::iter(judging).buffered(INSTANCES_AT_ONCE).collect().await;
    (Places::taken(&balancers.places), judged)
}

async fn judged_by_tasks(question: &Question<'_>, subjects: Vec<Placed<Subject>>) -> Vec<Placed<Judged>> {
    if subjects.is_empty() {
        return Vec::new();
    }
    let tasks = tasks(question).await;
    let judge = |(index, subject)| (index, judge::by_tasks(subject, &tasks, question.now));
    subjects.into_iter().map(judge).collect()
}

/// Whom to ask about load balancers, and where.
async fn balancers(question: &Question<'_>) -> judge::Balancers {
    let asker = Asker { program: PROGRAM, version: env!("CARGO_PKG_VERSION") };
    let providers = match DiscoveryProviders::from_system(question.system, asker, SERVICES_FILE.as_ref()) {
        Ok(providers) => {
            for name in providers.unknown() {
                tracing::warn!(
                    name,
                    "`service_discovery_providers` names a kind of load balancer that is not known"
                );
            }
            Ok(providers.all().to_vec())
        }
        Err(error) => Err(chain(&error)),
    };
    let places = agents::places(question.system, &question.deadline).await;
    // What asking for the agents took is gone.
    let run = |provider| Run::new(provider, question.deadline.left());
    let runs = providers.map(|providers| providers.into_iter().map(run).collect());
    judge::Balancers { places, runs }
}

/// The tasks of all Marathons.
async fn tasks(question: &Question<'_>) -> judge::Tasks {
    let engine = match marathon::engine(question.system, &question.deadline) {
        Reading::Known(engine) => engine,
        Reading::Unknown(reason) => return judge::Tasks::unknown(reason),
    };
    let listing = async { Reading::Known(engine.tasks().await) };
    match question.deadline.reading("Marathon", listing).await {
        Reading::Known(homes) => judge::Tasks::of(homes),
        Reading::Unknown(reason) => judge::Tasks::unknown(reason),
    }
}
