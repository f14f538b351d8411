//! Asks the API of one cluster.

use std::sync::Arc;
use std::time::Duration;

use paasta_core::{
    ClusterName, InstanceId, LogStream, LogTail, Registration, ServiceName, TaskId, without_credentials,
};
use reqwest::Url;
use serde::de::DeserializeOwned;

use crate::{
    ApiError, DeployQueue, ErrorBody, InstanceList, InstanceStatus, RegistrationEndpoints, ServiceList,
    StatusQuery, TaskLogAnswer,
};

/// The most of an answer that is read, so that no server can fill our memory.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How long to wait for an API (cli.md §4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection.
    pub connect: Duration,
    /// For a whole answer, connecting included.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), total: Duration::from_secs(60) }
    }
}

/// A client of one cluster's API. Cloning shares its connections.
///
/// ```no_run
/// # async fn ask() -> Result<(), Box<dyn std::error::Error>> {
/// use paasta_api_client::{ApiClient, StatusQuery, Timeouts};
///
/// let api = ApiClient::new("local".parse()?, "http://127.0.0.1:5054", Timeouts::default())?;
/// let status = api.status(&"web.main".parse()?, StatusQuery { verbose: 1 }).await?;
/// println!("{}", status.git_sha);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ApiClient {
    cluster: ClusterName,
    base: Url,
    http: reqwest::Client,
    timeouts: Timeouts,
}

impl std::fmt::Debug for ApiClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let url = without_credentials(self.base.as_str());
        f.debug_struct("ApiClient").field("cluster", &self.cluster).field("url", &url).finish_non_exhaustive()
    }
}

