//! The few requests of Vault's HTTP API that secrets take.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use paasta_core::without_credentials;
use reqwest::header::HeaderValue;
use reqwest::{StatusCode, Url};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{VaultError, VaultServer};
use crate::CertificateRequest;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Secrets are small; Vault itself takes at most 32 MiB.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What an answer says is wrong is shown up to here.
const REASON_CHARACTERS_MAX: usize = 300;

/// One Vault.
#[derive(Clone, Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    base: Url,
    server: VaultServer,
}

/// A certificate as issued.
#[derive(Deserialize)]
pub(super) struct Issued {
    pub(super) certificate: SecretString,
    #[serde(rename = "private_key")]
    pub(super) key: SecretString,
    #[serde(rename = "issuing_ca")]
    pub(super) authority: SecretString,
}

/// What Vault wraps an answer in.
#[derive(Deserialize)]
struct Answer<D> {
    data: Option<D>,
    auth: Option<Authenticated>,
}

#[derive(Deserialize)]
struct Authenticated {
    client_token: SecretString,
}

#[derive(Deserialize, Default)]
struct Refusal {
    #[serde(default)]
    errors: Vec<String>,
}

impl Client {
    pub(super) fn new(server: &VaultServer) -> Result<Self, VaultError> {
        let base = base_url(&server.url)?;
        let failed = |reason| VaultError::Client { url: without_credentials(base.as_str()), reason };
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(
                tls(base.scheme() == "https", server.ca_file.as_deref()).map_err(failed)?,
            )
            .connect_timeout(CONNECT_TIMEOUT.min(server.timeout))
            .timeout(server.timeout)
            // A token goes to the Vault that was named, not to where an answer points.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("paasta-secrets ", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| failed(describe(&error)))?;
        Ok(Self { http, base, server: server.clone() })
    }

    /// One request of the transit engine, and the text at `data.<wanted>` of its answer.
    pub(super) async fn transit(
        &self,
        token: &SecretString,
        operation: &'static str,
        key: &str,
        body: &impl Serialize,
        wanted: &'static str,
    ) -> Result<SecretString, VaultError> {
        let path = [&self.server.transit_mount, operation, key];
        let attempt = format!("{operation} with transit key `{key}`");
        let answer: Answer<std::collections::BTreeMap<String, SecretOrOther>> =
            self.post(Some(token), &path, body, &attempt).await?;
        match answer.data.and_then(|mut data| data.remove(wanted)) {
            Some(SecretOrOther(Some(text))) => Ok(text),
            _ => Err(self.garbled(&format!("it has no text `data.{wanted}`"))),
        }
    }

