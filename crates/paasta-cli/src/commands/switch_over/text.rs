//! The answer for people.

use super::judge::Word;
use super::report::{Report, Row};
use crate::changes::{self, Alike};
use crate::paint::{Paint, Style};
use crate::table::{self, Cell};

/// Everything; instances that are the same only with `all`.
pub(super) fn render(report: &Report, all: bool, paint: Paint) -> String {
    let mut out = String::new();
    for (home, why) in &report.silent {
        out.push_str(&format!("{} {home}: {why}\n", paint.text(Style::Red, "could not list the apps of")));
    }
    let noted = |row: &Row| row.standing != Word::Same || !row.notes.is_empty();
    let shown: Vec<&Row> = report.instances.iter().filter(|row| all || noted(row)).collect();
    let groups = changes::alike(&shown, all, alike);
    let heads: Vec<Vec<Cell>> = groups.iter().flat_map(heads_of).collect();
    let heads = table::render(&heads, 0, paint);
    let mut lines = heads.lines();
    for group in &groups {
        let rows = if group.in_one_line { 1 } else { group.rows.len() };
        for (row, line) in group.rows.iter().take(rows).zip(lines.by_ref()) {
            out.push_str(line);
            out.push('\n');
            out.push_str(&below(row, group.in_one_line, paint));
        }
    }
    if !out.is_empty() {
        out.push('\n');
    }
    out.push_str(&summary(report));
    out
}

/// Whether two rows say the same and nothing of their own.
fn alike(one: &Row, other: &Row) -> bool {
    let plain = |row: &Row| row.changes.is_empty() && row.notes.is_empty() && row.reason.is_some();
    plain(one) && plain(other) && (one.standing, &one.reason) == (other.standing, &other.reason)
}

/// The lines of a group: one for each, or one for all.
fn heads_of(group: &Alike<'_, Row>) -> Vec<Vec<Cell>> {
    match (group.in_one_line, group.rows.first()) {
        (true, Some(first)) => vec![head(first, &format!(" and {} others", group.rows.len() - 1))],
        _ => group.rows.iter().map(|row| head(row, "")).collect(),
    }
}

fn head(row: &Row, others: &str) -> Vec<Cell> {
    let name = match &row.instance {
        Some(instance) => format!("{}.{instance}", row.service),
        None => row.service.clone(),
    };
    let style = match row.standing {
        Word::Refused | Word::Unknown => Style::Red,
        Word::Differs | Word::Missing | Word::Extra => Style::Yellow,
        Word::Same => Style::Green,
    };
    let reason = row.reason.as_deref().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    vec![Cell::new(Style::Bold, name + others), Cell::new(style, row.standing.as_str()), reason.into()]
}

/// Ids where they differ, the first field that does, and notes.
fn below(row: &Row, for_all: bool, paint: Paint) -> String {
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    let label = |text| Cell::new(Style::Grey, text);
    let ids = |line: &Option<super::report::PlaceLine>| line.as_ref().map(|place| place.app_id.clone());
    let (live, ours) = (ids(&row.live), ids(&row.ours));
    if live != ours && !for_all {
        rows.extend(live.map(|id| vec![label("live"), id.into()]));
        rows.extend(ours.map(|id| vec![label("ours"), id.into()]));
    }
    rows.extend(row.notes.iter().map(|note| vec![label("note"), note.as_str().into()]));
    let mut out = table::render(&rows, 2, paint);
    let changed = changes::rows(&row.changes);
    let fields = changed.iter().filter(|row| row.len() > 1).count();
    if let Some(first) = changed.first() {
        out.push_str(&table::render(std::slice::from_ref(first), 2, paint));
    }
    if fields > 1 {
        let more = format!("and {} more, see --json", fields - 1);
        out.push_str(&format!("  {}\n", paint.text(Style::Grey, more)));
    }
    out
}

/// `41 instances: 40 same, 1 differs. 3 tasks are at stake.`
fn summary(report: &Report) -> String {
    let counts = Word::ALL.iter().rev().map(|word| (report.count(*word), word.as_str()));
    let counts: Vec<String> = counts
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| match (count, word) {
            (2.., "differs") => format!("{count} differ"),
            _ => format!("{count} {word}"),
        })
        .collect();
    let plural = |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
    let mut text = plural(report.summary.instances, "instance");
    if !counts.is_empty() {
        text.push_str(&format!(": {}", counts.join(", ")));
    }
    text.push_str(".\n");
    match report.is_same() {
        true => text.push_str("Switching over changes nothing.\n"),
        false if report.summary.tasks_at_stake > 0 => {
            let tasks = plural(report.summary.tasks_at_stake, "task");
            text.push_str(&format!(
                "{tasks} of instances that are not the same. docs/switch-over.md says what to do.\n"
            ));
        }
        false => text.push_str("docs/switch-over.md says what to do.\n"),
    }
    if report.summary.foreign_apps > 0 {
        let apps = plural(report.summary.foreign_apps, "app");
        let (are, rest) = if report.summary.foreign_apps == 1 { ("is", "is") } else { ("are", "are") };
        text.push_str(&format!("{apps} that {are} not PaaSTA's {rest} left alone.\n"));
    }
    text
}
