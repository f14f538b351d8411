//! What an entry holds (marathon-and-bounce.md §9.4).

use std::fmt::Write as _;

use paasta_core::{InstanceId, InstanceName, ServiceName};
use serde_json::{Map, Value};

use super::QueueError;

/// One instance that is to be worked on, as the original's deployd writes it. Times are unix seconds. Those that order
/// the queue are in the entry's name; here they are for information.
#[derive(Clone, Debug, PartialEq)]
pub struct QueueRecord {
    /// Which.
    pub instance: InstanceId,
    /// Who asked for it.
    pub watcher: String,
    /// Until when it should be worked on.
    pub bounce_by: f64,
    /// Not before when.
    pub wait_until: f64,
    /// When it came into the queue.
    pub enqueue_time: f64,
    /// When it was first worked on for this change.
    pub bounce_start_time: f64,
    /// How often in a row that failed.
    pub failures: i64,
    /// How often it was worked on for this change.
    pub processed_count: i64,
}

impl QueueRecord {
    /// Asked for by `watcher` now, to be worked on as soon as possible.
    pub fn new(instance: InstanceId, watcher: impl Into<String>, now: f64) -> Self {
        Self {
            instance,
            watcher: watcher.into(),
            bounce_by: now,
            wait_until: now,
            enqueue_time: now,
            bounce_start_time: now,
            failures: 0,
            processed_count: 0,
        }
    }

