//! How operators write durations and points in time (monitoring.md §8.2).

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use paasta_core::Timestamp;

const NANOSECONDS: f64 = 1e9;
/// Nobody is away for longer than a century.
const SECONDS_MAX: f64 = 100.0 * 366.0 * 86_400.0;

/// Units as they may be written, the longest first.
const UNITS: [(f64, &[&str]); 5] = [
    (604_800.0, &["w", "wk", "wks", "week", "weeks"]),
    (86_400.0, &["d", "dy", "dys", "day", "days"]),
    (3_600.0, &["h", "hr", "hrs", "hour", "hours"]),
    (60.0, &["m", "min", "mins", "minute", "minutes"]),
    (1.0, &["s", "sec", "secs", "second", "seconds"]),
];

/// Nanoseconds of a duration: `1h`, `2 days`, `1h 30m`, `1.5 hours`, `1:30` (90 seconds), `1:30:00`, `1:00:00:00` (a day).
/// A number without a unit and a duration of nothing are refused: they are more likely mistakes.
///
/// ```
/// use paasta_tools::maintenance::times::nanoseconds_of;
///
/// assert_eq!(nanoseconds_of("1:30"), Ok(90_000_000_000));
/// assert!(nanoseconds_of("90").is_err());
/// ```
pub fn nanoseconds_of(text: &str) -> Result<i128, String> {
    let wrong = || {
        format!(
            "`{text}` is not a duration above nothing such as `1h`, `2 days`, `1h30m` or `1:30` (90 seconds)"
        )
    };
    let seconds = match text.contains(':') {
        true => clock(text),
        false => units(text),
    };
    let seconds = seconds.filter(|seconds| *seconds > 0.0 && *seconds <= SECONDS_MAX).ok_or_else(wrong)?;
    Ok((seconds * NANOSECONDS).round() as i128)
}

/// `[[days:]hours:]minutes:seconds`.
fn clock(text: &str) -> Option<f64> {
    let parts: Vec<f64> = text.split(':').map(|part| number(part.trim())).collect::<Option<_>>()?;
    let weights: &[f64] = &[1.0, 60.0, 3_600.0, 86_400.0];
    (parts.len() <= weights.len())
        .then(|| parts.iter().rev().zip(weights).map(|(part, weight)| part * weight).sum())
}

/// Numbers with units, each unit at most once and the longer ones first.
fn units(text: &str) -> Option<f64> {
    let (mut rest, mut units, mut seconds) = (text.trim(), &UNITS[..], 0.0);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let count = number(&rest[..end])?;
        let word = rest[end..].trim_start();
        let end = word.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(word.len());
        let unit = word[..end].to_ascii_lowercase();
        let place = units.iter().position(|(_, names)| names.contains(&unit.as_str()))?;
        seconds += count * units[place].0;
        units = &units[place + 1..];
        rest = word[end..].trim_start_matches([',', ' ', '\t']);
    }
    Some(seconds)
}

/// Digits with at most one point between them; no sign.
fn number(text: &str) -> Option<f64> {
    let is_plain = text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_digit() || c == '.');
    if is_plain { text.parse().ok() } else { None }
}

/// A point in time: `now`, a date and time such as `2021-04-01T12:00`, `2021-04-01 12:00:30`, `2021-04-01` (midnight) or
/// `12:00` (today), each in the zone of this host, or with `Z` or an offset such as `+02:00` behind it.
pub fn point_of(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, String> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("now") {
        return Ok(now);
    }
    if let Ok(point) = text.parse::<Timestamp>() {
        return Ok(point);
    }
    let wrong = || {
        format!(
            "`{text}` is not a point in time such as `now`, `2021-04-01T12:00`, `2021-04-01T12:00:00+02:00` or `12:00`"
        )
    };
    let civil = civil(text, now, zone).ok_or_else(wrong)?;
    let zoned = civil.to_zoned(zone.clone()).map_err(|_| wrong())?;
    Ok(Timestamp::from_millis(zoned.timestamp().as_millisecond()))
}

