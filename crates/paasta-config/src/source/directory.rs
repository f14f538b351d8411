//! A directory of the file system as a [`ConfigSource`].

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::OFlags;

use super::{ConfigSource, FILE_BYTES_MAX, SourceError, check_path};

/// A directory. Symbolic links are followed as long as they stay below it; anything but a regular file (a FIFO, a
/// device, a socket) is refused without being opened.
#[derive(Clone, Debug)]
pub struct Directory {
    root: PathBuf,
}

impl Directory {
    /// The directory at `root`, made absolute and cleaned of `.` and `..` by its letters alone (config.md §1.1).
    pub fn new(root: impl AsRef<Path>) -> Self {
        let root = root.as_ref();
        Self { root: clean(&std::path::absolute(root).unwrap_or_else(|_| root.to_owned())) }
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn full(&self, path: &str) -> PathBuf {
        if path.is_empty() { self.root.clone() } else { self.root.join(path) }
    }

    /// Whether a link on the way from the root to `path` leads out of the tree.
    fn leaves(&self, path: &str) -> io::Result<bool> {
        let mut at = self.root.clone();
        let mut linked = false;
        for name in path.split('/') {
            at.push(name);
            linked |= fs::symlink_metadata(&at)?.file_type().is_symlink();
        }
        if !linked {
            return Ok(false);
        }
        Ok(!fs::canonicalize(&at)?.starts_with(fs::canonicalize(&self.root)?))
    }

    /// Whether there is a regular file at `path`. Anything else there, or a link out of the directory, is the error
    /// that reading it would give; nothing is opened.
    ///
    /// ```
    /// let folder = tempfile::tempdir()?;
    /// std::fs::create_dir(folder.path().join("svc"))?;
    /// let tree = paasta_config::Directory::new(folder.path());
    /// assert!(!tree.has_regular_file("deployments.json")?);
    /// assert!(tree.has_regular_file("svc").is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn has_regular_file(&self, path: &str) -> Result<bool, SourceError> {
        check_path(path)?;
        let there = or_missing(self.check_regular_inside(path)).map(|there| there.is_some());
        there.map_err(|source| SourceError { path: self.show(path), source })
    }

    fn read_regular(&self, path: &str) -> io::Result<Vec<u8>> {
        self.check_regular_inside(path)?;
        open_regular(&self.full(path))
    }

    fn check_regular_inside(&self, path: &str) -> io::Result<()> {
        check_regular(&fs::metadata(self.full(path))?)?;
        self.check_inside(path)
    }

    fn check_inside(&self, path: &str) -> io::Result<()> {
        if self.leaves(path)? {
            let reason = "it is a link that leads out of the directory; copy what it points to into the tree";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        Ok(())
    }

    fn names(&self, directory: &str) -> io::Result<Vec<String>> {
        if !directory.is_empty() {
            self.check_inside(directory)?;
        }
        let mut names = Vec::new();
        for entry in fs::read_dir(self.full(directory))? {
            // A name that is not UTF-8 cannot be asked for, so it is not listed.
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }
}

impl ConfigSource for Directory {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, SourceError> {
        check_path(path)?;
        or_missing(self.read_regular(path)).map_err(|source| SourceError { path: self.show(path), source })
    }

    fn list(&self, directory: &str) -> Result<Vec<String>, SourceError> {
        check_path(directory)?;
        let names = self.names(directory);
        // Without its root the tree is unknown, not empty.
        let names = if directory.is_empty() { names.map(Some) } else { or_missing(names) };
        match names {
            Ok(names) => Ok(names.unwrap_or_default()),
            Err(source) => Err(SourceError { path: self.show(directory), source }),
        }
    }

    fn is_file(&self, path: &str) -> bool {
        // What cannot be looked at (a link in a loop, say) is there: reading it tells why.
        check_path(path).is_ok() && !matches!(or_missing(fs::metadata(self.full(path))), Ok(None))
    }

    fn link_target(&self, path: &str) -> Option<String> {
        check_path(path).ok()?;
        fs::read_link(self.full(path)).ok()?.into_os_string().into_string().ok()
    }

    fn show(&self, path: &str) -> String {
        self.full(path).display().to_string()
    }
}

/// A file that is not there, or whose directory is a file, is simply missing.
fn or_missing<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(e) => Err(e),
    }
}

/// The bytes of a regular file of at most [`FILE_BYTES_MAX`]; links are followed wherever they lead. Anything else is
/// refused without being opened (`InvalidInput`), so that no pipe is waited for and no device is touched.
///
/// ```
/// let folder = tempfile::tempdir()?;
/// assert!(paasta_config::read_regular(folder.path()).is_err());
/// std::fs::write(folder.path().join("f"), "text")?;
/// assert_eq!(paasta_config::read_regular(&folder.path().join("f"))?, b"text");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    check_regular(&fs::metadata(path)?)?;
    open_regular(path)
}

/// A pipe that takes the file's place meanwhile is not waited for.
fn open_regular(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::options().read(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(path)?;
    let metadata = file.metadata()?;
    check_regular(&metadata)?;
    let mut bytes = Vec::with_capacity(metadata.len().min(FILE_BYTES_MAX) as usize);
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let reason = "it is larger than 16 MiB; configuration is a few KiB";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
    }
    Ok(bytes)
}

/// Refuses (`InvalidInput`) what is not a regular file; the error says what it is.
pub fn check_regular(metadata: &Metadata) -> io::Result<()> {
    let kind = metadata.file_type();
    let kind = match kind {
        _ if kind.is_file() => return Ok(()),
        _ if kind.is_dir() => "a directory",
        _ if kind.is_fifo() => "a pipe",
        _ if kind.is_socket() => "a socket",
        _ => "a device",
    };
    let reason = format!("it is {kind}, not a regular file; put a file there, or remove it");
    Err(io::Error::new(io::ErrorKind::InvalidInput, reason))
}

fn clean(path: &Path) -> PathBuf {
    let mut cleaned = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                cleaned.pop();
            }
            Component::CurDir => {}
            other => cleaned.push(other),
        }
    }
    cleaned
}
