//! Puts `deployments.json` in its place (config.md §4.7).

use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use paasta_config::{ConfigSource as _, Directory, SourceError, check_regular};
use paasta_core::{Deed, ServiceName, Timestamp};

use crate::{Deployments, Difference};

const FILE_NAME: &str = "deployments.json";
const TEMPORARY_ATTEMPTS_MAX: usize = 16;

/// What became of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileChange {
    /// It is new, or says something else now.
    Written,
    /// It said the same already and was left alone.
    Unchanged,
}

/// The file could not be written; the old one stands as it was.
#[derive(Debug, thiserror::Error)]
#[error("could not write `{path}`")]
pub struct WriteError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

/// What is written down of a `deployments.json` that was written: an audit line with the action `write-deployments`.
pub fn wrote_deployments(soa_root: &Path, service: &ServiceName, at: Timestamp) -> Deed {
    let path = soa_root.join(service.as_str()).join(FILE_NAME);
    Deed {
        at,
        action: "write-deployments".to_owned(),
        service: Some(service.to_string()),
        instance: None,
        cluster: None,
        details: [("path".to_owned(), path.display().to_string())].into(),
    }
}

/// Writes `<soa_root>/<service>/deployments.json` if it does not say the same already: a temporary file beside it,
/// flushed to disk, renamed over it. A service without a folder is an error, and so is an old one that is not a regular
/// file, or is a link out of the tree: somebody put it there by mistake and should hear of it.
pub fn write_if_changed(soa_root: &Path, deployments: &Deployments) -> Result<FileChange, WriteError> {
    write_if_changed_and(soa_root, deployments, &|| Ok(()))
}

/// Asked when the new file is there but for its name; an error, which says why, leaves the old one in its place.
pub type MayWrite<'a> = &'a (dyn Fn() -> Result<(), String> + Sync);

/// As [`write_if_changed`], if `may_write` says so at the last moment.
pub(crate) fn write_if_changed_and(
    soa_root: &Path,
    deployments: &Deployments,
    may_write: MayWrite<'_>,
) -> Result<FileChange, WriteError> {
    let path = soa_root.join(&deployments.service).join(FILE_NAME);
    if deployments.same_as(&old_file(soa_root, deployments)?) {
        return Ok(FileChange::Unchanged);
    }
    write_atomically(&path, deployments.to_text().as_bytes(), may_write)
        .map_err(|source| WriteError { path, source })?;
    Ok(FileChange::Written)
}

/// Puts a file in the place of another, or of none: a temporary file beside it, flushed to disk, renamed over it. Whoever
/// reads it sees the old one or the new one whole. A pipe, device, socket or directory is never replaced, nor is a link
/// to one or into `/proc` (`/dev/stdout` is such a link): that is an error.
///
/// ```
/// let folder = tempfile::tempdir()?;
/// paasta_deployments::replace_file(&folder.path().join("services.yaml"), b"{}\n")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn replace_file(path: &Path, content: &[u8]) -> Result<(), WriteError> {
    let done = write_atomically(path, content, &|| Ok(()));
    done.map_err(|source| WriteError { path: path.to_owned(), source })
}

/// What [`write_if_changed`] would do, and what the file would say otherwise than now.
pub fn differences_to_file(
    soa_root: &Path,
    deployments: &Deployments,
) -> Result<(FileChange, Vec<Difference>), WriteError> {
    let old = old_file(soa_root, deployments)?;
    if deployments.same_as(&old) {
        return Ok((FileChange::Unchanged, Vec::new()));
    }
    Ok((FileChange::Written, deployments.differences(&old)))
}

/// What the file says now; nothing if there is none, or nobody can read it.
fn old_file(soa_root: &Path, deployments: &Deployments) -> Result<Vec<u8>, WriteError> {
    let tree = Directory::new(soa_root);
    let path = format!("{}/{FILE_NAME}", deployments.service);
    let refused = |SourceError { path, source }| WriteError { path: path.into(), source };
    if !tree.has_regular_file(&path).map_err(refused)? {
        return Ok(Vec::new());
    }
    Ok(tree.read(&path).ok().flatten().unwrap_or_default())
}

/// Refuses to put a file in the place of what is not one.
fn check_replaceable(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        metadata => check_regular(&metadata?)?,
    }
    if fs::read_link(path).is_ok_and(|target| target.starts_with("/proc")) {
        let reason = "it is a link that stands for what a process has open; name the file itself";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
    }
    Ok(())
}

fn write_atomically(path: &Path, content: &[u8], may_write: MayWrite<'_>) -> io::Result<()> {
    check_replaceable(path)?;
    let (temporary, file) = create_temporary(path)?;
    // Flushing may have taken long.
    let may = || may_write().map_err(io::Error::other);
    let done = fill(file, content).and_then(|()| may()).and_then(|()| fs::rename(&temporary, path));
    if done.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&temporary);
    }
    done
}

fn fill(mut file: File, content: &[u8]) -> io::Result<()> {
    file.write_all(content)?;
    file.sync_all()
}

/// `.<name>-` and eight characters of `[a-z0-9_]`, in the same folder; the mode is 0666 less the umask.
fn create_temporary(path: &Path) -> io::Result<(PathBuf, File)> {
    let base = path.file_name().unwrap_or_default().to_string_lossy();
    for _ in 0..TEMPORARY_ATTEMPTS_MAX {
        let temporary = path.with_file_name(format!(".{base}-{}", random_suffix()));
        match OpenOptions::new().write(true).create_new(true).mode(0o666).open(&temporary) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            result => return result.map(|file| (temporary, file)),
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "every temporary name is taken"))
}