impl ApiClient {
    /// A client of the API at `url`, such as `http://127.0.0.1:5054`; asks nothing yet. Proxies are not used.
    pub fn new(cluster: ClusterName, url: &str, timeouts: Timeouts) -> Result<Self, ApiError> {
        let base = base_url(&cluster, url)?;
        let client =
            |source| ApiError::Client { cluster: cluster.clone(), url: without_credentials(url), source };
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls(base.scheme() == "https").map_err(client)?)
            .connect_timeout(timeouts.connect)
            .timeout(timeouts.total)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("paasta ", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| client(error.into()))?;
        Ok(Self { cluster, base, http, timeouts })
    }

    /// Whose API it is.
    pub fn cluster(&self) -> &ClusterName {
        &self.cluster
    }

    /// Where it is, with the credentials that the URL may hold.
    pub fn url(&self) -> &str {
        self.base.as_str()
    }

    /// The version of the server.
    pub async fn version(&self) -> Result<String, ApiError> {
        self.get(&["version"], &[]).await
    }

    /// Every instance of the cluster.
    pub async fn services(&self) -> Result<ServiceList, ApiError> {
        self.get(&["services"], &[]).await
    }

    /// The instances of one service.
    pub async fn instances(&self, service: &ServiceName) -> Result<InstanceList, ApiError> {
        self.get(&["services", service.as_str()], &[]).await
    }

    /// What deployd of the cluster works on and what waits for it; deployd itself answers it too.
    pub async fn deploy_queue(&self) -> Result<DeployQueue, ApiError> {
        self.get(&["queue"], &[]).await
    }

    /// Every task that is registered under a name.
    pub async fn endpoints(&self, registration: &Registration) -> Result<RegistrationEndpoints, ApiError> {
        self.get(&["registrations", registration.as_str(), "endpoints"], &[]).await
    }

    /// How one instance does.
    pub async fn status(
        &self,
        instance: &InstanceId,
        query: StatusQuery,
    ) -> Result<InstanceStatus, ApiError> {
        let path = ["services", instance.service().as_str(), instance.instance().as_str(), "status"];
        self.get(&path, &[("verbose", query.verbose.to_string())]).await
    }

    /// A part of one output of a task, by its short or its whole id.
    pub async fn task_log(
        &self,
        instance: &InstanceId,
        task: &TaskId,
        stream: LogStream,
        tail: LogTail,
    ) -> Result<TaskLogAnswer, ApiError> {
        let (service, name) = (instance.service().as_str(), instance.instance().as_str());
        let path = ["services", service, name, "tasks", task.as_str(), "log"];
        let mut query = vec![("stream", stream.as_str().to_owned()), ("lines", tail.lines.to_string())];
        query.extend(tail.after.map(|position| ("after", position.to_string())));
        self.get(&path, &query).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &[&str], query: &[(&str, String)]) -> Result<T, ApiError> {
        let url = self.url_of(path, query);
        let response = match self.http.get(url.clone()).send().await {
            // Nothing was sent yet, so asking once more cannot do harm.
            Err(error) if error.is_connect() && !error.is_timeout() => {
                self.http.get(url.clone()).send().await
            }
            outcome => outcome,
        };
        let response = response.map_err(|error| self.unanswered(&url, error))?;
        let status = response.status();
        let body = self.body(&url, response).await?;
        if !status.is_success() {
            return Err(self.refused(&url, status, &body));
        }
        serde_json::from_slice(&body).map_err(|error| self.garbled(&url, error))
    }

    fn url_of(&self, path: &[&str], query: &[(&str, String)]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("v1").extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    async fn body(&self, url: &Url, mut response: reqwest::Response) -> Result<Vec<u8>, ApiError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unanswered(url, error))? {
            body.extend_from_slice(&chunk);
            if body.len() > ANSWER_BYTES_MAX {
                return Err(self.garbled(url, format!("it is longer than {ANSWER_BYTES_MAX} bytes")));
            }
        }
        Ok(body)
    }

    fn unanswered(&self, url: &Url, error: reqwest::Error) -> ApiError {
        let (cluster, url) = (self.cluster.clone(), without_credentials(url.as_str()));
        match error.is_timeout() {
            true => ApiError::TimedOut { cluster, url, seconds: self.timeouts.total.as_secs() },
            false => ApiError::Unreachable { cluster, url, source: error.without_url() },
        }
    }

    fn refused(&self, url: &Url, status: reqwest::StatusCode, body: &[u8]) -> ApiError {
        let (code, message) = match serde_json::from_slice::<ErrorBody>(body) {
            Ok(body) => (body.error.code, [vec![body.error.message], body.error.detail].concat().join(": ")),
            Err(_) => (String::new(), first_line(body)),
        };
        let message = match message.is_empty() {
            true => status.canonical_reason().unwrap_or("no reason given").to_owned(),
            false => message,
        };
        let (cluster, url) = (self.cluster.clone(), without_credentials(url.as_str()));
        ApiError::Status { cluster, url, status: status.as_u16(), code, message }
    }

    fn garbled(&self, url: &Url, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ApiError {
        let url = without_credentials(url.as_str());
        ApiError::Garbled { cluster: self.cluster.clone(), url, source: source.into() }
    }
}

fn base_url(cluster: &ClusterName, url: &str) -> Result<Url, ApiError> {
    let wrong =
        |reason: String| ApiError::Url { cluster: cluster.clone(), url: without_credentials(url), reason };
    let base: Url = url.parse().map_err(|error| wrong(format!("{error}")))?;
    match base.scheme() {
        "http" | "https" if base.has_host() => Ok(base),
        _ => Err(wrong("it does not start with http:// or https://".to_owned())),
    }
}

/// The machine's own certificates are read only where they are needed: that takes longer than a whole answer.
fn tls(secure: bool) -> Result<rustls::ClientConfig, Box<dyn std::error::Error + Send + Sync>> {
    let mut roots = rustls::RootCertStore::empty();
    if secure {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err("this machine has no root certificates to check the server against".into());
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn first_line(body: &[u8]) -> String {
    String::from_utf8_lossy(body).lines().next().unwrap_or_default().trim().chars().take(300).collect()
}
