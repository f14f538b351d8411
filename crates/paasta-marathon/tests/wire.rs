//! What is sent to Marathon and how its answers are taken, against a server that plays back answers.

#![expect(clippy::unwrap_used, reason = "a test stops where something is missing")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use futures_util::StreamExt;
use paasta_core::{
    Action, AppId, Applied, Change, Engine, EngineError, Fence, Fenced, Health, HomeId, Homes, Kill,
    LaunchWait, LogStream, LogTail, NoMaintenance, Reading, TaskId, TaskPhase, UnknownMaintenance,
};
use paasta_marathon::{MarathonEngine, MarathonServers, Password, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Answers by method and path with query; anything else is a bare 404. Keeps what it was asked.
#[derive(Clone, Default)]
struct Stub {
    answers: Arc<Mutex<Vec<(String, u16, String)>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Stub {
    fn answer(&self, request: &str, status: u16, body: &str) -> &Self {
        self.answers.lock().unwrap().push((request.to_owned(), status, body.to_owned()));
        self
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    async fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(handle).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}")
    }
}

async fn handle(State(stub): State<Stub>, request: Request) -> Response<Body> {
    let line = format!("{} {}", request.method(), request.uri());
    let authorization =
        request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
    let mut asked = vec![line.clone()];
    asked.extend(authorization);
    if !body.is_empty() {
        asked.push(String::from_utf8(body.to_vec()).unwrap());
    }
    stub.asked.lock().unwrap().push(asked.join(" | "));
    let answers = stub.answers.lock().unwrap();
    let found = answers.iter().find(|(request, _, _)| *request == line);
    let (status, body) = found.map_or((404, ""), |(_, status, body)| (*status, body.as_str()));
    let kind = if body.starts_with(['{', '[']) { "application/json" } else { "text/event-stream" };
    let response = Response::builder().status(StatusCode::from_u16(status).unwrap());
    // The body of a redirect says where to.
    let response = if (300..400).contains(&status) { response.header("location", body) } else { response };
    response.header("content-type", kind).body(Body::from(body.to_owned())).unwrap()
}

fn engine(urls: &[&str]) -> MarathonEngine {
    let urls = urls.iter().map(|url| (*url).to_owned()).collect();
    let server = Server { urls, user: String::new(), password: Password::default() };
    MarathonEngine::new(&MarathonServers::new(vec![server], vec![]), Box::new(NoMaintenance)).unwrap()
}

fn homes(url: &str) -> Homes {
    Homes { current: HomeId::new(url), previous: vec![] }
}

fn create(url: &str) -> Action {
    Action::Create {
        home: HomeId::new(url),
        app: AppId::new("a.b.c.d"),
        body: r#"{"id": "a.b.c.d"}"#.to_owned(),
    }
}

/// A port where nobody listens.
async fn dead_url() -> String {
    let address: SocketAddr = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    format!("http://{address}")
}

/// A server that takes the request and closes without an answer.
async fn mute_url() -> (String, Arc<Mutex<usize>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let count = Arc::new(Mutex::new(0));
    let counted = count.clone();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut buffer = [0; 4096];
            let _ = socket.read(&mut buffer).await;
            *counted.lock().unwrap() += 1;
            let _ = socket.shutdown().await;
        }
    });
    (url, count)
}

#[tokio::test]
async fn listings_are_filtered_and_lenient() {
    let stub = Stub::default();
    stub.answer(
        "GET /v2/apps?id=/s--v.main&embed=app.tasks&embed=app.lastTaskFailure",
        200,
        r#"{"apps": [
            {"id": "/s--v.main.gita.configb", "instances": 2, "healthChecks": [{"gracePeriodSeconds": 5, "intervalSeconds": 1}],
             "deployments": [{"id": "x"}], "novelty": [], "tasks": [
                {"id": "t1", "host": "h", "ports": [31000], "state": "TASK_RUNNING", "startedAt": "2021-03-01T00:00:00.5Z",
                 "healthCheckResults": [null, {"alive": true}]},
                {"id": "t2", "state": "TASK_UNREACHABLE", "startedAt": "2021-03-01T00:00:00Z", "healthCheckResults": [null]}]},
            {"id": "/s--v.main2.gita.configb", "instances": 1, "tasks": []},
            {"id": "/folder/s--v.main.gita.configb", "instances": 1, "tasks": []}]}"#,
    );
    let url = stub.start().await;
    let engine = engine(&[&url]);
    let sighting = engine.observe(&"s_v.main".parse().unwrap(), &homes(&url)).await;
    let apps: Vec<_> = sighting.apps().collect();
    assert_eq!(apps.len(), 1);
    assert!(apps[0].deploying);
    assert_eq!(apps[0].checks.unwrap().grace_seconds, 5.0);
    let tasks = &apps[0].tasks;
    assert_eq!((&tasks[0].phase, tasks[0].health), (&TaskPhase::Running, Health::Alive));
    assert_eq!((&tasks[1].phase, tasks[1].health), (&TaskPhase::Unreachable, Health::NoResults));
    assert_eq!(engine.requests().get, 1);
    assert_eq!(sighting.unknown(), None);
}

