//! Clients that know what became of each request.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// A request that is not answered after this long has failed.
const PATIENCE: Duration = Duration::from_secs(10);
/// One request in this many takes two seconds.
const SLOW_ONE_IN: u64 = 100;
const SLOW_MILLISECONDS: u64 = 2_000;
const MILLISECONDS_MAX: u64 = 200;

/// One request that failed.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    /// When it was begun.
    pub(super) begun: Instant,
    /// When it was known to have failed.
    pub(super) ended: Instant,
    /// What happened.
    pub(super) what: String,
}

/// Running clients; they stop when they are dropped.
pub(super) struct Load {
    shared: Arc<Shared>,
    begun: Instant,
    clients: JoinSet<()>,
}

struct Shared {
    address: SocketAddr,
    stop: AtomicBool,
    answered: AtomicU64,
    slow: AtomicU64,
    under_way: AtomicU64,
    failures: Mutex<Vec<Failure>>,
}

/// How many requests there were at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) answered: u64,
    pub(super) slow: u64,
    pub(super) failed: usize,
}

impl Load {
    /// Starts `clients` of them, of which every other keeps its connection, all asking as soon as they are answered.
    pub(super) fn start(address: SocketAddr, clients: u64) -> Self {
        let shared = Arc::new(Shared {
            address,
            stop: AtomicBool::new(false),
            answered: AtomicU64::new(0),
            slow: AtomicU64::new(0),
            under_way: AtomicU64::new(0),
            failures: Mutex::new(Vec::new()),
        });
        let mut set = JoinSet::new();
        for index in 0..clients {
            set.spawn(ask_on(Arc::clone(&shared), index));
        }
        Self { shared, begun: Instant::now(), clients: set }
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            answered: self.shared.answered.load(Ordering::SeqCst),
            slow: self.shared.slow.load(Ordering::SeqCst),
            failed: self.failures().len(),
        }
    }

    /// How many are under way right now.
    pub(super) fn under_way(&self) -> u64 {
        self.shared.under_way.load(Ordering::SeqCst)
    }

    pub(super) fn failures(&self) -> Vec<Failure> {
        self.shared.failures.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Answers per second since the start.
    pub(super) fn rate(&self) -> f64 {
        self.counts().answered as f64 / self.begun.elapsed().as_secs_f64()
    }

    /// Lets every request end, and no more begin.
    pub(super) async fn stop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        while self.clients.join_next().await.is_some() {}
    }
}

async fn ask_on(shared: Arc<Shared>, index: u64) {
    let keeps = index.is_multiple_of(2);
    let mut random = index.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut kept = None;
    while !shared.stop.load(Ordering::SeqCst) {
        // xorshift: which request takes how long need not be secret.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let is_slow = random.is_multiple_of(SLOW_ONE_IN);
        let milliseconds = if is_slow { SLOW_MILLISECONDS } else { (random >> 16) % (MILLISECONDS_MAX + 1) };
        let begun = Instant::now();
        shared.under_way.fetch_add(1, Ordering::SeqCst);
        let asked = ask(shared.address, kept.take(), milliseconds, keeps);
        let asked = tokio::time::timeout(PATIENCE, asked).await;
        shared.under_way.fetch_sub(1, Ordering::SeqCst);
        match asked.unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs()))) {
            Ok(connection) => {
                kept = connection;
                shared.answered.fetch_add(1, Ordering::SeqCst);
                if is_slow {
                    shared.slow.fetch_add(1, Ordering::SeqCst);
                }
            }
            Err(what) => {
                let failure = Failure { begun, ended: Instant::now(), what };
                shared.failures.lock().unwrap_or_else(PoisonError::into_inner).push(failure);
                // Whoever is refused asks again soon, but not at once.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

type Connection = BufReader<TcpStream>;

/// One request; the connection comes back if both sides keep it.
async fn ask(
    address: SocketAddr,
    kept: Option<Connection>,
    milliseconds: u64,
    keeps: bool,
) -> Result<Option<Connection>, String> {
    let is_kept = kept.is_some();
    let mut stream = match kept {
        Some(stream) => stream,
        None => {
            let connected = TcpStream::connect(address).await;
            BufReader::new(connected.map_err(|error| format!("could not connect: {error}"))?)
        }
    };
    let wish = if keeps { "keep-alive" } else { "close" };
    let request = format!("GET /sleep/{milliseconds} HTTP/1.1\r\nHost: hello\r\nConnection: {wish}\r\n\r\n");
    let on = if is_kept { " on a kept connection" } else { "" };
    let sent = stream.get_mut().write_all(request.as_bytes()).await;
    sent.map_err(|error| format!("could not send{on}: {error}"))?;
    let mut line = String::new();
    let read = stream.read_line(&mut line).await.map_err(|error| format!("no answer{on}: {error}"))?;
    if read == 0 {
        return Err(format!("hung up on without an answer{on}"));
    }
    let status: u16 = line.split(' ').nth(1).and_then(|text| text.parse().ok()).ok_or("no HTTP")?;
    let (mut length, mut closes) = (0, !keeps);
    loop {
        line.clear();
        let read =
            stream.read_line(&mut line).await.map_err(|error| format!("cut off in a head: {error}"))?;
        if read == 0 {
            return Err("cut off in a head".to_owned());
        }
        let lower = line.trim().to_ascii_lowercase();
        if lower.is_empty() {
            break;
        }
        match lower.split_once(':') {
            Some(("content-length", value)) => length = value.trim().parse().map_err(|_| "a bad length")?,
            Some(("connection", value)) => closes |= value.trim() == "close",
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.map_err(|error| format!("cut off in a body: {error}"))?;
    match status {
        200 if closes => Ok(None),
        200 => Ok(Some(stream)),
        status => Err(format!("status {status}")),
    }
}
