//! Fields that differ, with the settings behind them: as data for `--json`, and as lines.

use paasta_config::{FieldChange, Origin, Place, Renderer, Wanted, changed_origins, origins};
use serde::Serialize;
use serde_json::Value;

use crate::paint::Style;
use crate::table::Cell;

/// A field that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Change {
    /// Its path in the engine's words; empty where the whole differs.
    pub(crate) field: String,
    /// The value before; not there where the field was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) old: Option<Value>,
    /// The value after; not there where the field is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) new: Option<Value>,
    /// The settings that made it so.
    pub(crate) sources: Vec<Source>,
}

/// A setting and where it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Source {
    /// Its key path; `system.` and `smartstack.` tell whose it is, if not the instance's.
    pub(crate) setting: String,
    /// `file:line:column`, a file, or `default`.
    pub(crate) place: String,
    /// Whether the setting is gone, and the place where it was.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) removed: bool,
    /// The place as it is shown to people.
    #[serde(skip)]
    pub(crate) shown: String,
}

impl Change {
    /// A change whose sources were told apart by somebody else.
    pub(crate) fn new(change: &FieldChange, sources: Vec<Source>) -> Self {
        let value = |text: &String| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text.as_str()));
        Self {
            field: change.field.clone(),
            old: change.old.as_ref().map(value),
            new: change.new.as_ref().map(value),
            sources,
        }
    }
}

/// Directories that need not be named before people.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roots(pub(crate) Vec<String>);

impl Roots {
    fn strip<'a>(&self, path: &'a str) -> &'a str {
        let stripped =
            |root: &String| path.strip_prefix(root.as_str()).map(|rest| rest.trim_start_matches('/'));
        self.0.iter().filter(|root| !root.is_empty()).find_map(stripped).unwrap_or(path)
    }

    fn source(&self, origin: &Origin) -> Source {
        let shown = match &origin.place {
            Place::At(position) => format!("{}:{}", self.strip(&position.file), position.line),
            Place::File(file) => self.strip(file).to_owned(),
            Place::Default => "default".to_owned(),
        };
        Source {
            setting: origin.setting.clone(),
            place: origin.place.to_string(),
            removed: origin.removed,
            shown,
        }
    }

    /// A place that was written down as `file:line:column`.
    pub(crate) fn recorded(&self, setting: &str, place: &str) -> Source {
        let line = place.rsplit_once(':').filter(|(_, column)| column.bytes().all(|b| b.is_ascii_digit()));
        let shown = self.strip(line.map_or(place, |(line, _)| line)).to_owned();
        Source { setting: setting.to_owned(), place: place.to_owned(), removed: false, shown }
    }

    /// With the settings that differ between two states of an instance.
    pub(crate) fn between(
        &self,
        changes: &[FieldChange],
        renderer: &dyn Renderer,
        before: &Wanted,
        after: &Wanted,
    ) -> Vec<Change> {
        let change = |change: &FieldChange| {
            let found = changed_origins(&renderer.feeds(&change.field), before, after);
            Change::new(change, found.iter().map(|origin| self.source(origin)).collect())
        };
        changes.iter().map(change).collect()
    }

    /// With the settings that there are now, of which any may be the one that was changed.
    pub(crate) fn now(
        &self,
        changes: &[FieldChange],
        renderer: &dyn Renderer,
        wanted: &Wanted,
    ) -> Vec<Change> {
        let change = |change: &FieldChange| {
            let found = origins(&renderer.feeds(&change.field), wanted);
            Change::new(change, found.iter().map(|origin| self.source(origin)).collect())
        };
        changes.iter().map(change).collect()
    }
}

/// Values longer than this are cut before people.
const VALUE_CHARACTERS_MAX: usize = 48;

/// One row per setting that changed, with the field that shows it best and, below, the fields that follow from it.
pub(crate) fn rows(changes: &[Change]) -> Vec<Vec<Cell>> {
    let mut rows = Vec::new();
    let mut told: Vec<bool> = vec![false; changes.len()];
    for index in in_order(changes) {
        if told.get(index) != Some(&false) {
            continue;
        }
        let Some(first) = changes.get(index) else { continue };
        let mut followers = Vec::new();
        for (other, change) in changes.iter().enumerate() {
            if other == index || (!first.sources.is_empty() && change.sources == first.sources) {
                if other != index && told.get(other) == Some(&false) {
                    followers.push(change.field.as_str());
                }
                if let Some(told) = told.get_mut(other) {
                    *told = true;
                }
            }
        }
        rows.push(row(first));
        if !followers.is_empty() {
            rows.push(vec![Cell::new(Style::Grey, format!("  and so {}", followers.join(", ")))]);
        }
    }
    rows
}

/// A field called like its setting first, then by how short they are.
fn in_order(changes: &[Change]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..changes.len()).collect();
    let rank = |index: &usize| {
        changes.get(*index).map(|change| {
            let own = change.sources.iter().any(|source| source.setting == change.field);
            (!own, change.field.matches(['.', '[']).count(), change.field.len())
        })
    };
    order.sort_by_key(rank);
    order
}

fn row(change: &Change) -> Vec<Cell> {
    let field = if change.field.is_empty() { "(whole text)" } else { &change.field };
    let value = match (&change.old, &change.new) {
        (Some(old), Some(new)) => format!("{} → {}", shown(old), shown(new)),
        (None, Some(new)) => format!("+ {}", shown(new)),
        (Some(old), None) => format!("- {}", shown(old)),
        (None, None) => String::new(),
    };
    let one = |source: &Source| {
        let place =
            if source.removed { format!("removed, was {}", source.shown) } else { source.shown.clone() };
        match source.setting == change.field {
            true => place,
            false => format!("{} {place}", source.setting),
        }
    };
    let sources: Vec<String> = change.sources.iter().map(one).collect();
    vec![field.into(), value.into(), Cell::new(Style::Cyan, sources.join(", "))]
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= VALUE_CHARACTERS_MAX {
        return text;
    }
    let start: String = text.chars().take(VALUE_CHARACTERS_MAX).collect();
    format!("{start}…")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paint::Paint;
    use crate::table;

    fn change(field: &str, setting: &str) -> Change {
        let roots = Roots(vec!["/soa".to_owned()]);
        let change =
            FieldChange { field: field.to_owned(), old: Some("1".to_owned()), new: Some("2".to_owned()) };
        Change::new(&change, vec![roots.recorded(setting, "/soa/web/marathon-pnw.yaml:3:5")])
    }

    #[test]
    fn fields_that_follow_from_a_setting_are_told_with_it() {
        let changes = [
            change("container.docker.parameters[memory-swap]", "mem"),
            change("env.A", "env.A"),
            change("mem", "mem"),
        ];
        let text = table::render(&rows(&changes), 2, Paint::new(false));
        assert_eq!(
            text,
            "  mem    1 → 2  web/marathon-pnw.yaml:3\n    and so container.docker.parameters[memory-swap]\n  \
             env.A  1 → 2  web/marathon-pnw.yaml:3\n"
        );
    }
}
