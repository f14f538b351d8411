//! References to secrets in an app's environment.

use async_trait::async_trait;

/// Turns a reference (`SECRET(name)` or `SHARED_SECRET(name)`) into its text.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// The secret's text, given the reference and the app's own environment, which names service and cluster.
    /// An error fails that task.
    async fn resolve(
        &self,
        reference: &str,
        env: &std::collections::BTreeMap<String, String>,
    ) -> Result<SecretText, SecretError>;
}

/// A secret that does not print.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(String);

impl SecretText {
    /// Takes the text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for SecretText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretText(…)")
    }
}

/// Why a reference could not be resolved. Never holds the secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not resolve `{reference}`: {reason}")]
pub struct SecretError {
    /// The reference.
    pub reference: String,
    /// Why not.
    pub reason: String,
}

/// Resolves nothing: every task with a reference fails, saying so.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSecrets;

#[async_trait]
impl Secrets for NoSecrets {
    async fn resolve(
        &self,
        reference: &str,
        _env: &std::collections::BTreeMap<String, String>,
    ) -> Result<SecretText, SecretError> {
        let reason = "this engine has no source of secrets".to_owned();
        Err(SecretError { reference: reference.to_owned(), reason })
    }
}

/// Whether a value is a reference: `SECRET(name)` or `SHARED_SECRET(name)` and nothing else.
pub(crate) fn is_reference(value: &str) -> bool {
    let inner = value.strip_prefix("SHARED_").unwrap_or(value);
    let name = inner.strip_prefix("SECRET(").and_then(|rest| rest.strip_suffix(')'));
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    name.is_some_and(|name| !name.is_empty() && name.chars().all(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        for yes in ["SECRET(a)", "SHARED_SECRET(a-b_C1)"] {
            assert!(is_reference(yes), "{yes}");
        }
        for no in ["SECRET()", "SECRET(a", "xSECRET(a)", "SECRET(a b)", "secret(a)", ""] {
            assert!(!is_reference(no), "{no}");
        }
    }
}
