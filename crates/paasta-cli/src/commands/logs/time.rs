//! Times as people write them.

use paasta_core::Timestamp;

/// ISO 8601, taken as UTC where it has no zone, or how long before `now`: `5m`, `1d3h`.
pub(super) fn parse(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let iso = [text.to_owned(), format!("{text}Z"), format!("{text}T00:00:00Z")];
    if let Some(at) = iso.iter().find_map(|text| text.parse().ok()) {
        return Ok(at);
    }
    match seconds(text) {
        Some(ago) => Ok(now.plus_seconds(-ago)),
        None => Err(format!(
            "`{text}` is neither a time such as 2021-03-01T10:00:00 nor how long ago, such as 5m"
        )),
    }
}

fn seconds(text: &str) -> Option<f64> {
    let mut rest = text;
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|&end| end > 0)?;
        let (number, after) = rest.split_at(digits);
        let unit = after.chars().next()?;
        total += number.parse::<f64>().ok()? * seconds_of(unit)?;
        rest = &after[unit.len_utf8()..];
    }
    (!text.is_empty()).then_some(total)
}

fn seconds_of(unit: char) -> Option<f64> {
    Some(match unit {
        's' => 1.0,
        'm' => 60.0,
        'h' => 3600.0,
        'd' => 86_400.0,
        'w' => 604_800.0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_absolute_or_ago() {
        let now: Timestamp = "2021-03-02T00:00:00Z".parse().unwrap();
        let check = |text: &str, expected: &str| {
            let got = parse(text, now).map_or_else(|_| "wrong".to_owned(), |at| at.to_string());
            assert_eq!(got, expected, "{text}");
        };
        check("2021-03-01T10:00:00", "2021-03-01T10:00:00.000Z");
        check("2021-03-01T10:00:00+01:00", "2021-03-01T09:00:00.000Z");
        check("2021-03-01", "2021-03-01T00:00:00.000Z");
        check("5m", "2021-03-01T23:55:00.000Z");
        check("1d3h", "2021-02-28T21:00:00.000Z");
        for wrong in ["", "5", "m", "5é", "yesterday", "1d3"] {
            check(wrong, "wrong");
        }
    }
}
