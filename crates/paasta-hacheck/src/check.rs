//! Real checks of services on this machine.

use std::error::Error;
use std::time::Duration;

use axum::http::HeaderMap;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::server::HacheckError;
use crate::{Kind, Target, tls};

/// Seconds that one check may take.
pub(crate) const CHECK_SECONDS_MAX: u64 = 10;
/// Bytes of a service's answer that are passed on.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// What a check came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checked {
    /// The status to answer with: 200 is fit for traffic.
    pub(crate) code: u16,
    /// What the service, or the attempt to reach it, said.
    pub(crate) text: String,
}

impl Checked {
    pub(crate) fn new(code: u16, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }

    /// Nothing keeps the service from traffic.
    pub(crate) fn up(target: &Target) -> Self {
        Self::new(200, format!("Service {} in up state", target.name))
    }

    fn failed(error: &dyn Error) -> Self {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        Self::new(503, text)
    }
}

/// Carries out checks.
#[derive(Debug)]
pub(crate) struct Checker {
    http: reqwest::Client,
}

impl Checker {
    pub(crate) fn new() -> Result<Self, HacheckError> {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::unverified().map_err(HacheckError::Tls)?)
            .user_agent(concat!("paasta-hacheck ", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(CHECK_SECONDS_MAX))
            // A check shows that the service takes new connections.
            .pool_max_idle_per_host(0)
            .no_proxy()
            .build()
            .map_err(HacheckError::Client)?;
        Ok(Self { http })
    }

    /// Checks `target`, asking `query` too and sending `headers` along.
    pub(crate) async fn check(&self, target: &Target, query: Option<&str>, headers: HeaderMap) -> Checked {
        match target.kind {
            Kind::Http | Kind::Https => self.request(target, query, headers).await,
            Kind::Tcp => connect(target.port).await,
            Kind::Spool => Checked::up(target),
            Kind::Mysql | Kind::Smtp => Checked::new(501, format!("{} checks are unsupported", target.kind)),
        }
    }

    async fn request(&self, target: &Target, query: Option<&str>, headers: HeaderMap) -> Checked {
        let Target { kind, port, path, .. } = target;
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        let url = format!("{kind}://127.0.0.1:{port}/{path}{query}");
        let answer = self.http.get(url).headers(headers).send().await;
        match answer {
            Ok(answer) => {
                let code = answer.status().as_u16();
                read_body(answer)
                    .await
                    .map_or_else(|error| Checked::failed(&error), |body| Checked::new(code, body))
            }
            Err(error) => Checked::failed(&error),
        }
    }
}

async fn connect(port: u16) -> Checked {
    let connecting = TcpStream::connect(("127.0.0.1", port));
    match timeout(Duration::from_secs(CHECK_SECONDS_MAX), connecting).await {
        Ok(Ok(_)) => Checked::new(200, format!("connected to port {port}")),
        Ok(Err(error)) => Checked::failed(&error),
        Err(_) => Checked::new(503, format!("no connection to port {port} within {CHECK_SECONDS_MAX} s")),
    }
}

async fn read_body(mut answer: reqwest::Response) -> Result<String, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() >= BODY_BYTES_MAX {
            body.truncate(BODY_BYTES_MAX);
            break;
        }
    }
    Ok(String::from_utf8_lossy(&body).into_owned())
}
