//! Requests to load balancers, bounded in time and size.

use std::sync::Arc;
use std::time::Duration;

use paasta_core::without_credentials;
use reqwest::{Client, Response, Url};

use crate::ProviderError;

/// Bounds on one question to one load balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// For each piece of an answer.
    pub read: Duration,
    /// For the whole answer, however it trickles.
    pub answer: Duration,
    /// How often a connection that was not had is tried again.
    pub connection_retries: usize,
    /// A longer answer is not read.
    pub answer_bytes_max: usize,
}

impl Default for Patience {
    /// A second for a connection and for each piece, three more tries (monitoring.md §4.3); 10 s for a whole answer of at
    /// most 64 MiB, which is a hundred thousand servers.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(1),
            read: Duration::from_secs(1),
            answer: Duration::from_secs(10),
            connection_retries: 3,
            answer_bytes_max: 64 << 20,
        }
    }
}

/// Who asks: `<program> <version>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asker<'a> {
    /// The program.
    pub program: &'a str,
    /// Its version.
    pub version: &'a str,
}

/// Sends requests.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    client: Client,
    patience: Patience,
}

impl Http {
    /// `secure` reads this machine's root certificates.
    pub(crate) fn new(asker: Asker<'_>, patience: Patience, secure: bool) -> Result<Self, ProviderError> {
        let client = Client::builder()
            .tls_backend_preconfigured(tls(secure).map_err(ProviderError::Client)?)
            .user_agent(format!("{} {}", asker.program, asker.version))
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(patience.connect)
            .read_timeout(patience.read)
            .timeout(patience.answer)
            // A connection kept for later may be closed by then, and each host is asked but rarely.
            .pool_max_idle_per_host(0)
            .build()
            .map_err(|error| ProviderError::Client(describe(&error)))?;
        Ok(Self { client, patience })
    }

    /// The body of the answer, which must be a success, and the URL as it may be shown.
    pub(crate) async fn get(&self, url: &str) -> Result<(String, Vec<u8>), ProviderError> {
        let shown = without_credentials(url);
        let url = Url::parse(url)
            .map_err(|error| ProviderError::Url { url: shown.clone(), reason: error.to_string() })?;
        let mut response = self.send(&url, &shown).await?;
        let status = response.status();
        if !status.is_success() {
            return Err(ProviderError::Refused { url: shown, status: status.as_u16() });
        }
        let body = self.read(&mut response, &shown).await?;
        Ok((shown, body))
    }

    async fn send(&self, url: &Url, shown: &str) -> Result<Response, ProviderError> {
        let mut tries_left = self.patience.connection_retries;
        loop {
            match self.client.get(url.clone()).send().await {
                Ok(response) => return Ok(response),
                Err(error) if error.is_connect() && tries_left > 0 => tries_left -= 1,
                Err(error) => {
                    let reason = describe(&error);
                    return Err(ProviderError::Unreachable { url: shown.to_owned(), reason });
                }
            }
        }
    }

    async fn read(&self, response: &mut Response, shown: &str) -> Result<Vec<u8>, ProviderError> {
        let bytes_max = self.patience.answer_bytes_max;
        let mut body = Vec::new();
        let broken = |error| ProviderError::Broken { url: shown.to_owned(), reason: describe(&error) };
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            if body.len() + chunk.len() > bytes_max {
                return Err(ProviderError::TooLong { url: shown.to_owned(), bytes_max });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// The innermost cause, without the URL.
fn describe(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// rustls with ring, trusting what this machine trusts; its certificates are read only where they are needed.
fn tls(secure: bool) -> Result<rustls::ClientConfig, String> {
    let mut roots = rustls::RootCertStore::empty();
    if secure {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err("this machine has no root certificates to check a load balancer against".to_owned());
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
