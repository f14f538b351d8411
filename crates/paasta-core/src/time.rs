//! Points in time as milliseconds since 1970, so that a simulator can own them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time, to the millisecond, UTC. Written as `2026-11-22T16:42:04.000Z`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Seconds since 1970-01-01T00:00:00Z, rounded to the millisecond.
    pub fn from_seconds(seconds: f64) -> Self {
        Self((seconds * 1000.0).round() as i64)
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Seconds since 1970-01-01T00:00:00Z.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0).max(0) as u64)
    }

    /// This point moved by `seconds`, which may be negative; stays within what can be held.
    pub fn plus_seconds(self, seconds: f64) -> Self {
        Self(self.0.saturating_add((seconds * 1000.0).round() as i64))
    }

    /// This point moved later by `duration`.
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// `YYYYMMDDTHHMMSS` in UTC, as tags carry it (config.md §5.2).
    pub fn tag_text(self) -> String {
        self.civil().strftime("%Y%m%dT%H%M%S").to_string()
    }

    fn civil(self) -> jiff::civil::DateTime {
        let clamped = jiff::Timestamp::from_millisecond(self.0).unwrap_or(if self.0 < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        });
        jiff::tz::Offset::UTC.to_datetime(clamped)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.civil().strftime("%Y-%m-%dT%H:%M:%S.%3fZ"))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Why a text is not a time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a time such as 2026-11-22T16:42:04.000Z")]
pub struct TimestampError(String);

impl FromStr for Timestamp {
    type Err = TimestampError;

    /// Reads RFC 3339, with or without a fraction.
    fn from_str(text: &str) -> Result<Self, TimestampError> {
        let time: jiff::Timestamp = text.parse().map_err(|_| TimestampError(text.to_owned()))?;
        Ok(Self(time.as_millisecond()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_round_trip() {
        let time: Timestamp = "2021-03-01T01:02:03.004Z".parse().expect("a time");
        assert_eq!(time.to_string(), "2021-03-01T01:02:03.004Z");
        assert_eq!(time.tag_text(), "20210301T010203");
        let coarse: Timestamp = "2021-03-01T01:02:03Z".parse().expect("a time");
        assert_eq!(time.since(coarse), Duration::from_millis(4));
        assert_eq!(coarse.since(time), Duration::ZERO);
        assert!("yesterday".parse::<Timestamp>().is_err());
    }

    #[test]
    fn extremes_do_not_panic() {
        let _ = Timestamp::from_millis(i64::MIN).to_string();
        let _ = Timestamp::from_millis(i64::MAX).plus_seconds(1e300).to_string();
    }
}
