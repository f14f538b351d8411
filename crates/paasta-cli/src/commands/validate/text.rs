//! Findings for people.

use std::path::Path;

use paasta_config::{Finding, Severity};

use super::Checked;
use crate::paint::{Paint, Style};

/// Services with their findings, then how many of each.
///
/// ```text
/// ✗ web   1 error, 1 warning
///
///   web/marathon-pnw.yaml:2:3: error: main.cpu: there is no such key
///       hint: Did you mean `cpus`?
/// ```
pub(super) fn text(checked: &[Checked], cwd: &Path, paint: Paint) -> String {
    let mut out = String::new();
    let width = checked.iter().map(|one| one.service.as_str().chars().count()).max().unwrap_or(0);
    for one in checked {
        let mark = match one.is_valid() {
            true => paint.text(Style::Green, "✓"),
            false => paint.text(Style::Red, "✗"),
        };
        let counts = counts(one.count(Severity::Error), one.count(Severity::Warning));
        let line = format!("{:width$}  {counts}", one.service.as_str());
        out.push_str(&format!("{mark} {}\n", line.trim_end()));
        for finding in &one.findings {
            out.push_str(&told(finding, cwd, paint));
        }
        if !one.findings.is_empty() {
            out.push('\n');
        }
    }
    if checked.len() > 1 {
        if !out.ends_with("\n\n") {
            out.push('\n');
        }
        out.push_str(&summary(checked));
    }
    // No blank line at the end.
    let end = out.trim_end().len();
    out.truncate(end);
    out.push('\n');
    out
}

fn told(finding: &Finding, cwd: &Path, paint: Paint) -> String {
    let file = Path::new(&finding.file);
    let file = file.strip_prefix(cwd).unwrap_or(file).display();
    let place = match (finding.line, finding.column) {
        (Some(line), Some(column)) => format!("{file}:{line}:{column}"),
        _ => file.to_string(),
    };
    let style = match finding.severity {
        Severity::Error => Style::Red,
        Severity::Warning => Style::Yellow,
    };
    let severity = paint.text(style, format!("{}:", finding.severity));
    let hint = paint.text(Style::Cyan, "hint:");
    format!("  {place}: {severity} {}\n    {hint} {}\n", finding.message, finding.hint)
}

fn summary(checked: &[Checked]) -> String {
    let wrong = checked.iter().filter(|one| !one.is_valid()).count();
    let total = |severity| checked.iter().map(|one| one.count(severity)).sum();
    let counts = counts(total(Severity::Error), total(Severity::Warning));
    let services = plural(checked.len(), "service");
    match (wrong, counts.is_empty()) {
        (_, true) => format!("{services} checked, nothing found\n"),
        (0, false) => format!("{services} checked: {counts}\n"),
        (wrong, false) => format!("{services} checked, {wrong} with errors: {counts}\n"),
    }
}

fn counts(errors: usize, warnings: usize) -> String {
    let some = |count, noun| (count > 0).then(|| plural(count, noun));
    let parts: Vec<String> =
        [some(errors, "error"), some(warnings, "warning")].into_iter().flatten().collect();
    parts.join(", ")
}

fn plural(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
