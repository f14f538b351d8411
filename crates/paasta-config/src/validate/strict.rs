//! What whoever wants it strictly is told: warnings as errors, and scalars that other YAML readers take differently.

use paasta_core::ServiceName;

use super::{Finding, KnownNames, Severity, cluster_of, told_once};
use crate::yaml::{Ambiguous, ambiguous};
use crate::{Node, Soa, SystemConfig, Value};

impl Soa {
    /// As [`Soa::validate`], but every finding is an error, and so is every plain scalar that YAML 1.1 and YAML 1.2's
    /// core schema read differently: `yes`, `017`, `1:30`, `1_000`, `1e3`, `2021-04-01`, ….
    pub fn validate_strictly(
        &self,
        service: &ServiceName,
        system: &SystemConfig,
        known: &KnownNames<'_>,
    ) -> Vec<Finding> {
        let mut findings = self.validate(service, system, known);
        let autotuned = self.source().list(&format!("{service}/autotuned_defaults")).unwrap_or_default();
        let autotuned = autotuned.into_iter().filter(|file| cluster_of(file).is_some());
        let autotuned = autotuned.map(|file| format!("autotuned_defaults/{file}"));
        for file in self.files_of(service).unwrap_or_default().into_iter().chain(autotuned) {
            let path = format!("{service}/{file}");
            // A link is told of under the name that it leads to.
            if self.source().link_target(&path).is_some_and(|target| !target.contains('/')) {
                continue;
            }
            if let Ok(Some(bytes)) = self.source().read(&path) {
                let found = ambiguous(&bytes, &self.source().show(&path));
                findings.extend(found.iter().map(finding));
            }
        }
        findings.iter_mut().for_each(|finding| finding.severity = Severity::Error);
        told_once(findings)
    }
}

fn finding(scalar: &Ambiguous) -> Finding {
    let Ambiguous { text, position, here, elsewhere } = scalar;
    let message =
        format!("`{text}` is {} here, but {} to readers of YAML 1.2", reading(here), reading(elsewhere));
    let hint = match &here.value {
        Value::Bool(_) | Value::Int(_) | Value::Float(_) => {
            format!("Write `{here:?}`, or put it in quotes if it is meant as a text.")
        }
        Value::String(_) => match &elsewhere.value {
            Value::Float(f) if f.fract() == 0.0 => {
                format!("Write `{f}`, or put it in quotes if it is meant as a text.")
            }
            _ => format!("Write `{elsewhere:?}`, or put it in quotes if it is meant as a text."),
        },
        _ => "Put it in quotes.".to_owned(),
    };
    Finding::whole("", "yaml-1.2", message, hint).at(Some(position))
}

/// A value with what it is: `the integer 15`.
fn reading(node: &Node) -> String {
    match &node.value {
        Value::Bool(b) => format!("the boolean {b}"),
        Value::Int(_) | Value::BigInt(_) => format!("the integer {node:?}"),
        Value::Float(_) => format!("the number {node:?}"),
        Value::String(_) => "a text".to_owned(),
        _ => node.kind().to_owned(),
    }
}