    pub(super) async fn log_in_by_ldap(
        &self,
        user: &str,
        password: &SecretString,
    ) -> Result<SecretString, VaultError> {
        #[derive(Serialize)]
        struct Login<'a> {
            password: &'a str,
        }
        let path = ["auth", &self.server.ldap_mount, "login", user];
        let body = Login { password: password.expose_secret() };
        self.token(None, &path, &body, &format!("log in as `{user}`")).await
    }

    /// A token that ends after so many requests.
    pub(super) async fn limited_token(
        &self,
        token: &SecretString,
        uses: u32,
    ) -> Result<SecretString, VaultError> {
        #[derive(Serialize)]
        struct Create {
            num_uses: u32,
            renewable: bool,
        }
        let body = Create { num_uses: uses, renewable: false };
        self.token(Some(token), &["auth", "token", "create"], &body, "make a token of few uses").await
    }

    pub(super) async fn issue(
        &self,
        token: &SecretString,
        request: &CertificateRequest,
        common_name: &str,
    ) -> Result<Issued, VaultError> {
        #[derive(Serialize)]
        struct Issue<'a> {
            common_name: &'a str,
            ttl: &'a str,
        }
        let path = [&request.pki_backend, "issue", &request.user];
        let body = Issue { common_name, ttl: &request.ttl };
        let attempt = format!("issue a certificate for `{common_name}`");
        let answer: Answer<Issued> = self.post(Some(token), &path, &body, &attempt).await?;
        answer.data.ok_or_else(|| self.garbled("it has no `data`"))
    }

    pub(super) fn garbled(&self, reason: &str) -> VaultError {
        VaultError::Garbled { url: self.url(), reason: reason.to_owned() }
    }

    async fn token(
        &self,
        token: Option<&SecretString>,
        path: &[&str],
        body: &impl Serialize,
        attempt: &str,
    ) -> Result<SecretString, VaultError> {
        let answer: Answer<serde::de::IgnoredAny> = self.post(token, path, body, attempt).await?;
        let token = answer.auth.map(|auth| auth.client_token);
        token.ok_or_else(|| self.garbled("it has no `auth.client_token`"))
    }

    async fn post<T: for<'a> Deserialize<'a>>(
        &self,
        token: Option<&SecretString>,
        path: &[&str],
        body: &impl Serialize,
        attempt: &str,
    ) -> Result<T, VaultError> {
        let body = serde_json::to_vec(body).map_err(|error| self.garbled(&error.to_string()))?;
        let mut request = self.http.post(self.url_of(path)).header("X-Vault-Request", "true").body(body);
        if let Some(namespace) = &self.server.namespace {
            request = request.header("X-Vault-Namespace", namespace);
        }
        if let Some(token) = token {
            request = request.header("X-Vault-Token", self.token_header(token)?);
        }
        let response = request.send().await.map_err(|error| self.failed(&error))?;
        let status = response.status();
        let answer = self.read(response).await?;
        if !status.is_success() {
            return Err(self.refused(status, &answer, attempt));
        }
        // The reason of a mismatch could quote the answer, so that it is not told.
        serde_json::from_slice(&answer).map_err(|_| self.garbled("it is not the JSON that Vault answers"))
    }

    fn token_header(&self, token: &SecretString) -> Result<HeaderValue, VaultError> {
        let mut value = HeaderValue::from_str(token.expose_secret()).map_err(|_| VaultError::Client {
            url: self.url(),
            reason: "the token holds characters that no token has".to_owned(),
        })?;
        value.set_sensitive(true);
        Ok(value)
    }

    async fn read(&self, mut response: reqwest::Response) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let mut answer = Zeroizing::new(Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failed(&error))? {
            if answer.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(self.garbled("it is larger than 8 MiB"));
            }
            answer.extend_from_slice(&chunk);
        }
        Ok(answer)
    }

    fn refused(&self, status: StatusCode, answer: &[u8], attempt: &str) -> VaultError {
        let refusal: Refusal = serde_json::from_slice(answer).unwrap_or_default();
        let shown: String =
            refusal.errors.join("; ").chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let reason = match shown.trim() {
            "" => "it does not say why".to_owned(),
            shown => shown.chars().take(REASON_CHARACTERS_MAX).collect(),
        };
        let (url, attempt) = (self.url(), attempt.to_owned());
        match status.as_u16() {
            401 | 403 => VaultError::Denied { url, attempt, reason },
            // A standby that does not forward points elsewhere.
            status @ (307 | 429 | 472 | 473 | 501 | 502 | 503 | 504) => {
                VaultError::NotInService { url, status, reason }
            }
            status => VaultError::Refused { url, attempt, status, reason },
        }
    }

    fn failed(&self, error: &reqwest::Error) -> VaultError {
        if error.is_timeout() {
            return VaultError::TimedOut {
                url: self.url(),
                seconds: self.server.timeout.as_secs_f64().ceil() as u64,
            };
        }
        VaultError::Unreachable { url: self.url(), reason: describe(error) }
    }

    fn url(&self) -> String {
        without_credentials(self.base.as_str())
    }

    fn url_of(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("v1");
            // A mount may be a path.
            segments
                .extend(path[..1].iter().flat_map(|mount| mount.split('/')).filter(|name| !name.is_empty()));
            segments.extend(&path[1..]);
        }
        url
    }
}

/// A member of an answer: its text, or that it is none.
struct SecretOrOther(Option<SecretString>);

impl<'de> Deserialize<'de> for SecretOrOther {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        Ok(Self(match value {
            serde_json::Value::String(text) => Some(SecretString::from(text)),
            _ => None,
        }))
    }
}

/// Takes `https`, and `http` to this machine, where nobody else listens.
fn base_url(text: &str) -> Result<Url, VaultError> {
    let bad = |reason| VaultError::BadUrl { url: without_credentials(text), reason };
    let url = Url::parse(text).map_err(|_| bad("it is not a URL"))?;
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let own = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    match url.scheme() {
        _ if host.is_empty() => Err(bad("it names no host")),
        _ if !url.username().is_empty() || url.password().is_some() => Err(bad("it holds credentials")),
        _ if url.query().is_some() || url.fragment().is_some() => Err(bad("it has a query or a fragment")),
        "https" => Ok(url),
        "http" if own => Ok(url),
        "http" => Err(bad("secrets are not sent over the network without TLS; use `https`")),
        _ => Err(bad("it is neither `https` nor, for this machine, `http`")),
    }
}

/// rustls with ring, trusting the given authorities, else what this machine trusts.
fn tls(secure: bool, ca_file: Option<&Path>) -> Result<rustls::ClientConfig, String> {
    let mut roots = rustls::RootCertStore::empty();
    match ca_file {
        _ if !secure => {}
        Some(path) => {
            let unusable =
                |reason: String| format!("`{}` holds no usable certificate: {reason}", path.display());
            let certificates =
                CertificateDer::pem_file_iter(path).map_err(|error| unusable(error.to_string()))?;
            for certificate in certificates {
                let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
                roots.add(certificate).map_err(|error| unusable(error.to_string()))?;
            }
            if roots.is_empty() {
                return Err(unusable("there is none in it".to_owned()));
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err("this machine has no root certificates to check the server against".to_owned());
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// An error with its causes, without the URL, which is told anyhow.
fn describe(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(error) = cause {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&error.to_string());
        cause = error.source();
    }
    if text.is_empty() { "the conversation broke off".to_owned() } else { text }
}
