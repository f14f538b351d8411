//! One line, and how it reads. Pure.

use paasta_core::{LogLevel, Timestamp};
use paasta_logs::LogLine;
use serde::Serialize;

use crate::options::Format;
use crate::paint::{Paint, Style};

/// A task's id is cut to this many characters in lines for people.
const TASK_CHARACTERS: usize = 8;

/// One line of a log, wherever it came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Line {
    #[serde(rename = "timestamp")]
    pub(super) at: Option<Timestamp>,
    pub(super) component: String,
    pub(super) level: LogLevel,
    pub(super) service: String,
    pub(super) cluster: String,
    pub(super) instance: String,
    /// The short id of the task that printed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) task: Option<String>,
    pub(super) message: String,
    /// As stored.
    #[serde(skip)]
    pub(super) raw: String,
}

impl Line {
    /// A line that PaaSTA wrote.
    pub(super) fn told(line: LogLine) -> Self {
        Self {
            at: line.at,
            component: line.component,
            level: line.level,
            service: line.service,
            cluster: line.cluster,
            instance: line.instance,
            task: line.pod,
            message: line.message,
            raw: line.raw,
        }
    }
}

/// How lines are shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    kind: Kind,
    paint: Paint,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Json,
    Raw,
    Stripped,
    Pretty,
}

impl Look {
    pub(super) fn new(raw: bool, stripped: bool, format: Format, paint: Paint) -> Self {
        let kind = match (format, raw, stripped) {
            (Format::Json, ..) => Kind::Json,
            (Format::Text, true, _) => Kind::Raw,
            (Format::Text, false, true) => Kind::Stripped,
            (Format::Text, false, false) => Kind::Pretty,
        };
        Self { kind, paint }
    }

    /// The line with its end. JSON is one object per line.
    pub(super) fn render(&self, line: &Line) -> String {
        match self.kind {
            Kind::Json => format!("{}\n", serde_json::to_string(line).unwrap_or_default()),
            Kind::Raw => format!("{}\n", line.raw),
            Kind::Stripped => format!("{}{}\n", time(line), line.message),
            Kind::Pretty => self.pretty(line),
        }
    }

    fn pretty(&self, line: &Line) -> String {
        let component = self.paint.text(style(&line.component), format!("[{}]", line.component));
        let task: Option<String> =
            line.task.as_ref().map(|task| task.chars().take(TASK_CHARACTERS).collect());
        let about = [Some(line.cluster.clone()), Some(line.instance.clone()), task];
        let about: Vec<String> = about.into_iter().flatten().filter(|part| part != "N/A").collect();
        let about = match about.is_empty() {
            true => String::new(),
            false => format!(" {}", about.join(" ")),
        };
        format!("{}{component}{about} - {}\n", time(line), line.message)
    }
}

fn time(line: &Line) -> String {
    let at = line.at.map(|at| at.to_string());
    // To the second, in UTC.
    at.and_then(|at| Some(format!("{}Z ", at.get(..19)?.replace('T', " ")))).unwrap_or_default()
}

/// The colours of components (monitoring.md §7.1).
fn style(component: &str) -> Style {
    match component {
        "deploy" => Style::Cyan,
        "monitoring" => Style::Green,
        "marathon" => Style::Magenta,
        "app_output" => Style::YellowBold,
        "stdout" | "stderr" => Style::Yellow,
        "security" | "oom" => Style::Red,
        "task_lifecycle" => Style::Bold,
        _ => Style::Blue,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(task: Option<&str>) -> Line {
        Line {
            at: task.is_none().then(|| Timestamp::from_seconds(1_600_000_000.5)),
            component: if task.is_some() { "stderr" } else { "deploy" }.to_owned(),
            level: LogLevel::Event,
            service: "web".to_owned(),
            cluster: "pnw".to_owned(),
            instance: if task.is_some() { "main" } else { "N/A" }.to_owned(),
            task: task.map(str::to_owned),
            message: "hello".to_owned(),
            raw: "{raw}".to_owned(),
        }
    }

    #[test]
    fn lines_read_plainly() {
        let plain = |raw, stripped| Look::new(raw, stripped, Format::Text, Paint::new(false));
        let check = |look: Look, line: &Line, text: &str| assert_eq!(look.render(line), text);
        check(plain(false, false), &line(None), "2020-09-13 12:26:40Z [deploy] pnw - hello\n");
        check(plain(false, false), &line(Some("0123456789")), "[stderr] pnw main 01234567 - hello\n");
        check(plain(false, true), &line(None), "2020-09-13 12:26:40Z hello\n");
        check(plain(true, false), &line(None), "{raw}\n");
        let json = Look::new(false, false, Format::Json, Paint::new(false)).render(&line(Some("t")));
        assert!(json.contains(r#""task":"t","message":"hello""#) && json.ends_with("}\n"), "{json}");
    }
}
