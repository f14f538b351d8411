//! The seam below which engines differ.

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use serde::{Deserialize, Serialize};

use crate::{Action, AppId, Applied, Fleet, HomeId, InstanceId, Sighting, TaskId};

/// What would run for one instance: its identity, where it lives, and the body for its engine. Made by an
/// engine's renderer (`paasta_config::Renderer`), which is pure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rendered {
    /// The id of the version wanted now.
    pub app: AppId,
    /// `config` and eight hexadecimal digits: the hash over [`Rendered::hash_input`].
    pub config_hash: String,
    /// The exact text that was hashed, the force-bounce text at its end included.
    pub hash_input: String,
    /// What [`Action::Create`] takes: JSON, for this engine.
    pub body: String,
    /// How many tasks are wanted (zero when stopped).
    pub instances: usize,
    /// Where it belongs and where it may have been.
    pub homes: Homes,
}

/// The homes of one instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Homes {
    /// Where the instance belongs now.
    pub current: HomeId,
    /// Where it may have left apps behind; never holds `current`.
    pub previous: Vec<HomeId>,
}

impl Homes {
    /// All of them, the current one first.
    pub fn all(&self) -> impl Iterator<Item = &HomeId> {
        std::iter::once(&self.current).chain(&self.previous)
    }
}

/// What runs tasks. Implemented by `paasta-marathon`, and by a fake of another shape in `paasta-testkit`.
///
/// Every call may be repeated. An implementation never retries a change by itself once bytes were sent: it
/// answers [`Applied::Unknown`] and lets the next pass look.
#[async_trait]
pub trait Engine: Send + Sync {
    /// What these homes hold of this instance. A home that does not answer is unknown in the sighting, never
    /// an error of the whole.
    async fn observe(&self, instance: &InstanceId, homes: &Homes) -> Sighting;

    /// What all homes hold of everything: one listing per home.
    async fn observe_all(&self) -> Fleet;

    /// Carries out one change. An error means that the engine refused it or was not reached, so that nothing
    /// changed.
    async fn apply(&self, action: &Action) -> Result<Applied, EngineError>;

    /// Wakes whoever waits. The stream ends only with the engine; a lost connection is a [`Change::Lost`] and
    /// is taken up again.
    fn changes(&self) -> BoxStream<'static, Change>;

    /// The end of a task's output, or what follows a position in it.
    async fn task_log(&self, task: &TaskId, stream: LogStream, tail: LogTail)
    -> Result<TaskLog, EngineError>;
}

/// Why an engine did not do something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// It could not be reached; nothing was sent.
    #[error("could not reach {endpoint}: {reason}")]
    Unreachable {
        /// Who was called.
        endpoint: String,
        /// What happened.
        reason: String,
    },
    /// It understood and said no.
    #[error("{endpoint} refused with status {status}: {message}")]
    Refused {
        /// Who was called.
        endpoint: String,
        /// Its HTTP status, or the nearest to it.
        status: u16,
        /// Its words.
        message: String,
    },
    /// No such app, task or home.
    #[error("no {what}")]
    NotFound {
        /// What was looked for.
        what: String,
    },
    /// It answered something that cannot be read.
    #[error("could not read the answer of {endpoint}: {reason}")]
    Garbled {
        /// Who was called.
        endpoint: String,
        /// What was wrong with the answer.
        reason: String,
    },
    /// This engine cannot do that.
    #[error("{0}")]
    Unsupported(String),
}

/// Something of ours changed, or may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// An app or one of its tasks changed.
    App(AppId),
    /// The stream was lost and is back: anything may have changed.
    Lost,
}

/// Which output of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl LogStream {
    /// `stdout` or `stderr`.
    pub fn as_str(self) -> &'static str {
        match self {
            LogStream::Stdout => "stdout",
            LogStream::Stderr => "stderr",
        }
    }
}

/// Which part of a task's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogTail {
    /// At most this many lines.
    pub lines: usize,
    /// The first ones after this position, as [`TaskLog::next`] said; else the last ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
}

impl LogTail {
    /// The last lines.
    pub const fn last(lines: usize) -> Self {
        Self { lines, after: None }
    }

    /// The lines after a position; 0 is the beginning.
    pub const fn after(position: u64, lines: usize) -> Self {
        Self { lines, after: Some(position) }
    }
}

/// A part of one output of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskLog {
    /// The lines, oldest first, without their line ends.
    pub lines: Vec<String>,
    /// Whether the last of them has no end yet.
    #[serde(default)]
    pub unfinished: bool,
    /// Where the next line begins, or the one that is unfinished; none where the engine cannot tell. It is less than
    /// what was asked for if the output was begun anew meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}
