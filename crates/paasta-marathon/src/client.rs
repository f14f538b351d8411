//! One Marathon over HTTP: URL after URL, and what became of each request (marathon-and-bounce.md §2.3).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use paasta_core::{EngineError, Fence, NoFence, without_credentials};
use reqwest::{Method, RequestBuilder, Response};
use serde::de::DeserializeOwned;

use crate::requests::Counters;
use crate::servers::{MarathonServers, Server};
use crate::transport::{Answer, NoAnswer, Transport, Verb};

/// Longest wait for a connection, and for each piece of an answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Longest wait for a whole answer, however it trickles.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(300);
/// Longest wait for a connection, name resolution and TLS included, that a change is sent over: it may start so much later
/// than the fence was asked.
const CHANGE_CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// A connection that carries events is asked for life this often.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// A longer answer is not read.
const ANSWER_BYTES_MAX: usize = 256 << 20;
/// Room is made beforehand for no more, whatever a server says of its answer's length.
const ANSWER_BYTES_RESERVED_MAX: u64 = 32 << 20;

/// One Marathon.
#[derive(Clone)]
pub(crate) struct Client {
    reads: reqwest::Client,
    changes: reqwest::Client,
    server: Server,
    counters: Arc<Counters>,
    fence: Arc<dyn Fence>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("server", &self.server).finish_non_exhaustive()
    }
}

/// The HTTP clients behind all homes: one for reads, one for changes, one for streams that may be silent for long.
///
/// A change has a connection of its own. Were it sent over one that was kept, and that the server closed meanwhile, it
/// would be sent once more over a new one, and nobody would ask the fence.
pub(crate) struct HttpClients {
    pub(crate) reads: reqwest::Client,
    pub(crate) changes: reqwest::Client,
    pub(crate) streams: reqwest::Client,
}

impl HttpClients {
    /// A whole answer is waited for at most `answer_timeout`, and so is a connection; one for a change at most a second.
    pub(crate) fn new(servers: &MarathonServers, answer_timeout: Duration) -> Result<Self, String> {
        let mut urls = servers.homes().iter().flat_map(|(_, server)| &server.urls);
        let tls = tls(urls.any(|url| url.starts_with("https:")))?;
        let builder = || {
            reqwest::Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .user_agent(concat!("paasta-marathon ", env!("CARGO_PKG_VERSION")))
                .no_proxy()
                // A followed redirect makes a GET of a POST, or sends a change again that no fence was asked of.
                .redirect(reqwest::redirect::Policy::none())
                .connect_timeout(TIMEOUT.min(answer_timeout))
        };
        let build = |builder: reqwest::ClientBuilder| builder.build().map_err(|error| describe(&error));
        let requests = || builder().read_timeout(TIMEOUT).timeout(answer_timeout);
        let change_connect_timeout = CHANGE_CONNECT_TIMEOUT.min(answer_timeout);
        Ok(Self {
            reads: build(requests())?,
            changes: build(requests().connect_timeout(change_connect_timeout).pool_max_idle_per_host(0))?,
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
    pub(crate) fn new(
        reads: reqwest::Client,
        changes: reqwest::Client,
        server: Server,
        counters: Arc<Counters>,
    ) -> Self {
        Self { reads, changes, server, counters, fence: Arc::new(NoFence) }
    }

    /// Lets no change begin while the fence is shut. It is asked before the connection is made, which takes a second at
    /// most.
    pub(crate) fn set_fence(&mut self, fence: Arc<dyn Fence>) {
        self.fence = fence;
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
            // Before each request, since the one before it may have taken long.
            if method != Method::GET
                && let Err(fenced) = self.fence.check()
            {
                if sent {
                    reasons.push(fenced.to_string());
                    break;
                }
                return Err(NoAnswer::Fenced(fenced.to_string()));
            }
            self.counters.count(&method);
            let mut request = self.request(method.clone(), base, path, "application/json");
            if let Some(body) = body {
                request = request.body(body.to_owned());
            }
            let sent_now = request.send().await;
            self.counters.ended(&method, sent_now.as_ref().ok().map(Response::status));
            match sent_now {
                Ok(response) => return Ok(read(without_credentials(base), response).await),
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
            let answered = request.send().await;
            self.counters.ended(&Method::GET, answered.as_ref().ok().map(Response::status));
            match answered {
                Ok(response) if response.status().is_success() => return Ok(response),
                Ok(response) => {
                    return Err(read(without_credentials(base), response).await.refused());
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
        let http = if method == Method::GET { &self.reads } else { &self.changes };
        let request = http
            .request(method, format!("{base}{path}"))
            .header("content-type", "application/json")
            .header("accept", accept);
        match (self.server.user.as_str(), self.server.password.expose()) {
            ("", _) | (_, "") => request,
            (user, password) => request.basic_auth(user, Some(password)),
        }
    }
}

#[async_trait]
impl Transport for Client {
    async fn exchange(&self, verb: Verb, path: &str, body: Option<&str>) -> Result<Answer, NoAnswer> {
        let method = match verb {
            Verb::Post => Method::POST,
            Verb::Put => Method::PUT,
            Verb::Delete => Method::DELETE,
        };
        self.send(method, path, body).await
    }
}

async fn read(endpoint: String, mut response: Response) -> Answer {
    let is_json = response
        .headers()
        .get("content-type")
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kind| kind.contains("json"));
    let status = response.status();
    let location = response.headers().get("location").filter(|_| status.is_redirection());
    let location = location.map(|place| without_credentials(&String::from_utf8_lossy(place.as_bytes())));
    Answer { endpoint, status, location, is_json, body: read_body(&mut response).await }
}

async fn read_body(response: &mut Response) -> Result<Vec<u8>, String> {
    // A body that grows step by step would stand there one and a half times.
    let told = response.content_length().unwrap_or_default().min(ANSWER_BYTES_RESERVED_MAX);
    let mut body = Vec::with_capacity(usize::try_from(told).unwrap_or_default());
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
    if error.is_timeout() && error.is_connect() {
        return "no connection in time".to_owned();
    }
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
