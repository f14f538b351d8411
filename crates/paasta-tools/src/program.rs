//! What all operator programs share.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use paasta_config::{DEFAULT_SYSTEM_CONFIG_DIR, SYSTEM_CONFIG_DIR_VARIABLE, SystemConfig};
use paasta_core::ServiceName;
use paasta_logs::Actor;

use crate::hints::hint;

/// This host's system configuration: below `PAASTA_SYSTEM_CONFIG_DIR`, else `/etc/paasta`.
#[expect(clippy::disallowed_methods, reason = "read here, once, for every program")]
pub fn system_config() -> anyhow::Result<SystemConfig> {
    let directory = std::env::var_os(SYSTEM_CONFIG_DIR_VARIABLE).filter(|value| !value.is_empty());
    let directory = directory.unwrap_or_else(|| DEFAULT_SYSTEM_CONFIG_DIR.into());
    let hint = format!("Set {SYSTEM_CONFIG_DIR_VARIABLE} to the directory that has it.");
    SystemConfig::load(directory).context("could not load the system configuration").context(Hint(hint))
}

/// A full sentence on what to do about an error, as [`paragraph`] shows it.
#[derive(Debug)]
pub struct Hint(pub String);

impl std::fmt::Display for Hint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether all that went wrong is that nobody reads the output any more, as in `… | head -1`.
pub fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let errors = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    errors.map(std::io::Error::kind).any(|kind| kind == std::io::ErrorKind::BrokenPipe)
}

/// The soa-configs root: what the option says, else what the host says; always absolute.
pub fn soa_root(option: Option<&Path>, system: &SystemConfig) -> anyhow::Result<PathBuf> {
    let root = match option {
        Some(root) => root.to_owned(),
        None => system.soa_dir()?,
    };
    let root = std::path::absolute(&root).with_context(|| format!("could not find `{}`", root.display()))?;
    // One that is missing must not look like one without services.
    let readable = std::fs::read_dir(&root).map(drop);
    readable
        .with_context(|| format!("could not read soa-configs at `{}`", root.display()))
        .context(Hint("Name the directory that has one folder per service with -d DIR.".to_owned()))?;
    Ok(root)
}

/// Whether somebody who changes many things at once has to say so: machines run operator programs as the original is run,
/// while a person at a terminal may not know how much it does (design decision 10).
pub fn needs_all(terminal: bool, all: bool, dry_run: bool) -> bool {
    terminal && !all && !dry_run
}

/// Who answers for what this program does.
#[expect(clippy::disallowed_methods, reason = "read here, once, for every program")]
pub fn actor() -> Actor {
    Actor::of_this_process(|name| std::env::var_os(name))
}

/// The name of this machine, fully qualified where the system knows it so.
pub fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Says what is wanted of the log on stderr: warnings, or with `verbose` everything.
pub fn start_logging(verbose: bool) {
    let level = if verbose { tracing::Level::DEBUG } else { tracing::Level::WARN };
    let log = tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr);
    match std::io::stderr().is_terminal() {
        true => log.init(),
        // Colours are for terminals.
        false => log.with_ansi(false).init(),
    }
}

/// Data on stdout, in one piece; a closed pipe is nobody's failure.
pub fn tell(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// The paragraph of an error of one service, and what to do about it where that is known.
pub fn advice(service: &ServiceName, error: &anyhow::Error) -> String {
    match hint(service, error) {
        Some(hint) => format!("{}\n\nhint: {hint}", paragraph(error)),
        None => paragraph(error),
    }
}

/// The paragraph of an error: what failed, then each cause on a line of its own, then what to do about it.
///
/// ```
/// let error = anyhow::anyhow!("no such file").context("could not read `x`");
/// assert_eq!(paasta_tools::program::paragraph(&error), "error: could not read `x`\n  caused by: no such file");
/// ```
pub fn paragraph(error: &anyhow::Error) -> String {
    let hint = error.downcast_ref::<Hint>().map(ToString::to_string);
    let mut said: Vec<String> = error.chain().map(ToString::to_string).collect();
    said.retain(|one| Some(one) != hint.as_ref());
    said.dedup();
    let mut text = format!("error: {}", said.join("\n  caused by: "));
    if let Some(hint) = hint {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n\nhint: {hint}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_root_is_an_error_with_a_way_out() {
        let root = tempfile::tempdir().expect("a directory");
        let missing = root.path().join("nowhere");
        let error = soa_root(Some(&missing), &SystemConfig::from_map(Default::default())).unwrap_err();
        let text = paragraph(&error);
        assert!(text.starts_with("error: could not read soa-configs at `"), "{text}");
        assert!(
            text.ends_with("\n\nhint: Name the directory that has one folder per service with -d DIR."),
            "{text}"
        );
        assert!(!is_closed_pipe(&error));
    }
}
