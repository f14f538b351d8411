//! What hacheck's spool routes say, and what that means for a task (marathon-and-bounce.md §6.2, §7.3). Pure.

use paasta_core::Timestamp;

use crate::{DrainState, DrainStatus, SafeToKill};

/// The reason we give, and by which we know our own hand again.
pub const REASON: &str = "Drained by Paasta";

/// What hacheck says of one registration.
#[derive(Clone, Debug, PartialEq)]
pub enum SpoolAnswer {
    /// Nothing keeps it from traffic.
    Up,
    /// Somebody took it out.
    Down(SpoolEntry),
}

/// How a registration was taken out.
#[derive(Clone, Debug, PartialEq)]
pub struct SpoolEntry {
    /// The state's name, in practice `down`.
    pub state: String,
    /// When, in seconds since 1970.
    pub since: Option<f64>,
    /// When it ends by itself, in seconds since 1970.
    pub until: Option<f64>,
    /// Why.
    pub reason: Option<String>,
}

/// Reads a GET's answer: 200 is up; anything else must be
/// `Service <name> in <state> state[ since <seconds>][ until <seconds>][: <reason>]`. `None` if it is not.
///
/// ```
/// use paasta_drain::{SpoolAnswer, parse_spool_answer};
///
/// let text = "Service web.main in down state since 1435694078.778886: Drained by Paasta";
/// let Some(SpoolAnswer::Down(entry)) = parse_spool_answer(503, text) else { panic!("it is down") };
/// assert_eq!(entry.since, Some(1435694078.778886));
/// assert_eq!(parse_spool_answer(404, "<html>"), None);
/// ```
pub fn parse_spool_answer(status: u16, body: &str) -> Option<SpoolAnswer> {
    if status == 200 {
        return Some(SpoolAnswer::Up);
    }
    let line = body.strip_suffix('\n').unwrap_or(body);
    if line.contains('\n') {
        return None;
    }
    let (service, rest) = line.strip_prefix("Service ")?.split_once(" in ")?;
    let (state, rest) = rest.split_once(" state")?;
    if service.is_empty() || state.is_empty() {
        return None;
    }
    let (since, rest) = number_after(rest, " since ")?;
    let (until, rest) = number_after(rest, " until ")?;
    let reason = match rest {
        "" => None,
        rest => Some(rest.strip_prefix(": ")?.to_owned()),
    };
    Some(SpoolAnswer::Down(SpoolEntry { state: state.to_owned(), since, until, reason }))
}

/// An optional `<word><digits and dots>` at the beginning of `text`, and what follows it.
fn number_after<'a>(text: &'a str, word: &str) -> Option<(Option<f64>, &'a str)> {
    let Some(rest) = text.strip_prefix(word) else {
        return Some((None, text));
    };
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    let (digits, rest) = rest.split_at(end);
    Some((Some(digits.parse().ok()?), rest))
}

