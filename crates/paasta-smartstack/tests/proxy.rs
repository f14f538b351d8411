//! A real HAProxy, brought from state to state while clients ask it.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use paasta_hacheck::Hacheck;
use paasta_smartstack::proxy::{
    HaProxy, Listener, Place, ProxyError, Server, Step, Wanted, find_haproxy, steps,
};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// Longest wait for anything that must come.
const PATIENCE: Duration = Duration::from_secs(20);

#[expect(clippy::disallowed_methods, reason = "whoever runs the tests says what must be there")]
fn haproxy() -> Option<PathBuf> {
    let found = find_haproxy(std::env::var_os("PATH").as_deref());
    if found.is_none() {
        assert!(std::env::var_os("PAASTA_REQUIRE_COMPONENTS").is_none(), "haproxy is not installed");
        eprintln!("skipped: haproxy is not installed");
    }
    found
}

async fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

async fn until(what: &str, mut there: impl AsyncFnMut() -> bool) {
    let begin = Instant::now();
    while !there().await {
        assert!(begin.elapsed() < PATIENCE, "waited too long for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A service that answers every request with its name, and `/slow` after half a second.
struct Service {
    name: &'static str,
    address: SocketAddr,
    served: Arc<AtomicUsize>,
}

impl Service {
    async fn start(name: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&served);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let count = Arc::clone(&count);
                tokio::spawn(async move { serve(stream, name, &count).await });
            }
        });
        Self { name, address, served }
    }

    fn server(&self) -> Server {
        Server { host: self.name.to_owned(), address: self.address }
    }

    fn served(&self) -> usize {
        self.served.load(Ordering::SeqCst)
    }
}

