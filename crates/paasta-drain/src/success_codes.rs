//! `success_codes`: `200`, `"200-203,409"`. Pure.

use std::fmt;
use std::ops::RangeInclusive;

/// HTTP statuses that count as success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SuccessCodes(Vec<RangeInclusive<u16>>);

impl SuccessCodes {
    /// Exactly one.
    pub(crate) fn one(code: u16) -> Self {
        Self(vec![code..=code])
    }

    /// Numbers and inclusive ranges, separated by commas. `None` if it is anything else, or nothing.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        text.split(',').map(range).collect::<Option<Vec<_>>>().map(Self)
    }

    /// Whether `status` is one of them.
    pub(crate) fn accept(&self, status: u16) -> bool {
        self.0.iter().any(|range| range.contains(&status))
    }
}

fn range(part: &str) -> Option<RangeInclusive<u16>> {
    let number = |text: &str| text.trim().parse::<u16>().ok();
    match part.split_once('-') {
        Some((first, last)) => {
            let range = number(first)?..=number(last)?;
            (!range.is_empty()).then_some(range)
        }
        None => number(part).map(|code| code..=code),
    }
}

impl fmt::Display for SuccessCodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, range) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            match range.start() == range.end() {
                true => write!(f, "{comma}{}", range.start())?,
                false => write!(f, "{comma}{}-{}", range.start(), range.end())?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_ranges() {
        let codes = SuccessCodes::parse("200-203,409").expect("a list");
        let accepted: Vec<u16> = (0..1000).filter(|code| codes.accept(*code)).collect();
        assert_eq!(accepted, [200, 201, 202, 203, 409]);
        assert_eq!(codes.to_string(), "200-203,409");
        assert_eq!(SuccessCodes::parse(" 200 , 404 ").expect("a list").to_string(), "200,404");
        assert_eq!(SuccessCodes::one(200).to_string(), "200");
        for bad in ["", "x", "200,", "200-", "203-200", "-1", "70000", "1-2-3"] {
            assert_eq!(SuccessCodes::parse(bad), None, "{bad:?}");
        }
    }
}
