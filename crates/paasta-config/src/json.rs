//! JSON as Python reads it, into positioned [`Node`]s: integers and floats stay apart, a repeated key takes its
//! last value, `NaN` and `Infinity` are numbers.

use std::sync::Arc;

use crate::{Map, Node, Position, Value};

/// How deep lists and maps may nest.
const DEPTH_MAX: usize = 256;

/// Why a text is not JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{position}: {problem}")]
pub struct JsonError {
    /// Where reading stopped.
    pub position: Position,
    /// What is wrong there.
    pub problem: String,
}

/// Reads one JSON document; `file` names it in positions.
///
/// ```
/// let node = paasta_config::parse_json(br#"{"a": [1, 1.0]}"#, "x.json")?;
/// let list = node.as_map().and_then(|map| map.get("a")).expect("a key");
/// assert_eq!(format!("{list:?}"), "[1, 1.0]");
/// # Ok::<(), paasta_config::JsonError>(())
/// ```
pub fn parse_json(bytes: &[u8], file: &str) -> Result<Node, JsonError> {
    let file: Arc<str> = file.into();
    let text = std::str::from_utf8(bytes).map_err(|e| JsonError {
        position: position_at(&file, &bytes[..e.valid_up_to()]),
        problem: "the file is not UTF-8".to_owned(),
    })?;
    let mut reader = Reader { text, at: 0, line: 1, counted: 0, column: 1, file };
    reader.space();
    let node = reader.value(0)?;
    reader.space();
    if reader.at < text.len() {
        return Err(reader.error("something follows the document"));
    }
    Ok(node)
}