#[tokio::test]
async fn the_queue_is_asked_only_where_tasks_lack() {
    let stub = Stub::default();
    stub.answer(
        "GET /v2/apps?embed=app.tasks",
        200,
        r#"{"apps": [{"id": "/a.b.c.d", "instances": 1, "tasks": []}]}"#,
    )
    .answer(
        "GET /v2/queue?embed=lastUnusedOffers",
        200,
        r#"{"queue": [{"app": {"id": "/a.b.c.d"}, "delay": {"timeLeftSeconds": 9, "overdue": false}}]}"#,
    );
    let url = stub.start().await;
    let engine = engine(&[&url]);
    let fleet = engine.observe_all().await;
    let apps = fleet.homes[&HomeId::new(&url)].known().unwrap();
    assert_eq!(apps[0].launch, Some(LaunchWait::BackOff { seconds_left: 9.0 }));
    assert_eq!(engine.requests().get, 2);
}

#[tokio::test]
async fn what_does_not_answer_is_unknown() {
    let dead = dead_url().await;
    let server = |url: &str| Server {
        urls: vec![url.to_owned()],
        user: "u".into(),
        password: Password::new("hunter2"),
    };
    let servers = MarathonServers::new(vec![server(&dead)], vec![]);
    let engine = MarathonEngine::new(&servers, Box::new(UnknownMaintenance::new("nobody asked"))).unwrap();
    let everywhere = Homes { current: HomeId::new(&dead), previous: vec![HomeId::new("http://elsewhere")] };
    let sighting = engine.observe(&"a.b".parse().unwrap(), &everywhere).await;
    assert!(sighting.homes.values().all(|home| home.unknown().is_some()), "{sighting:?}");
    assert_eq!(sighting.leaving_hosts, Reading::Unknown("nobody asked".to_owned()));
    assert!(!format!("{sighting:?}").contains("hunter2"));
    let error = engine.apply(&create(&dead)).await.unwrap_err();
    assert!(matches!(error, EngineError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn urls_are_tried_in_order_and_a_create_is_never_sent_twice() {
    let stub = Stub::default();
    stub.answer("POST /v2/apps", 201, "{}").answer("GET /v2/apps?embed=app.tasks", 200, r#"{"apps": []}"#);
    let (dead, live) = (dead_url().await, stub.start().await);
    let (mute, heard) = mute_url().await;

    let applied = engine(&[&dead, &live]).apply(&create(&dead)).await.unwrap();
    assert_eq!(applied, Applied::Done);
    assert_eq!(stub.asked(), [r#"POST /v2/apps | {"id": "a.b.c.d"}"#]);

    let applied = engine(&[&mute, &live]).apply(&create(&mute)).await.unwrap();
    assert!(matches!(applied, Applied::Unknown(_)), "{applied:?}");
    assert_eq!((stub.asked().len(), *heard.lock().unwrap()), (0, 1));

    let fleet = engine(&[&mute, &live]).observe_all().await;
    assert!(fleet.homes[&HomeId::new(&mute)].known().is_some());
}

#[tokio::test]
async fn answers_have_their_meaning() {
    for (status, body, expected) in [
        (201, "{}", "Done"),
        (409, r#"{"message": "An app with id [/a] already exists."}"#, "Conflict"),
        (409, r#"{"message": "App is locked by one or more deployments."}"#, "Busy"),
        (409, r#"{"message": "held", "deployments": [{"id": "d"}]}"#, "Busy"),
        (409, r#"{"message": "exists", "deployments": []}"#, "Conflict"),
        (403, r#"{"message": "Max deployments"}"#, "Busy"),
        (503, "", "Busy"),
        (500, "", "Unknown"),
        (422, r#"{"message": "Object is not valid", "details": [{"path": "/cpus"}]}"#, "Refused"),
        (401, "", "Refused"),
    ] {
        let stub = Stub::default();
        stub.answer("POST /v2/apps", status, body);
        let url = stub.start().await;
        let answer = format!("{:?}", engine(&[&url]).apply(&create(&url)).await);
        assert!(answer.contains(&format!("({expected}")), "{status}: {answer}");
    }
}

/// 403: as many deployments run as may. 409: a deployment holds the app. 503: no leader, or one that loads.
#[tokio::test]
async fn whatever_is_changed_a_busy_marathon_is_waited_for() {
    let full = r#"{"message": "Max number (100) of running deployments is achieved."}"#;
    let locked = r#"{"message": "App is locked by one or more deployments.", "deployments": [{"id": "d"}]}"#;
    let (scale, delete) = ("PUT /v2/apps/a.b.c.d?force=True", "DELETE /v2/apps/a.b.c.d?force=True");
    let kill = "POST /v2/tasks/delete?scale=True&force=True";
    for (status, body) in [(403, full), (403, "{}"), (409, locked), (503, ""), (503, "{}")] {
        // The first answer that fits counts: the second removal is taken only half.
        for (change, taken, refused) in [
            ("create", None, "POST /v2/apps"),
            ("scale", None, scale),
            ("kill", None, kill),
            ("delete", None, scale),
            ("delete", Some(scale), delete),
        ] {
            let stub = Stub::default();
            stub.answer(taken.unwrap_or_default(), 200, "{}").answer(refused, status, body);
            let url = stub.start().await;
            let (home, app) = (HomeId::new(&url), AppId::new("a.b.c.d"));
            let action = match change {
                "create" => create(&url),
                "scale" => Action::Scale { home, app, instances: 3 },
                "kill" => {
                    let kill = Kill { app, tasks: vec![TaskId::new("t")], instances_after: 0 };
                    Action::KillAndShrink { home, kills: vec![kill] }
                }
                _ => Action::Delete { home, app },
            };
            let applied = engine(&[&url]).apply(&action).await;
            let Ok(Applied::Busy(reason)) = applied else { panic!("{change}, {status}: {applied:?}") };
            assert!(reason.starts_with(&format!("{url} answered {status}: ")), "{reason}");
        }
    }
}

#[tokio::test]
async fn changes_are_sent_as_the_original_sends_them() {
    let stub = Stub::default();
    stub.answer("PUT /v2/apps/a.b.c.d?force=True", 200, "{}")
        .answer("DELETE /v2/apps/a.b.c.d?force=True", 200, "{}")
        .answer("POST /v2/tasks/delete?scale=True&force=True", 422, r#"{"message": "Object is not valid"}"#);
    let url = stub.start().await;
    let server = Server { urls: vec![url.clone()], user: "u".into(), password: Password::new("p") };
    let engine =
        MarathonEngine::new(&MarathonServers::new(vec![server], vec![]), Box::new(NoMaintenance)).unwrap();
    let (home, app) = (HomeId::new(&url), AppId::new("/a.b.c.d"));
    let kill =
        Kill { app: app.clone(), tasks: vec![TaskId::new("t1"), TaskId::new("t2")], instances_after: 0 };
    let gone = AppId::new("gone");
    for action in [
        Action::Scale { home: home.clone(), app: app.clone(), instances: 3 },
        Action::KillAndShrink { home: home.clone(), kills: vec![kill] },
        Action::KillAndShrink { home: home.clone(), kills: vec![] },
        Action::Delete { home: home.clone(), app },
        Action::Delete { home: home.clone(), app: gone.clone() },
    ] {
        assert_eq!(engine.apply(&action).await, Ok(Applied::Done), "{action:?}");
    }
    let auth = "Basic dTpw";
    assert_eq!(
        stub.asked(),
        [
            format!("PUT /v2/apps/a.b.c.d?force=True | {auth} | {{\"instances\": 3}}"),
            format!("POST /v2/tasks/delete?scale=True&force=True | {auth} | {{\"ids\":[\"t1\",\"t2\"]}}"),
            format!("PUT /v2/apps/a.b.c.d?force=True | {auth} | {{\"instances\": 0}}"),
            format!("DELETE /v2/apps/a.b.c.d?force=True | {auth}"),
            format!("PUT /v2/apps/gone?force=True | {auth} | {{\"instances\": 0}}"),
        ]
    );
    let missing = engine.apply(&Action::Scale { home, app: gone, instances: 1 }).await;
    assert!(matches!(missing, Err(EngineError::NotFound { .. })), "{missing:?}");
    assert_eq!((engine.requests().put, engine.requests().writes()), (4, 6));
}

/// Marathon can hang otherwise (defect B16); an app that cannot be emptied stays until the next pass.
#[tokio::test]
async fn an_app_is_emptied_before_it_is_deleted() {
    let empty = "PUT /v2/apps/a.b.c.d?force=True";
    let delete = "DELETE /v2/apps/a.b.c.d?force=True";
    for (status, requests) in [(200, vec![empty, delete]), (409, vec![empty])] {
        let stub = Stub::default();
        stub.answer(empty, status, "{}").answer(delete, 200, "{}");
        let url = stub.start().await;
        let action = Action::Delete { home: HomeId::new(&url), app: AppId::new("a.b.c.d") };
        let applied = engine(&[&url]).apply(&action).await.unwrap();
        assert_eq!(applied.is_done(), status == 200, "{applied:?}");
        let asked = stub.asked();
        assert_eq!(asked.len(), requests.len(), "{asked:?}");
        assert!(asked.iter().zip(&requests).all(|(asked, request)| asked.starts_with(request)), "{asked:?}");
    }
}

/// A removal takes two requests, and the first may take long: whoever may act no longer sends no second one.
#[tokio::test]
async fn nothing_is_sent_once_the_fence_is_shut() {
    struct ShutAfter(Mutex<usize>);
    impl Fence for ShutAfter {
        fn check(&self) -> Result<(), Fenced> {
            let mut left = self.0.lock().unwrap();
            *left = left.checked_sub(1).ok_or_else(|| Fenced("the session is in doubt".to_owned()))?;
            Ok(())
        }
    }
    let (empty, delete) = ("PUT /v2/apps/a.b.c.d?force=True", "DELETE /v2/apps/a.b.c.d?force=True");
    let stub = Stub::default();
    stub.answer(empty, 200, "{}").answer(delete, 200, "{}");
    let url = stub.start().await;
    let action = Action::Delete { home: HomeId::new(&url), app: AppId::new("a.b.c.d") };
    for open in [0, 1] {
        let fence: Arc<dyn Fence> = Arc::new(ShutAfter(Mutex::new(open)));
        let applied = engine(&[&url]).with_fence(&fence).apply(&action).await;
        assert_eq!(applied, Ok(Applied::Busy("the session is in doubt".to_owned())));
        let asked = stub.asked();
        assert_eq!(asked.len(), open, "{asked:?}");
        assert!(asked.iter().all(|asked| asked.starts_with(empty)), "{asked:?}");
    }
}

/// A client that follows 301 to 303 makes a GET of a POST, whose 200 looks as if the change were done; one that follows
/// 307 and 308 sends the change once more, and nobody asks the fence.
#[tokio::test]
async fn a_redirect_is_never_followed_and_names_where_it_leads() {
    let list = "GET /v2/apps?embed=app.tasks";
    let elsewhere = Stub::default();
    elsewhere.answer("GET /v2/apps", 200, r#"{"apps": []}"#).answer("POST /v2/apps", 201, "{}");
    let place = format!("{}/v2/apps", elsewhere.start().await);
    for redirect in [301, 302, 303, 307, 308] {
        let stub = Stub::default();
        stub.answer("POST /v2/apps", redirect, &place).answer(list, redirect, &place);
        let url = stub.start().await;
        let engine = engine(&[&url]);
        let applied = engine.apply(&create(&url)).await;
        let Err(EngineError::Refused { status, message, .. }) = applied else {
            panic!("{redirect}: {applied:?}")
        };
        assert_eq!(status, redirect);
        assert!(message.contains(&place), "{message}");
        let fleet = engine.observe_all().await;
        let unread = fleet.homes[&HomeId::new(&url)].unknown().unwrap();
        assert!(unread.contains(&place), "{unread}");
        assert_eq!(stub.asked().len(), 2);
    }
    assert_eq!(elsewhere.asked(), Vec::<String>::new());
}

/// The fence is asked before a connection is made, so nothing may come between: neither a long wait for it, nor a kept
/// connection that is closed already, after which the request would be sent again.
#[tokio::test]
async fn a_change_starts_soon_after_the_fence_was_asked_over_a_connection_of_its_own() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let connections = Arc::new(Mutex::new(0));
    let counted = connections.clone();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            *counted.lock().unwrap() += 1;
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while socket.read(&mut buffer).await.is_ok_and(|read| read > 0) {
                    let _ = socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await;
                }
            });
        }
    });
    let scale =
        |url: &str| Action::Scale { home: HomeId::new(url), app: AppId::new("a.b.c.d"), instances: 3 };
    let open = engine(&[&url]);
    for sent in 1..=3 {
        assert_eq!(open.apply(&scale(&url)).await, Ok(Applied::Done));
        assert_eq!(*connections.lock().unwrap(), sent);
    }

    // Nobody accepts here, and the queue of connections is full: the next one hangs.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let full = socket.listen(1).unwrap();
    let address = full.local_addr().unwrap();
    let mut held = vec![];
    let connect =
        || tokio::time::timeout(Duration::from_millis(300), tokio::net::TcpStream::connect(address));
    while let Ok(stream) = connect().await {
        held.push(stream.unwrap());
    }
    let url = format!("http://{address}");
    let began = std::time::Instant::now();
    let applied = engine(&[&url]).apply(&scale(&url)).await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let Err(EngineError::Unreachable { reason, .. }) = applied else { panic!("{applied:?}") };
    assert_eq!(reason, "no connection in time");
}

#[tokio::test]
async fn a_lost_stream_comes_back_and_says_so() {
    let stub = Stub::default();
    stub.answer("GET /v2/events", 200, "event: status_update_event\ndata: {\"appId\": \"/a.b.c.d\"}\n\n");
    let url = stub.start().await;
    // The stub ends the stream after one event, so each later connection is a return.
    let changes: Vec<Change> =
        tokio::time::timeout(Duration::from_secs(20), engine(&[&url]).changes().take(3).collect())
            .await
            .unwrap();
    let app = Change::App(AppId::new("a.b.c.d"));
    assert_eq!(changes, [app.clone(), Change::Lost, app]);
}

#[tokio::test]
async fn task_logs_need_an_engine_that_keeps_them() {
    let stub = Stub::default();
    stub.answer("GET /paasta/tasks/t.1/log?stream=stdout&lines=2", 200, r#"{"lines": ["a", "b"]}"#).answer(
        "GET /paasta/tasks/t.2/log?stream=stdout&lines=2",
        404,
        r#"{"message": "no such task"}"#,
    );
    let url = stub.start().await;
    let engine = engine(&[&url]);
    let log = |id: &str| {
        let (engine, id) = (&engine, TaskId::new(id));
        async move { engine.task_log(&id, LogStream::Stdout, LogTail::last(2)).await }
    };
    assert_eq!(log("t.1").await.unwrap().lines, ["a", "b"]);
    assert!(matches!(log("t.2").await, Err(EngineError::NotFound { .. })));
    assert!(matches!(log("t.3").await, Err(EngineError::Unsupported(_))));
}

#[tokio::test]
async fn requests_are_tallied_by_method_and_by_how_they_ended() {
    let list = "GET /v2/apps?embed=app.tasks";
    let stub = Stub::default();
    let url = stub.start().await;
    let engine = engine(&[&url]);
    for (status, body) in [(200, r#"{"apps": []}"#), (503, ""), (404, "{}"), (500, "")] {
        stub.answers.lock().unwrap().clear();
        stub.answer(list, status, body);
        engine.observe_all().await;
    }
    let seen: Vec<_> = engine.request_tallies().each().filter(|(_, _, count)| *count > 0).collect();
    let expected = ["ok", "busy", "refused", "failed"].map(|outcome| ("get", outcome, 1));
    assert_eq!(seen, expected);

    let dead = dead_url().await;
    let engine = self::engine(&[&dead]);
    let delete = Action::Delete { home: HomeId::new(&dead), app: AppId::new("/a.b.c.d") };
    assert!(engine.apply(&delete).await.is_err());
    let tallies = engine.request_tallies();
    let unanswered = tallies.each().filter(|(_, outcome, _)| *outcome == "unanswered");
    assert_eq!(
        unanswered.map(|(_, _, count)| count).sum::<u64>(),
        engine.requests().get + engine.requests().writes()
    );
}
