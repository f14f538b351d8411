//! Nodes as Python's `str()`, `repr()`, `==` and `<` take them (config.md §10.1).

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::Write as _;

use paasta_config::{Map, Node, Value};

use super::pyfloat::push_float;

/// Why a node has no such text: what it is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoText(pub(crate) &'static str);

/// The text that Python's `str()` gives.
pub(crate) fn py_str(node: &Node) -> Result<Cow<'_, str>, NoText> {
    match &node.value {
        Value::String(text) | Value::Date(text) | Value::BigInt(text) => Ok(Cow::Borrowed(text)),
        _ => {
            let mut out = String::new();
            push_repr(&mut out, node)?;
            Ok(Cow::Owned(out))
        }
    }
}

fn push_repr(out: &mut String, node: &Node) -> Result<(), NoText> {
    match &node.value {
        Value::Null => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::Int(number) => push_int(out, *number),
        Value::BigInt(digits) => out.push_str(digits),
        Value::Float(number) => push_float(out, *number),
        Value::String(text) => push_quoted(out, text),
        Value::Date(text) => push_date(out, text)?,
        Value::Bytes(bytes) => push_bytes(out, bytes),
        Value::List(list) => push_items(out, list, ['[', ']'])?,
        // A pair has two items: the comma after an only one is not needed.
        Value::Tuple(items) => push_items(out, items, ['(', ')'])?,
        Value::Set(_) => return Err(NoText("a set")),
        Value::Map(map) => push_map(out, map)?,
    }
    Ok(())
}

fn push_bytes(out: &mut String, bytes: &[u8]) {
    let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') { '"' } else { '\'' };
    out.push('b');
    out.push(quote);
    for byte in bytes {
        match byte {
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            b'\\' => out.push_str("\\\\"),
            b' '..=b'~' if char::from(*byte) == quote => {
                out.push('\\');
                out.push(quote);
            }
            b' '..=b'~' => out.push(char::from(*byte)),
            // Writing to a text cannot fail.
            _ => drop(write!(out, "\\x{byte:02x}")),
        }
    }
    out.push(quote);
}

/// Appends a number in decimal digits.
pub(crate) fn push_int(out: &mut String, number: i64) {
    // Writing to a text cannot fail.
    let _ = write!(out, "{number}");
}

fn push_items(out: &mut String, list: &[Node], [open, close]: [char; 2]) -> Result<(), NoText> {
    out.push(open);
    for (index, item) in list.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        push_repr(out, item)?;
    }
    out.push(close);
    Ok(())
}

fn push_map(out: &mut String, map: &Map) -> Result<(), NoText> {
    out.push('{');
    for (index, (key, value)) in map.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        push_repr(out, key)?;
        out.push_str(": ");
        push_repr(out, value)?;
    }
    out.push('}');
    Ok(())
}

/// A day inside a list shows its parts; a point in time there has no stable text.
fn push_date(out: &mut String, text: &str) -> Result<(), NoText> {
    let parts: Vec<u32> = text.split('-').filter_map(|part| part.parse().ok()).collect();
    match parts[..] {
        [year, month, day] if text.len() == 10 => {
            let _ = write!(out, "datetime.date({year}, {month}, {day})");
            Ok(())
        }
        _ => Err(NoText("a date-time inside a list or map")),
    }
}

fn push_quoted(out: &mut String, text: &str) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if is_printable(c) => out.push(c),
            c => push_escaped(out, c as u32),
        }
    }
    out.push(quote);
}

fn push_escaped(out: &mut String, code: u32) {
    let _ = match code {
        0..=0xff => write!(out, "\\x{code:02x}"),
        0x100..=0xffff => write!(out, "\\u{code:04x}"),
        _ => write!(out, "\\U{code:08x}"),
    };
}

/// Whether Python prints the character as it is. Rust escapes the same categories in debug texts; a letter goes
/// before it because a combining mark is only escaped where it stands first.
fn is_printable(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    let mut buffer = [b'a'; 5];
    let length = c.encode_utf8(&mut buffer[1..]).len();
    match std::str::from_utf8(&buffer[..=length]) {
        Ok(text) => text.escape_debug().nth(1) == Some(c),
        Err(_) => false,
    }
}

