//! JSON as Python's `json.dumps` writes it by default: `", "` and `": "`, ASCII only (config.md §7.3).

use std::fmt::Write as _;

use serde_json::Value;

/// Writes the value with its keys in their own order.
pub(crate) fn to_text(value: &Value) -> String {
    let mut out = String::new();
    write_value(&mut out, value);
    out
}

fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::String(text) => write_string(out, text),
        Value::Array(list) => {
            write_all(out, ('[', ']'), list.iter(), write_value);
        }
        Value::Object(map) => write_all(out, ('{', '}'), map.iter(), |out, (key, value)| {
            write_string(out, key);
            out.push_str(": ");
            write_value(out, value);
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => out.push_str(&value.to_string()),
    }
}

fn write_all<T>(
    out: &mut String,
    (open, close): (char, char),
    items: impl Iterator<Item = T>,
    write: impl Fn(&mut String, T),
) {
    out.push(open);
    for (i, item) in items.enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        write(out, item);
    }
    out.push(close);
}

fn write_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(c),
            other => write_escapes(out, other),
        }
    }
    out.push('"');
}

fn write_escapes(out: &mut String, c: char) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        // Writing to a String cannot fail.
        let _ = write!(out, "\\u{unit:04x}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_ascii() {
        let value = serde_json::json!({"b": [1, null, true], "ä\u{7f}": "\"\\\n\r\t\u{8}\u{c}/ü😀\u{1}"});
        let expected = r#"{"b": [1, null, true], "\u00e4\u007f": "\"\\\n\r\t\b\f/\u00fc\ud83d\ude00\u0001"}"#;
        assert_eq!(to_text(&value), expected);
    }
}
