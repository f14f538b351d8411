//! The method `hacheck` against a real hacheck server on a loopback port.

#![expect(clippy::unwrap_used, reason = "the helpers of a test are a test")]

use std::net::SocketAddr;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, Uri};
use paasta_config::{Map, Node, Value};
use paasta_core::{AppId, Clock, Health, Registration, SystemClock, Task, TaskId, TaskPhase, Timestamp};
use paasta_drain::{DrainError, DrainMethod, DrainPlace, DrainState, DrainTools, build};
use paasta_hacheck::{Entry, Hacheck, Name};
use tokio::net::TcpListener;

const TASK_PORT: u16 = 31337;

fn task() -> Task {
    Task {
        id: TaskId::new("t1"),
        app: AppId::new("my--svc.main.git1.config1"),
        host: "127.0.0.1".to_owned(),
        ports: vec![TASK_PORT, 31338],
        phase: TaskPhase::Running,
        staged_at: None,
        started_at: None,
        health: Health::Alive,
    }
}

fn method(name: &str, params: Map, registrations: &[&str]) -> Box<dyn DrainMethod> {
    let place = DrainPlace {
        service: "my_svc".parse().unwrap(),
        instance: "main".parse().unwrap(),
        registrations: registrations.iter().map(|name| Registration::new(*name).unwrap()).collect(),
    };
    build(&Node::text(name), &params, &place, &DrainTools::new("drain-tests", "1.2").unwrap()).unwrap()
}

fn map(entries: &[(&str, Value)]) -> Map {
    entries.iter().map(|(key, value)| (Node::text(*key), Node::new(value.clone()))).collect()
}

/// Drains through the hacheck at `address` with a delay of 60 s.
fn through(address: SocketAddr, registrations: &[&str]) -> Box<dyn DrainMethod> {
    let port = Value::Int(address.port().into());
    method("hacheck", map(&[("delay", Value::Int(60)), ("hacheck_port", port)]), registrations)
}

async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

struct Fixture {
    hacheck: Hacheck,
    address: SocketAddr,
    _directory: tempfile::TempDir,
}

async fn start() -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    let hacheck = Hacheck::builder(directory.path()).allow_remote_spool_changes(true).build().unwrap();
    let address = serve(hacheck.router()).await;
    Fixture { hacheck, address, _directory: directory }
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn by_hand(creation: f64) -> Entry {
    Entry { reason: "by hand".to_owned(), expiration: None, creation: Some(creation) }
}

#[tokio::test]
async fn a_task_is_drained_and_given_back() {
    let fixture = start().await;
    let drain = through(fixture.address, &["my_svc.main", "my_svc.other"]);
    let now = SystemClock.now();

    assert!(!drain.status(&task()).await.unwrap().is_draining());
    drain.drain(&task(), now).await.unwrap();
    drain.drain(&task(), now).await.unwrap();

    for registration in ["my_svc.main", "my_svc.other"] {
        let down = fixture.hacheck.spool().lookup(&name(registration), TASK_PORT, now).unwrap().unwrap();
        assert_eq!(down.entry.reason, "Drained by Paasta");
        assert_eq!(down.entry.expiration, Some(now.plus_seconds(600.0).seconds()));
    }
    let status = drain.status(&task()).await.unwrap();
    assert!(status.is_draining() && status.is_ours(), "{status:?}");
    let DrainState::Draining { since: Some(since), until, .. } = status.state else { panic!("{status:?}") };
    assert_eq!(until, Some(now.plus_seconds(600.0)));
    assert!(!status.is_safe_to_kill(since.plus_seconds(60.0)));
    assert!(status.is_safe_to_kill(since.plus_seconds(60.002)));

    drain.stop_draining(&task()).await.unwrap();
    drain.stop_draining(&task()).await.unwrap();
    assert!(!drain.is_draining(&task()).await.unwrap());
    assert!(!drain.is_safe_to_kill(&task(), since.plus_seconds(1000.0)).await.unwrap());
}

#[tokio::test]
async fn one_question_asks_once_per_registration() {
    let fixture = start().await;
    let drain = through(fixture.address, &["my_svc.main", "my_svc.other"]);
    drain.status(&task()).await.unwrap();
    assert_eq!(fixture.hacheck.counts().spool_reads, 2);
    assert_eq!(fixture.hacheck.counts().spool_changes, 0);
}

