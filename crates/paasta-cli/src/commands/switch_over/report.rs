//! The answer as data: what `--json` prints.

use std::collections::BTreeMap;

use paasta_core::{InstanceId, ServiceName};
use serde::{Serialize, Serializer};

use super::judge::{Place, Standing, Word};
use crate::changes::Change;

/// Everything.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) cluster: String,
    pub(super) summary: Summary,
    /// Marathons that did not answer, with the reason.
    pub(super) silent: BTreeMap<String, String>,
    pub(super) instances: Vec<Row>,
}

/// How many stand how.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Summary {
    /// All that are deployed or run.
    pub(super) instances: usize,
    pub(super) standings: BTreeMap<&'static str, usize>,
    /// Tasks that run in instances that are not the same.
    pub(super) tasks_at_stake: usize,
    /// Apps whose ids are not of PaaSTA's form. They are left alone.
    pub(super) foreign_apps: usize,
}

/// One instance, or a service whose instances cannot be listed.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    #[serde(skip)]
    pub(super) id: Option<InstanceId>,
    pub(super) service: String,
    pub(super) instance: Option<String>,
    #[serde(serialize_with = "word")]
    pub(super) standing: Word,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) notes: Vec<String>,
    pub(super) live: Option<PlaceLine>,
    pub(super) ours: Option<PlaceLine>,
    pub(super) changes: Vec<Change>,
}

/// A version.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct PlaceLine {
    pub(super) app_id: String,
    pub(super) home: String,
    /// How many tasks; null where that is not known.
    pub(super) instances: Option<usize>,
}

fn word<S: Serializer>(word: &Word, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(word.as_str())
}

impl Report {
    pub(super) fn new(
        cluster: String,
        instances: Vec<Row>,
        silent: BTreeMap<String, String>,
        foreign_apps: usize,
    ) -> Self {
        let mut summary = Summary { foreign_apps, instances: instances.len(), ..Summary::default() };
        for row in &instances {
            *summary.standings.entry(row.standing.as_str()).or_default() += 1;
            if row.standing != Word::Same {
                summary.tasks_at_stake +=
                    row.live.as_ref().and_then(|live| live.instances).unwrap_or_default();
            }
        }
        Self { cluster, summary, silent, instances }
    }

    /// Whether switching over would change nothing at all.
    pub(super) fn is_same(&self) -> bool {
        self.silent.is_empty() && self.instances.iter().all(|row| row.standing == Word::Same)
    }

    pub(super) fn count(&self, word: Word) -> usize {
        self.summary.standings.get(word.as_str()).copied().unwrap_or_default()
    }
}

impl Row {
    pub(super) fn new(id: &InstanceId, standing: Standing) -> Self {
        Self {
            id: Some(id.clone()),
            service: id.service().to_string(),
            instance: Some(id.instance().to_string()),
            standing: standing.word,
            reason: standing.reason,
            notes: standing.notes,
            live: standing.live.map(PlaceLine::from),
            ours: standing.ours.map(PlaceLine::from),
            changes: standing.changes,
        }
    }

    /// Of all instances of a service it cannot even be said which there are.
    pub(super) fn of_service(service: &ServiceName, reason: &str) -> Self {
        Self {
            id: None,
            service: service.to_string(),
            instance: None,
            standing: Word::Refused,
            reason: Some(reason.to_owned()),
            notes: Vec::new(),
            live: None,
            ours: None,
            changes: Vec::new(),
        }
    }
}

impl From<Place> for PlaceLine {
    fn from(place: Place) -> Self {
        Self { app_id: place.app.to_string(), home: place.home.to_string(), instances: place.instances }
    }
}
