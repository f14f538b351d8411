//! A document whose last line has no line break.
//!
//! The scanner gives up on a block scalar that ends so. It is given one line break more than was written, and the
//! block scalar that took it in gives it back.

use std::borrow::Cow;

use libyaml_safer::Mark;

/// The text with a line break at its end.
pub(super) fn pad(text: &str) -> Cow<'_, str> {
    if text.is_empty() || text.ends_with(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(format!("{text}\n"))
    }
}

/// Takes the added line break out of a block scalar that reaches the end of `text`.
pub(super) fn unpad(text: &str, start: Mark, end: Mark, value: &mut String) {
    let is_padded = matches!(pad(text), Cow::Owned(_));
    if !is_padded || end.index <= text.len() as u64 || !value.ends_with('\n') {
        return;
    }
    let last_line = text.rsplit('\n').next().unwrap_or_default();
    let is_content = if last_line.trim_matches(' ').is_empty() {
        // Spaces alone are content as far as they go beyond the indentation.
        let last_value_line = value.trim_end_matches('\n').rsplit('\n').next().unwrap_or_default();
        last_value_line.starts_with(' ') && last_value_line.trim_matches(' ').is_empty()
    } else {
        true
    };
    if is_content || keeps_breaks(text, start) {
        value.pop();
    }
}

/// Whether the header of the block scalar at `start` says `+`.
fn keeps_breaks(text: &str, start: Mark) -> bool {
    let from = text.get(start.index as usize..).unwrap_or_default();
    let header = from.lines().next().unwrap_or_default();
    let indicators = header.split_once(['|', '>']).map_or("", |(_, indicators)| indicators);
    indicators.chars().take_while(|c| matches!(c, '+' | '-' | '0'..='9')).any(|c| c == '+')
}
