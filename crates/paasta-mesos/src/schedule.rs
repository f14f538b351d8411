//! When which machines are to be away, as a master is told and tells. Pure.

use std::collections::{BTreeMap, BTreeSet};

use paasta_core::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Number;

/// A machine, as maintenance knows it. Either part may be missing in what others have scheduled.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Machine {
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// Its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
}

impl Machine {
    /// One with a name and an address.
    pub fn new(hostname: impl Into<String>, ip: impl Into<String>) -> Self {
        Self { hostname: Some(hostname.into()), ip: Some(ip.into()) }
    }
}

/// When machines are to be away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unavailability {
    /// From then on.
    pub start: Nanoseconds,
    /// So long; for ever where that is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Nanoseconds>,
}

impl Unavailability {
    /// From `start` on, for so long.
    pub const fn new(start_nanoseconds: i128, duration_nanoseconds: i128) -> Self {
        let duration = Some(Nanoseconds { nanoseconds: duration_nanoseconds });
        Self { start: Nanoseconds { nanoseconds: start_nanoseconds }, duration }
    }

    fn end(&self) -> Option<i128> {
        Some(self.start.nanoseconds.saturating_add(self.duration?.nanoseconds))
    }
}

/// A count of nanoseconds: since 1970, or of a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nanoseconds {
    /// The count.
    #[serde(deserialize_with = "whole", serialize_with = "written")]
    pub nanoseconds: i128,
}

/// Whole numbers, in whichever form JSON has them.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i128, D::Error> {
    let number = Number::deserialize(deserializer)?;
    let text = number.to_string();
    let as_float = || number.as_f64().filter(|float| float.is_finite()).map(|float| float as i128);
    let wrong = || serde::de::Error::custom(format!("`{text}` is no count of nanoseconds"));
    text.parse().ok().or_else(as_float).ok_or_else(wrong)
}

fn written<S: Serializer>(count: &i128, serializer: S) -> Result<S::Ok, S::Error> {
    // What does not fit is no time that Mesos could have told.
    serializer.serialize_i64(i64::try_from(*count).unwrap_or(if *count < 0 { i64::MIN } else { i64::MAX }))
}

/// Machines that are to be away at one time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Which.
    #[serde(default)]
    pub machine_ids: Vec<Machine>,
    /// When.
    pub unavailability: Unavailability,
}

/// All that is scheduled. The master takes it as a whole: what is left out of it is no longer scheduled.
///
/// ```
/// use paasta_mesos::{Machine, Schedule, Unavailability};
///
/// let (h1, h5) = (Machine::new("h1", "10.0.0.1"), Machine::new("h5", "10.0.0.5"));
/// let both = Schedule::default().with(&[h1.clone(), h5.clone()], &Unavailability::new(0, 1));
/// let later = both.with(&[h1.clone()], &Unavailability::new(5, 1));
/// assert_eq!(later.windows.len(), 2);
/// assert_eq!(later.without(&[h1]).windows[0].machine_ids, [h5]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Each time, and who is away then.
    #[serde(default)]
    pub windows: Vec<Window>,
}

impl Schedule {
    /// Of the answer to `GET_MAINTENANCE_SCHEDULE`. An empty schedule is none; an answer that is no schedule is an error: the
    /// schedule is written back as a whole, and what was not understood would be gone.
    pub fn read(answer: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Answer {
            get_maintenance_schedule: Told,
        }
        #[derive(Deserialize)]
        struct Told {
            #[serde(default)]
            schedule: Schedule,
        }
        let answer: Answer = serde_json::from_slice(answer).map_err(|error| error.to_string())?;
        Ok(answer.get_maintenance_schedule.schedule)
    }

    /// The same with these machines away at that time, and at no other (monitoring.md §8.1).
    #[must_use]
    pub fn with(&self, machines: &[Machine], when: &Unavailability) -> Self {
        let mut schedule = self.without(machines);
        if !machines.is_empty() {
            schedule.windows.push(Window { machine_ids: machines.to_vec(), unavailability: when.clone() });
        }
        schedule
    }

