//! As much HTTP as a recorder and a watcher need: one request per connection.

use std::net::SocketAddr;

use anyhow::{Context, ensure};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A longer head or body is not taken.
const BYTES_MAX: usize = 8 << 20;

/// One request as it came in.
pub(crate) struct Request {
    /// `GET`, `POST`, …
    pub(crate) method: String,
    head: Vec<String>,
    body: Vec<u8>,
}

impl Request {
    /// Reads one request; `None` where the other side hung up without sending any.
    pub(crate) async fn read(from: &mut (impl AsyncRead + Unpin)) -> anyhow::Result<Option<Self>> {
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            ensure!(bytes.len() < BYTES_MAX, "a head too long");
            if from.read_buf(&mut bytes).await? == 0 {
                return Ok(None);
            }
        };
        let mut body = bytes.split_off(end + 4);
        let head = String::from_utf8(bytes).context("a head that is no text")?;
        let head: Vec<String> = head.trim_end().split("\r\n").map(str::to_owned).collect();
        let length = head.iter().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
        });
        let length = length.unwrap_or(0);
        ensure!(length < BYTES_MAX, "a body too long");
        while body.len() < length {
            ensure!(from.read_buf(&mut body).await? > 0, "hung up in the middle of a body");
        }
        let method = head.first().and_then(|line| line.split(' ').next()).unwrap_or_default().to_owned();
        Ok(Some(Self { method, head, body }))
    }

    /// What is sent along.
    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// Sends it on, to be answered on a connection that is closed afterwards.
    pub(crate) async fn send(&self, to: SocketAddr) -> anyhow::Result<TcpStream> {
        let mut stream = TcpStream::connect(to).await.context("could not reach the engine")?;
        let kept = self.head.iter().filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
        let head: Vec<&str> = kept.map(String::as_str).chain(["connection: close", "", ""]).collect();
        stream.write_all(head.join("\r\n").as_bytes()).await?;
        stream.write_all(&self.body).await?;
        Ok(stream)
    }
}

/// The body of the answer to a GET, which must be 200 and not chunked.
pub(crate) async fn get(from: SocketAddr, path: &str) -> anyhow::Result<Vec<u8>> {
    let head = vec![format!("GET {path} HTTP/1.1"), format!("host: {from}")];
    let mut stream = Request { method: "GET".to_owned(), head, body: vec![] }.send(from).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").context("no answer")?;
    let body = answer.split_off(end + 4);
    let head = String::from_utf8_lossy(&answer).to_ascii_lowercase();
    ensure!(head.starts_with("http/1.1 200"), "{}", head.lines().next().unwrap_or_default());
    ensure!(!head.contains("transfer-encoding"), "an answer in chunks");
    Ok(body)
}
