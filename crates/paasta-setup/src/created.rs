//! Writing down what was created.

use std::sync::Arc;

use paasta_bounce::{Observed, Outcome};
use paasta_config::{Renderer, Wanted, places};
use paasta_core::{App, Applied, Created, History, Timestamp};

use crate::Target;

/// What there is to write down about an app that was created, or may have been; none if it was not.
pub(crate) fn record(
    wanted: &Wanted,
    target: &Target,
    observed: &Observed,
    outcome: &Outcome,
    now: Timestamp,
    renderer: &dyn Renderer,
) -> Option<Created> {
    let confirmed = match outcome {
        Outcome::Applied(Applied::Done) => true,
        Outcome::Applied(Applied::Unknown(_)) => false,
        _ => return None,
    };
    let mut before: Vec<&App> = observed.sighting.apps().collect();
    before.sort_by(|a, b| b.instances.cmp(&a.instances).then_with(|| a.id.cmp(&b.id)));
    let rendered = &target.rendered;
    Some(Created {
        at: now,
        cluster: wanted.cluster.clone(),
        instance: wanted.id.clone(),
        home: rendered.homes.current.clone(),
        app: rendered.app.clone(),
        hash_input: rendered.hash_input.clone(),
        instances: rendered.instances,
        git_sha: wanted.deployment.git_sha.clone(),
        force_bounce: wanted.deployment.force_bounce.clone(),
        replaces: before.into_iter().map(|app| app.id.clone()).collect(),
        settings: places(renderer, wanted, &rendered.hash_input),
        confirmed,
    })
}

/// Writes it down where that may wait. That it cannot be written is told, and hinders nothing.
pub(crate) async fn write_down(history: &Arc<dyn History>, record: Created) {
    let (history, instance) = (Arc::clone(history), record.instance.clone());
    let written = tokio::task::spawn_blocking(move || history.created(&record)).await;
    let failed = match written {
        Ok(Ok(())) => return,
        Ok(Err(reason)) => reason,
        Err(error) => error.to_string(),
    };
    tracing::warn!(%instance, reason = failed, "what was created is not written down: `paasta why` will not know it");
}
