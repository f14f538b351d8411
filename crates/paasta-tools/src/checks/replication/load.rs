//! Which instances are to have how many copies, from files and autoscaled counts.

use anyhow::Context as _;
use futures_util::stream::{self, StreamExt};
use paasta_config::{LoadError, Map, Soa, SystemConfig, Wanted};
use paasta_core::{ClusterName, InstanceId, Reading, ServiceName, chain};
use serde::Serialize;
use tokio::task::spawn_blocking;

use super::Question;
use crate::dry_run;

/// Counts asked for at one time.
const COUNTS_AT_ONCE: usize = 16;

/// An instance that is to be judged.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Which.
    pub instance: InstanceId,
    /// How many copies it should have, none while it is stopped; unknown where it depends on a count that could not be read.
    pub expected: Reading<u64>,
    /// The percentage of them that is enough.
    pub threshold: f64,
    /// By what its copies are counted.
    pub path: Path,
    /// The pool its tasks run in.
    pub pool: String,
    /// Its own `monitoring`.
    pub monitoring: Option<Map>,
}

/// By what copies are counted (monitoring.md §2.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Path {
    /// By load balancers: its first registration is its own name, and has a `proxy_port`.
    LoadBalancers {
        /// The type of location it is discovered in.
        discover: String,
    },
    /// By its tasks.
    Tasks,
}

/// What could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failed {
    /// The service.
    pub service: String,
    /// The instance; none where the service's instances could not be listed.
    pub instance: Option<String>,
    /// Why.
    pub error: String,
}

impl Failed {
    fn new(service: &ServiceName, instance: Option<&InstanceId>, error: String) -> Self {
        Self { service: service.to_string(), instance: instance.map(|id| id.instance().to_string()), error }
    }
}

/// The instances that have a deployment, and what could not be read. One that is bad hinders no other.
pub(super) async fn subjects(
    question: &Question<'_>,
    cluster: &ClusterName,
) -> anyhow::Result<(Vec<Subject>, Vec<Failed>)> {
    let (soa, system) = (question.soa.clone(), question.system.clone());
    let (named, cluster) = (question.named.clone(), cluster.clone());
    let read = spawn_blocking(move || read(&soa, &system, &cluster, named)).await??;
    let (wanted, mut failed) = read;
    let counted = wanted.into_iter().map(|mut wanted| async {
        if wanted.instance().is_autoscaled() {
            let count = question.counts.count(&wanted.id);
            wanted.autoscaled_count =
                question.deadline.reading("the store of autoscaled counts", count).await;
        }
        wanted
    });
    let counted: Vec<Wanted> = stream::iter(counted).buffered(COUNTS_AT_ONCE).collect().await;
    let mut subjects = Vec::with_capacity(counted.len());
    for wanted in &counted {
        match subject(wanted) {
            Ok(subject) => subjects.push(subject),
            Err(error) => failed.push(Failed::new(wanted.id.service(), Some(&wanted.id), chain(&error))),
        }
    }
    Ok((subjects, failed))
}

type Read = (Vec<Wanted>, Vec<Failed>);

fn read(
    soa: &Soa,
    system: &SystemConfig,
    cluster: &ClusterName,
    named: Vec<InstanceId>,
) -> anyhow::Result<Read> {
    let mut failed = Vec::new();
    let ids = match named.is_empty() {
        false => named,
        true => {
            let (ids, unlisted) = dry_run::instances(soa, cluster).context("could not list the services")?;
            failed.extend(unlisted.into_iter().map(|line| {
                let error = line.error.map(|failure| failure.message).unwrap_or_default();
                Failed { service: line.service, instance: line.instance, error }
            }));
            ids
        }
    };
    let mut wanted = Vec::with_capacity(ids.len());
    for id in &ids {
        match one(soa, system, id) {
            Ok(Some(one)) => wanted.push(one),
            Ok(None) => tracing::debug!(instance = %id, "nothing is deployed yet"),
            Err(error) => failed.push(Failed::new(id.service(), Some(id), chain(&error))),
        }
    }
    Ok((wanted, failed))
}

/// What is wanted of an instance; nothing where no image is deployed.
fn one(soa: &Soa, system: &SystemConfig, id: &InstanceId) -> Result<Option<Wanted>, LoadError> {
    let unread = Reading::Unknown("it was not asked for".to_owned());
    match soa.wanted(id, system, unread) {
        Ok(wanted) if wanted.deployment.docker_image.is_empty() => Ok(None),
        Ok(wanted) => Ok(Some(wanted)),
        Err(error) if error.is_no_deployments() => Ok(None),
        Err(error) => Err(error),
    }
}

fn subject(wanted: &Wanted) -> Result<Subject, LoadError> {
    let config = wanted.instance();
    let count = |count: i64| u64::try_from(count).unwrap_or(0);
    let registered = config.first_registration()?;
    let is_own_name = registered.as_str() == wanted.id.to_string();
    let discover = config.namespace().discover();
    let path = match is_own_name && config.is_in_smartstack() {
        true => Path::LoadBalancers { discover: discover.as_str().unwrap_or_default().to_owned() },
        false => Path::Tasks,
    };
    let monitoring = config.monitoring().unwrap_or_else(|problem| {
        tracing::warn!(instance = %wanted.id, %problem, "a setting of alerts cannot be used; its default is");
        None
    });
    Ok(Subject {
        instance: wanted.id.clone(),
        expected: wanted.desired_instances()?.map(count),
        threshold: config.replication_threshold()?,
        path,
        pool: config.pool().as_str().unwrap_or_default().to_owned(),
        monitoring: monitoring.cloned(),
    })
}
