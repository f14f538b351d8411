//! Secrets encrypted with a key file on this machine.

use std::fs;
use std::io::{Read, Write as _};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use ring::{hkdf, hmac};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretSlice};

use crate::provider::{CertificateRequest, Plaintext, SecretProvider, Write};
use crate::store::{Sealed, Store};
use crate::{SecretError, SecretName};

const KEY_BYTES: usize = 32;

/// What a ciphertext of ours begins with; the number changes if its form does.
const PREFIX: &str = "paasta-file:v1:";

/// Encrypts with a key file on this machine: for `paasta local`, for tests, and for trying secrets out.
///
/// Each value is sealed with ChaCha20-Poly1305 under a key derived from the file and a random nonce, and is bound to
/// its service, name and ecosystem: moved to another place it cannot be decrypted. The signature is an HMAC-SHA-256,
/// under a second derived key, of service, name, ecosystem and value, so that equal values under different names, or
/// in different ecosystems, do not show.
///
/// A cluster that `vault_cluster_map` does not name is an ecosystem of its own here. Set `vault_environment` to it, so
/// that a new value bounces the instances that use it.
#[derive(Clone, Debug)]
pub struct FileProvider {
    store: Store,
    ecosystems: Vec<String>,
    key: KeyFile,
}

impl FileProvider {
    /// Its name in the system configuration.
    pub const NAME: &'static str = "file";

    pub(crate) fn new(store: Store, ecosystems: Vec<String>, key: KeyFile) -> Self {
        Self { store, ecosystems, key }
    }

    fn seal(&self, write: &Write<'_>, ecosystem: &str) -> Result<Sealed, SecretError> {
        let place = place(self.store.service(), write.name, ecosystem);
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| SecretError::NoRandomness)?;
        let mut sealed = Zeroizing::new(write.plaintext.expose_secret().to_vec());
        self.key
            .sealing()?
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(&place), &mut *sealed)
            .map_err(|_| self.undecryptable(write.name, ecosystem))?;
        let mut signature = hmac::Context::with_key(&self.key.signing()?);
        signature.update(&place);
        signature.update(write.plaintext.expose_secret());
        Ok(Sealed {
            ecosystem: ecosystem.to_owned(),
            ciphertext: format!("{PREFIX}{}", BASE64.encode([&nonce[..], &sealed].concat())),
            signature: BASE64.encode(signature.sign().as_ref()),
        })
    }

    fn open(&self, name: &SecretName, ecosystem: &str, ciphertext: &str) -> Result<Plaintext, SecretError> {
        let wrong = || self.undecryptable(name, ecosystem);
        let bytes =
            ciphertext.strip_prefix(PREFIX).and_then(|text| BASE64.decode(text).ok()).ok_or_else(wrong)?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>().ok_or_else(wrong)?;
        let mut sealed = Zeroizing::new(sealed.to_vec());
        let place = place(self.store.service(), name, ecosystem);
        let opened = self
            .key
            .sealing()?
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(&place), &mut sealed)
            .map_err(|_| wrong())?;
        Ok(Plaintext::from(opened.to_vec()))
    }

    fn undecryptable(&self, name: &SecretName, ecosystem: &str) -> SecretError {
        SecretError::Undecryptable { name: name.to_string(), ecosystem: ecosystem.to_owned() }
    }
}

#[async_trait]
impl SecretProvider for FileProvider {
    fn service(&self) -> &str {
        self.store.service()
    }

    fn ecosystems(&self) -> &[String] {
        &self.ecosystems
    }

    async fn decrypt_secret_raw(&self, name: &SecretName) -> Result<Plaintext, SecretError> {
        let ecosystem = &self.ecosystems[0];
        self.open(name, ecosystem, &self.store.ciphertext(name, ecosystem)?)
    }

    async fn write_secret(&self, write: Write<'_>) -> Result<PathBuf, SecretError> {
        self.store.check(&write, &self.ecosystems)?;
        let sealed: Result<Vec<_>, _> =
            self.ecosystems.iter().map(|ecosystem| self.seal(&write, ecosystem)).collect();
        self.store.put(&write, &sealed?)
    }

