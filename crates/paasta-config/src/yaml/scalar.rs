//! What a scalar's text means in YAML 1.1, by PyYAML's expressions (config.md §10.1).

use std::borrow::Cow;

use super::base64;
use super::date;
use super::int;
use super::{cut, shorten};
use crate::Value;

/// Of the tags that YAML itself defines.
pub(super) const TAG_PREFIX: &str = "tag:yaml.org,2002:";

/// A scalar understood.
#[derive(Debug, PartialEq)]
pub(super) enum Resolved {
    Value(Value),
    /// `<<`, which merges as a key and is nothing as a value.
    Merge,
    /// `=`, which is a text as a key and nothing as a value; if tagged so, any text.
    Equals(String),
}

/// A plain scalar.
pub(super) fn plain(written: Cow<'_, str>) -> Result<Resolved, String> {
    let text = &*written;
    if let Some(b) = boolean(text) {
        return Ok(Resolved::Value(Value::Bool(b)));
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Resolved::Value(Value::Null)),
        "<<" => return Ok(Resolved::Merge),
        "=" => return Ok(Resolved::Equals(text.to_owned())),
        // Not plain as written, but so read after the tag `!`.
        "!" | "&" | "*" => {
            return Err(format!("`{text}` after the tag `!` means nothing; leave out the tag"));
        }
        _ => {}
    }
    let value = if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.')) {
        None
    } else if is_float(text) {
        Some(
            float(text)
                .ok_or_else(|| format!("`{}` looks like a float, but has no digits", shorten(text)))?,
        )
    } else if int::is_integer(text) {
        Some(int::integer(text)?)
    } else {
        date::timestamp(text, false).transpose()?.map(Value::Date)
    };
    Ok(Resolved::Value(value.unwrap_or_else(|| Value::String(written.into_owned()))))
}

/// A scalar with the tag `!`: read as if plain whatever its style, and a line break at its end does not count.
pub(super) fn untagged(written: Cow<'_, str>) -> Result<Resolved, String> {
    let Some(text) = written.strip_suffix('\n').filter(|text| !text.is_empty()) else {
        return plain(written);
    };
    match plain(Cow::Borrowed(text))? {
        Resolved::Value(Value::String(_)) => Ok(Resolved::Value(Value::String(written.into_owned()))),
        Resolved::Equals(_) => Ok(Resolved::Equals(written.into_owned())),
        Resolved::Value(Value::Bool(_)) => Err(format!("`{text}` and a line break is no boolean")),
        Resolved::Value(Value::Float(_)) if text.ends_with(|c: char| c.is_ascii_alphabetic()) => {
            Err(format!("`{text}` and a line break is no float"))
        }
        resolved => Ok(resolved),
    }
}

/// A scalar with an explicit tag, whatever its style.
pub(super) fn tagged(tag: &str, text: &str) -> Result<Resolved, String> {
    let cannot = |kind: &str| format!("{:?} cannot be read as {kind}", cut(text));
    let value = match tag.strip_prefix(TAG_PREFIX) {
        Some("str") => Value::String(text.to_owned()),
        Some("null") => Value::Null,
        Some("bool") => Value::Bool(boolean(&text.to_ascii_lowercase()).ok_or_else(|| cannot("a boolean"))?),
        Some("int") => int::integer(text).map_err(|_| cannot("an integer"))?,
        Some("float") => float(text).ok_or_else(|| cannot("a float"))?,
        Some("timestamp") => {
            let text = text.strip_suffix('\n').unwrap_or(text);
            Value::Date(date::timestamp(text, true).unwrap_or_else(|| Err(cannot("a date")))?)
        }
        Some("binary") => {
            let bytes = text.is_ascii().then(|| base64::decode(text)).flatten();
            Value::Bytes(bytes.ok_or_else(|| cannot("base 64"))?)
        }
        Some("merge") => return Ok(Resolved::Merge),
        Some("value") => return Ok(Resolved::Equals(text.to_owned())),
        _ => return Err(unknown_tag(tag)),
    };
    Ok(Resolved::Value(value))
}

/// What is said of a tag that we do not take.
pub(super) fn unknown_tag(tag: &str) -> String {
    match tag.strip_prefix(TAG_PREFIX) {
        Some(name) => format!("the tag `!!{}` cannot stand here", shorten(name)),
        None => format!("the tag `{}` is not known", shorten(tag)),
    }
}

fn boolean(text: &str) -> Option<bool> {
    const WORDS: [(&str, bool); 6] =
        [("yes", true), ("no", false), ("on", true), ("off", false), ("true", true), ("false", false)];
    let (word, value) = WORDS.into_iter().find(|(word, _)| text.eq_ignore_ascii_case(word))?;
    let rest_is_lower = text.get(1..) == word.get(1..);
    let upper = text.bytes().all(|b| b.is_ascii_uppercase());
    (rest_is_lower || upper).then_some(value)
}

/// Whether a float's expression matches all of `text`.
fn is_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let signed = unsigned.len() < text.len();
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let Some((whole, fraction)) = unsigned.split_once('.') else { return false };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    if whole.contains(':') {
        return int::is_sexagesimal(whole) && digits(fraction);
    }
    let mantissa = match fraction.find(['e', 'E']) {
        None => fraction,
        Some(at) => {
            let (mantissa, exponent) = fraction.split_at(at);
            let Some(exponent) = exponent.get(1..).and_then(|e| e.strip_prefix(['-', '+'])) else {
                return false;
            };
            if exponent.is_empty() || !exponent.bytes().all(|b| b.is_ascii_digit()) {
                return false;
            }
            mantissa
        }
    };
    if !digits(mantissa) {
        return false;
    }
    if whole.is_empty() {
        return !signed && !mantissa.is_empty();
    }
    whole.starts_with(|c: char| c.is_ascii_digit()) && digits(whole)
}

/// The float that PyYAML makes of a text; `None` if no digits are left.
fn float(text: &str) -> Option<Value> {
    let text = text.replace('_', "").to_ascii_lowercase();
    let negative = text.starts_with('-');
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(&text);
    let magnitude = match unsigned {
        ".inf" => f64::INFINITY,
        ".nan" => return Some(Value::Float(f64::NAN)),
        _ if unsigned.contains(':') => sexagesimal(unsigned)?,
        _ => number(unsigned)?,
    };
    Some(Value::Float(if negative { -magnitude } else { magnitude }))
}

/// As Python's `float()`, which also takes `inf`, `nan` and space around.
fn number(text: &str) -> Option<f64> {
    int::trim(text).parse().ok()
}

fn sexagesimal(text: &str) -> Option<f64> {
    let (mut value, mut base) = (0.0, 1.0);
    for part in text.rsplit(':') {
        value += number(part)? * base;
        base *= 60.0;
    }
    Some(value)
}
