//! One bare request on a connection of its own, so that no pool or retry hides what became of it.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How long a request may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// More than any answer that is asked for is long.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// An answer: its status and its body.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Asks a server.
pub(crate) async fn get(address: SocketAddr, path: &str) -> Result<Answer, String> {
    match tokio::time::timeout(TIMEOUT, ask(address, path)).await {
        Ok(Ok(text)) => parse(&text),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", TIMEOUT.as_secs())),
    }
}

async fn ask(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut text = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut text).await?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn parse(text: &str) -> Result<Answer, String> {
    let (head, body) = text.split_once("\r\n\r\n").ok_or("the answer was cut off")?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok(Answer { status: status.ok_or("the answer is no HTTP")?, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_cut_off_answer_is_a_failure() {
        assert!(parse("").is_err());
        assert!(parse("HTTP/1.1 200 OK\r\nContent-").is_err());
        let answer = parse("HTTP/1.1 503 Service Unavailable\r\nA: b\r\n\r\ndown").expect("whole");
        assert_eq!((answer.status, answer.body.as_str()), (503, "down"));
    }
}
