use paasta_config::{Map, parse_yaml};
use paasta_core::InstanceId;
use proptest::prelude::*;

use super::*;
use crate::senders;

fn map(text: &str) -> Map {
    parse_yaml(text.as_bytes(), "monitoring.yaml").unwrap().root.as_map().cloned().unwrap_or_default()
}

fn layers(instance: &str, monitoring: &str) -> Layers {
    Layers { instance: map(instance), monitoring: map(monitoring), service: Map::new() }
}

fn composed(sender: &Sender, layers: &Layers) -> Composed {
    let instance: InstanceId = "web.main".parse().unwrap();
    let finding = Finding::about(&instance, sender, Some("prod"), CheckStatus::Critical, "boom");
    compose(sender, layers, finding).unwrap()
}

/// The worked example of monitoring.md §1.2, but for what the tip says.
#[test]
fn every_member_of_a_setup_event() {
    let layers = layers("{slack_channels: ['#web'], tip: T}", "team: web_team");
    let Composed { event, problems } = composed(&senders::setup(), &layers);
    assert_eq!(problems, []);
    assert_eq!(
        serde_json::to_string(&event).unwrap(),
        r##"{"name":"setup_marathon_job.web.main","status":2,"output":"boom","handler":"default","team":"web_team","##.to_owned()
            + r##""runbook":"http://y/paasta-troubleshooting","tip":"T","notification_email":null,"interval":10,"page":null,"##
            + r##""realert_every":-1,"dependencies":[],"alert_after":600,"ticket":false,"project":null,"priority":null,"##
            + r##""source":"paasta-prod","tags":[],"ttl":null,"slack_channels":["#web"]}"##
    );
}

#[test]
fn without_a_team_nothing_is_sent() {
    for yaml in ["{}", "team: null", "team: ''"] {
        let finding =
            Finding { name: "c".to_owned(), status: CheckStatus::Ok, output: String::new(), cluster: None };
        assert_eq!(compose(&Sender::new("c"), &layers("", yaml), finding), Err(NotSent::NoTeam), "{yaml}");
    }
}

#[test]
fn names_of_checks() {
    for good in ["a", "a.b-c_d", "é.1"] {
        assert!(is_check_name(good), "{good}");
    }
    for bad in ["", "a b", "a\n", "a/b", "a:b"] {
        assert!(!is_check_name(bad), "{bad}");
    }
}

/// A row of docs/differences.md: the documented keys count where they are documented to count.
#[test]
fn monitoring_yaml_sets_runbook_alert_after_and_realert_every() {
    let file = "{team: t, runbook: r, alert_after: 7m, realert_every: 5, check_every: 3m}";
    let event = composed(&Sender::new("c"), &layers("{}", file)).event;
    assert_eq!((event.runbook.as_str(), event.alert_after, event.realert_every), ("r", 420, 5));
    // How often a check runs is not the service's to say.
    assert_eq!(event.interval, 60);
    let event = composed(&Sender::new("c"), &layers("{alert_after: 90, check_every: 3m}", file)).event;
    assert_eq!((event.alert_after, event.interval), (90, 180));
    let event = composed(&senders::setup(), &layers("{alert_after: 90, check_every: 3m}", file)).event;
    assert_eq!((event.alert_after, event.interval), (600, 10));
}

/// A row of docs/differences.md: a wrong setting costs its own member, not the alert.
#[test]
fn a_setting_that_cannot_be_used_keeps_no_alert_back() {
    let file = "{team: t, alert_after: '-1', realert_every: 2h, slack_channels: {a: b}, tip: [x], notification_email: {}, \
                tags: 3, priority: 2, project: 1.5}";
    let Composed { event, problems } = composed(&Sender::new("c"), &layers("{}", file));
    assert_eq!((event.alert_after, event.realert_every, event.slack_channels), (300, -1, None));
    assert_eq!((event.tags, event.priority.as_deref()), (vec!["3".to_owned()], Some("2")));
    let keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
    let expected = ["tip", "notification_email", "realert_every", "alert_after", "slack_channels"];
    assert_eq!(keys, expected.map(|key| format!("monitoring.{key}")));
    assert!(problems[0].to_string().starts_with("monitoring.yaml:1:"), "{}", problems[0]);
}

#[test]
fn who_gets_mail() {
    let mail = |yaml: &str| {
        let event = composed(&Sender::new("c"), &layers(yaml, "team: t")).event;
        serde_json::to_string(&event.notification_email).unwrap()
    };
    assert_eq!(mail("{}"), "null");
    assert_eq!(mail("notification_email: false"), "false");
    assert_eq!(mail("notification_email: a@b,c@d"), "\"a@b,c@d\"");
    assert_eq!(mail("notification_email: [a@b, c@d]"), "\"a@b,c@d\"");
}

#[test]
fn what_each_sender_says() {
    let instance: InstanceId = "web.main".parse().unwrap();
    let own = layers("{page: true, description: mine, tip: mine, alert_after: 1h}", "team: t");
    let event = composed(&senders::replication(&instance, "prod", "why".to_owned()), &own).event;
    assert_eq!((event.interval, event.alert_after), (60, 3600));
    assert_eq!((event.description.as_deref(), event.tip.as_deref()), (Some("why"), Some("mine")));
    let bare = layers("{}", "team: t");
    let event = composed(&senders::replication(&instance, "prod", "why".to_owned()), &bare).event;
    assert_eq!((event.alert_after, event.runbook.as_str()), (120, "y/unhealthy-paasta-instances"));
    assert!(event.tip.unwrap().contains("paasta status -s web -i main -c prod -vv"));
    let event = composed(&senders::oom(512.5, 1), &own).event;
    assert_eq!((event.page, event.alert_after, event.realert_every), (Some(false), 0, 1));
    assert_eq!((event.interval, event.runbook.as_str()), (60, "y/check-oom-events"));
    assert!(event.tip.unwrap().contains("512 MB"));
}

/// A row of docs/differences.md (monitoring.md §10, 5).
#[test]
fn what_is_removed_is_resolved_under_the_name_that_alerted() {
    let checks = senders::removed().map(|sender| sender.check);
    let instance: InstanceId = "web.main".parse().unwrap();
    assert!(checks.contains(&senders::replication(&instance, "prod", String::new()).check));
    assert!(checks.contains(&senders::setup().check));
    assert!(checks.contains(&"check_marathon_services_replication"));
}

proptest! {
    /// Whatever is written, the alert goes out, with a length of time that can be counted with.
    #[test]
    fn no_setting_keeps_an_alert_back(
        key in proptest::sample::select(vec![
            "runbook", "tip", "notification_email", "page", "realert_every", "alert_after", "check_every", "ticket", "project",
            "priority", "tags", "irc_channels", "slack_channels", "component", "description",
        ]),
        value in proptest::sample::select(vec![
            "null", "true", "false", "0", "-1", "3", "1.5", ".inf", "x", "10m", "''", "[]", "[a, b]", "[[a]]", "{}", "{a: b}",
            "2021-04-01", "99999999999999999999",
        ]),
    ) {
        let composed = composed(&Sender::new("c"), &layers(&format!("{key}: {value}"), "team: t"));
        prop_assert!(serde_json::to_value(&composed.event).unwrap().is_object());
        prop_assert_eq!(composed.event.team, "t");
        prop_assert!(composed.event.realert_every == -1 || composed.event.realert_every > 0);
        prop_assert!(!composed.event.runbook.is_empty());
    }
}
