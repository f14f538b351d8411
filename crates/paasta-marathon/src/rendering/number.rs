//! Arithmetic over numbers as people wrote them, by Python's rules.

use std::cmp::Ordering;

use paasta_config::{Node, RenderError, Value};

use super::failure;

/// A Python number: integers stay exact until a float joins them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Int(i128),
    Float(f64),
}

impl Number {
    /// The number that stands in a node; booleans count as 0 and 1, texts do not count.
    pub(crate) fn of(key: &str, node: &Node) -> Result<Self, RenderError> {
        match &node.value {
            Value::Bool(b) => Ok(Number::Int(i128::from(*b))),
            Value::Int(i) => Ok(Number::Int(i128::from(*i))),
            Value::Float(f) => Ok(Number::Float(*f)),
            Value::BigInt(digits) => digits.parse().map(Number::Int).map_err(|_| too_large(key, Some(node))),
            _ => Err(failure(
                "TypeError",
                Some(node),
                format!("{key}: expected a number, found {}", node.kind()),
            )),
        }
    }

    /// The number under a key of the settings, or a default.
    pub(crate) fn of_key(key: &str, node: Option<&Node>, default: i128) -> Result<Self, RenderError> {
        node.map_or(Ok(Number::Int(default)), |node| Self::of(key, node))
    }

    pub(crate) fn to_f64(self) -> f64 {
        match self {
            Number::Int(i) => i as f64,
            Number::Float(f) => f,
        }
    }

    pub(crate) fn is_zero(self) -> bool {
        self.to_f64() == 0.0
    }

    /// `self + other`, or `None` beyond all bounds.
    pub(crate) fn plus(self, other: Number) -> Option<Number> {
        match (self, other) {
            (Number::Int(a), Number::Int(b)) => a.checked_add(b).map(Number::Int),
            (a, b) => Some(Number::Float(a.to_f64() + b.to_f64())),
        }
    }

    /// `self * other`, or `None` beyond all bounds.
    pub(crate) fn times(self, other: Number) -> Option<Number> {
        match (self, other) {
            (Number::Int(a), Number::Int(b)) => a.checked_mul(b).map(Number::Int),
            (a, b) => Some(Number::Float(a.to_f64() * b.to_f64())),
        }
    }

    /// The digits of the integer part; `None` if there is none.
    pub(crate) fn truncated(self) -> Option<String> {
        match self {
            Number::Int(i) => Some(i.to_string()),
            Number::Float(f) if f.is_finite() => Some(whole_digits(f.trunc())),
            Number::Float(_) => None,
        }
    }

    /// The digits of the least integer that is not below it; `None` if there is none.
    pub(crate) fn ceiled(self) -> Option<String> {
        match self {
            Number::Int(i) => Some(i.to_string()),
            Number::Float(f) if f.is_finite() => Some(whole_digits(f.ceil())),
            Number::Float(_) => None,
        }
    }

    pub(crate) fn compare(self, other: Number) -> Option<Ordering> {
        match (self, other) {
            (Number::Int(a), Number::Int(b)) => Some(a.cmp(&b)),
            (a, b) => a.to_f64().partial_cmp(&b.to_f64()),
        }
    }
}

/// The exact digits of an integral float, without the sign of a negative zero.
fn whole_digits(value: f64) -> String {
    if value == 0.0 { "0".to_owned() } else { format!("{value:.0}") }
}

/// The error for arithmetic that has no result.
pub(crate) fn too_large(key: &str, node: Option<&Node>) -> RenderError {
    failure("OverflowError", node, format!("{key}: the number is out of all bounds"))
}

/// Python's `float()`: numbers and texts that look like one.
pub(crate) fn to_float(key: &str, node: &Node) -> Result<f64, RenderError> {
    match &node.value {
        Value::String(text) => parse_float(text)
            .ok_or_else(|| failure("ValueError", Some(node), format!("{key}: {text:?} is not a number"))),
        _ => Number::of(key, node).map(Number::to_f64),
    }
}

fn parse_float(text: &str) -> Option<f64> {
    let text = text.trim();
    let mut digits = String::with_capacity(text.len());
    let mut previous_is_digit = false;
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        if c == '_' {
            // An underscore may only stand between two digits.
            if !(previous_is_digit && characters.peek().is_some_and(char::is_ascii_digit)) {
                return None;
            }
            continue;
        }
        previous_is_digit = c.is_ascii_digit();
        digits.push(c);
    }
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_read_as_floats() {
        for (text, value) in
            [("1024", 1024.0), (" 1e3\n", 1000.0), ("1_0.5", 10.5), ("+.5", 0.5), ("5.", 5.0)]
        {
            assert_eq!(parse_float(text), Some(value), "{text}");
        }
        for text in ["", "x", "1__0", "_1", "1_", "0x1", "1 0"] {
            assert_eq!(parse_float(text), None, "{text}");
        }
    }

    #[test]
    fn quota_arithmetic_is_in_doubles() {
        let quota = |cpus: f64, burst: i128| {
            Number::Float(cpus)
                .plus(Number::Int(burst))
                .unwrap()
                .times(Number::Int(100_000))
                .unwrap()
                .truncated()
        };
        for (cpus, burst, digits) in [
            (0.1, 1, "110000"),
            (0.57, 1, "156999"),
            (0.035, 1, "103499"),
            (0.29, 0, "28999"),
            (2.01, 0, "200999"),
        ] {
            assert_eq!(quota(cpus, burst).as_deref(), Some(digits));
        }
        assert_eq!(Number::Float(1e22).truncated().as_deref(), Some("10000000000000000000000"));
        assert_eq!(Number::Float(-0.5).truncated().as_deref(), Some("0"));
        assert_eq!(Number::Float(f64::NAN).truncated(), None);
    }
}
