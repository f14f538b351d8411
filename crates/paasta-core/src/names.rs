//! Names that people choose. They are kept as written; each type says what it can never hold.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text cannot be a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} cannot be {kind}: {reason}")]
pub struct NameError {
    /// What it was meant to be, with its article, such as "a service name".
    pub kind: &'static str,
    /// The text as given.
    pub value: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

fn check(kind: &'static str, value: &str) -> Result<(), NameError> {
    let reason = if value.is_empty() {
        "it is empty"
    } else if value == "." || value == ".." {
        "it names a directory"
    } else if value.contains('/') {
        "it holds a `/`"
    } else if value.chars().any(char::is_control) {
        "it holds a control character"
    } else {
        return Ok(());
    };
    Err(NameError { kind, value: value.to_owned(), reason })
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Takes the text as written; refuses the empty one, `.`, `..`, `/` and control characters, so that
            /// a name can never leave the directory it is looked up in.
            pub fn new(value: impl Into<String>) -> Result<Self, NameError> {
                let value = value.into();
                check($kind, &value)?;
                Ok(Self(value))
            }

            /// The text as written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(value: String) -> Result<Self, NameError> {
                Self::new(value)
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(value: &str) -> Result<Self, NameError> {
                Self::new(value)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }
    };
}

name!(
    /// A service: the name of its folder in soa-configs.
    ServiceName,
    "a service name"
);
name!(
    /// An instance of a service: a key of a `marathon-<cluster>.yaml` file.
    InstanceName,
    "an instance name"
);
name!(
    /// A cluster, as in `marathon-<cluster>.yaml`.
    ClusterName,
    "a cluster name"
);

/// A full git commit id: 40 lower-case hexadecimal digits.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GitSha(String);

impl GitSha {
    /// Takes exactly 40 lower-case hexadecimal digits.
    pub fn new(value: impl Into<String>) -> Result<Self, NameError> {
        let value = value.into();
        if value.len() == 40 && value.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Ok(Self(value));
        }
        Err(NameError { kind: "a git sha", value, reason: "it is not 40 lower-case hexadecimal digits" })
    }

    /// All 40 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first eight digits, as people quote it.
    pub fn short(&self) -> &str {
        &self.0[..8]
    }
}

impl fmt::Display for GitSha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for GitSha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for GitSha {
    type Error = NameError;

    fn try_from(value: String) -> Result<Self, NameError> {
        Self::new(value)
    }
}

impl From<GitSha> for String {
    fn from(sha: GitSha) -> String {
        sha.0
    }
}

/// The name under which an instance is discovered: `<service>.<namespace>`, or a long form of four parts
/// (marathon-and-bounce.md §1.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Registration(String);

impl Registration {
    /// Takes a text of two or four dot-separated parts.
    pub fn new(value: impl Into<String>) -> Result<Self, NameError> {
        let value = value.into();
        if matches!(value.split('.').count(), 2 | 4) {
            return Ok(Self(value));
        }
        Err(NameError { kind: "a registration", value, reason: "it is not `<service>.<namespace>`" })
    }

    /// The text as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the first dot.
    pub fn service(&self) -> &str {
        self.0.split('.').next().unwrap_or_default()
    }

    /// The second part: the SmartStack namespace.
    pub fn namespace(&self) -> &str {
        self.0.split('.').nth(1).unwrap_or_default()
    }
}

impl fmt::Display for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Registration {
    type Error = NameError;

    fn try_from(value: String) -> Result<Self, NameError> {
        Self::new(value)
    }
}

impl From<Registration> for String {
    fn from(registration: Registration) -> String {
        registration.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_directory() {
        for bad in ["", ".", "..", "a/b", "/etc", "a\0b", "a\nb"] {
            assert!(ServiceName::new(bad).is_err(), "{bad:?}");
        }
        for good in ["svc", "_shared", "a-b_c", "Upper", "a.b"] {
            assert!(ServiceName::new(good).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn a_sha_is_forty_lower_case_digits() {
        assert!(GitSha::new("0123456789abcdef0123456789abcdef01234567").is_ok());
        assert!(GitSha::new("0123456789ABCDEF0123456789abcdef01234567").is_err());
        assert!(GitSha::new("0123").is_err());
    }
}