    /// The bytes of the original: members in its order, with the spaces of Python's `json.dumps`.
    pub fn to_json(&self) -> Result<String, QueueError> {
        let times = [
            ("bounce_by", self.bounce_by),
            ("wait_until", self.wait_until),
            ("enqueue_time", self.enqueue_time),
            ("bounce_start_time", self.bounce_start_time),
        ];
        let mut json = format!(
            r#"{{"service": {}, "instance": {}, "watcher": {}"#,
            text(self.instance.service().as_str()),
            text(self.instance.instance().as_str()),
            text(&self.watcher)
        );
        for (key, seconds) in times {
            if !(seconds.is_finite() && (0.0..1e10).contains(&seconds)) {
                return Err(QueueError::Time { key, seconds });
            }
            let _ = write!(json, r#", "{key}": {}"#, float(seconds));
        }
        let _ =
            write!(json, r#", "failures": {}, "processed_count": {}}}"#, self.failures, self.processed_count);
        Ok(json)
    }

    /// Reads what anybody wrote. Service and instance have to be there; the rest has defaults, with `now` for times;
    /// what is not known is left alone. An error is a phrase.
    pub fn parse(data: &[u8], now: f64) -> Result<Self, String> {
        let value: Value =
            serde_json::from_slice(data).map_err(|error| format!("it is not JSON: {error}"))?;
        let Value::Object(map) = value else { return Err("expected a JSON object".to_owned()) };
        let name = |key: &str| match map.get(key) {
            Some(Value::String(name)) => Ok(name.clone()),
            _ => Err(format!("`{key}`: expected a text")),
        };
        let service = ServiceName::new(name("service")?).map_err(|error| error.to_string())?;
        let instance = InstanceName::new(name("instance")?).map_err(|error| error.to_string())?;
        Ok(Self {
            instance: InstanceId::new(service, instance),
            watcher: match map.get("watcher") {
                None | Some(Value::Null) => "unknown".to_owned(),
                Some(_) => name("watcher")?,
            },
            bounce_by: number(&map, "bounce_by", now, Value::as_f64)?,
            wait_until: number(&map, "wait_until", now, Value::as_f64)?,
            enqueue_time: number(&map, "enqueue_time", now, Value::as_f64)?,
            bounce_start_time: number(&map, "bounce_start_time", now, Value::as_f64)?,
            failures: number(&map, "failures", 0, Value::as_i64)?,
            processed_count: number(&map, "processed_count", 0, Value::as_i64)?,
        })
    }
}

fn number<T>(
    map: &Map<String, Value>,
    key: &str,
    default: T,
    read: impl Fn(&Value) -> Option<T>,
) -> Result<T, String> {
    match map.get(key) {
        None | Some(Value::Null) => Ok(default),
        Some(value) => read(value).ok_or_else(|| format!("`{key}`: expected a number, got {value}")),
    }
}

/// A text as Python writes it: nothing but ASCII.
fn text(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    for unit in Value::from(text).to_string().chars() {
        if matches!(unit, ' '..='~') {
            json.push(unit);
        } else {
            for half in unit.encode_utf16(&mut [0; 2]) {
                let _ = write!(json, "\\u{half:04x}");
            }
        }
    }
    json
}

/// A number as Python writes a float between 0 and 10¹⁰.
fn float(number: f64) -> String {
    if number != 0.0 && number < 1e-4 {
        let (digits, exponent) = match format!("{number:e}").split_once("e-") {
            Some((digits, exponent)) => (digits.to_owned(), exponent.to_owned()),
            None => return number.to_string(),
        };
        return format!("{digits}e-{exponent:0>2}");
    }
    match number.to_string() {
        text if text.contains('.') => text,
        text => text + ".0",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EXAMPLE: &str = r#"{"service": "svc", "instance": "main", "watcher": "YelpSoaEventHandler", "bounce_by": 1500000000.5, "wait_until": 1500000001.0, "enqueue_time": 1500000001.0, "bounce_start_time": 1500000001.25, "failures": 0, "processed_count": 0}"#;

    #[test]
    fn records_are_those_of_the_original_byte_for_byte() {
        let record = QueueRecord::parse(EXAMPLE.as_bytes(), 7.0).unwrap();
        assert_eq!(record.instance.to_string(), "svc.main");
        assert_eq!((record.bounce_by, record.bounce_start_time), (1_500_000_000.5, 1_500_000_001.25));
        assert_eq!(record.to_json().unwrap(), EXAMPLE);
    }

    #[test]
    fn what_is_missing_has_defaults_and_what_is_unknown_is_ignored() {
        let record =
            QueueRecord::parse(br#"{"instance": "b", "service": "a", "x": [], "wait_until": 3}"#, 7.0)
                .unwrap();
        let wanted =
            QueueRecord { wait_until: 3.0, ..QueueRecord::new("a.b".parse().unwrap(), "unknown", 7.0) };
        assert_eq!(record, wanted);
    }

    #[test]
    fn what_is_no_record_is_refused() {
        for bad in [
            "",
            "[]",
            "{}",
            r#"{"service": "a"}"#,
            r#"{"service": "a", "instance": 1}"#,
            r#"{"service": "a", "instance": "b", "failures": "many"}"#,
            r#"{"service": "a", "instance": "b", "bounce_by": NaN}"#,
            r#"{"service": "../a", "instance": "b"}"#,
            "\u{fffd}",
        ] {
            assert!(QueueRecord::parse(bad.as_bytes(), 7.0).is_err(), "{bad}");
        }
        let endless =
            QueueRecord { enqueue_time: f64::NAN, ..QueueRecord::new("a.b".parse().unwrap(), "w", 7.0) };
        assert!(endless.to_json().is_err());
    }

    #[test]
    fn texts_and_floats_are_pythons() {
        assert_eq!(text("a\"\\\n\u{7f}é\u{1f600}"), r#""a\"\\\n\u007f\u00e9\ud83d\ude00""#);
        for (number, wanted) in [
            (0.0, "0.0"),
            (5.0, "5.0"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1.25e-7, "1.25e-07"),
            (1500000000.123, "1500000000.123"),
        ] {
            assert_eq!(float(number), wanted);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            watcher: String,
            times in proptest::array::uniform4(0.0..1e10),
            failures: i64,
        ) {
            let record = QueueRecord {
                watcher,
                bounce_by: times[0],
                wait_until: times[1],
                enqueue_time: times[2],
                bounce_start_time: times[3],
                failures,
                ..QueueRecord::new("a.b".parse().unwrap(), "", 1.0)
            };
            prop_assert_eq!(QueueRecord::parse(record.to_json().unwrap().as_bytes(), 7.0).unwrap(), record);
        }

        #[test]
        fn any_bytes_are_read_or_refused(data: Vec<u8>) {
            let _ = QueueRecord::parse(&data, 7.0);
        }
    }
}
