//! Carries out health checks.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use paasta_core::{TaskId, chain};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};

use crate::core_loop::Caller;
use crate::executor::Executor;
use crate::state::{CheckPort, Command, HealthCheck, Probe, RunRef};

/// No check is repeated faster than this.
const INTERVAL_LEAST: Duration = Duration::from_millis(100);
/// In the grace period and before the first success a check is repeated at least this often: such failures do
/// not count, and whoever waits for the task need not wait for the interval.
const EAGER_INTERVAL: Duration = Duration::from_millis(500);

/// What a check goes to.
#[derive(Clone, Debug)]
pub(crate) struct CheckTarget {
    pub(crate) task: TaskId,
    pub(crate) run: RunRef,
    pub(crate) ports: Vec<u16>,
}

/// Carries out checks.
pub(crate) struct Prober {
    client: reqwest::Client,
    executor: Arc<dyn Executor>,
}

impl Prober {
    /// Fails only if TLS cannot be set up.
    pub(crate) fn new(executor: Arc<dyn Executor>) -> Result<Self, String> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls_without_judgement()?)
            .redirect(reqwest::redirect::Policy::none())
            .pool_max_idle_per_host(0)
            .no_proxy()
            .user_agent("paasta-engine health check")
            .build();
        Ok(Self { client: client.map_err(|error| chain(&error))?, executor })
    }

    /// Checks again and again; ends only by being dropped.
    pub(crate) async fn check_forever(
        &self,
        caller: &Caller,
        target: &CheckTarget,
        index: usize,
        check: &HealthCheck,
    ) {
        let interval = seconds(check.interval_seconds).max(INTERVAL_LEAST);
        let grace_ends = Instant::now() + seconds(check.grace_seconds);
        let mut was_well = false;
        loop {
            let begun = Instant::now();
            let result = self.check(target, check).await;
            was_well |= result.is_ok();
            let command = Command::Checked { task: target.task.clone(), check: index, result };
            caller.tell(command).await;
            let eager = !was_well && Instant::now() < grace_ends;
            let wait = if eager { interval.min(EAGER_INTERVAL) } else { interval };
            tokio::time::sleep(wait.saturating_sub(begun.elapsed())).await;
        }
    }

    async fn check(&self, target: &CheckTarget, check: &HealthCheck) -> Result<(), String> {
        if self.executor.passes_checks() {
            return Ok(());
        }
        let timeout = seconds(check.timeout_seconds).max(INTERVAL_LEAST);
        let probing = self.probe(target, &check.probe);
        let result = tokio::time::timeout(timeout, probing).await;
        result.unwrap_or_else(|_| Err(format!("no answer within {} s", timeout.as_secs_f64())))
    }

    async fn probe(&self, target: &CheckTarget, probe: &Probe) -> Result<(), String> {
        match probe {
            Probe::Http { tls, path, port } => {
                let scheme = if *tls { "https" } else { "http" };
                let slash = if path.starts_with('/') { "" } else { "/" };
                let url = format!("{scheme}://127.0.0.1:{}{slash}{path}", port_of(target, *port)?);
                let response = self.client.get(url).send().await.map_err(|error| innermost(&error))?;
                match response.status().as_u16() {
                    200..=399 => Ok(()),
                    status => Err(format!("HTTP status {status}")),
                }
            }
            Probe::Tcp { port } => {
                let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port_of(target, *port)?));
                let connected = tokio::net::TcpStream::connect(address).await;
                connected.map(drop).map_err(|error| error.to_string())
            }
            Probe::Command { command } => {
                self.executor.probe_command(&target.task, &target.run, command).await
            }
        }
    }
}

/// The last cause tells: those before it say that a request was made and to where, which whoever reads it knows.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string()
}

fn port_of(target: &CheckTarget, port: CheckPort) -> Result<u16, String> {
    match port {
        CheckPort::Number(port) => Ok(port),
        CheckPort::Index(index) => {
            target.ports.get(index).copied().ok_or_else(|| format!("the task has no port {index}"))
        }
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO)
}

/// Marathon's checks do not judge certificates: a task's certificate is rarely made out to its host.
fn tls_without_judgement() -> Result<rustls::ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let verifier = Arc::new(AnyCertificate(provider));
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_refused_connection_is_told_in_few_words() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        drop(listener);
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls_without_judgement().expect("TLS"))
            .no_proxy()
            .build()
            .expect("a client");
        let error = client.get(format!("http://{address}/status")).send().await.expect_err("nobody listens");
        assert!(innermost(&error).starts_with("Connection refused"), "{}", innermost(&error));
    }
}
