//! Alertmanager, by version 2 of its interface.

use std::time::Duration;

use async_trait::async_trait;
use paasta_core::{Alert, CheckStatus, without_credentials};
use reqwest::{Client, Url};
use serde_json::{Map, Value, json};

use crate::outbox::Transport;
use crate::sinks::SinkError;

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Alerts in one request.
const ALERTS_AT_ONCE: usize = 100;
/// An alert that nobody tells of again ends after so long, or after four times of what lies between two events.
const HELD_MIN: Duration = Duration::from_secs(3600);

/// An Alertmanager. What is wrong is an alert that holds for at least an hour, or for as long as
/// [`Alertmanager::held_at_least`] says, unless it is told again or resolved; what is well ends it.
#[derive(Clone, Debug)]
pub struct Alertmanager {
    client: Client,
    url: Url,
    held_min: Duration,
}

impl Alertmanager {
    /// The one at that address; below it is `/api/v2/alerts`.
    ///
    /// # Errors
    /// It is no address, or this machine's certificates cannot be read.
    pub fn new(address: &str) -> Result<Self, SinkError> {
        let wrong = |reason: String| SinkError::Address { address: without_credentials(address), reason };
        let url = Url::parse(&format!("{}/api/v2/alerts", address.trim_end_matches('/')));
        let url = url.map_err(|error| wrong(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("expected an address such as http://alertmanager:9093".to_owned()));
        }
        let client = Client::builder()
            .tls_backend_preconfigured(tls(url.scheme() == "https").map_err(wrong)?)
            .user_agent(concat!("paasta-alerts ", env!("CARGO_PKG_VERSION")))
            .connect_timeout(PATIENCE)
            .timeout(PATIENCE)
            .build()
            .map_err(|error| wrong(error.to_string()))?;
        Ok(Self { client, url, held_min: HELD_MIN })
    }

    /// The same, but an alert that nobody tells of again holds for at least so long where that is more than an hour: longer
    /// than whoever tells of it may wait between two times, or it ends in between and pages anew.
    #[must_use]
    pub fn held_at_least(self, held: Duration) -> Self {
        Self { held_min: held.max(HELD_MIN), ..self }
    }
}

/// Trusts what this machine trusts, if anything is to be trusted at all.
fn tls(secure: bool) -> Result<rustls::ClientConfig, String> {
    let mut roots = rustls::RootCertStore::empty();
    if secure {
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            return Err("this machine has no root certificates that could be read".to_owned());
        }
    }
    let provider = rustls::crypto::ring::default_provider();
    let builder = rustls::ClientConfig::builder_with_provider(std::sync::Arc::new(provider));
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

#[async_trait]
impl Transport for Alertmanager {
    fn place(&self) -> String {
        format!("Alertmanager at {} (`alertmanager_url`)", without_credentials(self.url.as_str()))
    }

    fn at_once(&self) -> usize {
        ALERTS_AT_ONCE
    }

    async fn deliver(&self, alerts: &[Alert]) -> Result<(), String> {
        let body: Vec<Value> = alerts.iter().map(|alert| posted(alert, self.held_min)).collect();
        let answer = self.client.post(self.url.clone()).json(&body).send().await;
        let answer = answer.map_err(|error| paasta_core::chain(&error.without_url()))?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            status => Err(format!("it answered with status {status}")),
        }
    }
}

/// One alert as it is posted. Its labels are the same whatever was found, so that what is well ends what was wrong; what
/// changes from event to event is an annotation.
fn posted(alert: &Alert, held_min: Duration) -> Value {
    let event = &alert.event;
    let mut labels = Map::new();
    for (name, value) in [
        ("alertname", alert.check.clone()),
        ("paasta_service", alert.instance.service().to_string()),
        ("paasta_instance", alert.instance.instance().to_string()),
        ("paasta_cluster", alert.cluster.clone().unwrap_or_default()),
        ("team", event.team.clone()),
        ("page", event.page.unwrap_or(false).to_string()),
    ] {
        // An empty label is none.
        if !value.is_empty() {
            labels.insert(name.to_owned(), Value::String(value));
        }
    }
    let mut annotations = Map::new();
    let summary = event.output.lines().next().unwrap_or_default().to_owned();
    for (name, value) in [
        ("summary", Some(summary)),
        ("output", Some(event.output.clone())),
        ("status", Some(event.status.to_string())),
        ("runbook", Some(event.runbook.clone())),
        ("tip", event.tip.clone()),
        ("description", event.description.clone()),
    ] {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            annotations.insert(name.to_owned(), Value::String(value));
        }
    }
    let mut posted = json!({"labels": labels, "annotations": annotations});
    if event.status == CheckStatus::Ok {
        posted["endsAt"] = Value::String(alert.at.to_string());
    } else {
        let held = event.ttl.unwrap_or_else(|| held_min.as_secs().max(event.interval.saturating_mul(4)));
        posted["startsAt"] = Value::String(alert.at.to_string());
        posted["endsAt"] = Value::String(alert.at.plus(Duration::from_secs(held)).to_string());
    }
    posted
}
