//! Against a real HAProxy: its page over HTTP and its socket are the source.

mod server;

use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use paasta_core::{
    AppId, Discovery, DiscoveryQuestion, Health, Reading, Registration, Task, TaskId, TaskPhase,
};
use paasta_smartstack::{
    Agent, Asker, BackendState, Backends, Haproxy, LoadBalancers, Patience, Provider, ProviderError,
    ReplicationQuestion, Run, read_table,
};
use server::{PATIENCE, Server, free_port};

const FORMAT: &str = "http://{host:s}:{port:d}/;csv;norefresh;scope={scope:s}";
const HOST: &str = "127.0.0.1";

/// A HAProxy with `web.main`, whose servers are up, down, under maintenance, draining and not checked, and
/// `web.mainly`, whose name holds the other's.
struct Scene {
    server: Server,
    /// Whoever connects is let in, which is a good check.
    _listeners: Vec<TcpListener>,
    /// In the order of the states.
    ports: Vec<u16>,
}

/// The names of the servers, with the place of their address.
const NAMES: [&str; 5] = ["up_host_@", "@_down_host", "maint_@", "@_drain", "unchecked_@"];

fn scene() -> Option<Scene> {
    let listeners: Vec<_> =
        [0; 5].iter().map(|_| TcpListener::bind((HOST, free_port())).expect("free")).collect();
    let ports: Vec<u16> = listeners.iter().map(|one| one.local_addr().expect("bound").port()).collect();
    let servers: String = NAMES
        .iter()
        .zip(&ports)
        .map(|(name, port)| {
            let check = if name.starts_with("unchecked") { "" } else { "check inter 50ms fall 1 rise 1" };
            format!("  server {} {HOST}:{port} {check}\n", name.replace('@', &format!("{HOST}:{port}")))
        })
        .collect();
    let proxies = format!(
        "listen web.main\n  bind {HOST}:{}\n{servers}listen web.mainly\n  bind {HOST}:{}\n  server other_{HOST}:{1} {HOST}:{1}\n",
        free_port(),
        free_port(),
    );
    let server = Server::start(&proxies)?;
    let mut listeners = listeners;
    drop(listeners.remove(1));
    let name = |at: usize| format!("web.main/{}", NAMES[at].replace('@', &format!("{HOST}:{}", ports[at])));
    server.say(&format!("set server {} state maint", name(2)))?;
    server.say(&format!("set server {} state drain", name(3)))?;
    Some(Scene { server, _listeners: listeners, ports })
}

impl Scene {
    fn haproxy(&self) -> Arc<Haproxy> {
        haproxy(self.server.port, Patience::default())
    }

