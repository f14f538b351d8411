//! The end of doomed apps: under their bounce locks, and only if nothing has changed its mind meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use paasta_bounce::Outcome;
use paasta_config::Soa;
use paasta_core::{Action, AppId, Applied, ClusterName, Deed, Haste, LockError, LogLevel, LogRecord};
use paasta_setup::{Leave, Pass};
use tokio::task::spawn_blocking;

use super::{Doomed, End, Judgement, Line};
use crate::configured::{Configured, Standing};
use crate::passes::INSTANCES_AT_ONCE;

/// Deletes the doomed apps of a judgement that refuses nothing, and tells `done` of each, in the order in which they end.
/// One that fails hinders no other; an instance somebody works on is left for the next time. `soa` must not keep what it
/// read: each instance is looked for once more right before its apps go.
pub async fn run(
    pass: &Pass,
    soa: &Soa,
    cluster: &ClusterName,
    judgement: &Judgement,
    mut done: impl FnMut(Line),
) {
    let mut instances: BTreeMap<&str, Vec<&Doomed>> = BTreeMap::new();
    for doomed in judgement.doomed.iter().filter(|_| judgement.refusal.is_none()) {
        instances.entry(doomed.place.app.short_id()).or_default().push(doomed);
    }
    let one = |(short_id, doomed)| clean(pass, soa, cluster, short_id, doomed);
    let mut lines = stream::iter(instances.into_iter().map(one)).buffer_unordered(INSTANCES_AT_ONCE);
    while let Some(ended) = lines.next().await {
        ended.into_iter().for_each(&mut done);
    }
}

/// Deletes the apps of one instance.
async fn clean(
    pass: &Pass,
    soa: &Soa,
    cluster: &ClusterName,
    short_id: &str,
    doomed: Vec<&Doomed>,
) -> Vec<Line> {
    let all = |end: End| doomed.iter().map(|doomed| line(doomed, end.clone())).collect();
    let wait = Duration::from_secs_f64(pass.limits.lock_seconds_max);
    let _lock = match pass.locks.acquire(&format!("/bounce/{short_id}"), wait).await {
        Ok(lock) => lock,
        Err(LockError::Held { .. }) => return all(End::LockHeld),
        Err(error) => return all(End::Failed(error.to_string())),
    };
    let Some(first) = doomed.first() else { return vec![] };
    match is_still_gone(soa, cluster, &first.place.app).await {
        Ok(true) => {}
        Ok(false) => return all(End::Kept),
        Err(reason) => return all(End::Failed(reason)),
    }
    // Nobody waits for it.
    let leave = Leave { haste: Haste::Usual, ..pass.leave.clone() };
    let mut lines = vec![];
    for doomed in &doomed {
        let (home, app) = (doomed.place.home.clone(), doomed.place.app.clone());
        let outcome = leave.apply(pass.engine.as_ref(), &Action::Delete { home, app }).await;
        let details = deed_details(doomed, &outcome);
        let line = line(doomed, End::of(outcome));
        let record = record(pass, cluster, &line);
        pass.log.log(&record);
        if let Some(details) = details {
            pass.log.audit(&deed(record, details));
        }
        lines.push(line);
    }
    lines
}

async fn is_still_gone(soa: &Soa, cluster: &ClusterName, app: &AppId) -> Result<bool, String> {
    let (soa, cluster, app) = (soa.clone(), cluster.clone(), app.clone());
    let looked = spawn_blocking(move || {
        let configured = Configured::read_of_app(&soa, &cluster, &app)?;
        Ok::<_, paasta_config::LoadError>(
            configured.services() > 0 && configured.standing(&app) == Standing::Gone,
        )
    });
    match looked.await {
        Ok(looked) => looked.map_err(|error| paasta_core::chain(&error)),
        Err(error) => Err(error.to_string()),
    }
}

/// What an audit line says of an app that was deleted, or may have been: then it says so.
fn deed_details(doomed: &Doomed, outcome: &Outcome) -> Option<BTreeMap<String, String>> {
    let unknown = match outcome {
        Outcome::Applied(Applied::Done) => None,
        Outcome::Applied(Applied::Unknown(reason)) => Some(("unknown".to_owned(), reason.clone())),
        Outcome::Applied(Applied::Conflict(_) | Applied::Busy(_)) | Outcome::Failed(_) => return None,
    };
    let place = &doomed.place;
    let details = [("app".to_owned(), place.app.to_string()), ("home".to_owned(), place.home.to_string())];
    Some(details.into_iter().chain(unknown).collect())
}

fn deed(told: LogRecord, details: BTreeMap<String, String>) -> Deed {
    let LogRecord { at, service, instance, cluster, .. } = told;
    Deed { at, action: "delete-app".to_owned(), service: Some(service), instance, cluster, details }
}

fn line(doomed: &Doomed, end: End) -> Line {
    Line { app: doomed.place.app.clone(), home: doomed.place.home.clone(), tasks: doomed.tasks, end }
}

/// For a service's people. Its names are as they can be told from the id: `--` may have been one in the name.
fn record(pass: &Pass, cluster: &ClusterName, line: &Line) -> LogRecord {
    let names = line.app.short_id().replace("--", "_");
    let (service, instance) = names.split_once('.').unwrap_or((&names, ""));
    LogRecord {
        at: pass.clock.now(),
        service: service.to_owned(),
        instance: Some(instance.to_owned()),
        cluster: Some(cluster.to_string()),
        component: "deploy".to_owned(),
        level: LogLevel::Event,
        message: format!("{line} (the instance is configured no more)"),
    }
}
