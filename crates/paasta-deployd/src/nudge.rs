//! Somebody pushed a tag and asks that deployments.json follow at once: one line with the service's name over
//! TCP (cli.md §0.9).
//!
//! Only who leads listens. One that stands by refuses connections, so that whoever sends a nudge learns that it went
//! nowhere, and a load balancer finds the one that leads.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use paasta_core::ServiceName;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};

/// The port that the original's deploy server listens on.
pub const NUDGE_PORT: u16 = 5049;

/// A nudge is at most this long, all its lines together.
const NUDGE_BYTES_MAX: u64 = 4096;
/// Whoever is not done by then is hung up on.
const NUDGE_SECONDS_MAX: u64 = 5;
/// Connections that are listened to at once.
const CONNECTIONS_MAX: usize = 64;

/// One nudge: this service has a new tag.
pub type Nudge = ServiceName;

/// Connections that wait to be taken.
const BACKLOG: u32 = 128;
/// Between two attempts to get the address back, if somebody else took it meanwhile.
const RETRY_SECONDS: u64 = 1;

/// An address on which to listen for nudges: kept from the start on, open only while nudges are taken.
#[derive(Debug)]
pub struct NudgeListener {
    address: SocketAddr,
    /// Bound, but not listening: connections are refused.
    socket: TcpSocket,
}

impl NudgeListener {
    /// Takes the address; port 0 takes any.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(Self { address: socket.local_addr()?, socket })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Listens while nudges are taken, until the receiver is gone.
    pub(crate) async fn listen(self, nudges: mpsc::Sender<Nudge>, mut taken: watch::Receiver<bool>) {
        let Self { address, socket } = self;
        let (mut socket, mut told) = (Some(socket), false);
        loop {
            if taken.wait_for(|taken| *taken).await.is_err() {
                return;
            }
            match open(address, socket.take()) {
                Ok(listener) => {
                    told = false;
                    tokio::select! {
                        () = accept(&listener, &nudges) => return,
                        closed = taken.wait_for(|taken| !*taken) => if closed.is_err() { return },
                    }
                    drop(listener);
                    // Kept, so that nobody else gets it; an error is met, and told, by the next attempt to listen.
                    socket = Self::bind(address).ok().map(|kept| kept.socket);
                }
                Err(error) => {
                    if !std::mem::replace(&mut told, true) {
                        tracing::error!(%address, %error, "could not listen for nudges yet; tags are found by the regular looks");
                    }
                    tokio::select! {
                        () = nudges.closed() => return,
                        () = tokio::time::sleep(Duration::from_secs(RETRY_SECONDS)) => {}
                    }
                }
            }
        }
    }
}

fn open(address: SocketAddr, socket: Option<TcpSocket>) -> io::Result<TcpListener> {
    let socket = match socket {
        Some(socket) => socket,
        None => NudgeListener::bind(address)?.socket,
    };
    socket.listen(BACKLOG)
}

/// Takes connections until the receiver is gone.
async fn accept(listener: &TcpListener, nudges: &mpsc::Sender<Nudge>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = room.clone().acquire_owned().await else { return };
        tokio::select! {
            () = nudges.closed() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let nudges = nudges.clone();
                    tokio::spawn(async move {
                        hear(stream, &nudges).await;
                        drop(place);
                    });
                }
                // Out of file handles, most likely: others must get a chance to give some back.
                Err(error) => {
                    tracing::warn!(%error, "could not accept a nudge");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
        }
    }
}

async fn hear(stream: TcpStream, nudges: &mpsc::Sender<Nudge>) {
    let mut lines = BufReader::new(stream.take(NUDGE_BYTES_MAX)).lines();
    let hearing = async {
        while let Ok(Some(line)) = lines.next_line().await {
            match ServiceName::new(line.trim()) {
                Ok(service) => {
                    if nudges.send(service).await.is_err() {
                        return;
                    }
                }
                Err(error) => tracing::warn!(%error, "ignored a nudge"),
            }
        }
    };
    // Nobody is told: whoever hung on so long does not listen either.
    let _ = tokio::time::timeout(Duration::from_secs(NUDGE_SECONDS_MAX), hearing).await;
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    async fn connected(address: SocketAddr, wanted: bool) -> Option<TcpStream> {
        let attempt = async {
            loop {
                let stream = TcpStream::connect(address).await.ok();
                if stream.is_some() == wanted {
                    return stream;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, attempt).await.expect("it opens, or closes")
    }

    #[tokio::test]
    async fn nudges_are_taken_by_the_leader_and_refused_by_one_that_stands_by() {
        let listener = NudgeListener::bind(([127, 0, 0, 1], 0).into()).expect("bound");
        let address = listener.local_addr();
        let (sends, mut nudges) = mpsc::channel(1);
        let (takes, taken) = watch::channel(false);
        let listening = tokio::spawn(listener.listen(sends, taken));
        assert!(TcpStream::connect(address).await.is_err(), "it does not lead yet");
        for service in ["one", "two"] {
            takes.send_replace(true);
            let mut stream = connected(address, true).await.expect("wanted");
            stream.write_all(format!("{service}\n").as_bytes()).await.expect("sent");
            assert_eq!(nudges.recv().await.expect("it listens").as_str(), service);
            takes.send_replace(false);
            connected(address, false).await;
        }
        drop(nudges);
        drop(takes);
        tokio::time::timeout(PATIENCE, listening).await.expect("it ends").expect("no panic");
    }

    #[tokio::test]
    async fn an_address_that_somebody_else_has_is_refused_at_once() {
        let other = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let address = other.local_addr().expect("an address");
        assert_eq!(NudgeListener::bind(address).expect_err("taken").kind(), io::ErrorKind::AddrInUse);
    }
}
