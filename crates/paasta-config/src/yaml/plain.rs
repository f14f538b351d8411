//! Plain scalars that YAML 1.1, which files here are written in, and YAML 1.2's core schema read differently.

use std::borrow::Cow;
use std::sync::Arc;

use super::bytes;
use super::events::{Events, Kind};
use super::scalar::{self, Resolved};
use crate::{Node, Position, Value};

/// A plain scalar with two readings.
#[derive(Clone, Debug)]
pub(crate) struct Ambiguous {
    /// As written.
    pub(crate) text: String,
    pub(crate) position: Position,
    /// By YAML 1.1, which counts.
    pub(crate) here: Node,
    /// By YAML 1.2's core schema.
    pub(crate) elsewhere: Node,
}

/// All of a file, in order; those before the first error, if it is no YAML.
pub(crate) fn ambiguous(bytes: &[u8], file: &str) -> Vec<Ambiguous> {
    let file: Arc<str> = file.into();
    let Ok(text) = bytes::decode(bytes, &file) else { return Vec::new() };
    let mut events = Events::new(&text);
    let mut found = Vec::new();
    while let Ok(event) = events.next() {
        match event.kind {
            Kind::StreamEnd => break,
            Kind::Scalar { tag: None, text, is_plain: true, .. } => {
                if let Some((here, elsewhere)) = readings(&text) {
                    let (line, column) = (event.mark.line + 1, event.mark.column + 1);
                    let position = Position { file: file.clone(), line, column };
                    found.push(Ambiguous { text: text.into_owned(), position, here, elsewhere });
                }
            }
            _ => {}
        }
    }
    found
}

/// Both readings of a text, if they differ.
fn readings(text: &str) -> Option<(Node, Node)> {
    // `<<` and `=` are no values, and what cannot be read at all is told by the parser.
    let Ok(Resolved::Value(here)) = scalar::plain(Cow::Borrowed(text)) else { return None };
    let elsewhere = core(text);
    let both_nan =
        matches!((&here, &elsewhere), (Value::Float(a), Value::Float(b)) if a.is_nan() && b.is_nan());
    (here != elsewhere && !both_nan).then(|| (Node::new(here), Node::new(elsewhere)))
}

/// A plain scalar by YAML 1.2's core schema (its section 10.3.2).
fn core(text: &str) -> Value {
    let string = || Value::String(text.to_owned());
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Value::Float(f64::NAN),
        _ => {}
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        let magnitude = f64::INFINITY;
        return Value::Float(if text.starts_with('-') { -magnitude } else { magnitude });
    }
    if digits(unsigned) {
        // As every other decimal integer, however it begins.
        let bare = unsigned.trim_start_matches('0');
        let bare = if bare.is_empty() { "0" } else { bare };
        let signed = if text.starts_with('-') && bare != "0" { format!("-{bare}") } else { bare.to_owned() };
        return signed.parse().map_or(Value::BigInt(signed), Value::Int);
    }
    for (prefix, base) in [("0o", 8), ("0x", 16)] {
        if let Some(rest) = text.strip_prefix(prefix)
            && rest.chars().all(|c| c.is_digit(base))
            && !rest.is_empty()
        {
            return i64::from_str_radix(rest, base)
                .map_or_else(|_| Value::BigInt(rest.to_owned()), Value::Int);
        }
    }
    if is_core_float(unsigned) { text.parse().map_or_else(|_| string(), Value::Float) } else { string() }
}

/// `[0-9]+(\.[0-9]*)?` or `\.[0-9]+`, with an exponent or without.
fn is_core_float(unsigned: &str) -> bool {
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => {
            let (mantissa, exponent) = unsigned.split_at(at);
            (mantissa, exponent.get(1..))
        }
        None => (unsigned, None),
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let exponent_fits = exponent.is_none_or(|exponent| {
        let digits_alone = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !digits_alone.is_empty() && digits(digits_alone)
    });
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let some = !whole.is_empty() || !fraction.is_empty();
    exponent_fits && some && digits(whole) && digits(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(&str, &str)>) {
        let shown = readings(text).map(|(here, elsewhere)| (format!("{here:?}"), format!("{elsewhere:?}")));
        let expected = expected.map(|(here, elsewhere)| (here.to_owned(), elsewhere.to_owned()));
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn readings_of_two_yamls() {
        for same in [
            "", "~", "null", "true", "FALSE", "0", "1", "-12", "+5", "1.5", "1.", ".5", "1.5e+3", "0x1F",
            "abc", "y", "nULL", "1.2.3", ".inf", "-.INF", ".nan", "a:b", "0x", "e3", ".", "-", "+", "1e",
            "<<", "=",
        ] {
            check(same, None);
        }
        check("yes", Some(("true", "\"yes\"")));
        check("Off", Some(("false", "\"Off\"")));
        check("017", Some(("15", "17")));
        check("-017", Some(("-15", "-17")));
        check("08", Some(("\"08\"", "8")));
        check("0o17", Some(("\"0o17\"", "15")));
        check("0b11", Some(("3", "\"0b11\"")));
        check("-0x1F", Some(("-31", "\"-0x1F\"")));
        check("1_000", Some(("1000", "\"1_000\"")));
        check("0x1_F", Some(("31", "\"0x1_F\"")));
        check("1:30", Some(("90", "\"1:30\"")));
        check("190:20:30.15", Some(("685230.15", "\"190:20:30.15\"")));
        check("1e3", Some(("\"1e3\"", "1000.0")));
        check("1.0e3", Some(("\"1.0e3\"", "1000.0")));
        check("+.5", Some(("\"+.5\"", "0.5")));
        check("2021-04-01", Some(("date 2021-04-01", "\"2021-04-01\"")));
    }

    #[test]
    fn quotes_and_tags_leave_one_reading() {
        let file = b"a: 'yes'\nb: \"017\"\nc: !!str 1:30\nd: |\n  no\non: [off, {e: 1_0}]\n";
        let found: Vec<String> =
            ambiguous(file, "f").iter().map(|one| format!("{} {}", one.position, one.text)).collect();
        assert_eq!(found, ["f:6:1 on", "f:6:6 off", "f:6:15 1_0"]);
    }
}
