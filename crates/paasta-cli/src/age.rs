//! How long ago, as people say it.

use std::time::Duration;

use paasta_core::Timestamp;

/// `12s`, `3m10s`, `2h5m`, `4d3h`: the two largest units.
pub fn short(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    let two = |large: u64, unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{large}{unit}"),
        _ => format!("{large}{unit}{small}{small_unit}"),
    };
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => two(minutes, "m", seconds % 60, "s"),
        (0, _, _) => two(hours, "h", minutes % 60, "m"),
        _ => two(days, "d", hours % 24, "h"),
    }
}

/// The time between `then`, in seconds since 1970, and `now`.
pub fn since(then: f64, now: Timestamp) -> String {
    short(now.since(Timestamp::from_seconds(then)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_show_two_units() {
        let check = |seconds, text| assert_eq!(short(Duration::from_secs(seconds)), text);
        check(0, "0s");
        check(59, "59s");
        check(60, "1m");
        check(61, "1m1s");
        check(7500, "2h5m");
        check(90_000, "1d1h");
        check(8_640_000, "100d");
    }
}