    /// The same without these machines; a window that is empty then goes, too.
    #[must_use]
    pub fn without(&self, machines: &[Machine]) -> Self {
        let left = |window: &Window| {
            let machine_ids: Vec<Machine> =
                window.machine_ids.iter().filter(|machine| !machines.contains(machine)).cloned().collect();
            (!machine_ids.is_empty())
                .then(|| Window { machine_ids, unavailability: window.unavailability.clone() })
        };
        Self { windows: self.windows.iter().filter_map(left).collect() }
    }

    /// Whether the same machines are away at the same times, in whichever windows and order that is written.
    pub fn means_the_same_as(&self, other: &Self) -> bool {
        self.by_machine() == other.by_machine()
    }

    fn by_machine(&self) -> BTreeMap<&Machine, BTreeSet<(i128, Option<i128>)>> {
        let mut times: BTreeMap<&Machine, BTreeSet<_>> = BTreeMap::new();
        for window in &self.windows {
            let Unavailability { start, duration } = &window.unavailability;
            let time = (start.nanoseconds, duration.map(|duration| duration.nanoseconds));
            for machine in &window.machine_ids {
                times.entry(machine).or_default().insert(time);
            }
        }
        times
    }

    /// The hosts that should have been away since before `now` less `grace_nanoseconds`.
    pub fn past_start(&self, now: Timestamp, grace_nanoseconds: i128) -> BTreeSet<&str> {
        self.hosts(|when| Some(when.start.nanoseconds), now, grace_nanoseconds)
    }

    /// The hosts that should have been back since before `now` less `grace_nanoseconds`.
    pub fn past_end(&self, now: Timestamp, grace_nanoseconds: i128) -> BTreeSet<&str> {
        self.hosts(Unavailability::end, now, grace_nanoseconds)
    }

    fn hosts(
        &self,
        point: impl Fn(&Unavailability) -> Option<i128>,
        now: Timestamp,
        grace_nanoseconds: i128,
    ) -> BTreeSet<&str> {
        let limit = nanoseconds(now).saturating_sub(grace_nanoseconds);
        let past =
            self.windows.iter().filter(|window| point(&window.unavailability).is_some_and(|at| at < limit));
        past.flat_map(|window| &window.machine_ids)
            .filter_map(|machine| machine.hostname.as_deref())
            .collect()
    }
}

