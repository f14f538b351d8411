use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use paasta_core::{AlertEvent, CheckStatus, Mail};

use super::*;

/// Sends when it is told to.
struct Slow {
    go: Mutex<Receiver<Result<(), String>>>,
    sent: Arc<Mutex<Vec<String>>>,
}

#[async_trait]
impl Transport for Slow {
    fn place(&self) -> String {
        "a test".to_owned()
    }

    fn at_once(&self) -> usize {
        2
    }

    async fn deliver(&self, alerts: &[Alert]) -> Result<(), String> {
        self.go.lock().unwrap().recv().unwrap_or_else(|_| Err("it is over".to_owned()))?;
        self.sent.lock().unwrap().extend(alerts.iter().map(|alert| alert.event.output.clone()));
        Ok(())
    }
}

/// An outbox, what lets it send, and what it sent.
type Fixture = (Outbox, SyncSender<Result<(), String>>, Arc<Mutex<Vec<String>>>);

fn slow(room: usize) -> Fixture {
    let (go, wait) = sync_channel(100);
    let sent: Arc<Mutex<Vec<String>>> = Arc::default();
    let transport = Slow { go: Mutex::new(wait), sent: sent.clone() };
    (Outbox::with_room(transport, room).unwrap(), go, sent)
}

fn alert(name: &str, output: &str) -> Alert {
    let event = AlertEvent {
        name: name.to_owned(),
        status: CheckStatus::Ok,
        output: output.to_owned(),
        handler: "default",
        team: "t".to_owned(),
        runbook: "r".to_owned(),
        tip: None,
        notification_email: Mail::TeamDefault,
        interval: 60,
        page: None,
        realert_every: -1,
        dependencies: vec![],
        alert_after: 0,
        ticket: false,
        project: None,
        priority: None,
        source: None,
        tags: vec![],
        ttl: None,
        irc_channels: None,
        slack_channels: None,
        component: None,
        description: None,
    };
    Alert {
        at: "2021-04-01T00:00:00Z".parse().unwrap(),
        cluster: None,
        instance: "a.b".parse().unwrap(),
        check: "c".to_owned(),
        event,
    }
}

#[test]
fn failures_are_counted_and_the_next_ones_are_sent() {
    let (outbox, go, sent) = slow(10);
    go.send(Err("refused".to_owned())).unwrap();
    outbox.alert(&alert("a", "1"));
    assert!(outbox.flush(Duration::from_secs(20)));
    assert_eq!(outbox.counts(), Counts { sent: 0, lost: 1 });
    go.send(Ok(())).unwrap();
    outbox.alert(&alert("a", "2"));
    assert!(outbox.flush(Duration::from_secs(20)));
    assert_eq!(outbox.counts(), Counts { sent: 1, lost: 1 });
    assert_eq!(*sent.lock().unwrap(), ["2"]);
}

#[test]
fn while_it_is_slow_only_the_latest_of_a_name_waits() {
    let (outbox, go, sent) = slow(10);
    for (name, output) in [("z", "0"), ("a", "1"), ("b", "2"), ("a", "3")] {
        outbox.alert(&alert(name, output));
    }
    assert!(!outbox.flush(Duration::ZERO));
    for _ in 0..4 {
        go.send(Ok(())).unwrap();
    }
    assert!(outbox.flush(Duration::from_secs(20)));
    let sent = sent.lock().unwrap();
    assert!(sent.ends_with(&["2".to_owned()]) && sent.contains(&"3".to_owned()), "{sent:?}");
    assert_eq!(outbox.counts().lost, 0, "one that is overtaken is not lost");
}

#[test]
fn without_room_the_oldest_are_lost_and_counted() {
    let (outbox, go, _) = slow(2);
    for number in 0..10 {
        outbox.alert(&alert(&number.to_string(), ""));
    }
    let lost = outbox.counts().lost;
    assert!((6..=8).contains(&lost), "{lost}");
    for _ in 0..4 {
        go.send(Ok(())).unwrap();
    }
    assert!(outbox.flush(Duration::from_secs(20)));
    assert_eq!(outbox.counts().sent + lost, 10);
}
