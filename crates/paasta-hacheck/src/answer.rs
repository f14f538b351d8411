//! The texts clients read (marathon-and-bounce.md §7.3). Pure.

use crate::Down;

/// What a GET says of a service that the spool keeps from traffic.
pub(crate) fn down_text(down: &Down) -> String {
    let mut text = format!("Service {} in down state", down.name);
    if let Some(creation) = down.entry.creation {
        text.push_str(&format!(" since {creation:.6}"));
    }
    if let Some(expiration) = down.entry.expiration {
        text.push_str(&format!(" until {expiration:.6}"));
    }
    if !down.entry.reason.is_empty() {
        text.push_str(": ");
        // Clients read one line.
        text.push_str(&down.entry.reason.replace(['\n', '\r'], " "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Entry, Name};

    #[track_caller]
    fn check(creation: Option<f64>, expiration: Option<f64>, reason: &str, expected: &str) {
        let entry = Entry { reason: reason.to_owned(), expiration, creation };
        let down = Down { name: Name::new("svc.main").unwrap(), entry };
        assert_eq!(down_text(&down), expected);
    }

    #[test]
    fn texts() {
        check(
            Some(1435694078.778886),
            Some(1435694178.78),
            "Drained by Paasta",
            "Service svc.main in down state since 1435694078.778886 until 1435694178.780000: Drained by Paasta",
        );
        check(None, None, "", "Service svc.main in down state");
        check(Some(1.0), None, "two\nlines", "Service svc.main in down state since 1.000000: two lines");
        check(None, Some(2.0), "", "Service svc.main in down state until 2.000000");
    }
}
