//! The answer as data: what `--json` prints.

use std::collections::{BTreeMap, BTreeSet};

use paasta_config::close_matches;
use paasta_core::{InstanceId, ServiceName};
use paasta_deploy::{Effect, Side, Tasks, Verdict};
use serde::{Serialize, Serializer};

use super::{Comparison, Targets};
use crate::changes::Change;
use crate::report::HintExt as _;

/// Everything.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) cluster: String,
    /// The state that is left.
    pub(super) from: String,
    /// The state that is come to.
    pub(super) to: String,
    pub(super) summary: Summary,
    pub(super) instances: Vec<Row>,
}

/// How far it reaches.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Summary {
    /// All instances that are deployed, or were.
    pub(super) instances: usize,
    /// How many of each effect.
    pub(super) effects: BTreeMap<&'static str, usize>,
    /// Tasks that end for a task of another version.
    pub(super) tasks_replaced: usize,
    /// Whether that is the most it can be.
    pub(super) tasks_replaced_at_most: bool,
}

/// One instance, or a service whose instances cannot be listed.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    #[serde(skip)]
    pub(super) id: Option<InstanceId>,
    pub(super) service: String,
    pub(super) instance: Option<String>,
    #[serde(serialize_with = "word")]
    pub(super) effect: Effect,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    pub(super) tasks_replaced: usize,
    #[serde(skip)]
    pub(super) at_most: bool,
    pub(super) from: Option<VersionLine>,
    pub(super) to: Option<VersionLine>,
    pub(super) changes: Vec<Change>,
}

/// A version.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct VersionLine {
    pub(super) app_id: String,
    /// Where it belongs.
    pub(super) home: String,
    /// How many tasks; null where that is not known.
    pub(super) instances: Option<usize>,
}

fn word<S: Serializer>(effect: &Effect, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(effect.as_str())
}

impl Report {
    pub(super) fn new(cluster: String, from: String, to: String, instances: Vec<Row>) -> Self {
        let mut summary = Summary::default();
        for row in &instances {
            *summary.effects.entry(row.effect.as_str()).or_default() += 1;
            summary.instances += usize::from(row.effect != Effect::NotDeployed && row.id.is_some());
            summary.tasks_replaced += row.tasks_replaced;
            summary.tasks_replaced_at_most |= row.at_most;
        }
        Self { cluster, from, to, summary, instances }
    }

    /// Whether everything could be told, and nothing is refused.
    pub(super) fn is_certain(&self) -> bool {
        self.instances.iter().all(|row| !matches!(row.effect, Effect::Refused | Effect::Unknown))
    }

    /// What to do about what could not be told, in sentences.
    pub(super) fn ways_out(&self) -> Vec<String> {
        let refused: BTreeSet<&str> = self
            .instances
            .iter()
            .filter(|row| row.effect == Effect::Refused)
            .map(|row| row.service.as_str())
            .collect();
        let mut ways = Vec::new();
        if !refused.is_empty() {
            let services = refused.into_iter().collect::<Vec<_>>().join(",");
            ways.push(format!("`paasta validate -s {services}` in the soa-configs tells what to mend."));
        }
        if self.count(Effect::Unknown) > 0 {
            ways.push(
                "Mend what hinders looking and ask again, or compare two states of the configuration with --against, \
                 which asks no cluster."
                    .to_owned(),
            );
        }
        ways
    }

    /// How many rows have an effect.
    pub(super) fn count(&self, effect: Effect) -> usize {
        self.summary.effects.get(effect.as_str()).copied().unwrap_or_default()
    }
}

impl Row {
    pub(super) fn new(
        id: &InstanceId,
        verdict: Verdict,
        from: &Side,
        to: &Side,
        changes: Vec<Change>,
    ) -> Self {
        Self {
            id: Some(id.clone()),
            service: id.service().to_string(),
            instance: Some(id.instance().to_string()),
            effect: verdict.effect,
            reason: verdict.reason,
            tasks_replaced: verdict.replaced,
            at_most: verdict.replaced_at_most,
            from: version(from),
            to: version(to),
            changes,
        }
    }

    /// Of all instances of a service it cannot even be said which there are.
    pub(super) fn of_service(service: &ServiceName, reason: &str) -> Self {
        Self {
            id: None,
            service: service.to_string(),
            instance: None,
            effect: Effect::Refused,
            reason: Some(reason.to_owned()),
            tasks_replaced: 0,
            at_most: false,
            from: None,
            to: None,
            changes: Vec::new(),
        }
    }
}

fn version(side: &Side) -> Option<VersionLine> {
    let Side::Version(version) = side else { return None };
    Some(VersionLine {
        app_id: version.app.to_string(),
        home: version.home.to_string(),
        instances: match version.tasks {
            Tasks::Known(count) => Some(count),
            Tasks::Between { .. } => None,
        },
    })
}

/// A name that was asked for and is nowhere is an error.
pub(super) fn check_names(
    targets: &Targets,
    known: &BTreeSet<&InstanceId>,
    comparison: &Comparison,
) -> anyhow::Result<()> {
    let Some(missing) = targets.instances.iter().find(|id| !known.contains(id)) else { return Ok(()) };
    let service = missing.service();
    let beside = comparison.world.service(service.as_str()).map(|service| {
        let names = comparison.world.soa.instances(
            &service,
            &comparison.cluster,
            paasta_config::InstanceType::Marathon,
        );
        names.unwrap_or_default()
    })?;
    let close = close_matches(missing.instance().as_str(), beside.iter().map(|name| name.as_str()));
    Err(anyhow::anyhow!("there is no instance `{missing}` in cluster `{}`", comparison.cluster)).hint_with(
        || match close.is_empty() {
            true => "See `paasta list --print-instances` for what there is.".to_owned(),
            false => format!("Did you mean `{}`?", close.join("` or `")),
        },
    )
}
