//! How one instance stands: what runs of it beside what we would run. Pure.

use paasta_config::FieldChange;
use paasta_core::{AppId, HomeId};
use paasta_deploy::{Side, Tasks, Version};
use paasta_marathon::{LiveApp, compare_with_live};

use crate::changes::Change;
use crate::renderings::Loaded;

/// In one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Word {
    Refused,
    Unknown,
    Differs,
    Missing,
    Extra,
    Same,
}

impl Word {
    pub(super) const ALL: [Word; 6] =
        [Word::Refused, Word::Unknown, Word::Differs, Word::Missing, Word::Extra, Word::Same];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Word::Refused => "refused",
            Word::Unknown => "unknown",
            Word::Differs => "differs",
            Word::Missing => "missing",
            Word::Extra => "extra",
            Word::Same => "same",
        }
    }
}

/// How an instance stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Standing {
    pub(super) word: Word,
    /// Why, where the changes alone do not say it.
    pub(super) reason: Option<String>,
    /// What is worth knowing and no difference.
    pub(super) notes: Vec<String>,
    /// The version that runs: ours if it does, else the largest.
    pub(super) live: Option<Place>,
    /// The version that we would run.
    pub(super) ours: Option<Place>,
    /// What differs; `old` is what runs.
    pub(super) changes: Vec<Change>,
}

/// A version, its home and its size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) app: AppId,
    pub(super) home: HomeId,
    /// None where it cannot be read.
    pub(super) instances: Option<usize>,
}

impl Standing {
    fn new(word: Word, reason: Option<&str>) -> Self {
        let reason = reason.map(str::to_owned);
        Self { word, reason, notes: Vec::new(), live: None, ours: None, changes: Vec::new() }
    }

    pub(super) fn refused(reason: &str) -> Self {
        Self::new(Word::Refused, Some(reason))
    }

    /// Something runs that we would not run; not even that is known if a home is silent.
    pub(super) fn extra(apps: Result<Vec<&LiveApp>, String>, reason: &str) -> Self {
        match apps {
            Ok(apps) => {
                Self { live: apps.first().map(|app| place(app)), ..Self::new(Word::Extra, Some(reason)) }
            }
            Err(why) => Self::new(Word::Unknown, Some(&why)),
        }
    }
}

/// How an instance stands; `apps` are its own, ours first, then the largest, or why they are not known. None if it is not
/// deployed and does not run. `tell` finds the settings behind fields.
pub(super) fn judge(
    ours: &Loaded,
    apps: Result<Vec<&LiveApp>, String>,
    tell: impl Fn(&[FieldChange]) -> Vec<Change>,
) -> Option<Standing> {
    let version = match &ours.side {
        Side::Refused(reason) => return Some(Standing::refused(reason)),
        Side::Unknown(reason) => return Some(Standing::new(Word::Unknown, Some(reason))),
        Side::Absent => {
            let runs = !matches!(&apps, Ok(apps) if apps.is_empty());
            return runs
                .then(|| Standing::extra(apps, "it is configured, but deployments.json does not have it"));
        }
        Side::Version(version) => version,
    };
    let wanted = Place {
        app: version.app.clone(),
        home: version.home.clone(),
        instances: match version.tasks {
            Tasks::Known(count) => Some(count),
            Tasks::Between { .. } => None,
        },
    };
    let apps = match apps {
        Ok(apps) => apps,
        Err(why) => return Some(Standing { ours: Some(wanted), ..Standing::new(Word::Unknown, Some(&why)) }),
    };
    let Some((app, others)) = apps.split_first() else {
        return Some(Standing { ours: Some(wanted), ..Standing::new(Word::Missing, None) });
    };
    let body = ours.rendered.as_ref().map(|rendered| rendered.body.as_str()).unwrap_or_default();
    let mut standing = compared(app, version, body, tell);
    standing.live = Some(place(app));
    standing.ours = Some(wanted);
    if !others.is_empty() {
        let ids: Vec<&str> = others.iter().map(|other| other.id.as_str()).collect();
        standing.notes.push(format!("other versions stand there as well: {}", ids.join(", ")));
    }
    Some(standing)
}

fn compared(
    app: &LiveApp,
    version: &Version,
    body: &str,
    tell: impl Fn(&[FieldChange]) -> Vec<Change>,
) -> Standing {
    let difference = match compare_with_live(app, body) {
        Ok(difference) => difference,
        Err(error) => {
            return Standing::new(Word::Unknown, Some(&format!("our own body is no JSON: {error}")));
        }
    };
    let mut changes = difference.definition;
    changes.extend(tasks(app, version));
    let mut notes = Vec::new();
    if !difference.creation_only.is_empty() {
        notes
            .push("`backoffSeconds` differs, which is sent at creation only and left alone after".to_owned());
    }
    let reason = match (app.id == version.app, app.home == version.home) {
        (true, true) if changes.is_empty() => None,
        (true, true) => {
            Some("the id is the same: it was changed by hand, or only its size differs".to_owned())
        }
        (true, false) => Some(format!("it lives in {}, we would run it in {}", app.home, version.home)),
        (false, _) => Some("the id differs: every task would be replaced".to_owned()),
    };
    let word = match (&reason, &version.tasks) {
        (Some(_), _) => Word::Differs,
        (None, Tasks::Between { why, .. }) => {
            let why = format!("it is the same but for its size, which cannot be compared: {why}");
            return Standing { notes, ..Standing::new(Word::Unknown, Some(&why)) };
        }
        (None, Tasks::Known(_)) => Word::Same,
    };
    Standing { notes, changes: tell(&changes), ..Standing::new(word, reason.as_deref()) }
}

fn tasks(app: &LiveApp, version: &Version) -> Option<FieldChange> {
    let differs = match version.tasks {
        Tasks::Known(count) => count != app.instances,
        Tasks::Between { least, most, .. } => !(least..=most).contains(&app.instances),
    };
    differs.then(|| FieldChange {
        field: "instances".to_owned(),
        old: Some(app.instances.to_string()),
        new: Some(version.tasks.most().to_string()),
    })
}

fn place(app: &LiveApp) -> Place {
    Place { app: app.id.clone(), home: app.home.clone(), instances: Some(app.instances) }
}
