//! A YAML or JSON document as data: every value knows where it was written.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// Where a value was written. Values that nobody wrote (defaults) have none.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// The file, as it is best shown to people.
    pub file: Arc<str>,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A value and where it was written. Two nodes are equal if their values are.
#[derive(Clone)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Where it was written.
    pub position: Option<Position>,
}

/// What a scalar, list or map came to, in Python's terms: `1` and `1.0` differ, `true` is not a string.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer that fits.
    Int(i64),
    /// An integer that does not: its decimal digits, with a sign if negative.
    BigInt(String),
    /// A float.
    Float(f64),
    /// A text.
    String(String),
    /// A date or a point in time: the text that Python's `str()` gives.
    Date(String),
    /// Bytes (`!!binary`).
    Bytes(Vec<u8>),
    /// A list.
    List(Vec<Node>),
    /// A map.
    Map(Map),
    /// A set (`!!set`): its members are keys, in the order in which they were written, whose values are null.
    Set(Map),
    /// A pair out of `!!omap` or `!!pairs`: its key and its value. Like a list wherever Python iterates, but no list.
    Tuple(Vec<Node>),
}

/// A map in the order of its keys. Keys are scalars; most are texts. Keys that Python takes for the same are the same:
/// `1`, `1.0` and `true`.
#[derive(Clone, Default)]
pub struct Map {
    entries: Vec<(Node, Node)>,
    /// Places of keys, kept where the map is too large to be searched from end to end.
    #[expect(
        clippy::box_collection,
        reason = "most maps have no index, and every value is as large as a map"
    )]
    places: Option<Box<HashMap<Key<'static>, usize>>>,
}

/// Maps of more keys than this keep an index.
const SEARCHED_KEYS_MAX: usize = 32;

impl Node {
    /// A value that nobody wrote.
    pub fn new(value: Value) -> Self {
        Self { value, position: None }
    }

    /// A text that nobody wrote.
    pub fn text(value: impl Into<String>) -> Self {
        Self::new(Value::String(value.into()))
    }

    /// `null` that nobody wrote.
    pub fn null() -> Self {
        Self::new(Value::Null)
    }

    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The items of a list or of a pair, as where Python iterates; a set's have no order, and are not given.
    pub fn as_list(&self) -> Option<&[Node]> {
        match &self.value {
            Value::List(list) | Value::Tuple(list) => Some(list),
            _ => None,
        }
    }

    /// The map, if it is one.
    pub fn as_map(&self) -> Option<&Map> {
        match &self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    /// Whether nothing is inside of it, as of what can be a key.
    pub fn is_scalar(&self) -> bool {
        !matches!(self.value, Value::List(_) | Value::Map(_) | Value::Set(_) | Value::Tuple(_))
    }

    /// Whether Python's `if` takes it: not null, false, zero, or empty.
    pub fn is_truthy(&self) -> bool {
        match &self.value {
            Value::Null => false,
            Value::Bool(b) => *b,
            Value::Int(i) => *i != 0,
            Value::BigInt(_) | Value::Date(_) => true,
            Value::Float(f) => *f != 0.0,
            Value::String(s) => !s.is_empty(),
            Value::Bytes(b) => !b.is_empty(),
            Value::List(l) | Value::Tuple(l) => !l.is_empty(),
            Value::Map(m) | Value::Set(m) => !m.is_empty(),
        }
    }

    /// What it is, with its article, for messages: `a list`.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Int(_) | Value::BigInt(_) => "an integer",
            Value::Float(_) => "a float",
            Value::String(_) => "a string",
            Value::Date(_) => "a date",
            Value::Bytes(_) => "bytes",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
            Value::Set(_) => "a set",
            Value::Tuple(_) => "a pair",
        }
    }
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Bool(b) => b.fmt(f),
            Value::Int(i) => i.fmt(f),
            Value::BigInt(digits) => f.write_str(digits),
            Value::Float(x) => x.fmt(f),
            Value::String(s) => s.fmt(f),
            Value::Date(s) => write!(f, "date {s}"),
            Value::Bytes(b) => write!(f, "bytes \"{}\"", b.escape_ascii()),
            Value::List(list) => f.debug_list().entries(list).finish(),
            Value::Map(map) => map.fmt(f),
            Value::Set(set) => {
                f.write_str("set ")?;
                f.debug_set().entries(set.iter().map(|(key, _)| key)).finish()
            }
            Value::Tuple(items) => {
                f.write_str("pair ")?;
                f.debug_list().entries(items).finish()
            }
        }
    }
}

impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.entries.iter().map(|(k, v)| (k, v))).finish()
    }
}

