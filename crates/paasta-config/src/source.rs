//! Where configuration files come from: a directory, memory, or a source of somebody else's (`paasta-deployments`
//! reads a revision of a git repository).

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::Arc;

mod directory;

pub use directory::{Directory, check_regular, read_regular};

/// The largest file that a [`ConfigSource`] reads at all, in bytes.
pub const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A tree of files, read by paths relative to its root with `/` between names (the root itself is the empty path).
///
/// A path that could leave the root (`..`, an absolute path, an empty name) is refused by every implementation.
///
/// ```
/// use paasta_config::{ConfigSource, Memory};
///
/// let tree = Memory::new().with("svc/service.yaml", "git_url: file:///srv/git/svc\n");
/// assert!(tree.read("svc/service.yaml")?.is_some());
/// assert!(tree.read("svc/deploy.yaml")?.is_none());
/// assert!(tree.read("../etc/passwd").is_err());
/// # Ok::<(), paasta_config::SourceError>(())
/// ```
pub trait ConfigSource: fmt::Debug + Send + Sync {
    /// The bytes of a regular file; `None` if there is no such file.
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, SourceError>;

    /// The names in a directory, sorted; none if there is no such directory.
    fn list(&self, directory: &str) -> Result<Vec<String>, SourceError>;

    /// Whether there is such a file (a directory counts, a dangling link does not).
    fn is_file(&self, path: &str) -> bool {
        matches!(self.read(path), Ok(Some(_)))
    }

    /// Where a symbolic link leads, as written in it; `None` for anything else, and where there are no links.
    fn link_target(&self, path: &str) -> Option<String> {
        let _ = path;
        None
    }

    /// The path as it is best shown to people.
    fn show(&self, path: &str) -> String {
        path.to_owned()
    }
}

/// Why a file or directory could not be read.
#[derive(Debug, thiserror::Error)]
#[error("could not read `{path}`")]
pub struct SourceError {
    /// The path as shown to people.
    pub path: String,
    /// What the system said, or why we refused.
    pub source: io::Error,
}

impl SourceError {
    /// A refusal of the source's own, without having asked the system.
    pub fn refused(path: impl Into<String>, reason: &str) -> Self {
        Self { path: path.into(), source: io::Error::new(io::ErrorKind::InvalidInput, reason.to_owned()) }
    }
}

/// Refuses a relative path that could leave its root; every [`ConfigSource`] asks this first.
pub fn check_path(path: &str) -> Result<(), SourceError> {
    let bad = |name: &str| name.is_empty() || name == "." || name == ".." || name.contains('\0');
    if !path.is_empty() && path.split('/').any(bad) {
        return Err(SourceError::refused(path, "the path could leave its root directory"));
    }
    Ok(())
}

/// Files held in memory, for tests and embedders.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    files: BTreeMap<String, Arc<[u8]>>,
}

impl Memory {
    /// No files.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with one more file.
    #[must_use]
    pub fn with(mut self, path: impl Into<String>, content: impl AsRef<[u8]>) -> Self {
        self.insert(path, content);
        self
    }

    /// Adds or replaces a file.
    pub fn insert(&mut self, path: impl Into<String>, content: impl AsRef<[u8]>) {
        self.files.insert(path.into(), content.as_ref().into());
    }
}

impl ConfigSource for Memory {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, SourceError> {
        check_path(path)?;
        Ok(self.files.get(path).map(|content| content.to_vec()))
    }

    fn list(&self, directory: &str) -> Result<Vec<String>, SourceError> {
        check_path(directory)?;
        let prefix = if directory.is_empty() { String::new() } else { format!("{directory}/") };
        let mut names: Vec<String> = self
            .files
            .keys()
            .filter_map(|path| path.strip_prefix(&prefix))
            .filter_map(|rest| rest.split('/').next())
            .map(str::to_owned)
            .collect();
        names.sort();
        names.dedup();
        Ok(names)
    }
}