    /// Waits for these states, read from the socket.
    fn settle(&self, want: &[BackendState]) -> Backends {
        let begin = Instant::now();
        loop {
            let backends = read_table(self.server.table().as_bytes()).expect("a table");
            if states(&backends) == want {
                return backends;
            }
            assert!(begin.elapsed() < PATIENCE, "{:?}", states(&backends));
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn haproxy(port: u16, patience: Patience) -> Arc<Haproxy> {
    let asker = Asker { program: "test", version: "1" };
    Arc::new(Haproxy::new(FORMAT, port, asker, patience).expect("a client"))
}

fn states(backends: &Backends) -> Vec<BackendState> {
    backends.of("web.main").iter().map(|backend| backend.state).collect()
}

fn registration(text: &str) -> Registration {
    Registration::new(text).expect("a registration")
}

const STATES: [BackendState; 5] = [
    BackendState::Up,
    BackendState::Down,
    BackendState::Maintenance,
    BackendState::Draining,
    BackendState::Other,
];

#[tokio::test]
async fn its_page_and_its_socket_tell_the_same_of_every_state() {
    let Some(scene) = scene() else { return };
    let by_socket = scene.settle(&STATES);
    let by_page = scene.haproxy().backends(HOST, None).await.unwrap();
    let told = |backends: &Backends| -> Vec<_> {
        let line = |backend: &paasta_smartstack::Backend| {
            format!("{} {:?} {:?} {}", backend.registration, backend.host, backend.address, backend.status)
        };
        backends.iter().map(line).collect()
    };
    assert_eq!(told(&by_page), told(&by_socket));
    assert_eq!(by_page.all_up(), [("web.main", 1)].into());
    for ((backend, port), host) in by_page.of("web.main").iter().zip(&scene.ports).zip([
        "up_host",
        "down_host",
        "maint",
        "drain",
        "unchecked",
    ]) {
        let address = (IpAddr::V4(Ipv4Addr::LOCALHOST), *port).into();
        assert_eq!((backend.address, backend.host.as_deref()), (Some(address), Some(host)));
    }
    let [up, down, ..] = by_page.of("web.main") else { panic!("{by_page:?}") };
    assert_eq!((up.check_status.as_str(), down.check_status.as_str()), ("L4OK", "L4CON"));
    assert!(up.check_duration_ms.is_some() && up.last_change_seconds.is_some(), "{up:?}");
    let answer = scene.haproxy().backends(HOST, Some(&registration("web.main"))).await.unwrap();
    assert_eq!(states(&answer), STATES, "its scope also shows `web.mainly`, which is another");
    let answer = scene.haproxy().backends(HOST, Some(&registration("web.mainly"))).await.unwrap();
    assert!(answer.of("web.main").is_empty() && answer.of("web.mainly").len() == 1);
}

fn task(host: &str, port: u16) -> Task {
    Task {
        id: TaskId::new(port.to_string()),
        app: AppId::new("web.main.g.c"),
        host: host.to_owned(),
        ports: vec![port],
        phase: TaskPhase::Running,
        staged_at: None,
        started_at: None,
        health: Health::Alive,
    }
}

async fn seen(haproxy: Arc<Haproxy>, tasks: &[Task], min_fraction_up: f64) -> Vec<Reading<bool>> {
    let tasks: Vec<&Task> = tasks.iter().collect();
    let registration = registration("web.main");
    let question = DiscoveryQuestion { registration: &registration, tasks: &tasks, min_fraction_up };
    let mut seen = LoadBalancers::new(haproxy, Arc::new(|| 1)).seen(&question).await;
    tasks.iter().filter_map(|task| seen.remove(&task.id)).collect()
}

#[tokio::test]
async fn it_says_which_tasks_get_traffic_and_hears_of_changes() {
    let Some(scene) = scene() else { return };
    scene.settle(&STATES);
    let tasks: Vec<Task> = scene.ports.iter().map(|port| task(HOST, *port)).collect();
    let up = |seen: Vec<Reading<bool>>| seen.iter().map(|one| one.known().copied()).collect::<Vec<_>>();
    let (yes, no) = (Some(true), Some(false));
    assert_eq!(up(seen(scene.haproxy(), &tasks, 1.0).await), [yes, no, no, no, no]);
    // Without anybody to let it in it is down; ready again, the others are up.
    for (at, name) in [(2, "maint_@"), (3, "@_drain")] {
        let name = name.replace('@', &format!("{HOST}:{}", scene.ports[at]));
        scene.server.say(&format!("set server web.main/{name} state ready"));
    }
    scene.settle(&[
        BackendState::Up,
        BackendState::Down,
        BackendState::Up,
        BackendState::Up,
        BackendState::Other,
    ]);
    assert_eq!(up(seen(scene.haproxy(), &tasks, 1.0).await), [yes, no, yes, yes, no]);
    // A second host, where no HAProxy listens, may see none of it.
    let elsewhere = task("127.0.0.2", scene.ports[0]);
    let both = [tasks[0].clone(), elsewhere];
    let open = seen(scene.haproxy(), &both[..], 1.0).await;
    let reason = open[0].unknown().unwrap_or_default();
    assert!(
        reason.starts_with("1 of 2 load balancers gave no answer: could not reach http://127.0.0.2"),
        "{open:?}"
    );
    assert_eq!(up(seen(scene.haproxy(), &both[..1], 0.5).await), [yes]);
}

#[tokio::test]
async fn copies_per_location_come_from_one_question_to_each() {
    let Some(scene) = scene() else { return };
    scene.settle(&STATES);
    let agent = |host: &str, region: &str| Agent {
        host: host.to_owned(),
        attributes: [("region".to_owned(), region.to_owned())].into(),
    };
    let agents = [agent(HOST, "here"), agent("127.0.0.2", "there")];
    let run = Run::new(scene.haproxy(), Duration::from_secs(30));
    let question = ReplicationQuestion { registration: "web.main", discover: "region", pool: "default" };
    let counts = run.replication(&agents, &question).await;
    assert_eq!(counts["here"], Reading::Known(1));
    assert!(counts["there"].unknown().is_some_and(|reason| reason.contains("could not reach")), "{counts:?}");
}

#[tokio::test]
async fn answers_that_are_none_say_why() {
    let answer = |head: &'static str, body: &'static str| async move {
        let listener = tokio::net::TcpListener::bind((HOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serve = tokio::spawn(async move {
            use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(format!("HTTP/1.1 {head}\r\n\r\n{body}").as_bytes()).await;
        });
        let patience = Patience { answer_bytes_max: 60, ..Patience::default() };
        let error = haproxy(port, patience).backends(HOST, None).await.unwrap_err();
        serve.abort();
        error
    };
    let error = answer("401 Unauthorized", "").await;
    assert!(matches!(error, ProviderError::Refused { status: 401, .. }), "{error}");
    let error = answer("200 OK\r\nconnection: close", "<html>").await;
    assert!(matches!(error, ProviderError::Table { .. }), "{error}");
    let error =
        answer("200 OK\r\nconnection: close", "# pxname,svname,status,\nweb.main,h_10.0.0.1:1,U").await;
    assert!(paasta_core::chain(&error).contains("line 2 ends after 3 of 4 columns"), "{error}");
    let long = "# pxname,svname,status,\nweb.main,h_10.0.0.1:1,UP,\nweb.main,h_10.0.0.1:1,UP,\n";
    let error = answer("200 OK\r\nconnection: close", long).await;
    assert!(matches!(error, ProviderError::TooLong { bytes_max: 60, .. }), "{error}");
    let error = answer("200 OK\r\ncontent-length: 50", "# pxname").await;
    assert!(matches!(error, ProviderError::Broken { .. }), "{error}");
}

#[tokio::test]
async fn one_that_never_answers_is_waited_for_a_second() {
    let listener = TcpListener::bind((HOST, 0)).unwrap();
    let begin = Instant::now();
    let port = listener.local_addr().unwrap().port();
    let error = haproxy(port, Patience::default()).backends(HOST, None).await.unwrap_err();
    assert!(matches!(error, ProviderError::Unreachable { .. }), "{error}");
    assert!((1.0..8.0).contains(&begin.elapsed().as_secs_f64()), "{:?}", begin.elapsed());
}
