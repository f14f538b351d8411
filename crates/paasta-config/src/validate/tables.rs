//! The tables of all kinds of files, and what is true of whole files.

use super::long_running::{ADHOC_INSTANCE, AUTOTUNED_INSTANCE, KUBERNETES_INSTANCE, MARATHON_INSTANCE};
use super::rule::{Form, Key, Rule};
use super::tron_table::JOB;

/// What a file of one kind may hold: blocks by name.
#[derive(Debug)]
pub(crate) struct Table {
    /// As in `--print-schema` and at the beginning of the file's name.
    pub(super) kind: &'static str,
    /// `instance` or `job`.
    pub(super) noun: &'static str,
    /// What names of blocks look like; others are refused.
    pub(super) names: &'static Form,
    pub(super) block: &'static Rule,
    /// Whether names that begin with `_` are templates: maps of any content.
    pub(super) templates: bool,
    /// Whether the file and its blocks may be empty maps.
    pub(super) may_be_empty: bool,
}

/// Every table, the original's own four first.
pub(crate) const TABLES: &[Table] = &[
    Table {
        kind: "marathon",
        noun: "instance",
        names: &INSTANCE_NAME,
        block: &MARATHON_INSTANCE,
        templates: true,
        may_be_empty: false,
    },
    Table {
        kind: "adhoc",
        noun: "instance",
        names: &INSTANCE_NAME,
        block: &ADHOC_INSTANCE,
        templates: true,
        may_be_empty: false,
    },
    Table {
        kind: "kubernetes",
        noun: "instance",
        names: &INSTANCE_NAME,
        block: &KUBERNETES_INSTANCE,
        templates: true,
        may_be_empty: false,
    },
    Table { kind: "tron", noun: "job", names: &ANY_NAME, block: &JOB, templates: true, may_be_empty: true },
    Table {
        kind: "autotuned",
        noun: "instance",
        names: &INSTANCE_NAME,
        block: &AUTOTUNED_INSTANCE,
        templates: false,
        may_be_empty: false,
    },
];

impl Table {
    /// The table by which a file beside service.yaml is checked: the beginning of its name decides (config.md §8.1).
    pub(super) fn of_file(file: &str) -> Option<&'static Self> {
        TABLES.iter().find(|table| table.kind != "autotuned" && file.starts_with(table.kind))
    }

    /// Its kind, for comparing.
    pub(super) fn kind_of(file: &str) -> Option<&'static str> {
        Self::of_file(file).map(|table| table.kind)
    }

    /// The keys of its blocks.
    pub(super) fn keys(&self) -> impl Iterator<Item = &'static str> + use<> {
        let keys = match self.block {
            Rule::Map(members) => members.keys,
            _ => &[],
        };
        keys.iter().map(|key| key.name)
    }

    /// The table of that kind.
    pub(super) fn of_kind(kind: &str) -> Option<&'static Self> {
        TABLES.iter().find(|table| table.kind == kind)
    }
}

const INSTANCE_NAME: Form = Form {
    noun: "an instance name (lower-case letters, digits, `_` and `-`, with a letter or digit at both ends)",
    pattern: "^([a-z0-9]|[a-z0-9][a-z0-9_-]*[a-z0-9])*$",
    fits: |name| {
        let outer = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let bytes = name.as_bytes();
        bytes.iter().all(|b| outer(b) || matches!(b, b'_' | b'-'))
            && bytes.first().is_none_or(outer)
            && bytes.last().is_none_or(outer)
    },
};

const ANY_NAME: Form = Form { noun: "a name", pattern: "^([^_]|$)", fits: |_| true };

/// A key that may be left out.
pub(super) const fn key(name: &'static str, rule: Rule, about: &'static str) -> Key {
    Key { name, rule, required: false, about }
}

/// A key that may not.
pub(super) const fn required(name: &'static str, rule: Rule, about: &'static str) -> Key {
    Key { name, rule, required: true, about }
}
