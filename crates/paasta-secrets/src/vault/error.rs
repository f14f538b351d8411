//! Why Vault did not answer as it should.

/// Why Vault did not answer as it should. Answers are shown by what they say is wrong, never whole.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// Nobody said where the Vault of an ecosystem is.
    #[error("`vault_servers` of the system configuration does not name the Vault of ecosystem `{ecosystem}`")]
    NoServer {
        /// The ecosystem.
        ecosystem: String,
    },
    /// The URL cannot be used.
    #[error("`{url}` cannot be used as the URL of a Vault: {reason}")]
    BadUrl {
        /// The URL as written, without credentials.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// No client could be made, for instance because of its certificates.
    #[error("could not prepare to ask Vault at `{url}`: {reason}")]
    Client {
        /// The Vault.
        url: String,
        /// What happened.
        reason: String,
    },
    /// No conversation came about, or it broke off.
    #[error("could not reach Vault at `{url}`: {reason}")]
    Unreachable {
        /// The Vault.
        url: String,
        /// What happened.
        reason: String,
    },
    /// It took too long.
    #[error("Vault at `{url}` did not answer within {seconds} s")]
    TimedOut {
        /// The Vault.
        url: String,
        /// How long we waited.
        seconds: u64,
    },
    /// The token, or the user, may not do this.
    #[error("Vault at `{url}` does not let us {attempt}: {reason}")]
    Denied {
        /// The Vault.
        url: String,
        /// What was asked.
        attempt: String,
        /// What it said.
        reason: String,
    },
    /// It is sealed, on standby or in maintenance.
    #[error("Vault at `{url}` is not in service (status {status}): {reason}")]
    NotInService {
        /// The Vault.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What it said.
        reason: String,
    },
    /// It refused, for instance a ciphertext of another key or service.
    #[error("Vault at `{url}` refused to {attempt} (status {status}): {reason}")]
    Refused {
        /// The Vault.
        url: String,
        /// What was asked.
        attempt: String,
        /// The HTTP status.
        status: u16,
        /// What it said.
        reason: String,
    },
    /// It answered something that is not Vault's.
    #[error("could not read the answer of Vault at `{url}`: {reason}")]
    Garbled {
        /// The Vault.
        url: String,
        /// What is wrong with the answer.
        reason: String,
    },
}

impl VaultError {
    /// What one can do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoServer { ecosystem } => format!(
                "Add `\"{ecosystem}\": {{\"url\": \"https://…:8200\"}}` to `vault_servers` in the system configuration."
            ),
            Self::Denied { .. } => {
                "Check that the token is valid still and that its policy allows this transit key; with LDAP, check the \
                 password."
                    .to_owned()
            }
            Self::NotInService { .. } => "Whoever runs Vault has to unseal it, or to name its active node.".to_owned(),
            _ => return None,
        })
    }
}