/// A point in time as schedules have it.
pub fn nanoseconds(at: Timestamp) -> i128 {
    i128::from(at.millis()) * 1_000_000
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn machine(name: &str) -> Machine {
        Machine::new(name, "10.0.0.1")
    }

    fn schedule(value: serde_json::Value) -> Schedule {
        let answer = json!({ "type": "GET_MAINTENANCE_SCHEDULE", "get_maintenance_schedule": value });
        Schedule::read(answer.to_string().as_bytes()).unwrap()
    }

    /// The example of monitoring.md §8.1.
    #[test]
    fn a_machine_moves_to_its_new_window() {
        let id = |name: &str| json!({"hostname": name, "ip": "10.0.0.1"});
        let old = json!({"start": {"nanoseconds": 1}, "duration": {"nanoseconds": 2}});
        let found = schedule(
            json!({"schedule": {"windows": [{"machine_ids": [id("h1"), id("h5")], "unavailability": old}]}}),
        );
        let new = Unavailability::new(1_617_235_200_000_000_000, 3_600_000_000_000);
        let changed = found.with(&[machine("h1")], &new);
        assert_eq!(
            serde_json::to_value(&changed).unwrap(),
            json!({"windows": [
                {"machine_ids": [id("h5")], "unavailability": old},
                {"machine_ids": [id("h1")], "unavailability":
                    {"start": {"nanoseconds": 1_617_235_200_000_000_000_i64}, "duration": {"nanoseconds": 3_600_000_000_000_i64}}},
            ]})
        );
        assert_eq!(changed.without(&[machine("h1"), machine("h5")]), Schedule::default());
    }

    /// The original forgets some of several, as it takes out of the list it walks along.
    #[test]
    fn mended_every_one_of_several_machines_leaves_the_schedule() {
        let names = ["h1", "h2", "h3", "h4"].map(machine);
        let when = Unavailability::new(1, 1);
        let twice = Schedule {
            windows: vec![Window { machine_ids: names.to_vec(), unavailability: when.clone() }; 3],
        };
        assert_eq!(twice.without(&names), Schedule::default());
        assert_eq!(twice.without(&names[..3]).windows.len(), 3);
        let elsewhere = Machine::new("h1", "10.9.9.9");
        assert_eq!(twice.without(&[elsewhere]), twice, "name and address have to agree");
        assert_eq!(twice.with(&[], &when), twice);
        let apart = Schedule::default().with(&names[..1], &when).with(&names[1..], &when);
        assert!(twice.means_the_same_as(&apart) && !twice.means_the_same_as(&apart.without(&names[..1])));
    }

    #[test]
    fn only_an_empty_schedule_is_empty() {
        for empty in [json!({}), json!({"schedule": {}}), json!({"schedule": {"windows": []}})] {
            assert_eq!(schedule(empty), Schedule::default());
        }
        for answer in [
            "{}",
            "",
            "[]",
            r#"{"get_maintenance_schedule": null}"#,
            r#"{"get_maintenance_schedule": {"schedule": {"windows": [{"machine_ids": []}]}}}"#,
            r#"{"get_maintenance_schedule": {"schedule": {"windows": [{"machine_ids": ["h"], "unavailability": {"start": {"nanoseconds": 1}}}]}}}"#,
            r#"{"get_maintenance_schedule": {"schedule": {"windows": [{"unavailability": {"start": {"nanoseconds": "x"}}}]}}}"#,
        ] {
            assert!(Schedule::read(answer.as_bytes()).is_err(), "{answer}");
        }
    }

    #[test]
    fn what_others_scheduled_is_written_back_as_it_was() {
        let odd = json!({"windows": [
            {"machine_ids": [{"ip": "10.0.0.7"}, {"hostname": "h7"}], "unavailability": {"start": {"nanoseconds": 1617235200123456789_i64}}}]});
        assert_eq!(serde_json::to_value(schedule(json!({"schedule": odd}))).unwrap(), odd);
        let float: Schedule = serde_json::from_str(
            r#"{"windows": [{"machine_ids": [], "unavailability": {"start": {"nanoseconds": 1.5e18}}}]}"#,
        )
        .unwrap();
        assert_eq!(float.windows[0].unavailability.start.nanoseconds, 1_500_000_000_000_000_000);
    }

    #[test]
    fn who_is_late() {
        let second = 1_000_000_000;
        let mut schedule =
            Schedule::default().with(&[machine("a")], &Unavailability::new(100 * second, 50 * second));
        let for_ever = Unavailability { start: Nanoseconds { nanoseconds: 120 * second }, duration: None };
        schedule = schedule.with(&[machine("b")], &for_ever);
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1000);
        let started =
            |now, grace: i128| schedule.past_start(at(now), grace * second).into_iter().collect::<String>();
        let ended =
            |now, grace: i128| schedule.past_end(at(now), grace * second).into_iter().collect::<String>();
        assert_eq!(
            (started(100, 0), started(101, 0), started(130, 0), started(130, 20)),
            tuple("", "a", "ab", "a")
        );
        assert_eq!((ended(150, 0), ended(151, 0), ended(160, 10), ended(9999, 0)), tuple("", "a", "", "a"));
    }

    fn tuple(a: &str, b: &str, c: &str, d: &str) -> (String, String, String, String) {
        (a.to_owned(), b.to_owned(), c.to_owned(), d.to_owned())
    }
}
