//! One Marathon over HTTP: URL after URL, and what became of each request (marathon-and-bounce.md §2.3).

use std::sync::Arc;
use std::time::Duration;

use paasta_core::{EngineError, without_credentials};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;

use crate::requests::Counters;
use crate::servers::{MarathonServers, Server};
use crate::wire::Refusal;

/// Longest wait for a connection, and for each piece of an answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Longest wait for a whole answer, however it trickles.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(300);
/// A connection that carries events is asked for life this often.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// A longer answer is not read.
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// One Marathon.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    server: Server,
    counters: Arc<Counters>,
}

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// No connection came about: nothing was sent.
    Unreachable { endpoint: String, reason: String },
    /// Something was sent, and what became of it is not known.
    Lost { endpoint: String, reason: String },
}

/// An answer of whatever status.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) endpoint: String,
    pub(crate) status: StatusCode,
    is_json: bool,
    body: Result<Vec<u8>, String>,
}

/// The two HTTP clients behind all homes: one for requests, one for streams that may be silent for long.
pub(crate) struct HttpClients {
    pub(crate) requests: reqwest::Client,
    pub(crate) streams: reqwest::Client,
}

impl HttpClients {
    /// A whole answer is waited for at most `answer_timeout`, and so is a connection.
    pub(crate) fn new(servers: &MarathonServers, answer_timeout: Duration) -> Result<Self, String> {
        let mut urls = servers.homes().iter().flat_map(|(_, server)| &server.urls);
        let tls = tls(urls.any(|url| url.starts_with("https:")))?;
        let builder = || {
            reqwest::Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .user_agent(concat!("paasta-marathon ", env!("CARGO_PKG_VERSION")))
                .no_proxy()
                .connect_timeout(TIMEOUT.min(answer_timeout))
        };
        let build = |builder: reqwest::ClientBuilder| builder.build().map_err(|error| describe(&error));
        Ok(Self {
            requests: build(builder().read_timeout(TIMEOUT).timeout(answer_timeout))?,
            streams: build(builder().tcp_keepalive(KEEPALIVE))?,
        })
    }
}

/// rustls with ring, trusting what this machine trusts; its certificates are read only where they are needed.
fn tls(secure: bool) -> Result<rustls::ClientConfig, String> {
    let mut roots = rustls::RootCertStore::empty();
    if secure {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err("this machine has no root certificates to check the server against".to_owned());
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

impl Client {
    pub(crate) fn new(http: reqwest::Client, server: Server, counters: Arc<Counters>) -> Self {
        Self { http, server, counters }
    }

    /// A read whose answer must be 200 and JSON of the given shape.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, EngineError> {
        let answer = self.send(Method::GET, path, None).await.map_err(NoAnswer::into_error)?;
        if !answer.status.is_success() {
            return Err(answer.refused());
        }
        answer.json()
    }

    /// Sends to one URL after the other until one answers, whatever it answers. A POST goes to the next only if
    /// no connection came about, since it must not take effect twice.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&str>,
    ) -> Result<Answer, NoAnswer> {
        let mut reasons = Vec::new();
        let mut sent = false;
        for base in &self.server.urls {
            self.counters.count(&method);
            let mut request = self.request(method.clone(), base, path, "application/json");
            if let Some(body) = body {
                request = request.body(body.to_owned());
            }
            match request.send().await {
                Ok(response) => return Ok(Answer::read(without_credentials(base), response).await),
                Err(error) => {
                    let connected = !(error.is_connect() || error.is_builder());
                    sent |= connected;
                    reasons.push(describe(&error));
                    if connected && method == Method::POST {
                        break;
                    }
                }
            }
        }
        let (endpoint, reason) = (self.endpoint(), reasons.join("; "));
        Err(if sent {
            NoAnswer::Lost { endpoint, reason }
        } else {
            NoAnswer::Unreachable { endpoint, reason }
        })
    }

    /// Opens a stream at the first URL that takes it.
    pub(crate) async fn stream(&self, path: &str) -> Result<Response, EngineError> {
        let mut last = EngineError::Unreachable { endpoint: self.endpoint(), reason: "no URL".to_owned() };
        for base in &self.server.urls {
            self.counters.count(&Method::GET);
            let request = self.request(Method::GET, base, path, "text/event-stream");
            match request.send().await {
                Ok(response) if response.status().is_success() => return Ok(response),
                Ok(response) => {
                    return Err(Answer::read(without_credentials(base), response).await.refused());
                }
                Err(error) => {
                    let (endpoint, reason) = (without_credentials(base), describe(&error));
                    last = EngineError::Unreachable { endpoint, reason };
                }
            }
        }
        Err(last)
    }

    /// Who is called, as it may be printed.
    pub(crate) fn endpoint(&self) -> String {
        self.server.urls.first().map(|url| without_credentials(url)).unwrap_or_default()
    }

    fn request(&self, method: Method, base: &str, path: &str, accept: &str) -> RequestBuilder {
        let request = self
            .http
            .request(method, format!("{base}{path}"))
            .header("content-type", "application/json")
            .header("accept", accept);
        match (self.server.user.as_str(), self.server.password.expose()) {
            ("", _) | (_, "") => request,
            (user, password) => request.basic_auth(user, Some(password)),
        }
    }
}

impl Answer {
    async fn read(endpoint: String, mut response: Response) -> Self {
        let is_json = response
            .headers()
            .get("content-type")
            .and_then(|value| value.to_str().ok())
            .is_some_and(|kind| kind.contains("json"));
        let status = response.status();
        Self { endpoint, status, is_json, body: read_body(&mut response).await }
    }

    /// The body as JSON.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, EngineError> {
        let garbled = |reason| EngineError::Garbled { endpoint: self.endpoint.clone(), reason };
        let body = self.body.as_ref().map_err(|reason| garbled(reason.clone()))?;
        serde_json::from_slice(body).map_err(|error| garbled(error.to_string()))
    }

    /// What it says in words.
    pub(crate) fn message(&self) -> String {
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
        let (NoAnswer::Unreachable { endpoint, reason } | NoAnswer::Lost { endpoint, reason }) = self;
        EngineError::Unreachable { endpoint, reason }
    }
}

async fn read_body(response: &mut Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| describe(&error))? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(format!("it is longer than {ANSWER_BYTES_MAX} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The innermost cause, without the URL, which may hold credentials.
pub(crate) fn describe(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// Text as part of a path or query: everything but letters, digits, `-`, `.`, `_` and `~` is escaped.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
