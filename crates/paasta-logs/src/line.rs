//! The line of a record, written and read. Pure.

use paasta_core::{LogLevel, LogRecord, Timestamp};
use serde_json::{Value, json};

use crate::json::python_text;

/// What stands where a line is about no one instance, or no one cluster.
pub(crate) const NOT_APPLICABLE: &str = "N/A";

/// The kinds of work that lines are about, sorted.
pub const COMPONENTS: &[&str] = &[
    "app_output",
    "build",
    "deploy",
    "marathon",
    "monitoring",
    "oom",
    "security",
    "stderr",
    "stdout",
    "task_lifecycle",
];

/// A component that nobody would find again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown component {component:?}, expected one of: {}", COMPONENTS.join(", "))]
pub struct UnknownComponent {
    /// As given.
    pub component: String,
}

/// The line of a record: JSON with sorted keys, the message trimmed and without terminal colours.
///
/// ```
/// let record = paasta_core::LogRecord {
///     at: "2021-04-01T00:00:00Z".parse().expect("a time"),
///     service: "web".to_owned(),
///     instance: None,
///     cluster: None,
///     component: "build".to_owned(),
///     level: paasta_core::LogLevel::Event,
///     message: "built".to_owned(),
/// };
/// assert_eq!(
///     paasta_logs::format_record(&record).expect("a component"),
///     r#"{"cluster": "N/A", "component": "build", "instance": "N/A", "level": "event", "message": "built", "service": "web", "timestamp": "2021-04-01T00:00:00"}"#
/// );
/// ```
pub fn format_record(record: &LogRecord) -> Result<String, UnknownComponent> {
    if !COMPONENTS.contains(&record.component.as_str()) {
        return Err(UnknownComponent { component: record.component.clone() });
    }
    Ok(python_text(&json!({
        "timestamp": timestamp_text(record.at),
        "level": level_text(record.level),
        "cluster": record.cluster.as_deref().unwrap_or(NOT_APPLICABLE),
        "service": record.service,
        "instance": record.instance.as_deref().unwrap_or(NOT_APPLICABLE),
        "component": record.component,
        "message": without_colours(record.message.trim()),
    })))
}

/// One line as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When, unless that could not be read.
    pub at: Option<Timestamp>,
    /// Of which service.
    pub service: String,
    /// Of which instance, or `N/A`.
    pub instance: String,
    /// In which cluster, or `N/A`.
    pub cluster: String,
    /// What kind of work.
    pub component: String,
    /// Who wants to read it.
    pub level: LogLevel,
    /// The message.
    pub message: String,
    /// The container that printed it, where whoever collected the line says so.
    pub pod: Option<String>,
    /// The line as stored.
    pub raw: String,
}

impl LogLine {
    /// Reads a stored line. `None` if it is not one of ours.
    pub fn parse(raw: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(raw).ok()?;
        let text = |key: &str| value.get(key).and_then(Value::as_str);
        Some(Self {
            at: text("timestamp").and_then(parse_timestamp),
            service: text("service")?.to_owned(),
            instance: text("instance").unwrap_or(NOT_APPLICABLE).to_owned(),
            cluster: text("cluster").unwrap_or(NOT_APPLICABLE).to_owned(),
            component: text("component")?.to_owned(),
            level: match text("level")? {
                "event" => LogLevel::Event,
                "debug" => LogLevel::Debug,
                _ => return None,
            },
            message: text("message")?.to_owned(),
            pod: text("pod_name").map(str::to_owned),
            raw: raw.to_owned(),
        })
    }
}

/// The word of a level, in lines and in paths.
pub(crate) fn level_text(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Event => "event",
        LogLevel::Debug => "debug",
    }
}

/// As Python's `datetime.isoformat`: UTC without a zone, microseconds unless they are zero.
pub(crate) fn timestamp_text(at: Timestamp) -> String {
    let text = at.to_string();
    let text = text.strip_suffix('Z').unwrap_or(&text);
    text.strip_suffix(".000").map_or_else(|| format!("{text}000"), str::to_owned)
}

/// A time without a zone is UTC.
fn parse_timestamp(text: &str) -> Option<Timestamp> {
    text.parse().or_else(|_| format!("{text}Z").parse()).ok()
}

/// The text without `ESC [ … m` and `ESC [ … K`.
fn without_colours(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(index) = rest.find("\u{1b}[") {
        let (before, from_escape) = rest.split_at(index);
        plain.push_str(before);
        let arguments = &from_escape[2..];
        let end = arguments.find(|c: char| !c.is_ascii_digit() && c != ';');
        match end.map(|end| arguments.split_at(end).1) {
            Some(after) if after.starts_with(['m', 'K']) => rest = &after[1..],
            _ => {
                plain.push_str(&from_escape[..2]);
                rest = arguments;
            }
        }
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(component: &str, message: &str) -> LogRecord {
        LogRecord {
            at: "2021-04-01T00:00:00.123Z".parse().unwrap(),
            service: "web".to_owned(),
            instance: Some("main".to_owned()),
            cluster: Some("prod".to_owned()),
            component: component.to_owned(),
            level: LogLevel::Event,
            message: message.to_owned(),
        }
    }

    /// Behaviour of PaaSTA's `format_log_line`.
    #[test]
    fn a_line_is_sorted_ascii_without_colours() {
        assert_eq!(
            format_record(&record("deploy", "  \u{1b}[31mred\u{1b}[0m é \n")).unwrap(),
            r#"{"cluster": "prod", "component": "deploy", "instance": "main", "level": "event", "message": "red \u00e9", "service": "web", "timestamp": "2021-04-01T00:00:00.123000"}"#
        );
        assert!(format_record(&record("gossip", "x")).unwrap_err().to_string().contains("gossip"));
    }

    #[test]
    fn only_colours_go() {
        for (text, plain) in [
            ("\u{1b}[1;31mx\u{1b}[K", "x"),
            ("\u{1b}[2Jx", "\u{1b}[2Jx"),
            ("x\u{1b}[", "x\u{1b}["),
            ("x\u{1b}[31", "x\u{1b}[31"),
            ("[31mx", "[31mx"),
            ("\u{1b}[\u{1b}[mé", "\u{1b}[é"),
        ] {
            assert_eq!(without_colours(text), plain, "{text:?}");
        }
    }

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let raw = format_record(&record("deploy", "x")).unwrap();
        let line = LogLine::parse(&raw).unwrap();
        assert_eq!(line.at, Some(record("", "").at));
        assert_eq!((line.component.as_str(), line.message.as_str(), line.raw), ("deploy", "x", raw));
        for bad in
            ["", "x", "{}", "[]", r#"{"service": "s", "component": "c", "level": "loud", "message": "m"}"#]
        {
            assert_eq!(LogLine::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn components_are_sorted() {
        assert!(COMPONENTS.is_sorted());
    }
}
