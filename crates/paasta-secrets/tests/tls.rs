//! A Vault over TLS is believed if its certificate comes from the authorities that were named for it, and not else.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[expect(dead_code, reason = "these tests need a part of it")]
mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use common::{Tree, everything, make};
use paasta_secrets::{SecretError, SecretName, VaultAuthentication, VaultError};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

/// Makes `NAME.pem` and `NAME.key`: a certificate of 127.0.0.1 that nobody else signed. `false` where there is no
/// `openssl`, which fails the test if components are required.
#[expect(clippy::disallowed_methods, reason = "a test's own surroundings")]
fn certificate(folder: &Path, name: &str) -> bool {
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
        ])
        .args(["-subj", &format!("/CN={name}"), "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(folder.join(format!("{name}.key")))
        .arg("-out")
        .arg(folder.join(format!("{name}.pem")))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let made = made.is_ok_and(|status| status.success());
    if !made {
        assert!(std::env::var_os("PAASTA_REQUIRE_COMPONENTS").is_none(), "`openssl` makes no certificate");
        eprintln!("skipped: `openssl` makes no certificate");
    }
    made
}

/// Answers every request with the plaintext `hunter2`; gives back its port.
fn serve(folder: &Path) -> u16 {
    let certificate = CertificateDer::from_pem_file(folder.join("vault.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("vault.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut tls = rustls::StreamOwned::new(connection, stream.unwrap());
            // A client that does not believe us leaves during the handshake.
            if tls.read(&mut [0; 8192]).is_ok_and(|bytes| bytes > 0) {
                let body = r#"{"data": {"plaintext": "aHVudGVyMg=="}}"#;
                let head =
                    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
                let _ = tls.write_all((head + body).as_bytes());
                tls.conn.send_close_notify();
                let _ = tls.flush();
            }
        }
    });
    port
}

#[tokio::test]
async fn a_certificate_must_come_from_the_named_authorities() {
    let tree = Tree::new();
    let folder = tree.0.path();
    if !certificate(folder, "vault") || !certificate(folder, "stranger") {
        return;
    }
    fs::create_dir_all(tree.soa().join("svc/secrets")).unwrap();
    fs::write(tree.secret("a"), r#"{"environments": {"prod": {"ciphertext": "vault:v1:x"}}}"#).unwrap();
    let port = serve(folder);
    let read = async |ca_file: Option<&str>| -> Result<String, SecretError> {
        let mut server = json!({"url": format!("https://127.0.0.1:{port}"), "timeout_seconds": 5});
        if let Some(file) = ca_file {
            server["ca_file"] = json!(tree.path(file));
        }
        let system = json!({
            "secret_provider": "vault", "vault_cluster_map": {"c": "prod"}, "vault_servers": {"prod": server},
        });
        let mut options = tree.options("svc", &["c"]);
        options.vault_authentication = VaultAuthentication::Token(SecretString::from("hvs.x"));
        let text = make(&system, options)?.decrypt_secret(&SecretName::new("a")?).await?;
        Ok(text.expose_secret().to_owned())
    };
    assert_eq!(read(Some("vault.pem")).await.unwrap(), "hunter2");
    let error = read(Some("stranger.pem")).await.unwrap_err();
    assert!(matches!(&error, SecretError::Vault(VaultError::Unreachable { .. })), "{error}");
    assert!(error.to_string().contains("certificate"), "{error}");
    // Nor do the authorities of this machine know it, if it has any.
    let error = read(None).await.unwrap_err();
    let refused =
        matches!(&error, SecretError::Vault(VaultError::Unreachable { .. } | VaultError::Client { .. }));
    assert!(refused && !everything(&error).contains("hvs.x"), "{error}");
}
