//! Stands between one deployd and the engine and writes down when it asks for what.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::Context;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::wire::Request;

/// What went through to the engine.
pub(crate) struct Recorder {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Sent>>>,
}

struct Sent {
    at: Instant,
    changes: bool,
    body: Vec<u8>,
}

impl Recorder {
    pub(crate) async fn start(engine: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("could not listen")?;
        let address = listener.local_addr()?;
        let requests: Arc<Mutex<Vec<Sent>>> = Arc::default();
        let written = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let written = Arc::clone(&written);
                // Whoever hangs up in the middle, as a killed deployd does, is nobody's failure.
                tokio::spawn(async move { relay(stream, engine, &written).await.ok() });
            }
        });
        Ok(Self { address, requests })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many changes were asked for.
    pub(crate) fn count(&self) -> usize {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.iter().filter(|sent| sent.changes).count()
    }

    /// When the first change after that moment was asked for.
    pub(crate) fn first_after(&self, moment: Instant) -> Option<Instant> {
        self.first(moment, |sent| sent.changes)
    }

    /// When the first change after that moment was asked for whose body holds this text.
    pub(crate) fn first_saying(&self, text: &str, moment: Instant) -> Option<Instant> {
        let says = |body: &[u8]| body.windows(text.len()).any(|window| window == text.as_bytes());
        self.first(moment, |sent| sent.changes && says(&sent.body))
    }

    fn first(&self, moment: Instant, wanted: impl Fn(&Sent) -> bool) -> Option<Instant> {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        // The newest are at the end, and there may be very many.
        let later = requests.partition_point(|sent| sent.at <= moment);
        requests[later..].iter().find(|sent| wanted(sent)).map(|sent| sent.at)
    }
}

async fn relay(mut stream: TcpStream, engine: SocketAddr, requests: &Mutex<Vec<Sent>>) -> anyhow::Result<()> {
    let Some(request) = Request::read(&mut stream).await? else { return Ok(()) };
    let (changes, body) = (request.method != "GET", request.body().to_vec());
    {
        let mut requests = requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.push(Sent { at: Instant::now(), changes, body });
    }
    let mut answer = request.send(engine).await?;
    tokio::select! {
        copied = tokio::io::copy(&mut answer, &mut stream) => drop(copied?),
        // A stream of events has no end of its own.
        _ = tokio::time::sleep(std::time::Duration::from_secs(3600)) => {}
    }
    stream.shutdown().await?;
    Ok(())
}
