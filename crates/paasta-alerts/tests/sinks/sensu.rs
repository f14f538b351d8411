//! A socket as Sensu's client has it, which is strict about what it takes.

use std::io::Read as _;
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use paasta_alerts::{Outbox, Sensu, Sinks, Transport, line};
use paasta_config::SystemConfig;
use paasta_core::{Alert, AlertSink, CheckStatus};
use paasta_monitoring::{Sender, senders};
use serde_json::Value;

use super::alert;

/// Every member that an event may have, whether it has to be there, and whether it takes that value.
type Rule = (&'static str, bool, fn(&Value) -> bool);
const RULES: &[Rule] = &[
    ("name", true, |v| v.as_str().is_some_and(is_name)),
    ("status", true, |v| v.as_u64().is_some_and(|status| status <= 3)),
    ("output", true, Value::is_string),
    ("handler", true, |v| v == "default"),
    ("team", true, |v| v.as_str().is_some_and(|team| !team.is_empty())),
    ("runbook", true, |v| v.as_str().is_some_and(|runbook| !runbook.is_empty())),
    ("tip", true, is_text_or_null),
    ("notification_email", true, |v| is_text_or_null(v) || *v == Value::Bool(false)),
    ("interval", true, Value::is_u64),
    ("page", true, |v| v.is_null() || v.is_boolean()),
    ("realert_every", true, |v| v.as_i64().is_some_and(|every| every == -1 || every > 0)),
    ("dependencies", true, is_texts),
    ("alert_after", true, Value::is_u64),
    ("ticket", true, Value::is_boolean),
    ("project", true, is_text_or_null),
    ("priority", true, is_text_or_null),
    ("source", true, |v| v.as_str().is_some_and(|source| source.starts_with("paasta-"))),
    ("tags", true, is_texts),
    ("ttl", true, |v| v.is_null() || v.is_u64()),
    ("irc_channels", false, is_texts),
    ("slack_channels", false, is_texts),
    ("component", false, |v| v.is_string() || is_texts(v)),
    ("description", false, Value::is_string),
];

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "_.-".contains(c))
}

fn is_text_or_null(value: &Value) -> bool {
    value.is_null() || value.is_string()
}

fn is_texts(value: &Value) -> bool {
    value.as_array().is_some_and(|texts| texts.iter().all(Value::is_string))
}

/// Panics if a line is not exactly what Sensu wants; else what it holds.
#[track_caller]
pub(crate) fn validated(line: &str) -> Value {
    assert!(line.is_ascii(), "{line:?}");
    assert_eq!(line.find('\n'), Some(line.len() - 1), "one line, and nothing behind it: {line:?}");
    let event: Value = serde_json::from_str(line).unwrap();
    let members: Vec<&str> = event.as_object().unwrap().keys().map(String::as_str).collect();
    let known: Vec<&str> = RULES.iter().map(|rule| rule.0).filter(|name| members.contains(name)).collect();
    assert_eq!(members, known, "known members, in this order");
    for (name, needed, fits) in RULES {
        match event.get(name) {
            None => assert!(!needed, "{name} is missing"),
            Some(value) => assert!(fits(value), "{name}: {value}"),
        }
    }
    event
}

/// Takes connections until it is dropped; what came on each, as it was closed.
pub(crate) struct Receiver3030 {
    pub(crate) port: u16,
    lines: Receiver<String>,
}

impl Receiver3030 {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (told, lines) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut text = String::new();
                stream.unwrap().read_to_string(&mut text).unwrap();
                if told.send(text).is_err() {
                    return;
                }
            }
        });
        Self { port, lines }
    }

    /// The next connection's text.
    #[track_caller]
    pub(crate) fn next(&self) -> String {
        self.lines.recv_timeout(Duration::from_secs(20)).unwrap()
    }

    /// Whether nothing more has come.
    pub(crate) fn is_done(&self) -> bool {
        self.lines.try_recv().is_err()
    }
}

