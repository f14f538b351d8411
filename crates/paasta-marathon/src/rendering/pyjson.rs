//! JSON as Python's `json.dumps(…, sort_keys=True)` writes it: the text that identities are hashed from, and the
//! body on the wire (marathon-and-bounce.md §1.13, §1.14).

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::Write as _;

use paasta_config::{Map, Node, Position, Value};

use super::pyfloat::push_float;
use super::pystr::{push_int, py_cmp};

/// A tree to write. It borrows whatever was written by people, so that nothing is copied on the way.
pub(crate) enum Json<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Cow<'a, str>),
    /// A value as people wrote it.
    Node(&'a Node),
    List(Vec<Json<'a>>),
    /// Keys in any order; they are sorted when written.
    Object(Vec<(&'a str, Json<'a>)>),
    /// Another tree.
    Ref(&'a Json<'a>),
    /// Below here, members and items that are null or empty are left out.
    Minimal(Box<Json<'a>>),
}

/// Why a tree has no JSON text.
#[derive(Debug)]
pub(crate) struct Unserialisable {
    pub(crate) reason: &'static str,
    pub(crate) position: Option<Position>,
}

/// Whether not-a-number and the infinities may be written, as Python does although JSON has no such words.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Floats {
    Any,
    Finite,
}

impl<'a> Json<'a> {
    /// A text.
    pub(crate) fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Json::Text(text.into())
    }

    /// The value that people wrote, or a default.
    pub(crate) fn node_or(node: Option<&'a Node>, default: Json<'a>) -> Self {
        node.map_or(default, Json::Node)
    }

    /// Whether Marathon's client leaves it out: null and whatever is empty, but not `false` and `0`.
    pub(crate) fn is_absent(&self) -> bool {
        match self {
            Json::Null => true,
            Json::Text(text) => text.is_empty(),
            Json::Node(node) => is_absent_node(node),
            Json::List(list) => list.is_empty(),
            Json::Object(members) => members.is_empty(),
            Json::Ref(json) => json.is_absent(),
            Json::Minimal(json) => json.is_absent(),
            Json::Bool(_) | Json::Int(_) | Json::Float(_) => false,
        }
    }

    /// Whether Python's `if` takes it.
    pub(crate) fn is_truthy(&self) -> bool {
        match self {
            Json::Bool(b) => *b,
            Json::Int(i) => *i != 0,
            Json::Float(f) => *f != 0.0,
            Json::Node(node) => node.is_truthy(),
            Json::Ref(json) => json.is_truthy(),
            other => !other.is_absent(),
        }
    }

    /// The JSON text.
    pub(crate) fn write(&self, floats: Floats) -> Result<String, Unserialisable> {
        let mut writer = Writer { out: String::with_capacity(2048), floats, minimal: false };
        writer.json(self)?;
        Ok(writer.out)
    }
}

fn is_absent_node(node: &Node) -> bool {
    match &node.value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::List(list) => list.is_empty(),
        Value::Map(map) => map.is_empty(),
        _ => false,
    }
}

struct Writer {
    out: String,
    floats: Floats,
    minimal: bool,
}

impl Writer {
    fn json(&mut self, json: &Json<'_>) -> Result<(), Unserialisable> {
        match json {
            Json::Null => self.out.push_str("null"),
            Json::Bool(b) => self.bool(*b),
            Json::Int(i) => push_int(&mut self.out, *i),
            Json::Float(f) => self.float(*f, None)?,
            Json::Text(text) => self.text(text),
            Json::Node(node) => self.node(node)?,
            Json::List(list) => self.list(list)?,
            Json::Object(members) => self.object(members)?,
            Json::Ref(json) => self.json(json)?,
            Json::Minimal(json) => {
                let before = std::mem::replace(&mut self.minimal, true);
                self.json(json)?;
                self.minimal = before;
            }
        }
        Ok(())
    }

    fn bool(&mut self, value: bool) {
        self.out.push_str(if value { "true" } else { "false" });
    }

