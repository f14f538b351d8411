//! Between what is said to Marathon and how it gets there.

use async_trait::async_trait;
use paasta_core::EngineError;
use reqwest::StatusCode;
use serde::de::DeserializeOwned;

use crate::wire::Refusal;

/// Carries changes to one Marathon: HTTP in production, a model of Marathon in the simulator.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends one request, at most once where it must not take effect twice.
    async fn exchange(&self, verb: Verb, path: &str, body: Option<&str>) -> Result<Answer, NoAnswer>;
}

/// The methods of requests that change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `DELETE`
    Delete,
}

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// No connection came about: nothing was sent.
    Unreachable {
        /// Who was called.
        endpoint: String,
        /// What happened.
        reason: String,
    },
    /// Something was sent, and what became of it is not known.
    Lost {
        /// Who was called.
        endpoint: String,
        /// What happened.
        reason: String,
    },
    /// This process may not change anything now: nothing was sent, or nothing that took effect.
    Fenced(String),
}

/// An answer of whatever status.
#[derive(Debug)]
pub struct Answer {
    pub(crate) endpoint: String,
    pub(crate) status: StatusCode,
    /// Where it says the answer is, if it is a redirect. Nothing is ever sent there.
    pub(crate) location: Option<String>,
    pub(crate) is_json: bool,
    pub(crate) body: Result<Vec<u8>, String>,
}

impl Answer {
    /// An answer with a JSON body. A number that is no HTTP status counts as 500.
    pub fn of_json(endpoint: &str, status: u16, body: &str) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = Ok(body.as_bytes().to_vec());
        Self { endpoint: endpoint.to_owned(), status, location: None, is_json: true, body }
    }

    /// The body as JSON.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, EngineError> {
        let garbled = |reason| EngineError::Garbled { endpoint: self.endpoint.clone(), reason };
        let body = self.body.as_ref().map_err(|reason| garbled(reason.clone()))?;
        serde_json::from_slice(body).map_err(|error| garbled(error.to_string()))
    }

    /// What it says in words.
    pub(crate) fn message(&self) -> String {
        if let Some(location) = &self.location {
            return format!(
                "it redirects to `{location}`, and redirects are not followed: name the URL that answers in `marathon_servers`"
            );
        }
        let told = self.refusal().and_then(|refusal| refusal.text());
        told.unwrap_or_else(|| self.status.canonical_reason().unwrap_or("no reason given").to_owned())
    }

    /// Its JSON message, if it has one.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        let body = self.body.as_ref().ok().filter(|_| self.is_json)?;
        serde_json::from_slice(body).ok()
    }

    /// The error of an answer that says no.
    pub(crate) fn refused(&self) -> EngineError {
        EngineError::Refused {
            endpoint: self.endpoint.clone(),
            status: self.status.as_u16(),
            message: self.message(),
        }
    }
}

impl NoAnswer {
    /// As the error of a read, for which it does not matter whether it was sent.
    pub(crate) fn into_error(self) -> EngineError {
        match self {
            NoAnswer::Unreachable { endpoint, reason } | NoAnswer::Lost { endpoint, reason } => {
                EngineError::Unreachable { endpoint, reason }
            }
            // Reads are never fenced.
            NoAnswer::Fenced(reason) => EngineError::Unsupported(reason),
        }
    }
}
