//! When a job runs: `cron`, `daily`, or a phrase such as `every monday at 10:00`. Tron alone decides; what looks
//! wrong here is a warning.

use super::super::Finding;
use crate::Node;

/// The hint where nothing better is known.
const FORMS: &str = "Write `cron 0 4 * * 1-5`, `daily 04:00:00` or `every monday at 04:00`.";

/// What looks wrong about a job's schedule.
pub(super) fn check(node: &Node, job: &str, file: &str) -> Option<Finding> {
    let (text, place) = match (node.as_str(), node.as_map()) {
        (Some(text), _) => (text.to_owned(), node),
        // Tron's older form has no type.
        (None, Some(map)) if map.get("start_time").is_some() || map.get("days").is_some() => return None,
        (None, Some(map)) => {
            let part = |key: &str| map.get(key).and_then(Node::as_str).unwrap_or_default();
            (format!("{} {}", part("type"), part("value")), map.get("value").unwrap_or(node))
        }
        // The table tells what is neither.
        (None, None) => return None,
    };
    let (message, hint) = wrong(&text)?;
    let message = format!("{job}.schedule: {message}");
    Some(Finding::whole(file, "schedule", message, hint).at_node(place).warning())
}

fn wrong(text: &str) -> Option<(String, String)> {
    let mut words = text.split_whitespace();
    let rest = || text.split_whitespace().skip(1).collect::<Vec<_>>();
    match words.next().unwrap_or_default() {
        "cron" => cron(&rest()),
        "daily" => daily(&rest()),
        first => {
            const BEGINNINGS: [&str; 14] = [
                "every", "1st", "2nd", "3rd", "first", "second", "third", "fourth", "fifth", "last",
                "monday", "interval", "constant", "groc",
            ];
            let fine = BEGINNINGS.contains(&first.to_lowercase().as_str())
                || first.split(',').all(|word| word.starts_with(|c: char| c.is_ascii_digit()))
                || DAYS.iter().any(|(long, short)| {
                    first.to_lowercase().starts_with(short) && first.len() <= long.len() + 40
                });
            if first.is_empty() {
                return Some(("the schedule is empty".to_owned(), FORMS.to_owned()));
            }
            (!fine).then(|| (format!("`{text}` is no schedule that Tron knows"), FORMS.to_owned()))
        }
    }
}

const DAYS: [(&str, &str); 7] = [
    ("sunday", "sun"),
    ("monday", "mon"),
    ("tuesday", "tue"),
    ("wednesday", "wed"),
    ("thursday", "thu"),
    ("friday", "fri"),
    ("saturday", "sat"),
];

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// Five fields: minute, hour, day of the month, month, day of the week.
fn cron(fields: &[&str]) -> Option<(String, String)> {
    const NAMES: [(&str, u32, u32); 5] = [
        ("minute", 0, 59),
        ("hour", 0, 23),
        ("day of the month", 1, 31),
        ("month", 1, 12),
        ("day of the week", 0, 7),
    ];
    if fields.len() != NAMES.len() {
        let message = format!("a cron schedule has 5 fields, this one {}", fields.len());
        return Some((
            message,
            "Write minute, hour, day, month and day of the week: `cron 0 4 * * *`.".to_owned(),
        ));
    }
    NAMES.iter().zip(fields).find_map(|((name, least, most), field)| {
        let fine = field.split(',').all(|part| is_cron_part(part, name, *least, *most));
        (!fine).then(|| {
            let message = format!("`{field}` is no {name} of a cron schedule");
            (message, format!("Write `*`, or numbers from {least} to {most}, as in `1,5` or `1-5`."))
        })
    })
}

/// `*`, `5`, `1-5`, each with `/2` or not; names of months and days; `L` for the last day.
fn is_cron_part(part: &str, name: &str, least: u32, most: u32) -> bool {
    let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
    let value = |text: &str| {
        let lower = text.to_lowercase();
        let named = match name {
            "month" => MONTHS.contains(&lower.as_str()),
            "day of the week" => DAYS.iter().any(|(_, short)| *short == lower),
            "day of the month" => lower == "l",
            _ => false,
        };
        named || text.parse::<u32>().is_ok_and(|n| (least..=most).contains(&n))
    };
    let range_fits = match range {
        "*" | "?" => true,
        _ => range.split_once('-').map_or_else(|| value(range), |(from, to)| value(from) && value(to)),
    };
    range_fits && step.is_none_or(|step| step.parse::<u32>().is_ok_and(|n| n > 0))
}

/// A time of day and days by their letters (`MTWRFSU`), both optional.
fn daily(words: &[&str]) -> Option<(String, String)> {
    let is_time = |word: &str| {
        let parts: Vec<&str> = word.split(':').collect();
        let fits = |(index, part): (usize, &&str)| {
            let most = if index == 0 { 23 } else { 59 };
            (1..=2).contains(&part.len()) && part.parse::<u32>().is_ok_and(|n| n <= most)
        };
        (2..=3).contains(&parts.len()) && parts.iter().enumerate().all(fits)
    };
    let is_days = |word: &str| word.chars().all(|c| "MTWRFSU".contains(c.to_ascii_uppercase()));
    let bad = match words {
        [] => None,
        [one] => (!is_time(one) && !is_days(one)).then_some(*one),
        [time, days] if is_time(time) => (!is_days(days)).then_some(*days),
        [time, ..] => Some(*time),
    };
    let bad = bad?;
    let hint = "Write `daily 04:00:00`, with the days if not all: `daily 04:00:00 MWF`.".to_owned();
    Some((format!("`{bad}` is neither a time of day nor days of a daily schedule"), hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, fine: bool) {
        assert_eq!(wrong(text).is_none(), fine, "{text}");
    }

    #[test]
    fn schedules() {
        for fine in [
            "cron * * * * *",
            "cron */5 0,12 1-15 jan-mar MON",
            "cron 0 0 L * ?",
            "daily",
            "daily 04:00:00",
            "daily 4:00 MWF",
            "daily MTWRF",
            "every monday at 10:00",
            "every day",
            "1st,3rd mon of month at 00:00",
            "interval 5 minutes",
        ] {
            check(fine, true);
        }
        for wrong in [
            "",
            "nonsense",
            "cron * * * *",
            "cron 60 * * * *",
            "cron a * * * *",
            "cron */0 * * * *",
            "daily 25:00",
            "daily 04:00 XYZ",
        ] {
            check(wrong, false);
        }
    }
}
