//! What all operator programs share.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use paasta_config::{DEFAULT_SYSTEM_CONFIG_DIR, SYSTEM_CONFIG_DIR_VARIABLE, SystemConfig};
use paasta_core::ServiceName;

use crate::hints::hint;

/// This host's system configuration: below `PAASTA_SYSTEM_CONFIG_DIR`, else `/etc/paasta`.
pub fn system_config() -> anyhow::Result<SystemConfig> {
    let directory = std::env::var_os(SYSTEM_CONFIG_DIR_VARIABLE).filter(|value| !value.is_empty());
    let directory = directory.unwrap_or_else(|| DEFAULT_SYSTEM_CONFIG_DIR.into());
    SystemConfig::load(directory).context("could not load the system configuration")
}

/// The soa-configs root: what the option says, else what the host says; always absolute.
pub fn soa_root(option: Option<&Path>, system: &SystemConfig) -> anyhow::Result<PathBuf> {
    let root = match option {
        Some(root) => root.to_owned(),
        None => system.soa_dir()?,
    };
    std::path::absolute(&root).with_context(|| format!("could not find `{}`", root.display()))
}

/// Says what is wanted of the log on stderr: warnings, or with `verbose` everything.
pub fn start_logging(verbose: bool) {
    let level = if verbose { tracing::Level::DEBUG } else { tracing::Level::WARN };
    tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).init();
}

/// The paragraph of an error of one service, and what to do about it where that is known.
pub fn advice(service: &ServiceName, error: &anyhow::Error) -> String {
    match hint(service, error) {
        Some(hint) => format!("{}\n\nhint: {hint}", paragraph(error)),
        None => paragraph(error),
    }
}

/// The paragraph of an error: what failed, then each cause on a line of its own.
///
/// ```
/// let error = anyhow::anyhow!("no such file").context("could not read `x`");
/// assert_eq!(paasta_tools::program::paragraph(&error), "error: could not read `x`\n  caused by: no such file");
/// ```
pub fn paragraph(error: &anyhow::Error) -> String {
    let mut text = format!("error: {error}");
    let mut last = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if cause != last {
            // Writing to a String cannot fail.
            let _ = write!(text, "\n  caused by: {cause}");
        }
        last = cause;
    }
    text
}
