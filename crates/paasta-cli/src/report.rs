//! How errors are told: what failed, what caused it, and what to do about it.

use std::fmt;
use std::io::{self, Write};

use paasta_core::ServiceName;

use crate::paint::{Paint, Style};

/// Prints an error, each of its causes on its own line, and its hints.
///
/// ```text
/// error: could not load instance `main` of service `example`
///   caused by: could not parse `example/marathon-pnw-prod.yaml`
///
/// hint: Run `paasta validate --service example` to check every file of the service.
/// ```
pub fn write_error(error: &anyhow::Error, colours: bool, out: &mut dyn Write) -> io::Result<()> {
    let paint = Paint::new(colours);
    let mut said = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string();
        if said.last() != Some(&text) {
            said.push(text);
        }
    }
    for (level, text) in said.iter().enumerate() {
        match level {
            0 => writeln!(out, "{} {text}", paint.text(Style::Red, "error:"))?,
            _ => writeln!(out, "  caused by: {text}")?,
        }
    }
    let mut hints = Vec::new();
    collect_hints(error, &mut hints);
    if !hints.is_empty() {
        writeln!(out)?;
    }
    for hint in hints {
        writeln!(out, "{} {hint}", paint.text(Style::Cyan, "hint:"))?;
    }
    Ok(())
}

/// What to do about a service whose files cannot be read.
pub(crate) fn validate_hint(service: &ServiceName) -> String {
    format!("Run `paasta validate -s {service}` in the soa-configs to check every file of the service.")
}

/// Adds advice to errors.
pub trait HintExt<T> {
    /// Adds a full sentence that one can act on.
    fn hint(self, hint: impl Into<String>) -> anyhow::Result<T>;
    /// As [`HintExt::hint`], with a sentence that is made only when it is needed.
    fn hint_with(self, hint: impl FnOnce() -> String) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> HintExt<T> for Result<T, E> {
    fn hint(self, hint: impl Into<String>) -> anyhow::Result<T> {
        self.hint_with(|| hint.into())
    }

    fn hint_with(self, hint: impl FnOnce() -> String) -> anyhow::Result<T> {
        self.map_err(|error| anyhow::Error::new(Hinted { error: error.into(), hint: hint() }))
    }
}

/// An error and advice; shows itself as the error.
struct Hinted {
    error: anyhow::Error,
    hint: String,
}

impl fmt::Display for Hinted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.error)
    }
}

impl fmt::Debug for Hinted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.error)
    }
}

impl std::error::Error for Hinted {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.chain().nth(1)
    }
}

fn collect_hints<'a>(error: &'a anyhow::Error, hints: &mut Vec<&'a str>) {
    for hinted in error.chain().filter_map(|cause| cause.downcast_ref::<Hinted>()) {
        if !hints.contains(&hinted.hint.as_str()) {
            hints.push(&hinted.hint);
        }
        collect_hints(&hinted.error, hints);
    }
}

/// Whether the error, or one that it was made from, is a `T`.
pub(crate) fn holds<T: std::error::Error + Send + Sync + 'static>(error: &anyhow::Error) -> bool {
    error.is::<T>()
        || error.chain().any(|cause| {
            cause.is::<T>() || cause.downcast_ref::<Hinted>().is_some_and(|hinted| holds::<T>(&hinted.error))
        })
}

/// The command line makes no sense in a way that only the command can tell: exit code 2.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    fn printed(error: &anyhow::Error) -> String {
        let mut out = Vec::new();
        write_error(error, false, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_chain_is_told_once_and_hints_come_last() {
        let low = Err::<(), _>(UsageError("`x` is no number".to_owned()));
        let error =
            low.hint("Say a number.").context("could not count").hint("Read the manual.").unwrap_err();
        assert_eq!(
            printed(&error),
            "error: could not count\n  caused by: `x` is no number\n\nhint: Read the manual.\nhint: Say a number.\n"
        );
        assert!(holds::<UsageError>(&error));
    }
}
