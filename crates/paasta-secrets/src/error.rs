//! Why a secret could not be read or written.

use std::io;
use std::path::PathBuf;

use paasta_config::{LoadError, SettingError, SourceError};

use crate::VaultError;

/// Why a secret could not be read or written. Nothing secret is in it, nor in its sources.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The provider cannot do it.
    #[error("secret provider `{provider}` cannot {operation}")]
    Unimplemented {
        /// The provider by its name in the system configuration.
        provider: &'static str,
        /// What was asked: `decrypt a secret`.
        operation: &'static str,
    },
    /// The system configuration names a provider that there is not.
    #[error("unknown secret provider `{name}`, expected one of: {}", known.join(", "))]
    UnknownProvider {
        /// The name as written.
        name: String,
        /// The names that there are.
        known: Vec<&'static str>,
    },
    /// A text that cannot name a secret.
    #[error("`{name}` cannot be the name of a secret, expected {expected}")]
    BadName {
        /// The text.
        name: String,
        /// What a name is.
        expected: &'static str,
    },
    /// A reference of the wrong kind: to a shared secret where one of the service was meant, or the other way.
    #[error("`{reference}` in `{variable}` is not a reference to a secret of `{service}`")]
    OtherService {
        /// The environment variable.
        variable: String,
        /// Its value.
        reference: String,
        /// Whose secrets the provider reads.
        service: String,
    },
    /// A cluster without an ecosystem.
    #[error("cluster `{cluster}` is not in `vault_cluster_map` of the system configuration")]
    NoEcosystem {
        /// The cluster.
        cluster: String,
    },
    /// No cluster was given, so that there is nothing to read or write.
    #[error("no cluster was given for the secrets of `{service}`")]
    NoCluster {
        /// The service.
        service: String,
    },
    /// The service has no such secret.
    #[error("there is no secret `{name}`: no file `{}`", path.display())]
    NoSecret {
        /// The secret.
        name: String,
        /// The file that was looked for.
        path: PathBuf,
    },
    /// The secret is not there for this ecosystem.
    #[error("`{}` has no {what} for ecosystem `{ecosystem}`", path.display())]
    NotInEcosystem {
        /// The file.
        path: PathBuf,
        /// The ecosystem.
        ecosystem: String,
        /// `ciphertext`, or `entry`.
        what: &'static str,
    },
    /// A secret is to be added that is there already.
    #[error("`{}` has the secret for ecosystem `{ecosystem}` already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
        /// The ecosystem.
        ecosystem: String,
    },
    /// The secret's file is not what it should be.
    #[error("could not parse `{}`: {reason}", path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, with line and column where they are known.
        reason: String,
    },
    /// The service has no folder in soa-configs.
    #[error("there is no service `{service}` in `{}`", root.display())]
    NoService {
        /// The service.
        service: String,
        /// The soa-configs root.
        root: PathBuf,
    },
    /// The key is not the one the secret was encrypted with, or the ciphertext is not as it was written.
    #[error(
        "could not decrypt secret `{name}` for ecosystem `{ecosystem}`: it was encrypted with another key, for another \
         name, or changed since"
    )]
    Undecryptable {
        /// The secret.
        name: String,
        /// The ecosystem.
        ecosystem: String,
    },
    /// The plaintext is not UTF-8.
    #[error("secret `{name}` is not a text in UTF-8")]
    NotText {
        /// The secret.
        name: String,
    },
    /// A file that holds a key or a token is not fit to.
    #[error("`{}` cannot be used as {purpose}: {reason}", path.display())]
    BadKeyFile {
        /// The file.
        path: PathBuf,
        /// `a key file`, `a token file`.
        purpose: &'static str,
        /// What is wrong with it.
        reason: String,
        /// Whether `chmod` mends it.
        mode: bool,
    },
    /// The random numbers of this machine are not to be had.
    #[error("this machine gives no random numbers")]
    NoRandomness,
    /// A file could not be read or written.
    #[error("could not {attempt} `{}`", path.display())]
    Io {
        /// `read`, `write`.
        attempt: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file of soa-configs could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// `service.yaml` could not be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The system configuration is wrong.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// Vault said no, or nothing.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl SecretError {
    /// What one can do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unimplemented { .. } | Self::UnknownProvider { .. } => {
                "Set `secret_provider` in the system configuration, to `paasta_tools.secret_providers.vault` for Vault."
                    .to_owned()
            }
            Self::NoEcosystem { cluster } => {
                format!("Add `\"{cluster}\": \"<ecosystem>\"` to `vault_cluster_map` in the system configuration.")
            }
            Self::NoSecret { name, .. } => format!("`paasta secret add -n {name}` makes it; check the name's spelling."),
            Self::Exists { .. } => "Update it instead of adding it.".to_owned(),
            Self::Undecryptable { .. } => "Use the key file it was written with, or write the secret anew.".to_owned(),
            Self::BadKeyFile { path, mode: true, .. } => format!("`chmod 600 {}` mends it.", path.display()),
            Self::Vault(error) => return error.hint(),
            _ => return None,
        })
    }
}
