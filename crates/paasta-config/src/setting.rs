//! Checked reading of one value out of a map.

use crate::{Map, Node, Position, Value};

/// A value that cannot be what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{key}: {value} is not {expected}", position.as_ref().map(|p| format!("{p}: ")).unwrap_or_default())]
pub struct SettingError {
    /// Where the value stands; nowhere if it is a default or missing.
    pub position: Option<Position>,
    /// The path to the value, such as `main.bounce_margin_factor`.
    pub key: String,
    /// The value, shortened, with what it is.
    pub value: String,
    /// What it should be, with its article: `a number above 0 and at most 1`.
    pub expected: String,
    /// The original's class of this error (marathon-and-bounce.md §1.11).
    pub class: &'static str,
}

impl SettingError {
    /// The value `node` at `key` is not `expected`.
    pub fn new(key: impl Into<String>, node: &Node, expected: impl Into<String>) -> Self {
        let expected = match (expected.into(), &node.value) {
            // It is one, as YAML goes.
            (expected, Value::BigInt(_)) if expected == "an integer" => {
                "an integer that fits into 64 bits".to_owned()
            }
            (expected, _) => expected,
        };
        Self {
            position: node.position.clone(),
            key: key.into(),
            value: show(node),
            expected,
            class: "InvalidInstanceConfig",
        }
    }

    /// The same under the original's name of the error.
    #[must_use]
    pub fn with_class(mut self, class: &'static str) -> Self {
        self.class = class;
        self
    }
}

/// A value for a message: scalars with their text, the rest by its kind alone.
fn show(node: &Node) -> String {
    match &node.value {
        Value::List(_) | Value::Map(_) | Value::Set(_) | Value::Tuple(_) | Value::Null => {
            node.kind().to_owned()
        }
        Value::String(text) => format!("{:?}", shortened(text)),
        _ => format!("{} (`{}`)", node.kind(), shortened(&format!("{node:?}"))),
    }
}

/// As much of a text as a message repeats.
pub(crate) fn shortened(text: &str) -> String {
    const SHOWN_CHARACTERS_MAX: usize = 60;
    let mut shown: String = text.chars().take(SHOWN_CHARACTERS_MAX).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// A map and the path it was found at, for getters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope<'a> {
    pub(crate) map: &'a Map,
    /// Prefix of the key path in messages; empty at the top.
    pub(crate) path: &'a str,
}

impl<'a> Scope<'a> {
    pub(crate) fn key(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    pub(crate) fn wrong(&self, key: &str, node: &Node, expected: &str) -> SettingError {
        SettingError::new(self.key(key), node, expected)
    }

    /// A text, if the key is there. `null` is not a text.
    pub(crate) fn text(&self, key: &str) -> Result<Option<&'a str>, SettingError> {
        self.read(key, "a string", Node::as_str)
    }

    /// A text, if the key is there and not null.
    pub(crate) fn text_or_null(&self, key: &str) -> Result<Option<&'a str>, SettingError> {
        self.read_set(key, "a string", Node::as_str)
    }

    /// An integer, if the key is there.
    pub(crate) fn integer(&self, key: &str) -> Result<Option<i64>, SettingError> {
        self.read(key, "an integer", integer)
    }

    /// An integer, if the key is there and not null.
    pub(crate) fn integer_or_null(&self, key: &str) -> Result<Option<i64>, SettingError> {
        self.read_set(key, "an integer", integer)
    }

    /// A number, if the key is there.
    pub(crate) fn number(&self, key: &str) -> Result<Option<f64>, SettingError> {
        self.read(key, "a number", number)
    }

    /// A boolean, if the key is there.
    pub(crate) fn boolean(&self, key: &str) -> Result<Option<bool>, SettingError> {
        self.read(key, "a boolean", boolean)
    }

    /// A map, if the key is there and not null.
    pub(crate) fn map_or_null(&self, key: &str) -> Result<Option<&'a Map>, SettingError> {
        self.read_set(key, "a map", Node::as_map)
    }

    /// A list, if the key is there and not null.
    pub(crate) fn list_or_null(&self, key: &str) -> Result<Option<&'a [Node]>, SettingError> {
        self.read_set(key, "a list", Node::as_list)
    }

    /// A list of texts, if the key is there and not null.
    pub(crate) fn texts_or_null(&self, key: &str) -> Result<Option<Vec<&'a str>>, SettingError> {
        let Some(list) = self.list_or_null(key)? else { return Ok(None) };
        let text = |node: &'a Node| node.as_str().ok_or_else(|| self.wrong(key, node, "a string"));
        list.iter().map(text).collect::<Result<_, _>>().map(Some)
    }

    fn read<T>(
        &self,
        key: &str,
        expected: &str,
        take: impl FnOnce(&'a Node) -> Option<T>,
    ) -> Result<Option<T>, SettingError> {
        let Some(node) = self.map.get(key) else { return Ok(None) };
        take(node).map(Some).ok_or_else(|| self.wrong(key, node, expected))
    }

    fn read_set<T>(
        &self,
        key: &str,
        expected: &str,
        take: impl FnOnce(&'a Node) -> Option<T>,
    ) -> Result<Option<T>, SettingError> {
        if self.map.get_set(key).is_none() { Ok(None) } else { self.read(key, expected, take) }
    }
}

/// Python counts with booleans, so they are integers here.
pub(crate) fn integer(node: &Node) -> Option<i64> {
    match node.value {
        Value::Int(i) => Some(i),
        Value::Bool(b) => Some(b.into()),
        _ => None,
    }
}

pub(crate) fn number(node: &Node) -> Option<f64> {
    match &node.value {
        Value::Float(f) => Some(*f),
        Value::BigInt(digits) => digits.parse().ok(),
        _ => integer(node).map(|i| i as f64),
    }
}

pub(crate) fn boolean(node: &Node) -> Option<bool> {
    match node.value {
        Value::Bool(b) => Some(b),
        _ => None,
    }
}
