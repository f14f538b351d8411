//! From bytes to the text that YAML allows.

use std::borrow::Cow;
use std::sync::Arc;

use super::{FILE_BYTES_MAX, YamlError, YamlProblem};
use crate::Position;

/// The text, without its byte order mark. UTF-16 is recognised by its mark.
pub(super) fn decode<'a>(bytes: &'a [u8], file: &Arc<str>) -> Result<Cow<'a, str>, YamlError> {
    if bytes.len() > FILE_BYTES_MAX {
        let position = Position { file: file.clone(), line: 1, column: 1 };
        return Err(YamlError {
            position,
            problem: YamlProblem::TooLarge("the file is larger than 4 MiB".to_owned()),
        });
    }
    let text = match bytes {
        [0xFF, 0xFE, rest @ ..] => Cow::Owned(utf16(rest, u16::from_le_bytes, file)?),
        [0xFE, 0xFF, rest @ ..] => Cow::Owned(utf16(rest, u16::from_be_bytes, file)?),
        [0xEF, 0xBB, 0xBF, rest @ ..] => Cow::Borrowed(utf8(rest, file)?),
        _ => Cow::Borrowed(utf8(bytes, file)?),
    };
    match text.char_indices().find(|(_, c)| !is_allowed(*c)) {
        None => Ok(text),
        Some((at, c)) => {
            let problem = format!("the character U+{:04X} is not allowed in YAML", u32::from(c));
            Err(unreadable(file, text.get(..at).unwrap_or_default(), problem))
        }
    }
}

fn is_allowed(c: char) -> bool {
    matches!(
        c,
        '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{A0}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..
    )
}

fn utf8<'a>(bytes: &'a [u8], file: &Arc<str>) -> Result<&'a str, YamlError> {
    std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        unreadable(file, &String::from_utf8_lossy(before), "the file is not UTF-8 here".to_owned())
    })
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16, file: &Arc<str>) -> Result<String, YamlError> {
    let (pairs, odd) = bytes.as_chunks::<2>();
    let mut text = String::new();
    for c in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        match c {
            Ok(c) => text.push(c),
            Err(_) => return Err(unreadable(file, &text, "the file is not UTF-16 here".to_owned())),
        }
    }
    if odd.is_empty() {
        Ok(text)
    } else {
        Err(unreadable(file, &text, "the file is not UTF-16 here".to_owned()))
    }
}

fn unreadable(file: &Arc<str>, before: &str, problem: String) -> YamlError {
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let position = Position { file: file.clone(), line: line as u32, column: column as u32 };
    YamlError { position, problem: YamlProblem::Text(problem) }
}
