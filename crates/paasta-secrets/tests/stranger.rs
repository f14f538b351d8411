//! A provider as somebody outside of this project would write one.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;

use async_trait::async_trait;
use paasta_secrets::{
    CertificateRequest, Plaintext, SecretError, SecretName, SecretProvider, Unavailable, Write, WriteAction,
    decrypt_references,
};
use secrecy::ExposeSecret;

/// Keeps secrets in memory.
#[derive(Debug, Default)]
struct InMemory {
    ecosystems: Vec<String>,
    values: Mutex<BTreeMap<SecretName, Plaintext>>,
}

#[async_trait]
impl SecretProvider for InMemory {
    fn service(&self) -> &str {
        "svc"
    }

    fn ecosystems(&self) -> &[String] {
        &self.ecosystems
    }

    async fn decrypt_secret_raw(&self, name: &SecretName) -> Result<Plaintext, SecretError> {
        let values = self.values.lock().unwrap();
        let missing = || SecretError::NoSecret { name: name.to_string(), path: PathBuf::from("memory") };
        values.get(name).cloned().ok_or_else(missing)
    }

    async fn write_secret(&self, write: Write<'_>) -> Result<PathBuf, SecretError> {
        self.values.lock().unwrap().insert(write.name.clone(), write.plaintext.clone());
        Ok(PathBuf::from("memory"))
    }

    async fn renew_issue_cert(&self, _: &CertificateRequest) -> Result<Vec<PathBuf>, SecretError> {
        Err(SecretError::Unimplemented { provider: "memory", operation: "issue a certificate" })
    }
}

#[tokio::test]
async fn three_methods_make_a_provider() {
    let provider = InMemory::default();
    let (name, plaintext) = (SecretName::new("a").unwrap(), Plaintext::from(b"hunter2".to_vec()));
    let write = Write { action: WriteAction::Add, name: &name, plaintext: &plaintext, motivation: None };
    provider.write_secret(write).await.unwrap();
    let environment = BTreeMap::from([("A".to_owned(), "SECRET(a)".to_owned())]);
    let decrypted = decrypt_references(&environment, &provider, &Unavailable::new("_shared")).await.unwrap();
    assert_eq!(decrypted["A"].expose_secret(), "hunter2");
    assert!(!format!("{provider:?}").contains("hunter2"));
}
