//! A bad network between one client and the server.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Network {
    /// Passes everything on.
    Well,
    /// Passes nothing on, with connections open.
    Frozen,
    /// Passes questions on, and throws answers away.
    Mute,
}

/// Passes connections on, as long as the test's runtime lives.
pub(crate) struct Proxy {
    port: u16,
    network: watch::Sender<Network>,
    /// Ends every connection there is.
    cuts: watch::Sender<()>,
}

impl Proxy {
    /// In front of a server, given as `host:port`.
    pub(crate) async fn start(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("a port").port();
        let proxy = Self { port, network: watch::Sender::new(Network::Well), cuts: watch::Sender::new(()) };
        let (network, cuts) = (proxy.network.clone(), proxy.cuts.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(&server).await else { continue };
                let (network, mut cut) = (network.subscribe(), cuts.subscribe());
                tokio::spawn(async move {
                    let (from_client, to_client) = client.into_split();
                    let (from_server, to_server) = server.into_split();
                    tokio::select! {
                        biased;
                        _ = cut.changed() => {}
                        () = pump(from_client, to_server, network.clone(), false) => {}
                        () = pump(from_server, to_client, network, true) => {}
                    }
                });
            }
        });
        proxy
    }

    pub(crate) fn root(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn set(&self, network: Network) {
        self.network.send_replace(network);
    }

    pub(crate) fn cut(&self) {
        self.cuts.send_replace(());
    }
}

async fn pump(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut network: watch::Receiver<Network>,
    answers: bool,
) {
    let mut buffer = [0; 4096];
    loop {
        let Ok(count @ 1..) = from.read(&mut buffer).await else { return };
        let Ok(now) = network.wait_for(|network| *network != Network::Frozen).await.map(|now| *now) else {
            return;
        };
        if (now == Network::Well || !answers) && to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
