//! The library that the original sends with gets the same input and has to write the same bytes.

use std::io::Write as _;
use std::process::{Command, Stdio};

use paasta_alerts::line;
use paasta_core::CheckStatus;
use paasta_monitoring::{Sender, senders};
use serde_json::{Value, json};

use super::alert;
use super::sensu::{Receiver3030, validated};

const SEND: &str = "
import json, sys, pysensu_yelp
for line in sys.stdin:
    pysensu_yelp.send_event(sensu_host='127.0.0.1', sensu_port=int(sys.argv[1]), **json.loads(line))
";

/// Whether the library is there; a message where it is not.
#[expect(clippy::disallowed_methods, reason = "what CI says reaches tests through the environment")]
fn is_there() -> bool {
    let found = Command::new("python3")
        .args(["-c", "import pysensu_yelp"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !found {
        let required = std::env::var("PAASTA_REQUIRE_COMPONENTS").is_ok_and(|value| value == "1");
        assert!(!required, "python3 with pysensu-yelp is not installed");
        eprintln!("skipped: python3 with pysensu-yelp is not installed");
    }
    found
}

/// What one sender hands to the library, laid over what every sender does.
fn input(name: &str, status: CheckStatus, output: &str, own: &Value) -> Value {
    let mut input = json!({
        "name": name, "status": status.code(), "output": output, "team": "web_team",
        "runbook": "http://y/paasta-troubleshooting", "tip": "T", "notification_email": null, "check_every": "1m",
        "page": null, "realert_every": -1, "alert_after": "5m", "ticket": false, "project": null, "priority": null,
        "source": "paasta-prod", "tags": [], "ttl": null, "irc_channels": null, "slack_channels": null, "component": null,
        "description": null,
    });
    for (key, value) in own.as_object().unwrap() {
        input[key] = value.clone();
    }
    input
}

#[test]
fn the_library_of_the_original_writes_the_same() {
    if !is_there() {
        return;
    }
    let instance = "web.main".parse().unwrap();
    let team = "{team: web_team, tip: T}";
    let cases = [
        (
            alert(
                &senders::setup(),
                "slack_channels: ['#web']",
                team,
                CheckStatus::Critical,
                "boom é\n\t\"\\ \u{7f}😀",
            ),
            input(
                "setup_marathon_job.web.main",
                CheckStatus::Critical,
                "boom é\n\t\"\\ \u{7f}😀",
                &json!({"check_every": "10s", "alert_after": "10m", "slack_channels": ["#web"]}),
            ),
        ),
        (
            alert(
                &senders::replication(&instance, "prod", "why".to_owned()),
                "{alert_after: 1h30m, page: true, notification_email: false, runbook: y/rb, realert_every: 3, irc_channels: []}",
                team,
                CheckStatus::Critical,
                "4/10",
            ),
            input(
                "check_paasta_services_replication.web.main",
                CheckStatus::Critical,
                "4/10",
                &json!({"alert_after": "1h30m", "page": true, "notification_email": false, "runbook": "y/rb", "realert_every": 3,
                        "irc_channels": [], "description": "why"}),
            ),
        ),
        (
            alert(
                &senders::oom(512.0, 1),
                "{ticket: true, project: PROJ, priority: '2', tags: [a, b], component: [c], notification_email: 'a@b,c@d'}",
                team,
                CheckStatus::Critical,
                "killed",
            ),
            input(
                "oom-killer.web.main",
                CheckStatus::Critical,
                "killed",
                &json!({"alert_after": "0m", "realert_every": 1, "page": false, "runbook": "y/check-oom-events", "ticket": true,
                        "project": "PROJ", "priority": "2", "tags": ["a", "b"], "component": ["c"],
                        "notification_email": "a@b,c@d",
                        "tip": "tasks use more than the 512 MB that they may: look for what grew, or raise `mem`"}),
            ),
        ),
        (
            alert(
                &Sender::new("c"),
                "{runbook: '', alert_after: 90, component: c}",
                team,
                CheckStatus::Unknown,
                "",
            ),
            input(
                "c.web.main",
                CheckStatus::Unknown,
                "",
                &json!({"runbook": "", "alert_after": "90s", "component": "c"}),
            ),
        ),
    ];
    let receiver = Receiver3030::start();
    let mut python = Command::new("python3")
        .args(["-c", SEND, &receiver.port.to_string()])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = python.stdin.take().unwrap();
    for (_, input) in &cases {
        writeln!(stdin, "{input}").unwrap();
    }
    drop(stdin);
    assert!(python.wait().unwrap().success());
    for (ours, _) in &cases {
        let theirs = receiver.next();
        validated(&theirs);
        assert_eq!(line(&ours.event), theirs);
    }
}