/// The worked example of monitoring.md §1.2, byte for byte.
#[test]
fn the_worked_example() {
    let own = "{slack_channels: ['#web'], tip: T}";
    let alert = alert(&senders::setup(), own, "team: web_team", CheckStatus::Critical, "boom é");
    assert_eq!(
        line(&alert.event),
        concat!(
            r##"{"name": "setup_marathon_job.web.main", "status": 2, "output": "boom \u00e9", "handler": "default", "##,
            r##""team": "web_team", "runbook": "http://y/paasta-troubleshooting", "tip": "T", "notification_email": null, "##,
            r##""interval": 10, "page": null, "realert_every": -1, "dependencies": [], "alert_after": 600, "ticket": false, "##,
            r##""project": null, "priority": null, "source": "paasta-prod", "tags": [], "ttl": null, "##,
            r##""slack_channels": ["#web"]}"##,
            "\n"
        )
    );
}

#[test]
fn a_receiver_gets_one_valid_line_per_connection() {
    let receiver = Receiver3030::start();
    let outbox = Outbox::start(Sensu::new("127.0.0.1", receiver.port)).unwrap();
    let instance = "web.main".parse().unwrap();
    let all = "{page: true, ticket: true, project: P, priority: '1', tags: [a], irc_channels: [], slack_channels: ['#é😀'], \
               component: [c], notification_email: a@b, realert_every: 4, tip: \"t\\n\\u007f\"}";
    let alerts = [
        alert(&senders::setup(), "{}", "team: t", CheckStatus::Ok, "fine"),
        alert(
            &senders::replication(&instance, "prod", "d".to_owned()),
            all,
            "team: t",
            CheckStatus::Critical,
            "4/10",
        ),
        alert(&senders::oom(64.0, 1), all, "team: t", CheckStatus::Critical, "2 killed"),
        alert(&Sender::new("c"), all, "team: t", CheckStatus::Unknown, ""),
    ];
    alerts.iter().for_each(|alert| outbox.alert(alert));
    for alert in &alerts {
        let text = receiver.next();
        let event = validated(&text);
        assert_eq!(text, line(&alert.event));
        assert_eq!(event["name"], alert.event.name.as_str());
    }
    assert!(outbox.flush(Duration::from_secs(20)) && receiver.is_done());
    assert_eq!(outbox.counts().sent, 4);
}

/// A receiver that answers nothing, for long; it is what somebody else would write.
struct Hangs;

#[async_trait::async_trait]
impl Transport for Hangs {
    fn place(&self) -> String {
        "a receiver that hangs".to_owned()
    }

    async fn deliver(&self, _alerts: &[Alert]) -> Result<(), String> {
        tokio::time::sleep(Duration::from_millis(300)).await;
        Err("no answer".to_owned())
    }
}

/// A row of docs/differences.md: nobody waits for a sink that is down, and it holds up no other.
#[test]
fn a_sink_that_is_down_delays_nobody() {
    let gone = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let receiver = Receiver3030::start();
    let outboxes = [
        Outbox::start(Sensu::new("127.0.0.1", gone)).unwrap(),
        Outbox::start(Hangs).unwrap(),
        Outbox::start(Sensu::new("127.0.0.1", receiver.port)).unwrap(),
    ];
    let one = alert(&senders::setup(), "{}", "team: t", CheckStatus::Ok, "fine");
    let begin = Instant::now();
    for number in 0..100 {
        let mut one = one.clone();
        one.event.name = format!("c.{number}");
        outboxes.iter().for_each(|outbox| outbox.alert(&one));
    }
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    for number in 0..100 {
        assert_eq!(validated(&receiver.next())["name"], format!("c.{number}"));
    }
    assert!(outboxes[0].flush(Duration::from_secs(20)));
    assert_eq!((outboxes[0].counts().sent, outboxes[0].counts().lost), (0, 100));
    let begin = Instant::now();
    outboxes[1].flush(Duration::from_millis(100));
    assert!(begin.elapsed() < Duration::from_secs(2), "a flush is bounded");
}

#[test]
fn an_empty_host_sends_nothing() {
    let sinks = |text: &str| Sinks::from_system(&SystemConfig::from_json(text).unwrap()).unwrap();
    for text in [r#"{"sensu_host": null}"#, r#"{"sensu_host": ""}"#, r#"{"sensu_host": false}"#] {
        assert!(sinks(text).is_empty(), "{text}");
    }
    assert!(!sinks("{}").is_empty(), "an absent key means this machine");
    let wrong = SystemConfig::from_json(r#"{"alertmanager_url": "alerts:9093"}"#).unwrap();
    let error = Sinks::from_system(&wrong).unwrap_err().to_string();
    assert!(error.contains("`alertmanager_url`") && error.contains("alerts:9093"), "{error}");
}
