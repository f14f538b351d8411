//! Checked reading of JSON members that gathers everything wrong, with Marathon's error names.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::definition::{DefinitionError, Problem};

/// One JSON object (or one item of a list) under reading.
pub(crate) struct Fields<'a> {
    value: Subject<'a>,
    path: String,
    types: Vec<Problem>,
    values: Vec<Problem>,
}

enum Subject<'a> {
    Object(&'a Map<String, Value>),
    Item(&'a Value),
}

/// The most anybody may ask for in one number, so that sums cannot overflow.
const WHOLE_MAX: u64 = 1_000_000;
/// The most seconds a member may hold: ten years.
const NUMBER_MAX: f64 = 315_360_000.0;

impl<'a> Fields<'a> {
    pub(crate) fn of(raw: &'a Map<String, Value>) -> Self {
        Self { value: Subject::Object(raw), path: String::new(), types: Vec::new(), values: Vec::new() }
    }

    /// All that was wrong, types first.
    pub(crate) fn finish(self) -> Result<(), DefinitionError> {
        if !self.types.is_empty() {
            return Err(DefinitionError::Type(self.types));
        }
        if !self.values.is_empty() {
            return Err(DefinitionError::Value(self.values));
        }
        Ok(())
    }

    /// Notes a value that must not be.
    pub(crate) fn wrong(&mut self, member: &str, error: &str) {
        self.values.push(Problem { path: format!("{}{member}", self.path), errors: vec![error.to_owned()] });
    }

    /// Whether the member is there and not null.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    pub(crate) fn text(&mut self, key: &str) -> Option<String> {
        let value = self.get(key)?;
        match value.as_str() {
            Some(text) => Some(text.to_owned()),
            None => self.mistyped(key, "error.expected.jsstring"),
        }
    }

    pub(crate) fn flag(&mut self, key: &str) -> bool {
        match self.get(key) {
            None => false,
            Some(Value::Bool(flag)) => *flag,
            Some(_) => self.mistyped(key, "error.expected.jsboolean").unwrap_or_default(),
        }
    }

    pub(crate) fn whole(&mut self, key: &str, default: u64) -> u64 {
        let Some(value) = self.get(key) else { return default };
        match value {
            Value::Number(number) => match number.as_u64() {
                Some(whole) if whole <= WHOLE_MAX => whole,
                _ => {
                    let error = if number.as_f64().is_some_and(|n| n < 0.0) {
                        "error.min"
                    } else {
                        "error.expected.int"
                    };
                    self.wrong(&format!("/{key}"), error);
                    default
                }
            },
            _ => self.mistyped(key, "error.expected.jsnumber").unwrap_or(default),
        }
    }

    pub(crate) fn number(&mut self, key: &str, default: f64, least: f64) -> f64 {
        let Some(value) = self.get(key) else { return default };
        match value {
            Value::Number(number) => match number.as_f64() {
                Some(n) if n >= least && n <= NUMBER_MAX => n,
                _ => {
                    self.wrong(&format!("/{key}"), &format!("must be between {least} and {NUMBER_MAX}"));
                    default
                }
            },
            _ => self.mistyped(key, "error.expected.jsnumber").unwrap_or(default),
        }
    }

    /// A port, 0 where absent.
    pub(crate) fn port(&mut self, key: &str) -> u16 {
        let whole = self.whole(key, 0);
        u16::try_from(whole).unwrap_or_else(|_| {
            self.wrong(&format!("/{key}"), "must be between 0 and 65535");
            0
        })
    }

    /// A map of texts.
    pub(crate) fn texts(&mut self, key: &str) -> BTreeMap<String, String> {
        let Some(value) = self.get(key) else { return BTreeMap::new() };
        let Value::Object(map) = value else {
            return self.mistyped(key, "error.expected.jsobject").unwrap_or_default();
        };
        let mut texts = BTreeMap::new();
        for (name, value) in map {
            match value.as_str() {
                Some(text) => drop(texts.insert(name.clone(), text.to_owned())),
                None => drop(self.mistyped::<()>(&format!("{key}/{name}"), "error.expected.jsstring")),
            }
        }
        texts
    }

    /// Reads an inner object.
    pub(crate) fn within<T>(&mut self, key: &str, read: impl FnOnce(&mut Fields<'a>) -> T) -> Option<T> {
        match self.get(key)? {
            Value::Object(map) => Some(self.descend(key, Subject::Object(map), read)),
            _ => self.mistyped(key, "error.expected.jsobject"),
        }
    }

    /// Reads each item of a list.
    pub(crate) fn list<T>(&mut self, key: &str, mut read: impl FnMut(&mut Fields<'a>) -> T) -> Vec<T> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let Value::Array(items) = value else {
            return self.mistyped(key, "error.expected.jsarray").unwrap_or_default();
        };
        let mut all = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let subject = match item {
                Value::Object(map) => Subject::Object(map),
                other => Subject::Item(other),
            };
            all.push(self.descend(&format!("{key}({index})"), subject, &mut read));
        }
        all
    }

    /// Reads each item of a list of objects; an item of another type is wrong.
    pub(crate) fn objects<T>(&mut self, key: &str, mut read: impl FnMut(&mut Fields<'a>) -> T) -> Vec<T> {
        let items = self.list(key, |item| match item.value {
            Subject::Object(_) => Some(read(item)),
            Subject::Item(_) => {
                let path = item.path.clone();
                item.types.push(Problem { path, errors: vec!["error.expected.jsobject".to_owned()] });
                None
            }
        });
        items.into_iter().flatten().collect()
    }

    /// This list item as a port.
    pub(crate) fn only_port(&mut self) -> u16 {
        let port = match &self.value {
            Subject::Item(value) => value.as_u64().and_then(|n| u16::try_from(n).ok()),
            Subject::Object(_) => None,
        };
        port.unwrap_or_else(|| {
            self.wrong("", "must be between 0 and 65535");
            0
        })
    }

    /// Checks that this list item is a text.
    pub(crate) fn only_text(&mut self) {
        if !matches!(self.value, Subject::Item(Value::String(_))) {
            self.types.push(Problem {
                path: self.path.clone(),
                errors: vec!["error.expected.jsstring".to_owned()],
            });
        }
    }

    fn get(&self, key: &str) -> Option<&'a Value> {
        match &self.value {
            Subject::Object(map) => map.get(key).filter(|value| !value.is_null()),
            Subject::Item(_) => None,
        }
    }

    fn mistyped<T>(&mut self, key: &str, error: &str) -> Option<T> {
        self.types.push(Problem { path: format!("{}/{key}", self.path), errors: vec![error.to_owned()] });
        None
    }

    fn descend<T>(&mut self, key: &str, value: Subject<'a>, read: impl FnOnce(&mut Fields<'a>) -> T) -> T {
        let path = format!("{}/{key}", self.path);
        let mut inner = Fields { value, path, types: Vec::new(), values: Vec::new() };
        let result = read(&mut inner);
        self.types.append(&mut inner.types);
        self.values.append(&mut inner.values);
        result
    }
}