fn position_at(file: &Arc<str>, before: &[u8]) -> Position {
    let text = String::from_utf8_lossy(before);
    let line = text.matches('\n').count() + 1;
    let column = text.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Position { file: file.clone(), line: line as u32, column: column as u32 }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    line: u32,
    /// Up to where characters of this line are counted, and how many there are, from 1.
    counted: usize,
    column: u32,
    file: Arc<str>,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn position(&mut self) -> Position {
        let passed = self.text.get(self.counted..self.at).unwrap_or_default();
        self.column += passed.chars().count() as u32;
        self.counted = self.at;
        Position { file: self.file.clone(), line: self.line, column: self.column }
    }

    fn error(&mut self, problem: impl Into<String>) -> JsonError {
        JsonError { position: self.position(), problem: problem.into() }
    }

    fn space(&mut self) {
        while let Some(byte @ (b' ' | b'\t' | b'\n' | b'\r')) = self.peek() {
            self.at += 1;
            if byte == b'\n' {
                self.line += 1;
                self.counted = self.at;
                self.column = 1;
            }
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn value(&mut self, depth: usize) -> Result<Node, JsonError> {
        if depth > DEPTH_MAX {
            return Err(self.error(format!("lists and maps are nested deeper than {DEPTH_MAX}")));
        }
        let position = self.position();
        let value = match self.peek() {
            Some(b'{') => self.object(depth)?,
            Some(b'[') => self.array(depth)?,
            Some(b'"') => Value::String(self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(_) => self.word()?,
            None => return Err(self.error("the document ends where a value is expected")),
        };
        Ok(Node { value, position: Some(position) })
    }

    fn word(&mut self) -> Result<Value, JsonError> {
        let words = [
            ("null", Value::Null),
            ("true", Value::Bool(true)),
            ("false", Value::Bool(false)),
            ("NaN", Value::Float(f64::NAN)),
            ("Infinity", Value::Float(f64::INFINITY)),
        ];
        for (word, value) in words {
            if self.rest().starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(self.error("a value is expected"))
    }

    fn object(&mut self, depth: usize) -> Result<Value, JsonError> {
        self.at += 1;
        let mut map = Map::new();
        self.space();
        if self.take(b'}') {
            return Ok(Value::Map(map));
        }
        loop {
            self.space();
            let position = self.position();
            if self.peek() != Some(b'"') {
                return Err(self.error("a key in double quotes is expected"));
            }
            let key = Node { value: Value::String(self.string()?), position: Some(position) };
            self.space();
            if !self.take(b':') {
                return Err(self.error("`:` is expected"));
            }
            self.space();
            let value = self.value(depth + 1)?;
            map.insert(key, value);
            self.space();
            if self.take(b'}') {
                return Ok(Value::Map(map));
            }
            if !self.take(b',') {
                return Err(self.error("`,` or `}` is expected"));
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, JsonError> {
        self.at += 1;
        let mut list = Vec::new();
        self.space();
        if self.take(b']') {
            return Ok(Value::List(list));
        }
        loop {
            self.space();
            list.push(self.value(depth + 1)?);
            self.space();
            if self.take(b']') {
                return Ok(Value::List(list));
            }
            if !self.take(b',') {
                return Err(self.error("`,` or `]` is expected"));
            }
        }
    }

    fn digits(&mut self) -> usize {
        let count = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        self.at += count;
        count
    }

    fn number(&mut self) -> Result<Value, JsonError> {
        let start = self.at;
        self.take(b'-');
        if self.rest().starts_with("Infinity") {
            self.at += "Infinity".len();
            return Ok(Value::Float(f64::NEG_INFINITY));
        }
        let leading_zero = self.peek() == Some(b'0');
        let whole = self.digits();
        if whole == 0 || (leading_zero && whole > 1) {
            return Err(self.error("a number is expected, without leading zeros"));
        }
        let mut float = false;
        if self.peek() == Some(b'.') {
            self.at += 1;
            float = true;
            if self.digits() == 0 {
                return Err(self.error("a digit is expected after `.`"));
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            float = true;
            if !self.take(b'-') {
                self.take(b'+');
            }
            if self.digits() == 0 {
                return Err(self.error("a digit is expected in the exponent"));
            }
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        if float {
            return text.parse().map(Value::Float).map_err(|_| self.error("a number is expected"));
        }
        // `-0` is the integer 0.
        Ok(text.parse().map_or_else(|_| Value::BigInt(text.to_owned()), Value::Int))
    }

    fn string(&mut self) -> Result<String, JsonError> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = self.rest();
            let plain = rest.find(|c: char| c == '"' || c == '\\' || c < ' ').unwrap_or(rest.len());
            out.push_str(rest.get(..plain).unwrap_or_default());
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => out.push(self.escape()?),
                Some(_) => return Err(self.error("a control character stands in a string")),
                None => return Err(self.error("a string has no end")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        self.at += 1;
        let escaped = self.peek();
        self.at += 1;
        Ok(match escaped {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.code_point(),
            _ => {
                self.at -= 1;
                return Err(self.error("this is no escape sequence"));
            }
        })
    }

    fn code_point(&mut self) -> Result<char, JsonError> {
        let high = self.hexadecimal()?;
        if let Some(c) = char::from_u32(high) {
            return Ok(c);
        }
        if self.rest().starts_with("\\u") {
            self.at += 2;
            let low = self.hexadecimal()?;
            if (0xD800..0xDC00).contains(&high) && (0xDC00..0xE000).contains(&low) {
                let code = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
                if let Some(c) = char::from_u32(code) {
                    return Ok(c);
                }
            }
        }
        Err(self.error("half of a surrogate pair is no character"))
    }

    fn hexadecimal(&mut self) -> Result<u32, JsonError> {
        let digits = self.rest().get(..4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let code = code.ok_or_else(|| self.error("four hexadecimal digits are expected"))?;
        self.at += 4;
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let shown = match parse_json(text.as_bytes(), "f") {
            Ok(node) => format!("{node:?}"),
            Err(e) => e.to_string(),
        };
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn documents() {
        check(
            r#" {"b": 1, "a": [1.0, -2e3, true, null], "b": "x"} "#,
            r#"{"b": "x", "a": [1.0, -2000.0, true, null]}"#,
        );
        check(r#""\ud83c\udf63\u00e9\n""#, r#""🍣é\n""#);
        check("123456789012345678901234567890", "123456789012345678901234567890");
        check("[NaN, -Infinity]", "[NaN, -inf]");
        check("", "f:1:1: the document ends where a value is expected");
        check("{\n  \"a\" 1}", "f:2:7: `:` is expected");
        check("[1,]", "f:1:4: a value is expected");
        check("01", "f:1:3: a number is expected, without leading zeros");
        check(r#""\ud83c""#, "f:1:8: half of a surrogate pair is no character");
        check("{} x", "f:1:4: something follows the document");
    }

    #[test]
    fn deep_nesting_is_an_error() {
        assert!(parse_json("[".repeat(100_000).as_bytes(), "f").is_err());
    }
}