impl Map {
    /// No keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of a text key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries.get(self.place(key)?).map(|(_, value)| value)
    }

    /// The value of a text key, unless it is null.
    pub fn get_set(&self, key: &str) -> Option<&Node> {
        self.get(key).filter(|node| !node.is_null())
    }

    /// The value of any key, to change it in place.
    pub fn get_mut(&mut self, key: &Node) -> Option<&mut Node> {
        let place = self.place_of(key)?;
        self.entries.get_mut(place).map(|(_, value)| value)
    }

    /// The text key as it was written, with its position.
    pub fn key(&self, key: &str) -> Option<&Node> {
        self.entries.get(self.place(key)?).map(|(key, _)| key)
    }

    /// Sets a key: in its old place if it is there already, else at the end.
    pub fn insert(&mut self, key: Node, value: Node) {
        if let Some(present) = self.get_mut(&key) {
            *present = value;
            return;
        }
        if let (Some(places), Some(id)) = (&mut self.places, Key::of(&key)) {
            places.insert(id.into_owned(), self.entries.len());
        }
        self.entries.push((key, value));
        if self.places.is_none() && self.entries.len() > SEARCHED_KEYS_MAX {
            self.index();
        }
    }

    /// Entries whose keys are known to differ. Takes no more room than they do.
    pub(crate) fn from_distinct(entries: Vec<(Node, Node)>) -> Self {
        let mut map = Self { entries, places: None };
        map.index();
        map
    }

    pub(crate) fn into_entries(self) -> impl Iterator<Item = (Node, Node)> {
        self.entries.into_iter()
    }

    /// Removes a text key and gives back its value.
    pub fn remove(&mut self, key: &str) -> Option<Node> {
        let place = self.place(key)?;
        let (_, value) = self.entries.remove(place);
        self.index();
        Some(value)
    }

    fn place(&self, key: &str) -> Option<usize> {
        match &self.places {
            Some(places) => find(places, &Key::Text(Cow::Borrowed(key))),
            None => self.entries.iter().position(|(k, _)| k.as_str() == Some(key)),
        }
    }

    fn place_of(&self, key: &Node) -> Option<usize> {
        if let Some(text) = key.as_str() {
            return self.place(text);
        }
        match &self.places {
            Some(places) => find(places, &Key::of(key)?),
            None => self.entries.iter().position(|(k, _)| Key::is_same(k, key)),
        }
    }

    fn index(&mut self) {
        let id = |(place, (key, _)): (usize, &(Node, Node))| Some((Key::of(key)?.into_owned(), place));
        let large = self.entries.len() > SEARCHED_KEYS_MAX;
        self.places = large.then(|| Box::new(self.entries.iter().enumerate().filter_map(id).collect()));
    }

    /// Keys and values in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Node, &Node)> {
        self.entries.iter().map(|(k, v)| (k, v))
    }

    /// How many keys.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

fn find<'a>(places: &HashMap<Key<'a>, usize>, key: &Key<'a>) -> Option<usize> {
    places.get(key).copied()
}

/// What makes two keys one in Python.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum Key<'a> {
    Null,
    Integer(i64),
    Digits(Cow<'a, str>),
    Float(u64),
    Text(Cow<'a, str>),
    Date(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
}

impl<'a> Key<'a> {
    /// `None` for what cannot be a key. What is not a number is one key, as Python keeps one object for it.
    pub(crate) fn of(node: &'a Node) -> Option<Self> {
        const INTEGERS: std::ops::Range<f64> = -9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0;
        Some(match &node.value {
            Value::Null => Self::Null,
            Value::Bool(b) => Self::Integer((*b).into()),
            Value::Int(i) => Self::Integer(*i),
            Value::BigInt(digits) => Self::Digits(Cow::Borrowed(digits)),
            Value::Float(f) if f.fract() == 0.0 && INTEGERS.contains(f) => Self::Integer(*f as i64),
            Value::Float(f) if f.fract() == 0.0 => Self::Digits(Cow::Owned(format!("{f:.0}"))),
            Value::Float(f) => Self::Float(f.to_bits()),
            Value::String(text) => Self::Text(Cow::Borrowed(text)),
            Value::Date(text) => Self::Date(Cow::Borrowed(text)),
            Value::Bytes(bytes) => Self::Bytes(Cow::Borrowed(bytes)),
            Value::List(_) | Value::Map(_) | Value::Set(_) | Value::Tuple(_) => return None,
        })
    }

    /// Whether two nodes are one key.
    pub(crate) fn is_same(one: &Node, other: &Node) -> bool {
        match (&one.value, &other.value) {
            (Value::String(one), Value::String(other)) => one == other,
            (Value::String(_), _) | (_, Value::String(_)) => false,
            _ => Key::of(one).is_some_and(|one| Key::of(other) == Some(one)),
        }
    }

    fn into_owned(self) -> Key<'static> {
        match self {
            Self::Null => Key::Null,
            Self::Integer(i) => Key::Integer(i),
            Self::Digits(digits) => Key::Digits(Cow::Owned(digits.into_owned())),
            Self::Float(bits) => Key::Float(bits),
            Self::Text(text) => Key::Text(Cow::Owned(text.into_owned())),
            Self::Date(text) => Key::Date(Cow::Owned(text.into_owned())),
            Self::Bytes(bytes) => Key::Bytes(Cow::Owned(bytes.into_owned())),
        }
    }
}

impl PartialEq for Map {
    fn eq(&self, other: &Self) -> bool {
        self.entries == other.entries
    }
}

impl FromIterator<(Node, Node)> for Map {
    fn from_iter<I: IntoIterator<Item = (Node, Node)>>(entries: I) -> Self {
        let mut map = Map::new();
        for (key, value) in entries {
            map.insert(key, value);
        }
        map
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_map_is_the_same_map() {
        let node = |n: i64| Node::new(Value::Int(n));
        let mut map = Map::new();
        for n in 0..100 {
            map.insert(Node::text(format!("k{n}")), node(n));
            map.insert(node(n), Node::null());
        }
        map.insert(Node::text("k7"), Node::text("seven"));
        map.insert(node(8), Node::text("eight"));
        assert_eq!(map.len(), 200);
        assert_eq!(map.get("k7"), Some(&Node::text("seven")));
        assert_eq!(map.get("k99"), Some(&node(99)));
        assert_eq!(map.get("k100"), None);
        assert_eq!(map.get_mut(&node(8)).cloned(), Some(Node::text("eight")));
        assert_eq!(map.remove("k0"), Some(node(0)));
        assert_eq!((map.get("k0"), map.get("k1")), (None, Some(&node(1))));
        assert_eq!(map.iter().next(), Some((&node(0), &Node::null())));
        assert_eq!(map.clone(), map.into_entries().collect());
    }
}
