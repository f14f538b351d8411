//! Requests to a master or an agent, bounded in time and size.

use std::sync::Arc;
use std::time::Duration;

use paasta_core::without_credentials;
use reqwest::{Client, Method, Response, Url};
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;

use crate::master::blocking;
use crate::{Credentials, MesosError, Peer};

/// How long an answer is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// For each piece of an answer.
    pub read: Duration,
    /// For the whole answer, however it trickles.
    pub answer: Duration,
}

impl Patience {
    /// For the operator's interface (marathon-and-bounce.md §3.2).
    pub const OPERATOR: Self = Self::of(3, 2, 10);
    /// For learning who leads.
    pub const LEADER: Self = Self::of(5, 30, 40);

    /// For what a master or an agent tells of itself, by the `response_timeout` of the file that says where the master is
    /// (monitoring.md §5.1): so long for a connection and for each piece of an answer, and six times as long for all of it.
    pub const fn reading(response_timeout: Duration) -> Self {
        let answer = response_timeout.saturating_mul(6);
        Self { connect: response_timeout, read: response_timeout, answer }
    }

    const fn of(connect: u64, read: u64, answer: u64) -> Self {
        let seconds = Duration::from_secs;
        Self { connect: seconds(connect), read: seconds(read), answer: seconds(answer) }
    }
}

/// A longer answer is not read, where little is asked.
pub(crate) const ANSWER_BYTES_MAX: usize = 16 << 20;
/// A longer answer is not read, where all of a cluster is asked: ten thousand tasks with what they went through take some
/// tens of megabytes.
pub(crate) const STATE_BYTES_MAX: usize = 512 << 20;
/// So much of a refusal is told.
const REFUSAL_CHARS_MAX: usize = 200;
/// So often a master may name another one.
const REDIRECTS_MAX: usize = 5;

/// Sends requests.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    client: Client,
}

/// One request.
pub(crate) struct Request<'a> {
    pub(crate) peer: Peer,
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) body: Option<String>,
    pub(crate) credentials: Option<&'a Credentials>,
    pub(crate) bytes_max: usize,
}

impl Request<'_> {
    /// Reads something without telling who we are.
    pub(crate) fn get(peer: Peer, url: String, bytes_max: usize) -> Self {
        Self { peer, method: Method::GET, url, body: None, credentials: None, bytes_max }
    }
}

impl Http {
    /// `secure` reads this machine's root certificates.
    pub(crate) fn new(patience: Patience, secure: bool) -> Result<Self, MesosError> {
        let client = Client::builder()
            .tls_backend_preconfigured(tls(secure).map_err(MesosError::Http)?)
            .user_agent(concat!("paasta-mesos ", env!("CARGO_PKG_VERSION")))
            .no_proxy()
            // Followed by hand: a master that does not lead names the one that does, which wants to know who we are, too.
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(patience.connect)
            .read_timeout(patience.read)
            .timeout(patience.answer);
        Ok(Self { client: client.build().map_err(|error| MesosError::Http(describe(&error)))? })
    }

    /// The first answer that does not name another master, and whose it is.
    pub(crate) async fn send(&self, request: &Request<'_>) -> Result<(Url, Response), MesosError> {
        let mut url = Url::parse(&request.url).map_err(|error| MesosError::Unreachable {
            peer: request.peer,
            url: shown(&request.url),
            reason: error.to_string(),
        })?;
        for _ in 0..=REDIRECTS_MAX {
            let response = self.send_once(request, url.clone()).await?;
            match next(&url, &response) {
                Some(next) => url = next,
                None => return Ok((url, response)),
            }
        }
        Err(MesosError::Loop { url: shown(url.as_str()), count: REDIRECTS_MAX })
    }

    /// The body of the answer, which must be a success.
    pub(crate) async fn body(&self, request: &Request<'_>) -> Result<(Url, Vec<u8>), MesosError> {
        let (url, mut response) = self.send(request).await?;
        let status = response.status();
        let body = read(&mut response, request.bytes_max).await;
        let body = body.map_err(|reason| garbled(request.peer, &url, reason))?;
        if status.is_success() {
            return Ok((url, body));
        }
        let said = String::from_utf8_lossy(&body);
        let said: String = said.trim().chars().take(REFUSAL_CHARS_MAX).collect();
        let message = match said.is_empty() {
            true => status.canonical_reason().unwrap_or("no reason given").to_owned(),
            false => said,
        };
        let (peer, url) = (request.peer, shown(url.as_str()));
        Err(MesosError::Refused { peer, url, status: status.as_u16(), message })
    }

    /// The answer to `GET` of the first of these URLs that is there.
    pub(crate) async fn first<T: DeserializeOwned + Send + 'static>(
        &self,
        peer: Peer,
        urls: &[String],
        bytes_max: usize,
    ) -> Result<T, MesosError> {
        let mut missing = MesosError::Http("there is nothing to ask for".to_owned());
        for url in urls {
            match self.body(&Request::get(peer, url.clone(), bytes_max)).await {
                Ok((url, body)) => return parse(peer, url, body).await,
                Err(error @ MesosError::Refused { status: 404, .. }) => missing = error,
                Err(error) => return Err(error),
            }
        }
        Err(missing)
    }

    async fn send_once(&self, request: &Request<'_>, url: Url) -> Result<Response, MesosError> {
        let name = shown(url.as_str());
        let mut builder =
            self.client.request(request.method.clone(), url).header("accept", "application/json");
        if let Some(body) = &request.body {
            builder = builder.header("content-type", "application/json").body(body.clone());
        }
        if let Some(credentials) = request.credentials {
            builder = builder.basic_auth(&credentials.principal, Some(credentials.secret.expose_secret()));
        }
        let sent = builder.send().await;
        let unreachable =
            |error| MesosError::Unreachable { peer: request.peer, url: name, reason: describe(&error) };
        sent.map_err(unreachable)
    }
}

/// Reads what may be many megabytes where nobody waits for the thread.
async fn parse<T: DeserializeOwned + Send + 'static>(
    peer: Peer,
    url: Url,
    body: Vec<u8>,
) -> Result<T, MesosError> {
    let read = move || serde_json::from_slice(&body).map_err(|error| garbled(peer, &url, error.to_string()));
    blocking(read).await
}

/// Where an answer sends us; an encrypted conversation is not gone on with in the open.
fn next(from: &Url, response: &Response) -> Option<Url> {
    if !response.status().is_redirection() {
        return None;
    }
    let to = from.join(response.headers().get("location")?.to_str().ok()?).ok()?;
    let known = matches!(to.scheme(), "http" | "https") && to.has_host();
    (known && (from.scheme() == "http" || to.scheme() == "https")).then_some(to)
}

pub(crate) fn garbled(peer: Peer, url: &Url, reason: String) -> MesosError {
    MesosError::Garbled { peer, url: shown(url.as_str()), reason }
}

/// A URL as it may be printed.
fn shown(url: &str) -> String {
    without_credentials(url)
}

async fn read(response: &mut Response, bytes_max: usize) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| describe(&error))? {
        if body.len() + chunk.len() > bytes_max {
            return Err(format!("it is longer than {bytes_max} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
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
            return Err("this machine has no root certificates to check the master against".to_owned());
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
