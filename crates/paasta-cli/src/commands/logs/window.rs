//! Which lines, by number or by time. Pure.

use paasta_core::Timestamp;

use super::{Args, time};
use crate::report::UsageError;

/// How many lines are shown unless somebody says otherwise.
const LINES: usize = 100;
/// Where a range begins that says only where it ends, in seconds before now.
const FROM_SECONDS_AGO: f64 = 1800.0;

/// A part of all lines.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Window {
    /// The last ones.
    Last(usize),
    /// Those of a time.
    Range { from: Timestamp, to: Option<Timestamp> },
    /// So many from a number on; 1 is the earliest.
    Numbered { first: usize, lines: usize },
}

impl Window {
    pub(super) fn of(args: &Args, now: Timestamp) -> Result<Self, UsageError> {
        if args.from.is_some() || args.to.is_some() {
            return range(args.from.as_deref(), args.to.as_deref(), now);
        }
        let asked = args.lines.unwrap_or(LINES as i64);
        let lines = usize::try_from(asked.unsigned_abs()).unwrap_or(usize::MAX);
        match args.line_offset {
            None => Ok(Window::Last(lines)),
            Some(0) => Err(UsageError("lines are counted from 1; --line-offset 0 is none".to_owned())),
            Some(first) if asked >= 0 => Ok(Window::Numbered { first, lines }),
            Some(last) => {
                let first = last.saturating_sub(lines) + 1;
                Ok(Window::Numbered { first, lines: last + 1 - first })
            }
        }
    }

    /// Whether lines are in it whatever their time and number.
    pub(super) fn is_of_any_line(&self) -> bool {
        matches!(self, Window::Last(_))
    }

    /// How many lines may be in it.
    pub(super) fn lines(&self) -> usize {
        match self {
            Window::Last(lines) | Window::Numbered { lines, .. } => *lines,
            Window::Range { .. } => usize::MAX,
        }
    }

    /// Earliest and latest time.
    pub(super) fn times(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        match self {
            Window::Range { from, to } => (Some(*from), *to),
            Window::Last(_) | Window::Numbered { .. } => (None, None),
        }
    }
}

fn range(from: Option<&str>, to: Option<&str>, now: Timestamp) -> Result<Window, UsageError> {
    let read = |text: &str| time::parse(text, now).map_err(UsageError);
    let from_default = now.plus_seconds(-FROM_SECONDS_AGO);
    let (from, to) = (from.map(read).transpose()?.unwrap_or(from_default), to.map(read).transpose()?);
    match to {
        Some(to) if from > to => Err(UsageError(format!("--from ({from}) is later than --to ({to})"))),
        to => Ok(Window::Range { from, to }),
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Command, FromArgMatches as _};

    use super::*;

    fn window(line: &str) -> Result<Window, String> {
        let words = std::iter::once("logs").chain(line.split_whitespace());
        let matches = Args::augment_args(Command::new("logs")).try_get_matches_from(words);
        let matches = matches.map_err(|error| error.kind().to_string())?;
        let now = "2021-03-02T00:00:00Z".parse().unwrap();
        Window::of(&Args::from_arg_matches(&matches).unwrap(), now).map_err(|error| error.to_string())
    }

    #[test]
    fn windows() {
        let numbered = |first, lines| Ok(Window::Numbered { first, lines });
        let at = |text: &str| text.parse().unwrap();
        assert_eq!(window(""), Ok(Window::Last(100)));
        for five in ["-n 5", "-l -5", "--lines=+5", "--lines -5 -f"] {
            assert_eq!(window(five), Ok(Window::Last(5)), "{five}");
        }
        assert_eq!(window("-o 3"), numbered(3, 100));
        assert_eq!(window("-o 3 -n 5"), numbered(3, 5));
        assert_eq!(window("-o 30 -n -5"), numbered(26, 5));
        assert_eq!(window("-o 3 -n -5"), numbered(1, 3));
        let from = at("2021-03-01T23:30:00Z");
        assert_eq!(window("--to 5m"), Ok(Window::Range { from, to: Some(at("2021-03-01T23:55:00Z")) }));
        assert_eq!(window("--from 30m"), Ok(Window::Range { from, to: None }));
        for (wrong, part) in [
            ("-o 0", "counted from 1"),
            ("--to 1h", "is later than --to"),
            ("--from yesterday", "neither a time"),
            ("--from 5m -n 5", "cannot be used with"),
            ("--to 5m -f", "cannot be used with"),
            ("-o 5 -f", "cannot be used with"),
        ] {
            assert!(window(wrong).unwrap_err().contains(part), "{wrong}: {:?}", window(wrong));
        }
    }
}
