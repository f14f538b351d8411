//! An event from what is configured and what its sender says (monitoring.md §1.2–1.4).

use paasta_config::{Node, SettingError, Value};
use paasta_core::{AlertEvent, CheckStatus, Mail, OneOrMany};

use crate::{Interval, Layers};

/// The runbook of events whose owner names none.
pub const RUNBOOK: &str = "http://y/paasta-troubleshooting";
/// How often an event is to be expected where nobody says.
pub const CHECK_EVERY: Interval = Interval::of_seconds(60);
/// How long something has to go on before anybody is told, where nobody says.
pub const ALERT_AFTER: Interval = Interval::of_seconds(300);
/// Told at the first, second, fourth, eighth event, and so on.
pub const REALERT_BACKOFF: i64 = -1;
/// What an event without a tip asks for.
const NO_TIP: &str = "no tip is set: add `tip` to monitoring.yaml, to say in a line what to do";
/// What the library of the original writes where a runbook is empty.
const NO_RUNBOOK: &str = "Please set a runbook!";

/// A value that a sender has for a member of its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said<T> {
    /// Whatever is configured.
    Always(T),
    /// Where nothing is configured.
    Otherwise(T),
}

impl<T> Said<T> {
    fn value(&self) -> &T {
        match self {
            Self::Always(value) | Self::Otherwise(value) => value,
        }
    }
}

/// What one kind of event says by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Sender {
    /// The name of its check, without the instance.
    pub check: &'static str,
    /// How often it comes. What the service's files say of that is never read: only the instance's own map counts.
    pub check_every: Said<Interval>,
    /// How long before anybody is told.
    pub alert_after: Said<Interval>,
    /// Every how manyth event tells again.
    pub realert_every: Said<i64>,
    /// Where it stands what to do.
    pub runbook: Said<String>,
    /// What to do, in a line.
    pub tip: Said<String>,
    /// Whether somebody is woken, if that is not for the owner to say.
    pub page: Option<bool>,
    /// What more there is to know, if that is not for the owner to say.
    pub description: Option<String>,
}

impl Sender {
    /// One that leaves all to the owner.
    pub fn new(check: &'static str) -> Self {
        Self {
            check,
            check_every: Said::Otherwise(CHECK_EVERY),
            alert_after: Said::Otherwise(ALERT_AFTER),
            realert_every: Said::Otherwise(REALERT_BACKOFF),
            runbook: Said::Otherwise(RUNBOOK.to_owned()),
            tip: Said::Otherwise(NO_TIP.to_owned()),
            page: None,
            description: None,
        }
    }
}

/// Why there is no event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSent {
    /// Nobody would be told.
    #[error("no `team` is set, so nobody is told: set it in monitoring.yaml")]
    NoTeam,
    /// Sensu takes no such name.
    #[error("`{name}` cannot be the name of a check: it may hold letters, digits, `_`, `.` and `-` alone")]
    Name {
        /// The name.
        name: String,
    },
}

/// An event, and what of its settings could not be used.
#[derive(Clone, Debug, PartialEq)]
pub struct Composed {
    /// The event; where a setting could not be used, the default stands instead of it.
    pub event: AlertEvent,
    /// Those settings. They are worth telling and keep no alert back.
    pub problems: Vec<SettingError>,
}

/// What an event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The name of the event: `<check>.<service>.<instance>`.
    pub name: String,
    /// What was found.
    pub status: CheckStatus,
    /// What there is to say.
    pub output: String,
    /// The cluster; `None` where this host knows none, which is written as `localhost`.
    pub cluster: Option<String>,
}

/// The event that tells `finding`.
///
/// # Errors
/// Nobody would be told, or the name is none that Sensu takes.
pub fn compose(sender: &Sender, layers: &Layers, finding: Finding) -> Result<Composed, NotSent> {
    let mut read = Read { layers, problems: Vec::new() };
    let team = read.text("team").filter(|team| !team.is_empty()).ok_or(NotSent::NoTeam)?;
    if !is_check_name(&finding.name) {
        return Err(NotSent::Name { name: finding.name });
    }
    let source = format!("paasta-{}", finding.cluster.as_deref().unwrap_or("localhost"));
    let runbook = read.said("runbook", &sender.runbook);
    let event = AlertEvent {
        name: finding.name,
        status: finding.status,
        output: finding.output,
        handler: "default",
        team,
        runbook: runbook.filter(|text| !text.is_empty()).unwrap_or_else(|| NO_RUNBOOK.to_owned()),
        tip: read.said("tip", &sender.tip),
        notification_email: read.mail(),
        interval: read.check_every(sender).seconds(),
        page: sender.page.or_else(|| read.boolean("page")),
        realert_every: read.realert_every(sender),
        dependencies: Vec::new(),
        alert_after: read.alert_after(sender).seconds(),
        ticket: read.boolean("ticket").unwrap_or(false),
        project: read.text("project"),
        priority: read.text("priority"),
        source: Some(source),
        tags: read.texts("tags").unwrap_or_default(),
        ttl: None,
        irc_channels: read.texts("irc_channels"),
        slack_channels: read.texts("slack_channels"),
        component: read.one_or_many("component"),
        description: sender.description.clone().or_else(|| read.text("description")),
    };
    Ok(Composed { event, problems: read.problems })
}

