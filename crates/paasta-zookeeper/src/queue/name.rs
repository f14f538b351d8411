//! Names of entries, which are their order, and the choice among them.

use std::collections::BTreeSet;

use super::QueueError;

/// Characters of a time in a name: ten digits, a point, three digits.
const TIME_WIDTH: usize = 14;
/// Digits of a sequence number.
const SEQUENCE_WIDTH: usize = 10;
/// A time from here on would not fit.
const TIME_END: f64 = 9_999_999_999.999_5;

/// The name of an entry: `entry-<bounce by>-<wait until>-<sequence>`, both in unix seconds. Names sort as the entries
/// hurry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EntryName(String);

impl EntryName {
    /// What a new entry's name begins with; the servers add the sequence number.
    ///
    /// ```
    /// # use paasta_zookeeper::EntryName;
    /// assert_eq!(EntryName::prefix(1_500_000_000.0, 5.0)?, "entry-1500000000.000-0000000005.000-");
    /// assert!(EntryName::prefix(0.0, 5.0).is_err());
    /// # Ok::<_, paasta_zookeeper::QueueError>(())
    /// ```
    pub fn prefix(bounce_by: f64, wait_until: f64) -> Result<String, QueueError> {
        for (key, seconds) in [("bounce_by", bounce_by), ("wait_until", wait_until)] {
            if !(seconds > 0.0 && seconds < TIME_END) {
                return Err(QueueError::Time { key, seconds });
            }
        }
        Ok(format!("entry-{bounce_by:014.3}-{wait_until:014.3}-"))
    }