/// What the answers for all registrations of a task come to, given the delay in seconds. Those that are up count
/// as safe once any other is down; an entry without a time is safe at once.
pub fn summarize(answers: &[SpoolAnswer], delay_seconds: f64) -> DrainStatus {
    let down: Vec<&SpoolEntry> = answers
        .iter()
        .filter_map(|answer| match answer {
            SpoolAnswer::Down(entry) => Some(entry),
            SpoolAnswer::Up => None,
        })
        .collect();
    let Some(first) = down.first() else {
        return DrainStatus::SERVING;
    };
    let since = down.iter().filter_map(|entry| entry.since).map(Timestamp::from_seconds).max();
    let until = down.iter().filter_map(|entry| entry.until).map(Timestamp::from_seconds).min();
    let is_ours = |entry: &&SpoolEntry| entry.reason.as_deref() == Some(REASON);
    DrainStatus {
        state: DrainState::Draining {
            since,
            until,
            reason: first.reason.clone(),
            by_us: down.iter().all(is_ours),
        },
        safe: since.map_or(SafeToKill::Now, |since| SafeToKill::After(since.plus_seconds(delay_seconds))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, body: &str, expected: Option<&str>) {
        let shown = parse_spool_answer(status, body).map(|answer| match answer {
            SpoolAnswer::Up => "up".to_owned(),
            SpoolAnswer::Down(e) => format!("{} {:?} {:?} {:?}", e.state, e.since, e.until, e.reason),
        });
        assert_eq!(shown.as_deref(), expected, "{status} {body:?}");
    }

    /// Behaviour of PaaSTA's `hacheck.get_spool`.
    #[test]
    fn answers() {
        check(200, "whatever", Some("up"));
        check(503, "Service a.b in down state", Some("down None None None"));
        check(503, "Service a.b in down state\n", Some("down None None None"));
        check(503, "Service a.b in down state since 12.500000", Some("down Some(12.5) None None"));
        check(503, "Service a.b in down state until 3: x", Some("down None Some(3.0) Some(\"x\")"));
        check(
            503,
            "Service a in down state since 1435694078.778886 until 1435694178.780000: Drained by Paasta",
            Some("down Some(1435694078.778886) Some(1435694178.78) Some(\"Drained by Paasta\")"),
        );
        check(503, "Service a in down state: ", Some("down None None Some(\"\")"));
        check(
            503,
            "Service a in down state since 1: moved in a bad state",
            Some("down Some(1.0) None Some(\"moved in a bad state\")"),
        );
        check(404, "Not found", None);
        check(500, "", None);
        check(503, "<html>\nService a in down state", None);
        check(503, "Service a in down state since 1.2.3", None);
        check(503, "Service a in down state because", None);
        check(503, "Service  in down state", None);
        check(503, "Service a in down state: two\nlines", None);
    }

    fn down(since: Option<f64>, until: Option<f64>, reason: &str) -> SpoolAnswer {
        SpoolAnswer::Down(SpoolEntry {
            state: "down".to_owned(),
            since,
            until,
            reason: Some(reason.to_owned()),
        })
    }

    /// Behaviour of PaaSTA's `HacheckDrainMethod.is_draining` and `is_safe_to_kill`.
    #[test]
    fn draining_and_safe() {
        use SpoolAnswer::Up;
        let cases = [
            ("all up", vec![Up, Up], false, false),
            ("too young", vec![down(Some(940.0), None, REASON)], true, false),
            ("old enough", vec![down(Some(939.999), None, REASON)], true, true),
            ("mixed: up counts as safe", vec![Up, down(Some(900.0), None, REASON)], true, true),
            ("mixed: the young one decides", vec![Up, down(Some(990.0), None, REASON)], true, false),
            (
                "both: the younger decides",
                vec![down(Some(1.0), None, ""), down(Some(990.0), None, "")],
                true,
                false,
            ),
            ("no time: safe at once", vec![down(None, None, "operator")], true, true),
        ];
        let now = Timestamp::from_seconds(1000.0);
        for (name, answers, draining, safe) in cases {
            let status = summarize(&answers, 60.0);
            assert_eq!((status.is_draining(), status.is_safe_to_kill(now)), (draining, safe), "{name}");
        }
    }

    #[test]
    fn it_is_ours_only_if_all_of_it_is() {
        assert!(summarize(&[SpoolAnswer::Up, down(None, None, REASON)], 1.0).is_ours());
        assert!(!summarize(&[down(None, None, REASON), down(None, None, "by hand")], 1.0).is_ours());
        assert!(!summarize(&[SpoolAnswer::Up], 1.0).is_ours());
    }

    #[test]
    fn the_first_end_counts() {
        let status = summarize(&[down(None, Some(20.0), REASON), down(None, Some(10.0), REASON)], 1.0);
        let DrainState::Draining { until, .. } = status.state else { panic!("it is draining") };
        assert_eq!(until, Some(Timestamp::from_seconds(10.0)));
    }
}
