//! Names of secrets.

use std::fmt;

use paasta_config::SecretReference;

use crate::SecretError;

/// The name of a secret: letters, digits, `_` and `-`, at least one (config.md §6.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretName(String);

impl SecretName {
    /// Takes a name as a reference may hold it.
    pub fn new(name: &str) -> Result<Self, SecretError> {
        let fine = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        if name.is_empty() || !name.bytes().all(fine) {
            return Err(SecretError::BadName {
                name: name.to_owned(),
                expected: "letters, digits, `_` and `-`, at least one",
            });
        }
        Ok(Self(name.to_owned()))
    }

    /// Takes a name for a secret to be written, which may begin neither with `-` nor with `_` (config.md §6.2).
    pub fn new_to_write(name: &str) -> Result<Self, SecretError> {
        if name.starts_with(['-', '_']) {
            return Err(SecretError::BadName {
                name: name.to_owned(),
                expected: "a name that begins with a letter or a digit",
            });
        }
        Self::new(name)
    }

    /// The name that a reference means. The empty name, and the form with a line feed at its end, which count for the
    /// hash alone, are refused.
    pub fn of(reference: &SecretReference) -> Result<Self, SecretError> {
        Self::new(&reference.name)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The environment variable to suggest for a secret: `x-key` → `PAASTA_SECRET_X_KEY` (config.md §6.2).
pub fn suggested_variable(name: &SecretName) -> String {
    let words: Vec<&str> = name.as_str().split('-').collect();
    let mut variable = "PAASTA_SECRET_".to_owned();
    for (place, word) in words.iter().enumerate() {
        // A run of hyphens is one `_`.
        if place > 0 && (!word.is_empty() || place + 1 == words.len()) {
            variable.push('_');
        }
        variable.push_str(&word.to_ascii_uppercase());
    }
    variable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (name, read, written) in [
            ("x-key", true, true),
            ("9_A", true, true),
            ("_x", true, false),
            ("-x", true, false),
            ("", false, false),
            ("a b", false, false),
            ("../x", false, false),
            ("x.json", false, false),
            ("x\n", false, false),
            ("é", false, false),
        ] {
            assert_eq!(SecretName::new(name).is_ok(), read, "{name:?}");
            assert_eq!(SecretName::new_to_write(name).is_ok(), written, "{name:?}");
        }
        for reference in ["SECRET()", "SECRET(x)\n"] {
            assert!(SecretName::of(&SecretReference::parse(reference).unwrap()).is_err(), "{reference:?}");
        }
    }

    #[test]
    fn variables() {
        for (name, variable) in
            [("x-key", "X_KEY"), ("a--b", "A_B"), ("a_-b", "A__B"), ("a-", "A_"), ("a__b", "A__B")]
        {
            assert_eq!(
                suggested_variable(&SecretName::new(name).unwrap()),
                format!("PAASTA_SECRET_{variable}")
            );
        }
    }
}
