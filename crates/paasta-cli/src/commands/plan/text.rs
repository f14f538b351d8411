//! The answer for people: what changes, why, and how far it reaches.

use paasta_deploy::Effect;

use super::report::{Report, Row};
use crate::changes;
use crate::paint::{Paint, Style};
use crate::table::{self, Cell};

/// Everything; instances that do not change only with `all`.
pub(super) fn render(report: &Report, all: bool, paint: Paint) -> String {
    let heads = [("cluster", &report.cluster), ("from", &report.from), ("to", &report.to)];
    let heads: Vec<Vec<Cell>> = heads
        .into_iter()
        .map(|(name, value)| vec![Cell::new(Style::Grey, name), value.as_str().into()])
        .collect();
    let mut out = table::render(&heads, 0, paint);
    let shown: Vec<&Row> = report.instances.iter().filter(|row| all || !is_quiet(row.effect)).collect();
    if !shown.is_empty() {
        out.push('\n');
    }
    let lines: Vec<Vec<Cell>> = shown.iter().map(|row| head(row)).collect();
    // One table, so that all instances align; the fields of each go below its line.
    let lines = table::render(&lines, 0, paint);
    for (line, row) in lines.lines().zip(&shown) {
        out.push_str(line);
        out.push('\n');
        out.push_str(&table::render(&changes::rows(&row.changes), 2, paint));
    }
    out.push('\n');
    out.push_str(&summary(report));
    out.push('\n');
    out
}

fn is_quiet(effect: Effect) -> bool {
    matches!(effect, Effect::Unchanged | Effect::NotDeployed)
}

fn head(row: &Row) -> Vec<Cell> {
    let name = match &row.instance {
        Some(instance) => format!("{}.{instance}", row.service),
        None => row.service.clone(),
    };
    vec![
        Cell::new(Style::Bold, name),
        Cell::new(style(row.effect), row.effect.as_str().replace('_', " ")),
        detail(row).into(),
    ]
}

fn style(effect: Effect) -> Style {
    match effect {
        Effect::Refused | Effect::Unknown => Style::Red,
        Effect::Bounce | Effect::Stop | Effect::Orphan => Style::Yellow,
        Effect::Create | Effect::Scale => Style::Green,
        Effect::Unchanged | Effect::NotDeployed => Style::Grey,
    }
}

fn detail(row: &Row) -> String {
    let tasks = |line: &Option<super::report::VersionLine>| {
        line.as_ref().and_then(|version| version.instances).map(|count| counted(count, "task"))
    };
    let said = match row.effect {
        Effect::Bounce => Some(match row.tasks_replaced {
            1 => format!("{}1 task is replaced", most(row.at_most)),
            count => format!("{}{} are replaced", most(row.at_most), counted(count, "task")),
        }),
        Effect::Stop => {
            tasks(&row.from).map(|tasks| format!("{tasks} ends").replace("tasks ends", "tasks end"))
        }
        Effect::Create => {
            tasks(&row.to).map(|tasks| format!("{tasks} starts").replace("tasks starts", "tasks start"))
        }
        Effect::Orphan => Some(
            tasks(&row.from)
                .map_or_else(|| "runs on".to_owned(), |tasks| format!("{tasks}, runs on unattended")),
        ),
        _ => None,
    };
    let reason = row.reason.as_deref().map(one_line);
    let parts: Vec<String> = said.into_iter().chain(reason).collect();
    parts.join("; ")
}

fn most(at_most: bool) -> &'static str {
    if at_most { "at most " } else { "" }
}

fn one_line(reason: &str) -> String {
    reason.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// `3 of 41 instances bounce, 12 tasks are replaced; 1 scales.`
fn summary(report: &Report) -> String {
    let of = report.summary.instances;
    let bounces = report.count(Effect::Bounce);
    let mut parts = vec![match bounces {
        0 => format!("None of {} bounces", counted(of, "instance")),
        _ => {
            let verb = if bounces == 1 { "bounces" } else { "bounce" };
            let replaced = report.summary.tasks_replaced;
            format!(
                "{bounces} of {} {verb}, {}{} {} replaced",
                counted(of, "instance"),
                most(report.summary.tasks_replaced_at_most),
                counted(replaced, "task"),
                if replaced == 1 { "is" } else { "are" },
            )
        }
    }];
    let others = [
        (Effect::Scale, "scales", "scale"),
        (Effect::Stop, "stops", "stop"),
        (Effect::Create, "is created", "are created"),
        (Effect::Orphan, "runs on without configuration", "run on without configuration"),
        (Effect::Refused, "is refused", "are refused"),
        (Effect::Unknown, "is unknown", "are unknown"),
        (Effect::NotDeployed, "is not deployed", "are not deployed"),
    ];
    for (effect, one, many) in others {
        match report.count(effect) {
            0 => {}
            1 => parts.push(format!("1 {one}")),
            count => parts.push(format!("{count} {many}")),
        }
    }
    format!("{}.", parts.join("; "))
}