fn random_suffix() -> String {
    const ALPHABET: &[u8; 37] = b"abcdefghijklmnopqrstuvwxyz0123456789_";
    let mut random = std::hash::RandomState::new().build_hasher().finish();
    let mut next = || {
        let index = random % ALPHABET.len() as u64;
        random /= ALPHABET.len() as u64;
        ALPHABET.get(index as usize).copied().unwrap_or(b'_') as char
    };
    (0..8).map(|_| next()).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn empty() -> Deployments {
        Deployments { service: "svc".into(), entries: vec![] }
    }

    #[test]
    fn written_once_and_left_alone_after() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("svc")).unwrap();
        assert_eq!(differences_to_file(root.path(), &empty()).unwrap().0, FileChange::Written);
        assert_eq!(fs::read_dir(root.path().join("svc")).unwrap().count(), 0, "a look writes nothing");
        assert_eq!(write_if_changed(root.path(), &empty()).unwrap(), FileChange::Written);
        assert_eq!(differences_to_file(root.path(), &empty()).unwrap(), (FileChange::Unchanged, vec![]));
        let file = root.path().join("svc/deployments.json");
        let before = fs::metadata(&file).unwrap().modified().unwrap();
        assert_eq!(write_if_changed(root.path(), &empty()).unwrap(), FileChange::Unchanged);
        assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), before);
        fs::write(&file, "{").unwrap();
        assert_eq!(write_if_changed(root.path(), &empty()).unwrap(), FileChange::Written);
        assert_eq!(fs::read_to_string(&file).unwrap(), empty().to_text());
        assert_eq!(fs::read_dir(root.path().join("svc")).unwrap().count(), 1, "no temporary file stays");
        let probe = root.path().join("probe");
        OpenOptions::new().write(true).create_new(true).mode(0o666).open(&probe).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&file), mode(&probe));
    }

    #[test]
    fn whoever_may_not_write_leaves_the_old_file_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("svc")).unwrap();
        let file = root.path().join("svc/deployments.json");
        fs::write(&file, "{}").unwrap();
        let no = || Err("leads no longer".to_owned());
        let error = write_if_changed_and(root.path(), &empty(), &no).unwrap_err();
        assert_eq!(error.source.to_string(), "leads no longer");
        assert_eq!(fs::read_to_string(&file).unwrap(), "{}");
        assert_eq!(fs::read_dir(root.path().join("svc")).unwrap().count(), 1, "no temporary file stays");
        fs::write(&file, empty().to_text()).unwrap();
        assert_eq!(write_if_changed_and(root.path(), &empty(), &no).unwrap(), FileChange::Unchanged);
    }

    #[test]
    fn an_old_file_that_nobody_can_read_is_written_anew() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("svc")).unwrap();
        let file = root.path().join("svc/deployments.json");
        let deep = "[".repeat(100_000);
        for old in [&b""[..], b"\xff\xfe", b"null", b"{\"v1\": {}}", b"{\"v1\": NaN}", deep.as_bytes()] {
            fs::write(&file, old).unwrap();
            assert_eq!(write_if_changed(root.path(), &empty()).unwrap(), FileChange::Written);
            assert_eq!(fs::read_to_string(&file).unwrap(), empty().to_text());
        }
    }

    #[test]
    fn a_write_that_fails_leaves_nothing_behind() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("svc/deployments.json");
        fs::create_dir_all(file.join("in the way")).unwrap();
        let error = write_if_changed(root.path(), &empty()).unwrap_err();
        assert!(error.to_string().contains("svc/deployments.json"), "{error}");
        assert_eq!(fs::read_dir(root.path().join("svc")).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_regular_file_is_neither_read_nor_replaced() {
        let outside = tempfile::tempdir().unwrap();
        let pipe = outside.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        fs::write(outside.path().join("file"), empty().to_text()).unwrap();
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("svc")).unwrap();
        let file = root.path().join("svc/deployments.json");
        let cases =
            [(pipe, "a pipe, not a regular file"), (outside.path().join("file"), "out of the directory")];
        for (target, said) in &cases {
            std::os::unix::fs::symlink(target, &file).unwrap();
            for error in [
                write_if_changed(root.path(), &empty()).unwrap_err(),
                differences_to_file(root.path(), &empty()).unwrap_err(),
            ] {
                assert_eq!(error.path, file);
                assert!(error.source.to_string().contains(said), "{error:?}");
            }
            assert_eq!(&fs::read_link(&file).unwrap(), target);
            fs::remove_file(&file).unwrap();
        }
        // Other callers of the write alone.
        let of_a_process = PathBuf::from("/proc/self/status");
        for target in [&cases[0].0, &of_a_process] {
            let link = root.path().join("services");
            std::os::unix::fs::symlink(target, &link).unwrap();
            assert_eq!(replace_file(&link, b"").unwrap_err().source.kind(), io::ErrorKind::InvalidInput);
            assert_eq!(&fs::read_link(&link).unwrap(), target);
            fs::remove_file(&link).unwrap();
        }
    }

    #[test]
    fn temporary_files_have_the_names_of_the_original() {
        let root = tempfile::tempdir().unwrap();
        let (path, _) = create_temporary(&root.path().join("deployments.json")).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let suffix = name.strip_prefix(".deployments.json-").unwrap();
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        assert!(suffix.len() == 8 && suffix.bytes().all(allowed), "{name}");
    }

    #[test]
    fn a_missing_folder_is_an_error_that_names_the_file() {
        let root = tempfile::tempdir().unwrap();
        let error = write_if_changed(root.path(), &empty()).unwrap_err();
        assert!(error.to_string().contains("svc/deployments.json"), "{error}");
    }
}
