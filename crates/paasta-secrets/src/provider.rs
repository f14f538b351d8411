//! What a secret provider does.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use async_trait::async_trait;
use paasta_config::SecretReference;
use secrecy::{ExposeSecret, SecretSlice, SecretString};

use crate::{SecretError, SecretName};

/// What a secret says, in bytes.
pub type Plaintext = SecretSlice<u8>;

/// Encrypts and decrypts the secrets of one service, or of `_shared`, for the ecosystems of some clusters
/// (config.md §6.3). Reading uses the first ecosystem, writing all of them.
#[async_trait]
pub trait SecretProvider: fmt::Debug + Send + Sync {
    /// The service whose secrets these are; it is the context that every secret is bound to.
    fn service(&self) -> &str;

    /// The ecosystems, without repetition, in the order of the clusters that were given.
    fn ecosystems(&self) -> &[String];

    /// What a secret says, in bytes.
    async fn decrypt_secret_raw(&self, name: &SecretName) -> Result<Plaintext, SecretError>;

    /// Encrypts a secret for every ecosystem and writes its file, whole or not at all. Gives back the file.
    async fn write_secret(&self, write: Write<'_>) -> Result<PathBuf, SecretError>;

    /// Has a client certificate issued for the first ecosystem and writes it, its key and its authority to files, which
    /// it gives back.
    async fn renew_issue_cert(&self, request: &CertificateRequest) -> Result<Vec<PathBuf>, SecretError>;

    /// What a secret says, as a text.
    async fn decrypt_secret(&self, name: &SecretName) -> Result<SecretString, SecretError> {
        text(name, &self.decrypt_secret_raw(name).await?)
    }

    /// What the references among an environment say. Every value must be a reference to a secret of this service;
    /// [`decrypt_references`] sorts a whole environment.
    async fn decrypt_environment(
        &self,
        environment: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, SecretString>, SecretError> {
        let mut decrypted = BTreeMap::new();
        for (variable, value) in environment {
            let reference = SecretReference::parse(value)
                .filter(|reference| reference.shared == (self.service() == SHARED))
                .ok_or_else(|| SecretError::OtherService {
                    variable: variable.clone(),
                    reference: value.clone(),
                    service: self.service().to_owned(),
                })?;
            decrypted.insert(variable.clone(), self.decrypt_secret(&SecretName::of(&reference)?).await?);
        }
        Ok(decrypted)
    }

    /// The signature in a secret file's content for the first ecosystem; `None` where it has none.
    fn signature_from_data(&self, data: &serde_json::Value) -> Option<String> {
        let entry = data.get("environments")?.get(self.ecosystems().first()?)?;
        entry.get("signature")?.as_str().map(str::to_owned)
    }
}

/// The service that shared secrets belong to.
pub(crate) const SHARED: &str = "_shared";

/// A secret to be written.
#[derive(Clone, Copy, Debug)]
pub struct Write<'a> {
    /// Whether it must be new or must be there.
    pub action: WriteAction,
    /// The secret.
    pub name: &'a SecretName,
    /// What it says.
    pub plaintext: &'a Plaintext,
    /// Why the same value serves more than one ecosystem; written beside it.
    pub motivation: Option<&'a str>,
}

/// Whether a secret must be new or must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteAction {
    /// It must not be there for any of the ecosystems.
    Add,
    /// Its file must be there; an ecosystem that it lacks is added.
    Update,
}

/// A client certificate to be issued.
#[derive(Clone, Debug)]
pub struct CertificateRequest {
    /// Where the provider's PKI is mounted, such as `pki_int`.
    pub pki_backend: String,
    /// How long it lasts, in Vault's form, such as `8h`.
    pub ttl: String,
    /// Whose it is: the role, and the first part of the common name `<user>.<ecosystem>.paasta.yelp`.
    pub user: String,
    /// Where the files go, usually `~/.paasta/pki`.
    pub folder: PathBuf,
}

/// The provider of a cluster that has none: every call fails and says so.
#[derive(Clone, Debug)]
pub struct Unavailable {
    service: String,
    ecosystems: Vec<String>,
}

impl Unavailable {
    /// Its name in the system configuration.
    pub const NAME: &'static str = "paasta_tools.secret_providers";

    /// For the secrets of a service.
    pub fn new(service: impl Into<String>) -> Self {
        Self { service: service.into(), ecosystems: Vec::new() }
    }

    fn cannot<T>(operation: &'static str) -> Result<T, SecretError> {
        Err(SecretError::Unimplemented { provider: Self::NAME, operation })
    }
}

#[async_trait]
impl SecretProvider for Unavailable {
    fn service(&self) -> &str {
        &self.service
    }

    fn ecosystems(&self) -> &[String] {
        &self.ecosystems
    }

    async fn decrypt_secret_raw(&self, _: &SecretName) -> Result<Plaintext, SecretError> {
        Self::cannot("decrypt a secret")
    }

    async fn decrypt_environment(
        &self,
        _: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, SecretString>, SecretError> {
        Self::cannot("decrypt an environment")
    }

    async fn write_secret(&self, _: Write<'_>) -> Result<PathBuf, SecretError> {
        Self::cannot("write a secret")
    }

    async fn renew_issue_cert(&self, _: &CertificateRequest) -> Result<Vec<PathBuf>, SecretError> {
        Self::cannot("issue a certificate")
    }
}

/// What the secret references of a whole environment say, by variable: `own` decrypts those of the service, `shared`
/// those of `_shared`. Other variables are left out.
pub async fn decrypt_references(
    environment: &BTreeMap<String, String>,
    own: &dyn SecretProvider,
    shared: &dyn SecretProvider,
) -> Result<BTreeMap<String, SecretString>, SecretError> {
    let mut sorted = [BTreeMap::new(), BTreeMap::new()];
    for (variable, value) in environment {
        if let Some(reference) = SecretReference::parse(value) {
            sorted[usize::from(reference.shared)].insert(variable.clone(), value.clone());
        }
    }
    let mut decrypted = BTreeMap::new();
    for (provider, references) in [own, shared].into_iter().zip(&sorted) {
        if !references.is_empty() {
            decrypted.extend(provider.decrypt_environment(references).await?);
        }
    }
    Ok(decrypted)
}

fn text(name: &SecretName, plaintext: &Plaintext) -> Result<SecretString, SecretError> {
    match std::str::from_utf8(plaintext.expose_secret()) {
        Ok(text) => Ok(SecretString::from(text)),
        Err(_) => Err(SecretError::NotText { name: name.to_string() }),
    }
}
