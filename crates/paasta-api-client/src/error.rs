//! What can go wrong between a client and an API.

use paasta_core::ClusterName;
use serde::{Deserialize, Serialize};

/// Why a question to an API was not answered. Every variant names the cluster and the URL, the latter
/// without a name or password that it may hold.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The URL in the system configuration is none.
    #[error("the API of cluster `{cluster}` has an unusable URL `{url}`: {reason}")]
    Url {
        /// Which cluster.
        cluster: ClusterName,
        /// As configured, but for credentials.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No client could be made, as when this machine has no certificates.
    #[error("could not prepare to ask the API of cluster `{cluster}` at {url}")]
    Client {
        /// Which cluster.
        cluster: ClusterName,
        /// Where.
        url: String,
        /// What happened.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Nobody answers there.
    #[error("could not reach the API of cluster `{cluster}` at {url}")]
    Unreachable {
        /// Which cluster.
        cluster: ClusterName,
        /// Where.
        url: String,
        /// What happened.
        source: reqwest::Error,
    },
    /// It took too long.
    #[error("the API of cluster `{cluster}` did not answer {url} within {seconds} s")]
    TimedOut {
        /// Which cluster.
        cluster: ClusterName,
        /// What was asked.
        url: String,
        /// How long was waited.
        seconds: u64,
    },
    /// It answered with an error.
    #[error("the API of cluster `{cluster}` answered {status} to {url}: {message}")]
    Status {
        /// Which cluster.
        cluster: ClusterName,
        /// What was asked.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The code of the error, in snake case; empty if the server is not ours.
        code: String,
        /// The first line of what it said.
        message: String,
    },
    /// Its answer is not what it should be.
    #[error("could not read the answer of the API of cluster `{cluster}` to {url}")]
    Garbled {
        /// Which cluster.
        cluster: ClusterName,
        /// What was asked.
        url: String,
        /// What is wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl ApiError {
    /// The HTTP status, if there was an answer.
    pub fn status(&self) -> Option<u16> {
        match self {
            ApiError::Status { status, .. } => Some(*status),
            _ => None,
        }
    }
}

/// What an API answers when it cannot do what was asked (cli.md §4.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The error.
    pub error: ErrorDetail,
}

/// Inside of [`ErrorBody`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorDetail {
    /// What kind of error, in snake case, for programs.
    pub code: String,
    /// The same for people.
    pub message: String,
    /// Its causes, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub detail: Vec<String>,
}
