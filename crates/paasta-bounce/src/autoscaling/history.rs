//! What the load was (marathon-and-bounce.md §10.3).

use std::fmt;

/// How many points are kept, the newest.
pub const POINTS_MAX: usize = 62_500;

const POINT_BYTES: usize = 16;

/// The load at one time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Seconds since 1970.
    pub at_seconds: f64,
    /// Utilization summed over tasks.
    pub load: f64,
}

/// Loads, the oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History(Vec<Point>);

/// Bytes that are no history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadHistory {
    /// How many bytes there are.
    pub bytes: usize,
}

impl fmt::Display for BadHistory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a history of {} bytes, expected a multiple of {POINT_BYTES}", self.bytes)
    }
}

impl std::error::Error for BadHistory {}

impl History {
    /// Reads pairs of little-endian doubles, time and load.
    ///
    /// # Errors
    /// Bytes that do not end with a pair.
    pub fn decode(bytes: &[u8]) -> Result<Self, BadHistory> {
        let bad = BadHistory { bytes: bytes.len() };
        let double = |bytes: &[u8]| Some(f64::from_le_bytes(bytes.try_into().ok()?));
        let point = |pair: &[u8]| {
            let (at, load) = pair.split_at_checked(POINT_BYTES / 2)?;
            Some(Point { at_seconds: double(at)?, load: double(load)? })
        };
        let points: Option<Vec<_>> = bytes.chunks(POINT_BYTES).map(point).collect();
        points.map(Self).ok_or(bad)
    }

    /// The newest points as bytes, for [`History::decode`] and for the original.
    pub fn encode(&self) -> Vec<u8> {
        self.newest().iter().flat_map(|p| [p.at_seconds, p.load]).flat_map(f64::to_le_bytes).collect()
    }

    /// This history and one point more, without those that are too old to be kept.
    pub fn with(&self, point: Point) -> Self {
        let mut all = Self([self.newest(), &[point]].concat());
        all.0 = all.newest().to_vec();
        all
    }

    /// The points, the oldest first.
    pub fn points(&self) -> &[Point] {
        &self.0
    }

    fn newest(&self) -> &[Point] {
        self.0.get(self.0.len().saturating_sub(POINTS_MAX)..).unwrap_or_default()
    }
}

impl FromIterator<Point> for History {
    fn from_iter<T: IntoIterator<Item = Point>>(points: T) -> Self {
        Self(points.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_pairs_of_little_endian_doubles() {
        let history: History = [Point { at_seconds: 1.0, load: -2.0 }].into_iter().collect();
        let bytes = [0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0xc0];
        assert_eq!(history.encode(), bytes);
        assert_eq!(History::decode(&bytes), Ok(history));
        assert_eq!(History::decode(&[]), Ok(History::default()));
        for bytes in [1, 8, 15, 17, 24] {
            assert_eq!(History::decode(&vec![0; bytes]), Err(BadHistory { bytes }));
        }
    }

    #[test]
    fn only_the_newest_points_are_kept() {
        let point = |at: usize| Point { at_seconds: at as f64, load: 1.0 };
        let all: History = (0..POINTS_MAX + 3).map(point).collect();
        assert_eq!(all.encode().len(), 1_000_000);
        let more = all.with(point(POINTS_MAX + 3));
        assert_eq!(more.points().len(), POINTS_MAX);
        assert_eq!(more.points().first(), Some(&point(4)));
    }
}
