//! The answer for people: what changes, why, and how far it reaches.

use paasta_deploy::Effect;

use super::report::{Report, Row, VersionLine};
use crate::changes::{self, Alike};
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
    let groups = changes::alike(&shown, all, alike);
    // One table, so that all instances align; the fields of each group go below its lines.
    let lines: Vec<Vec<Cell>> = groups.iter().flat_map(heads_of).collect();
    let table = table::render(&lines, 0, paint);
    let mut lines = table.lines();
    for group in &groups {
        for line in lines.by_ref().take(heads_of(group).len()) {
            out.push_str(line);
            out.push('\n');
        }
        let changed = group.rows.first().map(|row| changes::rows(&row.changes)).unwrap_or_default();
        out.push_str(&table::render(&changed, 2, paint));
    }
    out.push('\n');
    out.push_str(&summary(report));
    out.push('\n');
    out
}

fn is_quiet(effect: Effect) -> bool {
    matches!(effect, Effect::Unchanged | Effect::NotDeployed)
}

/// Whether two rows say the same, and more than their effect.
fn alike(one: &Row, other: &Row) -> bool {
    let says_more = !one.changes.is_empty() || one.reason.is_some();
    says_more && one.effect == other.effect && one.reason == other.reason && one.changes == other.changes
}

/// The lines of a group: one for each, or one for all.
fn heads_of(group: &Alike<'_, Row>) -> Vec<Vec<Cell>> {
    match (group.in_one_line, group.rows.first()) {
        (true, Some(first)) => {
            let others = format!("{} and {} others", name(first), group.rows.len() - 1);
            let replaced = group.rows.iter().map(|row| row.tasks_replaced).sum();
            let at_most = group.rows.iter().any(|row| row.at_most);
            let said = (first.effect == Effect::Bounce).then(|| replacing(replaced, at_most));
            vec![head(others, first.effect, with_reason(said, first))]
        }
        _ => group.rows.iter().map(|row| head(name(row), row.effect, detail(row))).collect(),
    }
}

fn name(row: &Row) -> String {
    match &row.instance {
        Some(instance) => format!("{}.{instance}", row.service),
        None => row.service.clone(),
    }
}

fn head(name: String, effect: Effect, detail: String) -> Vec<Cell> {
    let word = effect.as_str().replace('_', " ");
    vec![Cell::new(Style::Bold, name), Cell::new(style(effect), word), detail.into()]
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
    let tasks = |line: &Option<VersionLine>| line.as_ref().and_then(|version| version.instances);
    let verb = |line, one: &str, many: &str| {
        tasks(line).map(|count| format!("{} {}", counted(count, "task"), if count == 1 { one } else { many }))
    };
    let said = match row.effect {
        Effect::Bounce => Some(replacing(row.tasks_replaced, row.at_most)),
        Effect::Stop => verb(&row.from, "ends", "end"),
        Effect::Create => verb(&row.to, "starts", "start"),
        Effect::Orphan => verb(&row.from, "runs on unattended", "run on unattended"),
        _ => None,
    };
    with_reason(said, row)
}

/// What is said of a row, and the reason it has.
fn with_reason(said: Option<String>, row: &Row) -> String {
    let one_line = |reason: &str| reason.split_whitespace().collect::<Vec<_>>().join(" ");
    let parts: Vec<String> = said.into_iter().chain(row.reason.as_deref().map(one_line)).collect();
    parts.join("; ")
}

fn replacing(count: usize, at_most: bool) -> String {
    let limit = if at_most { "at most " } else { "" };
    let verb = if count == 1 { "is" } else { "are" };
    format!("{limit}{} {verb} replaced", counted(count, "task"))
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// `3 of 41 instances bounce, 12 tasks are replaced; 1 scales.`
fn summary(report: &Report) -> String {
    let of = counted(report.summary.instances, "instance");
    let bounces = report.count(Effect::Bounce);
    let uncertain = report.count(Effect::Unknown) + report.count(Effect::Refused);
    let mut parts = vec![match bounces {
        // Of what is unknown nobody can say that it does not bounce.
        0 if uncertain > 0 && report.summary.instances == 0 => "No instance could be looked at".to_owned(),
        0 if uncertain > 0 => format!("{of} looked at"),
        0 => format!("None of {of} bounces"),
        _ => {
            let verb = if bounces == 1 { "bounces" } else { "bounce" };
            let summary = &report.summary;
            let replaced = replacing(summary.tasks_replaced, summary.tasks_replaced_at_most);
            format!("{bounces} of {of} {verb}, {replaced}")
        }
    }];
    let others = [
        (Effect::Scale, "scales", "scale"),
        (Effect::Stop, "stops", "stop"),
        (Effect::Create, "is created", "are created"),
        (Effect::Orphan, "runs on, though no longer wanted", "run on, though no longer wanted"),
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
