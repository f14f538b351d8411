//! Room at Marathon, against a server that counts its deployments by hand.

#![expect(clippy::unwrap_used, reason = "a test stops where something is missing")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use paasta_core::{Action, AppId, Gate, Haste, HomeId, NoMaintenance};
use paasta_marathon::{DeploymentGate, MarathonEngine, MarathonServers, Password, Server as Entry};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What it answers about its deployments, and how often it was asked.
#[derive(Clone)]
struct Marathon {
    answer: Arc<Mutex<(u16, Value)>>,
    asked: Arc<AtomicUsize>,
    url: String,
}

impl Marathon {
    async fn start(running: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let marathon = Self { answer: Arc::default(), asked: Arc::default(), url };
        marathon.run(running);
        let answer = |State(marathon): State<Marathon>| async move {
            marathon.asked.fetch_add(1, Ordering::SeqCst);
            let (status, body) = marathon.answer.lock().unwrap().clone();
            (StatusCode::from_u16(status).unwrap(), axum::Json(body))
        };
        let router =
            Router::new().route("/v2/deployments", axum::routing::get(answer)).with_state(marathon.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        marathon
    }

    /// So many deployments run from now on.
    fn run(&self, deployments: usize) {
        let all: Vec<Value> =
            (0..deployments).map(|id| json!({"id": id.to_string(), "affectedApps": ["/a"]})).collect();
        *self.answer.lock().unwrap() = (200, json!(all));
    }

    fn refuse(&self, status: u16) {
        *self.answer.lock().unwrap() = (status, json!({"message": "not now"}));
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn gate(&self, max: usize) -> DeploymentGate {
        let entry =
            Entry { urls: vec![self.url.clone()], user: String::new(), password: Password::default() };
        let servers = MarathonServers::new(vec![entry], vec![]);
        MarathonEngine::new(&servers, Box::new(NoMaintenance)).unwrap().gate(max)
    }

    fn create(&self) -> Action {
        Action::Create { home: HomeId::new(&self.url), app: AppId::new("a"), body: String::new() }
    }

    fn delete(&self) -> Action {
        Action::Delete { home: HomeId::new(&self.url), app: AppId::new("a") }
    }
}

#[tokio::test]
async fn nobody_asks_marathon_until_somebody_asks_the_gate() {
    let marathon = Marathon::start(0).await;
    let gate = marathon.gate(2);
    assert_eq!(marathon.asked(), 0);
    let first = gate.enter(&marathon.create(), Haste::Urgent).await.unwrap();
    let second = gate.enter(&marathon.create(), Haste::Urgent).await.unwrap();
    let full = gate.enter(&marathon.create(), Haste::Urgent).await.unwrap_err();
    assert_eq!(full.to_string(), format!("2 deployments run at {} (at most 2)", marathon.url));
    marathon.run(2);
    drop((first, second));
    assert!(gate.enter(&marathon.create(), Haste::Urgent).await.is_err());
}

#[tokio::test]
async fn what_can_wait_leaves_room_for_a_person() {
    let marathon = Marathon::start(80).await;
    let gate = marathon.gate(100);
    let full = gate.enter(&marathon.delete(), Haste::Usual).await.unwrap_err();
    let expected = format!("80 deployments run at {} (at most 100; 80 for what can wait)", marathon.url);
    assert_eq!(full.to_string(), expected);
    gate.enter(&marathon.create(), Haste::Urgent).await.unwrap();
}

/// Programs share nothing but what Marathon shows: for as long as a read counts, each has the whole room for itself.
#[tokio::test]
async fn programs_that_begin_together_see_each_other_at_their_next_read() {
    let marathon = Marathon::start(0).await;
    let gates = [marathon.gate(2), marathon.gate(2)];
    let mut open = Vec::new();
    for gate in &gates {
        open.push(gate.enter(&marathon.create(), Haste::Urgent).await.unwrap());
        open.push(gate.enter(&marathon.create(), Haste::Urgent).await.unwrap());
        assert!(
            gate.enter(&marathon.create(), Haste::Urgent).await.is_err(),
            "its own ones it always counts"
        );
    }
    marathon.run(open.len());
    drop(open);
    for gate in &gates {
        let begun = Instant::now();
        while !gate.enter(&marathon.create(), Haste::Urgent).await.unwrap_err().0.starts_with("4 deployments")
        {
            assert!(begun.elapsed() < Duration::from_secs(30), "it reads again");
            tokio::task::yield_now().await;
        }
    }
}

/// Unknown is never absent: also where it says that it has no leader, or that we may not ask.
#[tokio::test]
async fn a_marathon_that_does_not_tell_has_no_room() {
    for status in [401, 403, 500, 503] {
        let marathon = Marathon::start(0).await;
        marathon.refuse(status);
        let gate = marathon.gate(100);
        let reason = gate.enter(&marathon.create(), Haste::Urgent).await.unwrap_err().to_string();
        let (url, begin) = (&marathon.url, "could not count the deployments at ");
        assert_eq!(reason, format!("{begin}{url}: {url} refused with status {status}: not now"));
    }
    let gate = Marathon::start(0).await.gate(100);
    let nowhere = Action::Delete { home: HomeId::new("http://else"), app: AppId::new("a") };
    gate.enter(&nowhere, Haste::Usual).await.unwrap();
}

#[tokio::test]
async fn a_patient_one_waits_for_room() {
    let marathon = Marathon::start(5).await;
    let gate = Arc::new(marathon.gate(5).with_patience(Duration::from_secs(60)));
    let (waiting, create) = (gate.clone(), marathon.create());
    let waiter = tokio::spawn(async move { waiting.enter(&create, Haste::Usual).await.map(drop) });
    let begun = Instant::now();
    while marathon.asked() < 2 {
        assert!(begun.elapsed() < Duration::from_secs(30), "it looks again");
        tokio::task::yield_now().await;
    }
    marathon.run(0);
    waiter.await.unwrap().unwrap();
}
