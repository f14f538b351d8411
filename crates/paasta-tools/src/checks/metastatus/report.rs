//! The health of a cluster as text, as JSON and as metrics.

use std::fmt::Write as _;

use paasta_core::{CheckStatus, Reading, Timestamp};
use paasta_monitoring::Resource;
use paasta_monitoring::utilisation::Group;
use serde::Serialize;

use super::{Question, Report, Section, table};
use crate::checks::json_line;
use crate::checks::metrics::Metrics;

/// What the program is called.
const NAME: &str = "paasta_metastatus";

#[derive(Serialize)]
struct Summary<'a> {
    kind: &'static str,
    check: &'static str,
    version: &'static str,
    status: CheckStatus,
    word: &'static str,
    output: String,
    leader: &'a Reading<String>,
    sections: &'a [Section],
    groups: &'a Option<Reading<Vec<Group>>>,
    agents: &'a Option<Reading<Vec<Group>>>,
}

/// One line of JSON.
pub fn json(report: &Report) -> String {
    json_line(&Summary {
        kind: "summary",
        check: NAME,
        version: env!("CARGO_PKG_VERSION"),
        status: report.status,
        word: report.status.word(),
        output: report.sections.iter().map(headline).collect::<Vec<_>>().join(", "),
        leader: &report.leader,
        sections: &report.sections,
        groups: &report.groups,
        agents: &report.agents,
    })
}

fn headline(section: &Section) -> String {
    format!("{} Status: {}", section.name, section.status())
}

/// The text: of each section whether it is well, and its lines, at verbosity 0 those alone that are not well; from verbosity 2 on the
/// tables.
pub fn text(report: &Report, question: &Question) -> String {
    let mut text = format!("paasta metastatus {}\n", env!("CARGO_PKG_VERSION"));
    match &report.leader {
        Reading::Known(leader) => {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "Mesos leader: {leader}");
        }
        Reading::Unknown(reason) => {
            let _ = writeln!(text, "Mesos leader: unknown ({reason})");
        }
    }
    for section in &report.sections {
        let _ = writeln!(text, "{}", headline(section));
        let told = |status: CheckStatus| question.verbosity >= 1 || status != CheckStatus::Ok;
        for line in section.lines.iter().filter(|line| told(line.status)) {
            let mark = match line.status {
                CheckStatus::Ok => String::new(),
                status => format!("{status}: "),
            };
            let _ = writeln!(text, "  {mark}{}", line.message.replace('\n', "\n  "));
        }
        if section.name == "Mesos" {
            add_tables(&mut text, report, question);
        }
    }
    text
}

fn add_tables(text: &mut String, report: &Report, question: &Question) {
    for (groups, count_agents) in [(&report.groups, true), (&report.agents, false)] {
        match groups {
            None => {}
            Some(Reading::Unknown(reason)) => {
                let _ = writeln!(text, "  UNKNOWN: could not tell what agents use: {reason}");
            }
            Some(Reading::Known(groups)) => {
                text.push('\n');
                text.push_str(&table(groups, question.need.as_ref(), count_agents));
                if count_agents {
                    groups.iter().for_each(|group| add_complaint(text, group, question.threshold));
                }
                text.push('\n');
            }
        }
    }
}

/// What a group uses too much of.
fn add_complaint(text: &mut String, group: &Group, threshold: f64) {
    for resource in [Resource::Cpus, Resource::Mem, Resource::Disk, Resource::Gpus] {
        let percent = group.of(resource).percent();
        if percent > threshold {
            let names: Vec<String> =
                group.groupings.iter().map(|(name, value)| format!("{name}: {value}")).collect();
            let _ = writeln!(
                text,
                "CRITICAL: {}: {percent:.2}% of {resource} are in use, limit {threshold}%",
                names.join(", ")
            );
        }
    }
}

/// The metrics of a run.
pub fn metrics(report: &Report, now: Timestamp) -> Metrics {
    let mut metrics = Metrics::default();
    for section in &report.sections {
        let help = "How a part of the cluster is: 0 OK, 2 CRITICAL, 3 UNKNOWN.";
        let status = f64::from(section.status().code());
        metrics.add("paasta_metastatus_section_status", help, &[("section", section.name)], status);
    }
    metrics.status(NAME, report.status, now);
    metrics
}