    async fn renew_issue_cert(&self, _: &CertificateRequest) -> Result<Vec<PathBuf>, SecretError> {
        Err(SecretError::Unimplemented { provider: Self::NAME, operation: "issue a certificate" })
    }
}

/// Service, name and ecosystem; none of them can hold a NUL.
fn place(service: &str, name: &SecretName, ecosystem: &str) -> Vec<u8> {
    format!("{PREFIX}\0{service}\0{name}\0{ecosystem}\0").into_bytes()
}

/// The key of a [`FileProvider`]: 32 random bytes in base64 in a file that its owner alone may read.
#[derive(Clone, Debug)]
pub struct KeyFile {
    path: PathBuf,
    bytes: SecretSlice<u8>,
}

impl KeyFile {
    /// Reads a key file, which must be a regular file of the current user with mode 0600 or stricter.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, SecretError> {
        const PURPOSE: &str = "a key file";
        let path = path.as_ref();
        let text = read_private(path, PURPOSE)?;
        let bytes = BASE64.decode(text.trim_ascii()).ok().filter(|bytes| bytes.len() == KEY_BYTES);
        match bytes {
            Some(bytes) => Ok(Self { path: path.to_owned(), bytes: bytes.into() }),
            None => Err(SecretError::BadKeyFile {
                path: path.to_owned(),
                purpose: PURPOSE,
                reason: "it does not hold 32 bytes in base64".to_owned(),
                mode: false,
            }),
        }
    }

    /// Makes a key file, with mode 0600. One that is there is an error, and stays.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, SecretError> {
        let path = path.as_ref();
        let failed = |source| SecretError::Io { attempt: "create key file", path: path.to_owned(), source };
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        SystemRandom::new().fill(&mut bytes[..]).map_err(|_| SecretError::NoRandomness)?;
        let text = Zeroizing::new(BASE64.encode(&bytes[..]) + "\n");
        let mut file =
            fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        Ok(Self { path: path.to_owned(), bytes: bytes.to_vec().into() })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn derive(&self, purpose: &'static [u8]) -> Result<Zeroizing<[u8; KEY_BYTES]>, SecretError> {
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"paasta-secrets file v1");
        let pseudo_random = salt.extract(self.bytes.expose_secret());
        let mut derived = Zeroizing::new([0; KEY_BYTES]);
        pseudo_random
            .expand(&[purpose], hkdf::HKDF_SHA256)
            .and_then(|key| key.fill(&mut derived[..]))
            .map_err(|_| SecretError::NoRandomness)?;
        Ok(derived)
    }

    fn sealing(&self) -> Result<LessSafeKey, SecretError> {
        let key = UnboundKey::new(&CHACHA20_POLY1305, &self.derive(b"sealing")?[..]);
        Ok(LessSafeKey::new(key.map_err(|_| SecretError::NoRandomness)?))
    }

    fn signing(&self) -> Result<hmac::Key, SecretError> {
        Ok(hmac::Key::new(hmac::HMAC_SHA256, &self.derive(b"signing")?[..]))
    }
}

/// The content of a file that only its owner, who must be the current user, may read.
pub(crate) fn read_private(path: &Path, purpose: &'static str) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    const BYTES_MAX: u64 = 64 * 1024;
    let failed = |source| SecretError::Io { attempt: "read", path: path.to_owned(), source };
    let unfit =
        |reason: String, mode| SecretError::BadKeyFile { path: path.to_owned(), purpose, reason, mode };
    // A FIFO would wait for ever when opened.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(unfit("it is not a regular file".to_owned(), false));
    }
    let file = fs::File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if metadata.mode() & 0o077 != 0 {
        let reason = format!("others than its owner may use it (mode {:04o})", metadata.mode() & 0o7777);
        return Err(unfit(reason, true));
    }
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(unfit("it belongs to another user".to_owned(), false));
    }
    let mut content = Zeroizing::new(Vec::with_capacity(metadata.len().min(BYTES_MAX) as usize + 1));
    file.take(BYTES_MAX).read_to_end(&mut content).map_err(failed)?;
    Ok(content)
}
