//! The exchanges of marathon-and-bounce.md §7, over loopback sockets.

#![expect(clippy::unwrap_used, reason = "the helpers of a test are a test")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::Redirect;
use axum::routing::get;
use paasta_core::{Clock, Timestamp};
use paasta_hacheck::{Builder, Hacheck};
use tokio::net::TcpListener;

/// A clock that tests turn.
#[derive(Default)]
struct TestClock(AtomicI64);

impl TestClock {
    fn set(&self, seconds: f64) {
        self.0.store(Timestamp::from_seconds(seconds).millis(), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

struct Fixture {
    address: SocketAddr,
    hacheck: Hacheck,
    clock: Arc<TestClock>,
    directory: tempfile::TempDir,
}

async fn start(configure: impl FnOnce(Builder) -> Builder) -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(TestClock::default());
    clock.set(1000.0);
    let builder = Hacheck::builder(directory.path().join("spool")).clock(clock.clone());
    let hacheck = configure(builder).build().unwrap();
    let address = serve(hacheck.router()).await;
    Fixture { address, hacheck, clock, directory }
}

async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

impl Fixture {
    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn get(&self, path: &str) -> (u16, String) {
        self.get_with(path, &[]).await
    }

    async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
        let mut request = plain_client().get(self.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> (u16, String) {
        let answer = plain_client().post(self.url(path)).form(form).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

/// A client without TLS trust of its own: nothing here is asked over TLS but through the server.
fn plain_client() -> reqwest::Client {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build().unwrap()
}

const STATUS: &str = "/spool/my_svc.main/31337/status";

#[tokio::test]
async fn a_drain_goes_down_and_up_again() {
    let hacheck = start(|builder| builder.allow_remote_spool_changes(true)).await;
    assert_eq!(hacheck.get(STATUS).await.0, 200);

    let down = [("status", "down"), ("expiration", "1600.25"), ("reason", "Drained by Paasta")];
    assert_eq!(hacheck.post(STATUS, &down).await, (200, String::new()));
    let text =
        "Service my_svc.main in down state since 1000.000000 until 1600.250000: Drained by Paasta".to_owned();
    assert_eq!(hacheck.get(STATUS).await, (503, text));
    assert_eq!(hacheck.get("/spool/my_svc.main/31338/status").await.0, 200, "another port is not concerned");

    hacheck.clock.set(1300.0);
    hacheck
        .post(STATUS, &[("status", "down"), ("expiration", "1900"), ("reason", "Drained by Paasta")])
        .await;
    let (_, text) = hacheck.get(STATUS).await;
    assert!(text.contains("since 1000.000000 until 1900.000000"), "{text}");

    hacheck.clock.set(1900.001);
    assert_eq!(hacheck.get(STATUS).await.0, 200, "the drain has ended by itself");

    hacheck.post(STATUS, &down).await;
    assert_eq!(hacheck.post(STATUS, &[("status", "up")]).await, (200, String::new()));
    assert_eq!(hacheck.post(STATUS, &[("status", "up")]).await, (200, String::new()));
    assert_eq!(hacheck.get(STATUS).await.0, 200);
}

#[tokio::test]
async fn orders_may_stand_in_the_query_and_must_be_whole() {
    let hacheck = start(|builder| builder.allow_remote_spool_changes(true)).await;
    let whole = format!("{STATUS}?status=down&reason=by+hand&creation=5.5");
    assert_eq!(hacheck.post(&whole, &[]).await.0, 200);
    assert_eq!(hacheck.get(STATUS).await.1, "Service my_svc.main in down state since 5.500000: by hand");
    for bad in [
        &[][..],
        &[("status", "down")],
        &[("status", "sideways"), ("reason", "r")],
        &[("status", "down"), ("reason", "r"), ("expiration", "soon")],
        &[("status", "down"), ("reason", "r"), ("expiration", "nan")],
    ] {
        assert_eq!(hacheck.post(STATUS, bad).await.0, 400, "{bad:?}");
    }
    assert_eq!(hacheck.post("/http/my_svc.main/80/status", &[("status", "up")]).await.0, 405);
}

#[tokio::test]
async fn orders_are_refused_unless_allowed() {
    let hacheck = start(|builder| builder).await;
    assert_eq!(hacheck.post(STATUS, &[("status", "down"), ("reason", "r")]).await.0, 403);
    assert_eq!(hacheck.get(STATUS).await.0, 200);
}

#[tokio::test]
async fn names_stay_in_the_spool() {
    let hacheck = start(|builder| builder.allow_remote_spool_changes(true)).await;
    let down = [("status", "down"), ("reason", "r")];
    for path in
        ["/spool/%2e%2e/80/status", "/spool/a%2fb/80/status", "/spool/a/b/status", "/spool//80/status"]
    {
        assert_eq!(hacheck.post(path, &down).await.0, 404, "{path}");
    }
    let beside: Vec<_> = std::fs::read_dir(hacheck.directory.path()).unwrap().collect();
    assert_eq!(beside.len(), 1, "nothing but the spool: {beside:?}");
    assert!(hacheck.hacheck.spool().entries().unwrap().is_empty());
}

#[tokio::test]
async fn the_spool_survives_a_restart() {
    let first = start(|builder| builder.allow_remote_spool_changes(true)).await;
    first.post(STATUS, &[("status", "down"), ("reason", "r")]).await;
    let again = Hacheck::builder(first.directory.path().join("spool")).build().unwrap();
    let second = Fixture { address: serve(again.router()).await, hacheck: again, ..first };
    assert_eq!(second.get(STATUS).await.0, 503);
}

#[tokio::test]
async fn a_service_is_checked_for_real_and_the_spool_comes_first() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let answer = move |headers: HeaderMap| {
        counter.fetch_add(1, Ordering::SeqCst);
        let seen = headers.get("x-copied").and_then(|value| value.to_str().ok()).unwrap_or("-").to_owned();
        async move { format!("fine {seen}") }
    };
    let service = Router::new()
        .route("/ok", get(answer))
        .route("/sick", get(|| async { (StatusCode::IM_A_TEAPOT, "tea") }))
        .route("/moved", get(|| async { Redirect::temporary("/ok") }));
    let port = serve(service).await.port();
    let copied = HeaderName::from_static("x-copied");
    let hacheck =
        start(|builder| builder.allow_remote_spool_changes(true).http_headers_to_copy([copied])).await;

    let ok = format!("/http/web.main/{port}/ok");
    assert_eq!(hacheck.get(&ok).await, (200, "fine -".to_owned()));
    assert_eq!(hacheck.get_with(&ok, &[("X-Copied", "yes")]).await, (200, "fine yes".to_owned()));
    assert_eq!(hacheck.get(&format!("/http/web.main/{port}/sick")).await, (418, "tea".to_owned()));
    assert_eq!(hacheck.get(&format!("/http/web.main/{port}/moved")).await.0, 307);
    assert_eq!(hacheck.get(&format!("/tcp/web.main/{port}/")).await.0, 200);

    let before = asked.load(Ordering::SeqCst);
    hacheck.get(&ok).await;
    assert_eq!(asked.load(Ordering::SeqCst), before, "the result was kept");
    hacheck.get_with(&ok, &[("Pragma", "no-cache")]).await;
    assert_eq!(asked.load(Ordering::SeqCst), before + 1);
    hacheck.clock.set(1001.0);
    hacheck.get(&ok).await;
    assert_eq!(asked.load(Ordering::SeqCst), before + 2, "the result has aged");

    let state = format!("UP 1/1; name=b/s; port={port}; scur=1");
    let elsewhere = hacheck.get_with("/http/web.main/1/ok", &[("X-Haproxy-Server-State", &state)]).await;
    assert_eq!(elsewhere.0, 200, "HAProxy's port counts: {elsewhere:?}");

    hacheck.post(&format!("/spool/web.main/{port}/status"), &[("status", "down"), ("reason", "r")]).await;
    let (code, text) = hacheck.get(&ok).await;
    assert_eq!((code, text.as_str()), (503, "Service web.main in down state since 1001.000000: r"));
}

/// Whoever asks cannot make hacheck a way to other machines.
#[tokio::test]
async fn checks_go_to_this_machine_only() {
    let port = serve(Router::new().route("/ok", get(|| async { "fine" }))).await.port();
    let hacheck = start(|builder| builder.cache_time(Duration::ZERO)).await;
    let path = format!("/http/web.main/{port}/ok");
    let state = format!("UP 1/1; name=b/s; address=192.0.2.1; port={port}; scur=1");
    for header in [("X-Nerve-Check-IP", "192.0.2.1"), ("X-Haproxy-Server-State", state.as_str())] {
        assert_eq!(hacheck.get_with(&path, &[header]).await.0, 200, "{header:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_checked_is_not_up() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let hacheck = start(|builder| builder.cache_time(Duration::ZERO)).await;
    for (path, code) in [
        (format!("/http/web.main/{free}/ok"), 503),
        (format!("/https/web.main/{free}/ok"), 503),
        (format!("/tcp/web.main/{free}/"), 503),
        ("/mysql/db/3306/x".to_owned(), 501),
        ("/smtp/mail/25/x".to_owned(), 501),
        ("/ftp/x/21/x".to_owned(), 404),
    ] {
        assert_eq!(hacheck.get(&path).await.0, code, "{path}");
    }
}

/// Answers one request over TLS with a certificate that nobody has signed and that names nobody here.
fn serve_tls_once() -> u16 {
    use std::io::{Read, Write};
    let certificate = include_bytes!("data/self-signed.cert.der").to_vec().into();
    let key = include_bytes!("data/self-signed.key.der").to_vec().try_into().unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let connection = rustls::ServerConnection::new(Arc::new(config)).unwrap();
        let mut tls = rustls::StreamOwned::new(connection, stream);
        assert!(tls.read(&mut [0; 4096]).unwrap() > 0);
        tls.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\nsecure").unwrap();
        tls.conn.send_close_notify();
        tls.flush().unwrap();
    });
    port
}

#[tokio::test]
async fn an_https_service_may_have_any_certificate() {
    let port = serve_tls_once();
    let hacheck = start(|builder| builder).await;
    assert_eq!(hacheck.get(&format!("/https/web.main/{port}/status")).await, (200, "secure".to_owned()));
}

#[tokio::test]
async fn it_tells_about_itself() {
    let hacheck = start(|builder| builder.allow_remote_spool_changes(true)).await;
    hacheck.post(STATUS, &[("status", "down"), ("reason", "r")]).await;
    hacheck.get(STATUS).await;
    let (code, count) = hacheck.get("/status/count").await;
    assert_eq!(
        (code, count.as_str()),
        (200, r#"{"spool_reads":1,"spool_changes":1,"checks":0,"checks_run":0}"#)
    );
    let (code, status) = hacheck.get("/status").await;
    assert!(code == 200 && status.contains(r#""my_svc.main:31337":{"reason":"r""#), "{status}");
    let (code, recent) = hacheck.get("/recent").await;
    assert!(code == 200 && recent.contains(r#""service":"my_svc.main""#), "{recent}");
    assert_eq!(hacheck.hacheck.counts().spool_reads, 1);
}

#[tokio::test]
async fn it_stops_when_told_though_clients_stay_connected() {
    let directory = tempfile::tempdir().unwrap();
    let hacheck = Hacheck::builder(directory.path()).build().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}{STATUS}", listener.local_addr().unwrap());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(hacheck.serve_until(listener, async move { drop(stopped.await) }));
    let client = plain_client();
    assert_eq!(client.get(&url).send().await.unwrap().status().as_u16(), 200);
    stop.send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(30), serving).await.unwrap().unwrap().unwrap();
    assert!(client.get(&url).send().await.is_err());
}
