//! Where a local cluster keeps what it knows.

use std::fs::{DirBuilder, File};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::{LocalCluster, LocalError, pointer_file};

/// Everything that a local cluster puts into its state directory.
pub(super) const OWN_NAMES: [&str; 8] =
    ["checkouts", "coordination", "engine", "etc", "hacheck", "haproxy", "lock", "logs"];

/// The state directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The one with this root.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The one at a path that may be relative.
    pub fn of(state_dir: &Path) -> Result<Self, LocalError> {
        let absolute = std::path::absolute(state_dir);
        absolute.map(Self::new).map_err(|source| LocalError::StateDir { path: state_dir.to_owned(), source })
    }

    /// `$XDG_STATE_HOME/paasta/local`, else `~/.local/state/paasta/local`.
    pub fn default_root(xdg_state_home: Option<&Path>, home: Option<&Path>) -> Option<PathBuf> {
        let state = xdg_state_home.map(Path::to_owned).or_else(|| Some(home?.join(".local/state")))?;
        Some(state.join("paasta").join("local"))
    }

    /// The root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The system configuration that the cluster writes for itself and for every command.
    pub fn system_config_dir(&self) -> PathBuf {
        self.root.join("etc")
    }

    /// The embedded engine's own state.
    pub fn engine(&self) -> PathBuf {
        self.root.join("engine")
    }

    /// Checkouts of services.
    pub fn checkouts(&self) -> PathBuf {
        self.root.join("checkouts")
    }

    /// What hacheck was told.
    pub fn hacheck_spool(&self) -> PathBuf {
        self.root.join("hacheck")
    }

    /// HAProxy's configuration, sockets and log.
    pub fn haproxy(&self) -> PathBuf {
        self.root.join("haproxy")
    }

    /// Locks and counts.
    pub fn coordination(&self) -> PathBuf {
        self.root.join("coordination")
    }

    /// Log lines of services.
    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// Held while the cluster runs.
    pub fn lock_file(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// Makes the directory and those in it, readable by their owner alone.
    pub fn make(&self) -> Result<(), LocalError> {
        let own = [
            self.root.clone(),
            self.system_config_dir(),
            self.engine(),
            self.checkouts(),
            self.hacheck_spool(),
            self.coordination(),
            self.logs(),
        ];
        for path in own {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&path)
                .map_err(|source| LocalError::StateDir { path, source })?;
        }
        Ok(())
    }

    /// Takes the lock for as long as the returned file is open.
    pub fn lock(&self) -> Result<File, LocalError> {
        let path = self.lock_file();
        let error = |source| LocalError::StateDir { path: path.clone(), source };
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(error)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let holder = std::fs::read_to_string(&path).unwrap_or_default();
                let holder = holder.trim().to_owned();
                return Err(LocalError::Running { state_dir: self.root.clone(), holder });
            }
            Err(errno) => return Err(error(errno.into())),
        }
        file.set_len(0).map_err(error)?;
        writeln!(file, "{}", std::process::id()).map_err(error)?;
        Ok(file)
    }
}

/// Writes a file so that readers see the old one or the new one, readable by its owner alone.
pub(super) fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(directory)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// Lets every command of this user find the cluster.
pub(super) fn write_pointer(home: &Path, cluster: &LocalCluster) -> Result<(), LocalError> {
    let path = pointer_file(home);
    let text = serde_json::to_string_pretty(cluster).unwrap_or_default();
    let directory = path.parent().unwrap_or(home);
    std::fs::create_dir_all(directory)
        .and_then(|()| write_private(&path, &text))
        .map_err(|source| LocalError::Pointer { path: path.clone(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_at_a_time() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path().join("state"));
        layout.make().unwrap();
        let held = layout.lock().unwrap();
        let error = layout.lock().unwrap_err();
        assert!(matches!(error, LocalError::Running { .. }), "{error}");
        assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
        drop(held);
        layout.lock().unwrap();
    }

    #[test]
    fn a_state_dir_that_cannot_be_made_is_named() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("file"), "").unwrap();
        let error = Layout::new(root.path().join("file/state")).make().unwrap_err();
        assert!(matches!(error, LocalError::StateDir { .. }), "{error}");
    }

    #[test]
    fn the_default_follows_xdg() {
        let (xdg, home) = (Path::new("/x"), Path::new("/home/me"));
        assert_eq!(Layout::default_root(Some(xdg), Some(home)).unwrap(), Path::new("/x/paasta/local"));
        let fallback = Layout::default_root(None, Some(home)).unwrap();
        assert_eq!(fallback, Path::new("/home/me/.local/state/paasta/local"));
        assert_eq!(Layout::default_root(None, None), None);
    }
}
