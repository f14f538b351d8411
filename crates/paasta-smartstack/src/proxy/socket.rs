//! HAProxy's stats socket: one command, one answer.

use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest answer that is read: some ten thousand servers.
const ANSWER_BYTES_MAX: u64 = 8 << 20;

/// Why the socket gave no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SocketError {
    /// It could not be asked.
    #[error("HAProxy's socket `{path}` cannot be asked: {source}")]
    Io {
        /// Where it is.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// HAProxy said no.
    #[error("HAProxy refused `{command}`: {answer}")]
    Refused {
        /// What it was told.
        command: String,
        /// What it said.
        answer: String,
    },
}

/// The stats socket of a running HAProxy, at the level `admin` where it is to change something.
#[derive(Clone, Debug)]
pub struct StatsSocket {
    path: PathBuf,
}

impl StatsSocket {
    /// The socket at a path; nothing is opened yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Asks one command and gives the answer as it is; several may be joined by `;`. At most 5 s.
    ///
    /// # Errors
    /// [`SocketError::Io`] where nobody answers, in time or at all.
    pub async fn ask(&self, command: &str) -> Result<String, SocketError> {
        let asked = tokio::time::timeout(PATIENCE, self.ask_once(command)).await;
        let late = |_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut));
        asked.unwrap_or_else(late).map_err(|source| SocketError::Io { path: self.path.clone(), source })
    }

    async fn ask_once(&self, command: &str) -> std::io::Result<String> {
        let mut stream = UnixStream::connect(&self.path).await?;
        stream.write_all(format!("{command}\n").as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    /// Tells one command that changes something; HAProxy says nothing, or one of `fine`, where it did as it was told.
    ///
    /// # Errors
    /// [`SocketError::Refused`] holds what HAProxy said instead.
    pub async fn tell(&self, command: &str, fine: &[&str]) -> Result<(), SocketError> {
        let answer = self.ask(command).await?;
        let answer = answer.trim();
        match answer.is_empty() || fine.contains(&answer) {
            true => Ok(()),
            false => Err(SocketError::Refused { command: command.to_owned(), answer: answer.to_owned() }),
        }
    }
}