    /// Reads a node's name; `None` if no entry is called so.
    pub fn parse(name: &str) -> Option<Self> {
        let rest = name.strip_prefix("entry-")?;
        let (bounce_by, rest) = time(rest)?;
        let (wait_until, sequence) = time(rest)?;
        let sequence = sequence.strip_prefix('-').unwrap_or(sequence);
        let is_number =
            sequence.len() >= SEQUENCE_WIDTH - 1 && sequence.bytes().all(|byte| byte.is_ascii_digit());
        (is_number && bounce_by.is_finite() && wait_until.is_finite()).then(|| Self(name.to_owned()))
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Until when it should have been worked on, in unix seconds.
    pub fn bounce_by(&self) -> f64 {
        self.seconds(0)
    }

    /// Before when it is not to be worked on, in unix seconds.
    pub fn wait_until(&self) -> f64 {
        self.seconds(1)
    }

    fn seconds(&self, index: usize) -> f64 {
        let text = self.0.split('-').nth(index + 1);
        text.and_then(|text| text.parse().ok()).unwrap_or_default()
    }
}

impl std::fmt::Display for EntryName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A time of fixed width and the dash after it, and what follows.
fn time(text: &str) -> Option<(f64, &str)> {
    let (time, rest) = (text.get(..TIME_WIDTH)?, text.get(TIME_WIDTH..)?);
    let is_time = time.bytes().enumerate().all(|(at, byte)| match at {
        10 => byte == b'.',
        _ => byte.is_ascii_digit(),
    });
    Some((time.parse().ok().filter(|_| is_time)?, rest.strip_prefix('-')?))
}

/// What to take next.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Choice<'a> {
    /// This one.
    Take(&'a EntryName),
    /// Nothing before then, in unix seconds, as far as is known now.
    Wait(Option<f64>),
}

/// The entry that hurries most, among those that nobody has locked and that are not to wait. `entries` are in order.
pub(crate) fn choose<'a>(entries: &'a [EntryName], locked: &BTreeSet<String>, now: f64) -> Choice<'a> {
    let free = || entries.iter().filter(|entry| !locked.contains(entry.as_str()));
    match free().find(|entry| entry.wait_until() <= now) {
        Some(entry) => Choice::Take(entry),
        None => Choice::Wait(free().map(EntryName::wait_until).min_by(f64::total_cmp)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn named(bounce_by: f64, wait_until: f64, sequence: u32) -> EntryName {
        let prefix = EntryName::prefix(bounce_by, wait_until).unwrap();
        EntryName::parse(&format!("{prefix}{sequence:010}")).unwrap()
    }

    #[test]
    fn names_are_those_of_the_original() {
        let name = named(1_500_000_000.0, 1_500_000_001.0, 0);
        assert_eq!(name.as_str(), "entry-1500000000.000-1500000001.000-0000000000");
        assert_eq!((name.bounce_by(), name.wait_until()), (1_500_000_000.0, 1_500_000_001.0));
        assert_eq!(EntryName::prefix(5.0, 0.0004).unwrap(), "entry-0000000005.000-0000000000.000-");
        assert_eq!(
            EntryName::prefix(0.0625, 9_999_999_999.999).unwrap(),
            "entry-0000000000.062-9999999999.999-",
            "halves go to the even digit"
        );
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY, TIME_END, 1e11] {
            assert!(EntryName::prefix(bad, 5.0).is_err() && EntryName::prefix(5.0, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_no_name_is_not_read() {
        for bad in [
            "",
            "entry-",
            "entry-1500000000.000-1500000001.000-",
            "entry-1500000000.000-1500000001.000-x",
            "entry-1500000000.000-1500000001.000",
            "entry-5.0-1500000001.000-0000000000",
            "entry-+500000000.000-1500000001.000-0000000000",
            "entry-1500000000.000-15000000e1.000-0000000000",
            "Entry-1500000000.000-1500000001.000-0000000000",
            "entry-1500000000.00é-1500000001.000-0000000000",
        ] {
            assert_eq!(EntryName::parse(bad), None, "{bad}");
        }
        assert!(
            EntryName::parse("entry-1500000000.000-1500000001.000--000000001").is_some(),
            "after 2^31 entries"
        );
    }

    #[test]
    fn the_one_that_hurries_most_among_the_available_and_free_is_taken() {
        let mut entries = [
            named(30.0, 1.0, 0),
            named(10.0, 50.0, 1),
            named(20.0, 5.0, 2),
            named(20.0, 4.0, 3),
            named(20.0, 4.0, 4),
        ];
        entries.sort();
        let free = BTreeSet::new();
        let name = |choice| match choice {
            Choice::Take(entry) => entry.as_str().to_owned(),
            Choice::Wait(until) => format!("{until:?}"),
        };
        let first = named(20.0, 4.0, 3);
        assert_eq!(name(choose(&entries, &free, 10.0)), first.as_str());
        let locked = BTreeSet::from([first.as_str().to_owned()]);
        assert_eq!(name(choose(&entries, &locked, 10.0)), named(20.0, 4.0, 4).as_str());
        assert_eq!(
            name(choose(&entries, &free, 50.0)),
            named(10.0, 50.0, 1).as_str(),
            "available at its time"
        );
        assert_eq!(choose(&entries, &free, 0.5), Choice::Wait(Some(1.0)));
        let all = entries.iter().map(|entry| entry.as_str().to_owned()).collect();
        assert_eq!(choose(&entries, &all, 50.0), Choice::Wait(None));
        assert_eq!(choose(&[], &free, 50.0), Choice::Wait(None));
    }

    proptest! {
        /// The order of names is that of deadline, then waiting time, then age.
        #[test]
        fn names_sort_as_entries_hurry(
            one in (1..9_999_999_999_999u64, 1..9_999_999_999_999u64, 0..1_000_000u32),
            other in (1..9_999_999_999_999u64, 1..9_999_999_999_999u64, 0..1_000_000u32),
        ) {
            let name = |(by, until, sequence): (u64, u64, u32)| {
                named(by as f64 / 1000.0, until as f64 / 1000.0, sequence)
            };
            prop_assert_eq!(name(one).cmp(&name(other)), one.cmp(&other));
        }

        /// Nothing that somebody may have called a node stops the reader.
        #[test]
        fn any_text_is_read_or_refused(text in "(entry-)?[0-9.é-]{0,50}") {
            if let Some(name) = EntryName::parse(&text) {
                prop_assert_eq!(name.as_str(), text);
            }
        }
    }
}
