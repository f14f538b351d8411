//! Whichever master leads, asked over HTTP.

use std::path::PathBuf;

use reqwest::{Method, Url};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::http::{ANSWER_BYTES_MAX, Http, Request, garbled};
use crate::leader::redirected;
use crate::master::{Authority, blocking};
use crate::{CACHE_PORT, Credentials, DEFAULT_SECRET_FILE, Master, MesosError, Patience, Peer};

/// Asks the master that [`Master`] finds. After a failure it is looked for anew.
pub(crate) struct Asking {
    pub(crate) master: Master,
    pub(crate) secret_file: PathBuf,
    /// How long is waited; `None` as long as the file of the master says.
    pub(crate) patience: Option<Patience>,
    /// The client of the last request, and what it was made for: TLS takes some milliseconds to set up.
    client: Mutex<Option<(Patience, bool, Http)>>,
}

impl Asking {
    pub(crate) fn new(master: Master) -> Self {
        let secret_file = DEFAULT_SECRET_FILE.into();
        Self { master, secret_file, patience: None, client: Mutex::default() }
    }

    /// The answer to `GET` of the first of these paths that the master has.
    pub(crate) async fn get<T: DeserializeOwned + Send + 'static>(
        &self,
        paths: &[&str],
        may_be_cached: bool,
        bytes_max: usize,
    ) -> Result<T, MesosError> {
        let answer = self.get_once(paths, may_be_cached, bytes_max).await;
        self.forget_after(answer).await
    }

    async fn get_once<T: DeserializeOwned + Send + 'static>(
        &self,
        paths: &[&str],
        may_be_cached: bool,
        bytes_max: usize,
    ) -> Result<T, MesosError> {
        let found = self.master.found().await?;
        let patience = self.patience.unwrap_or(Patience::reading(found.cli.response_timeout));
        let http = self.client(patience, &found.authority).await?;
        let (peer, authority) = match may_be_cached && found.cli.use_mesos_cache {
            true => (Peer::Cache, found.authority.with_port(CACHE_PORT)),
            false => (Peer::Master, found.authority),
        };
        let urls: Vec<String> = paths.iter().map(|path| format!("{authority}{path}")).collect();
        http.first(peer, &urls, bytes_max).await
    }

    /// Where the master that is asked sends whoever looks for the one that leads.
    pub(crate) async fn leading(&self) -> Result<Authority, MesosError> {
        let found = self.master.found().await?;
        let patience = self.patience.unwrap_or(Patience::reading(found.cli.response_timeout));
        let http = self.client(patience, &found.authority).await?;
        let url = format!("{}/master/redirect", found.authority);
        let url = redirected(&http, &Request::get(Peer::Master, url, ANSWER_BYTES_MAX)).await?;
        let address = match (url.host_str(), url.port_or_known_default()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            _ => return Err(garbled(Peer::Master, &url, "it names no host".to_owned())),
        };
        Ok(Authority { scheme: url.scheme().to_owned(), address })
    }

    /// The answer of that very master.
    pub(crate) async fn get_of<T: DeserializeOwned + Send + 'static>(
        &self,
        authority: &Authority,
        path: &str,
        bytes_max: usize,
    ) -> Result<T, MesosError> {
        let found = self.master.found().await?;
        let patience = self.patience.unwrap_or(Patience::reading(found.cli.response_timeout));
        let http = self.client(patience, authority).await?;
        http.first(Peer::Master, &[format!("{authority}{path}")], bytes_max).await
    }

    /// A call of the operator's interface, as who the secret file says (monitoring.md §8.1).
    /// `read` takes its answer.
    pub(crate) async fn call<T>(
        &self,
        body: &Value,
        read: impl FnOnce(&[u8]) -> Result<T, String> + Send,
    ) -> Result<T, MesosError> {
        let answer = match self.call_once(body).await {
            Ok((url, answer)) => read(&answer).map_err(|reason| garbled(Peer::Master, &url, reason)),
            Err(error) => Err(error),
        };
        self.forget_after(answer).await
    }

    async fn call_once(&self, body: &Value) -> Result<(Url, Vec<u8>), MesosError> {
        let authority = self.master.find().await?;
        let credentials = self.credentials().await?;
        let http = self.client(self.patience.unwrap_or(Patience::OPERATOR), &authority).await?;
        let request = Request {
            peer: Peer::Master,
            method: Method::POST,
            url: format!("{authority}/api/v1"),
            body: Some(body.to_string()),
            credentials: credentials.as_ref(),
            bytes_max: ANSWER_BYTES_MAX,
        };
        http.body(&request).await
    }

    /// Who we are, if that is said.
    pub(crate) async fn credentials(&self) -> Result<Option<Credentials>, MesosError> {
        let secret_file = self.secret_file.clone();
        blocking(move || Credentials::read(&secret_file)).await
    }

    async fn client(&self, patience: Patience, authority: &Authority) -> Result<Http, MesosError> {
        let secure = authority.scheme == "https";
        let mut client = self.client.lock().await;
        if let Some((for_patience, for_secure, http)) = &*client
            && (*for_patience, *for_secure) == (patience, secure)
        {
            return Ok(http.clone());
        }
        let http = blocking(move || Http::new(patience, secure)).await?;
        *client = Some((patience, secure, http.clone()));
        Ok(http)
    }

    async fn forget_after<T>(&self, answer: Result<T, MesosError>) -> Result<T, MesosError> {
        if answer.is_err() {
            self.master.forget().await;
        }
        answer
    }
}
