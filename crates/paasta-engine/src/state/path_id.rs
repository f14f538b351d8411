//! App ids as Marathon spells them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An app's id with its leading slash: `/svc.main.git1.config2`, or several segments (`/folder/app`).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PathId(String);

/// Why a text is not an app id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must fully match lower-case letters, digits, `-` and `.` between slashes, each part beginning and ending with a letter or digit"
)]
pub struct PathIdError;

impl PathId {
    /// Takes an id with or without leading, trailing or doubled slashes; every segment must be lower-case
    /// letters, digits and inner hyphens, in parts separated by dots.
    pub fn parse(text: &str) -> Result<Self, PathIdError> {
        let segments: Vec<&str> = text.split('/').filter(|segment| !segment.is_empty()).collect();
        if segments.is_empty() || !segments.iter().all(|segment| segment_is_valid(segment)) {
            return Err(PathIdError);
        }
        Ok(Self(format!("/{}", segments.join("/"))))
    }

    /// With the leading slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the ids of this app's tasks begin with: no leading slash, `_` for the inner ones.
    pub fn task_prefix(&self) -> String {
        self.0.trim_start_matches('/').replace('/', "_")
    }
}

fn segment_is_valid(segment: &str) -> bool {
    segment.split('.').all(|part| {
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        !part.is_empty() && part.chars().all(inner) && !part.starts_with('-') && !part.ends_with('-')
    })
}

impl fmt::Display for PathId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PathId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids() {
        for (text, want) in [
            ("svc.main.gita.configb", Some("/svc.main.gita.configb")),
            ("//svc--x.main", Some("/svc--x.main")),
            ("/folder/app/", Some("/folder/app")),
            ("", None),
            ("/", None),
            ("Upper", None),
            ("a_b", None),
            ("-a", None),
            ("a..b", None),
            ("a-.b", None),
        ] {
            assert_eq!(PathId::parse(text).ok().as_ref().map(PathId::as_str), want, "{text}");
        }
    }
}
