//! Sensu: one connection per event, one line on it (monitoring.md §1.1).

use std::time::Duration;

use async_trait::async_trait;
use paasta_core::Alert;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::outbox::Transport;
use crate::wire;

/// How long one event may take, from the connection to its last byte.
const PATIENCE: Duration = Duration::from_secs(5);

/// The socket of a Sensu client. Its answer is not read.
#[derive(Clone, Debug)]
pub struct Sensu {
    host: String,
    port: u16,
    patience: Duration,
}

impl Sensu {
    /// The client at that host and port.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port, patience: PATIENCE }
    }

    /// The same with that long for each event instead of five seconds.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    async fn send(&self, line: &str) -> std::io::Result<()> {
        let mut stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.write_all(line.as_bytes()).await?;
        stream.shutdown().await
    }
}

#[async_trait]
impl Transport for Sensu {
    fn place(&self) -> String {
        format!("Sensu at {}:{} (`sensu_host`; null sends nothing)", self.host, self.port)
    }

    async fn deliver(&self, alerts: &[Alert]) -> Result<(), String> {
        for alert in alerts {
            match tokio::time::timeout(self.patience, self.send(&wire::line(&alert.event))).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(error.to_string()),
                Err(_) => return Err(format!("it took longer than {} s", self.patience.as_secs_f64())),
            }
        }
        Ok(())
    }
}
