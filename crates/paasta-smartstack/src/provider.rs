//! The trait of whatever can be asked which servers get traffic.

use std::sync::Arc;

use async_trait::async_trait;
use paasta_core::Registration;

use crate::envoy::ClustersError;
use crate::{Backends, TableError};

/// Load balancers of one kind, one on each host.
#[async_trait]
pub trait Provider: Send + Sync {
    /// What people call it.
    fn name(&self) -> &str;

    /// What the load balancer on `host` says of one registration, or of all. More than was asked for may come.
    async fn backends(&self, host: &str, scope: Option<&Registration>) -> Result<Backends, ProviderError>;
}

#[async_trait]
impl<P: Provider + ?Sized> Provider for Arc<P> {
    fn name(&self) -> &str {
        (**self).name()
    }

    async fn backends(&self, host: &str, scope: Option<&Registration>) -> Result<Backends, ProviderError> {
        (**self).backends(host, scope).await
    }
}

/// Why a load balancer does not say what it sees. The messages name the URL, and show no password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// It did not answer.
    #[error("could not reach {url}: {reason}")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// What happened.
        reason: String,
    },
    /// Its answer broke off.
    #[error("the answer of {url} broke off: {reason}")]
    Broken {
        /// What was asked for.
        url: String,
        /// What happened.
        reason: String,
    },
    /// It said no.
    #[error("{url} answered with status {status}, expected 200")]
    Refused {
        /// What was asked for.
        url: String,
        /// Its HTTP status.
        status: u16,
    },
    /// Its answer is too long.
    #[error("the answer of {url} is longer than {bytes_max} bytes")]
    TooLong {
        /// What was asked for.
        url: String,
        /// Bytes that are read at most.
        bytes_max: usize,
    },
    /// Its answer is no table of HAProxy.
    #[error("could not read the answer of {url} as a table of HAProxy")]
    Table {
        /// What was asked for.
        url: String,
        /// What is wrong with it.
        source: TableError,
    },
    /// Its answer is no list of Envoy's clusters.
    #[error("could not read the answer of {url} as Envoy's clusters")]
    Clusters {
        /// What was asked for.
        url: String,
        /// What is wrong with it.
        source: ClustersError,
    },
    /// The host's name makes no URL.
    #[error("`{url}` is no URL: {reason}")]
    Url {
        /// The text.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No time was left to ask.
    #[error("there was no time left to ask `{host}`")]
    OutOfTime {
        /// Who was not asked, or not to the end.
        host: String,
    },
    /// No HTTP client can be had.
    #[error("could not set up the HTTP client for load balancers: {0}")]
    Client(String),
    /// Anything else, for providers that are written elsewhere.
    #[error("{0}")]
    Other(String),
}