async fn serve(stream: TcpStream, name: &str, count: &AtomicUsize) {
    let (reading, mut writing) = stream.into_split();
    let mut lines = BufReader::new(reading).lines();
    while let Ok(Some(first)) = lines.next_line().await {
        while let Ok(Some(line)) = lines.next_line().await {
            if line.is_empty() {
                break;
            }
        }
        if first.contains("/slow") {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        if !first.contains("/status") {
            count.fetch_add(1, Ordering::SeqCst);
        }
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{name}", name.len());
        if writing.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// A connection that is kept.
struct Client(BufReader<TcpStream>);

impl Client {
    async fn connect(port: u16) -> std::io::Result<Self> {
        Ok(Self(BufReader::new(TcpStream::connect(("127.0.0.1", port)).await?)))
    }

    /// Status and body.
    async fn ask(&mut self, path: &str) -> std::io::Result<(u16, String)> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
        self.0.get_mut().write_all(request.as_bytes()).await?;
        let closed = || std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
        let mut line = String::new();
        self.0.read_line(&mut line).await?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(closed)?;
        let mut length = 0;
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).await? == 0 {
                return Err(closed());
            }
            if line.trim().is_empty() {
                break;
            }
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await?;
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }
}

async fn ask(port: u16, path: &str) -> Result<String, String> {
    let mut client = Client::connect(port).await.map_err(|error| error.to_string())?;
    match client.ask(path).await {
        Ok((200, body)) => Ok(body),
        Ok((status, body)) => Err(format!("status {status}: {body}")),
        Err(error) => Err(error.to_string()),
    }
}

struct World {
    _folder: tempfile::TempDir,
    place: Place,
    port: u16,
    hacheck: SocketAddr,
    wanted: Wanted,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let hacheck = listener.local_addr().unwrap();
        let server =
            Hacheck::builder(folder.path().join("spool")).allow_remote_spool_changes(true).build().unwrap();
        tokio::spawn(async move { server.serve_until(listener, std::future::pending()).await });
        let place = Place {
            listen: [127, 0, 0, 1].into(),
            hacheck,
            stats: ([127, 0, 0, 1], free_port().await).into(),
            folder: folder.path().join("haproxy"),
        };
        let port = free_port().await;
        let mut wanted = Wanted::default();
        let listener = Listener { port, server_ms: 10_000, client_ms: 10_000, ..Listener::default() };
        wanted.listeners.insert("web.main".to_owned(), listener);
        Self { _folder: folder, place, port, hacheck, wanted }
    }

    fn serve_by(&mut self, services: &[&Service]) {
        let servers = services.iter().map(|service| service.server()).collect();
        self.wanted.servers.insert("web.main".to_owned(), servers);
    }

    async fn spool(&self, service: &Service, status: &str) {
        let body = format!("status={status}&expiration=9999999999&reason=test");
        let request = format!(
            "POST /spool/web.main/{}/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: \
             application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            service.address.port(),
            body.len()
        );
        let mut stream = TcpStream::connect(self.hacheck).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    async fn status_of(&self, service: &Service) -> Option<String> {
        let mut client = Client::connect(self.place.stats.port()).await.ok()?;
        let request = "GET /;csv;norefresh HTTP/1.0\r\n\r\n";
        client.0.get_mut().write_all(request.as_bytes()).await.ok()?;
        let mut text = String::new();
        client.0.read_to_string(&mut text).await.ok()?;
        let begin = format!("web.main,{},", service.server().name());
        let row = text.lines().find(|line| line.starts_with(&begin))?;
        row.split(',').nth(17).map(str::to_owned)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_join_and_leave_and_nobody_loses_a_request() {
    let Some(program) = haproxy() else { return };
    let mut world = World::new().await;
    let (one, two) = (Service::start("one").await, Service::start("two").await);
    world.serve_by(&[&one]);
    let mut proxy = HaProxy::start(&program, world.place.clone(), &world.wanted).await.unwrap();
    until("one to serve", async || ask(world.port, "/").await == Ok("one".to_owned())).await;

    let stop = Arc::new(AtomicBool::new(false));
    let port = world.port;
    let clients: Vec<_> = (0..4)
        .map(|index| {
            let stop = Arc::clone(&stop);
            tokio::spawn(async move {
                let mut client = Client::connect(port).await.map_err(|error| error.to_string())?;
                let mut asked = 0;
                while !stop.load(Ordering::SeqCst) {
                    let path = if asked % 7 == 6 { "/slow" } else { "/" };
                    let (status, body) = client.ask(path).await.map_err(|error| error.to_string())?;
                    if status != 200 {
                        return Err(format!("client {index}: {status} {body}"));
                    }
                    asked += 1;
                }
                Ok::<usize, String>(asked)
            })
        })
        .collect();

    world.serve_by(&[&one, &two]);
    let changed = proxy.bring(&world.wanted).await.unwrap();
    assert!(!changed.reloaded, "{changed:?}");
    assert_eq!(changed.servers, 1);
    until("two to serve", async || two.served() > 20).await;

    // As a drain does it: hacheck says no, HAProxy sees it, and only then the task goes.
    world.spool(&one, "down").await;
    until("one to be down", async || {
        world.status_of(&one).await.is_some_and(|status| status.starts_with("DOWN"))
    })
    .await;
    world.serve_by(&[&two]);
    proxy.bring(&world.wanted).await.unwrap();
    until("one to be forgotten", async || {
        proxy.bring(&world.wanted).await.unwrap();
        steps(&proxy.live().await.unwrap(), &world.wanted).is_empty()
    })
    .await;
    let before = one.served();
    let so_far = two.served();
    until("two to serve alone", async || two.served() > so_far + 20).await;
    assert_eq!(one.served(), before, "nothing reaches a server that is gone");
    // The name may come back.
    world.spool(&one, "up").await;
    world.serve_by(&[&one, &two]);
    proxy.bring(&world.wanted).await.unwrap();
    until("one to serve again", async || one.served() > before).await;
    stop.store(true, Ordering::SeqCst);
    for client in clients {
        assert!(client.await.unwrap().unwrap() > 0);
    }
    proxy.stop().await;
    assert!(ask(port, "/").await.is_err(), "it has ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_listener_closes_nobodys_connection() {
    let Some(program) = haproxy() else { return };
    let mut world = World::new().await;
    let (one, two) = (Service::start("one").await, Service::start("two").await);
    world.serve_by(&[&one, &two]);
    let mut proxy = HaProxy::start(&program, world.place.clone(), &world.wanted).await.unwrap();
    until("both to serve", async || {
        ask(world.port, "/").await.is_ok() && one.served() > 0 && two.served() > 0
    })
    .await;
    world.spool(&one, "down").await;
    until("one to be down", async || {
        world.status_of(&one).await.is_some_and(|status| status.starts_with("DOWN"))
    })
    .await;
    let served = one.served();
    let mut kept = Client::connect(world.port).await.unwrap();
    assert_eq!(kept.ask("/").await.unwrap(), (200, "two".to_owned()));
    let mut busy = Client::connect(world.port).await.unwrap();
    let slow = tokio::spawn(async move { busy.ask("/slow").await });

    let other = Listener { port: free_port().await, ..Listener::default() };
    world.wanted.listeners.insert("web.other".to_owned(), other.clone());
    world.wanted.servers.insert("web.other".to_owned(), [two.server()].into());
    let changed = proxy.bring(&world.wanted).await.unwrap();
    assert!(changed.reloaded, "{changed:?}");
    assert_eq!(kept.ask("/").await.unwrap(), (200, "two".to_owned()), "a kept connection goes on");
    assert_eq!(slow.await.unwrap().unwrap(), (200, "two".to_owned()), "what was under way ends in peace");
    until("the new one to answer", async || ask(other.port, "/").await == Ok("two".to_owned())).await;
    for _ in 0..10 {
        assert_eq!(ask(world.port, "/").await, Ok("two".to_owned()));
    }
    assert_eq!(one.served(), served, "who was down stays down in the process that takes over");
    assert_eq!(proxy.bring(&world.wanted).await.unwrap(), paasta_smartstack::proxy::Changed::default());
    proxy.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_ended_is_started_again_and_a_leftover_is_ended() {
    let Some(program) = haproxy() else { return };
    let mut world = World::new().await;
    let one = Service::start("one").await;
    world.serve_by(&[&one]);
    let mut proxy = HaProxy::start(&program, world.place.clone(), &world.wanted).await.unwrap();
    let master: i32 = std::fs::read_to_string(world.place.pid_file()).unwrap().trim().parse().unwrap();
    let pid = rustix::process::Pid::from_raw(master).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    until(
        "it to be started again",
        async || matches!(proxy.bring(&world.wanted).await, Ok(changed) if changed.restarted),
    )
    .await;
    until("one to serve", async || ask(world.port, "/").await == Ok("one".to_owned())).await;
    // Its owner is gone, and it goes on: so it is found by the next.
    std::mem::forget(proxy);
    let proxy = HaProxy::start(&program, world.place.clone(), &world.wanted).await.unwrap();
    until("one to serve", async || ask(world.port, "/").await == Ok("one".to_owned())).await;
    proxy.stop().await;
}

#[tokio::test]
async fn what_cannot_be_listened_on_is_said_and_what_runs_goes_on() {
    let Some(program) = haproxy() else { return };
    let mut world = World::new().await;
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken_port = taken.local_addr().unwrap().port();
    let one = Service::start("one").await;
    world.serve_by(&[&one]);
    let mut proxy = HaProxy::start(&program, world.place.clone(), &world.wanted).await.unwrap();
    let nonsense = Listener {
        port: free_port().await,
        check_headers: [("a b".to_owned(), "\u{1}".to_owned())].into(),
        ..Listener::default()
    };
    world.wanted.listeners.insert("bad name".to_owned(), nonsense);
    let error = proxy.bring(&world.wanted).await.unwrap_err();
    assert!(matches!(error, ProxyError::Configuration { .. }), "{error}");
    world.wanted.listeners.remove("bad name");
    proxy.bring(&world.wanted).await.unwrap();
    until("one to serve", async || ask(world.port, "/").await == Ok("one".to_owned())).await;
    proxy.stop().await;
    world
        .wanted
        .listeners
        .insert("web.taken".to_owned(), Listener { port: taken_port, ..Listener::default() });
    let error = HaProxy::start(&program, world.place.clone(), &world.wanted).await.unwrap_err();
    assert!(error.to_string().contains(&taken_port.to_string()), "{error}");
    let _ = Step::Return { registration: String::new(), name: String::new() };
}
