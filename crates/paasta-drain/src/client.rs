//! The HTTP client that drain requests go through.

use std::sync::Arc;
use std::time::Duration;

use paasta_core::without_credentials;

use crate::DrainError;

/// Seconds to connect for a question (marathon-and-bounce.md §6.2).
const CONNECT_SECONDS_MAX: u64 = 30;
/// Seconds to connect for a change: it may start so much later than its fence was asked.
const CHANGE_CONNECT_SECONDS_MAX: u64 = 1;
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

/// What drain requests go through.
#[derive(Clone, Debug)]
pub struct HttpClients {
    /// For questions: 30 s to connect.
    pub questions: reqwest::Client,
    /// For what drains and gives back. A program may only begin that while its fence is open, which it asks before: so
    /// 1 s to connect, TLS included, and each over a connection of its own, since one over a kept connection that was
    /// closed meanwhile would be sent again by itself.
    pub changes: reqwest::Client,
}

/// Clients with the time limits of marathon-and-bounce.md §6.2 (10 s per read, 45 s in all), `User-Agent: <program>
/// <version>`, no proxies, no redirects followed, and a TLS of their own: a program that embeds this needs no process-wide provider.
pub fn http_clients(program: &str, version: &str) -> Result<HttpClients, ClientError> {
    let tls = tls().map_err(ClientError::Tls)?;
    let builder = |connect_seconds| {
        reqwest::Client::builder()
            .tls_backend_preconfigured(tls.clone())
            .user_agent(format!("{program} {version}"))
            .connect_timeout(Duration::from_secs(connect_seconds))
            .read_timeout(Duration::from_secs(READ_SECONDS_MAX))
            .timeout(Duration::from_secs(TOTAL_SECONDS_MAX))
            // A followed redirect makes a question of an order, or sends an order again that no fence was asked of.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
    };
    let changes = builder(CHANGE_CONNECT_SECONDS_MAX).pool_max_idle_per_host(0);
    Ok(HttpClients {
        questions: builder(CONNECT_SECONDS_MAX).build().map_err(ClientError::Client)?,
        changes: changes.build().map_err(ClientError::Client)?,
    })
}

/// Sends a request; an answer that leads elsewhere is none.
pub(crate) async fn send(
    request: reqwest::RequestBuilder,
    url: &str,
) -> Result<reqwest::Response, DrainError> {
    let answer = request.send().await;
    let answer = answer.map_err(|source| DrainError::Unreachable { url: url.to_owned(), source })?;
    let location = answer.headers().get("location").filter(|_| answer.status().is_redirection());
    match location {
        None => Ok(answer),
        Some(location) => Err(DrainError::Redirected {
            url: url.to_owned(),
            status: answer.status().as_u16(),
            location: without_credentials(&String::from_utf8_lossy(location.as_bytes())),
        }),
    }
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
