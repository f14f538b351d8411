//! What is told of one thing that is wrong.

use std::error::Error as _;

use serde::Serialize;

use super::hints;
use crate::yaml::Warning;
use crate::{LoadError, Node, Position, SettingError, SystemError};

/// One thing to change, or to look at. Its members are those of `paasta validate --json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The file, as shown to people; the service's directory where no file is to blame.
    pub file: String,
    /// From 1; none where the whole file is meant.
    pub line: Option<u32>,
    /// From 1, in characters.
    pub column: Option<u32>,
    /// A short name of what was checked: `syntax`, `unknown-key`, `deploy-group`, ….
    pub rule: &'static str,
    /// Whether the files can be used like this.
    pub severity: Severity,
    /// What is wrong, with the key and its value.
    pub message: String,
    /// What to do about it, as a sentence.
    pub hint: String,
}

/// How bad a [`Finding`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It works, but hardly as meant.
    Warning,
    /// It does not work.
    Error,
}

impl Finding {
    /// An error about a whole file.
    pub(super) fn whole(
        file: impl Into<String>,
        rule: &'static str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            file: file.into(),
            line: None,
            column: None,
            rule,
            severity: Severity::Error,
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// The same at a place, if there is one.
    pub(super) fn at(mut self, position: Option<&Position>) -> Self {
        if let Some(position) = position {
            self.file = position.file.to_string();
            (self.line, self.column) = (Some(position.line), Some(position.column));
        }
        self
    }

    pub(super) fn at_node(self, node: &Node) -> Self {
        self.at(node.position.as_ref())
    }

    pub(super) fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// What kept a file or an instance from being loaded; `file` is to blame where the error has no place.
    pub(super) fn of_load_error(file: &str, rule: &'static str, error: &LoadError) -> Self {
        let text = error.to_string();
        let position = error.position();
        // The place has columns of its own.
        let place = position.map(|position| format!("{position}: ")).unwrap_or_default();
        let message = text.strip_prefix(&place).unwrap_or(&text).to_owned();
        let mut finding = Self::whole(file, rule, message, hints::of_load_error(error)).at(position);
        if let LoadError::System(SystemError::Setting(setting)) = error {
            let alone = SettingError { position: None, ..setting.clone() };
            finding.message = format!("in the system configuration, {alone}");
        }
        if let LoadError::Io(error) = error {
            finding.file.clone_from(&error.path);
            finding.message = match error.source() {
                Some(source) => format!("the file cannot be read: {source}"),
                None => error.to_string(),
            };
        }
        finding
    }

    pub(super) fn of_duplicate(warning: &Warning) -> Self {
        let message =
            format!("the key `{}` stands here again, after line {}", warning.key, warning.first.line);
        let hint = "Keep one of the two: the last value counts, in the first one's place.";
        Self::whole("", "duplicate-key", message, hint).at(Some(&warning.again)).warning()
    }

    /// Where it is.
    pub(super) fn place(&self) -> (&str, Option<u32>, Option<u32>) {
        (&self.file, self.line, self.column)
    }
}

/// `file:line:column: severity: message`, as compilers tell it.
impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.file)?;
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}: {}", self.severity, self.message)
    }
}

impl std::fmt::Display for Severity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Severity::Warning => "warning",
            Severity::Error => "error",
        })
    }
}