    fn float(&mut self, value: f64, position: Option<&Position>) -> Result<(), Unserialisable> {
        if value.is_finite() {
            push_float(&mut self.out, value);
            return Ok(());
        }
        if self.floats == Floats::Finite {
            let reason = "not-a-number and infinities cannot be sent as JSON";
            return Err(Unserialisable { reason, position: position.cloned() });
        }
        self.out.push_str(match value {
            f64::INFINITY => "Infinity",
            f64::NEG_INFINITY => "-Infinity",
            _ => "NaN",
        });
        Ok(())
    }

    fn text(&mut self, text: &str) {
        self.out.push('"');
        let mut rest = text;
        // Whatever needs no escape is taken over in one piece.
        while let Some(place) =
            rest.bytes().position(|byte| !matches!(byte, b' '..=b'~') || matches!(byte, b'"' | b'\\'))
        {
            let (plain, from) = rest.split_at(place);
            self.out.push_str(plain);
            let mut characters = from.chars();
            if let Some(c) = characters.next() {
                self.escaped(c);
            }
            rest = characters.as_str();
        }
        self.out.push_str(rest);
        self.out.push('"');
    }

    fn escaped(&mut self, c: char) {
        match c {
            '"' => self.out.push_str("\\\""),
            '\\' => self.out.push_str("\\\\"),
            '\n' => self.out.push_str("\\n"),
            '\r' => self.out.push_str("\\r"),
            '\t' => self.out.push_str("\\t"),
            '\u{8}' => self.out.push_str("\\b"),
            '\u{c}' => self.out.push_str("\\f"),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(self.out, "\\u{unit:04x}");
                }
            }
        }
    }

    fn list(&mut self, list: &[Json<'_>]) -> Result<(), Unserialisable> {
        self.out.push('[');
        let mut first = true;
        for item in list {
            if self.minimal && item.is_absent() {
                continue;
            }
            self.separate(&mut first);
            self.json(item)?;
        }
        self.out.push(']');
        Ok(())
    }

    fn object(&mut self, members: &[(&str, Json<'_>)]) -> Result<(), Unserialisable> {
        let mut sorted: Vec<_> = members.iter().collect();
        sorted.sort_by_key(|(key, _)| *key);
        self.out.push('{');
        let mut first = true;
        for (key, value) in sorted {
            if self.minimal && value.is_absent() {
                continue;
            }
            self.separate(&mut first);
            self.text(key);
            self.out.push_str(": ");
            self.json(value)?;
        }
        self.out.push('}');
        Ok(())
    }

    fn separate(&mut self, first: &mut bool) {
        if !std::mem::replace(first, false) {
            self.out.push_str(", ");
        }
    }

    fn node(&mut self, node: &Node) -> Result<(), Unserialisable> {
        match &node.value {
            Value::Null => self.out.push_str("null"),
            Value::Bool(b) => self.bool(*b),
            Value::Int(i) => push_int(&mut self.out, *i),
            Value::BigInt(digits) => self.out.push_str(digits),
            Value::Float(f) => self.float(*f, node.position.as_ref())?,
            Value::String(text) => self.text(text),
            Value::List(list) | Value::Tuple(list) => self.node_list(list)?,
            Value::Map(map) => self.node_map(node, map)?,
            Value::Set(_) => return Err(unserialisable("a set has no JSON form", node)),
            Value::Date(_) => return Err(unserialisable("a date has no JSON form", node)),
            Value::Bytes(_) => return Err(unserialisable("bytes have no JSON form", node)),
        }
        Ok(())
    }

    fn node_list(&mut self, list: &[Node]) -> Result<(), Unserialisable> {
        self.out.push('[');
        let mut first = true;
        for item in list {
            if self.minimal && is_absent_node(item) {
                continue;
            }
            self.separate(&mut first);
            self.node(item)?;
        }
        self.out.push(']');
        Ok(())
    }

    fn node_map(&mut self, node: &Node, map: &Map) -> Result<(), Unserialisable> {
        self.out.push('{');
        let mut first = true;
        for (key, value) in
            sorted_entries(map).ok_or(unserialisable("keys of several kinds have no order", node))?
        {
            if self.minimal && is_absent_node(value) {
                continue;
            }
            self.separate(&mut first);
            self.key(key)?;
            self.out.push_str(": ");
            self.node(value)?;
        }
        self.out.push('}');
        Ok(())
    }

    fn key(&mut self, key: &Node) -> Result<(), Unserialisable> {
        match &key.value {
            Value::String(text) => self.text(text),
            Value::List(_)
            | Value::Map(_)
            | Value::Set(_)
            | Value::Tuple(_)
            | Value::Date(_)
            | Value::Bytes(_) => {
                return Err(unserialisable("only texts, numbers, booleans and null can be keys", key));
            }
            _ => {
                self.out.push('"');
                self.node(key)?;
                self.out.push('"');
            }
        }
        Ok(())
    }
}

fn unserialisable(reason: &'static str, node: &Node) -> Unserialisable {
    Unserialisable { reason, position: node.position.clone() }
}

/// The entries in Python's order of their keys, or `None` where Python cannot order them.
pub(crate) fn sorted_entries(map: &Map) -> Option<Vec<(&Node, &Node)>> {
    let mut entries: Vec<_> = map.iter().collect();
    let mut comparable = true;
    entries.sort_by(|(a, _), (b, _)| match py_cmp(a, b) {
        Some(order) => order,
        None => {
            comparable = false;
            Ordering::Equal
        }
    });
    comparable.then_some(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_ascii() {
        let text = "\u{1F600}\u{2028}/\"\\\u{7f}\u{1}\n\u{8}\u{c}é";
        let written = Json::text(text).write(Floats::Any).unwrap();
        assert_eq!(written, r#""\ud83d\ude00\u2028/\"\\\u007f\u0001\n\b\f\u00e9""#);
    }

    #[test]
    fn keys_are_sorted_by_code_point() {
        let json = Json::Object(vec![
            ("b", Json::Null),
            ("B", Json::Float(2.0)),
            ("a", Json::List(vec![Json::Int(1), Json::Bool(true)])),
        ]);
        assert_eq!(json.write(Floats::Any).unwrap(), r#"{"B": 2.0, "a": [1, true], "b": null}"#);
    }

    #[test]
    fn minimal_leaves_out_what_is_empty() {
        let inner = Json::Object(vec![
            ("a", Json::text("")),
            ("b", Json::Int(0)),
            ("c", Json::List(vec![Json::Null, Json::Bool(false)])),
        ]);
        let json = Json::Object(vec![("kept", Json::text("")), ("m", Json::Minimal(Box::new(inner)))]);
        assert_eq!(json.write(Floats::Finite).unwrap(), r#"{"kept": "", "m": {"b": 0, "c": [false]}}"#);
    }

    #[test]
    fn odd_keys_and_numbers() {
        let map: Map =
            [(Node::new(Value::Int(10)), Node::null()), (Node::new(Value::Float(2.5)), Node::null())]
                .into_iter()
                .collect();
        let node = Node::new(Value::Map(map));
        assert_eq!(Json::Node(&node).write(Floats::Any).unwrap(), r#"{"2.5": null, "10": null}"#);
        let mixed: Map =
            [(Node::new(Value::Int(1)), Node::null()), (Node::text("a"), Node::null())].into_iter().collect();
        let node = Node::new(Value::Map(mixed));
        assert!(Json::Node(&node).write(Floats::Any).is_err());
        assert_eq!(Json::Float(f64::NAN).write(Floats::Any).unwrap(), "NaN");
        assert!(Json::Float(f64::NAN).write(Floats::Finite).is_err());
    }

    #[test]
    fn pairs_are_lists_and_sets_are_nothing() {
        let pair = Value::Tuple(vec![Node::text("a"), Node::null()]);
        let pairs = Node::new(Value::List(vec![Node::new(pair)]));
        assert_eq!(Json::Node(&pairs).write(Floats::Any).unwrap(), r#"[["a", null]]"#);
        let set = Node::new(Value::Set(Map::new()));
        assert_eq!(Json::Node(&set).write(Floats::Any).unwrap_err().reason, "a set has no JSON form");
    }
}
