//! YAML as PyYAML's C loader reads it (config.md §1.10, §10.1): cut as libyaml cuts it, scalars resolved
//! by YAML 1.1's rules, `<<` merged, into positioned [`Node`]s.
//!
//! Bounds: 4 MiB of file, lists and maps nested 200 deep, 1,000,000 values, the last two with aliases counted as often as
//! they are used. An entry of `!!omap` or `!!pairs` is a map without `<<` and `=`.

use std::borrow::Cow;
use std::sync::Arc;

use crate::{Node, Position};

mod base64;
mod bytes;
mod compose;
mod date;
mod events;
mod int;
mod plain;
mod scalar;
mod scan;
mod write;

pub(crate) use plain::{Ambiguous, ambiguous};
pub use write::{WriteYamlError, write};

/// The largest YAML file that is parsed.
pub(crate) const FILE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How deep lists and maps may nest, aliases followed.
pub(crate) const DEPTH_MAX: usize = 200;

/// How many values a document may come to, aliases followed.
pub(crate) const NODES_MAX: usize = 1_000_000;

/// A YAML document.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// What it holds; null if it is empty.
    pub root: Node,
    /// What was read but is suspicious.
    pub warnings: Vec<Warning>,
}

/// A key that stands twice in one map: the last value counts, in the first one's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The key.
    pub key: String,
    /// Where it stands first.
    pub first: Position,
    /// Where it stands again.
    pub again: Position,
}

/// Why a file is not YAML.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{position}: {problem}")]
pub struct YamlError {
    /// Where.
    pub position: Position,
    /// What is wrong there.
    pub problem: YamlProblem,
}

/// What can be wrong, by the step that found it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum YamlProblem {
    /// The bytes are not text that YAML allows.
    #[error("{0}")]
    Text(String),
    /// The text is not YAML.
    #[error("{0}")]
    Syntax(String),
    /// Anchors, aliases or documents do not fit together.
    #[error("{0}")]
    Composition(String),
    /// A value, tag or key cannot be read.
    #[error("{0}")]
    Value(String),
    /// The file is larger, deeper or comes to more values than we read.
    #[error("{0}")]
    TooLarge(String),
}

impl YamlError {
    /// The original's name of the error.
    pub fn class(&self) -> &'static str {
        match self.problem {
            YamlProblem::Text(_) => "ReaderError",
            YamlProblem::Syntax(_) => "ScannerError",
            YamlProblem::Composition(_) => "ComposerError",
            YamlProblem::Value(_) => "ConstructorError",
            YamlProblem::TooLarge(_) => "TooLarge",
        }
    }
}

/// Reads one YAML document; `file` names it in positions.
///
/// ```
/// let parsed = paasta_config::parse_yaml(b"a: [1, 1.0, yes, 0o7]\na: 1:30\n", "x.yaml")?;
/// assert_eq!(format!("{:?}", parsed.root), r#"{"a": 90}"#);
/// assert_eq!(parsed.warnings[0].again.to_string(), "x.yaml:2:1");
/// let error = paasta_config::parse_yaml(b"a: b: c", "x.yaml").unwrap_err();
/// assert_eq!(error.to_string(), "x.yaml:1:5: mapping values are not allowed in this context");
/// # Ok::<(), paasta_config::YamlError>(())
/// ```
pub fn parse(bytes: &[u8], file: &str) -> Result<Parsed, YamlError> {
    let file: Arc<str> = file.into();
    let text = bytes::decode(bytes, &file)?;
    compose::document(&text, &file)
}

/// A text of the file for a message, which is for people.
fn shorten(text: &str) -> Cow<'_, str> {
    match cut(text) {
        shown if shown.contains(char::is_control) => {
            let escaped =
                |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
            Cow::Owned(shown.chars().map(escaped).collect())
        }
        shown => shown,
    }
}

/// A text's beginning, if it is long.
fn cut(text: &str) -> Cow<'_, str> {
    const SHOWN_CHARACTERS_MAX: usize = 60;
    match text.char_indices().nth(SHOWN_CHARACTERS_MAX) {
        Some((at, _)) => Cow::Owned(format!("{}…", text.get(..at).unwrap_or_default())),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests;