/// Whether Python's `==` holds: numbers and booleans compare by value, whatever their kind.
pub(crate) fn py_eq(a: &Node, b: &Node) -> bool {
    match (&a.value, &b.value) {
        (Value::List(a), Value::List(b)) | (Value::Tuple(a), Value::Tuple(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| py_eq(a, b))
        }
        (Value::Map(a), Value::Map(b)) | (Value::Set(a), Value::Set(b)) => {
            a.len() == b.len()
                && a.iter().all(|(key, value)| {
                    b.iter().any(|(other_key, other)| py_eq(key, other_key) && py_eq(value, other))
                })
        }
        (a_value, b_value) => match (as_float(a_value), as_float(b_value)) {
            (Some(x), Some(y)) => x == y,
            _ => a_value == b_value,
        },
    }
}

/// Python's order, or `None` where Python refuses to compare.
pub(crate) fn py_cmp(a: &Node, b: &Node) -> Option<Ordering> {
    match (&a.value, &b.value) {
        (Value::String(a), Value::String(b)) | (Value::Date(a), Value::Date(b)) => Some(a.cmp(b)),
        (Value::List(a), Value::List(b)) | (Value::Tuple(a), Value::Tuple(b)) => {
            for (a, b) in a.iter().zip(b) {
                if !py_eq(a, b) {
                    return py_cmp(a, b);
                }
            }
            Some(a.len().cmp(&b.len()))
        }
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (a, b) => as_float(a)?.partial_cmp(&as_float(b)?),
    }
}

fn as_float(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(b) => Some(f64::from(u8::from(*b))),
        Value::Int(i) => Some(*i as f64),
        Value::BigInt(digits) => digits.parse().ok(),
        Value::Float(f) => Some(*f),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(items: Vec<Value>) -> Node {
        Node::new(Value::List(items.into_iter().map(Node::new).collect()))
    }

    fn pair(text: &str) -> Value {
        Value::Tuple(vec![Node::new(Value::Int(1)), Node::text(text)])
    }

    #[test]
    fn texts_look_like_pythons() {
        let map: Map = [(Node::text("k"), Node::text("v"))].into_iter().collect();
        for (node, text) in [
            (Node::null(), "None"),
            (Node::new(Value::Bool(true)), "True"),
            (Node::new(Value::Float(1e16)), "1e+16"),
            (Node::text("it's"), "it's"),
            (list(vec![Value::String("a".into()), Value::Float(1.0)]), "['a', 1.0]"),
            (list(vec![Value::String("it's".into())]), r#"["it's"]"#),
            (list(vec![Value::String("'\"".into())]), r#"['\'"']"#),
            (
                list(vec![Value::String("é\u{301}\u{7f}\u{200b}\u{e0001}\n".into())]),
                "['é\u{301}\\x7f\\u200b\\U000e0001\\n']",
            ),
            (Node::new(Value::Bytes(b"hel'lo\n\xff".to_vec())), r#"b"hel'lo\n\xff""#),
            (list(vec![Value::Date("2021-04-01".into())]), "[datetime.date(2021, 4, 1)]"),
            (Node::new(Value::Map(map.clone())), "{'k': 'v'}"),
            (list(vec![pair("a")]), "[(1, 'a')]"),
        ] {
            assert_eq!(py_str(&node).as_deref(), Ok(text));
        }
        assert!(py_str(&list(vec![Value::Date("2021-04-01 10:00:00".into())])).is_err());
        assert_eq!(py_str(&Node::new(Value::Set(map))), Err(NoText("a set")));
    }

    #[test]
    fn pairs_and_sets_are_no_lists_and_maps() {
        let pairs = |text: &str| list(vec![pair(text)]);
        assert!(py_eq(&pairs("a"), &pairs("a")) && !py_eq(&pairs("a"), &pairs("b")));
        assert_eq!(py_cmp(&pairs("a"), &pairs("b")), Some(Ordering::Less));
        let alike = list(vec![Value::Int(1), Value::String("a".into())]);
        assert!(!py_eq(&Node::new(pair("a")), &alike));
        assert_eq!(py_cmp(&Node::new(pair("a")), &alike), None);
        let members =
            |names: [&str; 2]| names.map(|name| (Node::text(name), Node::null())).into_iter().collect();
        let set = |names| Node::new(Value::Set(members(names)));
        assert!(py_eq(&set(["a", "b"]), &set(["b", "a"])) && !py_eq(&set(["a", "b"]), &set(["a", "c"])));
        assert!(!py_eq(&set(["a", "b"]), &Node::new(Value::Map(members(["a", "b"])))));
        assert_eq!(py_cmp(&set(["a", "b"]), &set(["a", "c"])), None);
    }
}
