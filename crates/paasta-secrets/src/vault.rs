//! Secrets encrypted by the transit engine of a Vault.

use std::collections::BTreeMap;
use std::path::PathBuf;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use tokio::sync::OnceCell;

use crate::file::read_private;
use crate::options::Options;
use crate::provider::{CertificateRequest, Plaintext, SecretProvider, Write};
use crate::store::{Sealed, Store, write_file};
use crate::{SecretError, SecretName};

mod client;
mod error;
mod servers;

use client::Client;
pub use error::VaultError;
pub use servers::{VaultServer, VaultServers};

/// Who we are to Vault.
#[derive(Clone, Debug)]
pub enum VaultAuthentication {
    /// A token.
    Token(SecretString),
    /// The file that holds the token; its owner alone may be able to read it.
    TokenFile(PathBuf),
    /// A user of the LDAP that Vault asks.
    Ldap {
        /// The user's name.
        user: String,
        /// The password, asked for by the program.
        password: SecretString,
    },
}

/// Encrypts and decrypts by the transit engines of Vaults, one for each ecosystem, with the key `encryption_key` of
/// service.yaml (`paasta` unless it is set) and the service's name as context.
///
/// The signature is Vault's HMAC of service, name, ecosystem and value under the same key: equal values under different
/// names do not show. It changes with the value, and when a value is written again after the transit key was rotated.
#[derive(Debug)]
pub struct Vault {
    store: Store,
    ecosystems: Vec<String>,
    clients: BTreeMap<String, Client>,
    authentication: VaultAuthentication,
    token_uses: Option<u32>,
    /// A token for each ecosystem, once it was needed.
    tokens: BTreeMap<String, OnceCell<SecretString>>,
}

impl Vault {
    /// Its name in the system configuration.
    pub const NAME: &'static str = "paasta_tools.secret_providers.vault";

    pub(crate) fn new(
        store: Store,
        ecosystems: Vec<String>,
        servers: &VaultServers,
        options: Options,
    ) -> Result<Self, SecretError> {
        let mut clients = BTreeMap::new();
        for ecosystem in &ecosystems {
            let server = servers
                .get(ecosystem)
                .ok_or_else(|| VaultError::NoServer { ecosystem: ecosystem.clone() })?;
            clients.insert(ecosystem.clone(), Client::new(server)?);
        }
        Ok(Self {
            store,
            tokens: ecosystems.iter().map(|ecosystem| (ecosystem.clone(), OnceCell::new())).collect(),
            ecosystems,
            clients,
            authentication: options.vault_authentication,
            token_uses: options.vault_token_uses,
        })
    }

    async fn token(&self, ecosystem: &str) -> Result<&SecretString, SecretError> {
        self.tokens[ecosystem].get_or_try_init(|| self.log_in(ecosystem)).await
    }

    async fn log_in(&self, ecosystem: &str) -> Result<SecretString, SecretError> {
        let client = &self.clients[ecosystem];
        match &self.authentication {
            VaultAuthentication::Token(token) => Ok(token.clone()),
            VaultAuthentication::TokenFile(path) => token_in(path),
            VaultAuthentication::Ldap { user, password } => {
                let token = client.log_in_by_ldap(user, password).await?;
                match self.token_uses {
                    Some(uses) => Ok(client.limited_token(&token, uses).await?),
                    None => Ok(token),
                }
            }
        }
    }

    async fn seal(&self, write: &Write<'_>, key: &str, ecosystem: &str) -> Result<Sealed, SecretError> {
        let (client, token) = (&self.clients[ecosystem], self.token(ecosystem).await?);
        let value = write.plaintext.expose_secret();
        let plaintext = Zeroizing::new(BASE64.encode(value));
        let body = EncryptRequest { plaintext: &plaintext, context: &BASE64.encode(self.store.service()) };
        let ciphertext = client.transit(token, "encrypt", key, &body, "ciphertext").await?;
        let place = format!("{}\0{}\0{ecosystem}\0", self.store.service(), write.name);
        let input = Zeroizing::new(BASE64.encode(&*Zeroizing::new([place.as_bytes(), value].concat())));
        let signature = client.transit(token, "hmac", key, &HmacRequest { input: &input }, "hmac").await?;
        Ok(Sealed {
            ecosystem: ecosystem.to_owned(),
            ciphertext: ciphertext.expose_secret().to_owned(),
            signature: signature.expose_secret().to_owned(),
        })
    }
}

#[derive(Serialize)]
struct EncryptRequest<'a> {
    plaintext: &'a str,
    context: &'a str,
}

#[derive(Serialize)]
struct DecryptRequest<'a> {
    ciphertext: &'a str,
    context: &'a str,
}

#[derive(Serialize)]
struct HmacRequest<'a> {
    input: &'a str,
}

#[async_trait]
impl SecretProvider for Vault {
    fn service(&self) -> &str {
        self.store.service()
    }

    fn ecosystems(&self) -> &[String] {
        &self.ecosystems
    }

    async fn decrypt_secret_raw(&self, name: &SecretName) -> Result<Plaintext, SecretError> {
        let ecosystem = &self.ecosystems[0];
        let ciphertext = self.store.ciphertext(name, ecosystem)?;
        let key = self.store.encryption_key()?;
        let (client, token) = (&self.clients[ecosystem], self.token(ecosystem).await?);
        let body = DecryptRequest { ciphertext: &ciphertext, context: &BASE64.encode(self.store.service()) };
        let plaintext = client.transit(token, "decrypt", &key, &body, "plaintext").await?;
        match BASE64.decode(plaintext.expose_secret()) {
            Ok(bytes) => Ok(Plaintext::from(bytes)),
            Err(_) => Err(client.garbled("`data.plaintext` is not base64").into()),
        }
    }

    async fn write_secret(&self, write: Write<'_>) -> Result<PathBuf, SecretError> {
        self.store.check(&write, &self.ecosystems)?;
        let key = self.store.encryption_key()?;
        let mut sealed = Vec::new();
        for ecosystem in &self.ecosystems {
            sealed.push(self.seal(&write, &key, ecosystem).await?);
        }
        self.store.put(&write, &sealed)
    }

    async fn renew_issue_cert(&self, request: &CertificateRequest) -> Result<Vec<PathBuf>, SecretError> {
        let ecosystem = &self.ecosystems[0];
        let token = self.token(ecosystem).await?;
        let common_name = format!("{}.{ecosystem}.paasta.yelp", request.user);
        let issued = self.clients[ecosystem].issue(token, request, &common_name).await?;
        let mut files = Vec::new();
        for (ending, content) in
            [(".key", &issued.key), (".crt", &issued.certificate), ("_ca.crt", &issued.authority)]
        {
            let path = request.folder.join(format!("{ecosystem}{ending}"));
            write_file(&path, content.expose_secret().as_bytes(), 0o600)?;
            files.push(path);
        }
        Ok(files)
    }
}

fn token_in(path: &std::path::Path) -> Result<SecretString, SecretError> {
    const PURPOSE: &str = "a token file";
    let content = read_private(path, PURPOSE)?;
    let token = std::str::from_utf8(&content).map(str::trim).unwrap_or_default();
    if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
        let reason = "it does not hold one token".to_owned();
        return Err(SecretError::BadKeyFile { path: path.to_owned(), purpose: PURPOSE, reason, mode: false });
    }
    Ok(SecretString::from(token))
}
