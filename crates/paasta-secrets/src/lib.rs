//! The secrets of services: encrypted into soa-configs, decrypted for a run on this machine (config.md §6).
//!
//! A secret lives in `<service>/secrets/<name>.json`, once for each *ecosystem* (what a group of clusters shares), as a
//! ciphertext and a signature. An instance refers to it in its environment by `SECRET(name)`, or by
//! `SHARED_SECRET(name)` for one of `_shared`. PaaSTA itself sends the reference only; the signature reaches the app's
//! hash, so that a new value bounces the instance ([`paasta_config::Soa::secret_signatures`] reads it).
//!
//! [`SecretProvider`] is what encrypts and decrypts, [`provider`] makes the one that the system configuration names in
//! `secret_provider`:
//!
//! | name | is |
//! |---|---|
//! | `paasta_tools.secret_providers` | none: every call fails and says so |
//! | `paasta_tools.secret_providers.vault`, `vault` | [`Vault`]: the transit engine of one Vault per ecosystem |
//! | `file` | [`FileProvider`]: a key file on this machine, for `paasta local` and trying out |
//!
//! Nothing here reads the environment or prompts: passwords and the user's name come in through [`Options`]. What is
//! secret is held in `secrecy` types, which do not print, and no error holds any of it.
//!
//! No Vault runs where this crate is tested: [`Vault`] is tested against a stand-in that speaks the few requests of the
//! transit engine, LDAP and token authentication and PKI that are used here.

mod error;
mod file;
mod name;
mod options;
mod provider;
mod store;
mod vault;

pub use error::SecretError;
pub use file::{FileProvider, KeyFile};
pub use name::{SecretName, suggested_variable};
pub use options::{Options, provider};
pub use provider::{
    CertificateRequest, Plaintext, SecretProvider, Unavailable, Write, WriteAction, decrypt_references,
};
pub use vault::{Vault, VaultAuthentication, VaultError, VaultServer, VaultServers};