#[tokio::test]
async fn what_an_operator_took_out_is_not_ours() {
    let fixture = start().await;
    let drain = through(fixture.address, &["my_svc.main", "my_svc.other"]);
    let now = Timestamp::from_seconds(1000.0);
    fixture.hacheck.spool().down(&name("my_svc.other"), TASK_PORT, by_hand(100.0), now).unwrap();
    let status = drain.status(&task()).await.unwrap();
    assert!(status.is_draining() && !status.is_ours(), "{status:?}");
    assert!(status.is_safe_to_kill(now), "the one that is up counts as safe");
}

#[tokio::test]
async fn an_answer_that_says_neither_is_an_error() {
    let cases = [
        (StatusCode::NOT_FOUND, "no such route"),
        (StatusCode::INTERNAL_SERVER_ERROR, ""),
        (StatusCode::SERVICE_UNAVAILABLE, "<html>overloaded</html>"),
    ];
    for (code, body) in cases {
        let drain =
            through(serve(Router::new().fallback(move || async move { (code, body) })).await, &["a.b"]);
        let error = drain.status(&task()).await.unwrap_err();
        assert!(matches!(error, DrainError::Unreadable { .. }), "{error}");
        let refused = drain.drain(&task(), Timestamp::from_millis(0)).await.unwrap_err();
        assert!(
            matches!(&refused, DrainError::Refused { status, .. } if *status == code.as_u16()),
            "{refused}"
        );
    }
}

