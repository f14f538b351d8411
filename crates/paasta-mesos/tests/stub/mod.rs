//! A server that plays back answers, or misbehaves.

#![allow(dead_code, reason = "each test takes what it needs")]

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use paasta_core::{Clock, PortError, Timestamp, ZkNodes};
use paasta_mesos::Patience;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Long enough for a busy machine.
pub(crate) const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(60),
    read: Duration::from_secs(60),
    answer: Duration::from_secs(60),
};
/// For masters that never answer.
pub(crate) const IMPATIENCE: Patience =
    Patience { read: Duration::from_millis(200), answer: Duration::from_millis(500), ..PATIENCE };

/// What a master does with a request.
#[derive(Clone)]
pub(crate) enum Manner {
    /// Sends these bytes and hangs up.
    Says(String),
    /// Sends one of these after the other.
    Scripted(Scripted),
    /// Sends pieces of files, by path and text, as agents do.
    Files(Vec<(String, String)>),
    /// Sends nothing.
    Silent,
    /// Sends a little, again and again.
    Trickles,
    /// Sends more than anybody wants.
    Endless,
}

/// Answers that are given one after the other, and none after the last.
#[derive(Clone)]
pub(crate) struct Scripted(Arc<Mutex<std::collections::VecDeque<String>>>);

impl Scripted {
    pub(crate) fn new(answers: Vec<String>) -> Self {
        Self(Arc::new(Mutex::new(answers.into())))
    }
}

/// A server that answers each path in a manner of its own.
pub(crate) struct Stub {
    pub(crate) address: String,
    asked: Arc<Mutex<Vec<String>>>,
    manners: Manners,
}

/// By how the path begins, the first that fits.
type Manners = Arc<Mutex<Vec<(String, Manner)>>>;

impl Stub {
    pub(crate) async fn start(manner: Manner) -> Self {
        Self::with_paths(&[("/", manner)]).await
    }

    pub(crate) async fn with_paths(manners: &[(&str, Manner)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let manners = manners.iter().map(|(path, manner)| ((*path).to_owned(), manner.clone())).collect();
        let (asked, manners) = (Arc::<Mutex<Vec<String>>>::default(), Arc::new(Mutex::new(manners)));
        let (seen, how) = (asked.clone(), manners.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, seen.clone(), how.clone()));
            }
        });
        Self { address, asked, manners }
    }

    pub(crate) async fn saying(status: &str, headers: &str, body: &str) -> Self {
        Self::start(Manner::Says(answer(status, headers, body))).await
    }

    pub(crate) fn becomes(&self, status: &str, headers: &str, body: &str) {
        *self.manners.lock().unwrap() = vec![("/".to_owned(), Manner::Says(answer(status, headers, body)))];
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

pub(crate) fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}connection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// Reads one request, head and body, and answers as told.
async fn serve(mut stream: TcpStream, seen: Arc<Mutex<Vec<String>>>, manners: Manners) {
    let (mut request, mut buffer) = (vec![], [0; 4096]);
    let path = loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.to_lowercase().lines().find_map(|line| {
                line.strip_prefix("content-length:").map(|n| n.trim().parse::<usize>().unwrap())
            });
            if body.len() >= length.unwrap_or(0) {
                let path = text.split(' ').nth(1).unwrap().to_owned();
                seen.lock().unwrap().push(text);
                break path;
            }
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(n) => request.extend_from_slice(&buffer[..n]),
        }
    };
    let missing = || Manner::Says(answer("404 Not Found", "", ""));
    let how = manners
        .lock()
        .unwrap()
        .iter()
        .find(|(begin, _)| path.starts_with(begin))
        .map(|(_, manner)| manner.clone());
    let how = how.unwrap_or_else(missing);
    let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    match how {
        Manner::Says(text) => drop(stream.write_all(text.as_bytes()).await),
        Manner::Scripted(Scripted(left)) => {
            let text = left.lock().unwrap().pop_front().unwrap_or_default();
            drop(stream.write_all(text.as_bytes()).await);
        }
        Manner::Files(files) => drop(stream.write_all(piece(&files, &path).as_bytes()).await),
        // Until the other side has had enough.
        Manner::Silent => drop(stream.read(&mut buffer).await),
        Manner::Trickles => {
            let mut pace = tokio::time::interval(Duration::from_millis(50));
            let mut sent = stream.write_all(head).await;
            while sent.is_ok() {
                pace.tick().await;
                sent = stream.write_all(b"1\r\n \r\n").await;
            }
        }
        Manner::Endless => {
            let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
            let mut sent = stream.write_all(head).await;
            while sent.is_ok() {
                sent = stream.write_all(chunk.as_bytes()).await;
            }
        }
    }
}

/// The piece of a file that is asked for by path, offset and length.
fn piece(files: &[(String, String)], request: &str) -> String {
    let url = reqwest::Url::parse(&format!("http://agent{request}")).unwrap();
    let value = |name: &str| url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
    let path = value("path");
    let Some((_, text)) = files.iter().find(|(name, _)| *name == path) else {
        return answer("404 Not Found", "", "");
    };
    let offset: i64 = value("offset").parse().unwrap();
    let length: usize = value("length").parse().unwrap();
    let (offset, data) = match usize::try_from(offset) {
        Err(_) => (text.len(), String::new()),
        Ok(offset) => {
            let end = text.len().min(offset + length);
            (offset, String::from_utf8_lossy(&text.as_bytes()[offset..end]).into_owned())
        }
    };
    answer("200 OK", "", &serde_json::json!({ "data": data, "offset": offset }).to_string())
}

/// A clock that is moved by hand.
#[derive(Default)]
pub(crate) struct Hand(AtomicI64);

impl Hand {
    pub(crate) fn forward(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1000, Ordering::Relaxed);
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// As somebody else's client of ZooKeeper would be.
pub(crate) struct Nodes(pub(crate) Vec<(&'static str, String)>);

#[async_trait]
impl ZkNodes for Nodes {
    async fn children(&self, hosts: &str, path: &str) -> Result<Vec<String>, PortError> {
        assert_eq!((hosts, path), ("zk1:2181,zk2:2181", "/mesos"));
        Ok(self.0.iter().map(|(name, _)| (*name).to_owned()).collect())
    }

    async fn data(&self, _hosts: &str, path: &str) -> Result<Option<Vec<u8>>, PortError> {
        let node = self.0.iter().find(|(name, _)| path == format!("/mesos/{name}"));
        Ok(node.map(|(_, data)| data.clone().into_bytes()))
    }
}

/// A ZooKeeper that is away.
pub(crate) struct NoZooKeeper;

#[async_trait]
impl ZkNodes for NoZooKeeper {
    async fn children(&self, hosts: &str, _path: &str) -> Result<Vec<String>, PortError> {
        Err(PortError { endpoint: hosts.to_owned(), reason: "nobody answers".to_owned() })
    }

    async fn data(&self, hosts: &str, path: &str) -> Result<Option<Vec<u8>>, PortError> {
        self.children(hosts, path).await.map(|_| None)
    }
}
