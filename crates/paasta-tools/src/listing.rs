//! The Marathon instances of a cluster, and which of them need a bounce (marathon-and-bounce.md §8.3).

use std::fmt;

use futures_util::stream::{self, StreamExt};
use paasta_core::{Fleet, InstanceId};
use paasta_setup::{BounceNeed, BounceReason, bounce_need};
use serde::Serialize;

use crate::passes::{INSTANCES_AT_ONCE, Passes};

/// One instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Its service.
    pub service: String,
    /// Its own name.
    pub instance: String,
    /// Why it needs a bounce, where that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasons: Option<Vec<BounceReason>>,
}

impl Listed {
    /// An instance of which nothing more was asked.
    pub fn new(id: &InstanceId) -> Self {
        Self { service: id.service().to_string(), instance: id.instance().to_string(), reasons: None }
    }
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.service, self.instance)
    }
}

/// Asks of each instance whether it needs a bounce, by one listing of everything. Tells `done` of each in the order given:
/// the instance if it does, nothing if it does not, and an error where that is not known.
pub async fn needing_a_bounce(
    passes: &Passes,
    ids: &[InstanceId],
    fleet: &Fleet,
    mut done: impl FnMut(&InstanceId, anyhow::Result<Option<Listed>>),
) {
    let one = |id| async move { (id, of_one(passes, id, fleet).await) };
    let mut answers = stream::iter(ids).map(one).buffered(INSTANCES_AT_ONCE);
    while let Some((id, answer)) = answers.next().await {
        done(id, answer);
    }
}

async fn of_one(passes: &Passes, id: &InstanceId, fleet: &Fleet) -> anyhow::Result<Option<Listed>> {
    let wanted = passes.wanted(id).await?;
    if let (true, Some(reason)) = (wanted.instance().is_autoscaled(), wanted.autoscaled_count.unknown()) {
        anyhow::bail!(
            "could not tell whether instance `{id}` needs a bounce: its autoscaled count: {reason}"
        );
    }
    let rendered = passes.pass().renderer.render(&wanted)?;
    match bounce_need(id, &rendered, fleet) {
        BounceNeed::None => Ok(None),
        BounceNeed::Needed(reasons) => Ok(Some(Listed { reasons: Some(reasons), ..Listed::new(id) })),
        BounceNeed::Unknown(reason) => {
            anyhow::bail!("could not tell whether instance `{id}` needs a bounce: {reason}")
        }
    }
}
