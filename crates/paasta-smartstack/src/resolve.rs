//! Addresses of hosts.

use std::net::IpAddr;

use async_trait::async_trait;

/// Finds out the address of a host.
#[async_trait]
pub trait Resolver: Send + Sync {
    /// The host's address, or why it is not known.
    async fn address(&self, host: &str) -> Result<IpAddr, ResolveError>;
}

/// Why the address of a host is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not find out the address of host `{host}`: {reason}")]
pub struct ResolveError {
    /// The host.
    pub host: String,
    /// What happened.
    pub reason: String,
}

/// What this machine finds out: of the addresses of a host, the first with four bytes, which is what registrations hold;
/// else the first.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn address(&self, host: &str) -> Result<IpAddr, ResolveError> {
        let failed = |reason: String| ResolveError { host: host.to_owned(), reason };
        if let Ok(address) = host.parse() {
            return Ok(address);
        }
        let found = tokio::net::lookup_host((host, 0)).await.map_err(|error| failed(error.to_string()))?;
        let found: Vec<IpAddr> = found.map(|address| address.ip()).collect();
        let first = found.iter().find(|address| address.is_ipv4()).or(found.first());
        first.copied().ok_or_else(|| failed("it has none".to_owned()))
    }
}
