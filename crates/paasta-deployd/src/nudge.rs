//! Somebody pushed a tag and asks that deployments.json follow at once: one line with the service's name over
//! TCP (cli.md §0.9).

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use paasta_core::ServiceName;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};

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

/// Listens for nudges.
#[derive(Debug)]
pub struct NudgeListener {
    listener: TcpListener,
}

impl NudgeListener {
    /// Binds the address; port 0 takes any.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await? })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Listens until the receiver is gone.
    pub(crate) async fn listen(self, nudges: mpsc::Sender<Nudge>) {
        let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let Ok(place) = room.clone().acquire_owned().await else { return };
            tokio::select! {
                () = nudges.closed() => return,
                accepted = self.listener.accept() => match accepted {
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