#[tokio::test]
async fn nobody_there_is_an_error_and_not_up() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = through(free, &["a.b"]).status(&task()).await.unwrap_err();
    assert!(matches!(error, DrainError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn one_registration_that_fails_fails_the_whole() {
    let half = |uri: Uri| async move {
        if uri.path().contains("good") { StatusCode::OK } else { StatusCode::FORBIDDEN }
    };
    let drain = through(serve(Router::new().fallback(half)).await, &["a.good", "a.bad"]);
    assert!(drain.stop_draining(&task()).await.is_err());
    assert!(drain.status(&task()).await.is_err());
}

#[tokio::test]
async fn requests_say_who_asks() {
    let echo = |headers: HeaderMap| async move {
        let agent = headers.get("user-agent").unwrap().to_str().unwrap().to_owned();
        (StatusCode::SERVICE_UNAVAILABLE, format!("Service a.b in down state: {agent}"))
    };
    let status = through(serve(Router::new().fallback(echo)).await, &["a.b"]).status(&task()).await.unwrap();
    let DrainState::Draining { reason, .. } = status.state else { panic!("{status:?}") };
    assert_eq!(reason.as_deref(), Some("drain-tests 1.2"));
}

/// Whatever is asked of it is elsewhere; whoever goes there gets what he wants.
async fn redirecting(status: u16) -> (SocketAddr, String) {
    let elsewhere = serve(Router::new().fallback(|| async { "Service a.b in up state" })).await;
    let status = StatusCode::from_u16(status).unwrap();
    let location = format!("http://me:secret@{elsewhere}/there");
    let answer = move || async move { (status, [("location", location)], "Service a.b in up state") };
    (serve(Router::new().fallback(answer)).await, format!("http://{elsewhere}/there"))
}

#[tokio::test]
async fn a_redirect_is_never_followed_and_a_failed_call_that_names_where_it_leads() {
    for redirect in [301, 302, 303, 307, 308] {
        let (address, place) = redirecting(redirect).await;
        let url = format!("http://{address}/{{host}}");
        let call = || {
            let codes = Value::String("200-399".to_owned());
            Value::Map(map(&[("url_format", Value::String(url.clone())), ("success_codes", codes)]))
        };
        let params =
            map(&["drain", "stop_draining", "is_draining", "is_safe_to_kill"].map(|key| (key, call())));
        for drain in [through(address, &["a.b"]), method("http", params, &["a.b"])] {
            let (task, now) = (task(), Timestamp::from_millis(0));
            let outcomes = [
                drain.drain(&task, now).await,
                drain.stop_draining(&task).await,
                drain.status(&task).await.map(drop),
                drain.is_draining(&task).await.map(drop),
                drain.is_safe_to_kill(&task, now).await.map(drop),
            ];
            for outcome in outcomes {
                let error = outcome.unwrap_err();
                let told = matches!(&error, DrainError::Redirected { status, location, .. }
                    if *status == redirect && *location == place);
                assert!(told && !error.to_string().contains("secret"), "{redirect}: {error}");
            }
        }
    }
}

/// A service that is drained over its own URLs: `/drain` and `/undrain` are POSTed, the questions are asked of
/// `/draining` and `/idle`.
#[tokio::test]
async fn the_method_http_asks_the_task_itself() {
    use axum::routing::{get, post};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    let draining = Arc::new(AtomicBool::new(false));
    let (down, up, asked, idle) = (draining.clone(), draining.clone(), draining.clone(), draining.clone());
    let answer = |yes: bool| if yes { StatusCode::ACCEPTED } else { StatusCode::CONFLICT };
    let service = Router::new()
        .route("/drain/my_svc.main", post(async move || down.store(true, Ordering::SeqCst)))
        .route("/undrain/my_svc.main", post(async move || up.store(false, Ordering::SeqCst)))
        .route("/draining/my_svc/main", get(async move || answer(asked.load(Ordering::SeqCst))))
        .route("/idle", get(async move || answer(idle.load(Ordering::SeqCst))));
    let port = serve(service).await.port();

    let call = |url: &str, method: &str, codes: Value| {
        let url = format!("http://{{host}}:{{port}}{url}");
        let text = |text: &str| Value::String(text.to_owned());
        Value::Map(map(&[("url_format", text(&url)), ("method", text(method)), ("success_codes", codes)]))
    };
    let params = map(&[
        ("drain", call("/drain/{nerve_ns}", "post", Value::Int(200))),
        ("stop_draining", call("/undrain/{nerve_ns}", "POST", Value::Int(200))),
        ("is_draining", call("/draining/{service}/{instance}", "get", Value::String("200-202".to_owned()))),
        ("is_safe_to_kill", call("/idle", "GET", Value::String("202".to_owned()))),
    ]);
    let drain = method("http", params, &["my_svc.main"]);
    let task = Task { ports: vec![port], ..task() };
    let now = Timestamp::from_millis(0);

    assert!(!drain.is_draining(&task).await.unwrap());
    drain.drain(&task, now).await.unwrap();
    drain.drain(&task, now).await.unwrap();
    let status = drain.status(&task).await.unwrap();
    assert!(status.is_draining() && status.is_ours() && status.is_safe_to_kill(now), "{status:?}");
    assert!(drain.is_safe_to_kill(&task, now).await.unwrap());
    drain.stop_draining(&task).await.unwrap();
    assert!(!drain.status(&task).await.unwrap().is_draining());

    let elsewhere = method(
        "http",
        map(&["drain", "stop_draining", "is_draining", "is_safe_to_kill"]
            .map(|key| (key, call("/none", "GET", Value::Int(200))))),
        &["my_svc.main"],
    );
    let error = elsewhere.drain(&task, now).await.unwrap_err();
    assert!(matches!(error, DrainError::StatusCodeNotAcceptable { status: 404, .. }), "{error}");
    assert!(!elsewhere.is_draining(&task).await.unwrap(), "not acceptable means no");
}

/// Whoever drains asks its fence before, so what is begun must not wait long for its connection, TLS included.
#[tokio::test]
async fn a_drain_that_gets_no_connection_is_given_up_soon() {
    // Takes connections and never says anything, so that TLS does not come about.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let text = |text: &str| Value::String(text.to_owned());
    let url = || text("https://{host}:{port}/");
    let call = || Value::Map(map(&[("url_format", url()), ("success_codes", Value::Int(200))]));
    let keys = ["drain", "stop_draining", "is_draining", "is_safe_to_kill"];
    let drain = method("http", map(&keys.map(|key| (key, call()))), &["my_svc.main"]);
    let task = Task { ports: vec![silent.local_addr().unwrap().port()], ..task() };

    let began = std::time::Instant::now();
    let drained = drain.drain(&task, Timestamp::from_millis(0)).await;
    let undrained = drain.stop_draining(&task).await;
    assert!(began.elapsed() < std::time::Duration::from_secs(8), "{:?}", began.elapsed());
    for result in [drained, undrained] {
        let Err(DrainError::Unreachable { source, .. }) = result else { panic!("{result:?}") };
        assert!(source.is_connect(), "{source:?}");
    }
}
