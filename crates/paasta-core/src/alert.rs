//! What people are alerted with, and the port to whoever alerts them (monitoring.md §1).

use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::{InstanceId, Timestamp};

/// What a check found, numbered as checks end and as events carry it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CheckStatus {
    /// All is well: 0.
    Ok,
    /// Look at it some time: 1.
    Warning,
    /// Something is wrong: 2.
    Critical,
    /// It could not be told: 3.
    Unknown,
}

impl CheckStatus {
    /// The number: also the exit code of a check.
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }

    /// The word that people know it by.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }
}

impl std::fmt::Display for CheckStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.word())
    }
}

impl Serialize for CheckStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.code())
    }
}

/// An event for Sensu, every member of it, in the order in which it is written. Lengths of time are in seconds. What is
/// `None` is written as null, which leaves it to the team's own settings; the last four are left out instead.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AlertEvent {
    /// The check: letters, digits, `_`, `.` and `-`. With the source it says which alert it is about.
    pub name: String,
    /// What the check found.
    pub status: CheckStatus,
    /// What it has to say.
    pub output: String,
    /// Always `default`.
    pub handler: &'static str,
    /// Who is told. Never empty.
    pub team: String,
    /// Where it stands what to do.
    pub runbook: String,
    /// What to do, in a line.
    pub tip: Option<String>,
    /// Who gets mail.
    pub notification_email: Mail,
    /// How often such an event is to be expected.
    pub interval: u64,
    /// Whether somebody is woken.
    pub page: Option<bool>,
    /// Every how manyth event tells again; −1 for the first, second, fourth, eighth, ….
    pub realert_every: i64,
    /// Checks whose alerts hide this one.
    pub dependencies: Vec<String>,
    /// How long it has to go on before anybody is told.
    pub alert_after: u64,
    /// Whether a ticket is made.
    pub ticket: bool,
    /// In which project.
    pub project: Option<String>,
    /// Of which priority.
    pub priority: Option<String>,
    /// Whom it stands for instead of the sending host: `paasta-<cluster>`.
    pub source: Option<String>,
    /// Labels of the ticket.
    pub tags: Vec<String>,
    /// After how long a silence is itself an alert.
    pub ttl: Option<u64>,
    /// Where it is told; an empty list is nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub irc_channels: Option<Vec<String>>,
    /// Where it is told; an empty list is nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slack_channels: Option<Vec<String>>,
    /// The components of the ticket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component: Option<OneOrMany>,
    /// What more there is to know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// Who gets mail about an alert.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Mail {
    /// Whoever the team's own settings name; written as null.
    #[default]
    TeamDefault,
    /// Nobody; written as `false`.
    Nobody,
    /// These addresses, with commas between them.
    To(String),
}

impl Serialize for Mail {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::TeamDefault => serializer.serialize_none(),
            Self::Nobody => serializer.serialize_bool(false),
            Self::To(addresses) => serializer.serialize_str(addresses),
        }
    }
}

/// A text or a list of texts, written as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OneOrMany {
    /// One text.
    One(String),
    /// A list.
    Many(Vec<String>),
}

impl Serialize for OneOrMany {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::One(text) => serializer.serialize_str(text),
            Self::Many(texts) => texts.serialize(serializer),
        }
    }
}

/// An event with what sinks other than Sensu want to know besides.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Alert {
    /// When it was found.
    pub at: Timestamp,
    /// In which cluster; `None` where this host knows none.
    pub cluster: Option<String>,
    /// About which instance.
    pub instance: InstanceId,
    /// The kind of check: the name of the event without the instance.
    pub check: String,
    /// What is sent.
    pub event: AlertEvent,
}

/// Who alerts people. Never fails and never waits: a sink that is down loses alerts, and says so by itself.
pub trait AlertSink: Send + Sync {
    /// Sends an alert, or word that all is well again.
    fn alert(&self, alert: &Alert);
}

impl<T: AlertSink + ?Sized> AlertSink for Arc<T> {
    fn alert(&self, alert: &Alert) {
        (**self).alert(alert);
    }
}

/// Alerts nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoAlerts;

impl AlertSink for NoAlerts {
    fn alert(&self, _alert: &Alert) {}
}
