//! The HTTP client that drain requests go through.

use std::sync::Arc;
use std::time::Duration;

/// Seconds to connect (marathon-and-bounce.md §6.2).
const CONNECT_SECONDS_MAX: u64 = 30;
/// Seconds between two pieces of an answer.
const READ_SECONDS_MAX: u64 = 10;
/// Seconds for a whole exchange.
const TOTAL_SECONDS_MAX: u64 = 45;

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// TLS could not be set up.
    #[error("could not set up TLS")]
    Tls(#[source] rustls::Error),
    /// The client could not be built, for instance because the program's name fits in no header.
    #[error("could not build an HTTP client")]
    Client(#[source] reqwest::Error),
}

/// A client with the time limits of marathon-and-bounce.md §6.2 (30 s to connect, 10 s per read, 45 s in all),
/// `User-Agent: <program> <version>`, no proxies, and a TLS of its own: a program that embeds this needs no
/// process-wide provider.
pub fn http_client(program: &str, version: &str) -> Result<reqwest::Client, ClientError> {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls().map_err(ClientError::Tls)?)
        .user_agent(format!("{program} {version}"))
        .connect_timeout(Duration::from_secs(CONNECT_SECONDS_MAX))
        .read_timeout(Duration::from_secs(READ_SECONDS_MAX))
        .timeout(Duration::from_secs(TOTAL_SECONDS_MAX))
        .no_proxy()
        .build()
        .map_err(ClientError::Client)
}

/// rustls with ring, trusting what this machine trusts.
fn tls() -> Result<rustls::ClientConfig, rustls::Error> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
