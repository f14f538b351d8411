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

/// So many lines that say the same are shown one by one.
const ALIKE_SHOWN_MAX: usize = 5;

/// Rows that say the same, put together in the order of their first; those of which there are many are one line for
/// all, unless `all` are asked for.
pub(crate) fn alike<'a, T>(rows: &[&'a T], all: bool, same: impl Fn(&T, &T) -> bool) -> Vec<Alike<'a, T>> {
    let mut groups: Vec<Alike<'a, T>> = Vec::new();
    for &row in rows {
        match groups.iter_mut().find(|group| group.rows.first().is_some_and(|first| same(first, row))) {
            Some(group) => group.rows.push(row),
            None => groups.push(Alike { rows: vec![row], in_one_line: false }),
        }
    }
    for group in &mut groups {
        group.in_one_line = !all && group.rows.len() > ALIKE_SHOWN_MAX;
    }
    groups
}

/// Rows that say the same.
pub(crate) struct Alike<'a, T> {
    /// Never none.
    pub(crate) rows: Vec<&'a T>,
    /// Whether the first stands for all.
    pub(crate) in_one_line: bool,
}

/// Values longer than this are cut before people.
const VALUE_CHARACTERS_MAX: usize = 48;

/// One row per setting that changed, with the field that shows it best and, below, the fields that follow from it.
pub(crate) fn rows(changes: &[Change]) -> Vec<Vec<Cell>> {
    let changes = &exchanged(changes);
    let mut rows = Vec::new();
    let mut told: Vec<bool> = vec![false; changes.len()];
    for index in in_order(changes) {
        if told.get(index) != Some(&false) {
            continue;
        }
        let Some(first) = changes.get(index) else { continue };
        let mut followers = Vec::new();
        for (other, change) in changes.iter().enumerate() {
            if other == index || follows(change, first) {
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

/// One item of a list that gave way to one other is one change of the list.
fn exchanged(changes: &[Change]) -> Vec<Change> {
    let items = |list: &str, sign: &str| {
        let of = |change: &&Change| change.field.strip_suffix(sign) == Some(list);
        changes.iter().filter(of).collect::<Vec<_>>()
    };
    let mut joined = Vec::new();
    for change in changes {
        let removed = change.field.strip_suffix(REMOVED);
        let list = removed.or_else(|| change.field.strip_suffix(ADDED)).unwrap_or_default();
        match (items(list, REMOVED).as_slice(), items(list, ADDED).as_slice()) {
            ([gone], [come]) if gone.sources == come.sources => {
                if removed.is_some() {
                    let (field, new) = (list.to_owned(), come.new.clone());
                    joined.push(Change { field, new, ..(*gone).clone() });
                }
            }
            _ => joined.push(change.clone()),
        }
    }
    joined
}

/// How fields of items that are gone, and that are new, end.
const REMOVED: &str = "[-]";
const ADDED: &str = "[+]";

fn is_item(change: &Change) -> bool {
    change.field.ends_with(REMOVED) || change.field.ends_with(ADDED)
}

/// Whether the field is the setting itself.
fn is_own(change: &Change) -> bool {
    change.sources.iter().any(|source| source.setting == change.field)
}

/// Whether who sees `first` knows `other`: it is nobody's own setting, and it comes of the very same setting, or its
/// values are parts of those of `first`.
fn follows(other: &Change, first: &Change) -> bool {
    if is_own(other) || is_item(other) || first.sources.is_empty() {
        return false;
    }
    let within = |part: &Change, whole: &Change| part.sources.iter().all(|s| whole.sources.contains(s));
    let derived = is_own(first) && first.new.is_some() && !is_item(first);
    match within(first, other) {
        true if within(other, first) => derived || is_part(other, first),
        true => is_part(other, first),
        false => !other.sources.is_empty() && within(other, first) && is_part(other, first),
    }
}

/// Whether both values of `part` stand in those of `whole`.
fn is_part(part: &Change, whole: &Change) -> bool {
    let text = |value: &Option<Value>| match value {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => String::new(),
    };
    let stands = |part: &Option<Value>, whole: &Option<Value>| {
        part.is_some() == whole.is_some() && text(whole).contains(&text(part))
    };
    stands(&part.old, &whole.old) && stands(&part.new, &whole.new)
}

/// A field called like its setting first and what PaaSTA adds to the environment last, then by how short they are; items
/// of one list together.
fn in_order(changes: &[Change]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..changes.len()).collect();
    let rank = |index: &usize| {
        changes.get(*index).map(|change| {
            let field = change.field.as_str();
            let list = field.strip_suffix(REMOVED).or_else(|| field.strip_suffix(ADDED)).unwrap_or(field);
            let added = field.starts_with("env.PAASTA_");
            (!is_own(change), added, field.matches(['.', '[']).count(), field.len(), list.to_owned())
        })
    };
    order.sort_by_key(rank);
    order
}

fn row(change: &Change) -> Vec<Cell> {
    let field = if change.field.is_empty() { "(whole text)" } else { &change.field };
    let value = match (&change.old, &change.new) {
        (Some(old), Some(new)) => pair(&shown(old), &shown(new)),
        (None, Some(new)) => format!("+ {}", cut(&shown(new))),
        (Some(old), None) => format!("- {}", cut(&shown(old))),
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

/// A value as JSON, in which what turns the direction of writing is escaped as well: it must not reorder the line.
fn shown(value: &Value) -> String {
    let turns = |letter: char| matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut out = String::new();
    for letter in value.to_string().chars() {
        match turns(letter) {
            true => out.push_str(&format!("\\u{:04x}", u32::from(letter))),
            false => out.push(letter),
        }
    }
    out
}

/// Two values; long ones without what they begin with alike.
fn pair(old: &str, new: &str) -> String {
    /// So much of what is alike stays, to be recognised.
    const ALIKE_KEPT: usize = 8;
    let alike = old.chars().zip(new.chars()).take_while(|(a, b)| a == b).count();
    let long = [old, new].iter().any(|text| text.chars().count() > VALUE_CHARACTERS_MAX);
    if !long || alike <= 2 * ALIKE_KEPT {
        return format!("{} → {}", cut(old), cut(new));
    }
    let rest = |text: &str| text.chars().skip(alike - ALIKE_KEPT).collect::<String>();
    format!("…{} → …{}", cut(&rest(old)), cut(&rest(new)))
}

fn cut(text: &str) -> String {
    if text.chars().count() <= VALUE_CHARACTERS_MAX {
        return text.to_owned();
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

    #[track_caller]
    fn check(changes: &[(&str, &str, &str, &[&str])], expected: &[&str]) {
        let roots = Roots(vec!["/soa".to_owned()]);
        let value = |text: &&str| (!text.is_empty()).then(|| (*text).to_owned());
        let changes: Vec<Change> = changes
            .iter()
            .map(|(field, old, new, settings)| {
                let change = FieldChange { field: (*field).to_owned(), old: value(old), new: value(new) };
                let sources = settings.iter().map(|setting| roots.recorded(setting, "/soa/a.yaml:3:5"));
                Change::new(&change, sources.collect())
            })
            .collect();
        let text = table::render(&rows(&changes), 0, Paint::new(false));
        let lines: Vec<String> =
            text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(lines, expected);
    }

    #[test]
    fn no_new_value_is_hidden_behind_another() {
        let constraints: &[&str] = &["constraints"];
        check(
            &[("constraints[-]", "[\"p\"]", "", constraints), ("constraints[+]", "", "[\"q\"]", constraints)],
            &["constraints [\"p\"] → [\"q\"] a.yaml:3"],
        );
        check(
            &[
                ("uris[+]", "", "\"b\"", &["system.d"]),
                ("a.b[+]", "", "1", &["a.b"]),
                ("uris[+]", "", "\"c\"", &["system.d"]),
                ("uris[-]", "\"a\"", "", &["system.d"]),
            ],
            &[
                "uris[+] + \"b\" system.d a.yaml:3",
                "uris[+] + \"c\" system.d a.yaml:3",
                "uris[-] - \"a\" system.d a.yaml:3",
                "a.b[+] + 1 a.yaml:3".replace("a.yaml", "a.b a.yaml").as_str(),
            ],
        );
        let command: &[&str] = &["cmd", "args"];
        check(
            &[("cmd", "\"x\"", "null", command), ("args", "null", "[\"y\"]", command)],
            &["cmd \"x\" → null a.yaml:3, args a.yaml:3", "args null → [\"y\"] cmd a.yaml:3, a.yaml:3"],
        );
        // Of two settings, the second is not seen in the first.
        check(
            &[("cpus", "1", "2", &["cpus"]), ("p[cpu-quota]", "10", "30", &["cpus", "cpu_burst_add"])],
            &["cpus 1 → 2 a.yaml:3", "p[cpu-quota] 10 → 30 cpus a.yaml:3, cpu_burst_add a.yaml:3"],
        );
        // What is part of a value that is shown.
        check(
            &[
                ("env.PAASTA_GIT_SHA", "\"01\"", "\"02\"", &["docker_image"]),
                ("container.docker.image", "\"r/w:01\"", "\"r/w:02\"", &["docker_image", "system.r"]),
            ],
            &[
                "container.docker.image \"r/w:01\" → \"r/w:02\" docker_image a.yaml:3, system.r a.yaml:3",
                "and so env.PAASTA_GIT_SHA",
            ],
        );
    }

    #[test]
    fn a_value_cannot_turn_the_line() {
        assert_eq!(shown(&Value::from("a\u{202e}b\u{2066}\u{e4}\n")), r#""a\u202eb\u2066ä\n""#);
    }

    #[test]
    fn long_values_show_where_they_differ() {
        assert_eq!(pair("1", "2"), "1 → 2");
        let image = |sha: &str| format!("\"registry.example.com/services-web:paasta-{sha}{sha}\"");
        let shown = pair(&image("0123456789"), &image("abcdefghij"));
        assert_eq!(shown, "…:paasta-01234567890123456789\" → …:paasta-abcdefghijabcdefghij\"");
        assert_eq!(cut(&"x".repeat(60)).chars().count(), 49);
    }
}