fn civil(text: &str, now: Timestamp, zone: &TimeZone) -> Option<DateTime> {
    if let Ok(civil) = text.parse::<DateTime>() {
        return Some(civil);
    }
    if let Ok(date) = text.parse::<Date>() {
        return Some(date.to_datetime(Time::midnight()));
    }
    let time: Time = text.parse().ok().filter(|_| text.contains(':'))?;
    let today = jiff::Timestamp::from_millisecond(now.millis()).ok()?.to_zoned(zone.clone()).date();
    Some(today.to_datetime(time))
}

/// The zone of this host: that of `TZ` (`name` is its value), else that of `/etc/localtime`, else UTC. Blocks.
pub fn host_zone(name: Option<&str>) -> Result<TimeZone, String> {
    let file = match name.map(|name| name.trim_start_matches(':')) {
        Some("") | Some("UTC") => return Ok(TimeZone::UTC),
        Some(name) if name.starts_with('/') => name.to_owned(),
        Some(name) if name.contains("..") => return Err(format!("`TZ={name}` names no time zone")),
        Some(name) => format!("/usr/share/zoneinfo/{name}"),
        None => "/etc/localtime".to_owned(),
    };
    match std::fs::read(&file) {
        Ok(data) => TimeZone::tzif("local", &data)
            .map_err(|error| format!("could not read the time zone in `{file}`: {error}")),
        Err(error) if name.is_none() && error.kind() == std::io::ErrorKind::NotFound => Ok(TimeZone::UTC),
        Err(error) => {
            let posix = name.and_then(|name| TimeZone::posix(name).ok());
            posix.ok_or_else(|| format!("could not read the time zone of this host, `{file}`: {error}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, seconds) in [
            ("1h", 3600.0),
            ("2 days", 172_800.0),
            ("1:30", 90.0),
            ("1:30:00", 5400.0),
            ("1:00:00:00", 86_400.0),
            ("1h30m", 5400.0),
            ("1 hour, 30 minutes", 5400.0),
            ("1w 2d 3H", 788_400.0),
            ("1.5h", 5400.0),
            (" 10 S ", 10.0),
        ] {
            assert_eq!(nanoseconds_of(text), Ok((seconds * 1e9) as i128), "{text}");
        }
        for text in [
            "",
            "90",
            "0",
            "0s",
            "0:00",
            "h",
            "-1h",
            "1h 1h",
            "30m 1h",
            "1x",
            "1h later",
            "1:2:3:4:5",
            ":",
            "1e9s",
            "..5s",
            "9999999999999999h",
            "1 h 5",
        ] {
            assert!(nanoseconds_of(text).unwrap_err().contains(&format!("`{text}`")), "{text}");
        }
    }

    #[test]
    fn points_in_time() {
        let now: Timestamp = "2021-04-01T23:30:00Z".parse().unwrap();
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        for (text, want) in [
            ("now", "2021-04-01T23:30:00Z"),
            ("2021-04-03T12:00:00Z", "2021-04-03T12:00:00Z"),
            ("2021-04-03T12:00:00-07:00", "2021-04-03T19:00:00Z"),
            ("2021-04-03T12:00", "2021-04-03T10:00:00Z"),
            ("2021-04-03 12:00:30", "2021-04-03T10:00:30Z"),
            ("2021-04-03", "2021-04-02T22:00:00Z"),
            ("12:00", "2021-04-02T10:00:00Z"),
        ] {
            assert_eq!(point_of(text, now, &zone), Ok(want.parse().unwrap()), "{text}");
        }
        for text in ["", "tomorrow", "2021-13-01", "25:00", "12"] {
            assert!(point_of(text, now, &zone).is_err(), "{text}");
        }
    }

    #[test]
    fn zones() {
        assert_eq!(host_zone(Some("UTC")), Ok(TimeZone::UTC));
        assert!(host_zone(Some("EST5EDT,M3.2.0,M11.1.0")).is_ok());
        assert!(host_zone(Some("No/Where")).unwrap_err().contains("/usr/share/zoneinfo/No/Where"));
        assert!(host_zone(Some("../../x")).is_err());
        assert!(host_zone(None).is_ok());
    }
}
