//! What is posted to an Alertmanager.

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use axum::Json;
use axum::http::StatusCode;
use axum::routing::post;
use paasta_alerts::{Alertmanager, Outbox, Sinks};
use paasta_config::SystemConfig;
use paasta_core::{AlertSink, CheckStatus};
use paasta_monitoring::senders;
use serde_json::{Value, json};

use super::alert;

/// An Alertmanager, what was posted to it, and its address.
fn receiver() -> (tokio::runtime::Runtime, Receiver<Value>, String) {
    let (told, posts) = channel::<Value>();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let take = move |Json(body): Json<Value>| {
        let told = told.clone();
        async move {
            let busy = body[0]["labels"]["team"] == "busy";
            told.send(body).unwrap();
            if busy { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK }
        }
    };
    let routes = axum::Router::new().route("/prefix/api/v2/alerts", post(take));
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = format!("http://{}/prefix/", listener.local_addr().unwrap());
    runtime.spawn(async move { axum::serve(listener, routes).await });
    (runtime, posts, address)
}

#[test]
fn what_is_wrong_holds_and_what_is_well_ends_it() {
    let (_runtime, posts, address) = receiver();
    let outbox = Outbox::start(Alertmanager::new(&address).unwrap()).unwrap();
    let next = || posts.recv_timeout(Duration::from_secs(20)).unwrap();
    let own = "{page: true, tip: T}";
    outbox.alert(&alert(&senders::setup(), own, "team: t", CheckStatus::Critical, "boom\nmore"));
    let labels = json!({
        "alertname": "setup_marathon_job", "paasta_service": "web", "paasta_instance": "main", "paasta_cluster": "prod",
        "team": "t", "page": "true",
    });
    assert_eq!(
        next(),
        json!([{
            "labels": labels,
            "annotations": {
                "summary": "boom", "output": "boom\nmore", "status": "CRITICAL",
                "runbook": "http://y/paasta-troubleshooting", "tip": "T",
            },
            "startsAt": "2021-04-01T12:00:00.000Z",
            "endsAt": "2021-04-01T13:00:00.000Z",
        }])
    );
    outbox.alert(&alert(&senders::setup(), own, "team: t", CheckStatus::Ok, "Service deployed."));
    let resolved = next();
    assert_eq!(resolved[0]["labels"], labels, "other labels would be another alert");
    assert_eq!(resolved[0]["endsAt"], "2021-04-01T12:00:00.000Z");
    assert_eq!(resolved[0].get("startsAt"), None);
    outbox.alert(&alert(&senders::setup(), own, "team: busy", CheckStatus::Ok, ""));
    next();
    assert!(outbox.flush(Duration::from_secs(20)));
    assert_eq!((outbox.counts().sent, outbox.counts().lost), (2, 1));
}

#[test]
fn what_is_wrong_holds_for_twice_the_longest_wait_until_it_is_tried_again() {
    let (_runtime, posts, address) = receiver();
    let text = format!(r#"{{"sensu_host": null, "alertmanager_url": "{address}"}}"#);
    let system = SystemConfig::from_json(&text).unwrap();
    let boom = alert(&senders::setup(), "{}", "team: t", CheckStatus::Critical, "boom");
    for (wait, ends) in [
        (Duration::from_secs(6000), "2021-04-01T15:20:00.000Z"),
        (Duration::from_secs(60), "2021-04-01T13:00:00.000Z"),
        (Duration::MAX, "2022-04-01T12:00:00.000Z"),
    ] {
        Sinks::of_retries(&system, wait).unwrap().alert(&boom);
        let posted = posts.recv_timeout(Duration::from_secs(20)).unwrap();
        assert_eq!(posted[0]["endsAt"], ends, "{wait:?}");
    }
}