/// Letters and digits of any script, `_`, `.` and `-`.
fn is_check_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

/// Reads settings as what they can only mean; what can mean nothing is a problem, and as good as not set.
struct Read<'a> {
    layers: &'a Layers,
    problems: Vec<SettingError>,
}

impl<'a> Read<'a> {
    fn wrong<T>(&mut self, key: &str, node: &Node, expected: &str) -> Option<T> {
        self.problems.push(SettingError::new(format!("monitoring.{key}"), node, expected));
        None
    }

    /// The value, unless it is null.
    fn set(&self, key: &str) -> Option<&'a Node> {
        self.layers.get(key).filter(|node| !node.is_null())
    }

    /// A text. Numbers are as good as their digits.
    fn text(&mut self, key: &str) -> Option<String> {
        let node = self.set(key)?;
        scalar(node).or_else(|| self.wrong(key, node, "a string"))
    }

    /// What is configured, null included, else what the sender says.
    fn said(&mut self, key: &str, said: &Said<String>) -> Option<String> {
        match (said, self.layers.get(key)) {
            (Said::Otherwise(_), Some(_)) => self.text(key),
            _ => Some(said.value().clone()),
        }
    }

    fn boolean(&mut self, key: &str) -> Option<bool> {
        let node = self.set(key)?;
        match node.value {
            Value::Bool(value) => Some(value),
            // Handlers ask no more than whether there is something.
            _ => Some(node.is_truthy()),
        }
    }

    /// A list of texts; one text is a list of one.
    fn texts(&mut self, key: &str) -> Option<Vec<String>> {
        let node = self.set(key)?;
        let list = node.as_list().map(|list| list.iter().map(scalar).collect::<Option<Vec<_>>>());
        let texts = list.unwrap_or_else(|| scalar(node).map(|text| vec![text]));
        texts.or_else(|| self.wrong(key, node, "a list of strings"))
    }

    fn one_or_many(&mut self, key: &str) -> Option<OneOrMany> {
        let node = self.set(key)?;
        match scalar(node) {
            Some(text) => Some(OneOrMany::One(text)),
            None => self.texts(key).map(OneOrMany::Many),
        }
    }

    fn mail(&mut self) -> Mail {
        const KEY: &str = "notification_email";
        match self.set(KEY) {
            None => Mail::TeamDefault,
            Some(Node { value: Value::Bool(false), .. }) => Mail::Nobody,
            Some(Node { value: Value::Bool(true), .. }) => Mail::TeamDefault,
            Some(node) => match self.texts(KEY) {
                Some(addresses) => Mail::To(addresses.join(",")),
                None => {
                    // The list is what was found wrong; say what else it may be.
                    self.problems.pop();
                    let _: Option<()> =
                        self.wrong(KEY, node, "addresses with commas between them, or `false`");
                    Mail::TeamDefault
                }
            },
        }
    }

    /// A text of numbers with units, or a whole number of seconds.
    fn interval(&mut self, key: &str, node: &Node) -> Option<Interval> {
        let read = match &node.value {
            Value::Int(seconds) => u64::try_from(*seconds).ok().map(Interval::of_seconds),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        read.or_else(|| self.wrong(key, node, "a length of time such as `10m` or `1h30m`"))
    }

    fn check_every(&mut self, sender: &Sender) -> Interval {
        const KEY: &str = "check_every";
        let own = match sender.check_every {
            Said::Always(_) => None,
            Said::Otherwise(_) => self.layers.instance.get_set(KEY),
        };
        own.and_then(|node| self.interval(KEY, node)).unwrap_or(*sender.check_every.value())
    }

    fn alert_after(&mut self, sender: &Sender) -> Interval {
        const KEY: &str = "alert_after";
        let own = match sender.alert_after {
            Said::Always(_) => None,
            Said::Otherwise(_) => self.set(KEY),
        };
        own.and_then(|node| self.interval(KEY, node)).unwrap_or(*sender.alert_after.value())
    }

    fn realert_every(&mut self, sender: &Sender) -> i64 {
        const KEY: &str = "realert_every";
        let (Said::Otherwise(default), Some(node)) = (sender.realert_every, self.set(KEY)) else {
            return *sender.realert_every.value();
        };
        let read = match &node.value {
            Value::Int(every) => Some(*every),
            Value::Float(every) if every.is_finite() => Some(every.trunc() as i64),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let read = read.filter(|every| *every == REALERT_BACKOFF || *every > 0);
        read.or_else(|| self.wrong(KEY, node, "a number of events, or -1")).unwrap_or(default)
    }
}

fn scalar(node: &Node) -> Option<String> {
    match &node.value {
        Value::String(text) | Value::Date(text) | Value::BigInt(text) => Some(text.clone()),
        Value::Int(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
#[path = "compose_tests.rs"]
mod tests;
