//! Lengths of time as alerts are configured with them: `10m`, `1h30m` (monitoring.md §1.2).

use std::fmt;

/// Every unit with its seconds, the longest first. Upper and lower case are different units.
const UNITS: [(char, u64); 7] =
    [('Y', 31_536_000), ('M', 2_592_000), ('W', 604_800), ('D', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// Why a text is no length of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no length of time: expected numbers with units from `Y M W D h m s`, such as `10m` or `1h30m`"
)]
pub struct IntervalError {
    /// The text.
    pub text: String,
}

/// A length of time in seconds, as the original reads it: digits and a unit, as often as one likes. The empty text is 0.
///
/// ```
/// use paasta_monitoring::Interval;
///
/// let interval: Interval = "1h30m".parse()?;
/// assert_eq!(interval.seconds(), 5400);
/// assert!("30S".parse::<Interval>().is_err(), "units know upper from lower case");
/// # Ok::<(), paasta_monitoring::IntervalError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval(u64);

impl Interval {
    /// That many seconds.
    pub const fn of_seconds(seconds: u64) -> Self {
        Self(seconds)
    }

    /// How many seconds.
    pub const fn seconds(self) -> u64 {
        self.0
    }
}

impl std::str::FromStr for Interval {
    type Err = IntervalError;

    fn from_str(text: &str) -> Result<Self, IntervalError> {
        let wrong = || IntervalError { text: text.to_owned() };
        let (mut seconds, mut rest) = (0_u64, text);
        while !rest.is_empty() {
            let unit_at = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
            let (digits, tail) = rest.split_at(unit_at);
            let count: u64 = digits.parse().map_err(|_| wrong())?;
            let unit = tail.chars().next().ok_or_else(wrong)?;
            let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
            let part = count.checked_mul(*factor).ok_or_else(wrong)?;
            seconds = seconds.checked_add(part).ok_or_else(wrong)?;
            rest = tail.get(unit.len_utf8()..).unwrap_or_default();
        }
        Ok(Self(seconds))
    }
}

/// The shortest text that reads as the same length.
impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut left = self.0;
        for (unit, factor) in UNITS {
            if left >= factor {
                write!(f, "{}{unit}", left / factor)?;
                left %= factor;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As `human_to_seconds` of the library that the original sends with.
    #[test]
    fn vectors() {
        let read = |text: &str| text.parse::<Interval>().ok().map(Interval::seconds);
        for (text, seconds) in [
            ("2m", Some(120)),
            ("1h30m", Some(5400)),
            ("1D", Some(86_400)),
            ("0m", Some(0)),
            ("1M3W4h2s", Some(4_420_802)),
            ("1Y", Some(31_536_000)),
            ("2s2s", Some(4)),
            ("007m", Some(420)),
            ("", Some(0)),
            ("90", None),
            ("30S", None),
            ("-1", None),
            ("1.5h", None),
            ("1 h", None),
            (" 1h", None),
            ("m", None),
            ("٣m", None),
            ("99999999999999999999m", None),
            ("18446744073709551615s1s", None),
        ] {
            assert_eq!(read(text), seconds, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_as_the_same(seconds: u64) {
            let text = Interval::of_seconds(seconds).to_string();
            prop_assert_eq!(text.parse(), Ok(Interval::of_seconds(seconds)));
        }

        #[test]
        fn no_text_panics(text in "[0-9YMWDhmsé \\-.]{0,24}|\\PC{0,8}") {
            let _ = text.parse::<Interval>();
        }

        #[test]
        fn two_lengths_behind_one_another_are_their_sum(a in 0_u64..1 << 40, b in 0_u64..1 << 40) {
            let text = format!("{}{}", Interval::of_seconds(a), Interval::of_seconds(b));
            prop_assert_eq!(text.parse::<Interval>().map(Interval::seconds), Ok(a + b));
        }
    }
}
